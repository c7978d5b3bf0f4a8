"""Keys that occur again, in one file or in another, against counting them one by one."""

from collections import Counter
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import MeasurementRefused
from policies.frames import keys
from policies.frames.keys import Found, Side, matched, repeated
from tests.support.evidence import write

ROWS = st.lists(st.tuples(st.none() | st.integers(0, 3), st.none() | st.sampled_from("ab")), max_size=30)
SCHEMA = {"a": pl.Int64, "b": pl.String}


def side(rows: list[Any], *names: str) -> Side:
    return Side(pl.LazyFrame(rows, schema=SCHEMA, orient="row"), names or ("a", "b"), is_parquet=False)


@pytest.fixture(params=[keys.PART_CELLS, 4])
def parts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """What meets is compared at once, and part by part."""
    monkeypatch.setattr(keys, "PART_CELLS", request.param)


@pytest.mark.usefixtures("parts")
def test_repeated_keys_are_those_that_counting_finds() -> None:
    @settings(max_examples=60, deadline=None)
    @given(ROWS)
    def holds(rows: list[Any]) -> None:
        counts = Counter(row for row in rows if None not in row)
        expected = [number for number, row in enumerate(rows) if counts[row] > 1]
        assert repeated(side(rows), examples=3) == Found(len(expected), tuple(expected[:3]))

    holds()


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("nulls_match", [False, True])
def test_matched_rows_are_those_that_looking_for_each_finds(nulls_match: bool) -> None:
    @settings(max_examples=60, deadline=None)
    @given(ROWS, ROWS)
    def holds(left: list[Any], right: list[Any]) -> None:
        compared = [(number, row) for number, row in enumerate(left) if nulls_match or None not in row]
        hits = [number for number, row in compared if row in right]
        misses = [number for number, row in compared if row not in right]
        found = matched(side(left), side(right), nulls_match=nulls_match, examples=3)
        assert found.found == Found(len(hits), tuple(hits[:3]))
        assert found.absent == Found(len(misses), tuple(misses[:3]))
        assert found.without_key == len(left) - len(compared)

    holds()


@pytest.mark.usefixtures("parts")
def test_equal_hashes_of_unequal_keys_are_no_repetition(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pl.Expr, "hash", lambda column: column.is_null().cast(pl.UInt64))
    rows = side([(1, "a"), (2, "a"), (1, "a"), (3, "a")], "a")
    assert repeated(rows, examples=5) == Found(2, (0, 2))
    found = matched(rows, side([(3, "b")], "a"), nulls_match=False, examples=5)
    assert (found.found, found.absent) == (Found(1, (3,)), Found(3, (0, 1, 2)))


def of_columns(columns: dict[str, Any]) -> Side:
    return Side(pl.LazyFrame(columns), list(columns), is_parquet=False)


def test_integers_of_any_width_are_one_kind_and_text_is_another() -> None:
    left = of_columns({"a": pl.Series([1, 300], dtype=pl.Int64)})
    right = of_columns({"a": pl.Series([1], dtype=pl.UInt8)})
    assert matched(left, right, nulls_match=False, examples=1).found.rows == 1
    with pytest.raises(MeasurementRefused, match="one kind"):
        matched(left, of_columns({"a": ["1"]}), nulls_match=False, examples=1)


def test_categories_are_compared_by_their_words() -> None:
    left = of_columns({"a": pl.Series(["x", "y"], dtype=pl.Enum(["x", "y"]))})
    right = of_columns({"a": pl.Series(["y"], dtype=pl.Enum(["y", "x"]))})
    assert matched(left, right, nulls_match=False, examples=1).found == Found(1, (1,))


@pytest.mark.usefixtures("parts")
@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_rows_keep_their_numbers_however_a_file_is_gone_through(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"rows{suffix}", {"a": [7, 1, 2, 7, 3, 1, 9]})
    frame = pl.scan_parquet(path) if suffix == ".parquet" else pl.scan_csv(path)
    keys_of_file = Side(frame, ["a"], is_parquet=suffix == ".parquet")
    assert repeated(keys_of_file, examples=9) == Found(4, (0, 1, 3, 5))
    found = matched(keys_of_file, of_columns({"a": [9, 2, 5]}), nulls_match=True, examples=9)
    assert (found.found, found.absent) == (Found(2, (2, 6)), Found(5, (0, 1, 3, 4, 5)))
