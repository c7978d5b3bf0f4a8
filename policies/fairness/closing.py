"""What would have to change for a group to reach its limit: how many decisions, and where the gap arises. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from policies.fairness.body import GroupCells, ScoreAxis, Table
from policies.fairness.distributions import bin_weights, shares, table_bands
from policies.fairness.metrics import RATES, part
from policies.fairness.quantities import Band, calibration_bands
from policies.fairness.readings import read, title_of, unit_of
from policies.fairness.verdict import Assessment, GroupOutcome
from policies.fairness.wording import name
from policies.statistics.counts import Part

Way = Literal["more", "fewer", "without", "out_of"]
"""How a rate moves: decisions are added to its numerator, taken out of it, out of the denominator alone, or of both."""

_WAYS: dict[str, tuple[Way, str]] = {
    "selection_rate": ("more", "positive decisions"),
    "true_positive_rate": ("more", "positive decisions"),
    "true_negative_rate": ("more", "negative decisions"),
    "accuracy": ("more", "right decisions"),
    "false_positive_rate": ("fewer", "positive decisions"),
    "false_negative_rate": ("fewer", "negative decisions"),
    "precision": ("without", "wrong positive decisions"),
    "negative_predictive_value": ("without", "wrong negative decisions"),
    "false_discovery_rate": ("out_of", "wrong positive decisions"),
    "false_omission_rate": ("out_of", "wrong negative decisions"),
}
"""Rates that decisions change, how, and what is counted. Of the rates that fall, less is better."""

_LESS_IS_BETTER = frozenset({"mean_absolute_error", "root_mean_squared_error", "brier_score"})
"""Numbers of which the group that has more is the one to change."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """What ``levels`` lack against ``other`` to reach the limit of a rate or number.

    ``amount`` counts decisions, whole ones unless rows are weighted, of a denominator of ``rows``; of a number that is
    no share of rows it is the distance that the number would have to move. ``way`` is null there.
    """

    levels: tuple[str, ...]
    other: tuple[str, ...]
    rate: str
    amount: Fraction
    rows: int
    way: Way | None
    is_fewer: bool
    is_weighted: bool = False

    def sentence(self, table: str, limit: str, *, is_ratio: bool) -> str:
        """The shortfall in words."""
        title, theirs = title_of(self.rate), name(self.other)
        reach = (
            f"{limit} of the {title} of {theirs}" if is_ratio else f"a distance of {limit} from the {title} of {theirs}"
        )
        if self.is_fewer and is_ratio:
            reach = f"a value of which that of {theirs} is {limit}"
        if self.way is None:
            moved = "fall" if self.is_fewer else "rise"
            moved = f"{moved} by {float(self.amount):.4g}"
            return f"{table} {name(self.levels)}: the {title} would have to {moved} to reach {reach}."
        word = "more" if self.way == "more" else "fewer"
        unit = unit_of(self.rate)
        among = f"{self.rows} {'' if unit == 'rows' else unit + ' '}"
        counted = f"{self.amount} {word} {_WAYS[self.rate][1]}"
        if self.is_weighted:
            counted = f"{word} {_WAYS[self.rate][1]}, of a weight of {float(self.amount):.4g},"
        return f"{table} {name(self.levels)}: {counted} among {among}would reach {reach}."


@dataclass(frozen=True, slots=True)
class GapBand:
    """A band of scores below the threshold and how much of the gap in selection lies in it (a difference of shares)."""

    low: float
    high: float
    part: float


def shortfall_of(assessment: Assessment, outcome: GroupOutcome) -> Shortfall | None:
    """What is missing to the limit, other things equal.

    Null within the limit, for means of several rates, for levels, for the base rate, which no decision changes, and
    where no number of decisions would do.
    """
    comparison, form = outcome.comparison, assessment.metric.form
    is_of_two = form in ("ratio", "difference", "mean_ratio", "mean_difference")
    if comparison is None or not comparison.is_beyond or not is_of_two:
        return None
    groups = {group.levels: group for group in assessment.table.groups}
    pair = [groups[outcome.levels], groups[outcome.reference or ()]]
    low, high = sorted(pair, key=lambda group: read(group, outcome.rate).value or Fraction(0))
    limit, is_ratio = assessment.limit.exact_limit, assessment.metric.is_ratio
    if outcome.rate not in RATES:
        return _of_numbers(low, high, outcome.rate, limit, is_ratio=is_ratio)
    if outcome.rate not in _WAYS:
        return None
    way = _WAYS[outcome.rate][0]
    own, other = (high, low) if way in ("fewer", "out_of") else (low, high)
    ours, theirs = (part(group.counts, RATES[outcome.rate]) for group in (own, other))
    amount = _decisions(way, ours, theirs, limit, is_ratio=is_ratio)
    if amount is None:
        return None
    is_weighted = any(cell.weight is not None for group in pair for cell in group.cells)
    return Shortfall(
        own.levels,
        other.levels,
        outcome.rate,
        max(Fraction(0), amount if is_weighted else Fraction(math.ceil(amount))),
        ours.denominator.rows,
        way,
        is_fewer=way != "more",
        is_weighted=is_weighted,
    )


def _decisions(way: Way, own: Part, other: Part, limit: Fraction, *, is_ratio: bool) -> Fraction | None:
    """How many decisions ``own`` would have to change by, exactly; null where none would be enough.

    With ``a`` of ``n`` in the own group and the other's rate q: where the rate must rise, to ``limit * q`` or
    ``q - limit``, k solves ``(a + k) / n`` or ``a / (n - k)``; where it must fall, to ``q / limit`` or ``q + limit``,
    ``(a - k) / n`` or ``(a - k) / (n - k)``.
    """
    a, n = own.numerator.weight, own.denominator.weight
    q = other.numerator.weight / other.denominator.weight
    if way in ("more", "without"):
        wanted = limit * q if is_ratio else q - limit
        if way == "more":
            return wanted * n - a
        return n - a / wanted if a and wanted > 0 else None
    allowed = q / limit if is_ratio else q + limit
    if way == "fewer":
        return a - allowed * n
    return (a - allowed * n) / (1 - allowed) if allowed < 1 else None


def _of_numbers(low: GroupCells, high: GroupCells, rate: str, limit: Fraction, *, is_ratio: bool) -> Shortfall | None:
    """How far a number would have to move that is no share of rows."""
    lower, higher = (read(group, rate).value for group in (low, high))
    if lower is None or higher is None:
        return None
    is_fewer = rate in _LESS_IS_BETTER
    own, other = (high, low) if is_fewer else (low, high)
    of_ratio = higher - lower / limit if is_fewer and is_ratio else limit * higher - lower
    amount = of_ratio if is_ratio else higher - lower - limit
    return Shortfall(
        own.levels, other.levels, rate, max(Fraction(0), amount), read(own, rate).rows, None, is_fewer=is_fewer
    )


def gap_bands(table: Table, axis: ScoreAxis, low: tuple[str, ...], high: tuple[str, ...]) -> tuple[GapBand, ...]:
    """Where below the threshold the rows of ``low`` lie whose like in ``high`` lie above it.

    The gap in selection is the sum over the bands of share(low) - share(high) below the threshold; bands with more of
    ``low`` than of ``high`` carry it. In the order of scores; none without a threshold.
    """
    if axis.cut is None:
        return ()
    groups = {group.levels: group for group in table.groups}
    chosen, size = table_bands(table, axis), len(axis.edges)
    ours, theirs = shares(groups[low], chosen, size), shares(groups[high], chosen, size)
    cut = float(axis.cut)
    return tuple(
        GapBand(band.low, band.high, own - other)
        for band, own, other in zip(chosen, ours, theirs, strict=True)
        if band.low < cut
    )


def main_range(found: Sequence[GapBand]) -> GapBand | None:
    """The neighbouring bands that carry the most of the gap together; null where none carries any."""
    best: GapBand | None = None
    running: GapBand | None = None
    for band in found:
        is_fresh = running is None or running.part <= 0
        running = band if is_fresh or running is None else GapBand(running.low, band.high, running.part + band.part)
        if running.part > 0 and (best is None or running.part > best.part):
            best = running
    return best


def nearest_score(table: Table, axis: ScoreAxis, levels: tuple[str, ...], amount: Fraction) -> float | None:
    """The score down to which a group's rows of that weight nearest below the threshold reach; null if there are fewer.

    Without weights the amount counts people.
    """
    if axis.cut is None or amount <= 0:
        return None
    group = next(one for one in table.groups if one.levels == levels)
    left = float(amount)
    for edge, weight in reversed(list(zip(axis.edges, bin_weights(group, len(axis.edges)), strict=True))):
        if float(edge) >= float(axis.cut):
            continue
        left -= weight
        if left <= 0:
            return float(edge)
    return None


def gap_of_selection(found: Sequence[GapBand]) -> float:
    """The whole gap in selection: what lies below the threshold of one group and above it in the other."""
    return math.fsum(band.part for band in found)


def worst_band(group: GroupCells) -> Band | None:
    """The band of scores that adds most to a group's calibration error; null without labels."""
    return max(
        calibration_bands(group), key=lambda band: band.weight * abs(band.mean_score - band.observed), default=None
    )
