"""How well each feature alone tells the label: the area under its ROC curve, with DeLong's interval."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl

from governance.check import Facts
from governance.errors import MeasurementRefused
from governance.types.value import decimal_text
from policies.frames.coding import decode
from policies.frames.source import manifest_of
from policies.frames.table import Table, open_table
from policies.quality.params import TargetRule

Array = npt.NDArray[np.float64]

MAX_VALUES = 1000
"""Text of more different values is an identifier or prose, of which single values say nothing about others."""

_LABEL = "assay label"


@dataclass(frozen=True, slots=True)
class Area:
    """An area under the ROC curve and its standard error; the error is null where a class has fewer than two rows."""

    auc: float
    error: float | None


def area(positive: Array, negative: Array) -> Area:
    """The chance that a positive row's value exceeds a negative one's, ties counted half, with DeLong's error.

    Source: DeLong, DeLong and Clarke-Pearson 1988, from the placements of each row among the other class.
    """
    ups, downs = np.sort(positive), np.sort(negative)
    of_positive = _placements(ups, downs)
    auc = float(of_positive.mean())
    if len(ups) < 2 or len(downs) < 2:
        return Area(auc, None)
    of_negative = 1 - _placements(downs, ups)
    variance = of_positive.var(ddof=1) / len(ups) + of_negative.var(ddof=1) / len(downs)
    return Area(auc, float(np.sqrt(variance)))


def _placements(values: Array, others: Array) -> Array:
    """For each value the share of others below it, ties counted half."""
    below = np.searchsorted(others, values, side="left")
    up_to = np.searchsorted(others, values, side="right")
    placements: Array = (below + up_to) / (2 * len(others))
    return placements


def target(facts: Facts, rule: TargetRule) -> dict[str, Any]:
    """For each feature the area in its better direction, by its values and by whether it is missing.

    Text is scored by the share of positives that its value has in the other half of the rows, so that rare values do
    not tell what they were scored from. ``model`` is the area of the manifest's score, where there is one.

    Raises:
        MeasurementRefused: the manifest names no label or features, or a column is missing, or the label is no class.
    """
    manifest = manifest_of(facts)
    label, score = manifest.columns.label, manifest.columns.score
    features = list(rule.features or manifest.columns.features)
    if label is None or not features:
        raise MeasurementRefused(
            expected="columns.label, and the features in the policy or in columns.features",
            found="no label" if label is None else "no features",
            remedy="Name them in the manifest.",
            pointer="/columns",
        )
    table = open_table(facts, dict.fromkeys([label, *features, *([score] if score else [])]))
    coded = _coded(table, facts, label)
    counts = dict(coded.group_by(_LABEL).agg(pl.len()).collect(engine="streaming").iter_rows())
    found: dict[str, Any] = {"label": label, "positive": counts.get(True, 0), "negative": counts.get(False, 0)}
    if not found["positive"] or not found["negative"]:
        return {**found, "features": [], "model": None}
    return {
        **found,
        "features": [_of_feature(table, coded, name) for name in features],
        "model": _shown(_of_numbers(coded, score)) if score is not None else None,
    }


def _coded(table: Table, facts: Facts, label: str) -> pl.LazyFrame:
    """The rows with their label as true or false."""
    manifest = manifest_of(facts)
    grouped = table.frame.group_by(label).agg(pl.len()).head(MAX_VALUES).collect(engine="streaming")
    meaning = decode(
        label,
        dict(sorted(grouped.iter_rows(), key=lambda pair: repr(pair[0]))),
        positive=manifest.positive.label,
        negative=manifest.negative.label,
        is_text=label in table.text_only,
    )
    positives = [value for value, side in meaning.items() if side]
    return table.frame.with_columns(pl.col(label).is_in(positives).alias(_LABEL))


def _of_feature(table: Table, coded: pl.LazyFrame, name: str) -> dict[str, Any]:
    missing = pl.col(name).is_null()
    if table.schema[name].is_float():
        missing = missing | pl.col(name).is_nan()
    rates = dict(
        coded.group_by(missing.alias("gone")).agg(pl.col(_LABEL).mean()).collect(engine="streaming").iter_rows()
    )
    by_absence = _of_absence(coded, missing) if len(rates) == 2 else None
    is_number = _is_number(table, coded, name)
    values = _of_numbers(coded, name) if is_number else _of_words(coded.filter(~missing), name)
    return {
        "feature": name,
        "kind": "number" if is_number else "category",
        "values": _shown(values),
        "missing": _shown(by_absence),
    }


def _is_number(table: Table, coded: pl.LazyFrame, name: str) -> bool:
    """Whether the column holds numbers; text of a format without types does where every value present is one."""
    if name not in table.text_only:
        return table.schema[name].is_numeric()
    column = pl.col(name)
    bad = column.is_not_null() & column.cast(pl.Float64, strict=False).is_null()
    return not int(coded.select(bad.sum()).collect(engine="streaming").item())


def _of_numbers(coded: pl.LazyFrame, name: str) -> Area | None:
    value = pl.col(name).cast(pl.Float64, strict=False).fill_nan(None)
    rows = coded.select(value.alias("value"), _LABEL).drop_nulls().collect(engine="streaming")
    return _either_way(rows["value"].to_numpy(), rows[_LABEL].to_numpy())


def _of_absence(coded: pl.LazyFrame, missing: pl.Expr) -> Area | None:
    rows = coded.select(missing.cast(pl.Float64).alias("value"), _LABEL).collect(engine="streaming")
    return _either_way(rows["value"].to_numpy(), rows[_LABEL].to_numpy())


def _of_words(coded: pl.LazyFrame, name: str) -> Area | None:
    """Each row's value scored by the other half's share of positives; values that only one half has are left out."""
    halves = coded.with_row_index("assay row").with_columns((pl.col("assay row") % 2).alias("half"))
    counts = halves.group_by(name, "half").agg(pl.col(_LABEL).sum().alias("up"), pl.len().alias("rows"))
    cells = counts.head(2 * MAX_VALUES + 1).collect(engine="streaming")
    if cells[name].n_unique() > MAX_VALUES:
        return None
    known: Mapping[Any, tuple[int, int]] = {(row[0], row[1]): (row[2], row[3]) for row in cells.iter_rows()}
    scores: list[tuple[float, int, int]] = []
    for (value, half), (up, rows) in known.items():
        other = known.get((value, 1 - half))
        if other is not None:
            scores.append((other[0] / other[1], up, rows - up))
    return _weighted(scores)


def _weighted(scores: Sequence[tuple[float, int, int]]) -> Area | None:
    """The area of scores that come with their numbers of positive and negative rows."""
    if not sum(up for _, up, _ in scores) or not sum(down for _, _, down in scores):
        return None
    values = np.array([score for score, _, _ in scores])
    ups = np.repeat(values, [up for _, up, _ in scores])
    downs = np.repeat(values, [down for _, _, down in scores])
    return area(ups, downs)


def _either_way(values: Array, labels: Any) -> Area | None:
    """The area in the direction in which the value tells the label better; None without rows of both classes."""
    positive, negative = values[labels], values[~labels]
    if not len(positive) or not len(negative):
        return None
    found = area(positive, negative)
    return found if found.auc >= 0.5 else Area(1 - found.auc, found.error)


def _shown(found: Area | None) -> dict[str, Any] | None:
    if found is None:
        return None
    return {"auc": decimal_text(found.auc), "error": None if found.error is None else decimal_text(found.error)}
