"""From one row for each denied decision, with its contributions and dates, to counts over decisions."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime
from fractions import Fraction
from importlib.metadata import version
from typing import Any

from governance.check import Facts
from governance.errors import MeasurementRefused
from governance.types.credit_audit import CreditAudit
from governance.types.results import Measurement
from governance.types.value import decimal_text
from policies.fairness.law.regb import is_locally_accurate, is_notice_in_time, proxy_area, reasons
from policies.fairness.law.regb_body import MAX_EXAMPLES, Breach, RegBBody
from policies.fairness.law.sample import exact_score
from policies.frames.coding import level_name
from policies.frames.source import manifest_of, refusing_unreadable
from policies.frames.table import open_table

_BREACHES = ("inaccurate", "without_reason", "late", "undated")


def measure_reasons(facts: Facts, *, check_version: str) -> Measurement:
    """The reasons of every denied decision, counted; no contribution of anybody is kept.

    Raises:
        MeasurementRefused: the manifest states no credit facts or no features, a column is missing, a contribution or
            an output is no number, or a date is none.
    """
    manifest = manifest_of(facts)
    credit = manifest.credit
    if credit is None or not credit.features:
        raise MeasurementRefused(
            expected="the facts of adverse action: columns of contributions with their texts, background, dates",
            found="a manifest without credit.features",
            remedy="State them under credit; see docs/fairness-law.md.",
            pointer="/credit",
        )
    table = open_table(facts, _columns(credit))
    with refusing_unreadable("the rows"):
        rows = table.frame.collect(engine="streaming")
    tally = _Tally(credit)
    for row in rows.iter_rows(named=True):
        tally.add(row)
    return Measurement(
        check="regb",
        check_version=check_version,
        inputs=table.inputs(len(rows)),
        tools={"polars": version("polars")},
        body=tally.body().document(),
    )


def _columns(credit: CreditAudit) -> list[str]:
    named = [credit.row_id, credit.base, credit.output, credit.clock_start, credit.notice]
    named += [one for feature in credit.features for one in (feature.column, feature.other)]
    named += [credit.basis, credit.proxy_score] if credit.basis and credit.proxy_score else []
    return list(dict.fromkeys(name for name in named if name))


class _Tally:
    """Counts over decisions, row by row."""

    def __init__(self, credit: CreditAudit) -> None:
        self._credit = credit
        self._decisions = self._compared = self._stable = 0
        self._reasons: Counter[str] = Counter()
        self._places: Counter[int] = Counter()
        self._counts: Counter[str] = Counter()
        self._examples: dict[str, list[str]] = {name: [] for name in _BREACHES}
        self._scores: dict[bool, list[Fraction]] = {True: [], False: []}
        self._has_other = bool(credit.features) and all(feature.other for feature in credit.features)

    def add(self, row: Mapping[str, Any]) -> None:
        """Count one decision."""
        credit = self._credit
        self._decisions += 1
        name = level_name(row[credit.row_id])
        own = {feature.column: _number(row, feature.column) for feature in credit.features}
        found = reasons(credit.features, own, higher_is_better=credit.higher_is == "better")
        self._reasons.update(found)
        self._places[len(found)] += 1
        if not is_locally_accurate(_number(row, credit.base), list(own.values()), _number(row, credit.output)):
            self._breach("inaccurate", name)
        if not found:
            self._breach("without_reason", name)
        self._date(row, name)
        if self._has_other:
            other = {feature.column: _number(row, feature.other) for feature in credit.features}
            self._compared += 1
            self._stable += found == reasons(credit.features, other, higher_is_better=credit.higher_is == "better")
        if credit.basis and credit.proxy_score and row[credit.basis] is not None:
            is_positive = level_name(row[credit.basis]) == credit.basis_value
            self._scores[is_positive].append(_number(row, credit.proxy_score))

    def _date(self, row: Mapping[str, Any], name: str) -> None:
        credit = self._credit
        start = _day(row, credit.clock_start) if credit.clock_start else None
        notice = _day(row, credit.notice) if credit.notice else None
        if start is None or notice is None:
            self._breach("undated", name)
        elif not is_notice_in_time(start, notice):
            self._breach("late", name)

    def _breach(self, kind: str, name: str) -> None:
        self._counts[kind] += 1
        if len(self._examples[kind]) < MAX_EXAMPLES:
            self._examples[kind].append(name)

    def body(self) -> RegBBody:
        """What was counted."""
        area = proxy_area(self._scores[True], self._scores[False])
        breaches = {name: Breach(count=self._counts[name], examples=tuple(self._examples[name])) for name in _BREACHES}
        return RegBBody(
            facts=self._credit,
            decisions=self._decisions,
            reasons=dict(sorted(self._reasons.items())),
            places=tuple(self._places[count] for count in range(max(self._places, default=-1) + 1)),
            compared=self._compared,
            stable=self._stable,
            proxy_area=None if area is None else decimal_text(area),
            **breaches,
        )


def _number(row: Mapping[str, Any], column: str) -> Fraction:
    value = row[column]
    if value is None:
        raise MeasurementRefused(
            expected=f"a number in {column!r} of every denied decision",
            found="a row without one",
            remedy="Give the contribution of every feature; one that does not push is 0.",
            pointer=column,
        )
    return exact_score(value)


def _day(row: Mapping[str, Any], column: str) -> date | None:
    """A calendar date, or an instant's date as it was recorded; null where nothing is recorded."""
    value = row[column]
    if value is None or value == "":
        return None
    if isinstance(value, datetime):
        return value.date()
    if isinstance(value, date):
        return value
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError as fault:
        raise MeasurementRefused(
            expected=f"dates such as 2026-01-31 in {column!r}", found=repr(value)[:60], remedy="Correct the date.",
            pointer=column,
        ) from fault  # fmt: skip
