"""Walks over datasets and jobs, level by level with a visited set. Pure: what is linked to what is asked of ``Links``.

A walk never turns round: upstream goes from a dataset to the jobs that wrote it and on to what they read, downstream
the other way. A job with explicit lineage is left only where an entry leads.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

Direction = Literal["upstream", "downstream"]
Edge = tuple[int, int, bool]
"""Job, dataset, and whether the job writes it."""


class Links(Protocol):
    """What a walk asks: nodes are row ids; ``direction`` says which way it goes."""

    def jobs(self, datasets: Sequence[int], direction: Direction) -> Iterable[tuple[int, int]]:
        """(dataset, job) for every job that wrote (upstream) or read (downstream) one of the datasets."""
        ...

    def datasets(self, jobs: Sequence[int], direction: Direction) -> Iterable[tuple[int, int]]:
        """(job, dataset) for everything the jobs read (upstream) or wrote (downstream)."""
        ...

    def explicit(self, jobs: Sequence[int]) -> set[int]:
        """Those of the jobs that carry explicit lineage."""
        ...

    def flows(self, entered: Sequence[tuple[int, int]], direction: Direction) -> Iterable[tuple[int, int]]:
        """(job, dataset) where an explicit entry leads from jobs entered through a dataset, as (job, dataset)."""
        ...

    def canonical(self, datasets: Sequence[int]) -> Mapping[int, int]:
        """The canonical dataset of each that has another; datasets without aliases are left out."""
        ...

    def sort_keys(self, nodes: Sequence[int]) -> Mapping[int, tuple[str, str, str]]:
        """(kind, namespace, name) of each node."""
        ...


@dataclass(frozen=True, slots=True)
class Bounds:
    """How far to walk: jobs entered after the start, and nodes in the answer. None means no limit."""

    depth: int | None = None
    node_limit: int | None = None


@dataclass(frozen=True, slots=True)
class Walk:
    """What was reached.

    ``distances`` maps each node to the depth at which it was first reached; ``edges`` join nodes of the answer only.
    ``frontier`` holds the nodes that have more behind them where the walk was cut; it is empty when nothing was.
    """

    distances: dict[int, int]
    edges: set[Edge]
    frontier: set[int]

    @property
    def is_truncated(self) -> bool:
        """Whether something was cut."""
        return bool(self.frontier)


@dataclass
class _Side:
    """A walk in one direction while it goes on. ``entered`` are explicit jobs with the dataset they were reached by."""

    direction: Direction
    seen: set[int]
    datasets: list[int] = field(default_factory=list)
    jobs: list[int] = field(default_factory=list)
    entered: list[tuple[int, int]] = field(default_factory=list)
    passed: set[tuple[int, int]] = field(default_factory=set)


def walk(
    links: Links,
    start: int,
    start_is_job: bool,
    directions: Iterable[Direction],
    bounds: Bounds = Bounds(),
) -> Walk:
    """Everything reached from ``start`` in the directions, breadth first; ties by (kind, namespace, name)."""
    if not start_is_job:
        start = links.canonical([start]).get(start, start)
    sides = [
        _Side(direction, {start}, jobs=[start] if start_is_job else [], datasets=[] if start_is_job else [start])
        for direction in directions
    ]
    distances = {start: 0}
    edges: set[Edge] = set()
    depth = 0
    while any(side.jobs or side.entered or side.datasets for side in sides):
        if any(side.jobs or side.entered for side in sides):
            found = [(side, _leave(links, side)) for side in sides]
        elif bounds.depth is not None and depth >= bounds.depth:
            return Walk(distances, edges, _more(links, sides, set()))
        else:
            depth += 1
            found = [(side, _enter(links, side)) for side in sides]
        cut = _admit(links, distances, [node for _, reached in found for node in reached], depth, bounds)
        for side, reached in found:
            edges |= {edge for node, through in reached.items() if node not in cut for edge in through}
            _advance(links, side, reached, cut)
        if cut:
            behind = {end for _, reached in found for node in cut for edge in reached.get(node, ()) for end in edge[:2]}
            return Walk(distances, edges, (behind & distances.keys()) | _more(links, sides, cut))
    return Walk(distances, edges, set())


def _leave(links: Links, side: _Side) -> dict[int, set[Edge]]:
    """The datasets on the far side of the jobs just entered, with the edges that lead there."""
    pairs = list(links.datasets(side.jobs, side.direction)) if side.jobs else []
    if side.entered:
        pairs += links.flows(side.entered, side.direction)
    side.jobs, side.entered = [], []
    canonical = links.canonical([dataset for _, dataset in pairs]) if pairs else {}
    reached: dict[int, set[Edge]] = {}
    for job, dataset in pairs:
        node = canonical.get(dataset, dataset)
        reached.setdefault(node, set()).add((job, node, side.direction == "downstream"))
    return reached


def _enter(links: Links, side: _Side) -> dict[int, set[Edge]]:
    """The jobs on this side of the datasets just reached, with the edges that lead there."""
    reached: dict[int, set[Edge]] = {}
    if side.datasets:
        for dataset, job in links.jobs(side.datasets, side.direction):
            reached.setdefault(job, set()).add((job, dataset, side.direction == "upstream"))
    side.datasets = []
    side.passed = {(job, edge[1]) for job, through in reached.items() for edge in through}
    return reached


def _admit(links: Links, distances: dict[int, int], nodes: list[int], depth: int, bounds: Bounds) -> set[int]:
    """Take the new nodes into the answer as far as the limit goes; those that were left out."""
    new = [node for node in dict.fromkeys(nodes) if node not in distances]
    room = len(new) if bounds.node_limit is None else bounds.node_limit - len(distances)
    if room < len(new):
        keys = links.sort_keys(new)
        new.sort(key=lambda node: keys[node])
    distances.update((node, depth) for node in new[: max(room, 0)])
    return set(new[max(room, 0) :])


def _advance(links: Links, side: _Side, reached: Mapping[int, set[Edge]], cut: set[int]) -> None:
    """Make what was just reached the place to go on from."""
    kept = [node for node in reached if node not in cut]
    if not side.passed:
        side.datasets = [node for node in kept if node not in side.seen]
        side.seen.update(side.datasets)
        return
    explicit = links.explicit(kept) if kept else set()
    side.jobs = [node for node in kept if node not in side.seen and node not in explicit]
    side.entered = [(job, dataset) for job, dataset in sorted(side.passed) if job in explicit and job not in cut]
    side.seen.update(kept)
    side.passed = set()


def _more(links: Links, sides: Iterable[_Side], cut: set[int]) -> set[int]:
    """Nodes at the edge of the answer that have something behind them which is not in it."""
    frontier: set[int] = set()
    for side in sides:
        ends = {job for job, _ in side.entered} | set(side.jobs)
        if side.datasets:
            for dataset, job in links.jobs(side.datasets, side.direction):
                if job not in side.seen or job in cut:
                    frontier.add(dataset)
        if ends:
            for node, through in _leave(links, side).items():
                if node not in side.seen or node in cut:
                    frontier |= {edge[0] for edge in through}
    return frontier
