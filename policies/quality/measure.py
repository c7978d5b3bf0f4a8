"""The measurement of the quality check: what each rule of data preparation counts, without any limit."""

from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

import polars as pl

from governance.check import Facts
from governance.types.results import Input, Measurement
from policies.frames.source import open_further, open_sources, refusing_unreadable
from policies.masks import masks_of
from policies.quality import columns, tables
from policies.quality.data import Data
from policies.quality.drift import drift
from policies.quality.params import KINDS, Kind, LeakageRule, QualityParams
from policies.quality.target import target


def measure(facts: Facts, params: QualityParams, *, check_version: str) -> Measurement:
    """What every rule finds, over whole files.

    ``body``: ``rows`` of the first of the manifest's own files; for each kind of rules a list of readings in the order
    of the policy, each with what was counted of how many, and at most ``EXAMPLES`` examples, rows counted from 0.

    Raises:
        MeasurementRefused: a file or table is missing or cannot be read, a column is missing or of another kind, or
            what a rule needs is not in the manifest.
    """
    with refusing_unreadable("the data"):
        data = Data(facts, open_sources(facts), masks_of(facts, {}))
        counted = [tables.input_of(source) for source in data.sources]
        readings = {kind: [_MEASURES[kind](data, rule) for rule in params.rules(kind)] for kind in KINDS}
    return Measurement(
        check="quality",
        check_version=check_version,
        measured_with=params.shape(),
        inputs=(*counted, *_further(facts, params)),
        tools={name: version(name) for name in ("numpy", "polars", "scipy")},
        seed=facts.manifest.seed if facts.manifest is not None and params.drift else None,
        body={"rows": counted[0].rows, **readings},
    )


def _leakage(data: Data, rule: LeakageRule) -> dict[str, Any]:
    reading = tables.leakage(data, rule)
    return {**reading, "target": None if rule.target is None else target(data.facts, rule.target)}


_MEASURES: Mapping[Kind, Callable[[Data, Any], dict[str, Any]]] = {
    "formats": columns.formats,
    "missing": columns.missing,
    "completeness": columns.completeness,
    "outliers": columns.outliers,
    "balance": columns.balance,
    "freshness": columns.freshness,
    "referential": tables.referential,
    "leakage": _leakage,
    "drift": drift,
}


def _further(facts: Facts, params: QualityParams) -> list[Input]:
    """The further tables that rules looked at, for the record."""
    names = {rule.table for rule in params.referential} | {rule.reference for rule in params.drift}
    names |= {rule.training for rule in params.leakage}
    sources = [open_further(facts, name) for name in sorted(names)]
    return [
        Input(role=source.role, digest=source.digest, rows=int(source.frame.select(pl.len()).collect().item()))
        for source in sources
    ]
