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


class WeightedArea(Value):
    """The area under the ROC curve of rows that have weights, from the weights of each distinct score.

    ``variance`` is DeLong's over effective rows, ``(sum w)**2 / sum w**2`` of each class; null where a class has no
    more than one.
    """

    positives: int = Field(ge=1)
    negatives: int = Field(ge=1)
    area: float = Field(ge=0, le=1)
    variance: float | None = Field(ge=0)


class PerformanceBody(Value):
    """The measurement. ``cells`` is empty where there are neither decisions nor a threshold for scores.

    ``ranks`` are those of rows that count alike, ``weighted_area`` that of rows with weights.
    """

    form: Literal["performance-cells/v1"] = "performance-cells/v1"
    rows: int = Field(ge=0)
    is_weighted: bool = False
    cells: tuple[CellCount, ...] = ()
    ranks: RankArea | None = None
    weighted_area: WeightedArea | None = None

    @property
    def counts(self) -> dict[CellName, Count]:
        """The cells by name."""
        return {cell.cell: cell.count for cell in self.cells}
