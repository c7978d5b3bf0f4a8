"""Every rate of every group against two independent oracles: scikit-learn on a mask, and Fairlearn on the rows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from fairlearn import metrics as fairlearn
from sklearn import metrics as sklearn

from policies.fairness.check import CHECK
from policies.fairness.metrics import RATES
from policies.fairness.params import FairnessParams
from tests.support.evidence import facts, write

Function = Callable[..., Any]


def _flipped(function: Function) -> Function:
    """A metric of the negative class."""
    return lambda y, p, sample_weight=None: function(1 - y, 1 - p, sample_weight=sample_weight)


def _less(function: Function) -> Function:
    """One less a metric."""
    return lambda y, p, sample_weight=None: 1 - function(y, p, sample_weight=sample_weight)


def _mean_of_labels(y: Any, p: Any, sample_weight: Any = None) -> Any:
    return np.average(y, weights=sample_weight)


def _mean_of_decisions(y: Any, p: Any, sample_weight: Any = None) -> Any:
    return np.average(p, weights=sample_weight)


SCIKIT_LEARN: dict[str, Function] = {
    "selection_rate": _mean_of_decisions,
    "true_positive_rate": sklearn.recall_score,
    "false_negative_rate": _less(sklearn.recall_score),
    "false_positive_rate": _less(_flipped(sklearn.recall_score)),
    "true_negative_rate": _flipped(sklearn.recall_score),
    "precision": sklearn.precision_score,
    "false_discovery_rate": _less(sklearn.precision_score),
    "negative_predictive_value": _flipped(sklearn.precision_score),
    "false_omission_rate": _less(_flipped(sklearn.precision_score)),
    "accuracy": sklearn.accuracy_score,
    "prevalence": _mean_of_labels,
    "balanced_accuracy": sklearn.balanced_accuracy_score,
}

FAIRLEARN: dict[str, Function] = SCIKIT_LEARN | {
    name: getattr(fairlearn, name)
    for name in (
        "selection_rate", "true_positive_rate", "false_negative_rate", "false_positive_rate", "true_negative_rate",
    )
}  # fmt: skip


def sample(rows: int = 2500) -> pl.DataFrame:
    """People with labels, decisions, weights, two attributes and an age."""
    draw = np.random.default_rng(12)
    sex, race = draw.choice(["f", "m"], rows), draw.choice(["a", "b", "c"], rows, p=[0.6, 0.3, 0.1])
    label = draw.random(rows) < np.where(race == "a", 0.5, 0.35)
    decision = draw.random(rows) < np.where(label, 0.7, 0.3) + np.where(sex == "m", 0.05, 0)
    return pl.DataFrame(
        {
            "label": label.astype(int),
            "decision": decision.astype(int),
            "sex": sex,
            "race": race,
            "age": draw.integers(18, 90, rows),
            "w": draw.integers(1, 4000, rows) / 1000,
        }
    )


def binned(ages: pl.Series) -> list[str]:
    """The bins of the manifest, by pandas."""
    names = pd.cut(ages.to_numpy(), [18, 30, 50, 90], right=False, labels=["[18, 30)", "[30, 50)", "[50, 90]"])
    return [str(name) for name in names]


@pytest.mark.parametrize("weighted", [False, True])
def test_every_rate_of_every_group_is_that_of_two_oracles(tmp_path: Path, weighted: bool) -> None:
    assert set(SCIKIT_LEARN) == {*RATES, "balanced_accuracy"}
    rows = sample().filter(pl.col("age") < 90)
    known = facts(
        write(tmp_path / "rows.parquet", rows),
        columns={"label": "label", "decision": "decision", "weight": "w" if weighted else None},
        sensitive={"sex": {}, "race": {"groups": ["a", "b", "c", "d"]}, "age": {"bins": [18, 30, 50, 90]}},
        intersections=[["sex", "race"]],
    )
    params = FairnessParams(bootstrap_replicates=0)
    details: Any = CHECK.judge(CHECK.measure(known, params), params).details
    frame = rows.with_columns(pl.Series("age", binned(rows["age"])))
    for names in (["sex"], ["race"], ["age"], ["sex", "race"]):
        theirs = fairlearn.MetricFrame(
            metrics=FAIRLEARN,
            y_true=rows["label"].to_numpy(),
            y_pred=rows["decision"].to_numpy(),
            sensitive_features=frame.select(names).to_pandas(),
            sample_params={name: {"sample_weight": rows["w"].to_numpy()} for name in FAIRLEARN} if weighted else None,
        )
        compared = 0
        for entry in details["tables"]["*".join(names)]["groups"]:
            if not entry["rows"]:
                assert entry["group"] == {"race": "d"}
                continue
            mask = np.logical_and.reduce([frame[name].to_numpy() == entry["group"][name] for name in names])
            y, p = rows["label"].to_numpy()[mask], rows["decision"].to_numpy()[mask]
            w = rows["w"].to_numpy()[mask] if weighted else None
            key = tuple(entry["group"][name] for name in names)
            for name, function in SCIKIT_LEARN.items():
                assert float(entry[name]) == pytest.approx(function(y, p, sample_weight=w), abs=1e-12), (key, name)
                by_group = theirs.by_group[name][key if len(key) > 1 else key[0]]
                assert float(entry[name]) == pytest.approx(by_group, abs=1e-12), (key, name)
                compared += 1
        assert compared == len(SCIKIT_LEARN) * len(theirs.by_group)
