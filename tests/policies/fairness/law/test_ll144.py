"""Local Law 144: the golden vectors and the worked examples of the final rule."""

from fractions import Fraction

import pytest

from governance.errors import MeasurementRefused
from governance.types.results import CheckStatus
from policies.fairness.law.ll144 import impact_table
from policies.fairness.law.pairs import Tally, printed
from policies.fairness.law.sample import RACES, SEXES, Category, Person, above_median, exact_score, median, tabulate
from tests.conftest import shared_path
from tests.support.neutral import read, read_csv

FOURTEEN = {
    "Hispanic or Latino": ((150, 60), (150, 45)),
    "White": ((240, 120), (240, 108)),
    "Black or African American": ((100, 40), (100, 30)),
    "Native Hawaiian or Other Pacific Islander": ((6, 3), (0, 0)),
    "Asian": ((120, 66), (120, 60)),
    "American Indian or Alaska Native": ((10, 5), (8, 8)),
    "Two or More Races": ((50, 20), (50, 18)),
}
"""V14: n and selected of men and women."""

CELLS: dict[Category, Tally] = {(sex, race): Tally(*FOURTEEN[race][i]) for i, sex in enumerate(SEXES) for race in RACES}

NATIVE = "American Indian or Alaska Native"
ISLANDER = "Native Hawaiian or Other Pacific Islander"
SMALL: dict[Category, str] = {
    ("Male", ISLANDER): "6 people",
    ("Male", NATIVE): "10 people",
    ("Female", NATIVE): "8 people",
}


def people(cells: dict[Category, Tally]) -> list[Person]:
    """The people behind the cells."""
    return [Person(sex, race, k < tally.selected) for (sex, race), tally in cells.items() for k in range(tally.n)]


def test_fourteen_cells_with_and_without_exclusion() -> None:  # V14
    table = impact_table(CELLS, excluded=SMALL)
    ratios = {row.category: row for row in table.rows}
    with_exclusion = [
        0.7273,
        0.9091,
        0.7273,
        None,
        1.0,
        None,
        0.7273,
        0.5455,
        0.8182,
        0.5455,
        None,
        0.9091,
        None,
        0.6545,
    ]
    without = [0.4, 0.5, 0.4, 0.5, 0.55, 0.5, 0.4, 0.3, 0.45, 0.3, None, 0.5, 1.0, 0.36]
    assert [None if row.ratio is None else round(float(row.ratio), 4) for row in table.rows] == with_exclusion
    every = [row.ratio_without_exclusion for row in table.rows]
    assert [None if ratio is None else round(float(ratio), 4) for ratio in every] == without
    assert (table.people, table.references) == (1344, (("Male", "Asian"),))
    assert ratios["Female", NATIVE].tally == Tally(8, 8)
    assert (table.status, table.reason) == (CheckStatus.PASSED, "ll144.tables_made")


def test_the_cells_that_may_be_excluded_are_those_under_two_percent() -> None:  # V14
    may = {row.category for row in impact_table(CELLS).rows if row.may_be_excluded}
    assert may == {*SMALL, ("Female", ISLANDER)}


def test_each_table_has_its_own_reference() -> None:  # V14
    tables = tabulate(people(CELLS)).tables
    sexes = impact_table(tables["sex"])
    assert [row.tally for row in sexes.rows] == [Tally(676, 314), Tally(668, 269)]
    assert sexes.rows[1].ratio == Fraction(45461, 52438)
    assert impact_table(tables["race_ethnicity"]).references == ((NATIVE,),)
    assert dict(tables["sex*race_ethnicity"]) == CELLS


def test_one_person_is_the_reference_only_without_exclusion() -> None:  # V09
    counts: dict[Category, Tally] = {
        ("White",): Tally(1000, 500),
        ("Black",): Tally(980, 400),
        (ISLANDER,): Tally(1, 1),
    }
    table = impact_table(counts, excluded={(ISLANDER,): "one person"})
    assert [row.ratio for row in table.rows] == [1, Fraction(40, 49), None]
    assert [row.ratio_without_exclusion for row in table.rows] == [Fraction(1, 2), Fraction(20, 49), 1]


def test_a_small_reference_is_kept_and_marked_and_the_ratios_without_it_are_a_second_column() -> None:
    counts: dict[Category, Tally] = {
        ("White",): Tally(1000, 500),
        ("Black",): Tally(980, 400),
        (ISLANDER,): Tally(1, 1),
    }
    table = impact_table(counts)
    assert (table.references, table.has_small_reference) == (((ISLANDER,),), True)
    assert [row.ratio_to_large for row in table.rows] == [1, Fraction(40, 49), 2]


def test_ties_share_the_ratio_one() -> None:
    table = impact_table({("a",): Tally(10, 5), ("b",): Tally(20, 10), ("c",): Tally(10, 1)})
    assert table.references == (("a",), ("b",))
    assert [row.ratio for row in table.rows] == [1, 1, Fraction(1, 5)]


@pytest.mark.parametrize(
    ("counts", "reason"),
    [
        ({("a",): Tally(50, 0), ("b",): Tally(70, 0)}, "ll144.highest_rate_is_zero"),  # V13
        ({("a",): Tally(50, 5), ("b",): Tally(0, 0)}, "ll144.single_category"),
        ({("a",): Tally(0, 0), ("b",): Tally(0, 0)}, "ll144.nobody_known"),
    ],
)
def test_a_table_that_compares_nothing_is_insufficient_evidence(counts: dict[Category, Tally], reason: str) -> None:
    table = impact_table(counts)
    assert (table.status, table.reason) == (CheckStatus.INSUFFICIENT_EVIDENCE, reason)


