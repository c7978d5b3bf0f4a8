"""What led to a run and what its data led to: runs and the versions of datasets between them, nearest first.

As between jobs and datasets (``lineage.graph``), a walk never turns round: upstream goes from a run to the versions
that it read and on to the runs that wrote them, downstream the other way.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from governance.errors import NotFound
from governance.types.ancestry import RunNode
from lineage.aliases import Aliases
from lineage.descriptions import Known, describe_runs
from lineage.graph import Bounds, Direction
from lineage.identity import is_uuid, run_identity
from lineage.points import Point, Points
from lineage.reading import Reader, nodes_by_id, visible
from lineage.run_links import RunLinks
from lineage.tables import RunRow

Basis = Literal["reported_version", "time"]
Item = int | Point
"""A run's row id, or a version of a dataset."""

READERS = 2_000
"""Candidates that one write is traced to by time; where there are more, the answer says that it was cut."""


@dataclass(frozen=True, slots=True)
class RunQuery:
    """Which way, how far, as of when; ``depth`` counts the runs entered after the start."""

    directions: tuple[Direction, ...] = ("upstream", "downstream")
    bounds: Bounds = field(default_factory=Bounds)
    as_of: datetime | None = None


@dataclass(frozen=True, slots=True)
class WalkedRun:
    """A run of the answer; ``distance`` is the depth at which it was first reached."""

    distance: int
    run: RunNode


@dataclass(frozen=True, slots=True)
class WalkedVersion:
    """A version of a dataset: the one that producers reported, or, where it is null, what a run wrote then."""

    distance: int
    node: int
    namespace: str
    name: str
    version: str | None


@dataclass(frozen=True, slots=True)
class HiddenNode:
    """A run or a version that the reader does not see: it keeps its place, and has no name."""

    distance: int
    kind: Literal["run", "dataset_version"]


@dataclass(frozen=True, slots=True)
class RunEdge:
    """A run read or wrote a version; the ends are places in ``RunGraph.nodes``.

    ``basis`` says what an input's version rests on: the version that the run reported, or the order of times. It is
    null on outputs, and on inputs of which nothing tells a version.
    """

    source: int
    target: int
    role: Literal["input", "output"]
    basis: Basis | None = None


@dataclass(frozen=True, slots=True)
class RunGraph:
    """The answer: nodes by distance, kind and name; edges by their ends; ``frontier`` where it was cut."""

    start: int
    nodes: tuple[WalkedRun | WalkedVersion | HiddenNode, ...]
    edges: tuple[RunEdge, ...]
    frontier: tuple[int, ...]
    is_truncated: bool

    def inputs_of(self, run: int) -> list[tuple[WalkedVersion, RunNode | None]]:
        """What the run at this place read, each with a run that wrote it: one row a writer, None where none is known.

        Runs beyond the depth or the limit of the question are not known.
        """
        found: list[tuple[WalkedVersion, RunNode | None]] = []
        for read in self.edges:
            version = self.nodes[read.source]
            if read.role != "input" or read.target != run or not isinstance(version, WalkedVersion):
                continue
            ends = [self.nodes[edge.source] for edge in self.edges if edge.target == read.source]
            writers = [end.run for end in ends if isinstance(end, WalkedRun)]
            found += [(version, writer) for writer in writers] or [(version, None)]
        return found


@dataclass(frozen=True, slots=True)
class _Hop:
    """One step from an item to the next, and the edge it took: (version, run, role, basis)."""

    near: Item
    far: Item
    role: Literal["input", "output"]
    basis: Basis | None = None

    @property
    def ends(self) -> tuple[Item, Item]:
        """The edge's ends in the direction of the data."""
        run, point = (self.near, self.far) if isinstance(self.near, int) else (self.far, self.near)
        return (point, run) if self.role == "input" else (run, point)


@dataclass
class _Side:
    """A walk in one direction while it goes on.

    ``entered`` are runs with the dataset they were entered through (None: the start); a run is entered once for each,
    since an explicit facet may lead elsewhere from each. ``points`` are the versions to go on from, and ``readers`` the
    runs that were found to have read them.
    """

    direction: Direction
    entered: list[tuple[int, int | None]]
    points: list[Point] = field(default_factory=list)
    seen: set[Item | tuple[int, int | None]] = field(default_factory=set)
    readers: dict[Point, dict[int, None]] = field(default_factory=dict)


