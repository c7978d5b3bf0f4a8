"""Ranks and calibration of scores, from bins alone: scikit-learn on a mask and Fairlearn on the rows agree."""

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from fairlearn.metrics import MetricFrame
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.calibration import calibration_curve
from sklearn.metrics import brier_score_loss, roc_auc_score

from governance.errors import MeasurementRefused
from governance.types.results import CheckResult, CheckStatus
from policies.fairness.body import GroupCells, ScoreCells
from policies.fairness.check import CHECK
from policies.fairness.params import FairnessParams, MetricLimit
from policies.fairness.quantities import area_under_curve
from policies.frames.cells import read_all_cells
from tests.support.evidence import facts, write

COLUMNS = {"label": "label", "score": "score", "weight": "w"}
AUC = {"name": "auc_difference", "limit": "0.05"}


def sample(rows: int, *, places: int = 2, seed: int = 5) -> pl.DataFrame:
    """Labelled scores of two groups, of which one is ranked worse."""
    draw = np.random.default_rng(seed)
    group = draw.choice(["a", "b"], rows, p=[0.6, 0.4])
    label = draw.random(rows) < 0.4
    noise = np.where(group == "a", 0.15, 0.35)
    score = np.clip(0.3 + 0.3 * label + draw.normal(0, noise), 0, 1).round(places)
    return pl.DataFrame(
        {"label": label.astype(int), "score": score, "group": group, "w": draw.integers(1, 3000, rows) / 1000}
    )


def judged(path: Path, *, weighted: bool = False, limits: Any = (AUC,), **fields: Any) -> CheckResult:
    """The check's result on scores; ``fields`` are the manifest's."""
    columns = {"label": "label", "score": "score"} | ({"weight": "w"} if weighted else {})
    params = FairnessParams(metrics=limits, bootstrap_replicates=fields.pop("replicates", 50))
    known = facts(path, **{"columns": columns, "positive": {"label": 1}, **fields})
    return CHECK.judge(CHECK.measure(known, params), params)


def table(result: CheckResult, name: str = "group") -> dict[str, Any]:
    """The numbers of one attribute."""
    details: Any = result.details
    found: dict[str, Any] = details["tables"][name]
    return found


@pytest.mark.parametrize("weighted", [False, True])
def test_area_brier_score_and_calibration_gap_are_those_of_two_oracles(tmp_path: Path, weighted: bool) -> None:
    rows = sample(4000)
    result = judged(write(tmp_path / "rows.parquet", rows), weighted=weighted)
    weights = rows["w"].to_numpy() if weighted else None
    frame = MetricFrame(
        metrics={"auc": roc_auc_score, "brier_score": brier_score_loss},
        y_true=rows["label"].to_numpy(),
        y_pred=rows["score"].to_numpy(),
        sensitive_features=pd.Series(rows["group"].to_list(), name="group"),
        sample_params={name: {"sample_weight": weights} for name in ("auc", "brier_score")} if weighted else None,
    )
    for entry in table(result)["groups"]:
        mask = rows.filter(pl.col("group") == entry["group"]["group"])
        y, s = mask["label"].to_numpy(), mask["score"].to_numpy()
        w = mask["w"].to_numpy() if weighted else np.ones(len(mask))
        assert float(entry["auc"]) == pytest.approx(roc_auc_score(y, s, sample_weight=w), abs=1e-12)
        assert float(entry["auc"]) == pytest.approx(frame.by_group["auc"][entry["group"]["group"]], abs=1e-12)
        assert float(entry["brier_score"]) == pytest.approx(brier_score_loss(y, s, sample_weight=w), abs=1e-12)
        assert float(entry["brier_score"]) == pytest.approx(
            frame.by_group["brier_score"][entry["group"]["group"]], abs=1e-12
        )
        assert float(entry["calibration_gap"]) == pytest.approx(np.average(s - y, weights=w), abs=1e-12)
        assert float(entry["mean_score"]) == pytest.approx(np.average(s, weights=w), abs=1e-12)
    between = table(result)["between"]["auc"]
    assert float(between["difference_between_groups"]) == pytest.approx(frame.difference()["auc"], abs=1e-12)
    assert float(between["ratio_between_groups"]) == pytest.approx(frame.ratio()["auc"], abs=1e-12)


