"""Fairness of a model itself: its predictions come from the sandbox, and are grouped as if they had been sent.

The model sees the declared features and nothing else; labels and sensitive attributes stay in this process.
"""

from typing import Any

import polars as pl

from governance.check import Facts, ModelSession
from governance.errors import MeasurementRefused
from governance.types.manifest import Manifest
from policies.frames.features import declared_features, typed_features
from policies.frames.grouping import Grouped, group_rows
from policies.frames.plan import plan_cells
from policies.frames.source import manifest_of, refusing_unreadable
from policies.frames.table import Table, open_table

PREDICTED = "assay prediction"
"""The column that holds what the model said."""


def as_predicted(manifest: Manifest) -> Manifest:
    """The manifest with the model's own output as the score, or as the predicted number where no class is positive."""
    is_class = manifest.threshold is not None or manifest.positive.label is not None or bool(_positive(manifest))
    columns = manifest.columns.model_copy(update={"score" if is_class else "prediction": PREDICTED})
    return manifest.model_copy(update={"columns": columns})


def group_predicted(facts: Facts) -> tuple[Grouped, ModelSession]:
    """The groups of the rows with the model's predictions, and the session that gave them.

    Raises:
        MeasurementRefused: there is no sandbox; the features are none or no inputs; whatever the sandbox refuses; or
            as ``group_rows`` says.
    """
    manifest = manifest_of(facts)
    if facts.model is None:
        raise MeasurementRefused(
            expected="a sandbox to open the model in",
            found="none",
            remedy="Send predictions, or run where models are opened.",
            pointer="/model",
        )
    features = declared_features(manifest)
    wanted = as_predicted(manifest)
    plan = plan_cells(wanted, tuple(sorted(manifest.sensitive)), wants_scores=True)
    kept = [name for name in plan.columns if name != PREDICTED]
    table = open_table(facts, list(dict.fromkeys([*features, *kept])))
    with refusing_unreadable("the rows"):
        rows = table.frame.collect(engine="streaming")
    values = facts.model.predict(
        {"positive": _positive(manifest), "explain_class": None},
        typed_features(rows.select(features), table, features).to_arrow(),
    )
    frame = rows.select(kept).with_columns(pl.Series(PREDICTED, values, dtype=pl.Float64))
    predicted = Table(
        frame=frame.lazy(),
        schema=dict(frame.schema),
        text_only=table.text_only,
        sources=table.sources,
    )
    return group_rows(predicted, wanted, plan), facts.model


def _positive(manifest: Manifest) -> list[Any]:
    """The classes whose probability is asked for."""
    declared = manifest.positive.decision if manifest.positive.decision is not None else manifest.positive.label
    if declared is None:
        return []
    return list(declared) if isinstance(declared, tuple) else [declared]
