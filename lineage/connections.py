"""How one node reaches another: the shortest paths between them, with the nodes and edges they pass."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import pairwise

from governance.errors import InputRefused
from lineage.graph import Bounds, Direction, Walk, walk
from lineage.graph_answer import GraphEdge, GraphNode, graph_edges, graph_nodes
from lineage.links import StoredLinks
from lineage.neighbourhood import GraphQuery
from lineage.path_search import shortest_ways
from lineage.reading import Reader
from lineage.tables import NodeRow

DEFAULT_PATHS = 20
MAX_PATHS = 1_000


@dataclass(frozen=True, slots=True)
class Path:
    """A path as places in ``Connections.nodes``; ``downstream`` where data flows from its first node to its last."""

    direction: Direction
    nodes: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Connections:
    """The paths, the shortest first, and everything on them. ``is_truncated`` says that there may be more."""

    paths: tuple[Path, ...]
    nodes: tuple[GraphNode, ...]
    edges: tuple[GraphEdge, ...]
    is_truncated: bool


@dataclass(frozen=True, slots=True)
class _Found:
    direction: Direction
    way: tuple[int, ...]


def connections(unit: Reader, start: NodeRow, end: NodeRow, query: GraphQuery, limit: int) -> Connections:
    """At most ``limit`` paths from ``start`` to ``end`` that pass no node twice and ``node_limit`` nodes in all.

    Raises:
        InputRefused: both names are one node.
    """
    links = StoredLinks(unit, query.as_of, query.edges)
    first, last = (links.canonical([row.id]).get(row.id, row.id) for row in (start, end))
    if first == last:
        raise InputRefused(
            expected="two different nodes", found="one node", remedy="Name another node to reach.", pointer="to_name"
        )
    found: list[_Found] = []
    distances: dict[int, int] = {first: 0}
    is_truncated = False
    for direction in query.directions:
        forth = walk(links, first, start.kind == "job", [direction], Bounds(query.depth))
        if last not in forth.distances:
            is_truncated |= forth.is_truncated
            continue
        ways, is_cut = _ways(links, forth, (first, last, end.kind == "job"), direction, (limit, query.depth))
        found += [_Found(direction, way) for way in ways]
        distances.update(forth.distances)
        is_truncated |= is_cut
    keys = links.sort_keys(sorted({node for path in found for node in path.way}))
    found.sort(key=lambda path: (len(path.way), [keys[node] for node in path.way]))
    kept = _within(found[:limit], query.node_limit)
    return _described(links, kept, distances, is_truncated=is_truncated or len(kept) < len(found))


def _ways(
    links: StoredLinks,
    forth: Walk,
    ends: tuple[int, int, bool],
    direction: Direction,
    bounds: tuple[int, int | None],
) -> tuple[list[tuple[int, ...]], bool]:
    """The shortest ways between the ends, over what both a walk there and a walk back reach."""
    first, last, last_is_job = ends
    limit, depth = bounds
    back = walk(links, last, last_is_job, ["downstream" if direction == "upstream" else "upstream"])
    between = forth.distances.keys() & back.distances.keys()
    flows = [(job, dataset) if writes else (dataset, job) for job, dataset, writes in forth.edges]
    steps: dict[int, set[int]] = defaultdict(set)
    for source, target in [*flows, *forth.direct_edges]:
        if source in between and target in between:
            near, far = (source, target) if direction == "downstream" else (target, source)
            steps[near].add(far)
    names = links.sort_keys(sorted(between))
    jobs = {node for node, (kind, _, _) in names.items() if kind == "job"}
    explicit = links.explicit(sorted(jobs))
    entries = links.entries(sorted(explicit)) if explicit else set()

    def allows(way: tuple[int, ...], node: int) -> bool:
        """Whether the way may go on: through as many jobs as asked for, through explicit ones where an entry leads."""
        if depth is not None and sum(passed in jobs for passed in (*way[1:], node)) > depth:
            return False
        if len(way) == 1 or way[-1] not in explicit:
            return True
        source, target = (way[-2], node) if direction == "downstream" else (node, way[-2])
        return (way[-1], source, target) in entries

    found = shortest_ways(steps, first, last, limit, key=names.__getitem__, allows=allows)
    return found.found, found.is_truncated


def _within(found: list[_Found], node_limit: int | None) -> list[_Found]:
    """As many of the paths as pass no more nodes than the limit."""
    passed: set[int] = set()
    for place, path in enumerate(found):
        passed.update(path.way)
        if node_limit is not None and len(passed) > node_limit:
            return found[:place]
    return found


def _described(
    links: StoredLinks, found: list[_Found], distances: dict[int, int], *, is_truncated: bool
) -> Connections:
    shown = {node: distances[node] for path in found for node in path.way}
    nodes = graph_nodes(links.unit, shown, links.aliases)
    places = {node.row_id: place for place, node in enumerate(nodes)}
    jobs = {node.row_id for node in nodes if node.kind == "job"}
    ways = [path.way if path.direction == "downstream" else path.way[::-1] for path in found]
    passed = {ends for way in ways for ends in pairwise(way)}
    direct = {(source, target) for source, target in passed if (source in jobs) == (target in jobs)}
    edges = {
        (source, target, True) if source in jobs else (target, source, False) for source, target in passed - direct
    }
    return Connections(
        paths=tuple(Path(path.direction, tuple(places[node] for node in path.way)) for path in found),
        nodes=tuple(nodes),
        edges=tuple(graph_edges(links.unit, edges, direct, places, links)),
        is_truncated=is_truncated,
    )
