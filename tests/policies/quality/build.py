"""A quality check on small tables, as the gate runs it."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from governance.check import Facts
from governance.types.results import CheckResult, Measurement
from governance.types.value import parse_value
from policies.quality.check import CHECK
from policies.quality.params import QualityParams
from tests.support.evidence import artifact, facts, write

NOW = datetime(2026, 11, 25, tzinfo=UTC)

Table = Mapping[str, Any] | pl.DataFrame


def params(**rules: Any) -> QualityParams:
    """The parameters that a policy sets."""
    return parse_value(QualityParams, rules, what="the parameters")


def facts_of(
    folder: Path, table: Table, *, ending: str = "parquet", tables: Mapping[str, Table] | None = None, **fields: Any
) -> Facts:
    """Facts about a table that is written to the folder, with further tables beside it."""
    written = {name: write(folder / f"{name}.{ending}", one) for name, one in (tables or {}).items()}
    about = {name: artifact(path) for name, path in written.items()}
    known = facts(write(folder / f"own.{ending}", table), **{"sensitive": {}, "tables": about, **fields})
    files = {**known.files, **{str(about[name]["uri"]): path for name, path in written.items()}}
    return replace(known, files=files, evaluated_at=NOW)


def measured(known: Facts, **rules: Any) -> Measurement:
    """The measurement of the facts."""
    return CHECK.measure(known, params(**rules))


def judged(known: Facts, **rules: Any) -> CheckResult:
    """The result for the facts."""
    return CHECK.judge(measured(known, **rules), params(**rules))


def reading(known: Facts, kind: str, rule: dict[str, Any]) -> Any:
    """What was measured for one rule."""
    found: Any = measured(known, **{kind: [rule]}).body[kind]
    return found[0]
