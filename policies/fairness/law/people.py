"""The form of a measurement of people for Local Law 144: counts by category, the median, and the auditor's facts. Pure.

Categories are kept as they were recorded, so that the record can be judged again under other lists of them.
"""

from fractions import Fraction
from typing import Literal

from pydantic import Field

from governance.types.bias_audit import BiasAudit
from governance.types.value import DecimalText, Value
from policies.fairness.body import Percentiles
from policies.fairness.law.sample import Median, Person, Sample, TableName, Unknowns, tabulate

Rate = Literal["selection", "scoring"]
"""Which rate a tool is audited by: that of a tool that selects, or of one that scores."""


class PeopleCell(Value):
    """People who share what was recorded of them. ``table`` is empty for people, and names a published table's line.

    ``selected`` is null where nobody decided, ``scored`` counts those with a score, ``above`` those above the median.
    """

    table: Literal["", "sex", "race_ethnicity", "sex*race_ethnicity"] = ""
    sex: str | None = None
    race_ethnicity: str | None = None
    assigned: str = ""
    people: int = Field(ge=0)
    selected: int | None = Field(default=None, ge=0)
    scored: int | None = Field(default=None, ge=0)
    above: int | None = Field(default=None, ge=0)


class MedianScore(Value):
    """The median of the full sample as it is printed, the lower middle score, and how many scores equal the median."""

    printed: DecimalText
    lower: DecimalText
    ties: int = Field(ge=0)
    scores: int = Field(ge=1)

    @property
    def exact(self) -> Median:
        """The median in fractions."""
        return Median(Fraction(self.printed), Fraction(self.lower), Fraction(self.ties, self.scores))


class LargestGap(Value):
    """How uncertain the smallest ratio of one table is, by drawing its people again (see ``gaps``)."""

    table: TableName
    rate: Rate
    assigned: str = ""
    unknowns: Unknowns
    interval: Percentiles


class PeopleBody(Value):
    """The measurement. ``not_scored`` people have no score and leave the scored sample.

    ``gaps`` are for reading: no outcome rests on them.
    """

    form: Literal["law-people/v1"] = "law-people/v1"
    facts: BiasAudit
    cells: tuple[PeopleCell, ...]
    median: MedianScore | None = None
    not_scored: int = Field(default=0, ge=0)
    gaps: tuple[LargestGap, ...] = ()

    def gap(self, rate: Rate, assigned: str, unknowns: Unknowns, table: TableName) -> LargestGap | None:
        """The uncertainty of a table's smallest ratio; null where it was not measured or does not exist."""
        wanted = (rate, assigned, unknowns, table)
        return next((one for one in self.gaps if (one.rate, one.assigned, one.unknowns, one.table) == wanted), None)

    @property
    def people(self) -> int:
        """People in the sample; of published tables those of the largest one."""
        by_table: dict[str, int] = {}
        for cell in self.cells:
            by_table[cell.table] = by_table.get(cell.table, 0) + cell.people
        return max(by_table.values(), default=0)

    @property
    def assigned_groups(self) -> tuple[str, ...]:
        """The groups that the tool assigns people to; one empty name where it assigns none."""
        return tuple(sorted({cell.assigned for cell in self.cells}))


def sample_of(
    body: PeopleBody,
    rate: Rate,
    assigned: str,
    *,
    mode: Unknowns,
    sexes: tuple[str, ...],
    races: tuple[str, ...],
) -> Sample:
    """The tables of one rate for one assigned group.

    A published table's own counts are taken as they are, since the tables of a publication need not agree; a table that
    was not published has no members.
    """
    own = [cell for cell in body.cells if cell.assigned == assigned]
    persons = [_person(cell, rate) for cell in own]
    whole = tabulate([one for _, one in persons], mode=mode, sexes=sexes, races=races)
    if all(name == "" for name, _ in persons):
        return whole
    names: tuple[TableName, ...] = ("sex", "race_ethnicity", "sex*race_ethnicity")
    by_table = {
        name: tabulate([one for table, one in persons if table == name], sexes=sexes, races=races) for name in names
    }
    return Sample(
        mode="per_table",
        tables={name: by_table[name].tables[name] for name in names},
        unknown_sex=by_table["sex"].unknown_sex,
        unknown_race_ethnicity=by_table["race_ethnicity"].unknown_race_ethnicity,
        unknown_either=by_table["sex*race_ethnicity"].unknown_either,
        outside=whole.outside,
    )


def _person(cell: PeopleCell, rate: Rate) -> tuple[str, Person]:
    people = cell.people if rate == "selection" else cell.scored or 0
    count = (cell.selected if rate == "selection" else cell.above) or 0
    return cell.table, Person(cell.sex, cell.race_ethnicity, selected=count, people=people)
