"""What a policy may set for the schema check: the document that the file is held to."""

import math
import re
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any, Literal, Self

from pydantic import Field, JsonValue, field_validator, model_validator

from governance.check import Params
from governance.errors import MeasurementRefused
from governance.types.schema import SchemaReference
from governance.types.value import Value
from policies.schema.rules import RowRule, parse_rule

DType = Literal[
    "int8",
    "int16",
    "int32",
    "int64",
    "uint8",
    "uint16",
    "uint32",
    "uint64",
    "float32",
    "float64",
    "bool",
    "str",
    "date",
    "datetime",
]
"""The types a column can be declared as. ``datetime`` has no time zone in text; any unit will do in Parquet."""

_ALIASES = {"int": "int64", "float": "float64", "boolean": "bool", "string": "str", "object": "str"}

Kind = Literal["number", "text", "truth", "date", "datetime"]

_ORDER = ("gt", "ge", "lt", "le")
_TEXT = ("str_matches", "str_contains", "str_startswith", "str_endswith")
CHECK_NAMES = (*_ORDER, "eq", "ne", "in_range", "isin", "notin", *_TEXT, "str_length")
"""Rules over the values of one column: Pandera's built-in checks under their short names."""


def kind_of(dtype: str | None) -> Kind:
    """What the values of a declared type are compared as; text where no type is declared."""
    kinds: dict[str, Kind] = {"bool": "truth", "date": "date", "datetime": "datetime"}
    if dtype is None or dtype == "str":
        return "text"
    return kinds.get(dtype, "number")


def literal(value: JsonValue, kind: Kind) -> Any:
    """A value of the document as one that the column's values compare with.

    Raises:
        ValueError: it is of another kind, or no date in ISO 8601 where one is needed.
    """
    if kind == "truth" and isinstance(value, bool):
        return value
    if kind == "number" and isinstance(value, int | float) and not isinstance(value, bool):
        return value
    if isinstance(value, str):
        readers: dict[Kind, Any] = {"text": str, "date": date.fromisoformat, "datetime": datetime.fromisoformat}
        if kind in readers:
            return readers[kind](value)
    raise ValueError(f"{value!r} is not comparable with a column of kind {kind}")


def check_arguments(name: str, value: JsonValue, kind: Kind) -> dict[str, Any]:
    """The arguments of the rule ``name``, with literals of the column's kind.

    ``in_range`` and ``str_length`` take ``[low, high]`` (both included) or the named form ``{min_value, max_value}``,
    ``in_range`` also ``include_min`` and ``include_max``, ``str_length`` one bound alone or ``exact_value``.

    Raises:
        ValueError: arguments of the wrong form or kind, or a rule that does not fit the column's kind.
    """
    if name in (*_TEXT, "str_length") and kind != "text":
        raise ValueError(f"{name} needs a column of text")
    if name in _TEXT:
        return _text_arguments(name, value)
    if name in ("isin", "notin"):
        if not isinstance(value, list) or not value:
            raise ValueError(f"{name} takes a list of values")
        return {"allowed_values" if name == "isin" else "forbidden_values": [literal(one, kind) for one in value]}
    if name == "str_length":
        return _length(value)
    if name == "in_range":
        return _range(value, kind)
    argument = {"gt": "min_value", "ge": "min_value", "lt": "max_value", "le": "max_value"}.get(name, "value")
    return {argument: literal(value, kind)}


def _text_arguments(name: str, value: JsonValue) -> dict[str, Any]:
    if not isinstance(value, str):
        raise ValueError(f"{name} takes a text")
    if name not in ("str_matches", "str_contains"):
        return {"string": value}
    try:
        re.compile(value)
    except re.error as fault:
        raise ValueError(f"{value!r} is no regular expression: {fault}") from fault
    return {"pattern": value}


def _length(value: JsonValue) -> dict[str, Any]:
    if isinstance(value, list) and len(value) == 2:
        value = {"min_value": value[0], "max_value": value[1]}
    given: dict[str, Any] = {}
    if isinstance(value, Mapping):
        given = {key: one for key, one in value.items() if one is not None}
    if not given or not set(given) <= {"min_value", "max_value", "exact_value"}:
        raise ValueError("str_length takes [low, high], min_value, max_value or exact_value")
    if not all(isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in given.values()):
        raise ValueError("str_length takes whole numbers")
    if given.get("min_value", 0) > given.get("max_value", math.inf):
        raise ValueError("str_length has its bounds the wrong way round")
    return given


def _range(value: JsonValue, kind: Kind) -> dict[str, Any]:
    if isinstance(value, list) and len(value) == 2:
        value = {"min_value": value[0], "max_value": value[1]}
    bounds, options = {"min_value", "max_value"}, {"include_min", "include_max"}
    if not isinstance(value, Mapping) or not bounds <= set(value) <= bounds | options:
        raise ValueError("in_range takes [low, high] or min_value and max_value")
    if not all(isinstance(value.get(option, True), bool) for option in options):
        raise ValueError("include_min and include_max are true or false")
    low, high = literal(value["min_value"], kind), literal(value["max_value"], kind)
    if low > high:
        raise ValueError("in_range has its bounds the wrong way round")
    given = {option: value.get(option, True) for option in sorted(options)}
    return {"min_value": low, "max_value": high, **given}


