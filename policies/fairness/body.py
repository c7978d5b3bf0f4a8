"""The form of a fairness measurement: cells of each group, all that any later judgement needs. No row of anybody."""

from typing import Literal

from pydantic import Field

from governance.types.value import Value
from policies.statistics.counts import CellCount, CellName, Count

MAX_GROUPS = 500
"""More groups than this in one table identify people rather than groups, and no one reads their report."""


class GroupCells(Value):
    """The cells of one group: a level for each attribute of its table. ``is_expected``: it was declared."""

    levels: tuple[str, ...]
    is_expected: bool = False
    cells: tuple[CellCount, ...] = ()

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

    ``unknown_rows`` have no recorded group; ``outside_rows`` maps recorded values beyond the declared to their rows.
    """

    attributes: tuple[str, ...] = Field(min_length=1)
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


class FairnessBody(Value):
    """The measurement of all tables, and of all rows whether or not their group is known.

    ``from_counts``: the tables were published as counts. ``rows`` are then the people of the largest table, since
    the tables of one publication need not agree.
    """

    form: Literal["fairness-cells/v1"] = "fairness-cells/v1"
    rows: int = Field(ge=0)
    is_weighted: bool = False
    has_label: bool
    from_counts: bool = False
    overall: tuple[CellCount, ...]
    tables: tuple[Table, ...]

    @property
    def overall_counts(self) -> dict[CellName, Count]:
        """The cells of all rows by name."""
        return {cell.cell: cell.count for cell in self.overall}
