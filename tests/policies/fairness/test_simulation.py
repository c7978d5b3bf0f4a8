"""How often the rule errs, exactly where that can be counted and by simulation with a fixed seed elsewhere."""

import math
from collections import Counter

import numpy as np
import pytest

from benchmarks.fairness_simulation import ALLOWED, Setting, false_alarms
from policies.fairness.metrics import METRICS
from policies.fairness.params import FairnessParams, MetricLimit
from policies.fairness.power import Levels, detectable
from policies.fairness.readings import read
from policies.fairness.verdict import ALPHA, ALPHA_FAILED, assess
from tests.policies.fairness.build import selection, table

PARAMS = FairnessParams()


def status(counts: list[int], sizes: list[int]) -> str:
    """The outcome of groups with these counts."""
    groups = [selection(str(index), *pair) for index, pair in enumerate(zip(counts, sizes, strict=True))]
    return assess(table(*groups), PARAMS.metrics[0], PARAMS).status.value


def shares(rates: list[float], sizes: list[int], times: int = 400) -> dict[str, float]:
    """The share of each outcome when groups of these true rates and sizes are drawn many times."""
    draw = np.random.default_rng(5)
    found: Counter[str] = Counter()
    for _ in range(times):
        found[status(draw.binomial(sizes, rates).tolist(), sizes)] += 1
    return {name: count / times for name, count in found.items()}


def binomial(count: int, size: int, rate: float) -> float:
    """The probability of ``count`` of ``size``."""
    logs = math.lgamma(size + 1) - math.lgamma(count + 1) - math.lgamma(size - count + 1)
    return math.exp(logs + count * math.log(rate) + (size - count) * math.log1p(-rate))


@pytest.mark.parametrize(("size", "rate"), [(30, 0.2), (30, 0.3), (50, 0.2), (100, 0.05), (100, 0.1), (100, 0.2)])
def test_two_equal_groups_fail_in_at_most_1_2_percent_of_samples(size: int, rate: float) -> None:
    """Every pair of counts with its probability; the worst rates of each size, found by the benchmark's grid."""
    failed = 0.0
    for low in range(size + 1):
        for high in range(low + 1, size + 1):
            probability = 2 * binomial(low, size, rate) * binomial(high, size, rate)
            # No pair this close can fail, and none this rare matters.
            if probability > 1e-9 and high - low > 2.2 * math.sqrt((low + high) / 2):
                failed += probability * (status([low, high], [size, size]) == "failed")
    assert 0 < failed <= ALLOWED


@pytest.mark.parametrize(
    "setting", [Setting((0.3,) * 3, 50), Setting((0.1,) * 6, 300), Setting((0.3,) * 12, 50)], ids=lambda one: one.title
)
def test_several_equal_groups_fail_in_at_most_1_2_percent_of_samples(setting: Setting) -> None:
    """Two standard errors of 3,000 draws are left."""
    alarms, point = false_alarms(setting, draws=3000)
    assert alarms <= ALLOWED + 2 * math.sqrt(ALLOWED / 3000)
    assert point > 0.7  # what the point ratio alone would have called unfair


def test_a_small_group_beside_equal_ones_changes_nothing() -> None:
    assert shares([0.1] * 6, [2000] * 5 + [20]).get("failed", 0.0) <= 0.02


def test_a_true_ratio_of_six_tenths_is_found() -> None:
    found = shares([0.5] * 5 + [0.3], [300] * 6, times=200)
    assert found["failed"] > 0.8
    assert "passed" not in found


@pytest.mark.parametrize(("size", "rate"), [(200, 0.5), (400, 0.3), (1000, 0.1)])
def test_the_stated_ratio_is_seen_with_80_percent_probability(size: int, rate: float) -> None:
    high = round(size * rate)
    one, two = (read(selection(name, high, size), "selection_rate") for name in "ab")
    seen = detectable("ratio", one, two, 0.8, Levels(ALPHA, ALPHA_FAILED))
    assert seen is not None
    found = shares([rate * seen, rate], [size, size], times=600)
    assert found["failed"] == pytest.approx(0.8, abs=0.08)


def test_the_stated_difference_is_seen_with_80_percent_probability() -> None:
    params = FairnessParams(metrics=(MetricLimit(name="demographic_parity_difference", limit="0.1"),))
    one, two = (read(selection(name, 300, 500), "selection_rate") for name in "ab")
    seen = detectable("difference", one, two, 0.1, Levels(ALPHA, ALPHA_FAILED))
    assert seen is not None
    assert METRICS["demographic_parity_difference"].form == "difference"
    draw = np.random.default_rng(7)
    failed = 0
    for _ in range(600):
        counts = draw.binomial([500, 500], [0.6 - seen, 0.6]).tolist()
        groups = [selection(str(index), count, 500) for index, count in enumerate(counts)]
        failed += assess(table(*groups), params.metrics[0], params).status.value == "failed"
    assert failed / 600 == pytest.approx(0.8, abs=0.08)


def test_too_few_rows_could_have_shown_nothing() -> None:
    one, two = (read(selection(name, 2, 30), "selection_rate") for name in "ab")
    assert detectable("ratio", one, two, 0.8, Levels(ALPHA, ALPHA_FAILED)) is None
    outcome = assess(table(selection("a", 2, 30), selection("b", 2, 30)), PARAMS.metrics[0], PARAMS).outcomes[0]
    assert (outcome.status, outcome.detectable) == ("passed", None)
