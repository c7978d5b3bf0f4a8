"""Counts of rows by label and decision, with their weights, as exact numbers and as the record keeps them. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from governance.types.value import Value
from policies.statistics.intervals import Proportion

CellName = Literal["tp", "fp", "fn", "tn", "selected", "rejected", "positive", "negative", "counted"]
"""Label and decision of a cell.

``selected`` and ``rejected`` where there is no label, ``positive`` and ``negative`` labels where there is no decision,
``counted`` where there is neither.
"""


WeightText = Annotated[str, StringConstraints(pattern=r"^[0-9]{1,30}(\.[0-9]{1,12})?$")]
"""A sum of weights or of their squares; without an exponent, so that no text spells a number that fills the memory."""


@dataclass(frozen=True, slots=True)
class Count:
    """Rows, the sum of their weights and the sum of the squares of their weights; all equal without weights.

    Without weights the two sums are one object, by which ``total`` knows it.
    """

    rows: int = 0
    weight: Fraction = Fraction(0)
    squares: Fraction = Fraction(0)

    def __add__(self, other: "Count") -> "Count":
        return Count(self.rows + other.rows, self.weight + other.weight, self.squares + other.squares)


def _unweighted(rows: int) -> Count:
    weight = Fraction(rows)
    return Count(rows, weight, weight)


class CellCount(Value):
    """One cell. ``weight`` and ``squares`` are the sums of weights and of their squares; null without weights."""

    cell: CellName
    rows: int = Field(ge=0)
    weight: WeightText | None = None
    squares: WeightText | None = None

    @property
    def count(self) -> Count:
        """The cell as exact numbers."""
        if self.weight is None or self.squares is None:
            return _unweighted(self.rows)
        return Count(self.rows, Fraction(self.weight), Fraction(self.squares))


@dataclass(frozen=True, slots=True)
class Part:
    """A share of rows as its two counts."""

    numerator: Count
    denominator: Count

    @property
    def rate(self) -> Fraction | None:
        """The exact rate; null where the denominator is zero."""
        return self.numerator.weight / self.denominator.weight if self.denominator.weight else None

    @property
    def proportion(self) -> Proportion:
        """The rate on effective rows, ``(sum w)**2 / sum w**2`` of them; needs a denominator above zero.

        There are never more than there are rows (Cauchy and Schwarz), however the squares were rounded.
        """
        total = self.denominator
        reached = total.weight**2
        size = float(total.rows) if reached >= total.rows * total.squares else float(reached / total.squares)
        return Proportion(float(self.numerator.weight / total.weight) * size, size)


def total(cells: Mapping[CellName, Count], names: Iterable[CellName] | None = None) -> Count:
    """The sum of the named cells, or of all."""
    wanted = cells.keys() if names is None else names
    counts = [cells[name] for name in sorted(wanted) if name in cells]
    # Adding exact numbers is what judging spends its time on: most sums are of one cell, or of rows without weights.
    if len(counts) > 1 and all(count.squares is count.weight for count in counts):
        return _unweighted(sum(count.rows for count in counts))
    return sum(counts[1:], counts[0]) if counts else Count()
