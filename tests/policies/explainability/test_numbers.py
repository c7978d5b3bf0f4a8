"""Shares, errors, gaps and associations against values worked out by hand or by other code."""

import numpy as np
import pytest
from scipy.stats.contingency import association as scipy_association

from policies.explainability.gaps import gaps_of
from policies.explainability.numbers import additivity_error, association, direction, group_means, share

PHI = np.array([[1.0, -3.0], [2.0, 2.0], [-3.0, 0.0], [0.0, 1.0]])


def test_a_share_is_the_part_of_the_absolute_attributions() -> None:
    found = share(PHI, np.array([1.0, 0.0]))
    # By hand: 6 of 12; residuals a - t/2 are -1, 0, 1.5, -0.5 with sd sqrt(3.5/3); mean total 3; the root of 4 rows.
    assert found == {"share": 0.5, "standard_error": pytest.approx(np.sqrt(3.5 / 3) / (3 * 2))}


def test_shares_of_all_features_sum_to_one_without_error() -> None:
    assert share(PHI, np.ones(2)) == {"share": 1.0, "standard_error": 0.0}


def test_where_nothing_carries_attribution_there_is_no_share() -> None:
    assert share(np.zeros((3, 2)), np.ones(2)) == {"share": None, "standard_error": None}


def test_the_standard_error_is_that_of_repeated_samples() -> None:
    draw = np.random.default_rng(0)
    population = draw.gamma(2, size=(200_000, 3)) * [1, 2, 3]
    mask = np.array([1.0, 0.0, 0.0])
    samples = [share(population[draw.integers(0, len(population), 500)], mask) for _ in range(400)]
    spread = np.std([float(str(one["share"])) for one in samples])
    assert np.mean([float(str(one["standard_error"])) for one in samples]) == pytest.approx(spread, rel=0.1)


def test_additivity_is_measured_in_deviations_of_the_output() -> None:
    output = np.array([1.0, 2.0, 3.0, 4.0])
    true = np.column_stack([output - 2.5, np.zeros(4)])
    assert additivity_error(2.5, true, output) == 0
    assert additivity_error(2.5, np.add(true, [[0.1, 0.0]]), output) == pytest.approx(0.1 / np.std(output))


def test_a_constant_output_is_met_or_missed() -> None:
    assert additivity_error(2.0, np.zeros((3, 1)), np.full(3, 2.0)) == 0
    assert additivity_error(2.0, np.ones((3, 1)), np.full(3, 2.0)) is None


def test_the_contributions_of_a_gap_sum_to_it() -> None:
    levels = ["m", "f", "m", "f", None]
    phi = np.vstack([PHI, [9.0, 9.0]])
    output = 10 + phi.sum(axis=1)
    body = {"groups": [{"attribute": "sex", "reference": None, "levels": group_means(levels, output, phi)}]}
    (gap,) = gaps_of(body)
    # By hand: outputs m 8, 7 and f 14, 11.
    assert (gap.reference, gap.level, gap.n) == ("f", "m", 2)
    assert gap.value == pytest.approx(5.0)
    assert gap.contributions == pytest.approx((2.0, 3.0))
    assert sum(gap.contributions) == pytest.approx(gap.value)
    # Welch: variances 0.5 and 4.5 over two rows each.
    assert gap.interval is not None
    assert float(gap.interval.lower or 0) == pytest.approx(5 - 1.959964 * np.sqrt(0.25 + 2.25), rel=1e-6)
    assert gap.is_shown(2)
    assert not gap.is_shown(3)


def test_a_declared_reference_is_kept_and_an_absent_one_leaves_no_gap() -> None:
    levels = group_means(["m", "f"], np.array([1.0, 2.0]), np.zeros((2, 1)))
    group = {"attribute": "sex", "levels": levels}
    assert [gap.reference for gap in gaps_of({"groups": [{**group, "reference": "m"}]})] == ["m"]
    assert gaps_of({"groups": [{**group, "reference": "x"}]}) == []
    assert gaps_of({"groups": [{**group, "reference": None, "levels": levels[:1]}]}) == []


def test_a_group_of_one_row_has_a_gap_without_an_interval() -> None:
    levels = group_means(["m", "m", "f"], np.array([1.0, 2.0, 3.0]), np.zeros((3, 1)))
    (gap,) = gaps_of({"groups": [{"attribute": "sex", "reference": None, "levels": levels}]})
    assert (gap.interval, gap.is_shown(1)) == (None, False)


def test_direction_is_the_correlation_of_a_number_with_its_attribution() -> None:
    phi = np.array([1.0, 2.0, 4.0])
    assert direction([1, 2, 4], phi) == pytest.approx(1.0)
    assert direction([True, False, False], phi) == pytest.approx(np.corrcoef([1, 0, 0], phi)[0, 1])
    assert direction(["a", "b", "c"], phi) is None
    assert direction([1, 1, 1], phi) is None
    assert direction([None, 1, 2], phi) == pytest.approx(1.0)


def test_association_is_that_of_scipy_less_its_bias() -> None:
    draw = np.random.default_rng(1)
    feature = draw.choice(list("abc"), 20_000)
    levels = [str(one) for one in np.where(draw.random(20_000) < 0.7, np.where(feature == "a", "x", "y"), "z")]
    counts = np.array([[sum((feature == f) & (np.array(levels) == g)) for g in "xyz"] for f in "abc"])
    expected = scipy_association(counts, method="cramer")
    assert association(list(feature), levels) == pytest.approx(expected, abs=0.002)


def test_association_of_unrelated_features_is_near_zero_and_of_a_copy_one() -> None:
    draw = np.random.default_rng(2)
    levels = [str(one) for one in draw.choice(["m", "f"], 500)]
    many = [f"town {number}" for number in draw.integers(0, 400, 500)]
    assert association(many, levels) < 0.25
    assert association(list(draw.normal(size=500)), levels) < 0.15
    assert association(levels, levels) == pytest.approx(1.0, abs=0.01)
    assert association([1] * 500, levels) == 0
    assert association(levels, [None] * 500) == 0
    assert association([1.0, float("nan"), None, 2.0] * 125, levels) < 0.2
