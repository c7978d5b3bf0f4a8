"""What a comparison could have seen: the gap that would have been found with a stated probability. Pure."""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

from policies.fairness.metrics import Form
from policies.fairness.readings import Reading
from policies.statistics.counts import Part
from policies.statistics.intervals import Proportion, log_ratio

POWER = 0.8
"""The probability with which the gap would have been found."""

_NORMAL = NormalDist()
_Z_POWER = _NORMAL.inv_cdf(POWER)


@dataclass(frozen=True, slots=True)
class Levels:
    """One-sided levels after correction: that of the bound against the limit, and that of the test of equal values."""

    bound: float
    equal: float

    @property
    def z_bound(self) -> float:
        """The normal quantile of the bound."""
        return _NORMAL.inv_cdf(1 - self.bound)

    @property
    def z_equal(self) -> float:
        """The normal quantile of the two-sided test."""
        return _NORMAL.inv_cdf(1 - self.equal / 2)


def detectable(form: Form, group: Reading, reference: Reading, limit: float, levels: Levels) -> float | None:
    """The value beyond which a true ratio or difference would have ``failed`` with 80 % probability at these counts.

    The reference keeps its value and the group moves away from it. Null where no value would have been seen so
    surely, or where the form has no such statement (means of several rates).
    """
    if group.part is not None and reference.part is not None and form in ("ratio", "difference"):
        return _of_rates(form, group.part, reference.part, limit, levels)
    if group.estimate is not None and reference.estimate is not None and form == "mean_difference":
        error = math.hypot(group.estimate.error, reference.estimate.error)
        return max(limit + (levels.z_bound + _Z_POWER) * error, (levels.z_equal + _Z_POWER) * error)
    return None


def _of_rates(form: Form, group: Part, reference: Part, limit: float, levels: Levels) -> float | None:
    high = reference.proportion
    size = group.proportion.size
    if high.count <= 0:
        return None
    if form == "ratio":
        return _largest(lambda ratio: _seen_ratio(ratio, size, high, limit, levels), limit)
    gap = _largest(lambda rate: _seen_difference(high.rate - rate, size, high, limit, levels), high.rate)
    return None if gap is None else high.rate - gap


def _largest(is_seen: Callable[[float], bool], top: float) -> float | None:
    """The largest value below ``top`` at which the gap is seen, by bisection; null where it is not seen at 0."""
    low, high = 0.0, top
    if not is_seen(low):
        return None
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if is_seen(middle) else (low, middle)
    return low


def _seen_ratio(ratio: float, size: float, high: Proportion, limit: float, levels: Levels) -> bool:
    low = Proportion(ratio * high.rate * size, size)
    centre, error = log_ratio(low, high)
    is_bounded = math.log(limit) - centre >= (levels.z_bound + _Z_POWER) * error
    return is_bounded and _seen_gap(low, high, levels)


def _seen_difference(gap: float, size: float, high: Proportion, limit: float, levels: Levels) -> bool:
    low = Proportion((high.rate - gap) * size, size)
    error = math.sqrt(_variance(low) + _variance(high))
    is_bounded = gap - limit >= (levels.z_bound + _Z_POWER) * error
    return is_bounded and _seen_gap(low, high, levels)


def _seen_gap(low: Proportion, high: Proportion, levels: Levels) -> bool:
    pooled = (low.count + high.count) / (low.size + high.size)
    under_equality = math.sqrt(pooled * (1 - pooled) * (1 / low.size + 1 / high.size))
    needed = levels.z_equal * under_equality + _Z_POWER * math.sqrt(_variance(low) + _variance(high))
    return high.rate - low.rate >= needed


def _variance(one: Proportion) -> float:
    return one.rate * (1 - one.rate) / one.size
