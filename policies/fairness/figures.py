"""The numbers of a judged measurement as reports print them, and the findings a person should know. Pure."""

from collections.abc import Mapping, Sequence

from governance.types.results import CheckStatus, Figure, Finding, Interval
from governance.types.value import Severity, decimal_text
from policies.fairness.body import FairnessBody, GroupCells, Percentiles, Table
from policies.fairness.comparison import shortfall
from policies.fairness.details import text
from policies.fairness.metrics import METRICS, RATES, part
from policies.fairness.verdict import Assessment, GroupOutcome
from policies.fairness.wording import name
from policies.statistics.counts import CellName, Count, total
from policies.statistics.intervals import Bounds, wilson

EVERYBODY = "*"
"""Stands for all levels of an attribute, in figures that belong to the attribute and not to one group."""

_FLAGS = {
    "fairness.group_absent": "absent",
    "fairness.small_group": "small_group",
    "fairness.zero_denominator": "zero_denominator",
}


def interval(bounds: Bounds | None, method: str) -> Interval | None:
    """Bounds as an interval of the record; none stays none."""
    if bounds is None:
        return None
    return Interval(lower=decimal_text(bounds.lower), upper=decimal_text(bounds.upper), method=method)


def overall_figures(body: FairnessBody, rates: Sequence[str]) -> list[Figure]:
    """The rates of all rows."""
    return [_rate_figure(rate, body.overall_counts, {}, ()) for rate in rates]


def table_figures(table: Table, assessments: Sequence[Assessment], rates: Sequence[str]) -> list[Figure]:
    """The rates of each group, then the limited metrics of each group, then the attribute's own values."""
    figures = [_group_rate(table, group, rate, assessments) for group in table.groups for rate in rates]
    figures += [_metric_figure(one, outcome) for one in assessments for outcome in one.outcomes]
    figures += [_between_figure(one) for one in assessments if _percentiles(one) is not None]
    whole = dict.fromkeys(table.attributes, EVERYBODY)
    rows = str(sum(group.rows for group in table.groups) + table.unknown_rows + sum(table.outside_rows.values()))
    if table.unknown_rows:
        figures.append(
            Figure(name="unknown_rows", value=str(table.unknown_rows), n=rows, group=whole, flags=("unknown",))
        )
    if table.outside_rows:
        outside = str(sum(table.outside_rows.values()))
        figures.append(Figure(name="outside_rows", value=outside, n=rows, group=whole, flags=("outside",)))
    return figures


def _group_rate(table: Table, group: GroupCells, rate: str, assessments: Sequence[Assessment]) -> Figure:
    flags = []
    if any(assessment.references.get(rate) == group.levels for assessment in assessments):
        flags.append("reference")
    outcomes = [outcome for one in assessments for outcome in one.outcomes if outcome.levels == group.levels]
    flags += sorted({_FLAGS[outcome.reason] for outcome in outcomes if outcome.reason in _FLAGS})
    return _rate_figure(rate, group.counts, dict(zip(table.attributes, group.levels, strict=True)), tuple(flags))


def _rate_figure(rate: str, counts: Mapping[CellName, Count], group: dict[str, str], flags: tuple[str, ...]) -> Figure:
    found = part(counts, RATES[rate])
    exists = found.rate is not None
    return Figure(
        name=rate,
        value=text(found.rate),
        n=decimal_text(total(counts).weight),
        numerator=decimal_text(found.numerator.weight),
        denominator=decimal_text(found.denominator.weight),
        interval=interval(wilson(found.proportion), "Wilson") if exists else None,
        group=group,
        flags=flags,
        note="" if exists else f"there are no {RATES[rate].unit}",
    )


def _metric_figure(assessment: Assessment, outcome: GroupOutcome) -> Figure:
    comparison = outcome.comparison
    table = assessment.table
    counts = next(group.counts for group in table.groups if group.levels == outcome.levels)
    titles = " and ".join(RATES[rate].title for rate in assessment.metric.rates)
    against = f"{titles} against {name(outcome.reference)}" if outcome.reference is not None else ""
    if (
        outcome.reference is not None
        and len(assessment.metric.rates) > 1
        and assessment.metric.form
        in (
            "ratio",
            "difference",
        )
    ):
        against = f"{RATES[outcome.rate].title} against {name(outcome.reference)}"
    return Figure(
        name=assessment.limit.name,
        value=text(comparison.value) if comparison is not None else None,
        n=decimal_text(total(counts).weight),
        denominator=decimal_text(part(counts, RATES[outcome.rate]).denominator.weight),
        interval=interval(comparison.interval, comparison.method) if comparison is not None else None,
        limit=assessment.limit.limit,
        group=dict(zip(table.attributes, outcome.levels, strict=True)),
        status=outcome.status,
        flags=tuple(flag for reason, flag in _FLAGS.items() if reason == outcome.reason),
        note=against or outcome.reason,
    )


