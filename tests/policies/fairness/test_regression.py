"""Errors of predicted numbers by group, from sums alone: two oracles agree, and gaps are judged with intervals."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from fairlearn.metrics import MetricFrame
from sklearn.metrics import mean_absolute_error, r2_score, root_mean_squared_error

from governance.errors import MeasurementRefused
from governance.types.results import CheckResult, CheckStatus
from policies.fairness.body import FairnessBody
from policies.fairness.check import CHECK
from policies.fairness.params import FairnessParams, MetricLimit
from policies.fairness.quantities import QUANTITIES, Estimate
from tests.support.evidence import facts, write

LIMIT = {"name": "mean_error_difference", "limit": "2000"}


def sample(rows: int, *, bias: float = 0.0, seed: int = 4, scale: float = 1.0) -> pl.DataFrame:
    """Salaries and predictions of two groups, of which one is predicted too low by ``bias``."""
    draw = np.random.default_rng(seed)
    group = draw.choice(["a", "b"], rows)
    label = draw.normal(60_000, 12_000, rows) + np.where(group == "a", 3000, 0)
    predicted = label + draw.normal(0, np.where(group == "a", 4000, 6000)) - np.where(group == "b", bias, 0)
    return pl.DataFrame(
        {
            "label": label * scale,
            "predicted": predicted * scale,
            "group": group,
            "w": draw.integers(1, 5000, rows) / 1000,
        }
    )


def judged(path: Path, *, weighted: bool = False, limits: Any = (LIMIT,), **params: Any) -> CheckResult:
    """The check's result on predicted numbers."""
    columns = {"label": "label", "prediction": "predicted"} | ({"weight": "w"} if weighted else {})
    parsed = FairnessParams(metrics=limits, bootstrap_replicates=100, **params)
    known = facts(path, columns=columns, positive={})
    return CHECK.judge(CHECK.measure(known, parsed), parsed)


def groups(result: CheckResult) -> list[dict[str, Any]]:
    """The numbers of each group."""
    details: Any = result.details
    found: list[dict[str, Any]] = details["tables"]["group"]["groups"]
    return found


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("suffix", ["parquet", "csv"])
def test_errors_of_each_group_are_those_of_two_oracles(tmp_path: Path, weighted: bool, suffix: str) -> None:
    rows = sample(3000, bias=800)
    weights = rows["w"].to_numpy() if weighted else None
    metrics = {
        "mean_absolute_error": mean_absolute_error,
        "root_mean_squared_error": root_mean_squared_error,
        "r_squared": r2_score,
    }
    frame = MetricFrame(
        metrics=metrics,
        y_true=rows["label"].to_numpy(),
        y_pred=rows["predicted"].to_numpy(),
        sensitive_features=pd.Series(rows["group"].to_list(), name="group"),
        sample_params={name: {"sample_weight": weights} for name in metrics} if weighted else None,
    )
    result = judged(write(tmp_path / f"rows.{suffix}", rows), weighted=weighted)
    for entry in groups(result):
        mask = rows.filter(pl.col("group") == entry["group"]["group"])
        y, p = mask["label"].to_numpy(), mask["predicted"].to_numpy()
        w = mask["w"].to_numpy() if weighted else None
        for name, function in metrics.items():
            assert float(entry[name]) == pytest.approx(function(y, p, sample_weight=w), rel=1e-9), name
            assert float(entry[name]) == pytest.approx(frame.by_group[name][entry["group"]["group"]], rel=1e-9), name
        assert float(entry["mean_error"]) == pytest.approx(np.average(p - y, weights=w), rel=1e-9)
    details: Any = result.details
    for name in metrics:
        assert float(details["overall"][name]) == pytest.approx(frame.overall[name], rel=1e-9)
        between = details["tables"]["group"]["between"][name]
        assert float(between["difference_between_groups"]) == pytest.approx(frame.difference()[name], rel=1e-6)


@pytest.mark.parametrize(
    ("bias", "status"),
    [(4000, CheckStatus.FAILED), (0, CheckStatus.PASSED), (2500, CheckStatus.WARNED)],
)
def test_a_gap_of_mean_errors_is_judged_with_its_interval(tmp_path: Path, bias: float, status: CheckStatus) -> None:
    result = judged(write(tmp_path / "rows.parquet", sample(3000, bias=bias)))
    assert result.status is status
    assert result.interval is not None


def test_few_rows_decide_nothing_and_say_what_would_have_been_seen(tmp_path: Path) -> None:
    result = judged(write(tmp_path / "rows.parquet", sample(90, bias=1200)), limits=[{**LIMIT, "limit": "500"}])
    assert result.status in (CheckStatus.INSUFFICIENT_EVIDENCE, CheckStatus.WARNED)
    assert "a true difference above" in result.message


def test_standard_errors_are_what_repeated_samples_show(tmp_path: Path) -> None:
    names = ["mean_error", "mean_absolute_error", "root_mean_squared_error", "r_squared"]
    found: dict[str, list[Estimate]] = {name: [] for name in names}
    params = FairnessParams(metrics=(MetricLimit(name="mean_error_difference", limit="1"),), bootstrap_replicates=0)
    for seed in range(1000, 1150):
        path = write(tmp_path / f"{seed}.parquet", sample(400, seed=seed).with_columns(pl.lit("a").alias("group")))
        known = facts(path, columns={"label": "label", "prediction": "predicted"}, positive={})
        body = FairnessBody.model_validate(CHECK.measure(known, params).body)
        for name in names:
            estimate = QUANTITIES[name].estimate(body.tables[0].groups[0])
            assert estimate is not None
            found[name].append(estimate)
    for name, estimates in found.items():
        spread = np.std([one.value for one in estimates], ddof=1)
        assert np.mean([one.error for one in estimates]) == pytest.approx(spread, rel=0.2), name


@pytest.mark.parametrize("scale", [1e-9, 1e12])
def test_the_unit_of_the_label_does_not_matter(tmp_path: Path, scale: float) -> None:
    plain = groups(judged(write(tmp_path / "one.parquet", sample(500))))
    scaled = groups(judged(write(tmp_path / "two.parquet", sample(500, scale=scale))))
    for one, two in zip(plain, scaled, strict=True):
        assert float(two["r_squared"]) == pytest.approx(float(one["r_squared"]), rel=1e-9)
        assert float(two["mean_absolute_error"]) == pytest.approx(float(one["mean_absolute_error"]) * scale, rel=1e-9)


def test_equal_labels_have_no_coefficient_of_determination(tmp_path: Path) -> None:
    rows = {"label": [5.0] * 80, "predicted": [4.0, 6.0] * 40, "group": ["a", "b"] * 40}
    assert [one["r_squared"] for one in groups(judged(write(tmp_path / "rows.parquet", rows)))] == [None, None]


@pytest.mark.parametrize("name", ["selection_rate_ratio", "auc_difference", "true_positive_rate_difference"])
def test_a_limit_on_decisions_or_scores_is_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(MeasurementRefused, match=name):
        judged(write(tmp_path / "rows.parquet", sample(50)), limits=[{"name": name, "limit": "0.5"}])


@pytest.mark.parametrize("value", [float("nan"), float("inf"), None, 1e40])
def test_a_prediction_that_is_no_number_is_refused(tmp_path: Path, value: float | None) -> None:
    rows = {"label": [1.0, 2.0], "predicted": [1.0, value], "group": ["a", "b"]}
    with pytest.raises(MeasurementRefused):
        judged(write(tmp_path / "rows.parquet", rows))
