"""From a manifest's rows to a performance measurement: confusion cells, and ranks of the scores."""

from collections.abc import Mapping
from importlib.metadata import version
from typing import Any

import polars as pl

from governance.check import Facts
from governance.errors import MeasurementRefused
from governance.types.manifest import Manifest
from governance.types.results import Input, Measurement
from policies.frames.cells import confusion, read_cells
from policies.frames.coding import decode
from policies.frames.grouping import MAX_WEIGHT, MIN_WEIGHT, SQUARE_UNIT, WEIGHT_UNIT
from policies.frames.numbers import number_expression, refuse_unusable_numbers
from policies.frames.source import manifest_of, refusing_unreadable
from policies.frames.table import Table, open_table
from policies.performance.body import PerformanceBody, RankArea, WeightedArea
from policies.performance.params import PerformanceParams


def measure(facts: Facts, params: PerformanceParams, *, check_version: str) -> Measurement:
    """The confusion cells where there are decisions, and the area under the ROC curve where there are scores.

    Raises:
        MeasurementRefused: there is no label; the metric of ``params`` needs decisions or scores that are not there;
            the data are refused (see ``policies.frames``).
    """
    manifest = manifest_of(facts)
    columns = manifest.columns
    has_decisions = columns.decision is not None or (columns.score is not None and manifest.threshold is not None)
    has_ranks = columns.score is not None
    _refuse_unanswerable(manifest, params, has_decisions=has_decisions, has_ranks=has_ranks)
    inputs: tuple[Input, ...] = ()
    body: dict[str, Any] = {"rows": 0, "is_weighted": columns.weight is not None}
    if has_decisions:
        cells = read_cells(facts, ())
        inputs = cells.inputs
        body |= {"rows": cells.rows, "cells": confusion(cells.cells, weighted=cells.is_weighted)}
    if has_ranks:
        area, table_inputs = _ranks(facts, manifest) if columns.weight is None else _weighted(facts, manifest)
        inputs = inputs or table_inputs
        name = "ranks" if columns.weight is None else "weighted_area"
        body |= {"rows": max((one.rows or 0 for one in inputs), default=0), name: area}
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
            expected="a score column for the area under the ROC curve",
            found="no columns.score",
            remedy="Declare columns.score, or choose another metric.",
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


def _weighted(facts: Facts, manifest: Manifest) -> tuple[WeightedArea | None, tuple[Input, ...]]:
    """The area and DeLong's variance from the weights of each distinct score; no area where a class weighs nothing."""
    label, score, weight = (str(manifest.columns.label), str(manifest.columns.score), str(manifest.columns.weight))
    table = open_table(facts, [label, score, weight])
    refuse_unusable_numbers(table, score, f"the score {score!r}", nulls_allowed=False)
    limits = (MIN_WEIGHT, MAX_WEIGHT)
    refuse_unusable_numbers(table, weight, f"the weight {weight!r}", nulls_allowed=False, weights=limits)
    value = number_expression(weight)
    # Whole units are summed, so that the sums do not depend on the order of the rows.
    units = {"weight": value * WEIGHT_UNIT, "squares": value * value * SQUARE_UNIT}
    with refusing_unreadable("the rows"):
        grouped = (
            table.frame.select(
                _positive(table, manifest, label),
                number_expression(score).alias("score"),
                *(one.round().cast(pl.Int128).alias(name) for name, one in units.items()),
            )
            .group_by("score", "is_positive")
            .agg(pl.len().alias("rows"), pl.col("weight").sum(), pl.col("squares").sum())
            .sort("score")
            .collect(engine="streaming")
        )
    inputs = table.inputs(int(grouped["rows"].sum()))
    sides = {side: grouped.filter(pl.col("is_positive") == side) for side in (True, False)}
    if not all(side["weight"].sum() for side in sides.values()):
        return None, inputs
    return _area_of(grouped["score"].unique().sort(), sides), inputs


def _area_of(scores: pl.Series, sides: Mapping[bool, pl.DataFrame]) -> WeightedArea:
    """Each side's weights by score, in the order of the scores, to the area."""
    placed = {
        key: pl.DataFrame({"score": scores}).join(side, on="score", how="left", maintain_order="left")["weight"]
        for key, side in sides.items()
    }
    ups, downs = (placed[key].fill_null(0).cast(pl.Float64).to_numpy() / WEIGHT_UNIT for key in (True, False))
    p, n = ups.sum(), downs.sum()
    of_positives = (downs.cumsum() - downs / 2) / n
    of_negatives = 1 - (ups.cumsum() - ups / 2) / p
    area = float((ups * of_positives).sum() / p)
    variance: float | None = 0.0
    for weights, values, side in ((ups, of_positives, sides[True]), (downs, of_negatives, sides[False])):
        size = min(float(side["rows"].sum()), weights.sum() ** 2 / (float(side["squares"].sum()) / SQUARE_UNIT))
        spread = float((weights * (values - area) ** 2).sum() / weights.sum())
        variance = None if variance is None or size <= 1 else variance + spread / (size - 1)
    return WeightedArea(
        positives=int(sides[True]["rows"].sum()),
        negatives=int(sides[False]["rows"].sum()),
        area=min(1.0, max(0.0, area)),
        variance=variance,
    )


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
