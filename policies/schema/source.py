"""The file as it was delivered, and its columns as the types that the document declares. Nothing is changed.

A CSV has no types: its text is read as a declared type where it spells a value of it exactly, and is a failure where
it does not. A typed file is compared with the declared types and never cast.
"""

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

    In ``typed`` a text that does not spell its declared type is null, and so is NaN: a missing number by another
    name, which compares as larger than every limit. ``types`` are those of the file; ``is_text`` says it has none.
    """

    raw: pl.LazyFrame
    typed: pl.LazyFrame
    types: dict[str, pl.DataType]
    is_text: bool


def deliver(source: Source, document: SchemaDocument) -> Delivered:
    """The file's rows, with the declared columns readable as their types."""
    expressions = []
    types = dict(source.schema)
    for name, rules in document.columns.items():
        if name not in types:
            continue
        if source.is_text:
            types[name] = declared_type(rules.dtype)
            expressions.append(_parsed(name, rules.dtype))
        elif types[name].is_float():
            expressions.append(pl.col(name).fill_nan(None))
        elif isinstance(types[name], pl.Categorical | pl.Enum):
            # A dictionary is a way to store text, not another value.
            expressions.append(pl.col(name).cast(pl.String))
    return Delivered(source.frame, source.frame.with_columns(expressions), types, source.is_text)


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


def spells(name: str, dtype: DType | None) -> pl.Expr:
    """Whether the text of a CSV column spells a value of the declared type; a missing value spells none and is fine."""
    # NaN is a float by its spelling; whether it may be missing is the rule of nullable.
    nan = pl.col(name).str.to_lowercase().is_in(["nan"]) if dtype in ("float32", "float64") else pl.lit(value=False)
    return pl.col(name).is_null() | _parsed(name, dtype).is_not_null() | nan


def _parsed(name: str, dtype: DType | None) -> pl.Expr:
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
        overflowed = number.is_infinite() & ~text.str.to_lowercase().str.contains("inf", literal=True)
        return pl.when(~overflowed).then(number.fill_nan(None)).alias(name)
    # A cast to an integer would take what is no integer's text in some versions of the engine.
    return pl.when(text.str.contains(r"^[+-]?[0-9]+$")).then(number).alias(name)
