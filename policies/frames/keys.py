"""Which keys occur again, in one file or in another: exact, over whole files, in memory that hardly grows with rows.

A key's 64-bit hash says where to look: sixteen bytes a row, hash and number, are all that is held of a whole file. Rows
whose hashes meet are then compared by their values, some hashes at a time, so that no collision is ever counted.

Files are gone through in slices, since the scanning engine reads ahead of a slow taker without bound. Only Parquet can
be sliced without being read from the start: a larger file of another format is copied to it once.
"""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from governance.errors import MeasurementRefused
from policies.frames.pieces import COPY_GROUP_ROWS

_HASH, _ROW = "assay hash", "assay row"

PART_CELLS = 4_000_000
"""Cells of a slice, and cells compared by value at a time, of either file: about 32 MB of numbers."""


@dataclass(frozen=True, slots=True)
class Found:
    """How many rows there are of a kind, and the numbers of the first of them, counted from 0."""

    rows: int
    first: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Side:
    """The rows of one file, its columns that make the key, and whether the rows are read from Parquet."""

    frame: pl.LazyFrame
    names: Sequence[str]
    is_parquet: bool


def repeated(side: Side, *, examples: int) -> Found:
    """The rows whose values in the side's columns occur in another row too, the first of them included.

    A row in which one of the values is null is compared with none.
    """
    names = tuple(side.names)
    key = pl.struct(names) if len(names) > 1 else pl.col(names[0])
    with _sliceable(side.frame.select(names), is_parquet=side.is_parquet) as sliced:
        keys = _Keys(*sliced, names, nulls_match=False)
        hashes = keys.ordered_hashes()
        meeting = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
        parts = _parts(meeting, _occurrences(meeting, hashes), len(names))
        del hashes
        rows, first = 0, list[int]()
        with _meeting(keys, parts) as candidates:
            for part in parts:
                again = _of_part(candidates, part).filter(key.is_duplicated())[_ROW]
                rows += len(again)
                first = _first([*first, *again.sort().head(examples)], examples)
    return Found(rows, tuple(first))


@dataclass(frozen=True, slots=True)
class Matched:
    """Rows of a file by whether their key occurs in another: found, not found, and those whose key has a null."""

    found: Found
    absent: Found
    without_key: int


def matched(left: Side, right: Side, *, nulls_match: bool, examples: int) -> Matched:
    """The rows of ``left`` by whether their values occur in a row of ``right``; the sides' names are pairs.

    With ``nulls_match`` a null is a value like any other and equals a null; otherwise rows with one are left out.

    Raises:
        MeasurementRefused: a pair of columns holds values of different kinds.
    """
    on = tuple(f"assay key {number}" for number in range(len(left.names)))
    mine, other = _comparable(left, right, on)
    with (
        _sliceable(mine, is_parquet=left.is_parquet) as my_rows,
        _sliceable(other, is_parquet=right.is_parquet) as other_rows,
    ):
        return _matched(
            _Keys(*my_rows, on, nulls_match=nulls_match), _Keys(*other_rows, on, nulls_match=nulls_match), examples
        )


