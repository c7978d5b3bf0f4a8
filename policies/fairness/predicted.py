"""Fairness of a model itself: its predictions come from the sandbox, and are grouped as if they had been sent.

The model sees the declared features and nothing else; labels and sensitive attributes stay in this process.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from governance.check import Facts, ModelSession
from governance.errors import MeasurementRefused
from governance.types.manifest import Manifest
from policies.frames.features import declared_features, feature_types
from policies.frames.grouping import Grouped, group_rows
from policies.frames.pieces import COPY_GROUP_ROWS
from policies.frames.plan import plan_cells
from policies.frames.source import manifest_of, refusing_unreadable
from policies.frames.table import Table, open_table

PART_ROWS = 100_000
"""Rows whose features are held at a time."""

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
        frame = _predicted(table, features, kept, facts.model, _positive(manifest))
    predicted = Table(
        frame=frame.lazy(),
        schema=dict(frame.schema),
        text_only=table.text_only,
        sources=table.sources,
    )
    return group_rows(predicted, wanted, plan), facts.model


def _predicted(
    table: Table, features: Sequence[str], kept: Sequence[str], model: ModelSession, positive: list[Any]
) -> pl.DataFrame:
    """The kept columns of all rows with the model's predictions; features are held a part of the rows at a time.

    The rows are copied to Parquet once, of which parts can be read in their order.
    """
    types = feature_types(table, features)
    request = {"positive": positive, "explain_class": None}
    with tempfile.TemporaryDirectory(prefix="assay-copy-") as folder:
        path = Path(folder) / "rows.parquet"
        table.frame.sink_parquet(path, row_group_size=COPY_GROUP_ROWS, compression="lz4", engine="streaming")
        rows = pl.scan_parquet(path)
        parts = []
        for start in range(0, max(1, rows.select(pl.len()).collect().item()), PART_ROWS):
            part = rows.slice(start, PART_ROWS).collect()
            values = model.predict(request, part.select(features).with_columns(types).to_arrow())
            parts.append(part.select(kept).with_columns(pl.Series(PREDICTED, values, dtype=pl.Float64)))
    return pl.concat(parts)


def _positive(manifest: Manifest) -> list[Any]:
    """The classes whose probability is asked for."""
    declared = manifest.positive.decision if manifest.positive.decision is not None else manifest.positive.label
    if declared is None:
        return []
    return list(declared) if isinstance(declared, tuple) else [declared]
