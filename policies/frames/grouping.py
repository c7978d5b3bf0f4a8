"""The default engine of the reduction: one streaming group-by of the manifest's files in Polars."""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl

from governance.errors import MeasurementRefused
from governance.types.manifest import Attribute, Manifest
from governance.types.results import Input
from policies.frames.coding import MAX_LEVELS, decode, place
from policies.frames.numbers import decision_expression, finite, number_expression, refuse_unusable_numbers
from policies.frames.plan import Plan
from policies.frames.scale import (
    BIN_STEPS,
    MAX_BINS,
    MAX_MAGNITUDE,
    ScoreScale,
    Slot,
    decimal_places,
    moment_magnitudes,
    power_magnitudes,
    score_scale,
    slot_width,
)
from policies.frames.source import refusing_unreadable
from policies.frames.table import Table

WEIGHT_UNIT = 10**9
"""Weights are read to nine decimals and summed as integers, so that a sum does not depend on the order of rows."""

SQUARE_UNIT = 10**12
"""Squares of weights are read to twelve decimals."""

MAX_WEIGHT = 10**9
"""Larger weights are refused: their squares would leave the range in which sums are exact."""

MIN_WEIGHT = 1e-6
"""Smaller weights above zero are refused, since nine decimals would no longer tell them apart; scale them all."""

MAX_CELLS = 250_000
"""More cells than this mean that an attribute identifies people rather than groups."""

_HEAD_ROWS = 20_000
"""Rows looked at first, so that a column of scores is refused before ten million groups are built from it."""

_MAX_CLASSES = 64


@dataclass(frozen=True, slots=True)
class Grouped:
    """The groups of a reduction before their values are decoded, the same from every engine.

    ``rows`` have the keys ``attribute N``, ``label``, ``decision`` and ``bin`` that the plan asks for, ``rows``, and
    ``sum NAME``: of ``weight`` in ``1 / WEIGHT_UNIT``, of ``squares`` in ``1 / SQUARE_UNIT``, of the others in
    ``10**-places[NAME]``. ``text_only`` names columns of a format without types.
    """

    plan: Plan
    rows: Sequence[Mapping[str, Any]]
    text_only: frozenset[str]
    inputs: Callable[[int], tuple[Input, ...]]
    scale: ScoreScale | None = None
    places: Mapping[str, int] | None = None
    shift: float = 0.0


@dataclass(frozen=True, slots=True)
class Ranges:
    """The lowest and the highest value of the columns that are summed, and the largest weight."""

    score: tuple[float, float] = (0.0, 0.0)
    prediction: tuple[float, float] = (0.0, 0.0)
    label: tuple[float, float] = (0.0, 0.0)
    weight: float = 1.0

    @property
    def shift(self) -> float:
        """The middle of the labels, rounded to two digits of their spread: powers about it lose little."""
        low, high = self.label
        spread = high - low
        return round((low + high) / 2, 1 - math.floor(math.log10(spread))) if spread > 0 else low

    def places(self, plan: Plan) -> dict[str, int]:
        """The decimal places of each of the plan's sums."""
        if plan.prediction is not None:
            error = max(abs(p - y) for p in self.prediction for y in self.label)
            label = max(abs(y - self.shift) for y in self.label)
            magnitudes = moment_magnitudes(error, label, self.weight)
        elif plan.bins_scores:
            magnitudes = power_magnitudes(max(map(abs, self.score)), self.weight)
        else:
            magnitudes = {}
        return {name: decimal_places(magnitude) for name, magnitude in magnitudes.items()}


def group_rows(table: Table, manifest: Manifest, plan: Plan) -> Grouped:
    """The groups of a table's rows.

    Raises:
        MeasurementRefused: numbers that are none, a weight that is missing, negative or out of range, columns that
            hold far too many values, no rows, or more than ``MAX_CELLS`` groups.
    """
    _refuse_numbers(table, plan)
    _refuse_identifiers(table, manifest, plan)
    ranges = _ranges(table, plan)
    slots = _score_slots(table, plan, ranges.score) if plan.bins_scores else []
    places = ranges.places(plan)
    sums = _sums(plan, places, ranges.shift)
    for scale in scales(slots, cut_of(table, plan)):
        grouped = _group(table, _keys(table, plan, scale), sums)
        if len(grouped) <= MAX_CELLS:
            break
    refuse_cells(len(grouped))
    return Grouped(plan, grouped.rows(named=True), table.text_only, table.inputs, scale, places, ranges.shift)


def scales(slots: Sequence[Slot], cut: float | None) -> Iterator[ScoreScale | None]:
    """The bins of scores, finer ones first; a single None where no scores are binned."""
    if not slots:
        yield None
        return
    for bins in BIN_STEPS:
        yield score_scale(slots, cut, bins)


