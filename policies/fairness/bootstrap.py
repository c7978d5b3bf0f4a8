"""Intervals of between-groups values by resampling the cells, where no closed form exists."""

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from policies.fairness.body import Bootstrap, Percentiles
from policies.fairness.metrics import METRICS, RATES, Metric, Rate
from policies.statistics.counts import CellName, Count, Part, total

SMALL_GROUP_ROWS = 30
"""Groups with fewer rows are left out where at least two larger ones exist: one person would set every extreme."""

MAX_GROUPS = 100
"""With more groups the largest gap says little, and the replicates would not fit in memory."""

MAX_UNDEFINED = 0.05
"""With a larger share of replicates in which the value does not exist, an interval of the others misleads."""

_CELLS: tuple[CellName, ...] = ("tp", "fp", "fn", "tn", "selected", "rejected", "positive", "negative")

Array = npt.NDArray[np.float64]


def resample(
    groups: Sequence[tuple[tuple[str, ...], Mapping[CellName, Count]]], *, seed: int, replicates: int
) -> Bootstrap | None:
    """Percentile intervals of the between-groups value of every metric of rates, over multinomial replicates of cells.

    Weighted cells are drawn in proportion to their weights, as many as there are effective rows. None where fewer
    than two groups have rows or there are more than ``MAX_GROUPS``.
    """
    filled = [(levels, cells) for levels, cells in groups if total(cells).weight > 0]
    large = [(levels, cells) for levels, cells in filled if total(cells).rows >= SMALL_GROUP_ROWS]
    used = large if len(large) > 1 else filled
    if not 1 < len(used) <= MAX_GROUPS or any("counted" in cells for _, cells in used):
        return None
    weights = np.array([[float(cells.get(name, Count()).weight) for name in _CELLS] for _, cells in used])
    everybody = sum((total(cells) for _, cells in used), Count())
    size = round(Part(everybody, everybody).proportion.size)
    drawn = np.random.default_rng(seed).multinomial(size, weights.ravel() / weights.sum(), size=replicates)
    counts = drawn.reshape(replicates, *weights.shape).astype(np.float64)
    rates = {name: _rate(counts, rate) for name, rate in RATES.items()}
    return Bootstrap(
        replicates=replicates,
        groups=tuple(levels for levels, _ in used),
        intervals={
            name: _percentiles(_between(rates, metric)) for name, metric in METRICS.items() if metric.is_of_rates
        },
    )


def _rate(counts: Array, rate: Rate) -> Array:
    """A rate of each replicate and group, NaN where its denominator is zero."""
    above = counts[..., [_CELLS.index(name) for name in sorted(rate.numerator)]].sum(axis=-1)
    below = counts[..., [_CELLS.index(name) for name in sorted(rate.denominator)]].sum(axis=-1)
    return _quotient(above, below)


def _quotient(above: Array, below: Array) -> Array:
    """NaN where the denominator is zero or does not exist."""
    out: Array = np.full_like(above, np.nan)
    np.divide(above, below, out=out, where=below > 0)
    return out


def _spread(rates: Array) -> Array:
    spread: Array = rates.max(axis=1) - rates.min(axis=1)
    return spread


def _between(rates: Mapping[str, Array], metric: Metric) -> Array:
    """The metric's worst value among the groups of each replicate; NaN where any rate it needs does not exist."""
    used = [rates[name] for name in metric.rates]
    match metric.form:
        case "mean_ratio" | "mean_difference" | "level":
            raise ValueError(f"{metric.title} is no metric of rates")
        case "ratio":
            lowest: Array = np.min([_quotient(rate.min(axis=1), rate.max(axis=1)) for rate in used], axis=0)
            return lowest
        case "difference":
            widest: Array = np.max([_spread(rate) for rate in used], axis=0)
            return widest
        case "balanced_difference":
            mean: Array = np.mean(used, axis=0)
            return _spread(mean)
        case "average_difference":
            groups = used[0].shape[1]
            worst: Array = np.zeros(len(used[0]))
            for group in range(groups):
                gaps: Array = np.mean([np.abs(rate - rate[:, [group]]) for rate in used], axis=0)
                worst = np.maximum(worst, gaps.max(axis=1))
            return worst


def _percentiles(values: Array) -> Percentiles:
    undefined = int(np.isnan(values).sum())
    if undefined > MAX_UNDEFINED * len(values):
        return Percentiles(lower=None, upper=None, undefined=undefined)
    lower, upper = np.nanquantile(values, [0.025, 0.975])
    return Percentiles(lower=float(lower), upper=float(upper), undefined=undefined)
