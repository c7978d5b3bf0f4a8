"""Measuring rules between two tables: keys that must be found, and rows and keys that must not be in both."""

from typing import Any

import polars as pl

from governance.errors import MeasurementRefused
from governance.types.results import Input
from policies.frames.keys import Side, matched, repeated
from policies.frames.source import Source
from policies.quality.columns import Reading
from policies.quality.data import EXAMPLES, Data
from policies.quality.params import LeakageRule, ReferentialRule


def referential(data: Data, rule: ReferentialRule) -> Reading:
    """``count`` rows whose key is not found ``of`` those that have one, and how the other table's keys repeat."""
    names, to = list(rule.columns), list(rule.to)
    source, other = data.holding(names), data.table(rule.table, to)
    found = matched(_side(source, names), _side(other, to), nulls_match=False, examples=EXAMPLES)
    return {
        "columns": names,
        "table": rule.table,
        "to": to,
        "count": found.absent.rows,
        "of": found.absent.rows + found.found.rows,
        "without_key": found.without_key,
        "repeated": repeated(_side(other, to), examples=0).rows,
        "examples": data.rows(source.frame, names, found.absent.first),
    }


def _side(source: Source, names: list[str]) -> Side:
    return Side(source.frame, names, is_parquet=source.format == "parquet")


def leakage(data: Data, rule: LeakageRule) -> Reading:
    """Rows and keys of the test data that the training table has too; ``target`` is measured by itself."""
    named = list(rule.columns or ())
    source = data.holding([*named, *(rule.key or ())] or list(data.sources[0].schema)[:1])
    training = data.table(rule.training, [*named, *(rule.key or ())])
    rows = _rows_in_both(source, training, named) if rule.rows else None
    keys = _keys_in_both(data, source, training, list(rule.key)) if rule.key is not None else None
    return {"training": rule.training, "rows": rows, "keys": keys}


def _rows_in_both(source: Source, training: Source, named: list[str]) -> dict[str, Any]:
    """Test rows that equal a training row in every compared column, nulls included; rows are named, values are not."""
    columns = named or [name for name in source.schema if name in training.schema]
    if not columns:
        raise MeasurementRefused(
            expected="columns that both tables have",
            found="none",
            remedy="Name the columns alike, or check the tables.",
        )
    both = matched(_side(source, columns), _side(training, columns), nulls_match=True, examples=EXAMPLES)
    total = both.found.rows + both.absent.rows
    return {"columns": columns, "count": both.found.rows, "of": total, "first": list(both.found.first)}


def _keys_in_both(data: Data, source: Source, training: Source, key: list[str]) -> dict[str, Any]:
    both = matched(_side(source, key), _side(training, key), nulls_match=False, examples=EXAMPLES)
    return {
        "columns": key,
        "count": both.found.rows,
        "of": both.found.rows + both.absent.rows,
        "without_key": both.without_key,
        "examples": data.rows(source.frame, key, both.found.first),
    }


def input_of(source: Source) -> Input:
    """What was measured, for the record."""
    rows = int(source.frame.select(pl.len()).collect(engine="streaming").item())
    return Input(role=source.role, digest=source.digest, rows=rows)
