"""The form of a fairness measurement: cells of each group, all that any later judgement needs. No row of anybody."""

from typing import Literal

from pydantic import Field

from governance.types.value import DecimalText, Value
from policies.statistics.counts import CellCount, CellName, Count, WeightText

MAX_GROUPS = 500
"""More groups than this in one table identify people rather than groups, and no one reads their report."""


class ScoreCells(Value):
    """The scores of a group's rows of one label, by the bins of the body's axis; ``counted`` where labels are unknown.

    ``weight`` are the sums of weights by bin and ``squares`` that of all squared weights, null without weights.
    ``sums`` are those of weight times score by bin, ``powers`` the sums of weight times score**2, **3 and **4.
    """

    label: Literal["positive", "negative", "counted"]
    rows: tuple[int, ...]
    weight: tuple[WeightText, ...] | None = None
    squares: WeightText | None = None
    sums: tuple[DecimalText, ...]
    powers: tuple[DecimalText, DecimalText, DecimalText]

    @property
    def weights(self) -> tuple[float, ...]:
        """The weight of each bin; its rows without weights."""
        return tuple(float(one) for one in (self.rows if self.weight is None else self.weight))


class ScoreAxis(Value):
    """The bins of scores: each from its edge up to the next one, the last up to ``highest``.

    ``is_exact``: every bin holds one distinct score. ``cut`` is the decision threshold, where there is one.
    """

    edges: tuple[DecimalText, ...] = Field(min_length=1)
    highest: DecimalText
    is_exact: bool
    cut: DecimalText | None = None

    @property
    def is_of_probabilities(self) -> bool:
        """Whether all scores lie between 0 and 1; others promise no share of positive labels."""
        return float(self.edges[0]) >= 0 and float(self.highest) <= 1


class GroupCells(Value):
    """The cells of one group: a level for each attribute of its table. ``is_expected``: it was declared.

    ``scores`` are its score distributions by label. ``moments`` are the sums of a regression (see
    ``policies.frames.plan``). ``calibration_error`` is the interval of the expected calibration error.
    """

    levels: tuple[str, ...]
    is_expected: bool = False
    cells: tuple[CellCount, ...] = ()
    scores: tuple[ScoreCells, ...] = ()
    moments: dict[str, DecimalText] = Field(default_factory=dict)
    calibration_error: "Percentiles | None" = None

    @property
    def counts(self) -> dict[CellName, Count]:
        """The cells by name."""
        return {cell.cell: cell.count for cell in self.cells}

    @property
    def rows(self) -> int:
        """The group's rows."""
        return sum(cell.rows for cell in self.cells)


class Percentiles(Value):
    """A two-sided 95 % percentile interval of a between-groups value; ``undefined`` counts replicates without one."""

    lower: float | None
    upper: float | None
    undefined: int = 0


class Bootstrap(Value):
    """Between-groups values over replicates of the cells, drawn from the seed over the groups named.

    Information only: choosing the largest gap among groups inflates it, and no verdict rests on it.
    """

    replicates: int
    groups: tuple[tuple[str, ...], ...]
    intervals: dict[str, Percentiles]


class Table(Value):
    """One sensitive attribute, or an intersection of several. ``by_group`` are Fairlearn's values of each group.

    ``one_class`` is the class that was held against the rest, empty where there are only two.

    ``unknown_rows`` have no recorded group; ``outside_rows`` maps recorded values beyond the declared to their rows.
    """

    attributes: tuple[str, ...] = Field(min_length=1)
    one_class: str = ""
    reference: tuple[str, ...] | None = None
    groups: tuple[GroupCells, ...] = Field(max_length=MAX_GROUPS)
    unknown_rows: int = Field(default=0, ge=0)
    outside_rows: dict[str, int] = Field(default_factory=dict)
    by_group: dict[str, tuple[float | None, ...]] = Field(default_factory=dict)
    bootstrap: Bootstrap | None = None

    @property
    def name(self) -> str:
        """``sex``, or ``sex*race`` for an intersection."""
        return "*".join(self.attributes)

    @property
    def title(self) -> str:
        """The name, with the class where several were measured: ``sex [denied]``."""
        return f"{self.name} [{self.one_class}]" if self.one_class else self.name


class FairnessBody(Value):
    """The measurement of all tables, and of all rows whether or not their group is known.

    ``from_counts``: the tables were published as counts. ``rows`` are then the people of the largest table, since
    the tables of one publication need not agree. ``everybody`` holds scores and moments of all rows, where there are
    any, and ``overall_by_class`` the cells of all rows for each class.
    """

    form: Literal["fairness-cells/v1"] = "fairness-cells/v1"
    rows: int = Field(ge=0)
    is_weighted: bool = False
    has_label: bool
    has_decision: bool = True
    is_regression: bool = False
    from_counts: bool = False
    overall: tuple[CellCount, ...]
    overall_by_class: dict[str, tuple[CellCount, ...]] = Field(default_factory=dict)
    everybody: GroupCells | None = None
    axis: ScoreAxis | None = None
    tables: tuple[Table, ...]

    def whole(self, one_class: str = "") -> GroupCells:
        """All rows as one group, for the class that is held against the rest."""
        cells = self.overall_by_class.get(one_class, self.overall)
        rest = self.everybody if self.everybody is not None else GroupCells(levels=())
        return rest.model_copy(update={"cells": cells})
