"""Columns that must hold numbers: scores, weights, numeric attributes. Text of a CSV is read strictly or refused."""

import math

import polars as pl

from governance.errors import MeasurementRefused
from policies.frames.source import refusing_unreadable
from policies.frames.table import Table


def number_expression(column: str) -> pl.Expr:
    """The column as doubles; text that is no number becomes null, which ``refuse_unusable_numbers`` counted before."""
    return pl.col(column).cast(pl.Float64, strict=False)


def decision_expression(table: Table, column: str, threshold: str) -> pl.Expr:
    """Whether the score is at or above the threshold.

    A column of 32-bit floats is compared in its own precision, so that 0.7 is 0.7 in both.
    """
    if table.schema[column] == pl.Float32:
        return pl.col(column) >= pl.lit(finite(threshold), dtype=pl.Float32)
    return number_expression(column) >= pl.lit(finite(threshold), dtype=pl.Float64)


def refuse_unusable_numbers(
    table: Table, column: str, what: str, *, nulls_allowed: bool, weights: tuple[float, float] | None = None
) -> None:
    """Refuse a column that does not hold finite numbers; ``weights`` also asks for 0 or a number in this range.

    Raises:
        MeasurementRefused: the column is of another kind, or some rows are missing, no numbers, infinite or out of
            range, with the counts.
    """
    dtype = table.schema[column]
    if not dtype.is_numeric() and column not in table.text_only:
        raise MeasurementRefused(
            expected=f"numbers in {what}",
            found=f"a column of type {dtype}",
            remedy="Write the column as numbers; text is not turned into numbers.",
            pointer=column,
        )
    raw = pl.col(column)
    number = number_expression(column)
    least, most = weights or (0.0, 0.0)
    within = pl.lit(True) if weights is None else (number == 0) | number.is_between(least, most)
    faults = {
        "missing": raw.is_null() | number.is_nan() if not nulls_allowed else pl.lit(False),
        "no number": raw.is_not_null() & number.is_null(),
        "infinite": number.is_infinite(),
        "out of range": ~within & number.is_finite(),
    }
    with refusing_unreadable("the rows"):
        counts = (
            table.frame.select([expression.fill_null(False).sum().alias(name) for name, expression in faults.items()])
            .collect(engine="streaming")
            .row(0, named=True)
        )
    found = {name: count for name, count in counts.items() if count}
    if found:
        raise MeasurementRefused(
            expected=f"a finite number in {what}" + (f", 0 or from {least:g} to {most:g}" if weights else ""),
            found=", ".join(f"{count} rows {name}" for name, count in found.items()),
            remedy="Correct or leave out those rows on purpose.",
            pointer=column,
        )


def finite(text: str) -> float:
    """A declared number as a double.

    Raises:
        MeasurementRefused: it is beyond the range of a double.
    """
    number = float(text)
    if not math.isfinite(number):
        raise MeasurementRefused(
            expected="a number within the range of a double", found=text, remedy="Correct the manifest."
        )
    return number
