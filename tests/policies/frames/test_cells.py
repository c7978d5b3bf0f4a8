"""Rows reduce to the cells that counting by hand gives, whatever their order, and to refusals where they cannot."""

import random
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.errors import MeasurementRefused
from policies.frames.cells import Cell, read_cells
from policies.frames.coding import UNKNOWN, Level
from policies.frames.grouping import SQUARE_UNIT, WEIGHT_UNIT
from tests.support.evidence import facts, write

ROWS: dict[str, list[Any]] = {
    "label": [1, 0, 1, 0, 1],
    "decision": [1, 0, 0, 1, 1],
    "group": ["a", "a", "b", "b", None],
}


def cells(tmp_path: Path, rows: dict[str, Any], suffix: str = ".parquet", **fields: Any) -> dict[Any, int]:
    """Rows of each cell by level, label and decision."""
    path = write(tmp_path / f"rows{suffix}", rows)
    found = read_cells(facts(path, **fields), ["group"])
    return {(cell.levels[0], cell.label, cell.decision): cell.rows for cell in found.cells}


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_rows_are_counted_by_group_label_and_decision(tmp_path: Path, suffix: str) -> None:
    a, b = Level("group", "a"), Level("group", "b")
    assert cells(tmp_path, ROWS, suffix) == {
        (a, True, True): 1,
        (a, False, False): 1,
        (b, True, False): 1,
        (b, False, True): 1,
        (UNKNOWN, True, True): 1,
    }


def test_what_was_measured_is_recorded_with_digest_and_rows(tmp_path: Path) -> None:
    known = facts(write(tmp_path / "rows.parquet", ROWS))
    assert known.manifest is not None
    assert known.manifest.predictions is not None
    (found,) = read_cells(known, ["group"]).inputs
    assert (found.role, found.digest, found.rows) == ("predictions", known.manifest.predictions.digest, 5)


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_score_at_the_threshold_is_a_positive_decision(tmp_path: Path, suffix: str) -> None:
    rows = {"label": [1, 0, 1], "score": [0.5, 0.49, 0.7], "group": ["a", "a", "a"]}
    found = cells(tmp_path, rows, suffix, columns={"label": "label", "score": "score"}, threshold="0.5")
    a = Level("group", "a")
    assert found == {(a, True, True): 2, (a, False, False): 1}


def test_a_score_of_single_precision_is_compared_in_its_own_precision(tmp_path: Path) -> None:
    """The 32-bit 0.7 is below the 64-bit 0.7, though both print as 0.7."""
    rows = pl.DataFrame({"score": pl.Series([0.7], dtype=pl.Float32), "group": ["a"]})
    path = write(tmp_path / "rows.parquet", rows)
    found = read_cells(facts(path, columns={"score": "score"}, threshold="0.7"), ["group"])
    assert [cell.decision for cell in found.cells] == [True]


@pytest.mark.parametrize(
    ("rows", "fields", "found"),
    [
        ({"score": [0.5, None]}, {"threshold": "0.5"}, "1 rows missing"),
        ({"score": [0.5, float("nan")]}, {"threshold": "0.5"}, "1 rows missing"),
        ({"score": [0.5, float("inf")]}, {"threshold": "0.5"}, "1 rows infinite"),
        ({"score": ["0.5", "high"]}, {"threshold": "0.5"}, "a column of type String"),
        ({"score": [0.5, 0.7]}, {}, "the score 'score' without one"),
        ({"score": [0.5, 0.7]}, {"columns": {}}, "neither in columns"),
    ],
)
def test_scores_that_decide_nothing_are_refused(
    tmp_path: Path, rows: dict[str, Any], fields: dict[str, Any], found: str
) -> None:
    with pytest.raises(MeasurementRefused) as fault:
        cells(tmp_path, {**rows, "group": ["a", "b"]}, **{"columns": {"score": "score"}, **fields})
    assert found in fault.value.found


def test_a_score_in_a_csv_that_is_no_number_is_refused_with_its_count(tmp_path: Path) -> None:
    rows = {"score": ["0.5", "high", "low"], "group": ["a", "b", "b"]}
    with pytest.raises(MeasurementRefused, match="2 rows no number"):
        cells(tmp_path, rows, ".csv", columns={"score": "score"}, threshold="0.5")


@pytest.mark.parametrize("column", ["label", "decision"])
def test_a_missing_label_or_decision_is_refused_with_its_count(tmp_path: Path, column: str) -> None:
    rows = {**ROWS, column: [1, None, None, 0, 1]}
    with pytest.raises(MeasurementRefused, match="2 rows without one"):
        cells(tmp_path, rows)


def test_a_column_of_a_hundred_thousand_scores_is_refused_before_it_is_grouped(tmp_path: Path) -> None:
    rows = {"label": [0, 1] * 50_000, "decision": [number / 1e6 for number in range(100_000)], "group": ["a"] * 100_000}
    with pytest.raises(MeasurementRefused, match="fractions such as"):
        cells(tmp_path, rows)


