"""Walks over datasets and jobs, level by level with a visited set. Pure: what is linked to what is asked of ``Links``.

A walk never turns round: upstream goes from a dataset to the jobs that wrote it and on to what they read, downstream
the other way. A job with explicit lineage is left only where an entry leads.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol, assert_never

Direction = Literal["upstream", "downstream"]
Edge = tuple[int, int, bool]
"""Job, dataset, and whether the job writes it."""
Pairs = list[tuple[int, int]]


class Links(Protocol):
    """What a walk asks: nodes are row ids; ``direction`` says which way it goes."""

    def jobs(self, datasets: Sequence[int], direction: Direction) -> Pairs:
        """(job, dataset) for every job that wrote (upstream) or read (downstream) one of the datasets."""
        ...

    def datasets(self, jobs: Sequence[int], direction: Direction) -> Pairs:
        """(job, dataset) for everything the jobs read (upstream) or wrote (downstream)."""
        ...

    def direct(self, nodes: Sequence[int], direction: Direction) -> Pairs:
        """(near, far) for datasets linked to datasets, and jobs to jobs, with nothing between them."""
        ...

    def explicit(self, jobs: Sequence[int]) -> set[int]:
        """Those of the jobs that carry explicit lineage."""
        ...

    def hidden(self, nodes: Sequence[int]) -> set[int]:
        """Those of the nodes that are left out of graphs, and not walked through."""
        ...

    def flows(self, entered: Sequence[tuple[int, int]], direction: Direction) -> Pairs:
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
    with whether the job writes it, and ``direct`` those between two datasets or two jobs, as (source, target); those
    that led out of the answer are among them.
    """

    distances: dict[int, int]
    hops: list[tuple[Pairs, bool]]
    direct: Pairs
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
    def direct_edges(self) -> set[tuple[int, int]]:
        """The direct steps between nodes of the answer, as (source, target)."""
        inside = self.distances
        return {(source, target) for source, target in self.direct if source in inside and target in inside}

    @property
    def is_truncated(self) -> bool:
        """Whether something was cut."""
        return bool(self.frontier)


@dataclass
class _Side:
    """A walk in one direction while it goes on: where it goes on from, and what it has passed."""

    direction: Direction
    seen: set[int]
    jobs: list[int] = field(default_factory=list)
    """Jobs to leave for the datasets on their far side."""
    entered: Pairs = field(default_factory=list)
    """Explicit jobs with the dataset they were reached by; such a job is entered once for each."""
    linking: list[int] = field(default_factory=list)
    """Datasets to look for direct links from."""
    datasets: list[int] = field(default_factory=list)
    """Datasets to enter jobs from."""
    linking_jobs: list[int] = field(default_factory=list)
    """Jobs to enter other jobs from directly."""
    explicit: set[int] = field(default_factory=set)


@dataclass(frozen=True, slots=True)
class _Step:
    """One step of one side: (job, dataset) pairs and (near, far) pairs of direct links, and the nodes it led to."""

    side: _Side
    pairs: Pairs
    direct: Pairs
    reached: dict[int, None]


Phase = Literal["leave", "link", "enter"]


def walk(
    links: Links, start: int, start_is_job: bool, directions: Iterable[Direction], bounds: Bounds = Bounds()
) -> Walk:
    """Everything reached from ``start`` in the directions, breadth first; ties by (kind, namespace, name)."""
    if not start_is_job:
        start = links.canonical([start]).get(start, start)
    sides = [_side(direction, start, start_is_job=start_is_job) for direction in directions]
    found = Walk({start: 0}, [], [], set())
    depth = 0
    while (phase := _phase(sides)) is not None:
        if phase == "enter" and bounds.depth is not None and depth >= bounds.depth:
            found.frontier.update(_more(links, sides, set()))
            break
        depth += phase == "enter"
        steps = [_step(links, side, phase) for side in sides]
        _note(found, steps, phase)
        cut = _admit(links, found.distances, steps, depth, bounds)
        for step in steps:
            _advance(links, step, phase, cut)
        if cut:
            pairs = [pair for step in steps for pair in (*step.pairs, *step.direct)]
            behind = {end for pair in pairs if pair[0] in cut or pair[1] in cut for end in pair}
            found.frontier.update((behind & found.distances.keys()) | _more(links, sides, cut))
            break
    return found


def _side(direction: Direction, start: int, *, start_is_job: bool) -> _Side:
    """The walk in one direction before its first step. An explicit job at the start is left to all its datasets."""
    side = _Side(direction, {start})
    if start_is_job:
        side.jobs, side.linking_jobs = [start], [start]
    else:
        side.linking, side.datasets = [start], [start]
    return side


