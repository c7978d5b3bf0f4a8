"""The form of a measurement for the Uniform Guidelines: counts of each category, and the stated facts. Pure."""

from typing import Literal

from pydantic import Field

from governance.types.bias_audit import BiasAudit
from governance.types.value import Value
from policies.fairness.body import Percentiles
from policies.fairness.law.pairs import Tally
from policies.fairness.law.sample import Category


class CategoryCount(Value):
    """The people of a category and how many of them were selected. ``is_expected``: it was declared."""

    category: tuple[str, ...]
    n: int = Field(ge=0)
    selected: int = Field(ge=0)
    is_expected: bool = False


class CountedTable(Value):
    """The categories of one attribute or intersection, and the people of unknown category.

    ``gap`` is the interval of the smallest ratio (see ``gaps``), for reading.
    """

    name: str
    categories: tuple[CategoryCount, ...]
    unknown: int = Field(default=0, ge=0)
    gap: Percentiles | None = None

    @property
    def tallies(self) -> dict[Category, Tally]:
        """The counts by category."""
        return {one.category: Tally(one.n, one.selected) for one in self.categories}


class UGESPBody(Value):
    """The measurement: every table, and the facts that an audit states, where there is one."""

    form: Literal["law-categories/v1"] = "law-categories/v1"
    facts: BiasAudit = BiasAudit()
    tables: tuple[CountedTable, ...]
