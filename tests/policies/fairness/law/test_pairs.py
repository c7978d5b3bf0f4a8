"""Pairs of counts: the golden vectors of the four-fifths rule, and integers against scipy."""

import math
from fractions import Fraction

import pytest
import scipy.stats
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.errors import MeasurementRefused
from policies.fairness.law.pairs import (
    Tally,
    flips_with_one_person,
    has_small_cell,
    impact_ratio,
    is_below_four_fifths,
    is_under_two_percent,
    printed,
    ratio_interval,
    shortfall,
    significance,
    z_value,
)

tallies = st.integers(1, 200).flatmap(lambda n: st.builds(Tally, st.just(n), st.integers(0, n)))


@pytest.mark.parametrize(
    ("category", "reference", "ratio", "is_below"),
    [
        ((100, 72), (100, 90), Fraction(4, 5), False),  # V01; the double of this quotient is below 0.8
        ((75, 24), (75, 30), Fraction(4, 5), False),  # V02
        ((75, 23), (75, 30), Fraction(23, 30), True),  # V02
        ((100, 48), (100, 60), Fraction(4, 5), False),  # V03
        ((10000, 8500), (10000, 9000), Fraction(17, 18), False),  # V04
        ((100, 40), (100, 60), Fraction(2, 3), True),  # V05
        ((10, 1), (20, 3), Fraction(2, 3), True),  # V06
        ((8, 1), (80, 40), Fraction(1, 4), True),  # V07
        ((100, 45), (100, 60), Fraction(3, 4), True),  # V08
        ((100, 88), (100, 99), Fraction(8, 9), False),  # V20
        ((50, 50), (60, 60), Fraction(1), False),  # V21
        ((50, 0), (70, 0), None, False),  # V13
        ((0, 0), (70, 7), None, False),
    ],
)
def test_ratios_of_the_golden_vectors_are_exact(
    category: tuple[int, int], reference: tuple[int, int], ratio: Fraction | None, is_below: bool
) -> None:
    pair = Tally(*category), Tally(*reference)
    assert (impact_ratio(*pair), is_below_four_fifths(*pair)) == (ratio, is_below)


@pytest.mark.parametrize(
    ("category", "reference", "z", "is_significant"),
    [
        ((75, 24), (75, 30), -1.0206, False),  # V02
        ((75, 23), (75, 30), -1.1957, False),  # V02
        ((100, 48), (100, 60), -1.7025, False),  # V03
        ((10000, 8500), (10000, 9000), -10.6904, True),  # V04
        ((100, 40), (100, 60), -2.8284, True),  # V05
        ((100, 45), (100, 60), -2.1240, True),  # V08
        ((100, 88), (100, 99), -3.1551, True),  # V20
    ],
)
def test_z_of_the_golden_vectors(
    category: tuple[int, int], reference: tuple[int, int], z: float, is_significant: bool
) -> None:
    found = significance(Tally(*category), Tally(*reference))
    assert (found.test, round(found.z or 0, 4), found.is_significant) == ("z", z, is_significant)


@pytest.mark.parametrize(
    ("category", "reference", "p", "flips"),
    [((10, 1), (20, 3), 1.0, True), ((8, 1), (80, 40), 0.0629, False)],  # V06, V07
)
def test_small_cells_of_the_golden_vectors_are_tested_exactly(
    category: tuple[int, int], reference: tuple[int, int], p: float, flips: bool
) -> None:
    pair = Tally(*category), Tally(*reference)
    found = significance(*pair)
    assert (found.test, round(found.p, 4), found.is_significant) == ("fisher_exact", p, False)
    assert flips_with_one_person(*pair) is flips


def test_z_would_have_called_a_small_cell_significant() -> None:
    pair = Tally(8, 1), Tally(80, 40)
    assert has_small_cell(*pair)
    assert round(z_value(*pair), 4) == -2.0273


