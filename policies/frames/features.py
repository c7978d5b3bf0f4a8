"""The features that a model is asked about: which columns they are, and what those of a CSV hold."""

from collections.abc import Sequence
from typing import Any

import polars as pl

from governance.errors import MeasurementRefused
from governance.types.manifest import Manifest
from policies.frames.source import refusing_unreadable
from policies.frames.table import Table


def declared_features(manifest: Manifest) -> list[str]:
    """The features of the manifest.

    Raises:
        MeasurementRefused: there are none, one is named twice, or one is a label, decision, score, weight or row id.
    """
    columns = manifest.columns
    features = list(columns.features)
    other = {columns.label, columns.decision, columns.score, columns.weight, columns.row_id} - {None}
    found = None
    if not features:
        found = "none"
    elif len(set(features)) != len(features):
        found = "a feature twice"
    elif other & set(features):
        found = f"{', '.join(sorted(str(name) for name in other & set(features)))}, which is not an input"
    if found is not None:
        raise MeasurementRefused(
            expected="the model's features, each once, none of them label, decision, score, weight or row id",
            found=found,
            remedy="Declare them in the manifest.",
            pointer="/columns/features",
        )
    return features


def feature_types(table: Table, features: Sequence[str]) -> list[pl.Expr]:
    """Columns of a CSV as integers, numbers or truth values where every value of the whole file is one, else text.

    What is not named stays as it is.
    """
    texts = [name for name in features if name in table.text_only]
    if not texts:
        return []
    kinds: dict[str, Any] = {"Int64": pl.Int64, "Float64": pl.Float64}
    tests = [
        pl.col(name).cast(kind, strict=False).is_null().eq(pl.col(name).is_null()).all().alias(f"{label} {name}")
        for name in texts
        for label, kind in kinds.items()
    ]
    truth = [pl.col(name).drop_nulls().str.to_lowercase().is_in(["true", "false"]).all().alias(name) for name in texts]
    with refusing_unreadable("the features"):
        holds = table.frame.select(tests).collect(engine="streaming").row(0, named=True)
        is_truth = table.frame.select(truth).collect(engine="streaming").row(0, named=True)
    casts = []
    for name in texts:
        label = next((label for label in kinds if holds[f"{label} {name}"]), None)
        if label is not None:
            casts.append(pl.col(name).cast(kinds[label]))
        elif is_truth[name]:
            casts.append(pl.col(name).str.to_lowercase().eq("true").alias(name))
    return casts