def _matched(ours: "_Keys", theirs: "_Keys", examples: int) -> Matched:
    others = theirs.ordered_hashes()
    numbers, own = ours.hashed()
    meets = pl.Series(own).is_in(pl.Series(others).unique().implode()).to_numpy()
    lost = _first(numbers[~meets], examples)
    meeting, counts = np.unique(own[meets], return_counts=True)
    parts = _parts(meeting, np.maximum(counts, _occurrences(meeting, others)), len(ours.names))
    count, absent = len(own), len(own) - int(meets.sum())
    del numbers, own, others, meets
    first = list[int]()
    with _meeting(ours, parts) as candidates, _meeting(theirs, parts) as known:
        for part in parts:
            mine, other = _of_part(candidates, part), _of_part(known, part).select(ours.names).unique()
            hits = mine.join(other, on=ours.names, how="semi", nulls_equal=True)[_ROW]
            first = _first([*first, *hits.sort().head(examples)], examples)
            if len(hits) < len(mine):
                # Another value with the same hash.
                collided = mine.join(other, on=ours.names, how="anti", nulls_equal=True)[_ROW]
                absent += len(collided)
                lost = _first([*lost, *collided.sort().head(examples)], examples)
    return Matched(Found(count - absent, tuple(first)), Found(absent, tuple(lost)), ours.rows - count)


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys of a file that can be sliced."""

    frame: pl.LazyFrame
    rows: int
    names: tuple[str, ...]
    nulls_match: bool

    def slices(self) -> Iterator[pl.LazyFrame]:
        """The compared rows with their numbers and the hashes of their values, a slice at a time; at least one."""
        size = max(1, PART_CELLS // len(self.names))
        key = pl.struct(self.names) if len(self.names) > 1 else pl.col(self.names[0])
        for start in range(0, max(1, self.rows), size):
            part = self.frame.slice(start, size).with_row_index(_ROW, start).with_columns(key.hash().alias(_HASH))
            yield part if self.nulls_match else part.drop_nulls(self.names)

    def ordered_hashes(self) -> Any:
        """The hashes of all compared rows, in order."""
        parts = [one.select(_HASH).collect(engine="streaming") for one in self.slices()]
        return pl.concat(parts)[_HASH].sort().to_numpy()

    def hashed(self) -> tuple[Any, Any]:
        """The numbers and the hashes of all compared rows."""
        found = pl.concat([one.select(_ROW, _HASH).collect(engine="streaming") for one in self.slices()])
        return found[_ROW].to_numpy(), found[_HASH].to_numpy()


@contextmanager
def _sliceable(frame: pl.LazyFrame, *, is_parquet: bool) -> Iterator[tuple[pl.LazyFrame, int]]:
    """The frame and its number of rows, copied to Parquet where slices of it would be read from the start."""
    rows = int(frame.select(pl.len()).collect(engine="streaming").item())
    if is_parquet or rows * len(frame.collect_schema()) <= PART_CELLS:
        yield frame, rows
        return
    with tempfile.TemporaryDirectory(prefix="assay-copy-") as folder:
        path = Path(folder) / "rows.parquet"
        frame.sink_parquet(path, row_group_size=COPY_GROUP_ROWS, compression="lz4", engine="streaming")
        yield pl.scan_parquet(path), rows


def _occurrences(meeting: Any, ordered: Any) -> Any:
    """How often each of the hashes occurs among the ordered ones."""
    return np.searchsorted(ordered, meeting, side="right") - np.searchsorted(ordered, meeting, side="left")


def _first(numbers: Any, examples: int) -> list[int]:
    """The smallest of the numbers, in their order."""
    found = np.asarray(numbers, dtype=np.int64)
    smallest = np.partition(found, examples)[:examples] if len(found) > examples else found
    return [int(number) for number in np.sort(smallest)]


def _parts(meeting: Any, rows: Any, width: int) -> list[Any]:
    """The ordered hashes in parts, each with about ``PART_CELLS`` cells at most; ``rows`` of each hash."""
    size = max(1, PART_CELLS // width)
    number = (np.cumsum(rows) - 1) // size
    return np.split(meeting, np.flatnonzero(np.diff(number)) + 1) if len(meeting) else []


@contextmanager
def _meeting(keys: _Keys, parts: Sequence[Any]) -> Iterator[Sequence[pl.LazyFrame]]:
    """The rows of any of the parts; a copy that lives as long as the block where there are several parts."""
    if len(parts) < 2:
        yield list(keys.slices())
        return
    hashes = np.concatenate(parts)
    with tempfile.TemporaryDirectory(prefix="assay-copy-") as folder:
        for number, one in enumerate(keys.slices()):
            found = _among(one, hashes).collect(engine="streaming")
            found.write_parquet(Path(folder) / f"{number:06d}.parquet", compression="lz4")
        yield [pl.scan_parquet(Path(folder) / "*.parquet")]


def _of_part(frames: Sequence[pl.LazyFrame], part: Any) -> pl.DataFrame:
    """The rows whose hashes are among the ordered ones of a part."""
    within = pl.col(_HASH).is_between(int(part[0]), int(part[-1]))
    return pl.concat([_among(one.filter(within), part).collect(engine="streaming") for one in frames])


def _among(keys: pl.LazyFrame, hashes: Any) -> pl.LazyFrame:
    return keys.join(pl.LazyFrame({_HASH: hashes}), on=_HASH, how="semi")


def _comparable(left: Side, right: Side, on: Sequence[str]) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Both sides with their columns under the same names, in types in which equal values have equal hashes."""
    ours, theirs = left.frame.collect_schema(), right.frame.collect_schema()
    sides: tuple[list[pl.Expr], list[pl.Expr]] = ([], [])
    for mine, other, alias in zip(left.names, right.names, on, strict=True):
        kinds = _kind(ours[mine]), _kind(theirs[other])
        if kinds[0] != kinds[1]:
            raise MeasurementRefused(
                expected="columns of one kind in both files",
                found=f"{mine} of type {ours[mine]} and {other} of type {theirs[other]}",
                remedy="Write the column the same way in both files; nothing is converted before it is compared.",
                pointer=mine,
            )
        # Words in categories are hashed by the numbers that a file gives them.
        is_one_type = ours[mine] == theirs[other] and not isinstance(ours[mine], pl.Categorical | pl.Enum)
        for side, name in zip(sides, (mine, other), strict=True):
            side.append(pl.col(name).cast(ours[mine] if is_one_type else kinds[0]).alias(alias))
    return left.frame.select(sides[0]), right.frame.select(sides[1])


def _kind(dtype: pl.DataType) -> pl.DataType:
    """The widest type that holds the same values."""
    if dtype.is_integer():
        return pl.Int128()
    if dtype.is_float():
        return pl.Float64()
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return pl.String()
    return dtype
