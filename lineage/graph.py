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

    ``distances`` maps each node to the depth at which it was first reached. ``frontier`` holds the nodes that have more
    behind them where the walk was cut; it is empty when nothing was. ``hops`` are the steps taken, as (job, dataset)
    with whether the job writes it; those that led out of the answer are among them.
    """

    distances: dict[int, int]
    hops: list[tuple[list[tuple[int, int]], bool]]
    frontier: set[int]

    @property
    def edges(self) -> set[Edge]:
        """The steps between nodes of the answer."""
        inside = self.distances
        return {
            (job, dataset, writes)
            for pairs, writes in self.hops
            for job, dataset in pairs
            if job in inside and dataset in inside
        }

    @property
    def is_truncated(self) -> bool:
        """Whether something was cut."""
        return bool(self.frontier)


@dataclass
class _Side:
    """A walk in one direction while it goes on: where it goes on from, and what it has passed."""

    direction: Direction
    seen: set[int]
    datasets: list[int] = field(default_factory=list)
    jobs: list[int] = field(default_factory=list)
    entered: list[tuple[int, int]] = field(default_factory=list)
    """Explicit jobs with the dataset they were reached by; such a job is entered once for each."""
    explicit: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of one side: (job, dataset) pairs, and whether they lead to the jobs or to the datasets."""

    side: _Side
    pairs: list[tuple[int, int]]
    to_jobs: bool

    @property
    def reached(self) -> dict[int, None]:
        """The nodes on the far side, each once, in the order they were found."""
        return dict.fromkeys([pair[0] for pair in self.pairs] if self.to_jobs else [pair[1] for pair in self.pairs])

    @property
    def writes(self) -> bool:
        """Whether the jobs write the datasets: going up into jobs, or down out of them."""
        return self.to_jobs == (self.side.direction == "upstream")


def walk(
    links: Links, start: int, start_is_job: bool, directions: Iterable[Direction], bounds: Bounds = Bounds()
) -> Walk:
    """Everything reached from ``start`` in the directions, breadth first; ties by (kind, namespace, name)."""
    if not start_is_job:
        start = links.canonical([start]).get(start, start)
    sides = [
        _Side(direction, {start}, jobs=[start] if start_is_job else [], datasets=[] if start_is_job else [start])
        for direction in directions
    ]
    found = Walk({start: 0}, [], set())
    depth = 0
    while any(side.jobs or side.entered or side.datasets for side in sides):
        to_jobs = not any(side.jobs or side.entered for side in sides)
        if to_jobs and bounds.depth is not None and depth >= bounds.depth:
            found.frontier.update(_more(links, sides, set()))
            break
        depth += to_jobs
        steps = [_enter(links, side) if to_jobs else _leave(links, side) for side in sides]
        found.hops.extend((step.pairs, step.writes) for step in steps)
        cut = _admit(links, found.distances, steps, depth, bounds)
        for step in steps:
            _advance(links, step, cut)
        if cut:
            pairs = [pair for step in steps for pair in step.pairs]
            behind = {end for pair in pairs if pair[0] in cut or pair[1] in cut for end in pair}
            found.frontier.update((behind & found.distances.keys()) | _more(links, sides, cut))
            break
    return found


def _leave(links: Links, side: _Side) -> _Step:
    """From the jobs just entered to the datasets on their far side."""
    pairs = list(links.datasets(side.jobs, side.direction)) if side.jobs else []
    if side.entered:
        pairs += links.flows(side.entered, side.direction)
    side.jobs, side.entered = [], []
    canonical = links.canonical([dataset for _, dataset in pairs]) if pairs else {}
    if canonical:
        pairs = [(job, canonical.get(dataset, dataset)) for job, dataset in pairs]
    return _Step(side, pairs, False)


def _enter(links: Links, side: _Side) -> _Step:
    """From the datasets just reached to the jobs on this side of them."""
    pairs = [(job, dataset) for dataset, job in links.jobs(side.datasets, side.direction)] if side.datasets else []
    side.datasets = []
    return _Step(side, pairs, True)


def _admit(links: Links, distances: dict[int, int], steps: Sequence[_Step], depth: int, bounds: Bounds) -> set[int]:
    """Take the new nodes into the answer as far as the limit goes; those that were left out."""
    new = list(dict.fromkeys(node for step in steps for node in step.reached if node not in distances))
    room = len(new) if bounds.node_limit is None else bounds.node_limit - len(distances)
    if room < len(new):
        keys = links.sort_keys(new)
        new.sort(key=lambda node: keys[node])
    distances.update(dict.fromkeys(new[: max(room, 0)], depth))
    return set(new[max(room, 0) :])


def _advance(links: Links, step: _Step, cut: set[int]) -> None:
    """Make what was just reached the place to go on from."""
    side = step.side
    fresh = [node for node in step.reached if node not in side.seen and node not in cut]
    side.seen.update(fresh)
    if not step.to_jobs:
        side.datasets = fresh
        return
    side.explicit |= links.explicit(fresh) if fresh else set()
    side.jobs = [job for job in fresh if job not in side.explicit] if side.explicit else fresh
    side.entered = sorted(set(step.pairs)) if side.explicit else []
    side.entered = [(job, dataset) for job, dataset in side.entered if job in side.explicit and job not in cut]


def _more(links: Links, sides: Iterable[_Side], cut: set[int]) -> set[int]:
    """Nodes at the edge of the answer that have something behind them which is not in it."""
    frontier: set[int] = set()
    for side in sides:
        step = _enter(links, side)
        frontier |= {dataset for job, dataset in step.pairs if job not in side.seen or job in cut}
        step = _leave(links, side)
        frontier |= {job for job, dataset in step.pairs if dataset not in side.seen or dataset in cut}
    return frontier
