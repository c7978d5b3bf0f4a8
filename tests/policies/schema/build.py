"""A schema check on one file, as the gate runs it."""

from pathlib import Path
from typing import Any

from governance.types.results import CheckResult, Measurement
from governance.types.value import parse_value
from policies.schema.check import CHECK
from policies.schema.params import SchemaParams
from tests.support.evidence import facts, write


def params(document: dict[str, Any]) -> SchemaParams:
    """The parameters that a policy with this document sets."""
    return parse_value(SchemaParams, {"document": document}, what="the parameters")


def measured(path: Path, document: dict[str, Any]) -> Measurement:
    """The measurement of a file."""
    return CHECK.measure(facts(path, sensitive={}), params(document))


def judged(path: Path, document: dict[str, Any]) -> CheckResult:
    """The result for a file."""
    return CHECK.judge(measured(path, document), params(document))


def judged_table(path: Path, table: dict[str, Any], document: dict[str, Any]) -> CheckResult:
    """The result for a table that is written to ``path`` first."""
    return judged(write(path, table), document)


def judged_text(path: Path, text: str, document: dict[str, Any]) -> CheckResult:
    """The result for the text of a CSV."""
    path.write_text(text, encoding="utf-8")
    return judged(path, document)
