"""The measurement of the schema check: exact counts of what breaks each rule, few examples, memory near the file's.

Rules are Pandera checks on its Polars backend, run one at a time: each leaves one truth value a row, from which the
count and the examples are taken, so that no report grows with the number of failures.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import version
from operator import eq, ge, gt, le, lt, ne
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData
from pandera.config import ValidationDepth, config_context, get_config_global, set_config

from governance.check import Facts
from governance.types.results import Input, Measurement
from policies.frames.source import Source, open_sources, refusing_unreadable
from policies.schema.params import ColumnRules, SchemaDocument, SchemaParams, check_arguments, kind_of, literal
from policies.schema.rules import RowRule
from policies.schema.source import Delivered, compares_as, declared_type, deliver, is_declared, spells

EXAMPLES = 10
"""Rows that are named for each rule that fails."""

TEXT_LENGTH = 100
NAMES = 100
"""Columns that are listed where columns are missing or too many; the counts are exact."""

_BUILT_IN: dict[str, Any] = {
    "gt": pa.Check.gt,
    "ge": pa.Check.ge,
    "lt": pa.Check.lt,
    "le": pa.Check.le,
    "eq": pa.Check.eq,
    "ne": pa.Check.ne,
    "in_range": pa.Check.in_range,
    "isin": pa.Check.isin,
    "notin": pa.Check.notin,
    "str_matches": pa.Check.str_matches,
    "str_contains": pa.Check.str_contains,
    "str_startswith": pa.Check.str_startswith,
    "str_endswith": pa.Check.str_endswith,
    "str_length": pa.Check.str_length,
}
_OPERATORS = {"<": lt, "<=": le, ">": gt, ">=": ge, "==": eq, "!=": ne}


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule over rows: how it is named, the columns that it looks at, and Pandera's check of it."""

    name: str
    columns: tuple[str, ...]
    expected: str
    check: Any
    on_raw: bool = False


def measure(facts: Facts, params: SchemaParams, *, check_version: str) -> Measurement:
    """What breaks the document, rule by rule, over the whole file.

    ``body``: ``rows``; ``missing``, ``unexpected``, ``repeated`` and ``misplaced`` columns with ``counts``; ``rules``,
    each with its column, what was expected, ``failures`` (rows; null where it could not be evaluated, with the
    reason) and at most ``EXAMPLES`` examples, rows counted from 0; ``not_honoured`` options.

    Raises:
        MeasurementRefused: no file in the manifest, one that cannot be read, or a pattern that is no expression.
    """
    source = open_sources(facts)[0]
    document = params.rules
    # No environment variable or earlier setting may lower what is validated or swap the engine.
    if get_config_global().use_narwhals_backend:
        set_config(use_narwhals_backend=False)
    with (
        config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA),
        refusing_unreadable(f"the {source.role}"),
    ):
        delivered = deliver(source, document)
        rows = int(source.frame.select(pl.len()).collect(engine="streaming").item())
        body = {
            "rows": rows,
            "min_rows": document.min_rows,
            **_structure(source, delivered, document),
            "rules": [
                *_type_rules(delivered, document, rows),
                *(_evaluated(rule, delivered, document) for rule in _rules(delivered, document)),
            ],
            "not_honoured": list(document.not_honoured),
        }
    return Measurement(
        check="schema",
        check_version=check_version,
        measured_with={"document": document.document()},
        inputs=(Input(role=source.role, digest=source.digest, rows=rows),),
        tools={name: version(name) for name in ("pandera", "polars")},
        body=body,
    )


def _structure(source: Source, delivered: Delivered, document: SchemaDocument) -> dict[str, Any]:
    """Missing, unexpected, repeated and misplaced columns, by Pandera on the empty frame; every one of them at once."""
    found: dict[str, list[str]] = {"missing": [], "unexpected": [], "misplaced": []}
    words = {
        "COLUMN_NOT_IN_DATAFRAME": "missing",
        "COLUMN_NOT_IN_SCHEMA": "unexpected",
        "COLUMN_NOT_ORDERED": "misplaced",
    }
    # Asked for both at once, the library stops at the first column that is out of order.
    faults = _structural_faults(delivered, document, strict=document.strict, ordered=False)
    if document.ordered:
        faults += _structural_faults(delivered, document, strict=False, ordered=True)
    for reason, name in faults:
        # A reason that this version of the library does not give yet is a fault all the same.
        names = found[words.get(reason, "misplaced")]
        names += [name] if name not in names else []
    found["repeated"] = sorted(source.repeated)
    return {
        **{kind: names[:NAMES] for kind, names in found.items()},
        "counts": {kind: len(names) for kind, names in found.items()},
    }


def _structural_faults(
    delivered: Delivered, document: SchemaDocument, *, strict: bool, ordered: bool
) -> list[tuple[str, str]]:
    columns = {
        name: pa.Column(None, required=rules.required, nullable=True) for name, rules in document.columns.items()
    }
    schema = pa.DataFrameSchema(columns, strict=strict, ordered=ordered)
    try:
        schema.validate(delivered.raw.head(0).collect(), lazy=True)
    except pa.errors.SchemaErrors as faults:
        return [(fault.reason_code.name, str(fault.failure_cases)[:TEXT_LENGTH]) for fault in faults.schema_errors]
    return []


