"""The tables that rules look at, and how their columns are read: as text, numbers or instants, never converted."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from governance.check import Facts
from governance.errors import MeasurementRefused
from policies.frames.source import Source, open_further

EXAMPLES = 10
"""Rows that are named for each rule that fails."""

TEXT_LENGTH = 100
ROW = "assay row"


@dataclass(frozen=True, slots=True)
class Data:
    """The manifest's own files, and what is shown in place of personal values, by column."""

    facts: Facts
    sources: tuple[Source, ...]
    masks: Mapping[str, str]

    def holding(self, names: Sequence[str]) -> Source:
        """The first file that has all of the columns.

        Raises:
            MeasurementRefused: none has, or the column that is meant occurs twice.
        """
        for source in self.sources:
            if all(name in source.schema for name in names) and not source.repeated.intersection(names):
                return source
        known = sorted({name for source in self.sources for name in source.schema})
        raise MeasurementRefused(
            expected=f"one file with the columns {', '.join(names)}, once each",
            found=f"{', '.join(known[:50]) or 'no column'}",
            remedy="Correct the names in the policy, or add the columns.",
            pointer=names[0],
        )

    def table(self, name: str, columns: Sequence[str]) -> Source:
        """The manifest's further table, with these columns.

        Raises:
            MeasurementRefused: it is not in the manifest, or lacks a column.
        """
        source = open_further(self.facts, name)
        missing = [column for column in columns if column not in source.schema or column in source.repeated]
        if missing:
            raise MeasurementRefused(
                expected=f"the columns {', '.join(missing)} once each in the table {name!r}",
                found=f"{', '.join(list(source.schema)[:50]) or 'no column'}",
                remedy="Correct the names in the policy, or add the columns.",
                pointer=f"/tables/{name}",
            )
        return source

    def examples(self, frame: pl.LazyFrame, names: Sequence[str], broken: pl.Expr) -> list[dict[str, Any]]:
        """The first rows for which ``broken`` is true, with the values of their columns as they lie in the file."""
        found = frame.select(names).with_row_index(ROW).filter(broken).head(EXAMPLES).collect(engine="streaming")
        return [self.example(row[0], names, row[1:]) for row in found.iter_rows()]

    def rows(self, frame: pl.LazyFrame, names: Sequence[str], numbers: Sequence[int]) -> list[dict[str, Any]]:
        """The rows of these numbers as examples."""
        return self.examples(frame, names, pl.col(ROW).is_in(list(numbers))) if numbers else []

    def example(self, row: int, names: Sequence[str], values: Sequence[Any]) -> dict[str, Any]:
        """One row and its values; a personal one is shown by its category."""
        texts = [
            "null" if value is None else self.masks.get(name) or str(value)[:TEXT_LENGTH]
            for name, value in zip(names, values, strict=True)
        ]
        shown = [f"{name}={text}" for name, text in zip(names, texts, strict=True)] if len(names) > 1 else texts
        return {"row": row, "value": ", ".join(shown)}


def present(source: Source, name: str) -> pl.Expr:
    """Whether the column has a value: NaN is none."""
    column = pl.col(name)
    return column.is_not_null() & column.is_not_nan() if source.schema[name].is_float() else column.is_not_null()


def text_of(name: str) -> pl.Expr:
    """The column's values as text, for rules about their form."""
    return pl.col(name).cast(pl.String)


def number_of(source: Source, name: str) -> pl.Expr:
    """The column's values as doubles; null where there is none, NaN included, or where text is no number.

    Raises:
        MeasurementRefused: the column has a type of its own, and it is not that of numbers.
    """
    dtype = source.schema[name]
    if not dtype.is_numeric() and not source.is_text:
        raise MeasurementRefused(
            expected=f"numbers in {name!r}",
            found=f"a column of type {dtype}",
            remedy="Name a column of numbers; text is not turned into numbers.",
            pointer=name,
        )
    return pl.col(name).cast(pl.Float64, strict=False).fill_nan(None)


def unreadable(source: Source, name: str) -> pl.Expr:
    """Whether a text of the column is no number: nothing can be said about it, and it is counted."""
    if not source.is_text:
        return pl.lit(value=False)
    lower = pl.col(name).str.to_lowercase()
    return pl.col(name).is_not_null() & (lower != "nan") & pl.col(name).cast(pl.Float64, strict=False).is_null()


_INSTANTS = ("%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%d %H:%M:%S%.f%#z")
_LOCAL = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f")


def instant_of(source: Source, name: str) -> pl.Expr:
    """The column's instants in UTC; dates are their midnight, and text is read as ISO 8601 or becomes null.

    Raises:
        MeasurementRefused: the column is of another type.
    """
    dtype, column = source.schema[name], pl.col(name)
    if dtype == pl.Date:
        return column.cast(pl.Datetime("us")).dt.replace_time_zone("UTC")
    if isinstance(dtype, pl.Datetime):
        micro = column.dt.cast_time_unit("us")
        return micro.dt.replace_time_zone("UTC") if dtype.time_zone is None else micro.dt.convert_time_zone("UTC")
    if dtype == pl.String:
        zoned = [column.str.to_datetime(form, time_unit="us", time_zone="UTC", strict=False) for form in _INSTANTS]
        local = [column.str.to_datetime(form, time_unit="us", strict=False) for form in _LOCAL]
        dates = column.str.to_date("%Y-%m-%d", strict=False).cast(pl.Datetime("us"))
        return pl.coalesce(*zoned, *(one.dt.replace_time_zone("UTC") for one in (*local, dates)))
    raise MeasurementRefused(
        expected=f"dates, instants or their text in {name!r}",
        found=f"a column of type {dtype}",
        remedy="Name a column of instants; numbers are not turned into instants.",
        pointer=name,
    )
