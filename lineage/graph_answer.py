"""The nodes and edges of an answer about the graph, with names, times and runs: one query for each kind of row."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import sqlalchemy as sa

from governance.types.sight import Sight
from lineage.aliases import Aliases
from lineage.graph import Edge
from lineage.identity import NodeKind, node_id_text
from lineage.links import StoredLinks
from lineage.reading import Reader, among, until
from lineage.tables import OUTPUT, EdgeRow, FlowEdgeRow, FlowRow, NodeRow, RunDatasetRow, RunRow

Ends = tuple[int, int]
"""Source and target of a flow, as row ids."""


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node of the answer; ``aliases`` are the other names of the same dataset, as (namespace, name).

    One that the reader does not see is hidden: it keeps its place and its kind, and has no name.
    """

    row_id: int
    kind: NodeKind
    type: str | None
    subtype: str | None
    namespace: str
    name: str
    distance: int
    aliases: tuple[tuple[str, str], ...] = ()
    is_hidden: bool = False

    @property
    def id(self) -> str:
        """The node id in Marquez's form."""
        return node_id_text(self.kind, self.namespace, self.name)


@dataclass(frozen=True, slots=True)
class GraphEdge:
    """Data flow between two nodes of the answer, given by their places in ``Graph.nodes``."""

    source: int
    target: int
    first_seen: datetime
    last_seen: datetime
    run_count: int
    latest_run_id: str | None


@dataclass(frozen=True, slots=True)
class Graph:
    """The answer: nodes by distance, kind and name; edges by their ends.

    Where it was cut, ``frontier`` are the nodes that have more behind them. With filters a cut may leave none that has.
    """

    start: int
    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    frontier: tuple[int, ...]
    is_truncated: bool


def graph_nodes(unit: Reader, distances: Mapping[int, int], aliases: Aliases) -> list[GraphNode]:
    """The nodes by distance, kind, namespace and name; those that the unit does not see come last and hidden."""
    members: dict[int, list[int]] = {}
    if aliases.exist():
        members = {node: [other for other in aliases.members(node) if other != node] for node in distances}
    wanted = {*distances, *(other for others in members.values() for other in others)}
    query = sa.select(NodeRow.id, NodeRow.kind, NodeRow.namespace, NodeRow.name, NodeRow.type, NodeRow.subtype)
    rows: Sequence[Any] = unit.session.connection().execute(query.where(among(unit, NodeRow.id, sorted(wanted)))).all()
    names = {number: (namespace, name) for number, _, namespace, name, _, _ in rows} if members else {}
    ordered = sorted(
        (distances[number], kind, namespace, name, number, shown, subtype)
        for number, kind, namespace, name, shown, subtype in (
            (number, kind, namespace, name, shown or "", subtype or "")
            for number, kind, namespace, name, shown, subtype in rows
            if number in distances
        )
    )
    nodes = [
        GraphNode(
            number,
            "job" if kind == "job" else "dataset",
            shown or None,
            subtype or None,
            namespace,
            name,
            distance,
            tuple(sorted(names[other] for other in members[number])) if members else (),
        )
        for distance, kind, namespace, name, number, shown, subtype in ordered
    ]
    return nodes if unit.sight.is_whole else _narrowed(nodes, unit.sight)


def _narrowed(nodes: Iterable[GraphNode], sight: Sight) -> list[GraphNode]:
    """The nodes as somebody sees them. The order of hidden ones says nothing of their names."""
    shown = [
        replace(node, aliases=tuple(alias for alias in node.aliases if sight.sees(*alias)))
        if sight.sees(node.namespace, node.name)
        else GraphNode(node.row_id, node.kind, None, None, "", "", node.distance, is_hidden=True)
        for node in nodes
    ]
    return sorted(
        shown, key=lambda node: (node.distance, node.is_hidden, node.kind, node.namespace, node.name, node.row_id)
    )


@dataclass(slots=True)
class _Seen:
    """What is known of one edge over the names of its dataset; ``latest`` is (stamp or time, run's row id)."""

    first: datetime
    last: datetime
    count: int = 0
    latest: tuple[Any, int] | None = None

    def join(self, other: "_Seen") -> None:
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)
        self.count += other.count
        if other.latest is not None and (self.latest is None or other.latest[0] > self.latest[0]):
            self.latest = other.latest


def graph_edges(
    unit: Reader, edges: set[Edge], direct: set[Ends], places: Mapping[int, int], links: StoredLinks
) -> list[GraphEdge]:
    """The edges between nodes at the places, by their ends; with ``links.as_of``, as they had been seen by then."""
    stored = _stored(unit, edges, links) if edges else {}
    if links.as_of is not None:
        _replay(unit, stored, links)
    by_ends = {(job, node) if writes else (node, job): seen for (job, node, writes), seen in stored.items()}
    if direct:
        by_ends |= _direct(unit, direct, links)
    runs = _run_ids(unit, [seen.latest[1] for seen in by_ends.values() if seen.latest is not None])
    answer = [
        GraphEdge(
            places[source],
            places[target],
            seen.first,
            seen.last,
            seen.count,
            None if seen.latest is None else runs.get(seen.latest[1]),
        )
        for (source, target), seen in by_ends.items()
    ]
    return sorted(answer, key=lambda edge: (edge.source, edge.target))


