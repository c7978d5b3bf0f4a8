"""The graph upstream of a model: what reaches it, how precisely that is known, and by which paths. Pure.

A path has the weakest precision of its steps. An input edge of column precision that does not name its columns counts
as ``dataset``: which columns flow is not known. One that names none carries nothing and is left out of every walk.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush

from governance.errors import InputRefused
from governance.types.ancestry import Ancestry, AncestryEdge, DatasetVersion, Precision, RunNode

PRECISIONS: tuple[Precision, ...] = ("column", "dataset", "over-approximate")
"""From the best to the weakest; a level is an index into this tuple."""

COLUMN, DATASET, OVER_APPROXIMATE = range(3)
MAX_PATHS = 100
"""Paths that are counted for a finding; a lattice of runs can have more than anybody could read."""


def level_of(edge: AncestryEdge) -> int:
    """The level of an edge's precision.

    How precisely a step through a run is known stands on its input edge: over it only the named columns flow, whichever
    output takes them. An output edge weakens a path where it is over-approximate alone.
    """
    if edge.role == "output":
        return OVER_APPROXIMATE if edge.precision == "over-approximate" else COLUMN
    if edge.precision == "column" and edge.columns is None:
        return DATASET
    return PRECISIONS.index(edge.precision)


def carries(edge: AncestryEdge) -> bool:
    """Whether anything flows over the edge."""
    return not (edge.role == "input" and edge.precision == "column" and edge.columns == ())


@dataclass(frozen=True, slots=True)
class Graph:
    """An ancestry with its edges at hand from both ends. ``subject`` is the key of the model version."""

    subject: str
    datasets: Mapping[str, DatasetVersion]
    runs: Mapping[str, RunNode]
    edges: tuple[AncestryEdge, ...]
    incoming: Mapping[str, tuple[AncestryEdge, ...]]
    outgoing: Mapping[str, tuple[AncestryEdge, ...]]

    def training_runs(self) -> tuple[RunNode, ...]:
        """The runs that output the subject, by key."""
        return tuple(self.runs[edge.source] for edge in self.incoming.get(self.subject, ()))

    def evaluation_runs(self) -> frozenset[str]:
        """The runs that read the subject."""
        return frozenset(edge.target for edge in self.outgoing.get(self.subject, ()))


def build_graph(ancestry: Ancestry) -> Graph | None:
    """The graph of an ancestry, whatever the order of its parts; null when lineage does not know the subject.

    Raises:
        InputRefused: an edge names a node that the ancestry does not list.
    """
    if ancestry.subject is None:
        return None
    datasets = {node.key: node for node in sorted(ancestry.datasets, key=lambda node: node.key)}
    runs = {node.key: node for node in sorted(ancestry.runs, key=lambda node: node.key)}
    edges = tuple(sorted(set(ancestry.edges), key=lambda e: (e.source, e.target, level_of(e), repr(e))))
    incoming: dict[str, list[AncestryEdge]] = defaultdict(list)
    outgoing: dict[str, list[AncestryEdge]] = defaultdict(list)
    for edge in edges:
        ends = (edge.source in datasets, edge.target in runs)
        ends = ends if edge.role == "input" else (edge.source in runs, edge.target in datasets)
        if ends != (True, True):
            raise InputRefused(
                expected="edges between the nodes of the ancestry",
                found=f"{edge.role} edge {edge.source} -> {edge.target}",
                remedy="Rebuild the ancestry from lineage.",
            )
        incoming[edge.target].append(edge)
        outgoing[edge.source].append(edge)
    if ancestry.subject not in datasets:
        raise InputRefused(
            expected="the subject among the nodes of the ancestry",
            found=ancestry.subject,
            remedy="Rebuild the ancestry from lineage.",
        )
    frozen_in = {key: tuple(found) for key, found in incoming.items()}
    frozen_out = {key: tuple(found) for key, found in outgoing.items()}
    return Graph(ancestry.subject, datasets, runs, edges, frozen_in, frozen_out)


def upstream(graph: Graph, seeds: Iterable[str], follow: Callable[[AncestryEdge], bool]) -> set[str]:
    """``seeds`` and everything that reaches them over edges that ``follow`` takes; cycles end."""
    seen = set(seeds)
    waiting = list(seen)
    while waiting:
        for edge in graph.incoming.get(waiting.pop(), ()):
            if edge.source not in seen and follow(edge):
                seen.add(edge.source)
                waiting.append(edge.source)
    return seen


def downstream(graph: Graph, seeds: Iterable[str], follow: Callable[[AncestryEdge], bool]) -> set[str]:
    """``seeds`` and everything they reach over edges that ``follow`` takes; cycles end."""
    seen = set(seeds)
    waiting = list(seen)
    while waiting:
        for edge in graph.outgoing.get(waiting.pop(), ()):
            if edge.target not in seen and follow(edge):
                seen.add(edge.target)
                waiting.append(edge.target)
    return seen


def ancestors(graph: Graph) -> tuple[str, ...]:
    """Keys of all data sets upstream of the subject, without it, whatever flows, in order."""
    found = upstream(graph, [graph.subject], lambda _: True)
    return tuple(key for key in graph.datasets if key in found and key != graph.subject)


def roots(graph: Graph) -> frozenset[str]:
    """The data sets that need a record of their own, because nothing recorded stands above them.

    A version without a producing run; one with a producing run that names no input; and one that no such version
    reaches, which happens where a cycle has no way in.
    """
    strict = {
        key
        for key in ancestors(graph)
        if any(not graph.incoming.get(edge.source) for edge in graph.incoming.get(key, ()))
        or not graph.incoming.get(key)
    }
    derived = downstream(graph, strict, lambda _: True)
    return frozenset(strict | {key for key in ancestors(graph) if key not in derived})


@dataclass(frozen=True, slots=True)
class Reach:
    """How data sets reach the subject.

    ``levels`` maps a node to every level at which some path of it stands (a path's level is its weakest edge's);
    ``columns`` maps a data set to the columns that reach at column precision. Data sets in ``stopped`` are walked to
    but not through. What has no level does not reach the subject.
    """

    levels: Mapping[str, frozenset[int]]
    columns: Mapping[str, frozenset[str]]
    stopped: frozenset[str]

    def best(self, key: str) -> int | None:
        """The best level of a node, null where it does not reach."""
        return min(self.levels[key]) if key in self.levels else None

    def column_level(self, key: str, column: str) -> int | None:
        """The best level at which a column reaches; below column precision every column counts."""
        levels = self.levels.get(key, frozenset())
        named = column in self.columns.get(key, frozenset())
        return min((level for level in levels if level != COLUMN or named), default=None)

    def follows(self, edge: AncestryEdge) -> bool:
        """Whether personal data may flow over the edge."""
        return carries(edge) and edge.target not in self.stopped


def reach(graph: Graph, stopped: frozenset[str]) -> Reach:
    """What reaches the subject, with precision, walking no further up than the ``stopped`` data sets."""
    shell = Reach({}, {}, stopped)
    levels: dict[str, set[int]] = defaultdict(set)
    exact: set[str] = set()
    for level in range(len(PRECISIONS)):
        within = _within(shell, level)
        arriving = upstream(graph, [graph.subject], within)
        if level == COLUMN:
            exact = arriving
            found = arriving
        else:
            tails = [e.source for e in graph.edges if within(e) and level_of(e) == level and e.target in arriving]
            found = upstream(graph, tails, within)
        for key in found:
            levels[key].add(level)
    columns: dict[str, set[str]] = defaultdict(set)
    for edge in graph.edges:
        if edge.role == "input" and level_of(edge) == COLUMN and edge.target in exact and shell.follows(edge):
            columns[edge.source].update(edge.columns or ())
    levels.pop(graph.subject, None)
    return Reach(
        {key: frozenset(found) for key, found in levels.items()},
        {key: frozenset(found) for key, found in columns.items()},
        stopped,
    )


def _within(shell: Reach, level: int) -> Callable[[AncestryEdge], bool]:
    return lambda edge: shell.follows(edge) and level_of(edge) <= level


def paths(
    graph: Graph, source: str, goal: str, *, level: int, follow: Callable[[AncestryEdge], bool]
) -> list[list[str]]:
    """Paths from ``source`` to ``goal`` over edges of ``level`` or better, shortest first.

    No path visits a node twice. At most ``MAX_PATHS``; the search is bounded, so a tangle of cycles may give fewer than
    there are.
    """

    def take(edge: AncestryEdge) -> bool:
        return follow(edge) and level_of(edge) <= level

    distance = _distances(graph, goal, take)
    if source not in distance:
        return []
    found: list[list[str]] = []
    waiting: list[tuple[int, list[str]]] = [(distance[source], [source])]
    for _ in range(50 * MAX_PATHS):
        if not waiting or len(found) == MAX_PATHS:
            break
        _, path = heappop(waiting)
        if path[-1] == goal:
            found.append(path)
            continue
        for key in _next_nodes(graph, path, take):
            if key in distance:
                heappush(waiting, (len(path) + distance[key], [*path, key]))
    return found


def _next_nodes(graph: Graph, path: list[str], take: Callable[[AncestryEdge], bool]) -> Iterator[str]:
    ahead = {edge.target for edge in graph.outgoing.get(path[-1], ()) if take(edge)}
    yield from sorted(ahead.difference(path))


def _distances(graph: Graph, goal: str, take: Callable[[AncestryEdge], bool]) -> dict[str, int]:
    """The least number of steps from each node to the goal."""
    distance = {goal: 0}
    layer = [goal]
    while layer:
        above = {edge.source for key in layer for edge in graph.incoming.get(key, ()) if take(edge)}
        following = sorted(above.difference(distance))
        distance |= dict.fromkeys(following, distance[layer[0]] + 1)
        layer = following
    return distance