def test_more_distinct_scores_than_bins_leave_the_area_within_its_stated_distance(tmp_path: Path) -> None:
    rows = sample(5000, places=12)
    assert rows["score"].n_unique() > 1000
    result = table(judged(write(tmp_path / "rows.parquet", rows)))
    scores = result["scores"]
    assert not scores["is_exact"]
    for entry, told in zip(result["groups"], scores["groups"], strict=True):
        mask = rows.filter(pl.col("group") == entry["group"]["group"])
        area = roc_auc_score(mask["label"].to_numpy(), mask["score"].to_numpy())
        assert abs(float(entry["auc"]) - area) <= float(told["auc_within"]) < 0.01
        assert float(entry["auc"]) == pytest.approx(area, abs=5e-4)
        # Sums of scores do not depend on the bins.
        brier = brier_score_loss(mask["label"].to_numpy(), mask["score"].to_numpy())
        assert float(entry["brier_score"]) == pytest.approx(brier, abs=1e-12)


def test_the_standard_error_of_the_area_is_what_repeated_samples_show() -> None:
    areas, errors = [], []
    for seed in range(150):
        draw = np.random.default_rng(seed)
        up, down = draw.binomial(20, 0.6, 60), draw.binomial(20, 0.45, 90)
        cells = [
            ScoreCells(label=label, rows=tuple(np.bincount(own, minlength=21).tolist()), sums=("0",) * 21,
                       powers=("0", "0", "0"))
            for label, own in (("positive", up), ("negative", down))
        ]  # fmt: skip
        found = area_under_curve(GroupCells(levels=("a",), scores=tuple(cells)))
        assert found is not None
        areas.append(found.value)
        errors.append(found.error)
    assert np.mean(errors) == pytest.approx(np.std(areas), rel=0.15)


def test_a_group_that_is_ranked_worse_fails_and_one_alike_passes(tmp_path: Path) -> None:
    worse = judged(write(tmp_path / "worse.parquet", sample(4000)))
    assert (worse.status, worse.reason) == (CheckStatus.FAILED, "fairness.above_limit")
    alike = sample(4000).with_columns(pl.Series("group", np.random.default_rng(1).choice(["a", "b"], 4000)))
    passed = judged(write(tmp_path / "alike.parquet", alike))
    assert passed.status is CheckStatus.PASSED
    assert "true difference above" in passed.message


def test_calibration_by_group_is_scikit_learns_curve(tmp_path: Path) -> None:
    """With ten distinct scores each is a band of its own, as in scikit-learn's quantile bins of the same rows."""
    draw = np.random.default_rng(2)
    score = np.repeat(np.arange(0.05, 1, 0.1).round(2), 200)
    label = draw.random(2000) < score**1.5
    rows = pl.DataFrame({"score": score, "label": label.astype(int), "group": ["a"] * 2000})
    scores = table(judged(write(tmp_path / "rows.parquet", rows), replicates=300))["scores"]["groups"][0]
    observed, predicted = calibration_curve(label, score, n_bins=10)
    assert [float(one["observed"]) for one in scores["calibration"]] == pytest.approx(observed.tolist())
    assert [float(one["mean_score"]) for one in scores["calibration"]] == pytest.approx(predicted.tolist())
    error = float(np.mean(np.abs(observed - predicted)))
    assert float(scores["expected_calibration_error"]) == pytest.approx(error)
    low, high = map(float, scores["expected_calibration_error_interval"])
    assert low <= error * 1.05
    assert error * 0.95 <= high


def test_scores_without_a_threshold_have_no_decisions_and_a_limit_on_them_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", sample(300))
    assert table(judged(path))["groups"][0]["selection_rate"] is None
    with pytest.raises(MeasurementRefused, match="threshold"):
        judged(path, limits=({"name": "selection_rate_ratio", "limit": "0.8"},))


def test_scores_with_a_threshold_give_decisions_and_ranks_of_one_record(tmp_path: Path) -> None:
    rows = sample(2000)
    result = judged(
        write(tmp_path / "rows.csv", rows), threshold="0.5", limits=({"name": "impact_ratio", "limit": "0.8"}, AUC)
    )
    for entry in table(result)["groups"]:
        mask = rows.filter(pl.col("group") == entry["group"]["group"])
        assert float(entry["selection_rate"]) == pytest.approx((mask["score"] >= 0.5).mean())
        area = roc_auc_score(mask["label"].to_numpy(), mask["score"].to_numpy())
        assert float(entry["auc"]) == pytest.approx(area, abs=1e-12)


