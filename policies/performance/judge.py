"""A performance measurement and a policy's parameters to a result. Pure, and free of the scientific libraries."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import get_args

from governance.types.results import CheckResult, CheckStatus, Figure, Interval, Measurement
from governance.types.value import decimal_text, parse_value
from policies.performance.body import PerformanceBody
from policies.performance.estimate import Baseline, Estimate, baseline, estimate
from policies.performance.params import MetricName, PerformanceParams
from policies.statistics.intervals import Bounds

NOT_CHECKED = (
    "whether the evaluation rows were kept out of training (the validation check looks at that)",
    "whether the rows are a fair sample of those the model will meet",
    "whether the labels are right",
    "whether the metric stands for what the business needs",
)
"""What a pass of this check does not say."""

TITLES: dict[MetricName, str] = {
    "accuracy": "accuracy",
    "balanced_accuracy": "balanced accuracy",
    "f1": "F1 score",
    "precision": "precision",
    "recall": "recall",
    "auc": "area under the ROC curve",
}

_ORDER = (CheckStatus.PASSED, CheckStatus.WARNED, CheckStatus.INSUFFICIENT_EVIDENCE, CheckStatus.FAILED)


@dataclass(frozen=True, slots=True)
class _Ruling:
    """One requirement's outcome, with the figure that shows it."""

    status: CheckStatus
    reason: str
    message: str
    figure: Figure


def judge(measurement: Measurement, params: PerformanceParams) -> CheckResult:
    """The worst of the declared level and the baseline.

    Level: failed if the interval's upper end is below it; passed if the value is at least it; warned in between, where
    the value is below and chance can explain it. Baseline: passed if the lower end of the lead is above zero, failed
    if the upper end is not, or the model decides as the baseline in every row; warned if the lead is positive, and
    insufficient evidence otherwise. Fewer than ``min_rows`` rows, or a metric that does not exist, decide nothing.

    Raises:
        InputRefused: the body of the measurement is not of the form that the performance check writes.
    """
    body = parse_value(PerformanceBody, measurement.body, what="a performance measurement")
    found = estimate(body, params.metric)
    title = TITLES[params.metric]
    gap = _too_little(found, params, title)
    rulings = [] if gap is not None else _rulings(body, found, params)
    deciding = max(rulings, key=lambda ruling: _ORDER.index(ruling.status), default=None)
    shown = [ruling.figure for ruling in rulings]
    others = [name for name in get_args(MetricName) if name not in {figure.name for figure in shown}]
    shown += [figure for name in others if (figure := _figure(name, estimate(body, name))).value is not None]
    return CheckResult(
        check="performance",
        check_version=measurement.check_version,
        status=CheckStatus.INSUFFICIENT_EVIDENCE if deciding is None else deciding.status,
        reason="performance.too_few_rows" if deciding is None else deciding.reason,
        message=(gap or "Nothing could be judged.") if deciding is None else deciding.message,
        observed=None if found.value is None else decimal_text(found.value),
        interval=_interval(found.bounds, found.method),
        limit=deciding.figure.limit if deciding is not None else params.at_least,
        n=decimal_text(found.weight),
        figures=tuple(shown),
        not_checked=NOT_CHECKED,
        details={
            "rows": body.rows,
            "is_weighted": body.is_weighted,
            "counts": {name: decimal_text(count.weight) for name, count in body.counts.items()},
        },
    )


def _too_little(found: Estimate, params: PerformanceParams, title: str) -> str | None:
    """Why nothing can be decided, if so."""
    if found.value is None or found.bounds is None:
        return f"The {title} cannot be measured: the rows or classes that it needs are not there."
    if found.rows < params.min_rows:
        return f"The {title} rests on {found.rows} rows; at least {params.min_rows} are needed to judge it."
    return None


def _rulings(body: PerformanceBody, found: Estimate, params: PerformanceParams) -> Sequence[_Ruling]:
    rulings = []
    if params.exact_level is not None and found.value is not None and found.bounds is not None:
        rulings.append(_of_level(found, found.value, found.bounds, params.exact_level, params))
    lead = baseline(body, params.metric) if params.at_least_baseline else None
    if lead is not None:
        rulings.append(_of_baseline(found, lead, params))
    return rulings


def _of_level(found: Estimate, value: Fraction, bounds: Bounds, level: Fraction, params: PerformanceParams) -> _Ruling:
    if value >= level:
        status, reason, ending = CheckStatus.PASSED, "performance.at_least_level", "which reaches the level"
    elif bounds.upper < float(level):
        status, reason, ending = CheckStatus.FAILED, "performance.below_level", "which is below the level"
    else:
        status, reason = CheckStatus.WARNED, "performance.possibly_below_level"
        ending = "which is below the level, though chance can explain it: a person must look"
    message = (
        f"The {TITLES[params.metric]} is {float(value):.4f} {_between(bounds)}, measured again on "
        f"{found.rows} rows, against a declared level of {params.at_least}, {ending}."
    )
    figure = _figure(params.metric, found, limit=params.at_least, status=status, note="against the declared level")
    return _Ruling(status, reason, message, figure)


def _of_baseline(found: Estimate, lead: Baseline, params: PerformanceParams) -> _Ruling:
    if lead.is_identical or lead.bounds.upper <= 0:
        status, reason, ending = CheckStatus.FAILED, "performance.not_above_baseline", "is not better than"
    elif lead.bounds.lower > 0:
        status, reason, ending = CheckStatus.PASSED, "performance.above_baseline", "is better than"
    elif lead.lead > 0:
        status, reason = CheckStatus.WARNED, "performance.possibly_not_above_baseline"
        ending = "is not shown to be better than"
    else:
        status, reason = CheckStatus.INSUFFICIENT_EVIDENCE, "performance.inconclusive"
        ending = "is not better in these rows, though chance can explain it, than"
    message = (
        f"The {TITLES[params.metric]} of {float(found.value or 0):.4f} {ending} that of a prediction that ignores the "
        f"features, {float(lead.value):.4f}: the lead is {float(lead.lead):.4f} {_between(lead.bounds)}."
    )
    figure = Figure(
        name=f"{params.metric}_lead_over_baseline",
        value=decimal_text(lead.lead),
        n=decimal_text(found.weight),
        interval=_interval(lead.bounds, lead.method),
        limit="0",
        status=status,
        note=f"baseline {float(lead.value):.4f}",
    )
    return _Ruling(status, reason, message, figure)


def _between(bounds: Bounds) -> str:
    return f"(95 % interval {bounds.lower:.4f} to {bounds.upper:.4f})"


def _interval(bounds: Bounds | None, method: str) -> Interval | None:
    if bounds is None:
        return None
    return Interval(lower=decimal_text(bounds.lower), upper=decimal_text(bounds.upper), method=method)


def _figure(
    name: str, found: Estimate, *, limit: str | None = None, status: CheckStatus | None = None, note: str = ""
) -> Figure:
    return Figure(
        name=name,
        value=None if found.value is None else decimal_text(found.value),
        n=decimal_text(found.weight),
        interval=_interval(found.bounds, found.method),
        limit=limit,
        status=status,
        note=note,
    )
