"""Cells of CSV: what a spreadsheet would run is text, numbers stay numbers, and every text comes back whole."""

import csv
import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.cells import csv_line, neutral_cell

STARTS = "=+-@\t\r\n＝＋－＠"


@pytest.mark.parametrize("start", STARTS)
def test_what_could_begin_a_formula_gets_an_apostrophe(start: str) -> None:
    assert neutral_cell(f"{start}cmd") == f"'{start}cmd"
    assert neutral_cell(f"  {start}cmd") == f"'  {start}cmd"


def test_numbers_are_written_as_numbers_and_none_as_nothing() -> None:
    assert csv_line([-1, 2.5, None, "-1"]) == "-1,2.5,,'-1\r\n"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")), min_size=2))
def test_every_line_reads_back_as_its_cells_and_no_text_cell_begins_a_formula(cells: list[str]) -> None:
    (read,) = csv.reader(io.StringIO(csv_line(cells), newline=""))
    assert [cell.removeprefix("'") if cell != text else cell for cell, text in zip(read, cells, strict=True)] == cells
    assert not any(cell.lstrip()[:1] in tuple(STARTS) or cell[:1] in tuple(STARTS) for cell in read if cell.strip())
