"""Quality measured again is that of scikit-learn, its intervals cover, and nothing passes that was not shown."""

import math
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from sklearn import metrics as sklearn

from governance.errors import InputRefused, MeasurementRefused
from governance.types.results import CheckResult, CheckStatus, Measurement
from policies.performance.body import PerformanceBody, RankArea
from policies.performance.check import CHECK
from policies.performance.estimate import baseline, estimate
from policies.performance.judge import judge
from policies.performance.params import PerformanceParams
from policies.statistics.counts import CellCount, CellName
from policies.statistics.intervals import Proportion, wilson
from tests.support.evidence import facts, write

PASSED, WARNED = CheckStatus.PASSED, CheckStatus.WARNED
FAILED, INSUFFICIENT = CheckStatus.FAILED, CheckStatus.INSUFFICIENT_EVIDENCE


def sample(rows: int = 1200, *, seed: int = 4) -> pl.DataFrame:
    """Labels, scores with ties, and decisions at one half."""
    draw = np.random.default_rng(seed)
    label = draw.random(rows) < 0.35
    score = np.round(np.clip(draw.normal(np.where(label, 0.6, 0.4), 0.2), 0, 1), 2)
    return pl.DataFrame({"label": label.astype(int), "score": score, "decision": (score >= 0.5).astype(int)})


def body(tp: int, fp: int, fn: int, tn: int) -> PerformanceBody:
    """A measurement of counts."""
    counts: dict[CellName, int] = {"tp": tp, "fp": fp, "fn": fn, "tn": tn}
    return PerformanceBody(
        rows=tp + fp + fn + tn,
        cells=tuple(CellCount(cell=name, rows=rows) for name, rows in counts.items() if rows),
    )


def verdict(tp: int, fp: int, fn: int, tn: int, **params: Any) -> CheckResult:
    """The judgement of counts."""
    measured = Measurement(check="performance", check_version="1", body=body(tp, fp, fn, tn).document())
    return judge(measured, PerformanceParams.model_validate(params))


COLUMNS = {"label": "label", "decision": "decision", "score": "score"}


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_every_metric_is_that_of_scikit_learn(tmp_path: Path, suffix: str) -> None:
    rows = sample()
    known = facts(write(tmp_path / f"rows{suffix}", rows), columns=COLUMNS)
    measured = PerformanceBody.model_validate(CHECK.measure(known, PerformanceParams()).body)
    y, p, s = (rows[name].to_numpy() for name in ("label", "decision", "score"))
    expected = {
        "accuracy": sklearn.accuracy_score(y, p),
        "balanced_accuracy": sklearn.balanced_accuracy_score(y, p),
        "precision": sklearn.precision_score(y, p),
        "recall": sklearn.recall_score(y, p),
        "f1": sklearn.f1_score(y, p),
        "auc": sklearn.roc_auc_score(y, s),
    }
    for name, value in expected.items():
        found = estimate(measured, name)  # type: ignore[arg-type]  # the names are those of the metrics
        assert found.value is not None
        assert found.bounds is not None
        assert float(found.value) == pytest.approx(value, abs=1e-12), name
        assert found.bounds.lower < value < found.bounds.upper


def test_delongs_variance_is_that_of_the_placements_taken_pair_by_pair(tmp_path: Path) -> None:
    """The definition of DeLong et al. 1988, over all pairs, on few rows."""
    rows = sample(80)
    known = facts(write(tmp_path / "rows.parquet", rows), columns=COLUMNS)
    measured = PerformanceBody.model_validate(CHECK.measure(known, PerformanceParams()).body)
    positive = rows.filter(pl.col("label") == 1)["score"].to_numpy()
    negative = rows.filter(pl.col("label") == 0)["score"].to_numpy()
    wins = (positive[:, None] > negative) + 0.5 * (positive[:, None] == negative)
    variance = wins.mean(axis=1).var(ddof=1) / len(positive) + wins.mean(axis=0).var(ddof=1) / len(negative)
    assert measured.ranks is not None
    assert float(measured.ranks.area) == pytest.approx(wins.mean(), abs=1e-15)
    assert measured.ranks.variance == pytest.approx(variance, rel=1e-12)


def test_vector_v18_of_the_law_pack_has_its_exact_area(tmp_path: Path) -> None:
    """Positives 0.9 and 0.4, negatives 0.4 and 0.1: seven eighths."""
    rows = {"label": [1, 1, 0, 0], "score": [0.9, 0.4, 0.4, 0.1]}
    known = facts(write(tmp_path / "rows.csv", rows), columns={"label": "label", "score": "score"})
    params = PerformanceParams(metric="auc")
    measured = PerformanceBody.model_validate(CHECK.measure(known, params).body)
    assert measured.ranks is not None
    assert measured.ranks.area == Fraction(7, 8)


