"""The numbers of a judged measurement as reports print them. Pure."""

from collections.abc import Mapping, Sequence

from governance.types.results import Figure, Interval
from governance.types.value import decimal_text
from policies.fairness.body import FairnessBody, GroupCells, Percentiles, Table
from policies.fairness.details import text
from policies.fairness.metrics import METRICS, RATES, part
from policies.fairness.readings import read, title_of, unit_of
from policies.fairness.verdict import Assessment, GroupOutcome
from policies.fairness.wording import name, power_text
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
    """The numbers of all rows; of several classes none, since each has its own."""
    return [] if body.overall_by_class else [_value_figure(rate, body.whole(), {}, ()) for rate in rates]


def table_figures(table: Table, assessments: Sequence[Assessment], rates: Sequence[str]) -> list[Figure]:
    """The rates of each group, then the limited metrics of each group, then the attribute's own values."""
    figures = [_group_rate(table, group, rate, assessments) for group in table.groups for rate in rates]
    figures += [_metric_figure(one, outcome) for one in assessments for outcome in one.outcomes]
    figures += [_between_figure(one) for one in assessments if _percentiles(one) is not None]
    whole = _place(table, (EVERYBODY,) * len(table.attributes))
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
    return _value_figure(rate, group, _place(table, group.levels), tuple(flags))


def _place(table: Table, levels: tuple[str, ...]) -> dict[str, str]:
    """The attributes of a figure; the class that was held against the rest is one of them."""
    return dict(zip(table.attributes, levels, strict=True)) | ({"class": table.one_class} if table.one_class else {})


def _value_figure(name: str, group: GroupCells, place: dict[str, str], flags: tuple[str, ...]) -> Figure:
    """A rate with its Wilson interval, or a quantity with a normal one."""
    if name in RATES:
        return _rate_figure(name, group.counts, place, flags)
    reading = read(group, name)
    estimate = reading.estimate
    return Figure(
        name=name,
        value=text(reading.value),
        n=decimal_text(total(group.counts).weight),
        denominator=str(reading.rows),
        interval=None
        if estimate is None
        else interval(
            estimate.bounds(),
            "normal, from the standard error" if estimate.by_chance is None else "bounds of the bands together",
        ),
        group=place,
        flags=flags,
        note="" if estimate is not None else f"there are no {unit_of(name)}",
    )


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
    group = next(group for group in table.groups if group.levels == outcome.levels)
    titles = " and ".join(map(title_of, assessment.metric.rates))
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
        against = f"{title_of(outcome.rate)} against {name(outcome.reference)}"
    return Figure(
        name=assessment.limit.name,
        value=text(comparison.value) if comparison is not None else None,
        n=decimal_text(total(group.counts).weight),
        denominator=_denominator(group, outcome.rate),
        interval=interval(comparison.interval, comparison.method) if comparison is not None else None,
        limit=assessment.limit.limit,
        group=_place(table, outcome.levels),
        status=outcome.status,
        flags=tuple(flag for reason, flag in _FLAGS.items() if reason == outcome.reason),
        note=(against or outcome.reason) + power_text(assessment, outcome),
    )


def _denominator(group: GroupCells, rate: str) -> str:
    reading = read(group, rate)
    return str(reading.rows) if reading.part is None else decimal_text(reading.part.denominator.weight)


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
        group=_place(assessment.table, (EVERYBODY,) * len(assessment.table.attributes)),
        status=assessment.status,
        flags=("worst",),
        note=f"worst of the judged groups; interval over {len(bootstrap.groups) if bootstrap else 0} groups, "
        "for information",
    )
