"""The judgement of a quality measurement: each reading against its rule's limits, and the worst of them. Pure."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from governance.types.results import CheckResult, CheckStatus, Finding, Measurement
from governance.types.value import Severity
from policies.quality.judge_columns import balance, completeness, formats, freshness, missing, outliers
from policies.quality.judge_tables import drift, leakage, referential
from policies.quality.params import KINDS, Kind, QualityParams
from policies.quality.verdict import FAILED, PASSED, UNDECIDED, WARNED, Said, worst

NOT_CHECKED = (
    "whether the values are true",
    "whether the data represent the people the model will be used on",
    "near duplicates: only equal rows and equal keys are found",
    "drift of several columns together",
)

_REASONS = {
    FAILED: "quality.broken",
    UNDECIDED: "quality.not_decided",
    WARNED: "quality.review",
    PASSED: "quality.kept",
}
_SEVERITY = {FAILED: Severity.HIGH, UNDECIDED: Severity.HIGH, WARNED: Severity.WARNING}

_JUDGES: Mapping[Kind, Callable[[Any, Any], list[Said]]] = {
    "formats": formats,
    "missing": missing,
    "completeness": completeness,
    "outliers": outliers,
    "balance": balance,
    "freshness": freshness,
    "referential": referential,
    "leakage": leakage,
    "drift": drift,
}


def judge(measurement: Measurement, params: QualityParams) -> CheckResult:
    """Failed by any broken rule; no rows, or a rule that cannot be decided, is insufficient evidence."""
    body: Mapping[str, Any] = measurement.body
    said = [
        one for kind in KINDS for rule, reading in _pairs(body, params, kind) for one in _JUDGES[kind](rule, reading)
    ]
    rows = int(body["rows"])
    status, reason = _status(said, rows, params)
    grave = sorted((one for one in said if one.status is not PASSED), key=lambda one: one.status is not status)
    return CheckResult(
        check=measurement.check,
        check_version=measurement.check_version,
        status=status,
        reason=reason,
        message=_message(grave, said, rows, params),
        observed=str(sum(one.status is FAILED for one in said)),
        limit="0",
        n=str(rows),
        figures=tuple(figure for one in said for figure in one.figures),
        findings=tuple(_findings(grave)),
        not_checked=NOT_CHECKED,
        details={
            "rows": rows,
            "rules": [
                {"kind": one.kind, "place": one.place, "status": one.status.value, **one.data} for one in said
            ],
        },
    )  # fmt: skip


def _pairs(body: Mapping[str, Any], params: QualityParams, kind: Kind) -> list[tuple[Any, Any]]:
    """Each rule with its reading: a measurement holds one for each, in their order."""
    return list(zip(params.rules(kind), body[kind], strict=True))


def _status(said: list[Said], rows: int, params: QualityParams) -> tuple[CheckStatus, str]:
    if rows == 0:
        return UNDECIDED, "quality.no_rows"
    if rows < params.min_rows:
        return FAILED, "quality.too_few_rows"
    status = worst(one.status for one in said)
    return status, _REASONS[status]


def _message(grave: list[Said], said: list[Said], rows: int, params: QualityParams) -> str:
    parts = [f"{one.place}: {one.message}" for one in grave]
    if rows < params.min_rows:
        parts.insert(0, f"the data have {rows} rows, fewer than {params.min_rows}")
    shown = "; ".join(parts[:10]) + (f"; and {len(parts) - 10} more" if len(parts) > 10 else "")
    return shown or f"all {len(said)} rules of data preparation hold in {rows} rows"


def _findings(grave: list[Said]) -> Iterator[Finding]:
    for one in grave:
        yield Finding(
            code=f"quality.{one.kind}",
            severity=_SEVERITY[one.status],
            message=f"{one.place}: {one.message}",
            remediation=one.remedy,
            data={**one.data, "columns": list(one.columns), "examples": [dict(example) for example in one.examples]},
        )
