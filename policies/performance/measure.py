"""From a manifest's rows to a performance measurement: confusion cells, and ranks of the scores."""

from importlib.metadata import version
from typing import Any

import polars as pl

from governance.check import Facts
from governance.errors import MeasurementRefused
from governance.types.manifest import Manifest
from governance.types.results import Input, Measurement
from policies.frames.cells import confusion, read_cells
from policies.frames.coding import decode
from policies.frames.numbers import number_expression, refuse_unusable_numbers
from policies.frames.source import manifest_of, refusing_unreadable
from policies.frames.table import Table, open_table
from policies.performance.body import PerformanceBody, RankArea
from policies.performance.params import PerformanceParams


def measure(facts: Facts, params: PerformanceParams, *, check_version: str) -> Measurement:
    """The confusion cells where there are decisions, and the area under the ROC curve where there are scores.

    Scores with weights have no ranks here: DeLong's variance is that of rows that count alike.

    Raises:
        MeasurementRefused: there is no label; the metric of ``params`` needs decisions or scores that are not there;
            the data are refused (see ``policies.frames``).
    """
    manifest = manifest_of(facts)
    columns = manifest.columns
    has_decisions = columns.decision is not None or (columns.score is not None and manifest.threshold is not None)
    has_ranks = columns.score is not None and columns.weight is None
    _refuse_unanswerable(manifest, params, has_decisions=has_decisions, has_ranks=has_ranks)
    inputs: tuple[Input, ...] = ()
    body: dict[str, Any] = {"rows": 0, "is_weighted": columns.weight is not None}
    if has_decisions:
        cells = read_cells(facts, ())
        inputs = cells.inputs
        body |= {"rows": cells.rows, "cells": confusion(cells.cells, weighted=cells.is_weighted)}
    if has_ranks:
        ranks, table_inputs = _ranks(facts, manifest)
        inputs = inputs or table_inputs
        body |= {"rows": max((one.rows or 0 for one in inputs), default=0), "ranks": ranks}
    return Measurement(
        check="performance",
        check_version=check_version,
        inputs=inputs,
        tools={"polars": version("polars")},
        body=PerformanceBody.model_validate(body).document(),
    )


def _refuse_unanswerable(
    manifest: Manifest, params: PerformanceParams, *, has_decisions: bool, has_ranks: bool
) -> None:
    if manifest.columns.label is None:
        raise MeasurementRefused(
            expected="a label column to compare the predictions with",
            found="none in the manifest",
            remedy="Declare columns.label.",
            pointer="/columns/label",
        )
    if params.metric == "auc" and not has_ranks:
        raise MeasurementRefused(
            expected="a score column, and no weights, for the area under the ROC curve",
            found="weights" if manifest.columns.score is not None else "no columns.score",
            remedy="Declare columns.score, leave the weights out, or choose another metric.",
            pointer="/columns",
        )
    if params.metric != "auc" and not has_decisions:
        raise MeasurementRefused(
            expected=f"decisions, or scores with a threshold, for {params.metric}",
            found="neither in the manifest",
            remedy="Declare columns.decision, or columns.score and the threshold.",
            pointer="/columns",
        )


def _ranks(facts: Facts, manifest: Manifest) -> tuple[RankArea | None, tuple[Input, ...]]:
    """The area by midranks and DeLong's variance; no area where a class is empty.

    Source: DeLong et al. 1988; by midranks as in Sun and Xu 2014.
    """
    label, score = str(manifest.columns.label), str(manifest.columns.score)
    table = open_table(facts, [label, score])
    refuse_unusable_numbers(table, score, f"the score {score!r}", nulls_allowed=False)
    with refusing_unreadable("the rows"):
        frame = table.frame.select(_positive(table, manifest, label), number_expression(score).alias("score")).collect()
    counted = frame["is_positive"].sum()
    sizes = {True: int(counted), False: len(frame) - int(counted)}
    inputs = table.inputs(len(frame))
    if not all(sizes.values()):
        return None, inputs
    among_all = pl.col("score").rank("average")
    within = pl.col("score").rank("average").over("is_positive")
    placed = frame.select("is_positive", (among_all - within).alias("others_below"))
    classes = {
        is_positive: placed.filter(pl.col("is_positive") == is_positive).select(
            pl.col("others_below").sum().alias("sum"), (pl.col("others_below") / sizes[not is_positive]).var()
        )
        for is_positive in sizes
    }
    # Midranks are halves and their sums stay far below 2**53, so that twice the sum is an exact integer.
    doubled_wins = round(2 * classes[True]["sum"].item())
    variance = None
    if min(sizes.values()) > 1:
        variance = sum(float(one["others_below"].item()) / sizes[key] for key, one in classes.items())
    area = RankArea(positives=sizes[True], negatives=sizes[False], doubled_wins=str(doubled_wins), variance=variance)
    return area, inputs


def _positive(table: Table, manifest: Manifest, label: str) -> pl.Expr:
    """Whether the label is positive, by the manifest's coding."""
    with refusing_unreadable("the rows"):
        counts = dict(table.frame.group_by(label).agg(pl.len().alias("rows")).collect(engine="streaming").iter_rows())
    meaning = decode(
        label,
        counts,
        positive=manifest.positive.label,
        negative=manifest.negative.label,
        is_text=label in table.text_only,
    )
    positives = [value for value, is_positive in meaning.items() if is_positive]
    return pl.col(label).is_in(pl.Series(positives, dtype=table.schema[label]).implode()).alias("is_positive")
