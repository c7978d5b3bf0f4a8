"""Several classes: each against the rest, or the named one alone, and never class 1 by default."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest
from fairlearn.metrics import MetricFrame, selection_rate, true_positive_rate
from pydantic import ValidationError
from sklearn.metrics import precision_score

from governance.errors import MeasurementRefused
from governance.types.results import CheckResult, CheckStatus
from policies.fairness.check import CHECK
from policies.fairness.params import FairnessParams
from tests.support.evidence import facts, write

CLASSES = ["approve", "deny", "refer"]


def sample(rows: int) -> pl.DataFrame:
    """Labels and decisions of three classes; group b is referred more often."""
    draw = np.random.default_rng(6)
    group = draw.choice(["a", "b"], rows)
    label = draw.choice(CLASSES, rows, p=[0.5, 0.3, 0.2])
    keep = draw.random(rows) < np.where(group == "a", 0.85, 0.6)
    return pl.DataFrame({"label": label, "decision": np.where(keep, label, "refer"), "group": group})


def judged(path: Path, limits: Any = (), **fields: Any) -> CheckResult:
    """The check's result; ``fields`` are the manifest's, and its ``params`` the policy's."""
    metrics = limits or [{"name": "selection_rate_ratio", "limit": "0.8"}]
    params = FairnessParams(metrics=metrics, bootstrap_replicates=50, **fields.pop("params", {}))
    known = facts(path, **{"positive": {}, "classes": CLASSES, **fields})
    return CHECK.judge(CHECK.measure(known, params), params)


def test_each_class_has_the_rates_of_two_oracles_against_the_rest(tmp_path: Path) -> None:
    rows = sample(2000)
    details: Any = judged(write(tmp_path / "rows.parquet", rows)).details
    assert list(details["tables"]) == [f"group [{name}]" for name in CLASSES]
    for name in CLASSES:
        y, p = rows["label"].to_numpy() == name, rows["decision"].to_numpy() == name
        frame = MetricFrame(
            metrics={"selection_rate": selection_rate, "true_positive_rate": true_positive_rate},
            y_true=y, y_pred=p, sensitive_features=rows["group"].to_numpy(),
        )  # fmt: skip
        for entry in details["tables"][f"group [{name}]"]["groups"]:
            own = entry["group"]["group"]
            mask = rows["group"].to_numpy() == own
            for metric in ("selection_rate", "true_positive_rate"):
                assert float(entry[metric]) == pytest.approx(frame.by_group[metric][own])
            assert float(entry["precision"]) == pytest.approx(precision_score(y[mask], p[mask]))


def test_the_worst_class_decides_and_is_named(tmp_path: Path) -> None:
    result = judged(write(tmp_path / "rows.parquet", sample(2000)))
    assert result.status is CheckStatus.FAILED
    assert "[refer]" in result.message
    assert {one.group.get("class") for one in result.figures} == set(CLASSES)


def test_a_named_class_is_measured_alone(tmp_path: Path) -> None:
    result = judged(write(tmp_path / "rows.parquet", sample(2000)), positive={"decision": "approve"})
    details: Any = result.details
    assert list(details["tables"]) == ["group [approve]"]


def test_a_policy_can_judge_one_of_the_measured_classes(tmp_path: Path) -> None:
    path = write(tmp_path / "rows.parquet", sample(2000))
    one = judged(path, params={"classes": ["refer"]})
    details: Any = one.details
    assert list(details["tables"]) == ["group [refer]"]
    absent = judged(path, params={"classes": ["withdraw"]})
    assert (absent.status, absent.reason) == (CheckStatus.INSUFFICIENT_EVIDENCE, "fairness.not_measured")


def test_numbers_as_classes_are_never_measured_as_class_one_alone(tmp_path: Path) -> None:
    rows = {"decision": [0, 0, 1, 2] * 20 + [0, 1, 2, 2] * 20, "group": ["a"] * 80 + ["b"] * 80}
    path = write(tmp_path / "rows.parquet", rows)
    result = judged(path, classes=[0, 1, 2], columns={"decision": "decision"}, params={"mode": "as_written"})
    tables: Any = result.details["tables"]
    ratios = {name: one["between"]["selection_rate"]["ratio_between_groups"] for name, one in tables.items()}
    assert ratios == {"group [0]": "0.5", "group [1]": "1", "group [2]": "0.5"}
    assert result.status is CheckStatus.FAILED


def test_a_class_that_nobody_declared_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MeasurementRefused, match="refer"):
        judged(write(tmp_path / "rows.parquet", sample(100)), classes=["approve", "deny"])


def test_several_classes_without_a_declaration_stay_refused(tmp_path: Path) -> None:
    with pytest.raises(MeasurementRefused, match="two classes"):
        judged(
            write(tmp_path / "rows.parquet", sample(100)), classes=[], positive={"decision": "deny", "label": "deny"}
        )


@pytest.mark.parametrize(
    "fields",
    [
        {"classes": ["a"]},
        {"classes": ["a", "a"]},
        {"classes": [1, "1"]},
        {"columns": {"score": "decision"}, "classes": ["a", "b"]},
        {"negative": {"decision": "deny"}},
        {"columns": {"label": "label", "prediction": "p", "decision": "decision"}, "classes": []},
    ],
)
def test_a_manifest_that_contradicts_itself_is_refused(tmp_path: Path, fields: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        judged(write(tmp_path / "rows.parquet", sample(10)), **fields)
