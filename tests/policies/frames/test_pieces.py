"""Files come whole and in order, whatever their format and however small the pieces."""

from pathlib import Path

import polars as pl
import pytest

from governance.errors import MeasurementRefused
from policies.frames.pieces import each_piece
from policies.frames.source import open_sources, refusing_unreadable
from tests.support.evidence import facts, write

TABLE = pl.DataFrame(
    {
        "b": ["x", None, "z", 'a "quoted"\nline'],
        "a": [1, 2, None, 4],
        "c": pl.Series(["u", "v", "u", None], dtype=pl.Categorical),
    }
)


@pytest.mark.parametrize("name", ["a.parquet", "a.csv", "a.jsonl", "a.arrow"])
@pytest.mark.parametrize("size", [1, 3, 10])
def test_the_pieces_of_a_file_are_the_file(tmp_path: Path, name: str, size: int) -> None:
    table = TABLE if name != "a.jsonl" else TABLE.cast({"c": pl.String})
    source = open_sources(facts(write(tmp_path / name, table), sensitive={}))[0]
    pieces: list[pl.DataFrame] = []
    each_piece(source, ["a", "c", "b"], pieces.append, rows=len(table), size=size)
    assert all(len(piece) <= size for piece in pieces)
    assert pl.concat(pieces).equals(source.frame.select("a", "c", "b").collect())


@pytest.mark.parametrize("damaged", [slice(20_000, 60_000), slice(-60, None)])
def test_a_file_that_is_damaged_after_it_was_opened_is_refused(tmp_path: Path, damaged: slice) -> None:
    path = write(tmp_path / "a.parquet", pl.DataFrame({"a": [f"{number * 7919}" for number in range(20_000)]}))
    source = open_sources(facts(path, sensitive={}))[0]
    content = bytearray(path.read_bytes())
    content[damaged] = b"\xff" * len(content[damaged])
    path.write_bytes(content)
    with pytest.raises(MeasurementRefused, match="declared format"), refusing_unreadable("the predictions"):
        each_piece(source, ["a"], lambda _: None, rows=20_000, size=100)
