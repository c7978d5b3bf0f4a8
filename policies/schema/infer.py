"""A first schema from a first file, for a person to correct: what the columns hold, and the limits seen in them."""

from collections.abc import Mapping
from typing import Any, get_args

import polars as pl

from governance.types.value import parse_value
from policies.frames.keys import Side, repeated
from policies.frames.source import Source
from policies.schema.params import DType, SchemaDocument
from policies.schema.source import declared_type, parsed

MOST_VALUES = 20
"""Text with at most this many different values, each met often, is proposed as a set of values."""

LEAST_USE = 10
"""Rows for each different value, on average, below which a set of values is not proposed."""

_CANDIDATES: tuple[DType, ...] = ("int64", "float64", "bool", "date", "datetime")
"""The types that text is tried as, the first that every value spells is proposed."""


def infer(source: Source) -> SchemaDocument:
    """The narrowest document that the file keeps: types, missing values, keys, ranges of numbers and dates, value sets.

    A proposal: limits are those of this file, and a set of values is proposed only where each is met often, so that no
    list of names or addresses is written down.
    """
    types = {name: _dtype(source, name) for name in source.schema}
    frame = source.frame.with_columns(
        parsed(name, dtype).alias(name)
        for name, dtype in types.items()
        if source.is_text and dtype not in (None, "str")
    )
    facts = _facts(frame, types)
    is_parquet = source.format == "parquet"
    columns = {name: _column(frame, name, dtype, facts, is_parquet=is_parquet) for name, dtype in types.items()}
    return parse_value(SchemaDocument, {"columns": columns, "strict": True}, what="an inferred schema")


def _dtype(source: Source, name: str) -> DType | None:
    """The declared type that the column's values are; None for types that documents have no word for."""
    found = source.schema[name]
    if not source.is_text:
        words: tuple[DType, ...] = get_args(DType)
        named = [word for word in words if declared_type(word) == found]
        return "datetime" if isinstance(found, pl.Datetime) and found.time_zone is None else next(iter(named), None)
    values = pl.col(name).drop_nulls()
    tried = source.frame.select(
        values.len().alias("values"),
        *(parsed(name, dtype).is_not_null().sum().alias(dtype) for dtype in _CANDIDATES),
    ).collect(engine="streaming")
    counts = tried.row(0, named=True)
    fitting = [dtype for dtype in _CANDIDATES if counts["values"] and counts[dtype] == counts["values"]]
    return next(iter(fitting), "str")


def _facts(frame: pl.LazyFrame, types: Mapping[str, DType | None]) -> dict[str, Any]:
    """Counts and limits of every column, in one pass."""
    wanted = [pl.len().alias("rows")]
    for name, dtype in types.items():
        column = pl.col(name)
        missing = column.is_null() | column.is_nan() if dtype in ("float32", "float64") else column.is_null()
        wanted.append(missing.sum().alias(f"missing {name}"))
        if dtype in (None, "bool"):
            continue
        wanted.append(column.approx_n_unique().alias(f"different {name}"))
        if dtype != "str":
            value = column.fill_nan(None) if dtype in ("float32", "float64") else column
            wanted += [value.min().alias(f"least {name}"), value.max().alias(f"most {name}")]
    return frame.select(wanted).collect(engine="streaming").row(0, named=True)


def _column(
    frame: pl.LazyFrame, name: str, dtype: DType | None, facts: Mapping[str, Any], *, is_parquet: bool
) -> dict[str, Any]:
    rows, missing = facts["rows"], facts[f"missing {name}"]
    different = facts.get(f"different {name}", 0)
    column: dict[str, Any] = {"dtype": dtype, "nullable": missing > 0}
    if dtype not in ("float32", "float64", None) and rows > 1 and not missing and different > 0.9 * rows:
        # The count of different values is an estimate; only a column that may be a key is looked through.
        column["unique"] = repeated(Side(frame, [name], is_parquet=is_parquet), examples=0).rows == 0
    least, most = facts.get(f"least {name}"), facts.get(f"most {name}")
    if least is not None and most is not None and not column.get("unique"):
        column["checks"] = {"in_range": [_shown(least), _shown(most)]}
    if dtype == "str" and 0 < different <= MOST_VALUES * 1.2:
        values = frame.select(pl.col(name).drop_nulls().unique().sort()).collect(engine="streaming")[name].to_list()
        if len(values) <= MOST_VALUES and rows - missing >= LEAST_USE * len(values):
            column["checks"] = {"isin": values}
    return column


def _shown(value: Any) -> Any:
    return value.isoformat() if hasattr(value, "isoformat") else value
