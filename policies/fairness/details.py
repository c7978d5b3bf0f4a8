"""All numbers of a measurement for machines: counts, rates and between-groups values, as text. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import combinations

from pydantic import JsonValue

from governance.types.value import decimal_text
from policies.fairness.body import FairnessBody, GroupCells, Table
from policies.fairness.distributions import score_details
from policies.fairness.metrics import METRICS, RATES, Metric, part
from policies.fairness.quantities import QUANTITIES
from policies.fairness.readings import read
from policies.fairness.verdict import Assessment, GroupOutcome
from policies.statistics.counts import CellName, Count, Part, total

_POSITIVE: tuple[CellName, ...] = ("tp", "fp", "selected")
_NEGATIVE: tuple[CellName, ...] = ("fn", "tn", "rejected")


def text(value: Fraction | float | None) -> str | None:
    """A number as decimal text, null where it does not exist."""
    return None if value is None else decimal_text(value)


@dataclass(frozen=True, slots=True)
class _Numbers:
    """What is asked of a group again and again, worked out once: its counts, the parts of its rates, its values."""

    counts: Mapping[CellName, Count]
    parts: Mapping[str, Part]
    values: Mapping[str, Fraction | None]
    """Of every rate and quantity that the measurement can give, null where it does not exist."""


def _numbers(group: GroupCells, quantities: Sequence[str]) -> _Numbers:
    counts = group.counts
    parts = {name: part(counts, rate) for name, rate in RATES.items()}
    values = {name: own.rate for name, own in parts.items()}
    return _Numbers(counts, parts, values | {name: read(group, name).value for name in quantities})


def numbers_in_full(
    body: FairnessBody, by_table: Mapping[str, Sequence[Assessment]], tables: Sequence[Table], minimum_rows: int
) -> dict[str, JsonValue]:
    """The counts and numbers of all rows, whether or not their group is known, and those of each table by its title."""
    quantities = _quantities(body)
    classes = ["", *body.overall_by_class, *(table.one_class for table in tables)]
    whole = {name: _numbers(body.whole(name), quantities) for name in dict.fromkeys(classes)}
    told = {name: {**_counts(numbers.counts, body), **_values(numbers)} for name, numbers in whole.items()}
    by_class: dict[str, JsonValue] = {name: told[name] for name in body.overall_by_class}
    found: dict[str, JsonValue] = {
        table.title: _table_details(table, body, by_table[table.title], minimum_rows, whole[table.one_class])
        for table in tables
    }
    return {"overall": told[""], "overall_by_class": by_class, "tables": found}


def _table_details(
    table: Table, body: FairnessBody, assessments: Sequence[Assessment], minimum_rows: int, everybody: _Numbers
) -> dict[str, JsonValue]:
    """The counts, rates and ratios of each group, and the between-groups values.

    ``between``, per rate: ``difference_between_groups`` (highest less lowest), ``ratio_between_groups`` (lowest over
    highest), ``difference_to_overall`` (largest absolute), ``ratio_to_overall`` (smallest of r and 1/r), over the
    groups in which the rate exists, against all rows; Fairlearn's ``MetricFrame`` defines them so. ``metrics`` holds
    every metric's worst value over the same groups.
    """
    quantities = _quantities(body)
    groups = [(group, _numbers(group, quantities)) for group in table.groups]
    filled = [numbers for group, numbers in groups if group.rows]
    reference = next((numbers for group, numbers in groups if group.levels == table.reference), None)
    between: dict[str, JsonValue] = {
        name: _spread([one.values[name] for one in filled], whole) for name, whole in everybody.values.items()
    }
    between["count"] = _spread(
        [total(one.counts).weight for one in filled], total(everybody.counts).weight if filled else None
    )
    positives = total(everybody.counts, _POSITIVE).weight
    return {
        "rows_in_groups": sum(group.rows for group in table.groups),
        "unknown_rows": table.unknown_rows,
        "outside_rows": dict(table.outside_rows),
        "absent_groups": [" / ".join(group.levels) for group in table.groups if not group.rows and group.is_expected],
        "small_groups": {" / ".join(g.levels): g.rows for g in table.groups if 0 < g.rows < minimum_rows},
        "groups": [
            {
                "group": dict(zip(table.attributes, group.levels, strict=True)),
                "rows": group.rows,
                **_counts(numbers.counts, body),
                **_group(numbers, reference, positives),
            }
            for group, numbers in groups
        ],
        "between": between,
        "metrics": _metrics(filled, quantities),
        "judged": [_judged(assessment, outcome) for assessment in assessments for outcome in assessment.outcomes],
        "one_class": table.one_class or None,
        "scores": None if body.axis is None else score_details(table, body.axis),
    }


def _quantities(body: FairnessBody) -> list[str]:
    """The quantities that the measurement can give."""
    known = {
        "scores": body.axis is not None,
        "scores and labels": body.axis is not None and body.has_label,
        "predictions": body.is_regression,
    }
    return [name for name, quantity in QUANTITIES.items() if known[quantity.needs]]


def _values(numbers: _Numbers) -> dict[str, JsonValue]:
    """Every rate and quantity of a group, null where it does not exist."""
    found: dict[str, JsonValue] = {name: text(value) for name, value in numbers.values.items()}
    both = [numbers.values[name] for name in ("true_positive_rate", "true_negative_rate")]
    found["balanced_accuracy"] = text(_mean([one for one in both if one is not None])) if None not in both else None
    return found


def _counts(counts: Mapping[CellName, Count], body: FairnessBody) -> dict[str, JsonValue]:
    found: dict[str, JsonValue] = {"count": text(total(counts).weight)}
    if not body.has_decision:
        return found
    found |= {
        "predicted_positives": text(total(counts, _POSITIVE).weight),
        "predicted_negatives": text(total(counts, _NEGATIVE).weight),
    }
    if body.has_label:
        cells: tuple[CellName, ...] = ("tp", "fp", "fn", "tn")
        found |= {cell: text(total(counts, (cell,)).weight) for cell in cells}
    return found


def _group(numbers: _Numbers, reference: _Numbers | None, positives: Fraction) -> dict[str, JsonValue]:
    """The values of a group; ``positives`` is the weight of all rows that were selected."""
    share = total(numbers.counts, _POSITIVE).weight / positives if positives else None
    found: dict[str, JsonValue] = {
        **_values(numbers),
        "denominators": {name: text(own.denominator.weight) for name, own in numbers.parts.items()},
        "predicted_positive_share": text(share),
    }
    if reference is not None:
        ratios: dict[str, JsonValue] = {
            name: text(_quotient(numbers.values[name], reference.values[name])) for name in RATES
        }
        found["ratio_to_reference"] = ratios | {
            "predicted_positive_share": text(_share_ratio(numbers.counts, reference.counts))
        }
    return found


def _share_ratio(counts: Mapping[CellName, Count], reference: Mapping[CellName, Count]) -> Fraction | None:
    return _quotient(total(counts, _POSITIVE).weight, total(reference, _POSITIVE).weight)


def _quotient(above: Fraction | None, below: Fraction | None) -> Fraction | None:
    return above / below if above is not None and below else None


def _spread(values: Sequence[Fraction | None], whole: Fraction | None) -> dict[str, JsonValue]:
    known = [value for value in values if value is not None]
    if not known or whole is None:
        names = ("difference_between_groups", "ratio_between_groups", "difference_to_overall", "ratio_to_overall")
        return dict.fromkeys(names)
    ratios = [_quotient(value, whole) for value in known]
    inward = [min(ratio, 1 / ratio) if ratio else ratio for ratio in ratios if ratio is not None]
    return {
        "difference_between_groups": text(max(known) - min(known)),
        "ratio_between_groups": text(_quotient(min(known), max(known))),
        "difference_to_overall": text(max(abs(value - whole) for value in known)),
        "ratio_to_overall": text(min(inward)) if inward else None,
    }


def _metrics(groups: Sequence[_Numbers], quantities: Sequence[str]) -> dict[str, JsonValue]:
    """Every metric's worst value over the groups; several are one comparison under different names."""
    known: dict[tuple[str, tuple[str, ...]], str | None] = {}
    found: dict[str, JsonValue] = {}
    for name, metric in METRICS.items():
        if metric.is_of_rates or set(metric.rates) <= set(quantities):
            comparison = (metric.form, metric.rates)
            if comparison not in known:
                known[comparison] = text(_worst(groups, metric))
            found[name] = known[comparison]
    return found


