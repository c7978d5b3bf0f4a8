"""Each metric of a measurement with its interval, and the baseline it has to beat. Pure."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction

from policies.performance.body import PerformanceBody
from policies.performance.params import MetricName
from policies.statistics.counts import CellName, Count, Part, total
from policies.statistics.intervals import Z_TWO_SIDED, Bounds, wilson


@dataclass(frozen=True, slots=True)
class Estimate:
    """A metric: its exact value, its interval, and the rows (or weight) of its denominator.

    ``value`` and ``bounds`` are null where the denominator is zero, or a class that the metric needs is empty.
    """

    value: Fraction | None
    bounds: Bounds | None
    rows: int
    weight: Fraction
    method: str


@dataclass(frozen=True, slots=True)
class Baseline:
    """The best prediction that ignores the features, and the metric's lead over it with its interval.

    ``is_identical``: the model decides as the baseline does in every row, so that there is no lead to estimate.
    """

    value: Fraction
    lead: Fraction
    bounds: Bounds
    is_identical: bool
    method: str


_MISSING = Estimate(None, None, 0, Fraction(0), "none")


def estimate(body: PerformanceBody, metric: MetricName) -> Estimate:
    """The metric of a measurement; without a value where it was not measured or does not exist.

    F1 is ``2j / (1 + j)`` of the share j of true positives among all rows that are positive by label or decision, a
    rising function, so its bounds are those of j carried over. The bounds of balanced accuracy combine the two
    Wilson intervals in squares (MOVER); those of the AUC are DeLong's on the logit scale, of effective rows where
    rows have weights.
    """
    counts = body.counts
    match metric:
        case "accuracy":
            return _share(counts, ("tp", "tn"), ("tp", "fp", "fn", "tn"))
        case "precision":
            return _share(counts, ("tp",), ("tp", "fp"))
        case "recall":
            return _share(counts, ("tp",), ("tp", "fn"))
        case "f1":
            return _f1(counts)
        case "balanced_accuracy":
            return _balanced(counts)
        case "auc":
            return _auc(body)


def baseline(body: PerformanceBody, metric: MetricName) -> Baseline | None:
    """The baseline of the metric on the same rows, null where the metric does not exist or has no baseline.

    For accuracy the model and the majority class are compared row by row, with Agresti and Min's interval of a paired
    difference; other baselines are taken as known numbers.
    """
    found = estimate(body, metric)
    if found.value is None or found.bounds is None or metric == "recall":
        return None
    counts = body.counts
    if metric == "accuracy":
        return _majority(counts)
    value = Fraction(1, 2)
    if metric in ("precision", "f1"):
        prevalence = total(counts, ("tp", "fn")).weight / total(counts).weight
        value = prevalence if metric == "precision" else 2 * prevalence / (1 + prevalence)
    lead = Bounds(found.bounds.lower - float(value), found.bounds.upper - float(value))
    identical = found.value == value and found.bounds.lower == found.bounds.upper
    return Baseline(value, found.value - value, lead, identical, found.method)


def _share(counts: Mapping[CellName, Count], above: tuple[CellName, ...], below: tuple[CellName, ...]) -> Estimate:
    share = Part(total(counts, above), total(counts, below))
    if share.rate is None:
        return _MISSING
    denominator = share.denominator
    return Estimate(share.rate, wilson(share.proportion), denominator.rows, denominator.weight, "Wilson")


def _f1(counts: Mapping[CellName, Count]) -> Estimate:
    share = _share(counts, ("tp",), ("tp", "fp", "fn"))
    if share.value is None or share.bounds is None:
        return _MISSING
    bounds = Bounds(*(2 * bound / (1 + bound) for bound in (share.bounds.lower, share.bounds.upper)))
    return Estimate(2 * share.value / (1 + share.value), bounds, share.rows, share.weight, "Wilson, carried over")


def _balanced(counts: Mapping[CellName, Count]) -> Estimate:
    sides = [_share(counts, ("tp",), ("tp", "fn")), _share(counts, ("tn",), ("fp", "tn"))]
    known = [(side.value, side.bounds) for side in sides if side.value is not None and side.bounds is not None]
    if len(known) < 2:
        return _MISSING
    value = sum((share for share, _ in known), Fraction(0)) / 2
    down = math.hypot(*(float(share) - bounds.lower for share, bounds in known)) / 2
    up = math.hypot(*(bounds.upper - float(share) for share, bounds in known)) / 2
    smaller = min(sides, key=lambda side: side.rows)
    bounds = Bounds(float(value) - down, float(value) + up)
    return Estimate(value, bounds, smaller.rows, smaller.weight, "Wilson bounds combined (MOVER)")


def _auc(body: PerformanceBody) -> Estimate:
    ranks = body.weighted_area or body.ranks
    if ranks is None:
        return _MISSING
    area = Fraction(ranks.area)
    rows = min(ranks.positives, ranks.negatives)
    if ranks.variance is None:
        return Estimate(area, None, rows, Fraction(rows), "none")
    return Estimate(area, _logit_bounds(float(area), ranks.variance, rows), rows, Fraction(rows), "DeLong, logit scale")


def _logit_bounds(area: float, variance: float, rows: int) -> Bounds:
    """Bounds inside [0, 1]; where the classes are separated the rule of three bounds what was not seen."""
    if area in (0.0, 1.0):
        slack = min(1.0, 3 / rows)
        return Bounds(max(0.0, area - slack), min(1.0, area + slack))
    centre = math.log(area / (1 - area))
    half = Z_TWO_SIDED * math.sqrt(variance) / (area * (1 - area))
    return Bounds(_inverse_logit(centre - half), _inverse_logit(centre + half))


def _inverse_logit(x: float) -> float:
    # Beyond this exp() overflows, and the result is 0 or 1 in doubles anyway.
    return 1 / (1 + math.exp(-max(-700.0, min(700.0, x))))


def _majority(counts: Mapping[CellName, Count]) -> Baseline:
    """The lead over the majority class: rows that only the model gets right, less those that only the baseline does.

    With half a row added to each of the four cells. Source: Agresti and Min 2005, "Simple improved confidence
    intervals for comparing matched proportions".
    """
    everybody = total(counts)
    positives = total(counts, ("tp", "fn")).weight
    is_positive = 2 * positives >= everybody.weight
    names: tuple[CellName, CellName] = ("tn", "fn") if is_positive else ("tp", "fp")
    gained, lost = (total(counts, (name,)).weight for name in names)
    size = Part(everybody, everybody).proportion.size
    scale = size / float(everybody.weight)
    b, c, n = float(gained) * scale + 0.5, float(lost) * scale + 0.5, size + 2
    centre = (b - c) / n
    half = Z_TWO_SIDED * math.sqrt(max(0.0, (b + c) / n - centre * centre) / n)
    share = max(positives, everybody.weight - positives) / everybody.weight
    return Baseline(
        value=share,
        lead=(gained - lost) / everybody.weight,
        bounds=Bounds(centre - half, centre + half),
        is_identical=gained == lost == 0,
        method="paired difference (Agresti and Min)",
    )