def test_weighted_accuracy_is_that_of_scikit_learn_on_fewer_effective_rows(tmp_path: Path) -> None:
    rows = sample().with_columns(w=pl.col("score") + 0.5)
    columns = {"label": "label", "decision": "decision", "weight": "w"}
    known = facts(write(tmp_path / "rows.parquet", rows), columns=columns)
    result = CHECK.judge(CHECK.measure(known, PerformanceParams()), PerformanceParams())
    y, p, w = (rows[name].to_numpy() for name in ("label", "decision", "w"))
    accuracy = sklearn.accuracy_score(y, p, sample_weight=w)
    assert float(result.observed or "nan") == pytest.approx(accuracy, abs=1e-9)
    effective = w.sum() ** 2 / (w**2).sum()
    bounds = wilson(Proportion(accuracy * effective, effective))
    assert effective < len(rows)
    assert result.interval is not None
    assert float(result.interval.lower or "nan") == pytest.approx(bounds.lower, abs=1e-9)


@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_the_weighted_area_is_that_of_scikit_learn(tmp_path: Path, suffix: str) -> None:
    rows = sample().with_columns(w=(pl.col("score") * 2).round(3) + 0.25)
    columns = {"label": "label", "score": "score", "weight": "w"}
    known = facts(write(tmp_path / f"rows.{suffix}", rows), columns=columns)
    params = PerformanceParams(metric="auc")
    result = CHECK.judge(CHECK.measure(known, params), params)
    y, s, w = (rows[name].to_numpy() for name in ("label", "score", "w"))
    assert float(result.observed or "nan") == pytest.approx(sklearn.roc_auc_score(y, s, sample_weight=w), abs=1e-12)
    assert result.interval is not None
    assert float(result.interval.lower or "nan") < float(result.observed or "nan") < float(result.interval.upper or "0")


def test_equal_weights_have_the_area_and_nearly_the_variance_of_rows_that_count_alike(tmp_path: Path) -> None:
    rows = sample().with_columns(w=pl.lit(2.5))
    params = PerformanceParams(metric="auc")
    bodies = [
        PerformanceBody.model_validate(
            CHECK.measure(
                facts(write(tmp_path / "rows.parquet", rows), columns={"label": "label", "score": "score", **weight}),
                params,
            ).body
        )
        for weight in ({}, {"weight": "w"})
    ]
    alike, weighted = bodies[0].ranks, bodies[1].weighted_area
    assert alike is not None
    assert weighted is not None
    assert weighted.area == pytest.approx(float(alike.area), abs=1e-12)
    assert weighted.variance == pytest.approx(alike.variance, rel=1e-9)
    assert (weighted.positives, weighted.negatives) == (alike.positives, alike.negatives)


def test_a_class_that_weighs_nothing_has_no_area(tmp_path: Path) -> None:
    rows = {"label": [1] * 40 + [0] * 40, "score": [0.5] * 80, "w": [1.0] * 40 + [0.0] * 40}
    columns = {"label": "label", "score": "score", "weight": "w"}
    known = facts(write(tmp_path / "rows.parquet", rows), columns=columns)
    params = PerformanceParams(metric="auc")
    assert CHECK.judge(CHECK.measure(known, params), params).status is INSUFFICIENT


@pytest.mark.parametrize(
    ("counts", "level", "status", "reason"),
    [
        # 850 of 1000 right.
        ((425, 75, 75, 425), "0.8", PASSED, "performance.at_least_level"),
        ((425, 75, 75, 425), "0.85", PASSED, "performance.at_least_level"),
        ((425, 75, 75, 425), "0.86", WARNED, "performance.possibly_below_level"),
        ((425, 75, 75, 425), "0.9", FAILED, "performance.below_level"),
        ((10, 2, 2, 10), "0.5", INSUFFICIENT, "performance.too_few_rows"),
        ((0, 0, 0, 0), "0.5", INSUFFICIENT, "performance.too_few_rows"),
    ],
)
def test_a_declared_level_is_judged_by_the_value_and_its_bounds(
    counts: tuple[int, int, int, int], level: str, status: CheckStatus, reason: str
) -> None:
    result = verdict(*counts, at_least=level, at_least_baseline=False)
    assert (result.status, result.reason) == (status, reason)


def test_a_level_is_compared_exactly() -> None:
    """0.07 of 100 rows is 7 rows, though 7/100 and the double of 0.07 need not be equal."""
    assert verdict(7, 93, 0, 0, at_least="0.07", at_least_baseline=False).status is PASSED


@pytest.mark.parametrize(
    ("counts", "status", "reason"),
    [
        # 85 % right where the majority is half of the rows.
        ((425, 75, 75, 425), PASSED, "performance.above_baseline"),
        # Everybody is told the majority: nothing was learnt.
        ((0, 0, 200, 800), FAILED, "performance.not_above_baseline"),
        # 70 % right where the majority is 80 %.
        ((100, 200, 100, 600), FAILED, "performance.not_above_baseline"),
        # Five more right than wrong among 1000.
        ((25, 20, 175, 780), WARNED, "performance.possibly_not_above_baseline"),
        ((20, 25, 180, 775), INSUFFICIENT, "performance.inconclusive"),
    ],
)
def test_the_baseline_must_be_beaten_and_not_only_met(
    counts: tuple[int, int, int, int], status: CheckStatus, reason: str
) -> None:
    result = verdict(*counts)
    assert (result.status, result.reason) == (status, reason)