def _worst(groups: Sequence[_Numbers], metric: Metric) -> Fraction | None:
    """The metric's worst value over the groups in which its rates exist; null where fewer than two have them."""
    rows = [[group.values[name] for name in metric.rates] for group in groups]
    whole = [[value for value in row if value is not None] for row in rows if None not in row]
    if len(whole) < 2:
        return None
    columns: list[tuple[Fraction, ...]] = list(zip(*whole, strict=True))
    match metric.form:
        case "ratio" | "mean_ratio":
            ratios = [_quotient(min(column), max(column)) for column in columns]
            known = [ratio for ratio in ratios if ratio is not None]
            return min(known) if len(known) == len(ratios) else None
        case "level":
            return max(columns[0])
        case "difference" | "mean_difference":
            return max(max(column) - min(column) for column in columns)
        case "balanced_difference":
            means = [_mean(row) for row in whole]
            return max(means) - min(means)
        case "average_difference":
            return max(
                _mean([abs(a - b) for a, b in zip(one, two, strict=True)]) for one, two in combinations(whole, 2)
            )


def _mean(values: Sequence[Fraction]) -> Fraction:
    return sum(values, Fraction(0)) / len(values)


def _judged(assessment: Assessment, outcome: GroupOutcome) -> dict[str, JsonValue]:
    comparison = outcome.comparison
    found: dict[str, JsonValue] = {
        "metric": assessment.limit.name,
        "limit": assessment.limit.limit,
        "group": list(outcome.levels),
        "status": None if outcome.status is None else outcome.status.value,
        "reason": outcome.reason,
        "rate": outcome.rate,
    }
    if outcome.rows_needed is not None:
        found["rows_needed"] = outcome.rows_needed
    if comparison is None:
        return found
    exact = None if comparison.value is None else str(comparison.value)
    return found | {
        "reference": list(outcome.reference or ()),
        # Weights can spell fractions of hundreds of digits, which nobody reads.
        "exact": exact if exact is not None and len(exact) <= 60 else None,
        "value": text(comparison.value),
        "test": comparison.test,
        "p_equal": text(comparison.p_equal),
        "p_equal_holm": text(outcome.adjusted_p_equal),
        "p_beyond": text(comparison.p_beyond),
        "p_beyond_holm": text(outcome.adjusted_p_beyond),
        "p_equal_all_pairs": text(outcome.adjusted_p_sure),
        "detectable": text(outcome.detectable),
    }
