"""Walks over fields, and what travels along them: level by level with a visited set. Pure.

What flows into and out of a field is asked of ``FieldLinks``. A walk never turns round.
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from lineage.graph import Bounds, Direction
from lineage.mapping import ColumnPair

Field = tuple[int, str]
"""A dataset's row id and the path of a field; an empty path is some field of it, and not known which."""

Mark = TypeVar("Mark", bound=Hashable)


@dataclass(frozen=True, slots=True, eq=False)
class Hop:
    """One field goes into another. ``pair`` says how, ``edge`` is whatever the links know of the flow behind it."""

    source: Field
    target: Field
    pair: ColumnPair
    edge: Any = None

    def ends(self, direction: Direction) -> tuple[Field, Field]:
        """(near, far) for a walk in the direction."""
        return (self.target, self.source) if direction == "upstream" else (self.source, self.target)


class FieldLinks(Protocol):
    """What a walk over fields asks."""

    def hops(self, fields: Sequence[Field], direction: Direction) -> Iterable[Hop]:
        """Every hop that ends at (upstream) or begins at (downstream) one of the fields."""
        ...

    def sort_keys(self, fields: Sequence[Field]) -> Mapping[Field, tuple[str, str, str]]:
        """(namespace, name, path) of each field."""
        ...


@dataclass(frozen=True, slots=True)
class FieldWalk:
    """What was reached: each field with the number of hops to it, the hops between them, and where more lies behind."""

    distances: dict[Field, int]
    hops: list[Hop]
    frontier: set[Field]


@dataclass
class _Side:
    """A walk in one direction while it goes on."""

    direction: Direction
    front: list[Field]
    seen: set[Field] = field(default_factory=set)


def walk_fields(
    links: FieldLinks, starts: Iterable[Field], directions: Iterable[Direction], bounds: Bounds
) -> FieldWalk:
    """Everything reached from the starts in the directions, breadth first; ties by (namespace, name, path)."""
    found = FieldWalk({}, [], set())
    begin = list(dict.fromkeys(starts))
    cut = _admit(links, found.distances, begin, 0, bounds)
    sides = [_Side(direction, [start for start in begin if start not in cut]) for direction in directions]
    for side in sides:
        side.seen.update(side.front)
    hops: list[Hop] = []
    depth = 0
    while any(side.front for side in sides):
        steps = [list(links.hops(side.front, side.direction)) if side.front else [] for side in sides]
        if cut or (bounds.depth is not None and depth >= bounds.depth):
            found.frontier.update(_more(sides, steps, found.distances))
            break
        depth += 1
        hops += [hop for step in steps for hop in step]
        new = dict.fromkeys(
            far for side, step in zip(sides, steps, strict=True) for hop in step
            if (far := hop.ends(side.direction)[1]) not in found.distances
        )  # fmt: skip
        cut = _admit(links, found.distances, list(new), depth, bounds)
        if cut:
            found.frontier.update(_more(sides, steps, found.distances))
        for side, step in zip(sides, steps, strict=True):
            _advance(side, step, found.distances)
    if cut:
        # What was cut at the start has nothing that leads to it.
        found.frontier.update(start for start in found.distances if depth == 0)
    inside = found.distances
    kept = dict.fromkeys(hop for hop in hops if hop.source in inside and hop.target in inside)
    found.hops.extend(_each_once(kept))
    return found


def _admit(links: FieldLinks, distances: dict[Field, int], new: list[Field], depth: int, bounds: Bounds) -> set[Field]:
    """Take the new fields into the answer as far as the limit goes; those that were left out."""
    room = len(new) if bounds.node_limit is None else max(bounds.node_limit - len(distances), 0)
    if room < len(new):
        keys = links.sort_keys(new)
        new.sort(key=lambda one: keys[one])
    distances.update(dict.fromkeys(new[:room], depth))
    return set(new[room:])


def _advance(side: _Side, step: Sequence[Hop], distances: Mapping[Field, int]) -> None:
    reached = dict.fromkeys(hop.ends(side.direction)[1] for hop in step)
    side.front = [one for one in reached if one not in side.seen and one in distances]
    side.seen.update(side.front)


def _more(sides: Sequence[_Side], steps: Sequence[Sequence[Hop]], distances: Mapping[Field, int]) -> set[Field]:
    """The fields of the answer with something behind them that is not in it."""
    ends = (hop.ends(side.direction) for side, step in zip(sides, steps, strict=True) for hop in step)
    return {near for near, far in ends if near in distances and far not in distances}


def _each_once(hops: Iterable[Hop]) -> list[Hop]:
    """The hops, where the walks up and down both found one of them only once."""
    return list({(hop.source, hop.target, id(hop.edge), hop.pair): hop for hop in hops}.values())


def carries(hop: Hop) -> bool:
    """Whether values go over the hop unmasked, so that what is said of the source holds for the target too."""
    return hop.pair.is_direct and not hop.pair.is_masked


def propagate(hops: Iterable[Hop], own: Mapping[Field, Iterable[Mark]]) -> dict[Field, dict[Mark, tuple[Field, ...]]]:
    """What each field carries, with the way it came: the fields from its origin on, a shortest way.

    A mark travels downstream over every hop that ``carries`` values; where one way is masked, another may not be.
    """
    onward: dict[Field, list[Field]] = {}
    for hop in hops:
        if carries(hop):
            onward.setdefault(hop.source, []).append(hop.target)
    carried: dict[Field, dict[Mark, tuple[Field, ...]]] = {}
    for origin, marks in own.items():
        carried.setdefault(origin, {}).update((mark, (origin,)) for mark in marks)
    front = {origin: list(marks) for origin, marks in carried.items()}
    while front:
        fresh: dict[Field, list[Mark]] = {}
        steps = ((source, target) for source in front for target in dict.fromkeys(onward.get(source, ())))
        for source, target in steps:
            held = carried.setdefault(target, {})
            new = [mark for mark in front[source] if mark not in held]
            held.update((mark, (*carried[source][mark], target)) for mark in new)
            fresh.setdefault(target, []).extend(new)
        front = {target: marks for target, marks in fresh.items() if marks}
    return carried
