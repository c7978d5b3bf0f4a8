"""Small models of every kind that is opened, fitted on one table with named columns."""

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import skops.io
from sklearn.base import BaseEstimator
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler


def table(rows: int = 240) -> pd.DataFrame:
    """Two numbers, one of them with gaps, and a text; ``b`` counts twice as much as ``a`` in ``label``."""
    draw = np.random.default_rng(7)
    frame = pd.DataFrame(
        {"a": draw.normal(size=rows), "b": draw.normal(size=rows), "c": draw.choice(list("xyz"), rows)}
    )
    frame.loc[::10, "a"] = np.nan
    return frame


def label(frame: pd.DataFrame) -> np.ndarray:
    """``yes`` or ``no``."""
    score = frame["a"].fillna(0) + 2 * frame["b"] + (frame["c"] == "x")
    return np.where(score > 0, "yes", "no")


def preparation() -> ColumnTransformer:
    """Imputed and scaled numbers, the text as columns of its values."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    return ColumnTransformer([("text", OneHotEncoder(), ["c"]), ("numbers", numbers, ["a", "b"])])


def fitted(estimator: BaseEstimator) -> Pipeline:
    """The estimator behind the preparation."""
    frame = table()
    return make_pipeline(preparation(), estimator).fit(frame, label(frame))


def saved(model: Any, path: Path) -> tuple[Path, str]:
    """The path of the model's skops file and its digest."""
    return written(path, skops.io.dumps(model))


def written(path: Path, content: bytes) -> tuple[Path, str]:
    """The path of a file with this content, and its digest."""
    path.write_bytes(content)
    return path, "sha256:" + hashlib.sha256(content).hexdigest()


def features(frame: pd.DataFrame) -> pa.Table:
    """The table that is sent to a session."""
    return pa.Table.from_pandas(frame)
