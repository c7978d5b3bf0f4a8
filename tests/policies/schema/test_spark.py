"""Spark's counts are those of the file: the same documents on the same Parquet, through both engines."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from governance.types.results import CheckStatus
from tests.policies.schema.build import measured, params
from tests.support.evidence import write

pytest.importorskip("pyspark", reason="pyspark is not installed (assay-governance[spark])")
pytestmark = pytest.mark.filterwarnings("default")  # what Spark and its libraries warn of is not ours


@pytest.fixture(scope="module")
def session() -> Iterator[Any]:
    """A local Spark."""
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[1]").config("spark.ui.enabled", "false")
    session = builder.config("spark.sql.shuffle.partitions", "1").getOrCreate()
    yield session
    session.stop()


TABLE = pl.DataFrame(
    {
        "i": [5, 7, 7, None, 1],
        "f": [1.5, float("nan"), 8.0, None, -1.0],
        "s": ["x1", "y2", None, "x1", "long text"],
        "t": [True, None, False, True, True],
        "d": pl.Series(["2024-01-01", None, "2024-03-01", "2023-01-01", "2024-01-01"]).str.to_date(),
    }
)
DOCUMENT: dict[str, Any] = {
    "columns": {
        "i": {"dtype": "int64", "unique": True, "checks": {"ge": 5, "notin": [7], "in_range": [1, 6]}},
        "f": {"dtype": "float64", "nullable": True, "checks": {"gt": 0}},
        "s": {
            "dtype": "str",
            "checks": {
                "isin": ["x1"],
                "str_matches": "[xy]",
                "str_length": [2, 2],
                "str_startswith": "x",
                "str_endswith": "1",
                "str_contains": "[0-9]",
            },
        },
        "t": {"dtype": "bool", "checks": {"eq": True}},
        "d": {"dtype": "date", "checks": {"ge": "2024-01-01"}},
        "absent": {"required": False},
        "gone": {"dtype": "int64"},
    },
    "strict": True,
    "row_rules": ["f <= i", "i != 7"],
    "unique": [["s", "t"], ["i", "gone"]],
}


def shape(body: Any) -> dict[str, Any]:
    """What both engines must agree on: all but the numbers of rows in examples, and words about types."""
    rules = [(one["rule"], one["columns"], one["expected"], one["failures"]) for one in body["rules"]]
    return {**{name: body[name] for name in body if name != "rules"}, "rules": rules}


def test_counts_are_those_of_the_file(session: Any, tmp_path: Path) -> None:
    from policies.schema.spark import examine

    path = write(tmp_path / "a.parquet", TABLE)
    expected = measured(path, DOCUMENT).body
    found = examine(session.read.parquet(str(path)), params(DOCUMENT).resolved())
    assert shape(found) == shape(expected)


def test_a_column_of_another_type_fails_in_every_row(session: Any, tmp_path: Path) -> None:
    from policies.schema.spark import examine

    document = {"columns": {"s": {"dtype": "int64", "checks": {"ge": 0}}, "t": {"dtype": "bool", "nullable": True}}}
    path = write(tmp_path / "a.parquet", TABLE)
    found = examine(session.read.parquet(str(path)), params(document).resolved())
    assert shape(found) == shape(measured(path, document).body)


def test_a_folder_that_keeps_its_rules_passes_and_one_that_does_not_fails(session: Any, tmp_path: Path) -> None:
    from policies.schema.spark import check_folder

    write(tmp_path / "one.parquet", {"i": [1, 2]})
    write(tmp_path / "two.parquet", {"i": [2, 3]})
    column = {"dtype": "int64", "checks": {"ge": 1}}
    passed = check_folder(tmp_path, params({"columns": {"i": column}}).resolved())
    assert (passed.status, passed.n) == (CheckStatus.PASSED, "4")
    failed = check_folder(tmp_path, params({"columns": {"i": {**column, "unique": True}}}).resolved())
    assert (failed.status, failed.details["failure_counts"]) == (CheckStatus.FAILED, {"i": 2})


def test_personal_values_are_shown_by_their_category(session: Any) -> None:
    from policies.schema.spark import check_frame

    frame = session.createDataFrame([("secret",)], ["email"])
    document = {"columns": {"email": {"dtype": "str", "categories": ["user.contact.email"], "checks": {"isin": ["a"]}}}}
    measurement, result = check_frame(frame, params(document).resolved())
    assert "secret" not in measurement.model_dump_json()
    assert result.details["failing_values"] == ["[user.contact.email]"]


def test_panderas_own_verdict_on_spark_is_the_same(session: Any) -> None:
    """An independent oracle: the library's checks on each rule alone say passed exactly where nothing is counted."""
    import pandera.pyspark as pa
    from pyspark.sql import types

    from policies.schema.spark import examine

    frame = session.createDataFrame([(1, "x"), (5, "y")], "i bigint, s string")
    checks: dict[str, tuple[str, Any, Any]] = {
        "ge": ("i", 2, pa.Check.ge(2)),
        "le": ("i", 5, pa.Check.le(5)),
        "isin": ("s", ["x", "y"], pa.Check.isin(["x", "y"])),
        "notin": ("s", ["x"], pa.Check.notin(["x"])),
        "in_range": ("i", [1, 4], pa.Check.in_range(1, 4)),
        "str_startswith": ("s", "x", pa.Check.str_startswith("x")),
    }
    for name, (column, argument, check) in checks.items():
        dtype, spark_type = ("int64", types.LongType()) if column == "i" else ("str", types.StringType())
        errors = pa.DataFrameSchema({column: pa.Column(spark_type, check)}).validate(frame).pandera.errors
        body = examine(frame, params({"columns": {column: {"dtype": dtype, "checks": {name: argument}}}}).resolved())
        failures = sum(rule["failures"] for rule in body["rules"])
        assert bool(errors) == bool(failures), name
