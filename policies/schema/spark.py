"""The schema check on data that Spark holds: the same rules, the same body, counted where the data lie.

PySpark is an extra, loaded when it is used. Pandera's PySpark backend looks at the names of columns. Its checks stop at
the first value that is wrong, so that rules over rows are counted here in one aggregation. Rows of Spark have no order
and no numbers: examples have none either.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import reduce
from importlib.metadata import version
from operator import and_, eq, ge, gt, le, lt, ne
from pathlib import Path
from typing import Any

from pandera.config import ValidationDepth, config_context

from governance.types.results import CheckResult, Measurement
from policies.schema.check import CHECK
from policies.schema.params import DType, SchemaDocument, SchemaParams, check_arguments, kind_of, literal
from policies.schema.rules import RowRule

EXAMPLES = 10
TEXT_LENGTH = 100

_TYPES: dict[str, DType] = {
    "tinyint": "int8",
    "smallint": "int16",
    "int": "int32",
    "bigint": "int64",
    "float": "float32",
    "double": "float64",
    "boolean": "bool",
    "string": "str",
    "date": "date",
    "timestamp_ntz": "datetime",
    "timestamp": "datetime",
}
"""Spark's name of each type that a document has a word for; Spark has no integers without a sign."""

_COMPARISONS: dict[str, Any] = {"gt": gt, "ge": ge, "lt": lt, "le": le, "eq": eq, "ne": ne}
_OPERATORS = {"<": lt, "<=": le, ">": gt, ">=": ge, "==": eq, "!=": ne}


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule over rows; ``broken`` is true where a row breaks it, and null where there is nothing to compare."""

    name: str
    columns: tuple[str, ...]
    expected: str
    broken: Any = None
    obstacle: str = ""


def check_folder(path: Path, document: SchemaDocument) -> CheckResult:
    """What a file or folder of Parquet breaks of the document, read and counted by Spark."""
    from pyspark.sql import SparkSession

    session = SparkSession.builder.getOrCreate()
    return check_frame(session.read.parquet(str(path)), document)[1]


def check_frame(frame: Any, document: SchemaDocument) -> tuple[Measurement, CheckResult]:
    """What a Spark data frame breaks of the document. It has no digest, so that no evidence is made of it."""
    measurement = Measurement(
        check=CHECK.id,
        check_version=CHECK.version,
        measured_with={"document": document.document()},
        tools={name: version(name) for name in ("pandera", "pyspark")},
        body=examine(frame, document),
    )
    return measurement, CHECK.judge(measurement, SchemaParams(document=document))


def examine(frame: Any, document: SchemaDocument) -> dict[str, Any]:
    """The measurement's body, as that of a file; ``row`` is null in every example."""
    from pyspark.sql import functions as sql

    types = {name: _TYPES.get(text) for name, text in frame.dtypes}
    once = [name for name in types if frame.columns.count(name) == 1]
    rules = [*_rules({name: types[name] for name in once}, document)]
    counted = [rule for rule in rules if rule.broken is not None]
    sums = [sql.sum(sql.when(rule.broken, 1).otherwise(0)).alias(f"rule {n}") for n, rule in enumerate(counted)]
    totals = frame.agg(sql.count(sql.lit(1)).alias("rows"), *sums).collect()[0].asDict()
    rows = int(totals["rows"])
    failures = {id(rule): int(totals[f"rule {n}"] or 0) for n, rule in enumerate(counted)}
    failures |= {
        id(rule): _repeated(frame, rule.columns) for rule in rules if rule.broken is None and not rule.obstacle
    }
    masks = {name: f"[{', '.join(keys)}]" for name, keys in document.masks().items()}
    entries = [_entry(frame, rule, failures.get(id(rule)), masks) for rule in rules]
    return {
        "rows": rows,
        "min_rows": document.min_rows,
        "max_rows": document.max_rows,
        **_structure(frame, document),
        "rules": [*_type_rules(frame, types, document, rows), *entries],
        "masked": {name: mask for name, mask in sorted(masks.items()) if name in types},
        "not_honoured": list(document.not_honoured),
    }


def _structure(frame: Any, document: SchemaDocument) -> dict[str, Any]:
    """Missing, unexpected, repeated and misplaced columns; Pandera says which are missing."""
    import pandera.pyspark as pa

    names = list(frame.columns)
    repeated = sorted({name for name in names if names.count(name) > 1})
    required = {name: pa.Column(None, nullable=True) for name, rules in document.columns.items() if rules.required}
    missing = [name for name in required if name not in names]
    if not repeated:
        with config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_ONLY):
            faults = pa.DataFrameSchema(required).validate(frame.limit(0), lazy=True).pandera.errors
        found = [fault for kind in (faults or {}).get("SCHEMA", {}).values() for fault in kind]
        if bool(found) != bool(missing):
            raise RuntimeError(f"Pandera and the names of the columns disagree on what is missing: {found}")
    known = [name for name in names if name in document.columns]
    order = [name for name in document.columns if name in known]
    misplaced = [one for one, other in zip(known, order, strict=False) if one != other] if document.ordered else []
    kinds = {
        "missing": missing,
        "unexpected": [name for name in names if name not in document.columns] if document.strict else [],
        "misplaced": misplaced,
        "repeated": repeated,
    }
    return {
        **{kind: found[:100] for kind, found in kinds.items()},
        "counts": {kind: len(found) for kind, found in kinds.items()},
    }


