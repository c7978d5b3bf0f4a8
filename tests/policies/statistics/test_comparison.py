"""Tests of two rates against SciPy; Holm's correction against its definition."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from policies.statistics.comparison import SMALL_EXPECTED, compare_rates, fisher_exact, holm
from policies.statistics.intervals import Proportion

sizes = st.integers(min_value=1, max_value=60)


@st.composite
def tables(draw: st.DrawFn) -> tuple[int, int, int, int]:
    """Counts and sizes of two groups."""
    n, m = draw(sizes), draw(sizes)
    return draw(st.integers(0, n)), n, draw(st.integers(0, m)), m


@given(tables())
def test_fisher_is_that_of_scipy(table: tuple[int, int, int, int]) -> None:
    a, n, c, m = table
    theirs = stats.fisher_exact([[a, n - a], [c, m - c]]).pvalue
    assert float(fisher_exact(a, n, count_reference=c, reference=m)) == pytest.approx(theirs, abs=1e-12)


@given(tables())
def test_fisher_in_scaled_integers_is_that_of_binomial_coefficients(table: tuple[int, int, int, int]) -> None:
    a, n, c, m = table
    s = a + c
    weights = {x: math.comb(n, x) * math.comb(m, s - x) for x in range(max(0, s - m), min(n, s) + 1)}
    expected = sum(weight for weight in weights.values() if weight <= weights[a])
    found = fisher_exact(a, n, count_reference=c, reference=m)
    assert found * sum(weights.values()) == expected


@given(tables())
def test_the_test_is_chi_square_unless_an_expected_cell_is_below_five(table: tuple[int, int, int, int]) -> None:
    a, n, c, m = table
    found = compare_rates(Proportion(a, n), Proportion(c, m))
    if a + c in (0, n + m):
        assert (found.p, found.test) == (1.0, "none")
        return
    theirs = stats.chi2_contingency([[a, n - a], [c, m - c]], correction=False)
    if theirs.expected_freq.min() >= SMALL_EXPECTED:
        assert found.test == "chi_square"
        assert found.p == pytest.approx(theirs.pvalue, abs=1e-12)
    else:
        assert found.test == "fisher_exact"


def test_a_table_of_millions_is_compared_in_a_moment_and_as_scipy_does() -> None:
    """More tables than the exact sum takes: 9,000 possible ones with expected cells below five."""
    found = compare_rates(Proportion(9, 9_000), Proportion(9_000, 20_000_000))
    theirs = stats.fisher_exact([[9, 8_991], [9_000, 19_991_000]]).pvalue
    assert found.test == "fisher_exact"
    assert found.p == pytest.approx(theirs, rel=1e-6)


def test_vector_v07_of_the_law_pack_has_its_fisher_p() -> None:
    """1 of 8 against 40 of 80: an expected cell is under five, p 0.0629."""
    assert round(compare_rates(Proportion(1, 8), Proportion(40, 80)).p, 4) == 0.0629


def test_holm_multiplies_the_smallest_most_and_never_falls() -> None:
    """By hand: 0.01*3, then max(0.03, 0.02*2), then max(0.04, 0.03)."""
    assert holm([0.03, 0.01, 0.02]) == pytest.approx([0.04, 0.03, 0.04])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_lies_between_the_raw_and_bonferronis_values_for_the_smallest_and_keeps_the_order(
    p_values: list[float],
) -> None:
    adjusted = holm(p_values)
    smallest = p_values.index(min(p_values))
    assert adjusted[smallest] == min(1.0, len(p_values) * p_values[smallest])
    assert all(raw <= found <= 1 for raw, found in zip(p_values, adjusted, strict=True))
    order = sorted(range(len(p_values)), key=lambda index: p_values[index])
    assert [adjusted[index] for index in order] == sorted(adjusted)
