"""A fairness measurement and a policy's parameters to a result. Pure, and free of the scientific libraries."""

from collections.abc import Sequence
from fractions import Fraction

from pydantic import JsonValue

from governance.types.results import CheckResult, CheckStatus, Measurement
from governance.types.value import decimal_text, parse_value
from policies.fairness.body import FairnessBody, Table
from policies.fairness.details import numbers_in_full, text
from policies.fairness.figures import interval, overall_figures, table_figures
from policies.fairness.findings import findings
from policies.fairness.metrics import METRICS
from policies.fairness.params import FairnessParams
from policies.fairness.readings import is_level
from policies.fairness.verdict import Assessment, GroupOutcome, assess, severity, worst
from policies.fairness.wording import describe
from policies.statistics.counts import total

NOT_CHECKED = (
    "whether the labels themselves are fair: error rates take them as the truth",
    "whether a gap is justified, or lawful; the law packs judge by their own rules",
    "individual fairness, counterfactuals, and groups or intersections that the manifest does not name",
    "whether the rows are a fair sample of the people the model will meet",
    "decisions of people who follow or overrule the model",
)
"""What a pass of this check does not say."""


_OF_THE_WHOLE = frozenset(
    {
        "fairness.nobody_selected",
        "fairness.too_few_groups",
        "fairness.reference_not_judged",
        "fairness.undeclared_groups",
    }
)
"""Reasons that belong to an attribute and to none of its groups."""


def judge(measurement: Measurement, params: FairnessParams) -> CheckResult:
    """The worst outcome over the sensitive attributes and metrics of ``params``.

    Raises:
        InputRefused: the body of the measurement is not of the form that the fairness check writes.
    """
    body = parse_value(FairnessBody, measurement.body, what="a fairness measurement")
    gap = _not_measured(body, params)
    if gap is not None:
        return _unmeasured(measurement, body, params, gap)
    tables = [table for table in body.tables if _is_asked(table, params)]
    assessments = [assess(table, limit, params) for table in tables for limit in params.metrics]
    deciding = max(assessments, key=_severity)
    return _result(measurement, body, params, assessments, deciding)


def _is_asked(table: Table, params: FairnessParams) -> bool:
    in_classes = not params.classes or table.one_class in params.classes
    return in_classes and (not params.sensitive or table.name in params.sensitive)


def _not_measured(body: FairnessBody, params: FairnessParams) -> str | None:
    """What the parameters ask for and the measurement does not hold."""
    known = {table.name for table in body.tables}
    missing = [name for name in params.sensitive if name not in known]
    if missing or not known:
        return f"the sensitive attributes {', '.join(missing) or 'of any kind'} were not measured"
    strange = [name for name in params.classes if name not in {table.one_class for table in body.tables}]
    if strange:
        return f"the classes {', '.join(strange)} were not measured"
    held = {
        "labels": body.has_label,
        "decisions": body.has_decision,
        "scores": body.axis is not None,
        "predictions": body.is_regression,
    }
    for what, is_held in held.items():
        asking = [limit.name for limit in params.metrics if what in METRICS[limit.name].needs]
        if asking and not is_held:
            return f"{', '.join(asking)} needs {what}, and none were measured"
    return "there are no rows" if body.rows == 0 else None


def _unmeasured(measurement: Measurement, body: FairnessBody, params: FairnessParams, why: str) -> CheckResult:
    tables = [table for table in body.tables if _is_asked(table, params)]
    return CheckResult(
        check="fairness",
        check_version=measurement.check_version,
        status=CheckStatus.INSUFFICIENT_EVIDENCE,
        reason="fairness.not_measured",
        message=f"The policy cannot be judged from this measurement: {why}.",
        not_checked=NOT_CHECKED,
        details=_details(body, params, tables, {table.title: [] for table in tables}),
    )


def _severity(assessment: Assessment) -> tuple[int, tuple[int, Fraction]]:
    """Sorts assessments by status, then by their worst group."""
    order = (CheckStatus.PASSED, CheckStatus.WARNED, CheckStatus.INSUFFICIENT_EVIDENCE, CheckStatus.FAILED)
    values = [severity(outcome, assessment.metric) for outcome in assessment.outcomes]
    return order.index(assessment.status), max(values, default=(-1, Fraction(-2)))


def _deciding_outcome(assessment: Assessment) -> GroupOutcome | None:
    """The group that decided: the worst of those whose status is the assessment's, if a single group decided."""
    same = [outcome for outcome in assessment.outcomes if outcome.status is assessment.status]
    if assessment.reason in _OF_THE_WHOLE:
        return None
    return max(same, key=lambda outcome: severity(outcome, assessment.metric), default=None)


def _result(
    measurement: Measurement,
    body: FairnessBody,
    params: FairnessParams,
    assessments: Sequence[Assessment],
    deciding: Assessment,
) -> CheckResult:
    outcome = _deciding_outcome(deciding)
    comparison = outcome.comparison if outcome is not None else None
    counts = {group.levels: group.counts for group in deciding.table.groups}
    by_table: dict[str, list[Assessment]] = {}
    for assessment in assessments:
        by_table.setdefault(assessment.table.title, []).append(assessment)
    tables = [ones[0].table for ones in by_table.values()]
    rates = _shown_rates(body, params)
    figures = overall_figures(body, rates)
    found = []
    for table in tables:
        figures += table_figures(table, by_table[table.title], rates)
        found += findings(body, table, by_table[table.title])
    return CheckResult(
        check="fairness",
        check_version=measurement.check_version,
        status=worst([assessment.status for assessment in assessments]),
        reason=deciding.reason,
        message=describe(deciding, outcome) + ".",
        observed=text(comparison.value) if comparison is not None else None,
        interval=interval(comparison.interval, comparison.method) if comparison is not None else None,
        limit=deciding.limit.limit,
        n=decimal_text(total(counts[outcome.levels]).weight) if outcome is not None else str(body.rows),
        figures=tuple(figures),
        findings=tuple({finding.value_digest(): finding for finding in found}.values()),
        not_checked=NOT_CHECKED,
        details=_details(body, params, tables, by_table),
    )


def _shown_rates(body: FairnessBody, params: FairnessParams) -> list[str]:
    """The selection rate, what the limited metrics rest on, and what else scores and predictions tell."""
    # A level is shown with its limit, as the figure of its metric.
    limited = [rate for limit in params.metrics for rate in METRICS[limit.name].rates if not is_level(rate)]
    always = ["selection_rate"] if body.has_decision else []
    if body.axis is not None and body.has_label:
        always += ["auc", "calibration_gap"] if body.axis.is_of_probabilities else ["auc"]
    if body.is_regression:
        always += ["mean_error", "mean_absolute_error", "root_mean_squared_error", "r_squared"]
    return list(dict.fromkeys([*always, *limited]))


def _details(
    body: FairnessBody, params: FairnessParams, tables: Sequence[Table], by_table: dict[str, list[Assessment]]
) -> dict[str, JsonValue]:
    return {
        "mode": params.mode,
        "min_group_size": params.minimum_rows,
        "rows": body.rows,
        "is_weighted": body.is_weighted,
        "from_counts": body.from_counts,
        **numbers_in_full(body, by_table, tables, params.minimum_rows),
    }
