"""Drift: the numbers against scipy, the intervals against simulation, the verdicts against both."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from audits.measuring import KnownAncestry
from governance.errors import MeasurementRefused
from governance.types.results import CheckStatus
from policies.quality.drift import chi_square, ks_distance, ks_p, pool, psi
from tests.policies.quality.build import facts_of, judged, measured, reading
from tests.policies.test_masks import ancestry

SAMPLES = st.lists(st.integers(-5, 5), min_size=2, max_size=60)
COUNTS = st.lists(st.integers(1, 50), min_size=3, max_size=3)


@given(SAMPLES, SAMPLES)
def test_the_distance_and_its_p_value_are_scipys(values: list[int], base: list[int]) -> None:
    one, other = (np.sort(np.array(sample, dtype=float)) for sample in (values, base))
    expected = stats.ks_2samp(one, other, method="asymp")
    distance = ks_distance(one, other)
    assert distance == pytest.approx(expected.statistic)
    assert ks_p(distance, len(one), len(other)) == pytest.approx(expected.pvalue, abs=1e-12)


@given(COUNTS, COUNTS)
def test_the_chi_square_statistic_is_scipys(counts: list[int], expected: list[int]) -> None:
    table = np.array([counts, expected], dtype=float)
    assert chi_square(table[0], table[1]) == pytest.approx(stats.chi2_contingency(table, correction=False).statistic)


def test_the_index_is_that_of_a_hand_calculation() -> None:
    # Shares 0.6 and 0.4 against 0.5 and 0.5: 0.1 ln(0.6/0.5) - 0.1 ln(0.4/0.5) = 0.04055, were 0.5 not added.
    index = float(psi(np.array([600.0, 400.0]), np.array([500.0, 500.0])))
    assert index == pytest.approx(0.1 * np.log(1.2) - 0.1 * np.log(0.8), rel=0.01)
    assert float(psi(np.array([600.0, 400.0, 0.0]), np.array([500.0, 500.0, 0.0]))) == pytest.approx(index)
    assert float(psi(np.array([500.0, 500.0]), np.array([500.0, 500.0]))) == 0


def test_rare_categories_are_pooled_before_the_test() -> None:
    pooled = pool(np.array([50.0, 40.0, 1.0, 2.0]), np.array([60.0, 40.0, 0.0, 3.0]))
    assert pooled is not None
    assert pooled[0].tolist() == [50, 40, 3]
    assert pool(np.array([2.0, 1.0]), np.array([1.0, 1.0])) is None


def samples(shift: float, rows: int = 2000, seed: int = 5) -> tuple[dict[str, Any], dict[str, Any]]:
    """A table that is shifted against its reference by so many standard deviations, and one category with it."""
    random = np.random.default_rng(seed)
    tables = []
    for distance in (shift, 0.0):
        numbers = random.normal(distance, 1, rows)
        words = random.choice(["a", "b", "c"], rows, p=[0.5 + distance / 4, 0.3 - distance / 4, 0.2])
        tables.append({"x": numbers, "w": words})
    return tables[0], tables[1]


@pytest.mark.parametrize("ending", ["parquet", "csv"])
@pytest.mark.parametrize(("shift", "status"), [(0.0, "passed"), (1.0, "failed")])
def test_a_shifted_column_fails_and_an_equal_one_passes(tmp_path: Path, ending: str, shift: float, status: str) -> None:
    own, reference = samples(shift)
    known = facts_of(tmp_path, own, ending=ending, tables={"reference": reference})
    result = judged(known, drift=[{"replicates": 200}])
    assert result.status == status
    rules: Any = result.details["rules"]
    assert [(one["place"], one["kind"]) for one in rules] == [("x", "number"), ("w", "category")]


def test_the_figures_are_those_of_the_library_on_the_rows(tmp_path: Path) -> None:
    own, reference = samples(0.3)
    found = reading(facts_of(tmp_path, own, tables={"reference": reference}), "drift", {"replicates": 200})
    x, w = found["columns"]
    expected = stats.ks_2samp(own["x"], reference["x"], method="asymp")
    assert float(x["ks"]["distance"]) == pytest.approx(expected.statistic)
    assert float(x["ks"]["p"]) == pytest.approx(expected.pvalue)
    edges = np.quantile(reference["x"], np.linspace(0, 1, 11))[1:-1]
    shares = [
        np.bincount(np.searchsorted(edges, one, side="right"), minlength=10) for one in (own["x"], reference["x"])
    ]
    q, p = ((one + 0.5) / (one + 0.5).sum() for one in shares)
    assert float(x["psi"]["index"]) == pytest.approx(float(((q - p) * np.log(q / p)).sum()), rel=1e-9)
    table = [[(one["w"] == word).sum() for word in "abc"] for one in (own, reference)]
    test = stats.chi2_contingency(table, correction=False)
    assert float(w["chi_square"]["statistic"]) == pytest.approx(test.statistic)
    assert float(w["chi_square"]["p"]) == pytest.approx(test.pvalue)
    assert float(w["chi_square"]["v"]) == pytest.approx(stats.contingency.association(np.array(table), method="cramer"))
    assert float(x["psi"]["lower"]) < float(x["psi"]["index"]) < float(x["psi"]["upper"])


def test_a_difference_that_only_size_makes_significant_passes_with_a_note(tmp_path: Path) -> None:
    own, reference = samples(0.03, rows=100_000)
    result = judged(
        facts_of(tmp_path, own, tables={"reference": reference}), drift=[{"columns": ["x"], "replicates": 100}]
    )
    assert result.status is CheckStatus.PASSED
    note = result.figures[-1].note
    assert note.startswith("significant")
    assert "any difference is" in note


def test_the_distances_interval_covers_the_true_distance(tmp_path: Path) -> None:
    # Two normal distributions half a deviation apart: D = 2 * Phi(0.25) - 1.
    truth = 2 * stats.norm.cdf(0.25) - 1
    covered = 0
    for seed in range(20):
        own, reference = samples(0.5, rows=300, seed=seed)
        rule = {"columns": ["x"], "replicates": 100}
        ks = reading(facts_of(tmp_path, own, tables={"reference": reference}), "drift", rule)["columns"][0]["ks"]
        covered += float(ks["lower"]) <= truth <= float(ks["upper"])
    assert covered == 20


def test_values_that_became_missing_are_drift(tmp_path: Path) -> None:
    numbers = np.random.default_rng(1).normal(size=1000)
    gone = [None if number % 2 else value for number, value in enumerate(numbers)]
    known = facts_of(tmp_path, {"x": gone}, tables={"reference": {"x": numbers}})
    assert judged(known, drift=[{"replicates": 200}]).status is CheckStatus.FAILED


def test_new_values_are_counted(tmp_path: Path) -> None:
    known = facts_of(tmp_path, {"w": ["a", "b", "z"] * 100}, tables={"reference": {"w": ["a", "b", "b"] * 100}})
    found = reading(known, "drift", {"replicates": 100})["columns"][0]
    assert (found["new_values"], found["values"][-1], found["counts"][-2]) == (1, "other", 100)
    assert judged(known, drift=[{"replicates": 100}]).status is CheckStatus.FAILED


def test_too_few_rows_decide_nothing(tmp_path: Path) -> None:
    own, reference = samples(0.0, rows=50)
    known = facts_of(tmp_path, own, tables={"reference": reference})
    assert judged(known, drift=[{"replicates": 100}]).status is CheckStatus.INSUFFICIENT_EVIDENCE
    chance = judged(known, drift=[{"replicates": 100, "min_rows": 10}])
    assert chance.status is CheckStatus.INSUFFICIENT_EVIDENCE
    assert "by chance alone" in chance.message


def test_equal_distributions_are_not_said_to_have_drifted(tmp_path: Path) -> None:
    statuses = []
    for seed in range(40):
        own, reference = samples(0.0, rows=150, seed=seed)
        known = facts_of(tmp_path, own, tables={"reference": reference})
        statuses.append(judged(known, drift=[{"replicates": 100}]).status)
    assert CheckStatus.FAILED not in statuses
    assert statuses.count(CheckStatus.WARNED) <= 2


def test_the_same_seed_gives_the_same_measurement(tmp_path: Path) -> None:
    own, reference = samples(0.2, rows=200)
    found = [
        reading(facts_of(tmp_path, own, tables={"reference": reference}, seed=seed), "drift", {"replicates": 100})
        for seed in (1, 1, 2)
    ]
    assert found[0] == found[1] != found[2]


def test_a_column_of_another_kind_is_refused(tmp_path: Path) -> None:
    known = facts_of(tmp_path, {"a": [1, 2]}, tables={"reference": {"a": ["1", "2"]}})
    with pytest.raises(MeasurementRefused, match="of one kind"):
        judged(known, drift=[{}])
    none = facts_of(tmp_path, pl.DataFrame({"a": [1]}), tables={"reference": {"b": [1]}})
    with pytest.raises(MeasurementRefused, match="columns that both tables have"):
        judged(none, drift=[{}])


def test_categories_of_a_personal_column_are_numbered(tmp_path: Path) -> None:
    columns = [{"path": "email", "categories": ["user.contact.email"]}]
    table = {"email": ["ada@example.org"] * 150 + ["bob@example.org"] * 50, "plan": ["a", "b"] * 100}
    known = replace(facts_of(tmp_path, table, tables={"reference": table}), lineage=KnownAncestry(ancestry(columns)))
    body = measured(known, drift=[{"reference": "reference"}]).model_dump_json()
    assert "@example.org" not in body
    assert '"values":["[user.contact.email] 1","[user.contact.email] 2","other"]' in body
    assert '"values":["a","b","other"]' in body
