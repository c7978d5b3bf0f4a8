"""Walks over fields against a naive one, and what travels along them against an enumeration of every way. Pure."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.column_graph import Field, Hop, carries, propagate, walk_fields
from lineage.graph import Bounds, Direction
from lineage.mapping import ColumnPair, Transformation, mapping_document, read_mapping
from lineage.paths import ancestors, field_id_splits, segments

IDENTITY: dict[str, Any] = {"type": "DIRECT", "subtype": "IDENTITY"}
MASKED: dict[str, Any] = {"type": "DIRECT", "subtype": "TRANSFORMATION", "masking": True}
FILTER: dict[str, Any] = {"type": "INDIRECT", "subtype": "FILTER"}


@dataclass
class ListedHops:
    """Hops in a list; implements ``FieldLinks``."""

    listed: Sequence[Hop]

    def hops(self, fields: Sequence[Field], direction: Direction) -> Iterator[Hop]:
        return (hop for hop in self.listed if hop.ends(direction)[0] in fields)

    def sort_keys(self, fields: Sequence[Field]) -> Mapping[Field, tuple[str, str, str]]:
        return {one: ("", f"{one[0]:03d}", one[1]) for one in fields}


FIELDS = st.tuples(st.integers(1, 4), st.sampled_from("ab"))
PARTS = st.lists(st.sampled_from([IDENTITY, MASKED, FILTER]), max_size=2).map(
    lambda parts: tuple(Transformation(part["type"], masking=bool(part.get("masking"))) for part in parts)
)
HOPS = st.lists(
    st.builds(lambda source, target, parts: Hop(source, target, ColumnPair("x", "y", parts)), FIELDS, FIELDS, PARTS),
    max_size=12,
)
WAYS: Any = st.sampled_from(["upstream", "downstream"])


def reached_from(hops: Iterable[Hop], start: Field, way: Direction) -> set[Field]:
    """Every field reached by following single hops until nothing is new: the naive walk."""
    reached = {start}
    while True:
        more = {hop.ends(way)[1] for hop in hops if hop.ends(way)[0] in reached}
        if more <= reached:
            return reached
        reached |= more


@given(HOPS, FIELDS, WAYS)
def test_a_walk_without_bounds_reaches_what_single_hops_reach(hops: list[Hop], start: Field, way: Direction) -> None:
    found = walk_fields(ListedHops(hops), [start], [way], Bounds())
    assert set(found.distances) == reached_from(hops, start, way)
    assert not found.frontier
    inside = {(hop.source, hop.target) for hop in hops if hop.ends(way)[0] in found.distances}
    assert {(hop.source, hop.target) for hop in found.hops} == inside


@given(HOPS, FIELDS, WAYS, st.integers(0, 4))
def test_depth_counts_hops(hops: list[Hop], start: Field, way: Direction, depth: int) -> None:
    whole = walk_fields(ListedHops(hops), [start], [way], Bounds())
    shallow = walk_fields(ListedHops(hops), [start], [way], Bounds(depth=depth))
    assert shallow.distances == {one: at for one, at in whole.distances.items() if at <= depth}
    assert bool(shallow.frontier) == (len(shallow.distances) < len(whole.distances))


@given(HOPS, st.lists(FIELDS, min_size=1, max_size=4), WAYS, st.integers(1, 6))
def test_a_cut_walk_holds_the_nearest_fields_and_says_so(
    hops: list[Hop], starts: list[Field], way: Direction, limit: int
) -> None:
    whole = walk_fields(ListedHops(hops), starts, [way], Bounds())
    cut = walk_fields(ListedHops(hops), starts, [way], Bounds(node_limit=limit))
    assert len(cut.distances) == min(limit, len(whole.distances))
    assert bool(cut.frontier) == (len(whole.distances) > limit)
    assert all(whole.distances[one] == at for one, at in cut.distances.items())
    assert cut.frontier <= set(cut.distances)


def ways_between(hops: Sequence[Hop], origin: Field) -> Iterator[list[Hop]]:
    """Every way of different fields that starts at the field, as lists of hops: the brute force."""
    stack: list[tuple[Field, list[Hop], frozenset[Field]]] = [(origin, [], frozenset({origin}))]
    while stack:
        at, way, passed = stack.pop()
        yield way
        stack += [(hop.target, [*way, hop], passed | {hop.target}) for hop in hops
                  if hop.source == at and hop.target not in passed]  # fmt: skip


def hides(hop: Hop) -> bool:
    """Whether nothing that is said of the source holds beyond the hop, spelt out anew from the specification."""
    parts = hop.pair.transformations
    goes_on = not parts or any(part.type != "INDIRECT" for part in parts)
    is_masked = len(parts) > 0 and all(part.masking for part in parts)
    return not goes_on or is_masked


@given(HOPS, st.dictionaries(FIELDS, st.sets(st.sampled_from(["pii", "health"]), min_size=1), max_size=3))
def test_a_tag_reaches_what_one_unmasked_path_reaches(hops: list[Hop], own: dict[Field, set[str]]) -> None:
    expected = {
        (way[-1].target if way else origin, (origin, tag))
        for origin, tags in own.items()
        for way in ways_between(hops, origin)
        if not any(hides(hop) for hop in way)
        for tag in tags
    }
    marks = {origin: [(origin, tag) for tag in sorted(tags)] for origin, tags in own.items()}
    found = propagate(hops, marks)
    assert {(one, mark) for one, held in found.items() for mark in held} == expected
    steps = {(hop.source, hop.target) for hop in hops if carries(hop)}
    for one, held in found.items():
        for (origin, _), way in held.items():
            assert (way[0], way[-1]) == (origin, one)
            assert all(step in steps for step in pairwise(way))


@pytest.mark.parametrize(
    ("path", "names", "around"),
    [
        ("zip", ("zip",), set()),
        ("address.zip", ("address", "zip"), {"address"}),
        ("a.b.c", ("a", "b", "c"), {"a", "a.b"}),
        ("`a.b`.c", ("a.b", "c"), {"`a.b`"}),
        ("a.`b.c`", ("a", "b.c"), {"a"}),
    ],
)
def test_a_path_has_segments_and_fields_around_it(path: str, names: tuple[str, ...], around: set[str]) -> None:
    assert segments(path) == names
    assert ancestors(path) == around


def test_every_split_of_a_field_id_is_tried() -> None:
    assert field_id_splits("datasetField:a:b:c:d") == [("a", "b", "c:d"), ("a", "b:c", "d"), ("a:b", "c", "d")]
    version = "00000000-0000-7000-8000-000000000001"
    assert ("a", "b", "c") in field_id_splits(f"datasetField:a:b:c#{version}")
    assert field_id_splits("dataset:a:b") == []


def test_a_pair_told_once_without_a_transformation_is_not_masked() -> None:
    masked = Transformation("DIRECT", masking=True)
    stored = read_mapping(mapping_document([ColumnPair("a", "b"), ColumnPair("a", "b", (masked,))]))
    assert [pair.is_masked for pair in stored] == [False]
    assert [pair.is_direct for pair in stored] == [True]