def test_undefined_ratios_are_null() -> None:  # V13
    rows = impact_table({("a",): Tally(50, 0), ("b",): Tally(70, 0)}).rows
    assert [row.ratio for row in rows] == [None, None]


@pytest.mark.parametrize(
    ("n", "asked", "reason"),
    [
        (20, {("b",): "few"}, "ll144.exclusion_not_under_2_percent"),  # V10
        (19, {("b",): " "}, "ll144.exclusion_not_justified"),
        (19, {("c",): "few"}, "ll144.excluded_row_hidden"),
    ],
)
def test_an_exclusion_that_the_rule_does_not_allow_fails(
    n: int, asked: dict[tuple[str, ...], str], reason: str
) -> None:
    table = impact_table({("a",): Tally(1000 - n, 500), ("b",): Tally(n, 5)}, excluded=asked)
    assert (table.status, table.reason) == (CheckStatus.FAILED, reason)


def test_a_low_ratio_is_no_failure_since_the_rule_sets_no_threshold() -> None:
    assert impact_table({("a",): Tally(100, 90), ("b",): Tally(100, 1)}).status is CheckStatus.PASSED


def test_above_the_median_is_strictly_above_it() -> None:  # V11
    scores = [exact_score(value) for value in (1, 2, 3, 3, 3, 4, 5)]
    found = median(scores)
    assert [found.printed, found.tie_mass] == [3, Fraction(3, 7)]
    assert sum(above_median(scores)) == 2


def test_the_median_is_taken_over_people_of_unknown_category_too() -> None:  # V12
    scores = [exact_score(value) for value in (10, 20, 30, 40, 50, 60, 70, 80)]
    groups = ["A"] * 3 + ["B"] * 2 + [""] * 3
    above = above_median(scores)
    sample = tabulate([Person("x", g, a) for g, a in zip(groups, above, strict=True)], sexes=["x"], races=["A", "B"])
    assert median(scores).printed == 45
    table = impact_table(sample.tables["race_ethnicity"])
    assert [row.tally for row in table.rows] == [Tally(3, 0), Tally(2, 1)]
    assert [row.ratio for row in table.rows] == [0, 1]
    assert sample.unknown_race_ethnicity == 3


@pytest.mark.parametrize("score", ["inf", float("nan"), "", "high", True, "1e999999"])
def test_a_score_that_is_no_finite_decimal_is_refused(score: str | float) -> None:
    with pytest.raises(MeasurementRefused, match="finite decimal"):
        exact_score(score)


def test_a_float_is_read_by_its_shortest_text() -> None:
    assert exact_score(0.1) == Fraction(1, 10)


def test_the_median_of_nobody_is_refused() -> None:
    with pytest.raises(MeasurementRefused):
        median([])


def test_values_are_matched_after_trimming_and_folding_and_strange_ones_are_unknown() -> None:
    sample = tabulate([Person(" male ", "ASIAN", True), Person("Male", "Martian", True), Person(None, "White", False)])
    assert sample.tables["sex"]["Male",] == Tally(2, 2)
    assert sample.tables["race_ethnicity"]["Asian",] == Tally(1, 1)
    assert sample.outside == {"Martian": 1}
    assert (sample.unknown_sex, sample.unknown_race_ethnicity, sample.unknown_either) == (1, 1, 2)


def test_the_two_modes_differ_by_those_of_whom_one_attribute_is_known() -> None:
    half = [Person("Male", None, True), Person("Male", "White", False), Person("Female", "White", True)]
    per_table, complete = tabulate(half), tabulate(half, mode="complete_case")
    assert per_table.tables["sex"]["Male",] == Tally(2, 1)
    assert complete.tables["sex"]["Male",] == Tally(1, 0)
    assert per_table.tables["sex*race_ethnicity"] == complete.tables["sex*race_ethnicity"]
    assert (per_table.unknown_either, complete.unknown_either) == (1, 1)


def test_the_rules_scoring_example_is_reproduced() -> None:
    document = read(shared_path("reference/ll144_rule_scoring_sex_race.json"))
    rows = read_csv(shared_path(document["input"]["file"]))
    scores = [exact_score(row["score"]) for row in rows]
    above = above_median(scores)
    races = sorted({row["race_ethnicity"] for row in rows} - {""})
    sample = tabulate(
        [Person(row["sex"], row["race_ethnicity"], up) for row, up in zip(rows, above, strict=True)],
        mode="complete_case",
        races=races,
    )
    assert sample.unknown_either == 15
    for check in document["checks"]:
        if check["metric"] == "sample_median_score":
            assert median(scores).printed == check["expected"]
            continue
        ((attribute, level),) = check["group"].items()
        table = impact_table(sample.tables[attribute])
        row = next(row for row in table.rows if row.category == (level,))
        value = row.tally.rate if check["metric"] == "scoring_rate" else row.ratio
        assert value is not None
        assert abs(float(value) - check["expected"]) <= check["tolerance"], check
        if "counts" in check:
            assert [row.tally.selected, row.tally.n] == check["counts"]


def test_the_unknown_people_of_the_rules_selection_example_are_counted() -> None:
    rows = read_csv(shared_path("data/ll144/rule_selection_rows.csv"))
    sample = tabulate(
        [Person(row["sex"], row["race_ethnicity"], row["selected"] == "1") for row in rows],
        races=sorted({row["race_ethnicity"] for row in rows} - {""}),
        mode="complete_case",
    )
    assert sample.unknown_either == 250
    female = impact_table(sample.tables["sex"]).rows[1]
    assert female.ratio is not None
    assert (female.tally, printed(female.ratio)) == (Tally(1181, 555), "0.9793")
