"""Everything that a walk reached as a flat list, with owners, tags and the state of each job's latest run."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from lineage.identity import NodeKind
from lineage.links import StoredLinks
from lineage.marks import Marks, Tag, marks_of
from lineage.neighbourhood import Reached
from lineage.reading import Reader, among, nodes_by_id, until
from lineage.records import latest_runs
from lineage.tables import NodeRow, RunDatasetRow

CHUNK = 1_000
"""Rows described at a time: a list of a hundred thousand nodes is never in memory as a whole."""


@dataclass(frozen=True, slots=True)
class Impacted:
    """One row. ``owners`` are names; ``tags`` are ``key`` or ``key=value``, after ``field:`` where a field has it.

    A node that the reader does not see is hidden: its distance and kind are told, and nothing else.
    """

    distance: int
    kind: NodeKind
    type: str | None
    namespace: str
    name: str
    owners: tuple[str, ...]
    tags: tuple[str, ...]
    latest_run_state: str | None
    first_seen: datetime | None
    last_seen: datetime | None
    is_hidden: bool = False


def impacted(unit: Reader, reached: Reached) -> Iterator[Impacted]:
    """The nodes reached, by distance, kind, namespace and name; of one distance those that are not seen come last."""
    by_distance: dict[int, list[int]] = defaultdict(list)
    for node, distance in reached.distances.items():
        by_distance[distance].append(node)
    for distance in sorted(by_distance):
        keys = reached.links.sort_keys(by_distance[distance])
        nodes = sorted(by_distance[distance], key=keys.__getitem__)
        shown = nodes if unit.sight.is_whole else [node for node in nodes if unit.sight.sees(*keys[node][1:])]
        for start in range(0, len(shown), CHUNK):
            yield from _described(unit, shown[start : start + CHUNK], distance, reached.links)
        if len(shown) < len(nodes):
            kinds = sorted(keys[node][0] for node in set(nodes) - set(shown))
            yield from (_hidden("job" if kind == "job" else "dataset", distance) for kind in kinds)


def _hidden(kind: NodeKind, distance: int) -> Impacted:
    return Impacted(distance, kind, None, "", "", (), (), None, None, None, is_hidden=True)


def _described(unit: Reader, nodes: Sequence[int], distance: int, links: StoredLinks) -> Iterator[Impacted]:
    rows = nodes_by_id(unit, nodes)
    marks = marks_of(unit, nodes, links.as_of)
    states = latest_runs(unit, [node for node in nodes if rows[node].kind == "job"], links.as_of)
    last = _last_seen(unit, rows, links)
    for node in nodes:
        row, marked = rows[node], marks.get(node, Marks())
        state = states.get(node)
        yield Impacted(
            distance=distance,
            kind="job" if row.kind == "job" else "dataset",
            type=row.type,
            namespace=row.namespace,
            name=row.name,
            owners=tuple(dict.fromkeys(name for name, _ in marked.owners)),
            tags=tuple(dict.fromkeys(tag_text(tag) for tag in marked.tags)),
            latest_run_state=None if state is None else state[1].state,
            first_seen=row.first_seen,
            last_seen=last.get(node),
        )


def tag_text(tag: Tag) -> str:
    """A tag as one text; a value of "true" is what producers write who set none."""
    named = tag.key if tag.value in (None, "true") else f"{tag.key}={tag.value}"
    return f"{tag.field}:{named}" if tag.field else named


def _last_seen(unit: Reader, rows: Mapping[int, NodeRow], links: StoredLinks) -> dict[int, datetime | None]:
    """When each node was last named, by the instant that is asked for; the stored times are today's."""
    last = {node: row.last_seen for node, row in rows.items()}
    late = [node for node, instant in last.items() if links.as_of is not None and instant and instant > links.as_of]
    if not late:
        return last
    last.update({node: rows[node].first_seen for node in late})
    mentioned = sa.case(
        (RunDatasetRow.last_seen <= links.as_of, RunDatasetRow.last_seen), else_=RunDatasetRow.first_seen
    )
    columns: Iterable[Any] = (RunDatasetRow.node_id, RunDatasetRow.job_id)
    for column in columns:
        query = sa.select(column, sa.func.max(mentioned)).where(
            among(unit, column, late), until(RunDatasetRow.first_seen, links.as_of)
        )
        last.update((node, instant) for node, instant in unit.session.execute(query.group_by(column)) if node in late)
    return last
