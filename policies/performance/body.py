"""The form of a performance measurement: the confusion cells, and what the area under the ROC curve needs."""

from fractions import Fraction
from typing import Literal

from pydantic import Field

from governance.types.value import Value
from policies.statistics.counts import CellCount, CellName, Count


class RankArea(Value):
    """The area under the ROC curve from ranks.

    ``doubled_wins`` is twice the number of (positive, negative) pairs in which the positive has the higher score, plus
    the number of ties, so that the area is exactly ``doubled_wins / (2 * positives * negatives)``. ``variance`` is
    DeLong's, null where a class has fewer than two rows.
    """

    positives: int = Field(ge=1)
    negatives: int = Field(ge=1)
    doubled_wins: str = Field(pattern=r"^[0-9]{1,40}$")
    variance: float | None = Field(ge=0)

    @property
    def area(self) -> Fraction:
        """The exact area, in [0, 1]."""
        return Fraction(int(self.doubled_wins), 2 * self.positives * self.negatives)


class PerformanceBody(Value):
    """The measurement. ``cells`` is empty where there are neither decisions nor a threshold for scores."""

    form: Literal["performance-cells/v1"] = "performance-cells/v1"
    rows: int = Field(ge=0)
    is_weighted: bool = False
    cells: tuple[CellCount, ...] = ()
    ranks: RankArea | None = None

    @property
    def counts(self) -> dict[CellName, Count]:
        """The cells by name."""
        return {cell.cell: cell.count for cell in self.cells}
