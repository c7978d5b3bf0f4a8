"""Two estimates compared by their standard errors, and the form of every comparison. Pure."""

import math
from dataclasses import dataclass
from fractions import Fraction

from policies.fairness.quantities import Estimate
from policies.statistics.intervals import Z_TWO_SIDED, Bounds, normal_upper_tail


@dataclass(frozen=True, slots=True)
class Comparison:
    """A group's rates against the reference's.

    ``value`` is the exact ratio or absolute difference, null where it does not exist. ``is_beyond`` compares it with
    the limit exactly. ``p_beyond`` is the one-sided p-value against being inside the limit, ``p_equal`` the two-sided
    one against equal rates, both before any correction for several comparisons.
    """

    value: Fraction | None
    is_beyond: bool
    interval: Bounds | None
    method: str
    p_beyond: float
    p_equal: float
    test: str


def compare_estimates(one: Estimate, two: Estimate, limit: Fraction, *, is_ratio: bool) -> Comparison:
    """The lower of two estimates over the higher, or the higher less the lower, with normal intervals.

    A ratio is compared on the log scale; it does not exist where the lower value is below zero or both are zero.
    """
    low, high = sorted((one, two), key=lambda estimate: estimate.value)
    return _ratio(low, high, limit) if is_ratio else _difference(low, high, limit)


def compare_level(one: Estimate, limit: Fraction) -> Comparison:
    """A mean of distances from zero, held to the limit by itself; what chance adds to it is taken off for the tests.

    ``p_equal`` is the one-sided p-value of as large a mean where nothing is off.
    """
    is_beyond = Fraction(one.value) > limit
    above = one.value - (one.by_chance or 0.0)
    return Comparison(
        value=Fraction(one.value),
        is_beyond=is_beyond,
        interval=one.bounds(),
        method="bounds of the bands together",
        p_beyond=_tail(above - float(limit), one.error) if is_beyond else 1.0,
        p_equal=_tail(above, one.error),
        test="z",
    )


def _difference(low: Estimate, high: Estimate, limit: Fraction) -> Comparison:
    value, error = high.value - low.value, math.hypot(low.error, high.error)
    is_beyond = value > limit
    return Comparison(
        value=Fraction(value),
        is_beyond=is_beyond,
        interval=Bounds(value - Z_TWO_SIDED * error, value + Z_TWO_SIDED * error),
        method="normal, from the standard errors",
        p_beyond=_tail(value - float(limit), error) if is_beyond else 1.0,
        p_equal=min(1.0, 2 * _tail(value, error)) if value > 0 else 1.0,
        test="z",
    )


def _ratio(low: Estimate, high: Estimate, limit: Fraction) -> Comparison:
    if high.value <= 0 or low.value < 0:
        return Comparison(
            value=None, is_beyond=False, interval=None, method="log ratio", p_beyond=1.0, p_equal=1.0, test="none"
        )
    value = Fraction(low.value) / Fraction(high.value)
    is_beyond = value < limit
    difference = _difference(low, high, Fraction(0))
    if low.value == 0:
        return Comparison(
            value=value, is_beyond=is_beyond, interval=None, method="log ratio", p_beyond=difference.p_equal,
            p_equal=difference.p_equal, test="z",
        )  # fmt: skip
    error = math.hypot(low.error / low.value, high.error / high.value)
    centre = math.log(value)
    return Comparison(
        value=value,
        is_beyond=is_beyond,
        interval=Bounds(math.exp(centre - Z_TWO_SIDED * error), math.exp(centre + Z_TWO_SIDED * error)),
        method="log ratio, from the standard errors",
        p_beyond=_tail(math.log(limit) - centre, error) if is_beyond else 1.0,
        p_equal=difference.p_equal,
        test="z",
    )


def _tail(distance: float, error: float) -> float:
    """The one-sided p-value of a distance above zero; of no spread at all it is certain."""
    if error <= 0:
        return 0.0 if distance > 0 else 1.0
    return normal_upper_tail(distance / error)
