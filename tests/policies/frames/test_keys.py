"""Keys that occur again, in one file or in another, against counting them one by one."""

from collections import Counter
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import MeasurementRefused
from policies.frames import keys
from policies.frames.keys import Found, matched, repeated

ROWS = st.lists(st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from("ab")), max_size=30)
SCHEMA = {"a": pl.Int64, "b": pl.String}


def frame(rows: list[Any]) -> pl.LazyFrame:
    return pl.LazyFrame(rows, schema=SCHEMA, orient="row")


@pytest.fixture(params=[keys.FEW, 0])
def few(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Both ways of going through what meets: looked up at once, and part by part."""
    monkeypatch.setattr(keys, "FEW", request.param)
    monkeypatch.setattr(keys, "PART_ROWS", 4)


@pytest.mark.usefixtures("few")
def test_repeated_keys_are_those_that_counting_finds() -> None:
    @settings(max_examples=60, deadline=None)
    @given(ROWS)
    def holds(rows: list[Any]) -> None:
        counts = Counter(row for row in rows if None not in row)
        expected = [number for number, row in enumerate(rows) if counts[row] > 1]
        assert repeated(frame(rows), ["a", "b"], examples=3) == Found(len(expected), tuple(expected[:3]))

    holds()


@pytest.mark.usefixtures("few")
@pytest.mark.parametrize("nulls_match", [False, True])
def test_matched_rows_are_those_that_looking_for_each_finds(nulls_match: bool) -> None:
    pairs = [("a", "a"), ("b", "b")]

    @settings(max_examples=60, deadline=None)
    @given(ROWS, ROWS)
    def holds(left: list[Any], right: list[Any]) -> None:
        compared = [(number, row) for number, row in enumerate(left) if nulls_match or None not in row]
        hits = [number for number, row in compared if row in right]
        misses = [number for number, row in compared if row not in right]
        found = matched(frame(left), frame(right), pairs, nulls_match=nulls_match, examples=3)
        assert found.found == Found(len(hits), tuple(hits[:3]))
        assert found.absent == Found(len(misses), tuple(misses[:3]))
        assert found.without_key == len(left) - len(compared)

    holds()


@pytest.mark.usefixtures("few")
def test_equal_hashes_of_unequal_keys_are_no_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pl.Expr, "hash", lambda column: column.is_null().cast(pl.UInt64))
    rows = frame([(1, "a"), (2, "a"), (1, "a"), (3, "a")])
    assert repeated(rows, ["a"], examples=5) == Found(2, (0, 2))
    found = matched(rows, frame([(3, "b")]), [("a", "a")], nulls_match=False, examples=5)
    assert (found.found, found.absent) == (Found(1, (3,)), Found(3, (0, 1, 2)))


def test_integers_of_any_width_are_one_kind_and_text_is_another() -> None:
    left = pl.LazyFrame({"a": [1, 300]}, schema={"a": pl.Int64})
    right = pl.LazyFrame({"a": [1]}, schema={"a": pl.UInt8})
    assert matched(left, right, [("a", "a")], nulls_match=False, examples=1).found.rows == 1
    with pytest.raises(MeasurementRefused, match="one kind"):
        matched(left, right.cast(pl.String), [("a", "a")], nulls_match=False, examples=1)