def _direct(unit: Reader, direct: set[Ends], links: StoredLinks) -> dict[Ends, _Seen]:
    """The links between two datasets or two jobs; ``run_count`` counts the runs that told of one."""
    edge, flow = FlowEdgeRow, FlowRow
    names = {member: node for ends in direct for node in ends for member in links.aliases.members(node)}
    query = sa.select(
        edge.source_id, edge.target_id, edge.job_id, edge.first_seen, edge.last_seen, edge.latest_stamp,
        edge.latest_run_id,
    ).where(
        sa.text("is_explicit >= 2"),
        among(unit, edge.source_id, sorted(names)),
        among(unit, edge.target_id, sorted(names)),
        until(edge.first_seen, links.as_of),
    )  # fmt: skip
    found: dict[Ends, _Seen] = {}
    jobs = set()
    for source, target, job, first, last, stamp, run in unit.session.execute(query):
        ends = (names[source], names[target])
        if ends not in direct:
            continue
        jobs.add(job)
        is_later = links.as_of is not None and last > links.as_of
        seen = _Seen(first, first if is_later else last, 0, None if run is None or is_later else (stamp, run))
        if ends in found:
            found[ends].join(seen)
        else:
            found[ends] = seen
    counted = sa.select(flow.source_id, flow.target_id, flow.run_id).where(
        among(unit, flow.job_id, sorted(jobs)),
        among(unit, flow.source_id, sorted(names)),
        among(unit, flow.target_id, sorted(names)),
        flow.run_id != 0,
        until(flow.first_seen, links.as_of),
    )
    for source, target, _ in unit.session.execute(counted.distinct()):
        if (names[source], names[target]) in found:
            found[(names[source], names[target])].count += 1
    return found


def _stored(unit: Reader, edges: set[Edge], links: StoredLinks) -> dict[Edge, _Seen]:
    """The stored rows of the edges; those of a dataset's other names are joined to its own."""
    members = _members(edges, links)
    query = sa.select(
        EdgeRow.job_id, EdgeRow.node_id, EdgeRow.role, _raw(EdgeRow.first_seen), _raw(EdgeRow.last_seen),
        EdgeRow.run_count, EdgeRow.latest_stamp, EdgeRow.latest_run_id,
    ).where(
        among(unit, EdgeRow.job_id, sorted({job for job, _, _ in edges})),
        among(unit, EdgeRow.node_id, sorted(members)),
    )  # fmt: skip
    stored: dict[Edge, _Seen] = {}
    for job, node, role, first, last, count, stamp, run in unit.session.connection().execute(query).all():
        edge = (job, members[node], role == OUTPUT)
        if edge not in edges:
            continue
        seen = _Seen(_instant(first), _instant(last), count, None if run is None else (stamp, run))
        if edge in stored:
            stored[edge].join(seen)
        else:
            stored[edge] = seen
    return stored


def _members(edges: Iterable[Edge], links: StoredLinks) -> dict[int, int]:
    """Each dataset of the edges under each of its names."""
    datasets = {dataset for _, dataset, _ in edges}
    if not links.aliases.exist():
        return {dataset: dataset for dataset in datasets}
    return {member: dataset for dataset in datasets for member in links.aliases.members(dataset)}


def _raw(column: Any) -> sa.ColumnElement[Any]:
    """The instant as the driver gives it: reading thousands of them through a column type costs more than the query."""
    return sa.type_coerce(column, sa.types.NullType())


def _instant(value: Any) -> datetime:
    """The instant that ``_raw`` gave: text without a zone on SQLite, which keeps UTC."""
    return datetime.fromisoformat(value).replace(tzinfo=UTC) if isinstance(value, str) else value.astimezone(UTC)


def _replay(unit: Reader, stored: dict[Edge, _Seen], links: StoredLinks) -> None:
    """Count again what had been seen by then: the stored figures are today's."""
    members = _members(stored, links)
    query = sa.select(
        RunDatasetRow.job_id, RunDatasetRow.node_id, RunDatasetRow.role, RunDatasetRow.first_seen,
        RunDatasetRow.last_seen, RunDatasetRow.run_id,
    ).where(
        among(unit, RunDatasetRow.job_id, sorted({job for job, _, _ in stored})),
        until(RunDatasetRow.first_seen, links.as_of),
    )  # fmt: skip
    by_edge: dict[Edge, list[_Seen]] = defaultdict(list)
    for job, node, role, first, last, run in unit.session.execute(query):
        last_by_then = last if links.as_of is None or last <= links.as_of else first
        by_edge[(job, members.get(node, 0), role == OUTPUT)].append(_Seen(first, last_by_then, 1, (first, run)))
    for edge, seen in stored.items():
        seen.count, seen.latest, seen.last = 0, None, seen.first
        for run_seen in by_edge.get(edge, ()):
            seen.join(run_seen)


def _run_ids(unit: Reader, runs: Sequence[int]) -> dict[int, str]:
    if not runs:
        return {}
    query = sa.select(RunRow.id, RunRow.run_id).where(among(unit, RunRow.id, sorted(set(runs))))
    rows: Sequence[Any] = unit.session.connection().execute(query).all()
    return dict(rows)
