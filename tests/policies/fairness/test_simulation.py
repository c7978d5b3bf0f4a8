"""How often the rule errs, by simulation with a fixed seed: equal groups hardly ever fail, true gaps are found."""

from collections import Counter

import numpy as np
import pytest

from policies.fairness.params import FairnessParams
from policies.fairness.verdict import assess
from tests.policies.fairness.build import selection, table

PARAMS = FairnessParams()


def shares(rates: list[float], sizes: list[int], times: int = 400) -> dict[str, float]:
    """The share of each outcome when groups of these true rates and sizes are drawn many times."""
    draw = np.random.default_rng(5)
    found: Counter[str] = Counter()
    for _ in range(times):
        counts = draw.binomial(sizes, rates)
        groups = [
            selection(str(number), int(count), size)
            for number, (count, size) in enumerate(zip(counts, sizes, strict=True))
        ]
        found[assess(table(*groups), PARAMS.metrics[0], PARAMS).status] += 1
    return {status: count / times for status, count in found.items()}


@pytest.mark.parametrize(
    ("rates", "sizes"),
    [
        ([0.5] * 3, [100] * 3),
        ([0.5] * 12, [100] * 12),
        ([0.1] * 6, [300] * 6),
        ([0.5] * 2, [5000] * 2),
        ([0.1] * 6, [2000] * 5 + [20]),
    ],
)
def test_equal_groups_fail_in_about_one_draw_of_a_hundred_at_most(rates: list[float], sizes: list[int]) -> None:
    """1.2 % is the design's bound; the slack is two standard errors of 400 draws."""
    assert shares(rates, sizes).get("failed", 0.0) <= 0.012 + 2 * (0.012 * 0.988 / 400) ** 0.5


def test_a_true_ratio_of_six_tenths_is_found() -> None:
    found = shares([0.5] * 5 + [0.3], [300] * 6, times=200)
    assert found["failed"] > 0.8
    assert "passed" not in found
