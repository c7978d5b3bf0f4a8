"""Which keys occur again, in one file or in another: exact, over whole files, in memory that does not grow with rows.

A key's 64-bit hash says where to look: eight bytes a row are all that is held of a whole file. Rows whose hashes meet
are then compared by their values, a part of the hashes at a time, so that no collision is ever counted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from governance.errors import MeasurementRefused

_HASH, _ROW = "assay hash", "assay row"

FEW = 100_000
"""So many distinct hashes are looked up at once; beyond, a file is gone through part by part."""

PART_ROWS = 1_000_000
"""Rows compared by value at a time."""


@dataclass(frozen=True, slots=True)
class Found:
    """How many rows there are of a kind, and the numbers of the first of them, counted from 0."""

    rows: int
    first: tuple[int, ...]


def repeated(frame: pl.LazyFrame, names: Sequence[str], *, examples: int) -> Found:
    """The rows whose values in ``names`` occur in another row too, the first of them included.

    A row in which one of the values is null is compared with none.
    """
    keys = _keyed(frame, names)
    hashes = _hashes(keys.filter(~_any_null(names)))
    meeting = np.unique(hashes[1:][hashes[1:] == hashes[:-1]])
    rows, first = 0, list[int]()
    for part in _parts(meeting, len(hashes)):
        own = keys.filter(~_any_null(names) & part).collect(engine="streaming")
        key = pl.struct(names) if len(names) > 1 else pl.col(names[0])
        again = own.filter(key.is_duplicated())[_ROW]
        rows += len(again)
        first = sorted([*first, *again.sort().head(examples).to_list()])[:examples]
    return Found(rows, tuple(first))


@dataclass(frozen=True, slots=True)
class Matched:
    """Rows of a file by whether their key occurs in another: found, not found, and those whose key has a null."""

    found: Found
    absent: Found
    without_key: int


def matched(
    left: pl.LazyFrame, right: pl.LazyFrame, names: Sequence[tuple[str, str]], *, nulls_match: bool, examples: int
) -> Matched:
    """The rows of ``left`` by whether their values occur in a row of ``right``; ``names`` pairs the columns.

    With ``nulls_match`` a null is a value like any other and equals a null; otherwise rows with one are left out.

    Raises:
        MeasurementRefused: a pair of columns holds values of different kinds.
    """
    on = [f"assay key {number}" for number in range(len(names))]
    ours, theirs = _comparable(left, right, names, on)
    keep = pl.lit(value=True) if nulls_match else ~_any_null(on)
    ours_keyed, theirs_keyed = _keyed(ours, on), _keyed(theirs, on)
    wanted = np.unique(_hashes(theirs_keyed.filter(keep)))
    own = _hashes(ours_keyed.filter(keep))
    meeting = np.intersect1d(own, wanted)
    total = int(ours.select(pl.len()).collect(engine="streaming").item())
    rows, first, collided = 0, list[int](), list[int]()
    for part in _parts(meeting, max(len(own), len(wanted))):
        mine = ours_keyed.filter(keep & part).collect(engine="streaming")
        other = theirs_keyed.filter(keep & part).select(on).unique().collect(engine="streaming")
        hits = mine.join(other, on=on, how="semi", nulls_equal=True)[_ROW]
        rows += len(hits)
        first = sorted([*first, *hits.sort().head(examples).to_list()])[:examples]
        if len(hits) < len(mine):
            # Another value with the same hash, or another part's rows; either is absent where its hash is wanted.
            lost = mine.join(other, on=on, how="anti", nulls_equal=True)
            lost = lost.filter(pl.col(_HASH).is_in(pl.Series(meeting).implode()))
            collided += lost[_ROW].sort().head(examples).to_list()
    known = pl.Series(wanted).implode()
    missing = _first_rows(ours_keyed.filter(keep & ~pl.col(_HASH).is_in(known)), examples) if rows < len(own) else []
    absent = sorted([*missing, *collided])[:examples]
    return Matched(Found(rows, tuple(first)), Found(len(own) - rows, tuple(absent)), total - len(own))


def _keyed(frame: pl.LazyFrame, names: Sequence[str]) -> pl.LazyFrame:
    """The columns with the row's number and the hash of their values."""
    key = pl.struct(names) if len(names) > 1 else pl.col(names[0])
    return frame.select(names).with_row_index(_ROW).with_columns(key.hash().alias(_HASH))


def _any_null(names: Sequence[str]) -> pl.Expr:
    return pl.any_horizontal(pl.col(name).is_null() for name in names)


def _hashes(frame: pl.LazyFrame) -> Any:
    """The hashes of all rows, sorted."""
    hashes = frame.select(_HASH).collect(engine="streaming")[_HASH].to_numpy(writable=True)
    hashes.sort()
    return hashes


def _parts(meeting: Any, rows: int) -> list[pl.Expr]:
    """Conditions on the hash that go through the meeting ones, each with about ``PART_ROWS`` rows at most."""
    if len(meeting) == 0:
        return []
    if len(meeting) <= FEW:
        return [pl.col(_HASH).is_in(pl.Series(meeting).implode())]
    count = math.ceil(rows / PART_ROWS)
    return [pl.col(_HASH) % count == number for number in range(count)]


def _first_rows(frame: pl.LazyFrame, examples: int) -> list[int]:
    rows: list[int] = frame.select(_ROW).head(examples).collect(engine="streaming")[_ROW].to_list()
    return rows


def _comparable(
    left: pl.LazyFrame, right: pl.LazyFrame, names: Sequence[tuple[str, str]], on: Sequence[str]
) -> tuple[pl.LazyFrame, pl.LazyFrame]:
    """Both sides with their columns under the same names, in types in which equal values have equal hashes."""
    ours, theirs = left.collect_schema(), right.collect_schema()
    sides: tuple[list[pl.Expr], list[pl.Expr]] = ([], [])
    for (mine, other), alias in zip(names, on, strict=True):
        kinds = _kind(ours[mine]), _kind(theirs[other])
        if kinds[0] != kinds[1]:
            raise MeasurementRefused(
                expected="columns of one kind in both files",
                found=f"{mine} of type {ours[mine]} and {other} of type {theirs[other]}",
                remedy="Write the column the same way in both files; nothing is converted before it is compared.",
                pointer=mine,
            )
        for side, name in zip(sides, (mine, other), strict=True):
            side.append(pl.col(name).cast(kinds[0]).alias(alias))
    return left.select(sides[0]), right.select(sides[1])


def _kind(dtype: pl.DataType) -> pl.DataType:
    """The widest type that holds the same values."""
    if dtype.is_integer():
        return pl.Int128()
    if dtype.is_float():
        return pl.Float64()
    if isinstance(dtype, pl.Categorical | pl.Enum):
        return pl.String()
    return dtype