def _percentiles(assessment: Assessment) -> Percentiles | None:
    bootstrap = assessment.table.bootstrap
    return None if bootstrap is None else bootstrap.intervals.get(assessment.limit.name)


def _between_figure(assessment: Assessment) -> Figure:
    """The interval of the worst value among the groups; it repeats the choice of the worst in every replicate."""
    bootstrap, found = assessment.table.bootstrap, _percentiles(assessment)
    has_bounds = found is not None and found.lower is not None and found.upper is not None
    compared = [outcome.comparison for outcome in assessment.outcomes if outcome.comparison is not None]
    values = [comparison.value for comparison in compared if comparison.value is not None]
    extreme = (min if METRICS[assessment.limit.name].is_ratio else max)(values, default=None)
    return Figure(
        name=assessment.limit.name,
        value=text(extreme),
        interval=Interval(
            lower=text(found.lower) if found is not None and has_bounds else None,
            upper=text(found.upper) if found is not None and has_bounds else None,
            method="percentile bootstrap from the cells",
        ),
        limit=assessment.limit.limit,
        group=dict.fromkeys(assessment.table.attributes, EVERYBODY),
        status=assessment.status,
        flags=("worst",),
        note=f"worst of the judged groups; interval over {len(bootstrap.groups) if bootstrap else 0} groups, "
        "for information",
    )


def findings(body: FairnessBody, table: Table, assessments: Sequence[Assessment]) -> list[Finding]:
    """What a person should know of one attribute: unknown and undeclared rows, shortfalls, groups not judged."""
    found: list[Finding] = []
    if table.unknown_rows:
        found.append(
            Finding(
                code="fairness.unknown_group",
                severity=Severity.WARNING,
                message=f"{table.unknown_rows} of {body.rows} rows have no recorded {table.name}. They are in no "
                "group and nobody guessed one.",
                remediation="Find out why the value is missing; rows that are missing for a reason hide a gap.",
                data={"table": table.name, "rows": table.unknown_rows},
            )
        )
    if table.outside_rows:
        listed = ", ".join(f"{value} ({rows} rows)" for value, rows in list(table.outside_rows.items())[:10])
        found.append(
            Finding(
                code="fairness.undeclared_groups",
                severity=Severity.WARNING,
                message=f"{table.name} holds values beyond the declared groups: {listed}. Nobody judged them.",
                remediation="Declare the groups, or correct the values.",
                data={"table": table.name, "rows": sum(table.outside_rows.values())},
            )
        )
    for assessment in assessments:
        for outcome in assessment.outcomes:
            found += _of_outcome(body, assessment, outcome)
    return found


def _of_outcome(body: FairnessBody, assessment: Assessment, outcome: GroupOutcome) -> list[Finding]:
    place = f"{assessment.table.name} {name(outcome.levels)}"
    where = {"table": assessment.table.name, "group": list(outcome.levels), "metric": assessment.limit.name}
    unit = RATES[outcome.rate].unit
    needed = outcome.rows_needed
    if outcome.reason == "fairness.small_group" and needed is not None:
        message = f"{place} has too few {unit} to be judged; {needed} more would be enough."
        return [_finding("fairness.rows_needed", outcome, message, {**where, "more_rows": needed})]
    if outcome.reason == "fairness.inconclusive" and needed is not None:
        message = f"{place}: about {needed} {unit} in each of the two groups would show whether the gap is real."
        return [_finding("fairness.rows_needed", outcome, message, {**where, "rows_per_group": needed})]
    comparison = outcome.comparison
    selected = assessment.metric.is_ratio and assessment.metric.rates == ("selection_rate",) and not body.is_weighted
    if comparison is None or not comparison.is_beyond or not selected:
        return []
    groups = {group.levels: part(group.counts, RATES["selection_rate"]) for group in assessment.table.groups}
    pair = [outcome.levels, outcome.reference or ()]
    low, high = sorted(pair, key=lambda levels: groups[levels].rate or 0)
    missing = shortfall(groups[low], groups[high], assessment.limit.exact_limit)
    message = (
        f"{assessment.table.name} {name(low)}: {missing} more positive decisions among "
        f"{groups[low].denominator.rows} would reach {assessment.limit.limit} of the rate of {name(high)}."
    )
    return [_finding("fairness.shortfall", outcome, message, {**where, "group": list(low), "shortfall": missing})]


REMEDIES = {
    "fairness.rows_needed": "Collect more rows of the group and submit fresh evidence.",
    "fairness.shortfall": "Find what carries the gap, then train again without it or under a constraint on the rate",
}
"""What to do about a finding, by its code; a shortfall adds how far there is to go."""


def _finding(code: str, outcome: GroupOutcome, message: str, place: Mapping[str, object]) -> Finding:
    severity = Severity.HIGH if outcome.status is CheckStatus.FAILED else Severity.WARNING
    remedy = REMEDIES[code] + (f": {message}" if code == "fairness.shortfall" else "")
    parts = {"code": code, "severity": severity, "message": message, "remediation": remedy, "data": dict(place)}
    return Finding.model_validate(parts)
