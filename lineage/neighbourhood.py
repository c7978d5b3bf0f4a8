"""What a dataset or job comes from and what depends on it: the walk over the stored edges, with names and times."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from governance.errors import Conflict, InputRefused, NotFound
from lineage.aliases import Aliases
from lineage.graph import Bounds, Direction, Edge, Walk, walk
from lineage.identity import NodeKind, name_fault, node_id_text
from lineage.links import EdgesMode, StoredLinks
from lineage.reading import Reader, among, find_node, until
from lineage.tables import OUTPUT, EdgeRow, NodeRow, RunDatasetRow, RunRow

Directions = Literal["upstream", "downstream", "both"]

DEFAULT_NODE_LIMIT = 1_000
MAX_NODE_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class GraphQuery:
    """What is asked: which way, how far, as of when, and over which edges."""

    direction: Directions = "both"
    depth: int | None = None
    node_limit: int = DEFAULT_NODE_LIMIT
    as_of: datetime | None = None
    edges: EdgesMode = "ever"


@dataclass(frozen=True, slots=True)
class GraphNode:
    """A node of the answer; ``aliases`` are the other names of the same dataset, as (namespace, name)."""

    row_id: int
    kind: NodeKind
    type: str | None
    subtype: str | None
    namespace: str
    name: str
    distance: int
    aliases: tuple[tuple[str, str], ...] = ()

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
    """The answer: nodes by distance, kind and name; edges by their ends; ``frontier`` where it was cut."""

    start: int
    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    frontier: tuple[int, ...]

    @property
    def is_truncated(self) -> bool:
        """Whether something was cut."""
        return bool(self.frontier)


def resolve(unit: Reader, candidates: Iterable[tuple[NodeKind, str, str]]) -> NodeRow:
    """The one stored node among the names that a question may mean.

    Raises:
        InputRefused: a name is unusable. NotFound: none is stored. Conflict: several are; they are listed.
    """
    found: dict[int, NodeRow] = {}
    asked = []
    for kind, namespace, name in candidates:
        for part, text in (("namespace", namespace), ("name", name)):
            fault = name_fault(text)
            if fault is not None:
                raise InputRefused(
                    expected=f"a {part} of 1 to 2,048 characters", found=fault, remedy="Correct the name.", pointer=part
                )
        asked.append(node_id_text(kind, namespace, name))
        row = find_node(unit, kind, namespace, name)
        if row is not None and (row.first_seen is not None or _is_alias(unit, row)):
            found[row.id] = row
    if len(found) > 1:
        named = sorted(f"{row.kind} namespace={row.namespace} name={row.name}" for row in found.values())
        raise Conflict(
            expected="names that one node has",
            found="; ".join(named)[:2000],
            remedy="Ask by namespace, name and type, which are never ambiguous.",
        )
    if not found:
        raise NotFound(
            expected="a dataset or job that an event has named",
            found=" or ".join(asked)[:300] or "no node id",
            remedy="Check the spelling; names are compared as they were sent.",
        )
    return next(iter(found.values()))


def _is_alias(unit: Reader, row: NodeRow) -> bool:
    """Whether a name that no event used itself now stands for a dataset that one did."""
    return bool(Aliases(unit).canonical([row.id]))


def neighbourhood(unit: Reader, start: NodeRow, query: GraphQuery) -> Graph:
    """The nodes within reach of ``start`` and the edges between them.

    The directions of ``both`` are walked apart and joined, so what merely reads the same table is not in the answer.
    """
    directions: tuple[Direction, ...] = ("upstream", "downstream") if query.direction == "both" else (query.direction,)
    links = StoredLinks(unit, query.as_of, query.edges)
    found = walk(links, start.id, start.kind == "job", directions, Bounds(query.depth, query.node_limit))
    nodes = _nodes(unit, found, links.aliases)
    places = {node.row_id: place for place, node in enumerate(nodes)}
    edges = _edges(unit, found.edges, places, links)
    first = next(place for place, node in enumerate(nodes) if node.distance == 0 and _is_start(node, start, links))
    return Graph(first, tuple(nodes), tuple(edges), tuple(sorted(places[node] for node in found.frontier)))


def _is_start(node: GraphNode, start: NodeRow, links: StoredLinks) -> bool:
    return node.row_id == links.aliases.canonical([start.id]).get(start.id, start.id)


def _nodes(unit: Reader, found: Walk, aliases: Aliases) -> list[GraphNode]:
    members = {node: [other for other in aliases.members(node) if other != node] for node in found.distances}
    wanted = sorted({*found.distances, *(other for others in members.values() for other in others)})
    query = sa.select(NodeRow.id, NodeRow.kind, NodeRow.type, NodeRow.subtype, NodeRow.namespace, NodeRow.name)
    rows = {row.id: row for row in unit.session.connection().execute(query.where(among(unit, NodeRow.id, wanted)))}
    nodes = [
        GraphNode(
            row_id=node,
            kind="job" if rows[node].kind == "job" else "dataset",
            type=rows[node].type,
            subtype=rows[node].subtype,
            namespace=rows[node].namespace,
            name=rows[node].name,
            distance=distance,
            aliases=tuple(sorted((rows[other].namespace, rows[other].name) for other in members[node])),
        )
        for node, distance in found.distances.items()
    ]
    return sorted(nodes, key=lambda node: (node.distance, node.kind, node.namespace, node.name))


@dataclass
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


def _edges(unit: Reader, edges: set[Edge], places: dict[int, int], links: StoredLinks) -> list[GraphEdge]:
    stored = _stored(unit, edges, links)
    if links.as_of is not None:
        _replay(unit, stored, links)
    runs = _run_ids(unit, [seen.latest[1] for seen in stored.values() if seen.latest is not None])
    answer = [
        GraphEdge(
            source=places[job if is_output else dataset],
            target=places[dataset if is_output else job],
            first_seen=seen.first,
            last_seen=seen.last,
            run_count=seen.count,
            latest_run_id=None if seen.latest is None else runs.get(seen.latest[1]),
        )
        for (job, dataset, is_output), seen in stored.items()
    ]
    return sorted(answer, key=lambda edge: (edge.source, edge.target))


def _stored(unit: Reader, edges: set[Edge], links: StoredLinks) -> dict[Edge, _Seen]:
    """The stored rows of the edges; those of a dataset's other names are joined to its own."""
    members = {member: node for _, node, _ in edges for member in links.aliases.members(node)}
    query = sa.select(
        EdgeRow.job_id, EdgeRow.node_id, EdgeRow.role, EdgeRow.first_seen, EdgeRow.last_seen, EdgeRow.run_count,
        EdgeRow.latest_stamp, EdgeRow.latest_run_id,
    ).where(
        among(unit, EdgeRow.job_id, sorted({job for job, _, _ in edges})),
        among(unit, EdgeRow.node_id, sorted(members)),
    )  # fmt: skip
    stored: dict[Edge, _Seen] = {}
    for job, node, role, first, last, count, stamp, run in unit.session.connection().execute(query):
        edge = (job, members.get(node, 0), role == OUTPUT)
        if edge not in edges:
            continue
        seen = _Seen(first, last, count, None if run is None else (stamp, run))
        if edge in stored:
            stored[edge].join(seen)
        else:
            stored[edge] = seen
    return stored


def _replay(unit: Reader, stored: dict[Edge, _Seen], links: StoredLinks) -> None:
    """Count again what had been seen by then: the stored figures are today's."""
    members = {member: node for _, node, _ in stored for member in links.aliases.members(node)}
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
    query = sa.select(RunRow).where(among(unit, RunRow.id, sorted(set(runs))))
    return {row.id: row.run_id for row in unit.session.scalars(query)}