class ColumnRules(Value):
    """What one column must be. A column without ``dtype`` is not held to a type, and compared as text."""

    dtype: DType | None = None
    nullable: bool = Field(False, description="Whether values may be missing: null, and NaN in a column of floats.")
    unique: bool = Field(False, description="Whether no value may occur twice in the whole file; nulls aside.")
    required: bool = Field(True, description="Whether the column must be there.")
    checks: dict[str, JsonValue] = Field(default_factory=dict)
    categories: tuple[str, ...] = Field((), description="Categories of personal data; its values are never shown.")
    coerce: bool = Field(False, description="Taken and not honoured: data are judged as delivered.")
    title: str | None = None
    description: str | None = None

    @field_validator("dtype", mode="before")
    @classmethod
    def _known_spelling(cls, name: Any) -> Any:
        return _ALIASES.get(name.lower(), name.lower()) if isinstance(name, str) else name

    @model_validator(mode="after")
    def _checks_fit(self) -> Self:
        for name, value in self.checks.items():
            if name not in CHECK_NAMES:
                raise ValueError(f"{name!r} is none of the checks {', '.join(CHECK_NAMES)}")
            check_arguments(name, value, kind_of(self.dtype))
        return self


class SchemaDocument(Value):
    """The schema of a file. Options that change data before they are judged are taken, named, and not honoured."""

    columns: dict[str, ColumnRules] = Field(min_length=1, max_length=5000)
    strict: bool = Field(False, description="Whether further columns are a fault.")
    ordered: bool = Field(False, description="Whether the columns must come in the document's order.")
    row_rules: tuple[str, ...] = Field((), description="Comparisons that every row must meet: low <= high.")
    unique: tuple[tuple[str, ...], ...] = Field((), description="Sets of columns whose values together occur once.")
    min_rows: int = Field(1, ge=1, description="The least number of rows.")
    max_rows: int | None = Field(None, ge=1, description="The most rows.")
    chunk_rows: int | None = Field(None, ge=1, description="A hint that changes no outcome: files are judged whole.")
    coerce: bool = Field(False, description="Not honoured: data are judged as delivered.")
    drop_invalid_rows: bool = Field(False, description="Not honoured: no row is dropped before it is judged.")
    add_missing_columns: bool = Field(False, description="Not honoured: a missing column is a fault.")
    name: str | None = None
    title: str | None = None
    description: str | None = None

    @field_validator("unique", mode="before")
    @classmethod
    def _one_or_several_sets(cls, value: Any) -> Any:
        """Pandera's own form is one flat list of columns."""
        flat = isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(x, str) for x in value)
        return [value] if flat and value else value

    @model_validator(mode="after")
    def _rules_name_declared_columns(self) -> Self:
        if self.max_rows is not None and self.max_rows < self.min_rows:
            raise ValueError("max_rows is below min_rows")
        for columns in self.unique:
            _refuse_undeclared(columns, self.columns, "unique")
        for rule in self.parsed_rules:
            _refuse_undeclared(rule.columns, self.columns, rule.text)
            kinds = {kind_of(self.columns[column].dtype) for column in rule.columns}
            if not rule.right_is_column:
                literal(rule.right, kinds.copy().pop())
            if len(kinds) > 1:
                raise ValueError(f"{rule.text!r} compares {' with '.join(sorted(kinds))}")
        return self

    def masks(self) -> dict[str, tuple[str, ...]]:
        """The categories of the columns that declare any."""
        return {name: rules.categories for name, rules in self.columns.items() if rules.categories}

    @property
    def parsed_rules(self) -> tuple[RowRule, ...]:
        """The row rules as comparisons."""
        return tuple(parse_rule(text) for text in self.row_rules)

    @property
    def not_honoured(self) -> tuple[str, ...]:
        """The options that would change data, as people would name them."""
        whole = [name for name in ("coerce", "drop_invalid_rows", "add_missing_columns") if getattr(self, name)]
        return (*whole, *(f"coerce of {name}" for name, rules in self.columns.items() if rules.coerce))


def _refuse_undeclared(names: Sequence[str], columns: Mapping[str, ColumnRules], where: str) -> None:
    missing = [name for name in names if name not in columns]
    if missing:
        raise ValueError(f"{where!r} names {', '.join(missing)}, which the document does not declare")


class SchemaParams(Params):
    """What the dataset's file is held to, or that of the predictions where there is no dataset file.

    A policy gives the document itself, or names a registered ``schema``, which the gate (or ``assay check``) looks up
    before it measures; with neither, the manifest must name one.
    """

    # ``document`` is a method of every value and ``schema`` one of pydantic's, so that the fields have other names.
    rules: SchemaDocument | None = Field(None, alias="document")
    registered: SchemaReference | None = Field(None, alias="schema")

    def resolved(self) -> SchemaDocument:
        """The document that is measured.

        Raises:
            MeasurementRefused: there is only a reference, or nothing at all.
        """
        if self.rules is None:
            raise MeasurementRefused(
                expected="the document of a schema",
                found=f"{self.registered}, which is not registered here" if self.registered else "none",
                remedy="Name a registered schema in the policy or the manifest, or write the document in the policy.",
                pointer="/document",
            )
        return self.rules
