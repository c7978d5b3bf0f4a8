"""What passes, what fails and how it is counted, on files of both formats."""

import json
import os
import subprocess
import sys
from datetime import date, datetime
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from governance.canonical import canonical
from governance.errors import MeasurementRefused
from governance.types.results import CheckStatus
from policies.schema.check import CHECK
from tests.policies.schema.build import judged, judged_table, judged_text, measured
from tests.support.evidence import write

INTEGER = {"columns": {"a": {"dtype": "int64"}}}


def test_a_file_that_keeps_every_rule_passes_with_its_rows(tmp_path: Path) -> None:
    result = judged_table(tmp_path / "a.parquet", {"a": [1, 2]}, INTEGER)
    assert (result.status, result.n, result.observed) == (CheckStatus.PASSED, "2", "0")


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_file_without_rows_does_not_pass(tmp_path: Path, name: str) -> None:
    table = pl.DataFrame({"a": []}, schema={"a": pl.Int64})
    result = judged(write(tmp_path / name, table), INTEGER)
    assert (result.status, result.reason) == (CheckStatus.INSUFFICIENT_EVIDENCE, "schema.no_rows")


def test_fewer_rows_than_asked_for_fail(tmp_path: Path) -> None:
    result = judged_table(tmp_path / "a.parquet", {"a": [1]}, {**INTEGER, "min_rows": 2})
    assert result.reason == "schema.too_few_rows"


def test_an_empty_csv_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MeasurementRefused, match="declared format"):
        judged_text(tmp_path / "a.csv", "", INTEGER)


def test_a_file_that_is_not_parquet_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.parquet").write_bytes(b"no parquet")
    with pytest.raises(MeasurementRefused, match="declared format"):
        judged(tmp_path / "a.parquet", INTEGER)


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        ("int64", ["1", "-7", "+3"], ["1.9", "2.0", "x", "1e3", " 1", "9223372036854775808", "0x1"]),
        ("int8", ["-128", "127"], ["128", "300"]),
        ("uint8", ["0", "255"], ["-1", "256"]),
        ("float64", ["1", "1.5", "-2e3", "inf"], ["x", "1,5", "1e999"]),
        ("float32", ["1.5"], ["1e39"]),
        ("bool", ["True", "false"], ["1", "yes"]),
        ("date", ["2024-02-29"], ["2023-02-29", "29.02.2024", "2024-02-29T00:00:00"]),
        ("datetime", ["2024-02-29T10:00:00", "2024-02-29 10:00:00.5"], ["2024-02-29", "now"]),
    ],
)
def test_text_is_a_value_of_its_type_or_a_failure_with_its_row(
    tmp_path: Path, dtype: str, good: list[str], bad: list[str]
) -> None:
    lines = "\n".join(f'"{text}"' for text in [*good, *bad])
    result = judged_text(tmp_path / "a.csv", f"a\n{lines}\n", {"columns": {"a": {"dtype": dtype}}})
    assert result.details["failing_values"] == sorted(bad)
    assert result.details["failing_rows"] == list(range(len(good), len(good) + len(bad)))


def test_what_is_no_value_of_its_type_is_not_counted_as_missing_too(tmp_path: Path) -> None:
    result = judged_text(tmp_path / "a.csv", "a\n1\nx\n", INTEGER)
    assert {figure.name: figure.value for figure in result.figures} == {
        "failures of dtype": "1",
        "failures of nullable": "0",
    }


@pytest.mark.parametrize(
    ("table", "dtype"),
    [
        ({"a": [1.0]}, "int64"),
        ({"a": ["1"]}, "int64"),
        ({"a": [1]}, "str"),
        ({"a": [1]}, "int32"),
        ({"a": [1]}, "bool"),
    ],
)
def test_a_typed_column_of_another_type_fails_in_every_row(tmp_path: Path, table: Any, dtype: str) -> None:
    result = judged_table(tmp_path / "a.parquet", table, {"columns": {"a": {"dtype": dtype}}})
    assert (result.status, result.details["failure_counts"]) == (CheckStatus.FAILED, {"a": 1})


def test_a_rule_over_a_column_of_another_kind_is_named_as_not_evaluated(tmp_path: Path) -> None:
    document = {"columns": {"a": {"dtype": "int64", "checks": {"ge": 0}}}}
    figures = {one.name: one for one in judged_table(tmp_path / "a.parquet", {"a": ["x"]}, document).figures}
    assert (figures["failures of ge"].value, figures["failures of ge"].note) == (None, "the column a is String")


