"""Which of the nodes that a walk reached are shown: by kind, type, namespace, tag, owner and environment."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from lineage.fact_tables import DeploymentRow
from lineage.links import StoredLinks
from lineage.marks import Marks, marks_of
from lineage.reading import Reader, among, until
from lineage.tables import NodeRow, RunDatasetRow, RunRow

CHUNK = 2_000
"""Nodes whose tags and owners are read at a time."""


@dataclass(frozen=True, slots=True)
class NodeFilter:
    """What a node must be: one of the values of each list that has any.

    ``types`` are types or subtypes, in any case of letters. ``tags`` are keys, or ``key=value``, of the node or one of
    its fields. ``environments`` are those that a deployment of the node, or with the node, names.
    """

    kinds: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    namespaces: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    environments: tuple[str, ...] = ()


Everything = NodeFilter()
"""Leaves no node out."""


def matching(unit: Reader, nodes: Sequence[int], chosen: NodeFilter, links: StoredLinks) -> set[int]:
    """Those of the nodes that match the filter, as of the instant of the links."""
    kept = _by_row(unit, nodes, chosen)
    if chosen.environments:
        kept &= _deployed(unit, chosen.environments, links)
    if chosen.tags or chosen.owners:
        listed = sorted(kept)
        for start in range(0, len(listed), CHUNK):
            marks = marks_of(unit, listed[start : start + CHUNK], links.as_of)
            kept -= {node for node, marked in marks.items() if not _is_marked(marked, chosen)}
    return kept


def _by_row(unit: Reader, nodes: Sequence[int], chosen: NodeFilter) -> set[int]:
    query = sa.select(NodeRow.id).where(among(unit, NodeRow.id, nodes))
    if chosen.kinds:
        query = query.where(NodeRow.kind.in_(chosen.kinds))
    if chosen.namespaces:
        query = query.where(NodeRow.namespace.in_(chosen.namespaces))
    if chosen.types:
        wanted = [name.upper() for name in chosen.types]
        types: Iterable[Any] = (NodeRow.type, NodeRow.subtype)
        query = query.where(sa.or_(*(sa.func.upper(column).in_(wanted) for column in types)))
    return set(unit.session.scalars(query))


def _deployed(unit: Reader, environments: Sequence[str], links: StoredLinks) -> set[int]:
    """The jobs that deploy to the environments, what they deploy and what they serve it as.

    With ``current`` edges only the deployments that have not ended count.
    """
    query = (
        sa.select(RunDatasetRow.job_id, RunDatasetRow.node_id)
        .join(DeploymentRow, DeploymentRow.run_id == RunDatasetRow.run_id)
        .join(RunRow, RunRow.id == RunDatasetRow.run_id)
        .where(DeploymentRow.environment.in_(environments), until(RunDatasetRow.first_seen, links.as_of))
        .distinct()
    )
    if links.mode == "current":
        query = query.where(RunRow.end_stamp.is_(None))
    rows = unit.session.execute(query).all()
    canonical = links.canonical([node for _, node in rows])
    return {job for job, _ in rows} | {canonical.get(node, node) for _, node in rows}


def _is_marked(marks: Marks, chosen: NodeFilter) -> bool:
    tags = {tag.key for tag in marks.tags} | {f"{tag.key}={tag.value}" for tag in marks.tags if tag.value is not None}
    owners = {name for name, _ in marks.owners}
    return not (chosen.tags and tags.isdisjoint(chosen.tags)) and not (
        chosen.owners and owners.isdisjoint(chosen.owners)
    )
