"""The expected calibration error as a limit in each group: its value, its verdicts, and how seldom chance fails it."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from fairlearn.metrics import MetricFrame
from sklearn.calibration import calibration_curve

from governance.types.results import CheckResult, CheckStatus
from policies.fairness.body import GroupCells, ScoreCells
from policies.fairness.check import CHECK
from policies.fairness.params import FairnessParams
from policies.fairness.quantities import calibration_error
from tests.support.evidence import facts, write

LIMIT = {"name": "expected_calibration_error", "limit": "0.05"}


def sample(rows: int, *, off: float, seed: int = 2) -> pl.DataFrame:
    """Two groups of labelled scores: those of b promise more than happens by ``off``."""
    draw = np.random.default_rng(seed)
    score = draw.uniform(0.1, 0.9, rows).round(3)
    group = np.where(draw.random(rows) < 0.5, "a", "b")
    label = draw.random(rows) < score - np.where(group == "b", off, 0.0)
    return pl.DataFrame({"group": group, "score": score, "label": label.astype(int)})


def judged(tmp_path: Path, frame: pl.DataFrame, **settings: Any) -> CheckResult:
    """The check's result under a limit on the error."""
    known = facts(
        write(tmp_path / "rows.parquet", frame), columns={"label": "label", "score": "score"}, positive={"label": 1}
    )
    params = FairnessParams.model_validate({"metrics": [LIMIT], "bootstrap_replicates": 0, **settings})
    return CHECK.judge(CHECK.measure(known, params), params)


def test_the_error_of_each_group_is_that_of_scikit_learns_curve(tmp_path: Path) -> None:
    frame = sample(4000, off=0.1)
    details: Any = judged(tmp_path, frame).details
    for one in details["tables"]["group"]["groups"]:
        own = frame.filter(pl.col("group") == one["group"]["group"])
        observed, stated = calibration_curve(own["label"], own["score"], n_bins=10, strategy="quantile")
        # The bands of both have about a tenth of the rows each.
        assert float(one["expected_calibration_error"]) == pytest.approx(np.abs(observed - stated).mean(), abs=0.004)


def in_tenths(label: Any, score: Any) -> float:
    """The mean distance of observed and stated share over ten parts of the rows in the order of their scores."""
    truth, stated = np.asarray(label, dtype=float), np.asarray(score, dtype=float)
    parts = np.array_split(np.argsort(stated, kind="stable"), 10)
    return float(sum(len(part) * abs(truth[part].mean() - stated[part].mean()) for part in parts) / len(truth))


def test_the_error_of_each_group_is_that_of_its_rows_in_fairlearns_frame(tmp_path: Path) -> None:
    frame = sample(4000, off=0.1)
    details: Any = judged(tmp_path, frame).details
    oracle = MetricFrame(
        metrics=in_tenths, y_true=frame["label"], y_pred=frame["score"], sensitive_features=frame["group"].to_numpy()
    ).by_group
    for one in details["tables"]["group"]["groups"]:
        expected = oracle[one["group"]["group"]]
        assert float(one["expected_calibration_error"]) == pytest.approx(expected, abs=0.004)


@pytest.mark.parametrize(
    ("rows", "off", "status", "reason"),
    [
        (4000, 0.0, CheckStatus.PASSED, "fairness.within_limit"),
        (4000, 0.2, CheckStatus.FAILED, "fairness.above_limit"),
        (2500, 0.08, CheckStatus.WARNED, "fairness.possibly_outside"),
        (160, 0.0, CheckStatus.INSUFFICIENT_EVIDENCE, "fairness.inconclusive"),
    ],
)
def test_verdicts(tmp_path: Path, rows: int, off: float, status: CheckStatus, reason: str) -> None:
    result = judged(tmp_path, sample(rows, off=off))
    assert (result.status, result.reason) == (status, reason), result.message


def test_a_failure_names_group_value_and_where_scores_are_off(tmp_path: Path) -> None:
    result = judged(tmp_path, sample(4000, off=0.2))
    assert result.message.startswith("By group, the expected calibration error of b is 0.")
    assert result.message.endswith("outside the limit.")
    (where,) = [one for one in result.findings if one.code == "fairness.calibration_off"]
    assert where.data["group"] == ["b"]
    assert float(str(where.data["mean_score"])) - float(str(where.data["observed"])) > 0.1


def test_one_group_is_enough_and_as_written_the_value_alone_decides(tmp_path: Path) -> None:
    alone = sample(4000, off=0.0).filter(pl.col("group") == "a")
    assert judged(tmp_path, alone).status is CheckStatus.PASSED
    assert judged(tmp_path, sample(160, off=0.0), mode="as_written").status is CheckStatus.FAILED


def bins(draw: np.random.Generator, rows: int) -> GroupCells:
    """A perfectly calibrated group in twenty bins."""
    edges = np.linspace(0.025, 0.975, 20)
    counts = draw.multinomial(rows, np.full(20, 0.05))
    positive = draw.binomial(counts, edges)
    sides = {"positive": positive, "negative": counts - positive}
    return GroupCells.model_validate(
        {
            "levels": ("a",),
            "scores": tuple(
                ScoreCells.model_validate(
                    {
                        "label": label,
                        "rows": tuple(int(one) for one in side),
                        "sums": tuple(f"{one * edge:.6f}" for one, edge in zip(side, edges, strict=True)),
                        "powers": ("0", "0", "0"),
                    }
                )
                for label, side in sides.items()
            ),
        }
    )


@pytest.mark.parametrize("rows", [40, 200, 2000])
def test_what_chance_makes_of_a_calibrated_group_is_known(rows: int) -> None:
    draw = np.random.default_rng(rows)
    found = [one for _ in range(300) if (one := calibration_error(bins(draw, rows))) is not None]
    values = np.array([one.value for one in found])
    by_chance = np.array([one.by_chance for one in found])
    assert by_chance.mean() == pytest.approx(values.mean(), rel=0.15)
    beyond = np.mean([one.value > (one.by_chance or 0.0) + 2.33 * one.error for one in found])
    assert beyond < 0.04
    assert np.mean([one.bounds().lower > 0 for one in found]) < 0.05