def test_text_stored_as_a_dictionary_is_text(tmp_path: Path) -> None:
    table = {"a": pl.Series(["x", "y"], dtype=pl.Categorical)}
    document = {"columns": {"a": {"dtype": "str", "checks": {"isin": ["x"]}}}}
    assert judged_table(tmp_path / "a.parquet", table, document).details["failing_values"] == ["y"]


@pytest.mark.parametrize(
    ("name", "value", "failing"),
    [
        ("gt", 2, [0, 1]),
        ("ge", 2, [0]),
        ("lt", 2, [1, 2]),
        ("le", 2, [2]),
        ("eq", 2, [0, 2]),
        ("ne", 2, [1]),
        ("in_range", [2, 3], [0]),
        ("in_range", {"min_value": 1, "max_value": 3, "include_min": False}, [0]),
        ("isin", [1, 2], [2]),
        ("notin", [1, 2], [0, 1]),
    ],
)
def test_each_rule_on_numbers_names_the_rows_that_break_it(
    tmp_path: Path, name: str, value: Any, failing: list[int]
) -> None:
    document = {"columns": {"a": {"dtype": "int64", "checks": {name: value}}}}
    assert judged_table(tmp_path / "a.parquet", {"a": [1, 2, 3]}, document).details["failing_rows"] == failing


@pytest.mark.parametrize(
    ("name", "value", "failing"),
    [
        ("str_matches", "x[0-9]$", [1, 2]),
        ("str_contains", "y", [0]),
        ("str_startswith", "x", [2]),
        ("str_endswith", "1", [1, 2]),
        ("str_length", [2, 2], [1]),
    ],
)
def test_each_rule_on_text_names_the_rows_that_break_it(
    tmp_path: Path, name: str, value: Any, failing: list[int]
) -> None:
    document = {"columns": {"a": {"dtype": "str", "checks": {name: value}}}}
    assert judged_table(tmp_path / "a.parquet", {"a": ["x1", "x2y", "y2"]}, document).details["failing_rows"] == failing


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_dates_are_compared_as_dates(tmp_path: Path, name: str) -> None:
    instants = [datetime.fromisoformat(text) for text in ("2024-01-01T10:00:00", "2024-01-01T09:00:00")]
    table = {"d": [date(2024, 1, 31), date(2024, 2, 1)], "t": instants}
    document = {
        "columns": {
            "d": {"dtype": "date", "checks": {"lt": "2024-02-01"}},
            "t": {"dtype": "datetime", "checks": {"ge": "2024-01-01T09:30:00"}},
        }
    }
    assert judged_table(tmp_path / name, table, document).details["failure_counts"] == {"d": 1, "t": 1}


def test_a_pattern_that_the_engine_does_not_know_is_refused(tmp_path: Path) -> None:
    document = {"columns": {"a": {"dtype": "str", "checks": {"str_matches": "x(?=y)"}}}}
    with pytest.raises(MeasurementRefused):
        judged_table(tmp_path / "a.parquet", {"a": ["x"]}, document)


@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_nan_is_a_missing_number_and_meets_no_limit(tmp_path: Path, name: str) -> None:
    table = {"a": [1.0, float("nan"), None, -1.0]}
    column = {"dtype": "float64", "checks": {"ge": 0}}
    strict = judged_table(tmp_path / name, table, {"columns": {"a": column}})
    assert {one.name: one.value for one in strict.figures}["failures of nullable"] == "2"
    lenient = judged(tmp_path / name, {"columns": {"a": {**column, "nullable": True}}})
    assert lenient.details["failing_rows"] == [3]


def test_a_null_in_another_column_switches_no_row_rule_off(tmp_path: Path) -> None:
    document = {
        "columns": {"note": {"dtype": "str", "nullable": True}, "low": {"dtype": "int64"}, "high": {"dtype": "int64"}},
        "row_rules": ["low <= high", "low != 3"],
    }
    table = {"note": [None, "x", None], "low": [5, 3, 1], "high": [1, 4, 2]}
    assert judged_table(tmp_path / "a.parquet", table, document).details["failing_rows"] == [0, 1]


def test_uniqueness_is_that_of_the_whole_file_and_leaves_nulls_aside(tmp_path: Path) -> None:
    document = {"columns": {"a": {"dtype": "int64", "unique": True, "nullable": True}}, "chunk_rows": 2}
    result = judged_table(tmp_path / "a.parquet", {"a": [7, None, 8, None, 7]}, document)
    assert (result.details["failing_rows"], result.details["failing_values"]) == ([0, 4], ["7"])


