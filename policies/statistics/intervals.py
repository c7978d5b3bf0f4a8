"""Intervals of a rate, of a ratio of two rates and of a difference of two rates.

Counts may be fractional: for weighted data a rate keeps its value and its count is the effective one, ``(sum w)**2 /
sum w**2`` (Kish 1965). Bounds are doubles; verdicts that must be exact do not come from here.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from statistics import NormalDist

LEVEL = 0.95
"""The confidence level of every printed interval."""

_NORMAL = NormalDist()
Z_TWO_SIDED = _NORMAL.inv_cdf(0.5 + LEVEL / 2)
Z_ONE_SIDED = _NORMAL.inv_cdf(LEVEL)

_CORRECTION = 0.5
"""Added to counts and sizes before a ratio's logarithm is taken, so that an empty cell has an interval too."""


@dataclass(frozen=True, slots=True)
class Proportion:
    """``count`` of ``size`` on the scale of effective rows; ``0 <= count <= size`` and ``size > 0``."""

    count: float
    size: float

    @property
    def rate(self) -> float:
        """``count / size``, in [0, 1]."""
        return self.count / self.size


@dataclass(frozen=True, slots=True)
class Bounds:
    """The lower and the upper end of an interval; ``inf`` where a ratio has no upper end."""

    lower: float
    upper: float


def normal_upper_tail(z: float) -> float:
    """The probability that a standard normal variable exceeds ``z``, accurate far out in the tail."""
    return 0.5 * math.erfc(z / math.sqrt(2))


def wilson(part: Proportion, z: float = Z_TWO_SIDED) -> Bounds:
    """Wilson's score interval of a rate. One of one gives 0.2065 to 1.

    Source: Wilson 1927, "Probable inference, the law of succession, and statistical inference".
    """
    p, n = part.rate, part.size
    centre = p + z * z / (2 * n)
    half = z * math.sqrt(p * (1 - p) / n + z * z / (4 * n * n))
    scale = 1 + z * z / n
    lower = 0.0 if part.count <= 0 else max(0.0, (centre - half) / scale)
    upper = 1.0 if part.count >= part.size else min(1.0, (centre + half) / scale)
    return Bounds(lower, upper)


def log_ratio(part: Proportion, reference: Proportion) -> tuple[float, float]:
    """The logarithm of the ratio of two rates and its standard error, with 0.5 added to counts and sizes.

    ``ln((a+.5)/(n+.5)) - ln((c+.5)/(m+.5))`` with variance ``1/(a+.5) - 1/(n+.5) + 1/(c+.5) - 1/(m+.5)``.
    Source: Katz et al. 1978 for the logarithmic interval; Walter 1975 for the correction.
    """
    a, n = part.count + _CORRECTION, part.size + _CORRECTION
    c, m = reference.count + _CORRECTION, reference.size + _CORRECTION
    variance = 1 / a - 1 / n + 1 / c - 1 / m
    return math.log(a / n) - math.log(c / m), math.sqrt(max(variance, 0.0))


def katz(part: Proportion, reference: Proportion, z: float = Z_TWO_SIDED) -> Bounds:
    """The logarithmic interval of ``rate(part) / rate(reference)``, with 0.5 added to counts and sizes."""
    centre, error = log_ratio(part, reference)
    return Bounds(math.exp(centre - z * error), math.exp(centre + z * error))


def newcombe(part: Proportion, reference: Proportion, z: float = Z_TWO_SIDED) -> Bounds:
    """Newcombe's interval of ``rate(part) - rate(reference)`` from the two Wilson intervals.

    Source: Newcombe 1998, "Interval estimation for the difference between independent proportions", method 10.
    """
    one, two = wilson(part, z), wilson(reference, z)
    p, q = part.rate, reference.rate
    return Bounds(
        p - q - math.hypot(p - one.lower, two.upper - q),
        p - q + math.hypot(one.upper - p, q - two.lower),
    )


def p_ratio_at_least(part: Proportion, reference: Proportion, limit: float) -> float:
    """The one-sided p-value against "the ratio of the rates is at least ``limit``", on the logarithmic scale.

    It is below ``alpha`` exactly where the one-sided ``1 - alpha`` upper bound of the ratio is below ``limit``.
    """
    centre, error = log_ratio(part, reference)
    distance = centre - math.log(limit)
    if error == 0:
        return 0.0 if distance < 0 else 1.0
    return normal_upper_tail(-distance / error)


def p_difference_at_most(part: Proportion, reference: Proportion, limit: float) -> float:
    """The one-sided p-value against "``rate(part) - rate(reference)`` is at most ``limit``", by Newcombe's interval.

    It is the smallest alpha at which the one-sided ``1 - alpha`` lower bound exceeds ``limit``; 1 where the difference
    itself is at most ``limit``.
    """
    if part.rate - reference.rate <= limit:
        return 1.0
    return smallest_tail(lambda z: newcombe(part, reference, z).lower, limit)


def smallest_tail(lower: Callable[[float], float], limit: float) -> float:
    """The smallest one-sided alpha at which a lower bound, a falling function of z, exceeds ``limit``.

    Found by bisection up to z = 40, beyond which no double holds the tail.
    """
    low, high = 0.0, 40.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if lower(middle) > limit else (low, middle)
    return normal_upper_tail(low)
