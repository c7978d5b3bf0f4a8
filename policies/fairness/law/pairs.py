"""One category against a reference: ratio, significance and shortfall in integers. Pure.

Verdicts use the exact forms alone; floats appear in printed z values, p-values and intervals.
"""

import math
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from governance.errors import MeasurementRefused
from policies.statistics.comparison import fisher_exact
from policies.statistics.intervals import Bounds, Proportion, wilson

FOUR_FIFTHS = Fraction(4, 5)
_Z = 1.959963984540054

Test = Literal["z", "fisher_exact", "none"]


@dataclass(frozen=True, slots=True)
class Tally:
    """``n`` people of whom ``selected`` were selected (or score above the median).

    Raises:
        MeasurementRefused: not ``0 <= selected <= n``.
    """

    n: int
    selected: int

    def __post_init__(self) -> None:
        if 0 <= self.selected <= self.n:
            return
        raise MeasurementRefused(
            expected="0 <= selected <= n",
            found=f"{self.selected} of {self.n}",
            remedy="Correct the counts; nobody is selected who was not there.",
        )

    @property
    def rate(self) -> Fraction | None:
        """The exact rate, null without members."""
        return Fraction(self.selected, self.n) if self.n else None

    @property
    def interval(self) -> Bounds | None:
        """Wilson's 95 % interval of the rate: one of one is 0.2065 to 1. Null without members."""
        return wilson(Proportion(float(self.selected), float(self.n))) if self.n else None


@dataclass(frozen=True, slots=True)
class Significance:
    """Whether two rates differ at 5 %, two-sided: ``z`` (null for Fisher's test), the raw ``p`` and the test.

    ``is_significant`` is decided in integers; ``p`` and ``z`` are for reading.
    """

    is_significant: bool
    test: Test
    p: float
    z: float | None


def impact_ratio(category: Tally, reference: Tally) -> Fraction | None:
    """``(a/n) / (c/m)`` exactly; null without members or where nobody of the reference is selected."""
    if category.n == 0 or reference.selected == 0:
        return None
    return Fraction(category.selected * reference.n, category.n * reference.selected)


def is_below_four_fifths(category: Tally, reference: Tally) -> bool:
    """Whether the ratio is below 4/5; 72/100 against 90/100 is not. False where the ratio does not exist."""
    return 5 * category.selected * reference.n < 4 * reference.selected * category.n


def is_under_two_percent(part: int, whole: int) -> bool:
    """Whether ``part`` of ``whole`` is under 2 %; exactly 2 % is not. False of nobody."""
    return 50 * part < whole


def shortfall(category: Tally, reference: Tally) -> int | None:
    """The fewest further selections that bring the category to 4/5 of the reference's rate; null without reference."""
    if reference.n == 0:
        return None
    missing = 4 * reference.selected * category.n - 5 * category.selected * reference.n
    return max(0, -(-missing // (5 * reference.n)))


def has_small_cell(category: Tally, reference: Tally) -> bool:
    """Whether an expected cell, row total times column total over all, is under 5."""
    total = category.n + reference.n
    selected = category.selected + reference.selected
    columns = (selected, total - selected)
    return any(row * column < 5 * total for row in (category.n, reference.n) for column in columns)


def flips_with_one_person(category: Tally, reference: Tally) -> bool:
    """Whether moving one selection from the reference to the category makes the category's rate the higher."""
    if category.selected >= category.n or reference.selected == 0:
        return False
    return (category.selected + 1) * reference.n > (reference.selected - 1) * category.n


def significance(category: Tally, reference: Tally) -> Significance:
    """Fisher's exact test if an expected cell is under 5, else z of two proportions, pooled, without correction.

    Where everybody or nobody is selected in both groups, or one has no members, there is nothing to tell apart.
    """
    a, n, c, m = category.selected, category.n, reference.selected, reference.n
    selected, total = a + c, n + m
    if n == 0 or m == 0 or selected in (0, total):
        return Significance(is_significant=False, test="none", p=1.0, z=None)
    if has_small_cell(category, reference):
        p = Fraction(fisher_exact(a, n, count_reference=c, reference=m))
        return Significance(is_significant=20 * p.numerator < p.denominator, test="fisher_exact", p=float(p), z=None)
    z = z_value(category, reference)
    beyond = 10000 * (a * m - c * n) ** 2 * total > 38416 * n * m * selected * (total - selected)
    return Significance(is_significant=beyond, test="z", p=math.erfc(abs(z) / math.sqrt(2)), z=z)


def z_value(category: Tally, reference: Tally) -> float:
    """The z value of two proportions, negative where the category's is the lower; needs members and a variance."""
    a, n, c, m = category.selected, category.n, reference.selected, reference.n
    selected, total = a + c, n + m
    gap = a * m - c * n
    squared = Fraction(gap**2 * total, n * m * selected * (total - selected))
    return math.copysign(math.sqrt(squared), gap)


def ratio_interval(category: Tally, reference: Tally) -> Bounds | None:
    """Katz's 95 % interval on the log scale. Null if nobody is selected in one, or everybody in both."""
    a, n, c, m = category.selected, category.n, reference.selected, reference.n
    if a == 0 or c == 0 or (a == n and c == m):
        return None
    centre = math.log(Fraction(a * m, n * c))
    half = _Z * math.sqrt(Fraction(1, a) - Fraction(1, n) + Fraction(1, c) - Fraction(1, m))
    return Bounds(math.exp(centre - half), math.exp(centre + half))


def printed(value: Fraction, threshold: Fraction = FOUR_FIFTHS, *, places: int = 4) -> str:
    """The value rounded half to even from the exact fraction, as decimal text.

    Digits are added while rounding would move it onto or across a threshold that it does not reach.
    """
    side = (value > threshold) - (value < threshold)
    while True:
        units = round(value * 10**places)
        rounded = Fraction(units, 10**places)
        if (rounded > threshold) - (rounded < threshold) == side:
            break
        places += 1
    whole, rest = divmod(units, 10**places)
    return f"{whole}.{rest:0{places}d}"