def test_a_set_of_columns_is_unique_together(tmp_path: Path) -> None:
    document = {"columns": {"a": {"dtype": "int64"}, "b": {"dtype": "int64"}}, "unique": ["a", "b"]}
    table = {"a": [1, 1, 1], "b": [1, 2, 1]}
    assert judged_table(tmp_path / "a.parquet", table, document).details["failing_values"] == ["a=1, b=1"]


def test_more_rows_than_allowed_fail(tmp_path: Path) -> None:
    result = judged_table(tmp_path / "a.parquet", {"a": [1, 2, 3]}, {**INTEGER, "max_rows": 2})
    assert (result.status, result.reason) == (CheckStatus.FAILED, "schema.too_many_rows")


@pytest.mark.parametrize(
    ("dtype", "good", "bad"),
    [
        ("int8", ["-128", "127", "2.0"], ["128", "1.5"]),
        ("uint16", ["0", "65535"], ["-1", "70000"]),
        ("float64", ["1", "1.5"], []),
        ("float32", ["1", "1.5"], ["1e39"]),
        ("date", ['"2024-02-29"'], ['"2023-02-29"', '"soon"']),
        ("datetime", ['"2024-02-29T10:00:00"'], ['"2024-02-29"']),
        ("bool", ["true", "false"], []),
        ("str", ['"x"'], []),
    ],
)
def test_a_value_of_json_is_one_of_the_declared_type_or_a_failure_with_its_row(
    tmp_path: Path, dtype: str, good: list[str], bad: list[str]
) -> None:
    lines = "".join(f'{{"a": {text}}}\n' for text in [*good, *bad])
    result = judged_text(tmp_path / "a.jsonl", lines, {"columns": {"a": {"dtype": dtype}}})
    assert result.details["failing_rows"] == list(range(len(good), len(good) + len(bad)))


def test_a_column_of_json_that_holds_no_value_is_of_any_type(tmp_path: Path) -> None:
    document = {"columns": {"a": {"dtype": "int64", "nullable": True}, "b": {"dtype": "str", "nullable": True}}}
    assert judged_text(tmp_path / "a.jsonl", '{"a": null, "b": null}\n', document).status is CheckStatus.PASSED


@pytest.mark.parametrize("name", ["a.csv", "a.parquet", "a.jsonl", "a.arrow"])
def test_a_file_in_pieces_is_judged_as_the_whole(tmp_path: Path, name: str) -> None:
    table = {"a": [5, 7, 7, None, 1, 9, 5], "b": [1.5, 1.0, 8.0, 2.0, None, 3.0, 0.0], "c": ["x", "y"] * 3 + ["z"]}
    document = {
        "columns": {
            "a": {"dtype": "int64", "unique": True, "checks": {"ge": 5}},
            "b": {"dtype": "float64"},
            "c": {"dtype": "str", "checks": {"isin": ["x", "y"]}},
        },
        "row_rules": ["b <= a"],
        "unique": [["a", "c"]],
    }
    path = write(tmp_path / name, table)
    whole = measured(path, document).body
    for rows in (1, 2, 3):
        assert measured(path, {**document, "chunk_rows": rows}).body == whole
    expected = {"nullable a": 1, "nullable b": 1, "unique a": 4, "ge a": 1, "isin c": 1, "row_rule b, a": 1}
    expected |= {"unique a, c": 0, "nullable c": 0}
    rules: Any = whole["rules"]
    counts = {f"{rule['rule']} {', '.join(rule['columns'])}": rule["failures"] for rule in rules}
    assert {name: count for name, count in counts.items() if not name.startswith("dtype")} == expected


def test_values_of_personal_columns_are_shown_by_their_category(tmp_path: Path) -> None:
    columns = {"a": {"dtype": "str", "unique": True, "categories": ["user.contact.email"]}, "b": {"dtype": "int64"}}
    document = {"columns": columns, "row_rules": ["a == 'x'"], "unique": [["a", "b"]]}
    measurement = measured(write(tmp_path / "a.parquet", {"a": ["secret", "secret"], "b": [1, 1]}), document)
    assert b"secret" not in canonical(measurement.document())
    rules: Any = measurement.body["rules"]
    shown = {tuple(rule["columns"]): rule["examples"] for rule in rules if rule["failures"]}
    assert shown[("a",)][0] == {"row": 0, "value": "[user.contact.email]"}
    assert shown["a", "b"][0] == {"row": 0, "value": "a=[user.contact.email], b=1"}
    assert measurement.body["masked"] == {"a": "[user.contact.email]"}