def test_the_worse_of_level_and_baseline_decides() -> None:
    assert verdict(0, 0, 200, 800, at_least="0.7").reason == "performance.not_above_baseline"
    assert verdict(425, 75, 75, 425, at_least="0.9").reason == "performance.below_level"


def test_the_paired_interval_is_that_of_agresti_and_min() -> None:
    """By hand: 60 rows only the model gets right, 40 only the majority, of 1000."""
    lead = baseline(body(60, 40, 140, 760), "accuracy")
    assert lead is not None
    centre = (60.5 - 40.5) / 1002
    half = 1.959963984540054 * math.sqrt((101 / 1002 - centre**2) / 1002)
    assert lead.lead == Fraction(20, 1000)
    assert (lead.bounds.lower, lead.bounds.upper) == pytest.approx((centre - half, centre + half))


@pytest.mark.parametrize(
    ("metric", "counts", "expected"),
    [
        ("balanced_accuracy", (10, 10, 10, 10), 1 / 2),
        ("precision", (30, 10, 10, 50), 0.4),
        ("f1", (30, 10, 10, 50), 4 / 7),
    ],
)
def test_each_metric_has_the_baseline_of_the_best_constant(
    metric: Any, counts: tuple[int, int, int, int], expected: float
) -> None:
    found = baseline(body(*counts), metric)
    assert found is not None
    assert float(found.value) == pytest.approx(expected)


def test_scores_that_say_nothing_are_not_better_than_chance() -> None:
    ranks = RankArea(positives=50, negatives=50, doubled_wins="2500", variance=0.0)
    measured = Measurement(
        check="performance", check_version="1", body=PerformanceBody(rows=100, ranks=ranks).document()
    )
    result = judge(measured, PerformanceParams(metric="auc"))
    assert (result.status, result.reason, result.observed) == (FAILED, "performance.not_above_baseline", "0.5")


@pytest.mark.parametrize(
    ("rows", "fields", "params", "found"),
    [
        ({"decision": [1]}, {"columns": {"decision": "decision"}}, {}, "none in the manifest"),
        ({"label": [1], "decision": [1]}, {}, {"metric": "auc"}, "no columns.score"),
        ({"label": [1], "score": [0.5]}, {"columns": {"label": "label", "score": "score"}}, {}, "neither in the man"),
        (
            {"label": [1, 0], "score": [0.5, float("nan")]},
            {"columns": {"label": "label", "score": "score"}},
            {"metric": "auc"},
            "1 rows missing",
        ),
    ],
)
def test_a_question_that_the_manifest_cannot_answer_is_refused(
    tmp_path: Path, rows: dict[str, Any], fields: dict[str, Any], params: dict[str, Any], found: str
) -> None:
    known = facts(write(tmp_path / "rows.parquet", rows), **{"sensitive": {}, **fields})
    with pytest.raises(MeasurementRefused) as fault:
        CHECK.measure(known, PerformanceParams.model_validate(params))
    assert found in fault.value.found


def test_one_class_alone_has_no_area_and_decides_nothing(tmp_path: Path) -> None:
    rows = {"label": [1] * 40, "score": [0.5] * 40}
    known = facts(write(tmp_path / "rows.parquet", rows), columns={"label": "label", "score": "score"})
    params = PerformanceParams(metric="auc")
    result = CHECK.judge(CHECK.measure(known, params), params)
    assert (result.status, result.observed) == (INSUFFICIENT, None)


@pytest.mark.parametrize(
    "params",
    [
        {"at_least": "0"},
        {"at_least": "1.01"},
        {"at_least": "1e-9999999"},
        {"metric": "recall"},
        {"at_least_baseline": False},
        {"metric": "rmse"},
    ],
)
def test_a_policy_that_judges_nothing_is_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        PerformanceParams.model_validate(params)


def test_a_body_of_another_form_is_refused() -> None:
    with pytest.raises(InputRefused):
        judge(Measurement(check="performance", check_version="1", body={"rows": "many"}), PerformanceParams())


counts = st.integers(0, 300)


@given(counts, counts, counts, counts, st.sampled_from(["accuracy", "balanced_accuracy", "f1", "precision", "recall"]))
def test_any_counts_are_judged_and_none_passes_without_rows(tp: int, fp: int, fn: int, tn: int, metric: str) -> None:
    result = verdict(tp, fp, fn, tn, metric=metric, at_least="0.5", at_least_baseline=False)
    if result.status is PASSED:
        assert float(result.n or 0) >= 30
        assert Fraction(result.observed or "0") >= Fraction(1, 2)
