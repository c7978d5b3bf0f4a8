"""Rows come from one file or from two joined by their key; what is ambiguous or missing is refused with its count."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from governance.errors import MeasurementRefused
from policies.frames.table import open_table
from tests.support.evidence import facts, write

ROWS: dict[str, list[Any]] = {"id": [1, 2, 3], "label": [1, 0, 1], "group": ["a", "b", "a"]}
PREDICTIONS: dict[str, list[Any]] = {"id": [3, 1, 2], "decision": [1, 1, 0]}


def joined(tmp_path: Path, dataset: dict[str, Any], predictions: dict[str, Any], suffixes: str = "pp") -> pl.DataFrame:
    """The rows of two files, each Parquet (``p``) or CSV (``c``)."""
    names = {"p": ".parquet", "c": ".csv"}
    one = write(tmp_path / f"data{names[suffixes[0]]}", dataset)
    two = write(tmp_path / f"predictions{names[suffixes[1]]}", predictions)
    return open_table(facts(two, one), ["label", "group", "decision"]).frame.collect()


@pytest.mark.parametrize("suffixes", ["pp", "cc", "pc", "cp"])
def test_rows_are_joined_by_key_and_never_by_position(tmp_path: Path, suffixes: str) -> None:
    frame = joined(tmp_path, ROWS, PREDICTIONS, suffixes)
    found = {tuple(str(value) for value in row) for row in frame.iter_rows()}
    assert found == {("1", "a", "1"), ("0", "b", "0")}
    assert len(frame) == 3


def test_a_key_that_has_another_name_in_the_dataset_joins(tmp_path: Path) -> None:
    one = write(tmp_path / "data.parquet", {"row": [1, 2], "label": [1, 0]})
    two = write(tmp_path / "predictions.parquet", {"id": [2, 1], "decision": [0, 1]})
    known = facts(two, one)
    assert known.manifest is not None
    assert known.manifest.dataset is not None
    assert known.manifest.dataset.file is not None
    file = known.manifest.dataset.file.model_copy(update={"join_on": "row"})
    manifest = known.manifest.model_copy(update={"dataset": known.manifest.dataset.model_copy(update={"file": file})})
    other = facts(two, one)
    frame = open_table(
        type(other)(other.subject, other.environment, other.evaluated_at, manifest, other.files), ["label", "decision"]
    ).frame.collect()
    assert sorted(frame.rows()) == [(0, 0), (1, 1)]


@pytest.mark.parametrize(
    ("dataset", "predictions", "found"),
    [
        (ROWS, {"id": [1, 2, 2], "decision": [1, 0, 0]}, "1 rows that repeat"),
        ({**ROWS, "id": [1, 1, 1]}, PREDICTIONS, "2 rows that repeat"),
        (ROWS, {"id": [1, 2, 4], "decision": [1, 0, 0]}, "1 rows of the dataset without one, 1 rows of the predict"),
        (ROWS, {"id": [1, 2], "decision": [1, 0]}, "1 rows of the dataset without one"),
        (ROWS, {"id": [1, None, 3], "decision": [1, 0, 1]}, "1 rows without it"),
        (ROWS, {"id": [1.0, 2.0, 3.0], "decision": [1, 0, 1]}, "Float64 in the predictions"),
        (ROWS, {"id": ["1", "2", "3"], "decision": [1, 0, 1]}, "String in the predictions"),
        (ROWS, {**PREDICTIONS, "label": [1, 0, 1]}, "label in both"),
        (ROWS, {"decision": [1, 0, 1]}, "only decision, group, id, label"),
    ],
)
def test_a_join_that_loses_repeats_or_confuses_rows_is_refused(
    tmp_path: Path, dataset: dict[str, Any], predictions: dict[str, Any], found: str
) -> None:
    with pytest.raises(MeasurementRefused) as fault:
        joined(tmp_path, dataset, predictions)
    assert found in fault.value.found


def test_every_missing_column_is_named_at_once(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.csv", {"group": ["a"]})
    with pytest.raises(MeasurementRefused, match="label, decision, age"):
        open_table(facts(path), ["group", "label", "decision", "age"])


def test_a_declared_column_that_a_header_repeats_is_refused_and_an_undeclared_one_is_not(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("label,label,group,other,other\n1,0,a,1,2\n", encoding="utf-8")
    assert open_table(facts(path), ["group"]).frame.collect().rows() == [("a",)]
    with pytest.raises(MeasurementRefused, match="label more than once"):
        open_table(facts(path), ["label"])


def test_a_declared_row_id_that_repeats_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", {"id": [1, 1], "label": [1, 0]})
    with pytest.raises(MeasurementRefused, match="1 rows that repeat"):
        open_table(facts(path, columns={"row_id": "id", "label": "label"}), ["label"])


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("rows.parquet", b"PAR1 this is no Parquet file"),
        ("rows.parquet", b""),
        ("rows.csv", b""),
        ("rows.csv", b"label,group\n1,a,too,many\n"),
        ("rows.csv", b"label,gr\xff\xfeoup\n1,a\n"),
    ],
)
def test_bytes_that_are_not_the_declared_format_are_refused(tmp_path: Path, name: str, content: bytes) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(MeasurementRefused):
        open_table(facts(path), ["label"]).frame.collect()


def test_a_file_that_is_not_at_hand_is_refused(tmp_path: Path) -> None:
    known = facts(write(tmp_path / "rows.csv", ROWS))
    without = type(known)(known.subject, known.environment, known.evaluated_at, known.manifest)
    with pytest.raises(MeasurementRefused, match="Upload the file"):
        open_table(without, ["label"])


def test_a_path_with_wildcards_is_one_file(tmp_path: Path) -> None:
    write(tmp_path / "rows1.parquet", {"label": [0], "group": ["b"]})
    folder = tmp_path / "label=9"
    folder.mkdir()
    path = write(folder / "rows*.parquet", {"label": [1], "group": ["a"]})
    assert open_table(facts(path), ["label", "group"]).frame.collect().rows() == [(1, "a")]
