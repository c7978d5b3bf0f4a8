"""The shortest ways from one node to another, in the order of their length. Pure."""

import heapq
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

MAX_EXPANSIONS = 100_000
"""Beginnings of ways that one question looks at: in a dense graph there are more ways than anybody can list."""


@dataclass(frozen=True, slots=True)
class Ways:
    """Each way as its nodes, the shortest first, of one length by their keys; and whether there may be more."""

    found: list[tuple[int, ...]]
    is_truncated: bool


def shortest_ways(
    steps: Mapping[int, Iterable[int]],
    start: int,
    end: int,
    limit: int,
    *,
    key: Callable[[int], tuple[str, ...]],
    allows: Callable[[tuple[int, ...], int], bool] | None = None,
) -> Ways:
    """At most ``limit`` ways over ``steps`` that visit no node twice.

    ``allows`` says whether a way may go on to a node; left out, it always may. The search follows only beginnings that
    can still reach the end, nearest first, and gives up after ``MAX_EXPANSIONS`` of them. None is found from a node to
    itself.
    """
    left = _steps_left(steps, end)
    if start == end or start not in left:
        return Ways([], False)
    waiting: list[tuple[int, tuple[tuple[str, ...], ...], tuple[int, ...]]] = [(left[start], (), (start,))]
    found: list[tuple[int, ...]] = []
    for _ in range(MAX_EXPANSIONS):
        if not waiting:
            return Ways(found, False)
        _, keys, way = heapq.heappop(waiting)
        if way[-1] == end:
            if len(found) == limit:
                return Ways(found, True)
            found.append(way)
            continue
        for node in steps.get(way[-1], ()):
            if node in left and node not in way and (allows is None or allows(way, node)):
                heapq.heappush(waiting, (len(way) + left[node], (*keys, key(node)), (*way, node)))
    return Ways(found, bool(waiting))


def _steps_left(steps: Mapping[int, Iterable[int]], end: int) -> dict[int, int]:
    """How many steps each node that can reach the end is away from it."""
    back: dict[int, list[int]] = {}
    for near, ends in steps.items():
        for far in ends:
            back.setdefault(far, []).append(near)
    left, front = {end: 0}, [end]
    while front:
        fresh = {near for far in front for near in back.get(far, ()) if near not in left}
        left.update(dict.fromkeys(fresh, left[front[0]] + 1))
        front = list(fresh)
    return left