def test_a_failed_ratio_says_how_many_decisions_are_missing_and_where_the_gap_lies(tmp_path: Path) -> None:
    """Group b is a shifted by 0.2: whoever it lacks above the threshold lies just below it."""
    draw = np.random.default_rng(9)
    base = draw.uniform(0, 1, 2000).round(3)
    rows = pl.DataFrame(
        {"score": [*base, *(base - 0.2).round(3)], "label": [0, 1] * 2000, "group": ["a"] * 2000 + ["b"] * 2000}
    )
    result = judged(
        write(tmp_path / "rows.parquet", rows), threshold="0.6",
        limits=({"name": "selection_rate_ratio", "limit": "0.8"},),
    )  # fmt: skip
    assert result.status is CheckStatus.FAILED
    (missing,) = [one for one in result.findings if one.code == "fairness.shortfall"]
    a, b = int((rows["score"][:2000] >= 0.6).sum()), int((rows["score"][2000:] >= 0.6).sum())
    assert missing.data["shortfall"] == -(-(4 * a - 5 * b) // 5)
    (place,) = [one for one in result.findings if one.code == "fairness.gap_in_scores"]
    data: dict[str, Any] = dict(place.data)
    assert float(data["gap"]) == pytest.approx((a - b) / 2000)
    assert sum(float(band[2]) for band in data["bands"]) == pytest.approx((a - b) / 2000)
    nearest = sorted((s for s in rows["score"][2000:] if s < 0.6), reverse=True)[
        int(str(missing.data["shortfall"])) - 1
    ]
    assert float(data["nearest_score"]) <= nearest
    assert float(data["nearest_score"]) == pytest.approx(nearest, abs=0.01)


def test_the_gap_of_groups_that_differ_in_one_range_is_found_there(tmp_path: Path) -> None:
    """The same scores, but for people of b between 0.5 and 0.6, who have 0.4 instead."""
    rows = pl.DataFrame({"score": [n / 100 for n in range(100)] * 20, "label": [0, 1] * 1000, "group": ["a"] * 2000})
    lowered = rows.with_columns(
        pl.lit("b").alias("group"),
        pl.when(pl.col("score").is_between(0.5, 0.6)).then(0.4).otherwise(pl.col("score")).alias("score"),
    )
    result = judged(
        write(tmp_path / "rows.parquet", pl.concat([rows, lowered])), threshold="0.5",
        limits=({"name": "demographic_parity_difference", "limit": "0.05"},),
    )  # fmt: skip
    (place,) = [one for one in result.findings if one.code == "fairness.gap_in_scores"]
    data: dict[str, Any] = dict(place.data)
    assert float(data["gap"]) == pytest.approx(0.11)
    assert float(data["part"]) == pytest.approx(0.11)
    assert float(data["from"]) <= 0.4 < float(data["to"])


def test_the_record_of_scores_does_not_depend_on_the_order_of_rows(tmp_path: Path) -> None:
    rows = sample(3000, places=9)
    params = FairnessParams(metrics=(MetricLimit(name="auc_difference", limit="0.05"),), bootstrap_replicates=20)
    bodies = [
        CHECK.measure(
            facts(write(tmp_path / name, frame), columns=COLUMNS, positive={"label": 1}, threshold="0.5"), params
        ).body
        for name, frame in (("one.parquet", rows), ("two.parquet", rows.sample(fraction=1, shuffle=True, seed=3)))
    ]
    assert bodies[0] == bodies[1]


def test_groups_that_are_very_many_have_coarser_bins_and_are_not_refused(tmp_path: Path) -> None:
    draw = np.random.default_rng(4)
    rows = 300_000
    frame = pl.DataFrame({name: draw.integers(0, 28, rows) for name in ("a", "b", "c")})
    frame = frame.with_columns(pl.Series("score", draw.random(rows)))
    known = facts(
        write(tmp_path / "rows.parquet", frame),
        columns={"score": "score"}, positive={}, sensitive={"a": {}, "b": {}, "c": {}}, threshold="0.5",
    )  # fmt: skip
    found = read_all_cells(known, ["a", "b", "c"])[""]
    assert found.rows == rows
    assert found.scale is not None
    assert 0.5 in found.scale.edges
    assert len(found.scale.edges) <= 12


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.tuples(st.booleans(), st.floats(-1e6, 1e6, allow_nan=False), st.sampled_from("ab")), min_size=1, max_size=30
    )
)
def test_any_scores_are_measured_and_ranked_as_scikit_learn_does(
    tmp_path: Path, rows: list[tuple[bool, float, str]]
) -> None:
    frame = pl.DataFrame(rows, schema=["label", "score", "group"], orient="row").cast({"label": pl.Int8})
    for entry in table(judged(write(tmp_path / "rows.parquet", frame)))["groups"]:
        mask = frame.filter(pl.col("group") == entry["group"]["group"])
        if mask["label"].n_unique() < 2:
            assert entry["auc"] is None
        else:
            area = roc_auc_score(mask["label"].to_numpy(), mask["score"].to_numpy())
            assert float(entry["auc"]) == pytest.approx(area, abs=1e-9)