def _group(table: Table, keys: Sequence[pl.Expr], sums: Sequence[pl.Expr]) -> pl.DataFrame:
    """The groups with their rows and sums; without keys all rows are one group, and no rows are none."""
    names = [key.meta.output_name() for key in keys]
    totals = [pl.len().alias("rows"), *(pl.col(one.meta.output_name()).sum() for one in sums)]
    with refusing_unreadable(" and ".join(f"the {source.role}" for source in table.sources)):
        if names:
            return table.frame.select(*keys, *sums).group_by(names).agg(totals).collect(engine="streaming")
        whole = table.frame.select(pl.lit(1).alias("row"), *sums).select(totals).collect(engine="streaming")
    return whole.filter(pl.col("rows") > 0)


def refuse_cells(cells: int) -> None:
    """Refuse a reduction to no cells, or to more than ``MAX_CELLS``.

    Raises:
        MeasurementRefused: it is one of the two.
    """
    if cells == 0:
        raise MeasurementRefused(
            expected="rows to measure", found="none", remedy="Send a file with rows; nothing is passed on no rows."
        )
    if cells > MAX_CELLS:
        raise MeasurementRefused(
            expected=f"at most {MAX_CELLS} combinations of groups, label and decision",
            found=f"{cells}",
            remedy="Declare groups or bins, or fewer sensitive attributes.",
        )


def _refuse_numbers(table: Table, plan: Plan) -> None:
    for name in plan.bins:
        refuse_unusable_numbers(table, name, f"the attribute {name!r}", nulls_allowed=True)
    named = {"score": plan.score, "prediction": plan.prediction, "label": plan.label if plan.prediction else None}
    for role, column in named.items():
        if column is not None:
            refuse_unusable_numbers(table, column, f"the {role} {column!r}", nulls_allowed=False)
    if plan.weight is not None:
        limits = (MIN_WEIGHT, MAX_WEIGHT)
        refuse_unusable_numbers(table, plan.weight, f"the weight {plan.weight!r}", nulls_allowed=False, weights=limits)


def _refuse_identifiers(table: Table, manifest: Manifest, plan: Plan) -> None:
    """Refuse columns that hold far too many values, from a look at the first rows."""
    with refusing_unreadable("the rows"):
        head = table.frame.head(_HEAD_ROWS).collect(engine="streaming")
    classes = {"label": plan.label if plan.label_is_class else None, "decision": plan.decision}
    for role, column in classes.items():
        if column is None or head[column].n_unique() <= _MAX_CLASSES:
            continue
        decode(
            column,
            dict(head[column].value_counts(sort=True).iter_rows()),
            positive=getattr(manifest.positive, role),
            negative=getattr(manifest.negative, role),
            is_text=column in table.text_only,
        )
    for name in plan.attributes:
        if name not in plan.bins and head[name].n_unique() > MAX_LEVELS:
            place(name, dict.fromkeys(head[name].unique(), 1), Attribute(), is_text=name in table.text_only)


def _ranges(table: Table, plan: Plan) -> Ranges:
    """One pass for the ranges that scales and units depend on; none where nothing is summed."""
    if not plan.sums:
        return Ranges()
    named = {"score": plan.score, "prediction": plan.prediction, "label": plan.label, "weight": plan.weight}
    if not plan.prediction:
        del named["label"]
    columns = {role: name for role, name in named.items() if name is not None}
    with refusing_unreadable("the rows"):
        found = (
            table.frame.select(
                *(number_expression(name).min().alias(f"{role} low") for role, name in columns.items()),
                *(number_expression(name).max().alias(f"{role} high") for role, name in columns.items()),
            )
            .collect(engine="streaming")
            .row(0, named=True)
        )
    # Of no rows there are no ranges; the group-by that follows refuses them.
    return ranges_of({role: (found[f"{role} low"] or 0.0, found[f"{role} high"] or 0.0) for role in columns})


def ranges_of(pairs: Mapping[str, tuple[float, float]]) -> Ranges:
    """Ranges by role.

    Raises:
        MeasurementRefused: a number lies beyond what sums can hold.
    """
    rest = dict(pairs)
    weight = rest.pop("weight", (1.0, 1.0))[1]
    for role, (low, high) in rest.items():
        if max(abs(low), abs(high)) > MAX_MAGNITUDE:
            raise MeasurementRefused(
                expected=f"numbers of at most {MAX_MAGNITUDE:g} in the {role}",
                found=f"{low:g} to {high:g}",
                remedy="Write the numbers in another unit, or correct them.",
                pointer=role,
            )
    return Ranges(**rest, weight=weight)


