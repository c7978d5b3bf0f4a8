"""The rules of a document as Pandera checks: those over each row, and those that need the whole file."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from operator import eq, ge, gt, le, lt, ne
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.api.polars.types import PolarsData

from policies.schema.params import ColumnRules, SchemaDocument, check_arguments, kind_of, literal
from policies.schema.rules import RowRule
from policies.schema.source import Delivered, compares_as, declared_type

TEXT_LENGTH = 100

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
class Rule:
    """A rule: how it is named, its columns, what it expects, and Pandera's check of it, which judges each row alone.

    ``check`` is None for uniqueness, which is a rule over the whole file. ``on_raw`` says that the check reads the
    values as they lie in the file. ``obstacle`` says why the rule cannot be evaluated.
    """

    name: str
    columns: tuple[str, ...]
    expected: str
    check: Any = None
    on_raw: bool = False
    obstacle: str | None = None


def rules_of(delivered: Delivered, document: SchemaDocument) -> list[Rule]:
    """Every rule of the document over rows of the file; columns that are missing have none of their own."""
    rules = [*_column_rules(delivered, document)]
    for row_rule in document.parsed_rules:
        check = _own("row_rule", _compared(row_rule, document))
        obstacle = _obstacle(row_rule.columns, delivered, document, compared=True)
        rules.append(Rule("row_rule", row_rule.columns, row_rule.text, check, obstacle=obstacle))
    for names in document.unique:
        obstacle = _obstacle(names, delivered, document, compared=False)
        rules.append(Rule("unique", names, "each combination once", obstacle=obstacle))
    return rules


def _column_rules(delivered: Delivered, document: SchemaDocument) -> Iterator[Rule]:
    for name, rules in document.columns.items():
        if name not in delivered.types:
            continue
        if name in delivered.spelled:
            yield Rule("dtype", (name,), str(rules.dtype), _own("dtype", delivered.spelled[name]), on_raw=True)
        if not rules.nullable:
            check = _own("nullable", _is_present(name, delivered))
            yield Rule("nullable", (name,), "no missing value", check, on_raw=True)
        if rules.unique:
            yield Rule("unique", (name,), "each value once")
        yield from _built_in(name, rules, _obstacle((name,), delivered, document, compared=True))


def _built_in(name: str, rules: ColumnRules, obstacle: str | None) -> Iterator[Rule]:
    for check_name, value in rules.checks.items():
        check = built_in(check_name, check_arguments(check_name, value, kind_of(rules.dtype)))
        yield Rule(check_name, (name,), str(value)[:TEXT_LENGTH], check, obstacle=obstacle)


def built_in(name: str, arguments: Mapping[str, Any]) -> Any:
    """Pandera's own check of this short name."""
    return _BUILT_IN[name](**arguments)


def _is_present(name: str, delivered: Delivered) -> pl.Expr:
    """Whether there is a value, in the file's own form: NaN is none, however it is written."""
    value = pl.col(name)
    if not delivered.types[name].is_float():
        return value.is_not_null()
    is_nan = value.str.to_lowercase() == "nan" if delivered.found[name] == pl.String else value.is_nan()
    return value.is_not_null() & ~is_nan.fill_null(value=False)


def _own(name: str, condition: pl.Expr) -> Any:
    """A Pandera check of an expression; where it is null there was nothing to compare."""

    def function(data: PolarsData) -> pl.LazyFrame:
        return data.lazyframe.select(condition)

    return pa.Check(function, name=name, ignore_na=True)


def _compared(rule: RowRule, document: SchemaDocument) -> pl.Expr:
    if rule.right_is_column:
        right = pl.col(str(rule.right))
    else:
        right = pl.lit(literal(rule.right, kind_of(document.columns[rule.left].dtype)))
    comparison: pl.Expr = _OPERATORS[rule.operator](pl.col(rule.left), right)
    return comparison


def _obstacle(names: tuple[str, ...], delivered: Delivered, document: SchemaDocument, *, compared: bool) -> str | None:
    for name in names:
        if name not in delivered.types:
            return f"the column {name} is missing"
        declared = declared_type(document.columns[name].dtype)
        if compared and not compares_as(delivered.types[name], declared):
            return f"the column {name} is {delivered.types[name]}"
    return None