def _type_rules(delivered: Delivered, document: SchemaDocument, rows: int) -> Iterator[dict[str, Any]]:
    """The declared types of a file that has types: a column of another type fails in every row."""
    for name, rules in document.columns.items():
        if delivered.is_text or rules.dtype is None or name not in delivered.types:
            continue
        found = delivered.types[name]
        fits = is_declared(found, rules.dtype)
        yield {
            "rule": "dtype",
            "columns": [name],
            "expected": rules.dtype,
            "failures": 0 if fits else rows,
            "examples": [],
            "note": "" if fits else f"the column is {found}",
        }


def _rules(delivered: Delivered, document: SchemaDocument) -> Iterator[_Rule]:
    for name, rules in document.columns.items():
        if name not in delivered.types:
            continue
        if delivered.is_text and rules.dtype not in (None, "str"):
            check = _own("dtype", _holds(spells(name, rules.dtype)))
            yield _Rule("dtype", (name,), str(rules.dtype), check, on_raw=True)
        if not rules.nullable:
            check = _own("nullable", _holds(_is_present(name, delivered)))
            yield _Rule("nullable", (name,), "no missing value", check, on_raw=True)
        yield from _column_rules(name, rules)
    for rule in document.parsed_rules:
        yield _Rule("row_rule", rule.columns, rule.text, _own("row_rule", _holds(_compared(rule, document))))
    for names in document.unique:
        yield _Rule("unique", names, "each combination once", _own("unique", _holds(_occurs_once(names))))


def _column_rules(name: str, rules: ColumnRules) -> Iterator[_Rule]:
    if rules.unique:
        yield _Rule("unique", (name,), "each value once", _own("unique", _holds(_occurs_once((name,)))))
    for check_name, value in rules.checks.items():
        arguments = check_arguments(check_name, value, kind_of(rules.dtype))
        yield _Rule(check_name, (name,), str(value)[:TEXT_LENGTH], _BUILT_IN[check_name](**arguments))


def _is_present(name: str, delivered: Delivered) -> pl.Expr:
    """Whether there is a value, in the file's own form: NaN is none, however it is written."""
    value = pl.col(name)
    if not delivered.types[name].is_float():
        return value.is_not_null()
    is_nan = value.str.to_lowercase() == "nan" if delivered.is_text else value.is_nan()
    return value.is_not_null() & ~is_nan.fill_null(value=False)


def _own(name: str, function: Any) -> Any:
    return pa.Check(function, name=name, ignore_na=True)


def _holds(condition: pl.Expr) -> Any:
    """A Pandera check function of an expression; where it is null there was nothing to compare."""

    def function(data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(condition)

    return function


def _compared(rule: RowRule, document: SchemaDocument) -> pl.Expr:
    if rule.right_is_column:
        right = pl.col(str(rule.right))
    else:
        right = pl.lit(literal(rule.right, kind_of(document.columns[rule.left].dtype)))
    comparison: pl.Expr = _OPERATORS[rule.operator](pl.col(rule.left), right)
    return comparison


def _occurs_once(names: Iterable[str]) -> pl.Expr:
    """Rows whose values occur again fail, the first of them included; a row that misses one is not compared."""
    columns = [pl.col(name) for name in names]
    missing = pl.any_horizontal(column.is_null() for column in columns)
    key = columns[0] if len(columns) == 1 else pl.struct(columns)
    return missing | ~key.is_duplicated()


def _evaluated(rule: _Rule, delivered: Delivered, document: SchemaDocument) -> dict[str, Any]:
    """The count and the examples of what breaks a rule; not evaluated where a column is not there to be compared."""
    result = {"rule": rule.name, "columns": list(rule.columns), "expected": rule.expected, "note": ""}
    obstacle = _obstacle(rule, delivered, document.columns)
    if obstacle is not None:
        return {**result, "failures": None, "examples": [], "note": obstacle}
    frame = (delivered.raw if rule.on_raw else delivered.typed).select(rule.columns)
    held = rule.check(frame, rule.columns[0] if len(rule.columns) == 1 else "*").check_output
    failing = held.with_row_index("row").filter(~pl.col("check_output")).select("row").collect()["row"]
    return {
        **result,
        "failures": len(failing),
        "examples": _examples(rule, delivered, failing.head(EXAMPLES)),
    }


def _obstacle(rule: _Rule, delivered: Delivered, columns: Mapping[str, ColumnRules]) -> str | None:
    for name in rule.columns:
        if name not in delivered.types:
            return f"the column {name} is missing"
        declared = columns[name].dtype
        compared = rule.name not in ("nullable", "unique", "dtype")
        if compared and not compares_as(delivered.types[name], declared_type(declared)):
            return f"the column {name} is {delivered.types[name]}"
    return None


def _examples(rule: _Rule, delivered: Delivered, rows: pl.Series) -> list[dict[str, Any]]:
    if rows.is_empty():
        return []
    found = (
        delivered.raw.select(rule.columns)
        .with_row_index("assay row")
        .filter(pl.col("assay row").is_in(rows.to_list()))
        .sort("assay row")
        .collect()
    )
    return [{"row": row[0], "value": _shown(rule.columns, row[1:])} for row in found.iter_rows()]


def _shown(columns: tuple[str, ...], values: tuple[Any, ...]) -> str:
    """The values as text, as they lie in the file; ``null`` where there is none."""
    texts = ["null" if value is None else str(value)[:TEXT_LENGTH] for value in values]
    if len(texts) == 1:
        return texts[0]
    return ", ".join(f"{name}={text}" for name, text in zip(columns, texts, strict=True))