@pytest.mark.parametrize(
    ("category", "reference", "bounds"),
    [
        ((100, 48), (100, 60), (0.6173, 1.0368)),  # V03
        ((10000, 8500), (10000, 9000), (0.9346, 0.9544)),  # V04
        ((100, 45), (100, 60), (0.5729, 0.9819)),  # V08
        ((100, 88), (100, 99), (0.8247, 0.9581)),  # V20
    ],
)
def test_intervals_of_the_golden_vectors(
    category: tuple[int, int], reference: tuple[int, int], bounds: tuple[float, float]
) -> None:
    found = ratio_interval(Tally(*category), Tally(*reference))
    assert found is not None
    assert (round(found.lower, 4), round(found.upper, 4)) == bounds


@pytest.mark.parametrize(
    ("category", "reference"), [((50, 50), (60, 60)), ((50, 0), (60, 6)), ((50, 5), (60, 0)), ((0, 0), (60, 6))]
)
def test_an_interval_that_cannot_be_estimated_is_null(category: tuple[int, int], reference: tuple[int, int]) -> None:
    assert ratio_interval(Tally(*category), Tally(*reference)) is None


@pytest.mark.parametrize(
    ("category", "reference", "k"), [((100, 40), (100, 60), 8), ((100, 45), (100, 60), 3), ((100, 72), (100, 90), 0)]
)
def test_shortfalls_of_the_golden_vectors(category: tuple[int, int], reference: tuple[int, int], k: int) -> None:
    assert shortfall(Tally(*category), Tally(*reference)) == k


@given(category=tallies, reference=tallies)
def test_the_shortfall_is_the_fewest_selections_that_reach_four_fifths(category: Tally, reference: Tally) -> None:
    fewest = shortfall(category, reference)
    assert fewest is not None
    goal = Fraction(4, 5) * Fraction(reference.selected, reference.n)
    assert Fraction(category.selected + fewest, category.n) >= goal
    assert fewest == 0 or Fraction(category.selected + fewest - 1, category.n) < goal


@given(category=tallies, reference=tallies)
@settings(max_examples=60, deadline=None)
def test_significance_agrees_with_scipy(category: Tally, reference: Tally) -> None:
    found = significance(category, reference)
    cells = [[one.selected, one.n - one.selected] for one in (category, reference)]
    if found.test == "z":
        assert math.isclose(found.p, scipy.stats.chi2_contingency(cells, correction=False).pvalue, rel_tol=1e-9)
        assert found.is_significant == (abs(found.z or 0) > 1.96)
    if found.test == "fisher_exact":
        p = scipy.stats.fisher_exact(cells).pvalue
        assert math.isclose(found.p, p, rel_tol=1e-6)
        assert found.is_significant == (p < 0.05)


@pytest.mark.parametrize(("n", "selected"), [(10, 11), (10, -1), (-1, -1)])
def test_a_tally_that_cannot_be_true_is_refused(n: int, selected: int) -> None:
    with pytest.raises(MeasurementRefused):
        Tally(n, selected)


def test_one_of_one_is_no_certainty() -> None:
    bounds = Tally(1, 1).interval
    assert bounds is not None
    assert (round(bounds.lower, 4), bounds.upper) == (0.2065, 1.0)


def test_exactly_two_percent_is_not_under_it() -> None:
    assert (is_under_two_percent(20, 1000), is_under_two_percent(19, 1000)) == (False, True)  # V10


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (Fraction(4, 5), "0.8000"),
        (Fraction(79999, 100000), "0.79999"),
        (Fraction(800001, 1000000), "0.800001"),
        (Fraction(1, 8), "0.1250"),
        (Fraction(12345, 100000), "0.1234"),
        (Fraction(12355, 100000), "0.1236"),
        (Fraction(5, 4), "1.2500"),
        (Fraction(0), "0.0000"),
    ],
)
def test_printing_never_moves_a_value_across_four_fifths(value: Fraction, text: str) -> None:
    assert printed(value) == text
