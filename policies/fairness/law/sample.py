"""The sample of a bias audit of New York City's Local Law 144: people, scores, categories and tables. Pure.

Source: 6 RCNY 5-300 to 5-304 (final rule, April 2023; confirm that it is current).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from fractions import Fraction
from itertools import product
from typing import Literal

from governance.errors import MeasurementRefused
from policies.fairness.law.pairs import Tally

SEXES = ("Male", "Female")
RACES = (
    "Hispanic or Latino",
    "White",
    "Black or African American",
    "Native Hawaiian or Other Pacific Islander",
    "Asian",
    "American Indian or Alaska Native",
    "Two or More Races",
)
"""Race or ethnicity as in EEO-1 Component 1; Hispanic or Latino wins over any race."""

Category = tuple[str, ...]
"""``("Male",)``, ``("White",)`` or ``("Male", "White")``."""

TableName = Literal["sex", "race_ethnicity", "sex*race_ethnicity"]
Unknowns = Literal["per_table", "complete_case"]
"""``per_table`` leaves a person out of the tables that need what is unknown, ``complete_case`` out of all."""


@dataclass(frozen=True, slots=True)
class Person:
    """One person: recorded sex and race or ethnicity (empty is unknown), and whether selected or above the median.

    Or several ``people`` alike in what was recorded, of whom ``selected`` were.
    """

    sex: str | None
    race_ethnicity: str | None
    selected: int
    people: int = 1


@dataclass(frozen=True, slots=True)
class Median:
    """The median of the full sample, ``printed`` as the mean of the two middle scores where their number is even.

    A score is above it exactly when it exceeds ``lower``, the lower middle score. ``tie_mass`` is the share of scores
    equal to the median.
    """

    printed: Fraction
    lower: Fraction
    tie_mass: Fraction


@dataclass(frozen=True, slots=True)
class Sample:
    """The three tables with every declared category, and how many people each attribute is unknown of.

    ``outside`` maps recorded values beyond the categories to their people, who are among the unknown.
    """

    mode: Unknowns
    tables: Mapping[TableName, Mapping[Category, Tally]]
    unknown_sex: int
    unknown_race_ethnicity: int
    unknown_either: int
    outside: Mapping[str, int]


def exact_score(value: str | int | float | Decimal) -> Fraction:
    """A score as the fraction that its text spells; a float by its shortest decimal text.

    Raises:
        MeasurementRefused: no finite decimal.
    """
    try:
        number = Decimal(str(value).strip())
    except InvalidOperation:
        number = Decimal("nan")
    # A huge exponent is refused too: the fraction it spells would fill the memory.
    if isinstance(value, bool) or not number.is_finite() or abs(number.adjusted()) > 100:
        raise MeasurementRefused(
            expected="finite decimal scores", found=repr(value)[:60], remedy="Correct the score, or leave it out."
        )
    return Fraction(number)


def median(scores: Sequence[Fraction]) -> Median:
    """The median of all scores, people of unknown category included.

    Raises:
        MeasurementRefused: there are no scores.
    """
    if not scores:
        raise MeasurementRefused(expected="scores", found="none", remedy="Send the scores of the sample.")
    ordered = sorted(scores)
    lower, upper = ordered[(len(ordered) - 1) // 2], ordered[len(ordered) // 2]
    middle = (lower + upper) / 2
    return Median(middle, lower, Fraction(sum(score == middle for score in scores), len(scores)))


def above_median(scores: Sequence[Fraction]) -> list[bool]:
    """Whether each score is strictly above the median of them all."""
    lower = median(scores).lower
    return [score > lower for score in scores]


def tabulate(
    people: Iterable[Person],
    *,
    mode: Unknowns = "per_table",
    sexes: Sequence[str] = SEXES,
    races: Sequence[str] = RACES,
) -> Sample:
    """Counts of each category in the three tables. Values are matched after trimming and case folding.

    ``sexes`` and ``races`` are the categories as the policy spells them; a value beyond them is counted apart and
    never becomes a category.
    """
    sides = {"sex": _folded(sexes), "race_ethnicity": _folded(races)}
    counts: dict[tuple[str | None, str | None], list[int]] = {}
    outside: dict[str, int] = {}
    for person in people:
        sex = _place(person.sex, person.people, sides["sex"], outside)
        race = _place(person.race_ethnicity, person.people, sides["race_ethnicity"], outside)
        count = counts.setdefault((sex, race), [0, 0])
        count[0] += person.people
        count[1] += person.selected
    known = {places: count for places, count in counts.items() if mode == "per_table" or None not in places}
    return Sample(
        mode=mode,
        tables={
            "sex": {(sex,): _tally(known, sex=sex) for sex in sexes},
            "race_ethnicity": {(race,): _tally(known, race=race) for race in races},
            "sex*race_ethnicity": {(sex, race): _tally(known, sex, race) for sex, race in product(sexes, races)},
        },
        unknown_sex=sum(count[0] for (sex, _), count in counts.items() if sex is None),
        unknown_race_ethnicity=sum(count[0] for (_, race), count in counts.items() if race is None),
        unknown_either=sum(count[0] for places, count in counts.items() if None in places),
        outside=dict(sorted(outside.items())),
    )


def _folded(categories: Sequence[str]) -> dict[str, str]:
    return {category.strip().casefold(): category for category in categories}


def _place(value: str | None, people: int, categories: Mapping[str, str], outside: dict[str, int]) -> str | None:
    """The category of a recorded value, null where it is unknown; a strange value is counted in ``outside``."""
    folded = "" if value is None else value.strip().casefold()
    if folded and folded not in categories:
        name = str(value).strip()
        outside[name] = outside.get(name, 0) + people
    return categories.get(folded)


def _tally(
    counts: Mapping[tuple[str | None, str | None], Sequence[int]], sex: str | None = None, race: str | None = None
) -> Tally:
    """The people of a sex, of a race, or of both."""
    own = [count for (s, r), count in counts.items() if sex in (None, s) and race in (None, r)]
    return Tally(sum(count[0] for count in own), sum(count[1] for count in own))
