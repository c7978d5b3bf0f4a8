"""Fairness of a model itself: the sandbox predicts, and the numbers are those of predictions that were sent."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression

from audits.sandbox.limits import Limits
from audits.sandbox.session import SandboxedModel
from governance.check import Facts
from governance.errors import MeasurementRefused
from policies.fairness import predicted
from policies.fairness.check import CHECK
from policies.fairness.params import FairnessParams
from tests.audits.sandbox.models import saved
from tests.support.evidence import facts, write

DECISIONS = [{"name": "selection_rate_ratio", "limit": "0.8"}, {"name": "auc_difference", "limit": "0.2"}]


def sample(rows: int = 400) -> pd.DataFrame:
    """Applicants: income tells the outcome and differs between the groups."""
    draw = np.random.default_rng(1)
    group = draw.choice(["a", "b"], rows)
    income = draw.normal(50, 10, rows) + np.where(group == "a", 5, 0)
    label = (draw.random(rows) < 1 / (1 + np.exp(-(income - 52) / 8))).astype(int)
    return pd.DataFrame({"income": income, "age": draw.integers(18, 80, rows), "label": label, "group": group})


def known(
    tmp_path: Path,
    model: Any,
    rows: pd.DataFrame,
    limits: Limits | None = None,
    *,
    suffix: str = ".parquet",
    **fields: Any,
) -> Facts:
    """The facts of a model and its data, with a sandbox."""
    file, digest = saved(model, tmp_path / "model.skops")
    base = facts(
        write(tmp_path / f"rows{suffix}", pl.from_pandas(rows)),
        **{
            "columns": {"label": "label", "features": ["income", "age"]},
            "positive": {"label": 1},
            "model": {"uri": f"artifact:{digest}", "format": "skops"},
            **fields,
        },
    )
    return replace(base, model=SandboxedModel(file, digest, "skops", limits=limits))


def closed(facts: Facts, limits: list[dict[str, str]]) -> Any:
    """The measurement, with the sandbox ended."""
    params = FairnessParams.model_validate({"metrics": limits, "bootstrap_replicates": 20})
    assert isinstance(facts.model, SandboxedModel)
    with facts.model:
        return CHECK.measure(facts, params), params


def test_the_model_in_the_sandbox_gives_what_its_predictions_give(tmp_path: Path) -> None:
    rows = sample()
    model = LogisticRegression().fit(rows[["income", "age"]], rows["label"])
    measured, params = closed(known(tmp_path, model, rows, threshold="0.5"), DECISIONS)
    sent = rows.assign(score=model.predict_proba(rows[["income", "age"]])[:, 1])
    expected = CHECK.measure(
        facts(
            write(tmp_path / "sent.parquet", pl.from_pandas(sent)),
            columns={"label": "label", "score": "score"}, positive={"label": 1}, threshold="0.5",
        ),
        params,
    )  # fmt: skip
    judged, of_sent = CHECK.judge(measured, params), CHECK.judge(expected, params)
    assert (judged.status, judged.details["tables"]) == (of_sent.status, of_sent.details["tables"])
    assert measured.sandbox_level is not None
    assert measured.sandbox_level >= 1
    assert [one.role for one in measured.inputs] == ["predictions", "model"]


def test_more_rows_than_one_request_takes_are_asked_in_parts(tmp_path: Path) -> None:
    rows = sample(130)
    model = LogisticRegression().fit(rows[["income", "age"]], rows["label"])
    small = known(tmp_path, model, rows, limits=Limits(rows=50), threshold="0.5")
    measured, params = closed(small, DECISIONS)
    decided = model.predict(rows[["income", "age"]]) == 1
    found: Any = CHECK.judge(measured, params).details
    for entry in found["tables"]["group"]["groups"]:
        mask = rows["group"] == entry["group"]["group"]
        assert float(entry["selection_rate"]) == pytest.approx(decided[mask].mean())


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_features_are_held_a_part_of_the_rows_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str
) -> None:
    rows = sample(130)
    model = LogisticRegression().fit(rows[["income", "age"]], rows["label"])
    whole, params = closed(known(tmp_path, model, rows, suffix=suffix, threshold="0.5"), DECISIONS)
    monkeypatch.setattr(predicted, "PART_ROWS", 40)
    parts, _ = closed(known(tmp_path, model, rows, suffix=suffix, threshold="0.5"), DECISIONS)
    assert parts.body == whole.body
    assert CHECK.judge(parts, params).details["rows"] == 130


def test_a_regression_model_is_measured_by_its_errors(tmp_path: Path) -> None:
    rows = sample().assign(label=lambda frame: frame["income"] * 2 + np.where(frame["group"] == "b", 3.0, 0.0))
    model = LinearRegression().fit(rows[["income", "age"]], rows["label"])
    limit = [{"name": "mean_error_difference", "limit": "1"}]
    measured, params = closed(known(tmp_path, model, rows, positive={}), limit)
    error = model.predict(rows[["income", "age"]]) - rows["label"]
    found: Any = CHECK.judge(measured, params).details
    for entry in found["tables"]["group"]["groups"]:
        mask = rows["group"] == entry["group"]["group"]
        assert float(entry["mean_error"]) == pytest.approx(error[mask].mean(), abs=1e-9)


def test_without_a_threshold_decisions_are_not_guessed(tmp_path: Path) -> None:
    rows = sample(60)
    model = LogisticRegression().fit(rows[["income", "age"]], rows["label"])
    with pytest.raises(MeasurementRefused, match="threshold"):
        closed(known(tmp_path, model, rows), DECISIONS)


def test_without_a_sandbox_no_model_is_opened(tmp_path: Path) -> None:
    rows = sample(60)
    model = LogisticRegression().fit(rows[["income", "age"]], rows["label"])
    bare = replace(known(tmp_path, model, rows, threshold="0.5"), model=None)
    with pytest.raises(MeasurementRefused, match="sandbox"):
        CHECK.measure(bare, FairnessParams())