@dataclass
class _Walk:
    links: RunLinks
    bounds: Bounds
    distances: dict[Item, int]
    hops: list[_Hop] = field(default_factory=list)
    frontier: set[Item] = field(default_factory=set)
    is_cut: bool = False


def find_run(unit: Reader, run_id: str, as_of: datetime | None = None) -> RunRow:
    """The run with this id, as it was sent or as the UUID that it is served by.

    Raises:
        NotFound: no event up to ``as_of`` named it, or the unit does not see its job.
    """
    row = unit.session.scalar(sa.select(RunRow).where(RunRow.identity == run_identity(run_id)))
    if row is None and is_uuid(run_id):
        row = unit.session.scalar(sa.select(RunRow).where(RunRow.served_uuid == run_id.lower()))
    if row is None or (as_of is not None and row.first_event > as_of) or not visible(unit, {row.job_id}):
        raise NotFound(
            expected="the id of a run that an event has named",
            found=run_id[:120],
            remedy="Use the runId as it was sent, and an instant after its first event.",
            pointer="run_id",
        )
    return row


def run_graph(unit: Reader, run: RunRow, query: RunQuery) -> RunGraph:
    """The runs and versions within reach of the run, breadth first, and what each read and wrote of the others."""
    aliases = Aliases(unit, query.as_of)
    known = Known(unit, aliases, query.as_of)
    walk = _Walk(RunLinks(known, Points(unit, aliases, query.as_of)), query.bounds, {run.id: 0})
    walk.links.load([run.id])
    sides = [_Side(direction, [(run.id, None)]) for direction in query.directions]
    depth = 0
    while not walk.is_cut and any(side.entered or side.points for side in sides):
        to_runs = any(side.points for side in sides)
        if to_runs and query.bounds.depth is not None and depth >= query.bounds.depth:
            _mark_frontier(walk, sides)
            break
        depth += to_runs
        _go_on(walk, sides, depth, to_runs=to_runs)
    return _assemble(walk, run)


def _go_on(walk: _Walk, sides: Sequence[_Side], depth: int, *, to_runs: bool) -> None:
    """One level: from versions to runs, or from runs to versions."""
    steps = [(side, _enter(walk, side) if to_runs else _leave(walk, side)) for side in sides]
    walk.hops += [hop for _, hops in steps for hop in hops]
    cut = _admit(walk, dict.fromkeys(hop.far for _, hops in steps for hop in hops), depth)
    for side, hops in steps:
        _advance(side, hops, cut)
    if cut:
        walk.is_cut = True
        walk.frontier.update(hop.near for _, hops in steps for hop in hops if hop.far in cut)
        _mark_frontier(walk, sides)


def _leave(walk: _Walk, side: _Side) -> list[_Hop]:
    """From the runs just entered to the versions on their far side."""
    walk.links.load(run for run, _ in side.entered)
    if side.direction == "upstream":
        return [hop for run, via in side.entered for hop in _read(walk, run, via)]
    return [hop for run, via in side.entered for hop in _written(walk, side, run, via)]


def _read(walk: _Walk, run: int, via: int | None) -> Iterable[_Hop]:
    links = walk.links
    nodes = sorted(links.inputs.get(run, ())) if via is None else links.inputs_for(run, via)
    for node in nodes:
        for read in links.reads(run, node):
            yield _Hop(run, read.point, "input", _basis(read.point, is_inferred=read.is_inferred))


def _written(walk: _Walk, side: _Side, run: int, via: int | None) -> Iterable[_Hop]:
    """What a run wrote; who read it is found out with it and kept for the next level."""
    links = walk.links
    nodes = sorted(links.outputs.get(run, ())) if via is None else links.outputs_for(run, via)
    for node in nodes:
        readers, has_more = links.readers(run, node, READERS)
        # A version that only readers reported is what this run wrote without a word about versions.
        own = links.points_written(run, node)
        points = [point for point in own if point.writer is None or point in readers or not readers]
        for point in dict.fromkeys([*points, *readers]):
            side.readers.setdefault(point, {}).update(dict.fromkeys(readers.get(point, ())))
            if has_more:
                walk.frontier.add(point)
            yield _Hop(run, point, "output")


def _enter(walk: _Walk, side: _Side) -> list[_Hop]:
    """From the versions just reached to the runs on this side of them."""
    if side.direction == "upstream":
        return [_Hop(point, run, "output") for point in side.points for run in walk.links.points.writers(point)]
    found = []
    for point in side.points:
        for run in side.readers.get(point, ()):
            read = next(read for read in walk.links.reads(run, point.node) if read.point == point)
            found.append(_Hop(point, run, "input", _basis(point, is_inferred=read.is_inferred)))
    return found


