"""Two groups compared on one metric: the exact value, its interval, and how surely it lies beyond the limit. Pure."""

import math
from fractions import Fraction
from statistics import NormalDist

from policies.fairness.estimates import Comparison, compare_estimates, compare_level
from policies.fairness.metrics import Form
from policies.fairness.quantities import Estimate
from policies.fairness.readings import Reading
from policies.statistics.comparison import compare_rates
from policies.statistics.counts import Part
from policies.statistics.intervals import (
    Z_ONE_SIDED,
    Z_TWO_SIDED,
    Bounds,
    katz,
    newcombe,
    p_difference_at_most,
    p_ratio_at_least,
    smallest_tail,
)

_Z_TWO_OF_TWO = NormalDist().inv_cdf(0.9875)
"""Two-sided 97.5 %: both intervals hold together with at least 95 % (Bonferroni)."""


def compare(form: Form, group: tuple[Reading, ...], reference: tuple[Reading, ...], limit: Fraction) -> Comparison:
    """The comparison of ``group`` with ``reference``, whose values exist, against ``limit``; a level's own value.

    A ratio is that of the lower rate to the higher, whichever group has it, so that a declared reference cannot hide
    a gap in its own disfavour; 0/0 does not exist.
    """
    if form == "level":
        return compare_level(_estimate(group[0]), limit)
    if group[0].part is None:
        return compare_estimates(_estimate(group[0]), _estimate(reference[0]), limit, is_ratio=form == "mean_ratio")
    return _compare_rates(form, _parts(group), _parts(reference), limit)


def _parts(readings: tuple[Reading, ...]) -> tuple[Part, ...]:
    return tuple(reading.part for reading in readings if reading.part is not None)


def _estimate(reading: Reading) -> Estimate:
    if reading.estimate is None:
        raise ValueError("a value that does not exist is not compared")
    return reading.estimate


def _compare_rates(form: Form, group: tuple[Part, ...], reference: tuple[Part, ...], limit: Fraction) -> Comparison:
    match form:
        case "mean_ratio" | "mean_difference" | "level":
            raise ValueError(f"{form} compares estimates, not shares of rows")
        case "ratio":
            return _ratio(*_ordered(group[0], reference[0]), limit)
        case "difference":
            return _difference(*_ordered(group[0], reference[0]), limit)
        case "average_difference":
            return _average_difference(group, reference, limit)
        case "balanced_difference":
            return _balanced_difference(group, reference, limit)


def is_ratio_below(low: Part, high: Part, limit: Fraction) -> bool:
    """Whether ``(a/n) / (c/m) < limit``, compared in integers: ``den * a * m < num * c * n``.

    The double of ``(24/75) / (30/75)`` is below that of 0.8, although the ratio is exactly four fifths.
    """
    a, n = low.numerator.weight, low.denominator.weight
    c, m = high.numerator.weight, high.denominator.weight
    return limit.denominator * a * m < limit.numerator * c * n


def rows_to_tell(low: Part, high: Part, limit: Fraction, *, is_ratio: bool) -> int | None:
    """About how many rows each of the two groups needs for the observed rates to be told apart, or put beyond.

    The smaller of the sizes at which the two-sided test of equal rates, or the one-sided bound of the ratio, would
    decide if the rates stayed as they are. Null where they are equal.
    """
    p, q = float(low.numerator.weight / low.denominator.weight), float(high.numerator.weight / high.denominator.weight)
    if p == q:
        return None
    sizes = [Z_TWO_SIDED**2 * (p * (1 - p) + q * (1 - q)) / (p - q) ** 2]
    if is_ratio and 0 < p < float(limit) * q:
        sizes.append(Z_ONE_SIDED**2 * ((1 - p) / p + (1 - q) / q) / math.log(float(limit) * q / p) ** 2)
    return max(1, math.ceil(min(sizes)))


def _ordered(one: Part, two: Part) -> tuple[Part, Part]:
    low, high = sorted((one, two), key=lambda part: part.numerator.weight / part.denominator.weight)
    return low, high


