"""Tests of two rates and the correction for several of them. Holm's adjusted p-values decide verdicts."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from policies.statistics.intervals import Proportion

SMALL_EXPECTED = 5
"""Below this expected count in any cell the chi-square test gives way to Fisher's (Cochran 1954)."""


@dataclass(frozen=True, slots=True)
class TwoRates:
    """The p-value of "the two rates are equal", two-sided, and the test that gave it."""

    p: float
    test: Literal["chi_square", "fisher_exact", "none"]


def compare_rates(part: Proportion, reference: Proportion) -> TwoRates:
    """Chi-square without continuity correction; Fisher's exact test where an expected cell is below five.

    Where everybody or nobody is counted in both groups there is nothing to tell apart and p is 1. Fractional
    (effective) counts are rounded for Fisher's test, which knows whole people only.
    """
    counted = part.count + reference.count
    total = part.size + reference.size
    if counted <= 0 or counted >= total:
        return TwoRates(1.0, "none")
    rows = (part.size, reference.size)
    columns = (counted, total - counted)
    if any(row * column < SMALL_EXPECTED * total for row in rows for column in columns):
        size, other = max(1, round(part.size)), max(1, round(reference.size))
        counts = min(round(part.count), size), min(round(reference.count), other)
        return TwoRates(fisher_p(counts[0], size, count_reference=counts[1], reference=other), "fisher_exact")
    cross = part.count * reference.size - reference.count * part.size
    statistic = (cross / (part.size * reference.size)) ** 2 / (
        counted / total * (1 - counted / total) * (1 / part.size + 1 / reference.size)
    )
    return TwoRates(math.erfc(math.sqrt(statistic / 2)), "chi_square")


_MAX_EXACT_TABLES = 2000
"""With more tables the integers of the exact sum grow to millions of bits; logarithms then give nine digits."""


def fisher_p(count: int, size: int, *, count_reference: int, reference: int) -> float:
    """Fisher's two-sided p-value as a double: exact for small tables, to nine digits by logarithms for large ones."""
    counted = count + count_reference
    tables = range(max(0, counted - reference), min(size, counted) + 1)
    if len(tables) <= _MAX_EXACT_TABLES:
        return float(fisher_exact(count, size, count_reference=count_reference, reference=reference))
    logs = [_log_choose(size, x) + _log_choose(reference, counted - x) for x in tables]
    observed = logs[count - tables[0]] + 1e-9
    top = max(logs)
    total = math.fsum(math.exp(log - top) for log in logs)
    return min(1.0, math.fsum(math.exp(log - top) for log in logs if log <= observed) / total)


def _log_choose(n: int, k: int) -> float:
    return math.lgamma(n + 1) - math.lgamma(k + 1) - math.lgamma(n - k + 1)


def fisher_exact(count: int, size: int, *, count_reference: int, reference: int) -> Fraction:
    """The exact two-sided p-value of a 2 x 2 table, in integers.

    The sum of the hypergeometric probabilities of all tables with the same margins that are not more probable than
    the observed one. Neighbouring tables have rational ratios, ``w(x+1) / w(x) = (n-x)(s-x) / ((x+1)(m-s+x+1))``, so
    the weights are scaled to integers without ever forming the binomial coefficients of whole populations.
    """
    counted = count + count_reference
    lowest, highest = max(0, counted - reference), min(size, counted)
    ups = [(size - x) * (counted - x) for x in range(lowest, highest)]
    downs = [(x + 1) * (reference - counted + x + 1) for x in range(lowest, highest)]
    weight = math.prod(downs)
    weights = [weight]
    for up, down in zip(ups, downs, strict=True):
        weight = weight * up // down
        weights.append(weight)
    observed = weights[count - lowest]
    return Fraction(sum(weight for weight in weights if weight <= observed), sum(weights))


def holm(p_values: Sequence[float]) -> list[float]:
    """Holm's adjusted p-values, in the order given: ``max over the smaller ones of (m - i) * p``, at most 1.

    Source: Holm 1979, "A simple sequentially rejective multiple test procedure".
    """
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    adjusted = [0.0] * len(p_values)
    running = 0.0
    for rank, index in enumerate(order):
        running = max(running, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = running
    return adjusted