def _basis(point: Point, *, is_inferred: bool) -> Basis | None:
    if is_inferred:
        return "time"
    return None if point.version is None else "reported_version"


def _admit(walk: _Walk, reached: Iterable[Item], depth: int) -> set[Item]:
    """Take the new items into the answer as far as the limit goes; those that were left out."""
    new = [item for item in reached if item not in walk.distances]
    limit = walk.bounds.node_limit
    room = len(new) if limit is None else max(limit - len(walk.distances), 0)
    if room < len(new):
        new.sort(key=_keys_of(walk, new))
    walk.distances.update(dict.fromkeys(new[:room], depth))
    return set(new[room:])


def _advance(side: _Side, hops: Iterable[_Hop], cut: set[Item]) -> None:
    """Make what was just reached the place to go on from."""
    side.entered, side.points = [], []
    for hop in hops:
        if hop.far in cut:
            continue
        if isinstance(hop.far, Point):
            if hop.far not in side.seen:
                side.points.append(hop.far)
                side.seen.add(hop.far)
        elif isinstance(hop.near, Point) and (hop.far, hop.near.node) not in side.seen:
            side.entered.append((hop.far, hop.near.node))
            side.seen.add((hop.far, hop.near.node))


def _mark_frontier(walk: _Walk, sides: Sequence[_Side]) -> None:
    """Note the items at the edge of the answer that have something behind them which is not in it."""
    for side in sides:
        hops = _enter(walk, side) if side.points else _leave(walk, side)
        walk.frontier.update(hop.near for hop in hops if hop.far not in walk.distances)


def _keys_of(walk: _Walk, items: Sequence[Item]) -> Callable[[Item], tuple[str, ...]]:
    """What items are sorted by among those of one distance: versions by name before runs by job."""
    runs = [item for item in items if isinstance(item, int)]
    writers = [item.writer for item in items if isinstance(item, Point) and item.writer is not None]
    walk.links.load([*runs, *writers])
    jobs = {walk.links.runs[run].job_id for run in runs}
    nodes = nodes_by_id(
        walk.links.known.unit, sorted({*(item.node for item in items if isinstance(item, Point)), *jobs})
    )

    def key(item: Item) -> tuple[str, ...]:
        if isinstance(item, Point):
            node = nodes[item.node]
            writer = "" if item.writer is None else walk.links.runs[item.writer].run_id
            return ("dataset_version", node.namespace, node.name, item.version or "", writer)
        run = walk.links.runs[item]
        return ("run", nodes[run.job_id].namespace, nodes[run.job_id].name, run.run_id)

    return key


def _assemble(walk: _Walk, start: RunRow) -> RunGraph:
    key = _keys_of(walk, list(walk.distances))
    sight, keys = walk.links.known.unit.sight, {item: key(item) for item in walk.distances}
    hidden = {item for item, (_, namespace, name, *_) in keys.items() if not sight.sees(namespace, name)}
    # The order of what is hidden says nothing of its names.
    order = sorted(
        walk.distances, key=lambda item: (walk.distances[item], item in hidden, () if item in hidden else keys[item])
    )
    runs = describe_runs(walk.links.known, [walk.links.runs[item] for item in order if isinstance(item, int)])
    places = {item: place for place, item in enumerate(order)}
    nodes: list[WalkedRun | WalkedVersion | HiddenNode] = []
    for item in order:
        if item in hidden:
            nodes.append(HiddenNode(walk.distances[item], "dataset_version" if isinstance(item, Point) else "run"))
        elif isinstance(item, Point):
            _, namespace, name, _, _ = keys[item]
            nodes.append(WalkedVersion(walk.distances[item], item.node, namespace, name, item.version))
        else:
            nodes.append(WalkedRun(walk.distances[item], runs[item]))
    edges = {
        RunEdge(places[hop.ends[0]], places[hop.ends[1]], hop.role, hop.basis)
        for hop in walk.hops
        if hop.near in places and hop.far in places
    }
    return RunGraph(
        start=places[start.id],
        nodes=tuple(nodes),
        edges=tuple(sorted(edges, key=lambda edge: (edge.source, edge.target, edge.role, edge.basis or ""))),
        frontier=tuple(sorted(places[item] for item in walk.frontier if item in places)),
        is_truncated=walk.is_cut or bool(walk.frontier),
    )
