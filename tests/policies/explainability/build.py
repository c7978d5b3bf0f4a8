"""The neutral form of an explainability case as a fitted model, a manifest and parameters; no case is known by name."""

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.linear_model import LinearRegression

from tests.audits.sandbox.models import saved
from tests.support.evidence import artifact

_FORMULA = re.compile(r"prediction = (\w+)")


def case_manifest(case: dict[str, Any], folder: Path, work: Path) -> dict[str, Any]:
    """The manifest's document; the model's file is in ``work`` under ``model.skops``."""
    policy = case["policy"]
    features = policy["model"]["features"]
    data = folder / case["input_files"][-1]
    _, digest = saved(case_model(policy["model"], pd.read_csv(data)), work / "model.skops")
    return {
        "kind": "assay.evidence/v1",
        "subject": {"namespace": "tests", "name": case["id"], "version": "1", "digest": digest},
        "model": {"uri": f"artifact:{digest}", "format": "skops"},
        "predictions": artifact(data),
        "columns": {"label": policy["model"].get("target"), "features": features},
    }


def case_params(case: dict[str, Any]) -> dict[str, Any]:
    """The parameters; a case says nothing of a feature dictionary."""
    found: dict[str, Any] = {"explain_class": case["policy"].get("explain_class"), "undocumented_share": None}
    return found


def case_model(model: dict[str, Any], data: pd.DataFrame) -> Any:
    """The model that a case describes: a class fitted on its data, or a formula of one feature as a linear model."""
    features = model["features"]
    if "formula" in model:
        match = _FORMULA.fullmatch(model["formula"])
        assert match is not None, f"no model is known for {model['formula']!r}"
        # One row a feature and the origin: the least squares solution is the formula exactly.
        frame = pd.DataFrame(np.vstack([np.eye(len(features)), np.zeros(len(features))]), columns=features)
        return LinearRegression().fit(frame, frame[match.group(1)])
    module, _, name = model["class"].rpartition(".")
    return getattr(import_module(module), name)(**model.get("params", {})).fit(data[features], data[model["target"]])
