"""A file's rows piece by piece, in their order, in memory that does not grow with the file.

The scanning engine reads ahead of a slow taker without bound; Arrow's own reader of Parquet does not. A file of another
format is copied to Parquet once, which the engine does in bounded memory.
"""

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import polars as pl
from pyarrow import ArrowException, parquet

from policies.frames.source import Source

COPY_GROUP_ROWS = 100_000
"""Rows of a group of the copy; a group is what its reader holds at least."""


def each_piece(
    source: Source, columns: Sequence[str], take: Callable[[pl.DataFrame], None], *, rows: int, size: int
) -> None:
    """Hand the columns to ``take``, ``size`` rows at a time, of a file that has ``rows``.

    Raises:
        OSError: the file is damaged where it is read now.
    """
    frame = source.frame.select(columns)
    if rows <= size:
        take(frame.collect(engine="streaming"))
        return
    wanted = pl.Schema({name: source.schema[name] for name in columns})
    try:
        with _as_parquet(source, frame, wanted) as path:
            for piece in _pieces(path, wanted, size):
                take(piece)
    except ArrowException as fault:
        raise OSError(str(fault)) from fault


@contextmanager
def _as_parquet(source: Source, frame: pl.LazyFrame, wanted: pl.Schema) -> Iterator[Path]:
    """The file itself, or a copy of its columns that lives as long as the block."""
    if source.path is not None and source.format == "parquet" and _reads_alike(source.path, wanted):
        yield source.path
        return
    with tempfile.TemporaryDirectory(prefix="assay-copy-") as folder:
        path = Path(folder) / "rows.parquet"
        frame.sink_parquet(path, row_group_size=COPY_GROUP_ROWS, compression="lz4", engine="streaming")
        yield path


def _reads_alike(path: Path, wanted: pl.Schema) -> bool:
    """Whether Arrow's reader gives the columns the types that the engine's gives; dictionaries mean their words."""
    found = pl.DataFrame(parquet.read_schema(path).empty_table()).schema
    return all(_plain(found[name]) == dtype for name, dtype in wanted.items())


def _plain(dtype: pl.DataType) -> pl.DataType:
    return pl.String() if isinstance(dtype, pl.Categorical | pl.Enum) else dtype


def _pieces(path: Path, wanted: pl.Schema, size: int) -> Iterator[pl.DataFrame]:
    with parquet.ParquetFile(path, pre_buffer=False) as file:
        for batch in file.iter_batches(batch_size=size, columns=list(wanted)):
            # Reading by name gives the file's order of columns.
            yield pl.DataFrame(batch).select(wanted.names()).cast(wanted)
