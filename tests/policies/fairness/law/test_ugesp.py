"""Outcomes of four fifths and significance: the golden vectors, each row of the rule, and whole tables."""

import pytest

from governance.types.results import CheckStatus
from policies.fairness.law.pairs import Tally
from policies.fairness.law.sample import Category
from policies.fairness.law.ugesp import assess, judge_pair

PASSED, FAILED, OPEN = CheckStatus.PASSED, CheckStatus.FAILED, CheckStatus.INSUFFICIENT_EVIDENCE


@pytest.mark.parametrize(
    ("category", "reference", "four_fifths", "significance"),
    [
        ((75, 24), (75, 30), PASSED, OPEN),  # V02
        ((75, 23), (75, 30), FAILED, OPEN),  # V02
        ((100, 48), (100, 60), PASSED, OPEN),  # V03
        ((10000, 8500), (10000, 9000), PASSED, OPEN),  # V04
        ((100, 40), (100, 60), FAILED, FAILED),  # V05
        ((10, 1), (20, 3), OPEN, OPEN),  # V06
        ((8, 1), (80, 40), OPEN, OPEN),  # V07
        ((100, 45), (100, 60), FAILED, FAILED),  # V08
        ((100, 88), (100, 99), PASSED, OPEN),  # V20
        ((50, 50), (60, 60), PASSED, PASSED),  # V21
        ((29, 20), (100, 60), OPEN, OPEN),
        ((10000, 5000), (10000, 5010), PASSED, PASSED),
        ((0, 0), (100, 60), OPEN, OPEN),
    ],
)
def test_outcomes_of_the_golden_vectors(
    category: tuple[int, int], reference: tuple[int, int], four_fifths: CheckStatus, significance: CheckStatus
) -> None:
    found = judge_pair(Tally(*category), Tally(*reference))
    assert (found.four_fifths, found.significance) == (four_fifths, significance)


def test_a_small_category_fails_where_its_gap_is_significant() -> None:
    assert judge_pair(Tally(20, 1), Tally(200, 150)).reason == "ugesp.below_and_significant"


def test_everybody_selected_is_no_gap() -> None:
    assert judge_pair(Tally(50, 50), Tally(60, 60)).reason == "ugesp.no_gap"


@pytest.mark.parametrize(("judged", "outcome"), [(True, FAILED), (False, PASSED), (None, OPEN)])
def test_a_person_settles_a_significant_gap_above_four_fifths(judged: bool | None, outcome: CheckStatus) -> None:
    found = judge_pair(Tally(10000, 8500), Tally(10000, 9000), is_practically_significant=judged)
    assert (found.four_fifths, found.significance) == (PASSED, outcome)


def test_a_small_category_with_the_highest_rate_is_a_second_column_and_no_reference() -> None:
    table: dict[Category, Tally] = {("White",): Tally(1000, 500), ("Black",): Tally(980, 400), ("Other",): Tally(1, 1)}
    found = {one.category[0]: one for one in assess(table)}
    assert found["White"].finding.reason == "ugesp.reference"
    assert [str(found[name].ratio) for name in ("White", "Black")] == ["1", "40/49"]
    assert [str(found[name].ratio_to_small) for name in ("White", "Black")] == ["1/2", "20/49"]


@pytest.mark.parametrize("table", [{("a",): Tally(50, 0), ("b",): Tally(70, 0)}, {("a",): Tally(5, 1)}])
def test_without_a_reference_nothing_is_decided(table: dict[Category, Tally]) -> None:
    assert {one.finding.reason for one in assess(table)} == {"ugesp.no_reference"}


def test_a_category_without_members_is_insufficient_evidence() -> None:
    table: dict[Category, Tally] = {("a",): Tally(100, 50), ("b",): Tally(100, 49), ("c",): Tally(0, 0)}
    assert assess(table)[2].finding.four_fifths is OPEN


def test_an_exempt_category_is_not_judged_and_still_has_its_ratio() -> None:
    table: dict[Category, Tally] = {("a",): Tally(1000, 500), ("b",): Tally(15, 1)}
    exempt = assess(table, exempt=[("b",)])[1]
    assert exempt.finding.four_fifths is CheckStatus.NOT_APPLICABLE
    assert exempt.ratio is not None


def test_an_excluded_category_is_no_reference() -> None:
    table: dict[Category, Tally] = {("a",): Tally(1000, 500), ("b",): Tally(40, 40)}
    assert [one.finding.reason for one in assess(table, excluded=[("b",)])] == ["ugesp.reference", "ugesp.excluded"]


def test_the_adjusted_p_is_printed_beside_the_raw_one_which_decides() -> None:
    table: dict[Category, Tally] = {
        ("a",): Tally(100, 60),
        ("b",): Tally(100, 45),
        ("c",): Tally(100, 46),
        ("d",): Tally(100, 47),
    }
    second = assess(table)[1]
    assert second.test is not None
    assert second.holm_p is not None
    assert second.test.p < 0.05 < second.holm_p
    assert second.finding.significance is FAILED