def cut_of(table: Table, plan: Plan) -> float | None:
    """The manifest's threshold in the precision of the score's column, so that 0.7 is 0.7 in both."""
    if plan.cut is None or plan.score is None:
        return None
    cut = finite(plan.cut)
    return float(np.float32(cut)) if table.schema[plan.score] == pl.Float32 else cut


def _score_slots(table: Table, plan: Plan, score: tuple[float, float]) -> list[Slot]:
    """The distinct scores where they are few, else slots of equal width."""
    low, width = score[0], slot_width(*score)
    value = number_expression(str(plan.score))
    with refusing_unreadable("the rows"):
        head = table.frame.select(value.alias("value")).head(_HEAD_ROWS).collect(engine="streaming")
    slots = _slots(table, value, value) if head["value"].n_unique() <= MAX_BINS else []
    if not 0 < len(slots) <= MAX_BINS:
        slots = _slots(table, value, ((value - low) / width).floor().cast(pl.Int64))
    return slots


def _slots(table: Table, value: pl.Expr, slot: pl.Expr) -> list[Slot]:
    with refusing_unreadable("the rows"):
        slots = (
            table.frame.select(slot.alias("slot"), value.alias("value"))
            .group_by("slot")
            .agg(pl.len(), pl.col("value").min().alias("low"), pl.col("value").max().alias("high"))
            .sort("slot")
            .collect(engine="streaming")
        )
    return [Slot(rows, lowest, highest) for _, rows, lowest, highest in slots.iter_rows()]


def _keys(table: Table, plan: Plan, scale: ScoreScale | None) -> list[pl.Expr]:
    keys = [
        (_bin(name, plan.bins[name]) if name in plan.bins else pl.col(name)).alias(f"attribute {position}")
        for position, name in enumerate(plan.attributes)
    ]
    if plan.label is not None and plan.label_is_class:
        keys.append(pl.col(plan.label).alias("label"))
    if plan.decision is not None:
        keys.append(pl.col(plan.decision).alias("decision"))
    elif plan.threshold is not None:
        keys.append(decision_expression(table, str(plan.score), plan.threshold).alias("decision"))
    if scale is not None:
        edges = np.array(scale.edges)
        keys.append(
            number_expression(str(plan.score))
            .map_batches(
                lambda scores: pl.Series(np.searchsorted(edges, scores.to_numpy(), side="right") - 1, dtype=pl.Int64),
                return_dtype=pl.Int64,
                is_elementwise=True,
            )
            .alias("bin")
        )
    return keys


def _bin(name: str, edges: Sequence[float]) -> pl.Expr:
    """The index of the bin a number lies in, -1 outside of all, null where it is missing."""
    value = number_expression(name).fill_nan(None)
    index = pl.lit(-1, dtype=pl.Int32)
    last = len(edges) - 2
    for position, (lower, upper) in enumerate(pairwise(edges)):
        below = value <= upper if position == last else value < upper
        index = pl.when((value >= lower) & below).then(pl.lit(position, dtype=pl.Int32)).otherwise(index)
    return pl.when(value.is_not_null()).then(index)


def _sums(plan: Plan, places: Mapping[str, int], shift: float) -> list[pl.Expr]:
    """The summands as whole numbers of their units; halves are rounded up, as in every engine."""
    weight = pl.lit(1.0) if plan.weight is None else number_expression(plan.weight)
    summands: dict[str, pl.Expr] = {}
    if plan.weight is not None:
        summands |= {"weight": weight * WEIGHT_UNIT, "squares": weight * weight * SQUARE_UNIT}
    parts = _moments(plan, shift) if plan.prediction is not None else _powers(plan) if plan.bins_scores else {}
    summands |= {name: part * weight * 10.0 ** places[name] for name, part in parts.items()}
    return [(one + 0.5).floor().cast(pl.Int128).alias(f"sum {name}") for name, one in summands.items()]


def _powers(plan: Plan) -> dict[str, pl.Expr]:
    score = number_expression(str(plan.score))
    return {f"score_{power}": _power(score, power) for power in range(1, 5)}


def _power(value: pl.Expr, power: int) -> pl.Expr:
    """A product, since the power function of one engine rounds otherwise than that of another."""
    return reduce(lambda product, factor: product * factor, [value] * power)


def _moments(plan: Plan, shift: float) -> dict[str, pl.Expr]:
    label = number_expression(str(plan.label))
    error = number_expression(str(plan.prediction)) - label
    centred = label - shift
    square = error * error
    return {
        "error": error,
        "absolute": error.abs(),
        "error_2": square,
        "error_4": square * square,
        **{f"label_{power}": _power(centred, power) for power in range(1, 5)},
        "cross_1": square * centred,
        "cross_2": square * centred * centred,
    }