def _type_rules(
    frame: Any, types: Mapping[str, DType | None], document: SchemaDocument, rows: int
) -> Iterator[dict[str, Any]]:
    written = dict(frame.dtypes)
    for name, rules in document.columns.items():
        if rules.dtype is None or name not in types:
            continue
        fits = types[name] == rules.dtype
        yield {
            "rule": "dtype",
            "columns": [name],
            "expected": rules.dtype,
            "failures": 0 if fits else rows,
            "examples": [],
            "note": "" if fits else f"the column is {written[name]}",
        }


def _rules(types: Mapping[str, DType | None], document: SchemaDocument) -> Iterator[_Rule]:
    for name, rules in document.columns.items():
        if name not in types:
            continue
        obstacle = _obstacle((name,), types, document)
        if not rules.nullable:
            yield _Rule("nullable", (name,), "no missing value", _value(name, types).isNull())
        if rules.unique:
            yield _Rule("unique", (name,), "each value once")
        for check, argument in rules.checks.items():
            held = _held(check, _value(name, types), check_arguments(check, argument, kind_of(rules.dtype)))
            yield _Rule(check, (name,), str(argument)[:TEXT_LENGTH], None if obstacle else ~held, obstacle)
    for rule in document.parsed_rules:
        obstacle = _obstacle(rule.columns, types, document)
        broken = None if obstacle else ~_compared(rule, types, document)
        yield _Rule("row_rule", rule.columns, rule.text, broken, obstacle)
    for names in document.unique:
        missing = next((f"the column {name} is missing" for name in names if name not in types), "")
        yield _Rule("unique", names, "each combination once", None, missing)


def _value(name: str, types: Mapping[str, DType | None]) -> Any:
    """The column, with NaN as the missing number that it is."""
    from pyspark.sql import functions as sql

    column = sql.col(f"`{name.replace('`', '``')}`")
    if types.get(name) in ("float32", "float64"):
        return sql.when(~sql.isnan(column), column)
    return column


def _held(check: str, value: Any, arguments: Mapping[str, Any]) -> Any:
    """Pandera's built-in check as a condition on one row."""
    from pyspark.sql import functions as sql

    first = next(iter(arguments.values()))
    if check in _COMPARISONS:
        return _COMPARISONS[check](value, sql.lit(first))
    if check in ("isin", "notin"):
        return value.isin(list(first)) if check == "isin" else ~value.isin(list(first))
    if check == "in_range":
        low = ge if arguments["include_min"] else gt
        high = le if arguments["include_max"] else lt
        return low(value, sql.lit(arguments["min_value"])) & high(value, sql.lit(arguments["max_value"]))
    if check == "str_length":
        bounds = {"min_value": ge, "max_value": le, "exact_value": eq}
        return reduce(and_, (bounds[key](sql.length(value), bound) for key, bound in arguments.items()))
    if check in ("str_startswith", "str_endswith"):
        return getattr(value, check.removeprefix("str_"))(first)
    # Pandera's str_matches begins at the start of the text.
    anchored = check == "str_contains" or first.startswith("^")
    return value.rlike(first if anchored else f"^{first}")


def _compared(rule: RowRule, types: Mapping[str, DType | None], document: SchemaDocument) -> Any:
    from pyspark.sql import functions as sql

    if rule.right_is_column:
        right = _value(str(rule.right), types)
    else:
        right = sql.lit(literal(rule.right, kind_of(document.columns[rule.left].dtype)))
    return _OPERATORS[rule.operator](_value(rule.left, types), right)


def _obstacle(names: tuple[str, ...], types: Mapping[str, DType | None], document: SchemaDocument) -> str:
    for name in names:
        if name not in types:
            return f"the column {name} is missing"
        if types[name] is None or kind_of(types[name]) != kind_of(document.columns[name].dtype):
            return f"the column {name} is {types[name] or 'of a type that documents have no word for'}"
    return ""


def _repeated(frame: Any, names: tuple[str, ...]) -> int:
    from pyspark.sql import functions as sql

    types = {name: _TYPES.get(text) for name, text in frame.dtypes}
    keyed = frame.select(*[_value(name, types).alias(f"key {n}") for n, name in enumerate(names)]).na.drop("any")
    again = keyed.groupBy(*keyed.columns).count().filter("count > 1")
    return int(again.agg(sql.sum("count")).collect()[0][0] or 0)


def _entry(frame: Any, rule: _Rule, failures: int | None, masks: Mapping[str, str]) -> dict[str, Any]:
    return {
        "rule": rule.name,
        "columns": list(rule.columns),
        "expected": rule.expected,
        "failures": failures,
        "examples": _examples(frame, rule, masks) if failures and rule.broken is not None else [],
        "note": rule.obstacle,
    }


def _examples(frame: Any, rule: _Rule, masks: Mapping[str, str]) -> list[dict[str, Any]]:
    from pyspark.sql import functions as sql

    columns = [sql.col(f"`{name.replace('`', '``')}`") for name in rule.columns]
    shown = []
    for row in frame.filter(rule.broken).select(*columns).limit(EXAMPLES).collect():
        texts = [
            "null" if value is None else masks.get(name) or str(value)[:TEXT_LENGTH]
            for name, value in zip(rule.columns, row, strict=True)
        ]
        pairs = [f"{name}={text}" for name, text in zip(rule.columns, texts, strict=True)]
        shown.append({"row": None, "value": ", ".join(pairs) if len(pairs) > 1 else texts[0]})
    return shown
