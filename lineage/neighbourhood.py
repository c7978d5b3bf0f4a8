"""What a dataset or job comes from and what depends on it: the walk over the stored edges, and what of it is shown."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from governance.errors import Conflict, InputRefused, NotFound
from lineage.aliases import Aliases
from lineage.filters import Everything, NodeFilter, matching
from lineage.graph import Bounds, Direction, Edge, Walk, walk
from lineage.graph_answer import Graph, graph_edges, graph_nodes
from lineage.identity import NodeKind, name_fault, node_id_text
from lineage.links import EdgesMode, StoredLinks
from lineage.reading import Reader, find_node, visible
from lineage.tables import NodeRow

Directions = Literal["upstream", "downstream", "both"]

Start = NodeRow
"""A stored node that a question starts at; what it is lineage alone looks into."""

DEFAULT_NODE_LIMIT = 1_000
MAX_NODE_LIMIT = 10_000


@dataclass(frozen=True, slots=True)
class GraphQuery:
    """What is asked: which way, how far, as of when, over which edges, and which nodes of those reached."""

    direction: Directions = "both"
    depth: int | None = None
    node_limit: int | None = DEFAULT_NODE_LIMIT
    as_of: datetime | None = None
    edges: EdgesMode = "ever"
    chosen: NodeFilter = Everything

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The ways that are walked, apart from one another."""
        return ("upstream", "downstream") if self.direction == "both" else (self.direction,)


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
        if row is None or not unit.sight.sees(row.namespace, row.name):
            continue
        if row.first_seen is not None or _is_alias(unit, row):
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


@dataclass(frozen=True, slots=True)
class Reached:
    """The nodes that are shown, with their distances, and the way they were found. The start is among them."""

    start: int
    links: StoredLinks
    found: Walk
    distances: dict[int, int]
    frontier: set[int]
    is_truncated: bool

    @property
    def edges(self) -> set[Edge]:
        """The edges between the nodes that are shown."""
        inside = self.distances
        return {edge for edge in self.found.edges if edge[0] in inside and edge[1] in inside}

    @property
    def direct_edges(self) -> set[tuple[int, int]]:
        """The direct links between the nodes that are shown, as (source, target)."""
        inside = self.distances
        return {ends for ends in self.found.direct_edges if ends[0] in inside and ends[1] in inside}


def reach(unit: Reader, start: NodeRow, query: GraphQuery) -> Reached:
    """The nodes within reach of ``start`` that are asked for, nearest first, cut to the limit.

    The directions of ``both`` are walked apart and joined, so what merely reads the same table is not in the answer.
    With a filter the walk goes through nodes that do not match, and the limit counts those that do.
    """
    links = StoredLinks(unit, query.as_of, query.edges)
    is_whole = query.chosen == Everything
    bounds = Bounds(query.depth, query.node_limit if is_whole else None)
    found = walk(links, start.id, start.kind == "job", query.directions, bounds)
    first = links.aliases.canonical([start.id]).get(start.id, start.id)
    if is_whole:
        return Reached(first, links, found, found.distances, found.frontier, found.is_truncated)
    kept = matching(unit, list(found.distances), query.chosen, links) | {first}
    # What a filter would tell of a node that the reader does not see is told of none.
    kept &= visible(unit, kept) | {first}
    matched = {node: at for node, at in found.distances.items() if node in kept}
    shown = _nearest(links, first, matched, query.node_limit)
    cut = kept - shown.keys()
    steps = [*(pair for pairs, _ in found.hops for pair in pairs), *found.direct]
    frontier = {end for pair in steps if cut.intersection(pair) for end in pair}
    return Reached(
        first, links, found, shown, (frontier | found.frontier) & shown.keys(), bool(cut) or found.is_truncated
    )


def _nearest(links: StoredLinks, start: int, distances: dict[int, int], limit: int | None) -> dict[int, int]:
    """As many of the nodes as the limit allows: the start, then the nearest, of one distance by kind and name."""
    if limit is None or len(distances) <= limit:
        return distances
    by_distance: dict[int, list[int]] = defaultdict(list)
    for node, distance in distances.items():
        by_distance[distance].append(node)
    shown: dict[int, int] = {}
    for distance in sorted(by_distance):
        nodes, room = by_distance[distance], limit - len(shown)
        if room < len(nodes):
            keys = links.sort_keys(nodes)
            nodes.sort(key=lambda node: (node != start, keys[node]))
        shown.update(dict.fromkeys(nodes[:room], distance))
        if len(shown) == limit:
            break
    return shown


def neighbourhood(unit: Reader, start: NodeRow, query: GraphQuery) -> Graph:
    """The nodes within reach of ``start`` that are asked for, and the edges between them."""
    reached = reach(unit, start, query)
    nodes = graph_nodes(unit, reached.distances, reached.links.aliases)
    places = {node.row_id: place for place, node in enumerate(nodes)}
    return Graph(
        start=places[reached.start],
        nodes=tuple(nodes),
        edges=tuple(graph_edges(unit, reached.edges, reached.direct_edges, places, reached.links)),
        frontier=tuple(sorted(places[node] for node in reached.frontier)),
        is_truncated=reached.is_truncated,
    )