def test_missing_unexpected_and_misplaced_columns_are_named_at_once(tmp_path: Path) -> None:
    document = {"columns": {"a": {}, "b": {}, "c": {}, "d": {}, "e": {"required": False}}, "strict": True}
    result = judged_table(tmp_path / "a.parquet", {"c": ["x"], "b": ["x"], "z": ["x"]}, {**document, "ordered": True})
    findings = {finding.code: finding.data["columns"] for finding in result.findings}
    assert findings["schema.missing_columns"] == ["a", "d"]
    assert findings["schema.unexpected_columns"] == ["z"]
    assert set(findings) == {"schema.missing_columns", "schema.unexpected_columns", "schema.misplaced_columns"}


def test_a_header_that_names_a_column_twice_fails(tmp_path: Path) -> None:
    result = judged_text(tmp_path / "a.csv", "a,a\n1,2\n", INTEGER)
    assert (result.status, result.findings[0].code) == (CheckStatus.FAILED, "schema.repeated_columns")


@pytest.mark.parametrize("option", ["coerce", "drop_invalid_rows", "add_missing_columns"])
def test_options_that_would_change_data_are_named_and_not_honoured(tmp_path: Path, option: str) -> None:
    document = {"columns": {"a": {"dtype": "int64", "checks": {"le": 1}}, "b": {}}, option: True}
    result = judged_table(tmp_path / "a.parquet", {"a": [1, 2]}, document)
    assert (result.status, result.details["failing_rows"], result.details["missing_columns"]) == ("failed", [1], ["b"])
    assert any(option in finding.message for finding in result.findings)


def test_half_a_million_failures_are_counted_exactly_in_a_small_report(tmp_path: Path) -> None:
    table = pl.DataFrame({"a": pl.int_range(500_000, eager=True) - 500_000, "b": ["x" * 300] * 500_000})
    document = {"columns": {"a": {"dtype": "int64", "checks": {"ge": 0}}, "b": {"dtype": "str", "unique": True}}}
    measurement = measured(write(tmp_path / "a.parquet", table), document)
    result = CHECK.judge(measurement, CHECK.params.model_validate({"document": document}))
    assert result.details["failure_counts"] == {"a": 500_000, "b": 500_000}
    assert len(canonical(measurement.document())) < 10_000
    assert len(canonical(result.document())) < 10_000


_MEMORY = """
import json, resource, sys
from pathlib import Path
from tests.policies.schema.build import judged
path, document = Path(sys.argv[1]), json.loads(sys.argv[2])
judged(path, {"columns": {"none": {"required": False}}})
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
result = judged(path, document)
grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
print(json.dumps([grown, result.status, result.details["failure_counts"]]))
"""


def in_fresh_process(path: Path, document: dict[str, Any], **variables: str) -> Any:
    """Memory growth in kiB, status and failure counts of a check in a process of its own."""
    found = subprocess.run(
        [sys.executable, "-c", _MEMORY, str(path), json.dumps(document)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3]), **variables},
        capture_output=True,
        check=True,
    )
    return json.loads(found.stdout)


def test_memory_stays_near_the_size_of_the_data(tmp_path: Path) -> None:
    # Five million bad cells in a frame of 40 MB; the library's own report of them took 1.25 GB.
    table = pl.DataFrame({f"c{number}": pl.int_range(1_000_000, eager=True) - 2_000_000 for number in range(5)})
    column = {"dtype": "int64", "checks": {"ge": 0, "in_range": [1, 5]}}
    path = write(tmp_path / "a.parquet", table)
    grown, status, counts = in_fresh_process(path, {"columns": dict.fromkeys(table.columns, column)})
    assert (status, set(counts.values())) == ("failed", {2_000_000})
    assert grown < 200_000


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("PANDERA_VALIDATION_ENABLED", "False"),
        ("PANDERA_VALIDATION_DEPTH", "SCHEMA_ONLY"),
        ("PANDERA_VALIDATION_DEPTH", "DATA_ONLY"),
        ("PANDERA_USE_NARWHALS_BACKEND", "True"),
    ],
)
def test_no_environment_variable_lowers_what_is_validated(tmp_path: Path, variable: str, value: str) -> None:
    path = write(tmp_path / "a.parquet", {"a": [1, 2]})
    document = {"columns": {"a": {"dtype": "int64", "checks": {"le": 1}}, "b": {}}}
    _, status, counts = in_fresh_process(path, document, **{variable: value})
    assert (status, counts) == ("failed", {"a": 1})


def test_the_measurement_names_what_shaped_it(tmp_path: Path) -> None:
    params = CHECK.params.model_validate({"document": INTEGER})
    measurement = measured(write(tmp_path / "a.parquet", {"a": [1]}), INTEGER)
    assert measurement.measured_with == CHECK.measuring_params(params)
    assert [(one.role, one.rows) for one in measurement.inputs] == [("predictions", 1)]
