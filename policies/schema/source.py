"""The file as it was delivered, and its columns as the types that the document declares. Nothing is changed.

A CSV has no types: its text is read as a declared type where it spells a value of it exactly, and is a failure where
it does not. JSON has numbers without a width and dates as text: they are read likewise. Any other file has types, which
are compared with the declared ones and never cast.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from policies.frames.source import Source
from policies.schema.params import DType, SchemaDocument

_TYPES: dict[DType, pl.DataType] = {
    "int8": pl.Int8(),
    "int16": pl.Int16(),
    "int32": pl.Int32(),
    "int64": pl.Int64(),
    "uint8": pl.UInt8(),
    "uint16": pl.UInt16(),
    "uint32": pl.UInt32(),
    "uint64": pl.UInt64(),
    "float32": pl.Float32(),
    "float64": pl.Float64(),
    "bool": pl.Boolean(),
    "str": pl.String(),
    "date": pl.Date(),
    "datetime": pl.Datetime("us"),
}
_DATETIME_FORMATS = ("%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M:%S%.f")


@dataclass(frozen=True, slots=True)
class Delivered:
    """The rows twice: ``raw`` as they lie in the file, for examples, and ``typed`` for rules.

    ``readings`` make the one into the other: a text that does not spell its declared type becomes null, and so does
    NaN, a missing number by another name, which compares as larger than every limit. ``found`` are the types of the
    file. ``types`` are those that are compared: the same, or the declared ones for the columns in ``spelled``, where
    each row says by itself whether it spells a value.
    """

    raw: pl.LazyFrame
    readings: tuple[pl.Expr, ...]
    found: Mapping[str, pl.DataType]
    types: Mapping[str, pl.DataType]
    spelled: Mapping[str, pl.Expr]

    @property
    def typed(self) -> pl.LazyFrame:
        """The rows with the declared columns readable as their types."""
        return self.raw.with_columns(self.readings)


def deliver(source: Source, document: SchemaDocument) -> Delivered:
    """The file's rows, with the declared columns readable as their types."""
    readings: list[pl.Expr] = []
    types = dict(source.schema)
    spelled: dict[str, pl.Expr] = {}
    for name, rules in document.columns.items():
        if name not in types:
            continue
        read = _reading(source, name, rules.dtype)
        if read is not None:
            # NaN is a float by its spelling; whether it may be missing is the rule of nullable.
            spelled[name] = pl.col(name).is_null() | read.is_not_null()
            readings.append(read.fill_nan(None) if declared_type(rules.dtype).is_float() else read)
            types[name] = declared_type(rules.dtype)
        elif types[name].is_float():
            readings.append(pl.col(name).fill_nan(None))
    return Delivered(source.frame, tuple(readings), source.schema, types, spelled)


def _reading(source: Source, name: str, dtype: DType | None) -> pl.Expr | None:
    """The column's values as the declared type, where the format cannot hold it; null where a value spells none."""
    found, declared = source.schema[name], declared_type(dtype)
    if source.format == "jsonl" and found == pl.Null:
        return pl.col(name).cast(declared)
    if dtype is None or dtype == "str":
        return None
    if source.is_text or (source.format == "jsonl" and found == pl.String and dtype in ("date", "datetime")):
        return parsed(name, dtype)
    if source.format != "jsonl" or not (found.is_numeric() and declared.is_numeric()):
        return None
    value = pl.col(name)
    number = value.cast(declared, strict=False)
    if declared.is_integer():
        # In JSON 2 and 2.0 are the same number.
        return pl.when(value == value.floor()).then(number).alias(name) if found.is_float() else number
    return pl.when(~number.is_infinite() | value.is_infinite()).then(number).alias(name)


def declared_type(dtype: DType | None) -> pl.DataType:
    """The engine's type of a declared one; text where none is declared."""
    return _TYPES[dtype or "str"]


def is_declared(found: pl.DataType, dtype: DType) -> bool:
    """Whether a typed column is what was declared: exactly, but for how text is stored and instants are counted."""
    if dtype == "str":
        return isinstance(found, pl.String | pl.Categorical | pl.Enum)
    if dtype == "datetime":
        return isinstance(found, pl.Datetime)
    return found == _TYPES[dtype]


def compares_as(found: pl.DataType, declared: pl.DataType) -> bool:
    """Whether values of the found type can be held to rules written for the declared one."""
    if found.is_numeric() and declared.is_numeric():
        return True
    text = (pl.String, pl.Categorical, pl.Enum)
    if isinstance(found, text) and isinstance(declared, text):
        return True
    return type(found) is type(declared)


def parsed(name: str, dtype: DType | None) -> pl.Expr:
    """A column of text as the values of the declared type that it spells; null where it spells none."""
    text = pl.col(name)
    if dtype is None or dtype == "str":
        return text
    if dtype == "bool":
        lower = text.str.to_lowercase()
        return pl.when(lower.is_in(["true", "false"])).then(lower == "true").alias(name)
    if dtype == "date":
        return text.str.to_date("%Y-%m-%d", strict=False)
    if dtype == "datetime":
        readings = [text.str.to_datetime(form, time_unit="us", strict=False) for form in _DATETIME_FORMATS]
        return pl.coalesce(readings).alias(name)
    number = text.cast(_TYPES[dtype], strict=False)
    if dtype in ("float32", "float64"):
        lower = text.str.to_lowercase()
        overflowed = number.is_infinite() & ~lower.str.contains("inf", literal=True)
        nan = pl.lit(math.nan, dtype=_TYPES[dtype])
        return pl.when(lower == "nan").then(nan).when(~overflowed).then(number).alias(name)
    # A cast to an integer would take what is no integer's text in some versions of the engine.
    return pl.when(text.str.contains(r"^[+-]?[0-9]+$")).then(number).alias(name)
