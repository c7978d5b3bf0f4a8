"""A first schema says what the file holds, and the file keeps it."""

from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from governance.errors import UsageError
from governance.types.results import CheckStatus
from policies.schema.infer import infer
from policies.schema.local import check_file, open_file
from policies.schema.params import SchemaDocument
from tests.support.evidence import write

TABLE = pl.DataFrame(
    {
        "id": range(40),
        "age": [18, 70] * 20,
        "rate": [0.5, None] * 20,
        "sex": ["f", "m"] * 20,
        "name": [f"person {number}" for number in range(39)] + [None],
        "born": [date(1990, 1, 1), date(2000, 2, 3)] * 20,
        "seen": pl.Series(["2026-01-01T10:00:00", "2026-01-02T00:00:00"] * 20).str.to_datetime(),
        "ok": [True, False] * 20,
    }
)


def inferred(path: Path) -> SchemaDocument:
    return infer(open_file(path))


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.arrow"])
def test_types_keys_ranges_and_sets_are_proposed(tmp_path: Path, name: str) -> None:
    columns = inferred(write(tmp_path / name, TABLE)).columns
    assert {column: rules.dtype for column, rules in columns.items()} == {
        "id": "int64",
        "age": "int64",
        "rate": "float64",
        "sex": "str",
        "name": "str",
        "born": "date",
        "seen": "datetime",
        "ok": "bool",
    }
    assert columns["id"].unique
    assert columns["age"].checks == {"in_range": [18, 70]}
    assert columns["rate"].nullable
    assert columns["sex"].checks == {"isin": ["f", "m"]}
    assert columns["name"].checks == {}
    assert columns["born"].checks == {"in_range": ["1990-01-01", "2000-02-03"]}


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.arrow", "a.jsonl"])
def test_the_file_keeps_the_schema_that_was_inferred_from_it(tmp_path: Path, name: str) -> None:
    table = TABLE.cast({"born": pl.String, "seen": pl.String}) if name.endswith("jsonl") else TABLE
    path = write(tmp_path / name, table)
    assert check_file(path, inferred(path))[1].status is CheckStatus.PASSED


def test_columns_without_values_or_without_a_word_for_their_type_are_left_open(tmp_path: Path) -> None:
    table = pl.DataFrame({"a": [None, None], "b": [[1], [2]], "c": ["x", "y"]}, schema_overrides={"a": pl.Int32})
    columns = inferred(write(tmp_path / "a.parquet", table)).columns
    assert (columns["a"].dtype, columns["a"].nullable, columns["b"].dtype) == ("int32", True, None)


def test_names_of_few_people_are_not_written_down(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", {"name": ["ann", "ben", "ann"]})
    assert inferred(path).columns["name"].checks == {}


def test_a_file_whose_ending_says_no_format_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.xlsx").write_bytes(b"")
    with pytest.raises(UsageError, match="ends in"):
        open_file(tmp_path / "a.xlsx")


def test_a_file_without_rows_gives_types_alone(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", pl.DataFrame({"a": []}, schema={"a": pl.Int64}))
    found: Any = inferred(path).columns["a"]
    assert (found.dtype, found.checks, found.unique) == ("int64", {}, False)
