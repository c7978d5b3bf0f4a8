"""The measurement of the schema check: exact counts of what breaks each rule, few examples, memory that is bounded.

Rules are Pandera checks on its Polars backend, run piece by piece over the streamed file: each leaves one truth value a
row, from which the count and the examples are taken, so that no report grows with the number of failures.
"""

from collections.abc import Iterator
from importlib.metadata import version
from typing import Any

import pandera.polars as pa
import polars as pl
from pandera.config import ValidationDepth, config_context, get_config_global, set_config

from governance.check import Facts
from governance.types.results import Input, Measurement
from policies.frames.source import Source, open_sources, refusing_unreadable
from policies.masks import masks_of
from policies.schema.checks import TEXT_LENGTH, Rule, rules_of
from policies.schema.params import SchemaDocument, SchemaParams
from policies.schema.pieces import Tally, tallied
from policies.schema.source import Delivered, deliver, is_declared

NAMES = 100
"""Columns that are listed where columns are missing or too many; the counts are exact."""


def measure(facts: Facts, params: SchemaParams, *, check_version: str) -> Measurement:
    """What breaks the document, rule by rule, over the whole file.

    ``body``: ``rows`` and the least and most of them; ``missing``, ``unexpected``, ``repeated`` and ``misplaced``
    columns with ``counts``; ``rules``, each with its column, what was expected, ``failures`` (rows; null where it could
    not be evaluated, with the reason) and at most ``EXAMPLES`` examples, rows counted from 0; ``masked`` columns with
    the category that is shown in place of their values; ``not_honoured`` options.

    Raises:
        MeasurementRefused: no file in the manifest, one that cannot be read, a pattern that is no expression, or a
            reference to a registered schema that nobody has looked up.
    """
    source = open_sources(facts)[0]
    document = params.resolved()
    with _full_validation(), refusing_unreadable(f"the {source.role}"):
        body = examine(source, document, masks_of(facts, document.masks()))
    return Measurement(
        check="schema",
        check_version=check_version,
        measured_with={"document": document.document()},
        inputs=(Input(role=source.role, digest=source.digest, rows=body["rows"]),),
        tools={name: version(name) for name in ("pandera", "polars")},
        body=body,
    )


def _full_validation() -> Any:
    """No environment variable or earlier setting may lower what is validated or swap the engine."""
    if get_config_global().use_narwhals_backend:
        set_config(use_narwhals_backend=False)
    return config_context(validation_enabled=True, validation_depth=ValidationDepth.SCHEMA_AND_DATA)


def examine(source: Source, document: SchemaDocument, masks: dict[str, str]) -> dict[str, Any]:
    """The measurement's body; ``masks`` says by column what is shown in place of its values."""
    delivered = deliver(source, document)
    rows = int(source.frame.select(pl.len()).collect(engine="streaming").item())
    rules = rules_of(delivered, document)
    tallies = tallied(rules, source, delivered, masks, rows=rows, hint=document.chunk_rows)
    return {
        "rows": rows,
        "min_rows": document.min_rows,
        "max_rows": document.max_rows,
        **_structure(source, delivered, document),
        "rules": [
            *_type_rules(delivered, document, rows),
            *(_entry(rule, tally) for rule, tally in zip(rules, tallies, strict=True)),
        ],
        "masked": {name: masks[name] for name in sorted(masks) if name in delivered.types},
        "not_honoured": list(document.not_honoured),
    }


def _entry(rule: Rule, tally: Tally | None) -> dict[str, Any]:
    return {
        "rule": rule.name,
        "columns": list(rule.columns),
        "expected": rule.expected,
        "failures": None if tally is None else tally.failures,
        "examples": [] if tally is None else tally.examples,
        "note": rule.obstacle or "",
    }


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
        if rules.dtype is None or name not in delivered.types or name in delivered.spelled:
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
