"""Every format of a manifest gives the same cells, and a file that is not of its format is refused."""

import json
from pathlib import Path

import polars as pl
import pytest

from governance.errors import MeasurementRefused
from policies.frames.cells import Cells, read_cells
from tests.support.evidence import facts, write

ROWS = {
    "label": [1, 0, 1, 1, 0, 1],
    "decision": [1, 0, 0, 1, 1, 1],
    "group": ["a", "a", "b", None, "b", "a"],
    "w": [1.5, 0.25, 3.0, 1.0, 0.125, 2.0],
}
COLUMNS = {"label": "label", "decision": "decision", "weight": "w"}


def cells(path: Path) -> Cells:
    """The cells of a file over its only attribute."""
    return read_cells(facts(path, columns=COLUMNS), ["group"])


@pytest.mark.parametrize("suffix", ["csv", "jsonl", "arrow"])
def test_a_format_gives_the_cells_of_parquet(tmp_path: Path, suffix: str) -> None:
    expected = cells(write(tmp_path / "rows.parquet", ROWS))
    found = cells(write(tmp_path / f"rows.{suffix}", ROWS))
    assert (found.cells, found.is_weighted, found.rows) == (expected.cells, expected.is_weighted, expected.rows)


@pytest.mark.parametrize("suffix", ["parquet", "arrow"])
def test_words_of_a_dictionary_are_groups_like_any_text(tmp_path: Path, suffix: str) -> None:
    frame = pl.DataFrame(ROWS).with_columns(pl.col("group").cast(pl.Categorical))
    assert cells(write(tmp_path / f"rows.{suffix}", frame)).cells == cells(write(tmp_path / "p.parquet", ROWS)).cells


def test_a_value_of_another_kind_far_down_a_file_of_json_lines_is_not_read_as_missing(tmp_path: Path) -> None:
    lines = [{"label": 1, "decision": 1, "group": "a", "w": 1} for _ in range(5000)]
    path = tmp_path / "rows.jsonl"
    path.write_text("\n".join(json.dumps(line) for line in [*lines, {**lines[0], "decision": "yes"}]))
    with pytest.raises(MeasurementRefused):
        cells(path)


@pytest.mark.parametrize(
    ("suffix", "content"),
    [("jsonl", b'{"label": 1\n'), ("jsonl", b"[1, 2]\n3\n"), ("arrow", b"ARROW1 and no more"), ("parquet", b"PAR1")],
)
def test_bytes_that_are_not_of_their_format_are_refused(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"rows.{suffix}"
    path.write_bytes(content)
    with pytest.raises(MeasurementRefused):
        cells(path)