def test_no_rows_are_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", pl.DataFrame(ROWS).clear())
    with pytest.raises(MeasurementRefused, match="nothing is passed on no rows"):
        read_cells(facts(path), ["group"])


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_numeric_attribute_falls_into_its_declared_bins(tmp_path: Path, suffix: str) -> None:
    rows = {"decision": [1] * 7, "group": [18, 29.99, 30, 45, 45.01, 17, None]}
    fields = {"columns": {"decision": "decision"}, "sensitive": {"group": {"bins": [18, 30, 45]}}}
    found = cells(tmp_path, rows, suffix, **fields)
    by_level = {level: count for (level, _, _), count in found.items()}
    assert by_level == {
        Level("group", "[18, 30)"): 2,
        Level("group", "[30, 45]"): 2,
        Level("outside", "outside the bins"): 2,
        UNKNOWN: 1,
    }


def test_a_numeric_attribute_that_holds_words_is_refused(tmp_path: Path) -> None:
    rows = {"decision": [1, 0], "group": ["18", "young"]}
    fields = {"columns": {"decision": "decision"}, "sensitive": {"group": {"bins": [18, 30]}}}
    with pytest.raises(MeasurementRefused, match="1 rows no number"):
        cells(tmp_path, rows, ".csv", **fields)


@pytest.mark.parametrize(
    ("weights", "found"),
    [
        ([1.0, None], "1 rows missing"),
        ([1.0, -0.5], "1 rows out of range"),
        ([1.0, float("inf")], "1 rows infinite"),
        ([1.0, 2e9], "1 rows out of range"),
        ([1.0, 1e-7], "1 rows out of range"),
    ],
)
def test_weights_that_cannot_be_summed_exactly_are_refused(tmp_path: Path, weights: list[Any], found: str) -> None:
    rows = {"decision": [1, 0], "group": ["a", "b"], "w": weights}
    with pytest.raises(MeasurementRefused) as fault:
        cells(tmp_path, rows, columns={"decision": "decision", "weight": "w"})
    assert found in fault.value.found


def test_weights_are_summed_exactly_and_their_squares_to_double_precision(tmp_path: Path) -> None:
    rows: dict[str, list[Any]] = {"decision": [1, 1, 1], "group": ["a"] * 3, "w": [0.1, 0.2, 1_484_705.0]}
    path = write(tmp_path / "rows.parquet", rows)
    (cell,) = read_cells(facts(path, columns={"decision": "decision", "weight": "w"}), ["group"]).cells
    assert Decimal(cell.weight) / WEIGHT_UNIT == Decimal("1484705.3")
    assert cell.squares / SQUARE_UNIT == pytest.approx(0.05 + 1_484_705**2, rel=1e-15)


rows_of_any_kind = st.lists(
    st.tuples(
        st.integers(0, 1),
        st.integers(0, 1),
        st.sampled_from(["a", "b", "c", None]),
        st.floats(0.001, 1000).map(lambda weight: round(weight, 3)),
    ),
    min_size=1,
    max_size=60,
)


def weighted_cells(path: Path, rows: list[tuple[int, int, str | None, float]]) -> tuple[Cell, ...]:
    """The cells of rows with weights."""
    frame = pl.DataFrame(
        rows, schema={"label": pl.Int8, "decision": pl.Int8, "group": pl.String, "w": pl.Float64}, orient="row"
    )
    known = facts(write(path, frame), columns={"label": "label", "decision": "decision", "weight": "w"})
    return read_cells(known, ["group"]).cells


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows_of_any_kind, seed=st.integers(0, 1000))
def test_the_order_of_rows_does_not_matter(
    tmp_path: Path, rows: list[tuple[int, int, str | None, float]], seed: int
) -> None:
    shuffled = random.Random(seed).sample(rows, len(rows))
    assert weighted_cells(tmp_path / "one.parquet", rows) == weighted_cells(tmp_path / "two.parquet", shuffled)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows_of_any_kind.filter(lambda rows: len(rows) > 1), cut=st.floats(0.01, 0.99))
def test_the_cells_of_two_shards_add_up_to_those_of_the_whole(
    tmp_path: Path, rows: list[tuple[int, int, str | None, float]], cut: float
) -> None:
    at = min(len(rows) - 1, max(1, round(cut * len(rows))))
    added: Counter[Any] = Counter()
    for shard in (rows[:at], rows[at:]):
        for cell in weighted_cells(tmp_path / "shard.parquet", shard):
            key = (cell.levels, cell.label, cell.decision)
            added.update({(*key, "rows"): cell.rows, (*key, "weight"): cell.weight, (*key, "squares"): cell.squares})
    whole = {
        (cell.levels, cell.label, cell.decision, name): getattr(cell, name)
        for cell in weighted_cells(tmp_path / "whole.parquet", rows)
        for name in ("rows", "weight", "squares")
    }
    assert dict(added) == whole


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rows=rows_of_any_kind)
def test_weights_of_one_are_counts(tmp_path: Path, rows: list[tuple[int, int, str | None, float]]) -> None:
    ones = [(label, decision, group, 1.0) for label, decision, group, _ in rows]
    for cell in weighted_cells(tmp_path / "ones.parquet", ones):
        assert cell.weight == cell.rows * WEIGHT_UNIT
        assert cell.squares == cell.rows * SQUARE_UNIT
