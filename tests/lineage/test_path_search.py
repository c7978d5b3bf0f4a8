"""The shortest ways: against every way that a naive search finds."""

from collections.abc import Mapping

from hypothesis import given
from hypothesis import strategies as st

from lineage.path_search import shortest_ways

STEPS = st.dictionaries(st.integers(0, 6), st.sets(st.integers(0, 6), max_size=4), max_size=7)


def every_way(steps: Mapping[int, set[int]], way: tuple[int, ...], end: int) -> list[tuple[int, ...]]:
    if way[-1] == end:
        return [way]
    return [
        found for node in steps.get(way[-1], ()) if node not in way for found in every_way(steps, (*way, node), end)
    ]


@given(STEPS, st.integers(1, 6), st.integers(1, 40))
def test_ways_are_the_shortest_of_all_in_the_order_of_length_and_names(
    steps: dict[int, set[int]], end: int, limit: int
) -> None:
    ways = sorted(every_way(steps, (0,), end), key=lambda way: (len(way), way))
    found = shortest_ways(steps, 0, end, limit, key=lambda node: (str(node),))
    assert found.found == ways[:limit]
    assert found.is_truncated == (len(ways) > limit)


@given(STEPS, st.integers(1, 6))
def test_a_way_goes_on_only_where_it_is_allowed_to(steps: dict[int, set[int]], end: int) -> None:
    def allows(way: tuple[int, ...], node: int) -> bool:
        return len(way) < 2 or (way[-2] + way[-1] + node) % 3 != 0

    ways = [
        way
        for way in every_way(steps, (0,), end)
        if all(allows(way[: place + 1], way[place + 1]) for place in range(len(way) - 1))
    ]
    found = shortest_ways(steps, 0, end, 10_000, key=lambda node: (str(node),), allows=allows)
    assert found.found == sorted(ways, key=lambda way: (len(way), way))


def test_no_way_leads_from_a_node_to_itself_or_to_where_nothing_leads() -> None:
    for end in (0, 9):
        ways = shortest_ways({0: [1], 1: [0]}, 0, end, 5, key=lambda node: (str(node),))
        assert (ways.found, ways.is_truncated) == ([], False)


def test_a_graph_with_more_ways_than_anybody_can_list_is_answered_in_bounded_time() -> None:
    layers = {
        10 * layer + near: [10 * layer + 10 + far for far in range(10)] for layer in range(9) for near in range(10)
    }
    steps = {**layers, 999: range(10), **{90 + near: [1000] for near in range(10)}}
    ways = shortest_ways(steps, 999, 1000, 50, key=lambda node: (f"{node:04d}",))
    assert len(ways.found) == 50
    assert ways.is_truncated
    assert ways.found[0] == (999, *range(0, 100, 10), 1000)