def _phase(sides: Sequence[_Side]) -> Phase | None:
    """What the sides do next, together: leave the jobs reached, follow direct links of datasets, enter jobs."""
    if any(side.jobs or side.entered for side in sides):
        return "leave"
    if any(side.linking for side in sides):
        return "link"
    return "enter" if any(side.datasets or side.linking_jobs for side in sides) else None


def _step(links: Links, side: _Side, phase: Phase) -> _Step:
    match phase:
        case "leave":
            pairs = _left(links, side)
            return _Step(side, pairs, [], dict.fromkeys([dataset for _, dataset in pairs]))
        case "link":
            direct = links.direct(side.linking, side.direction) if side.linking else []
            side.linking = []
            return _Step(side, [], direct, dict.fromkeys([far for _, far in direct]))
        case "enter":
            pairs = links.jobs(side.datasets, side.direction) if side.datasets else []
            direct = links.direct(side.linking_jobs, side.direction) if side.linking_jobs else []
            side.datasets, side.linking_jobs = [], []
            reached = dict.fromkeys([job for job, _ in pairs])
            reached.update(dict.fromkeys([far for _, far in direct]))
            return _Step(side, pairs, direct, reached)
    assert_never(phase)


def _left(links: Links, side: _Side) -> Pairs:
    """From the jobs just entered to the datasets on their far side."""
    pairs = list(links.datasets(side.jobs, side.direction)) if side.jobs else []
    if side.entered:
        pairs += links.flows(side.entered, side.direction)
    side.jobs, side.entered = [], []
    canonical = links.canonical([dataset for _, dataset in pairs]) if pairs else {}
    return [(job, canonical.get(dataset, dataset)) for job, dataset in pairs] if canonical else pairs


def _note(found: Walk, steps: Iterable[_Step], phase: Phase) -> None:
    """Keep the steps as edges in the direction of the data."""
    for step in steps:
        upstream = step.side.direction == "upstream"
        if step.pairs:
            # Going up into jobs, or down out of them, the jobs write the datasets.
            found.hops.append((step.pairs, (phase == "enter") == upstream))
        found.direct.extend([(far, near) for near, far in step.direct] if upstream else step.direct)


def _admit(links: Links, distances: dict[int, int], steps: Sequence[_Step], depth: int, bounds: Bounds) -> set[int]:
    """Take the new nodes into the answer as far as the limit goes; those that were left out."""
    new = list(dict.fromkeys([node for step in steps for node in step.reached if node not in distances]))
    hidden = links.hidden(new) if new else set()
    if hidden:
        new = [node for node in new if node not in hidden]
        for step in steps:
            step.side.seen |= hidden
    room = len(new) if bounds.node_limit is None else max(bounds.node_limit - len(distances), 0)
    if room < len(new):
        keys = links.sort_keys(new)
        new.sort(key=lambda node: keys[node])
    distances.update(dict.fromkeys(new[:room], depth))
    return set(new[room:])


def _advance(links: Links, step: _Step, phase: Phase, cut: set[int]) -> None:
    """Make what was just reached the place to go on from."""
    side = step.side
    seen = side.seen
    fresh = [node for node in step.reached if node not in seen and node not in cut]
    seen.update(fresh)
    if phase != "enter":
        side.linking = fresh
        side.datasets += fresh
        return
    side.linking_jobs = fresh
    side.explicit |= links.explicit(fresh) if fresh else set()
    side.jobs = [job for job in fresh if job not in side.explicit] if side.explicit else fresh
    side.entered = sorted(set(step.pairs)) if side.explicit else []
    side.entered = [(job, dataset) for job, dataset in side.entered if job in side.explicit and job not in cut]
    # A job that another leads to is entered through itself: it is left where it is an end of an entry of its own.
    side.entered += sorted({(far, far) for _, far in step.direct if far in side.explicit and far not in cut})


def _more(links: Links, sides: Iterable[_Side], cut: set[int]) -> set[int]:
    """Nodes at the edge of the answer that have something behind them which is not in it."""
    frontier: set[int] = set()
    for side in sides:
        left = _step(links, side, "leave").pairs
        linked = _step(links, side, "link").direct
        entered = _step(links, side, "enter")
        steps = [*left, *((dataset, job) for job, dataset in entered.pairs), *linked, *entered.direct]
        ends = {far for _, far in steps if far not in side.seen or far in cut}
        beyond = ends - (links.hidden(sorted(ends)) if ends else set())
        frontier |= {near for near, far in steps if far in beyond}
    return frontier
