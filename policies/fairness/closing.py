"""What would have to change for a group to reach its limit: how many decisions, and where the gap arises. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from policies.fairness.body import GroupCells, ScoreAxis, Table
from policies.fairness.comparison import fewer_to_limit, more_to_limit
from policies.fairness.distributions import shares, table_bands
from policies.fairness.metrics import RATES, part
from policies.fairness.verdict import Assessment, GroupOutcome
from policies.fairness.wording import name

_COUNTED = {
    "selection_rate": "positive decisions",
    "true_positive_rate": "positive decisions",
    "true_negative_rate": "negative decisions",
    "accuracy": "right decisions",
    "false_positive_rate": "positive decisions",
    "false_negative_rate": "negative decisions",
}
"""Rates whose denominator a change of decisions leaves alone, and what is changed."""

_ERRORS = ("false_positive_rate", "false_negative_rate")
"""Rates of which less is better: the group that has more of them is the one to change."""


@dataclass(frozen=True, slots=True)
class Shortfall:
    """How many decisions among ``rows`` of ``levels`` would have to be others to reach the limit of ``rate``."""

    levels: tuple[str, ...]
    other: tuple[str, ...]
    rate: str
    decisions: int
    rows: int
    is_fewer: bool

    def sentence(self, table: str, limit: str, *, is_ratio: bool) -> str:
        """The shortfall in words."""
        of = f"of the {RATES[self.rate].title} of" if is_ratio else f"below the {RATES[self.rate].title} of"
        reach = f"{limit} {of} {name(self.other)}" if is_ratio else f"a distance of {limit} from {name(self.other)}"
        word = "fewer" if self.is_fewer else "more"
        if self.is_fewer and is_ratio:
            reach = f"a rate of which that of {name(self.other)} is {limit}"
        return (
            f"{table} {name(self.levels)}: {self.decisions} {word} {_COUNTED[self.rate]} among {self.rows} "
            f"{'' if RATES[self.rate].unit == 'rows' else RATES[self.rate].unit + ' '}would reach {reach}."
        )


@dataclass(frozen=True, slots=True)
class GapBand:
    """A band of scores below the threshold and how much of the gap in selection lies in it (a difference of shares)."""

    low: float
    high: float
    part: float


def shortfall_of(assessment: Assessment, outcome: GroupOutcome) -> Shortfall | None:
    """The decisions that are missing.

    Null for weights, for means of rates, and for rates whose denominator changes with the decisions (precision).
    """
    comparison, form = outcome.comparison, assessment.metric.form
    if comparison is None or not comparison.is_beyond or form not in ("ratio", "difference"):
        return None
    groups = {group.levels: group for group in assessment.table.groups}
    pair = [groups[outcome.levels], groups[outcome.reference or ()]]
    if outcome.rate not in _COUNTED or any(_is_weighted(group) for group in pair):
        return None
    low, high = sorted(pair, key=lambda group: part(group.counts, RATES[outcome.rate]).rate or Fraction(0))
    parts = [part(group.counts, RATES[outcome.rate]) for group in (low, high)]
    limit, is_ratio = assessment.limit.exact_limit, assessment.metric.is_ratio
    is_fewer = outcome.rate in _ERRORS
    change = fewer_to_limit if is_fewer else more_to_limit
    own, other = (high, low) if is_fewer else (low, high)
    decisions = change(parts[0], parts[1], limit, is_ratio=is_ratio)
    rows = parts[1 if is_fewer else 0].denominator.rows
    return Shortfall(own.levels, other.levels, outcome.rate, decisions, rows, is_fewer)


def _is_weighted(group: GroupCells) -> bool:
    return any(cell.weight is not None for cell in group.cells)


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


def nearest_score(table: Table, axis: ScoreAxis, levels: tuple[str, ...], decisions: int) -> float | None:
    """The score down to which the ``decisions`` people of a group nearest below the threshold reach; null if fewer."""
    if axis.cut is None or decisions <= 0:
        return None
    group = next(one for one in table.groups if one.levels == levels)
    rows = [sum(cells.rows[index] for cells in group.scores) for index in range(len(axis.edges))]
    left = decisions
    for edge, count in reversed(list(zip(axis.edges, rows, strict=True))):
        if float(edge) >= float(axis.cut):
            continue
        left -= count
        if left <= 0:
            return float(edge)
    return None


def gap_of_selection(found: Sequence[GapBand]) -> float:
    """The whole gap in selection: what lies below the threshold of one group and above it in the other."""
    return math.fsum(band.part for band in found)