def _ratio(low: Part, high: Part, limit: Fraction) -> Comparison:
    a, n = low.numerator.weight, low.denominator.weight
    c, m = high.numerator.weight, high.denominator.weight
    rates = compare_rates(low.proportion, high.proportion)
    return Comparison(
        value=a * m / (n * c) if c else None,
        is_beyond=is_ratio_below(low, high, limit),
        interval=katz(low.proportion, high.proportion) if c else None,
        method="log ratio (Katz) with 0.5 added to counts and sizes",
        p_beyond=p_ratio_at_least(low.proportion, high.proportion, float(limit)),
        p_equal=rates.p,
        test=rates.test,
    )


def _difference(low: Part, high: Part, limit: Fraction) -> Comparison:
    value = high.numerator.weight / high.denominator.weight - low.numerator.weight / low.denominator.weight
    rates = compare_rates(low.proportion, high.proportion)
    return Comparison(
        value=value,
        is_beyond=value > limit,
        interval=newcombe(high.proportion, low.proportion),
        method="Newcombe",
        # The double of the limit may lie below the exact one; a value inside it is beyond for nobody.
        p_beyond=p_difference_at_most(high.proportion, low.proportion, float(limit)) if value > limit else 1.0,
        p_equal=rates.p,
        test=rates.test,
    )


def _average_difference(group: tuple[Part, ...], reference: tuple[Part, ...], limit: Fraction) -> Comparison:
    """The mean of the absolute differences; its bounds are the means of bounds that hold together (Bonferroni)."""
    pairs = [_ordered(one, two) for one, two in zip(group, reference, strict=True)]
    singles = [_difference(low, high, Fraction(0)) for low, high in pairs]
    value = sum((single.value or Fraction(0) for single in singles), Fraction(0)) / len(singles)

    def bounds(z: float) -> Bounds:
        each = [newcombe(high.proportion, low.proportion, z) for low, high in pairs]
        return Bounds(
            math.fsum(max(0.0, one.lower) for one in each) / len(each),
            math.fsum(max(-one.lower, one.upper) for one in each) / len(each),
        )

    return Comparison(
        value=value,
        is_beyond=value > limit,
        interval=bounds(_Z_TWO_OF_TWO),
        method="mean of Newcombe bounds (Bonferroni)",
        p_beyond=min(1.0, len(pairs) * smallest_tail(lambda z: bounds(z).lower, float(limit)))
        if value > limit
        else 1.0,
        p_equal=min(1.0, len(singles) * min(single.p_equal for single in singles)),
        test="+".join(sorted({single.test for single in singles})),
    )


def _balanced_difference(group: tuple[Part, ...], reference: tuple[Part, ...], limit: Fraction) -> Comparison:
    """The difference of the means of the rates, with the deviations of Newcombe's bounds added in squares (MOVER).

    Source: Zou and Donner 2008, "Construction of confidence limits about effect measures".
    """
    sides = sorted(
        (group, reference), key=lambda parts: sum(part.numerator.weight / part.denominator.weight for part in parts)
    )
    low, high = sides
    gaps = [
        b.numerator.weight / b.denominator.weight - a.numerator.weight / a.denominator.weight
        for a, b in zip(low, high, strict=True)
    ]
    value = sum(gaps, Fraction(0)) / len(gaps)

    def bounds(z: float) -> Bounds:
        each = [newcombe(b.proportion, a.proportion, z) for a, b in zip(low, high, strict=True)]
        down = math.hypot(*(float(gap) - one.lower for gap, one in zip(gaps, each, strict=True)))
        up = math.hypot(*(one.upper - float(gap) for gap, one in zip(gaps, each, strict=True)))
        return Bounds(float(value) - down / len(gaps), float(value) + up / len(gaps))

    return Comparison(
        value=value,
        is_beyond=value > limit,
        interval=bounds(Z_TWO_SIDED),
        method="Newcombe bounds combined (MOVER)",
        p_beyond=smallest_tail(lambda z: bounds(z).lower, float(limit)) if value > limit else 1.0,
        p_equal=min(1.0, 2 * smallest_tail(lambda z: bounds(z).lower, 0.0)) if value > 0 else 1.0,
        test="interval",
    )
