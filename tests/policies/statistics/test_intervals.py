"""Intervals against published values, SciPy and statsmodels' textbook examples."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binomtest, norm

from policies.statistics.intervals import (
    Z_ONE_SIDED,
    Proportion,
    katz,
    newcombe,
    normal_upper_tail,
    p_difference_at_most,
    p_ratio_at_least,
    wilson,
)

sizes = st.integers(min_value=1, max_value=500)


@st.composite
def proportions(draw: st.DrawFn) -> Proportion:
    """A count within a size."""
    size = draw(sizes)
    return Proportion(draw(st.integers(min_value=0, max_value=size)), size)


@given(proportions())
def test_wilson_is_that_of_scipy(part: Proportion) -> None:
    theirs = binomtest(int(part.count), int(part.size)).proportion_ci(method="wilson")
    ours = wilson(part)
    assert (ours.lower, ours.upper) == pytest.approx((theirs.low, theirs.high), abs=1e-12)


def test_wilson_of_one_of_one_is_no_certainty() -> None:
    """The value that the fairness law pack prints: 0.2065 to 1."""
    bounds = wilson(Proportion(1, 1))
    assert (round(bounds.lower, 4), bounds.upper) == (0.2065, 1.0)


@pytest.mark.parametrize(
    ("one", "two", "expected"),
    [
        # Newcombe 1998, table II, method 10: examples (a), (c), (e) and (g).
        ((56, 70), (48, 80), (0.0524, 0.3339)),
        ((6, 7), (2, 7), (0.0582, 0.8062)),
        ((0, 10), (0, 20), (-0.1611, 0.2775)),
        ((10, 10), (0, 20), (0.6791, 1.0000)),
    ],
)
def test_newcombe_gives_the_intervals_of_his_paper(
    one: tuple[int, int], two: tuple[int, int], expected: tuple[float, float]
) -> None:
    bounds = newcombe(Proportion(*one), Proportion(*two))
    assert (bounds.lower, bounds.upper) == pytest.approx(expected, abs=5e-5)


def test_katz_is_the_logarithmic_interval_with_half_a_row_added() -> None:
    """By hand for 48 of 100 against 60 of 100: 48.5/100.5 over 60.5/100.5."""
    bounds = katz(Proportion(48, 100), Proportion(60, 100))
    error = math.sqrt(1 / 48.5 - 1 / 100.5 + 1 / 60.5 - 1 / 100.5)
    assert bounds.lower == pytest.approx(48.5 / 60.5 * math.exp(-1.959963984540054 * error))
    assert bounds.upper == pytest.approx(48.5 / 60.5 * math.exp(1.959963984540054 * error))


@given(proportions(), proportions())
def test_a_ratio_has_an_interval_even_where_nobody_is_counted(part: Proportion, reference: Proportion) -> None:
    bounds = katz(part, reference)
    assert 0 < bounds.lower <= bounds.upper < math.inf


@given(proportions(), proportions(), st.sampled_from([0.5, 0.8, 0.9, 1.0]))
def test_the_p_value_of_a_ratio_agrees_with_its_one_sided_bound(
    part: Proportion, reference: Proportion, limit: float
) -> None:
    upper = katz(part, reference, Z_ONE_SIDED).upper
    p = p_ratio_at_least(part, reference, limit)
    if abs(upper - limit) > 1e-9:
        assert (p < 0.05) == (upper < limit)


@given(proportions(), proportions(), st.sampled_from([0.0, 0.05, 0.1, 0.3]))
def test_the_p_value_of_a_difference_agrees_with_its_one_sided_bound(
    part: Proportion, reference: Proportion, limit: float
) -> None:
    lower = newcombe(part, reference, Z_ONE_SIDED).lower
    p = p_difference_at_most(part, reference, limit)
    if abs(lower - limit) > 1e-9:
        assert (p < 0.05) == (lower > limit)


@given(proportions(), proportions())
def test_the_difference_lies_in_its_interval(part: Proportion, reference: Proportion) -> None:
    bounds = newcombe(part, reference)
    assert bounds.lower - 1e-12 <= part.rate - reference.rate <= bounds.upper + 1e-12


@pytest.mark.parametrize("z", [-3.0, 0.0, 1.6448536269514722, 8.0])
def test_the_normal_tail_is_that_of_scipy(z: float) -> None:
    assert normal_upper_tail(z) == pytest.approx(norm.sf(z), rel=1e-12)
