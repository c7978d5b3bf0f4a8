"""Measuring drift: each column's distribution against the reference version's, as effects with intervals."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy import stats

from governance.errors import MeasurementRefused
from governance.types.value import decimal_text
from policies.frames.source import Source
from policies.quality.columns import Reading
from policies.quality.data import Data
from policies.quality.params import DriftRule

Array = npt.NDArray[np.float64]

MAX_VALUES = 200
"""Categories beyond the most frequent of the reference are counted together as ``other``."""

FEW_NUMBERS = 20
"""A column of numbers with at most this many different ones in the reference is compared as categories."""

CORRECTION = 0.5
"""Added to each count of the population stability index, so that a bin without rows has a logarithm."""

LEAST_EXPECTED = 5
"""Categories of a smaller expected count are pooled before the chi-square test (Cochran 1954)."""

LEVEL = 0.95
_CHUNK = 1_000_000


def drift(data: Data, rule: DriftRule) -> Reading:
    """For each column its rows on both sides, the index, and the test that fits its kind.

    Raises:
        MeasurementRefused: no reference, no column in both, or a column of different kinds.
    """
    source = data.holding(list(rule.columns or list(data.sources[0].schema)[:1]))
    reference = data.table(rule.reference, list(rule.columns or ()))
    columns = list(rule.columns or (name for name in source.schema if name in reference.schema))
    if not columns:
        raise MeasurementRefused(
            expected="columns that both tables have",
            found="none",
            remedy="Name the columns alike, or check the tables.",
        )
    seed = data.facts.manifest.seed if data.facts.manifest is not None else 0
    found = [_of_column(source, reference, name, rule, seed + number) for number, name in enumerate(columns)]
    for one in found:
        _hide(one, data.masks.get(one["column"]))
    return {"reference": rule.reference, "columns": found}


def _hide(column: dict[str, Any], mask: str | None) -> None:
    """Number the categories of a column of personal values; the last one stands for all others."""
    if mask is not None and "values" in column:
        numbered = [f"{mask} {number}" for number in range(1, len(column["values"]))]
        column["values"] = [*numbered, column["values"][-1]]


def _of_column(source: Source, reference: Source, name: str, rule: DriftRule, seed: int) -> dict[str, Any]:
    if _is_number(source, name) and _is_number(reference, name):
        values, base = _numbers(source, name), _numbers(reference, name)
        if len(np.unique(base[:_CHUNK])) > FEW_NUMBERS:
            sizes = (_rows(source), _rows(reference))
            return {"column": name, **_of_numbers(values, base, sizes, rule, seed)}
    elif source.schema[name].is_numeric() != reference.schema[name].is_numeric() and not source.is_text:
        raise MeasurementRefused(
            expected=f"the column {name!r} of one kind in both tables",
            found=f"{source.schema[name]} and {reference.schema[name]}",
            remedy="Write the column the same way in both tables.",
            pointer=name,
        )
    return {"column": name, **_of_categories(source, reference, name, rule, seed)}


def _is_number(source: Source, name: str) -> bool:
    """Whether the column holds numbers; text of a format without types does where every value present is one."""
    if not source.is_text:
        return source.schema[name].is_numeric()
    column = pl.col(name)
    bad = column.is_not_null() & column.cast(pl.Float64, strict=False).is_null()
    return not int(source.frame.select(bad.sum()).collect(engine="streaming").item())


def _rows(source: Source) -> int:
    return int(source.frame.select(pl.len()).collect(engine="streaming").item())


def _numbers(source: Source, name: str) -> Array:
    """The values present, sorted."""
    value = pl.col(name).cast(pl.Float64, strict=False).fill_nan(None)
    found = source.frame.select(value.alias("value")).drop_nulls().collect(engine="streaming")
    values: Array = found["value"].to_numpy(writable=True)
    values.sort()
    return values


def _of_numbers(values: Array, base: Array, sizes: tuple[int, int], rule: DriftRule, seed: int) -> dict[str, Any]:
    """``sizes`` are the rows of both sides; ``n`` and ``reference_n`` count the values that are present."""
    edges = np.unique(np.quantile(base, np.linspace(0, 1, rule.bins + 1)[1:-1]))
    counts, expected = _binned(values, edges, sizes[0]), _binned(base, edges, sizes[1])
    distance = ks_distance(values, base) if len(values) and len(base) else None
    ks = None
    if distance is not None:
        margin = _dkw(len(values)) + _dkw(len(base))
        ks = {
            "distance": decimal_text(distance),
            "lower": decimal_text(max(0.0, distance - margin)),
            "upper": decimal_text(min(1.0, distance + margin)),
            "p": decimal_text(ks_p(distance, len(values), len(base))),
        }
    return {
        "kind": "number",
        "n": len(values),
        "reference_n": len(base),
        "missing": sizes[0] - len(values),
        "reference_missing": sizes[1] - len(base),
        "psi": _psi_of(counts, expected, rule, seed),
        "ks": ks,
        "edges": [decimal_text(float(edge)) for edge in edges],
        "counts": [int(one) for one in counts],
        "reference_counts": [int(one) for one in expected],
    }


def _binned(values: Array, edges: Array, rows: int) -> Array:
    """The counts of sorted values between the edges, and of the rows without a value."""
    between = np.diff(np.searchsorted(values, edges, side="left"), prepend=0, append=len(values))
    return np.append(between, rows - len(values)).astype(np.float64)


def ks_distance(values: Array, base: Array) -> float:
    """Kolmogorov and Smirnov's distance: the largest gap of the two sorted samples' distribution functions."""
    largest = 0.0
    # Gone through in parts, so that no array of both samples' ranks is held.
    for points in (values, base):
        for start in range(0, len(points), _CHUNK):
            part = points[start : start + _CHUNK]
            above = np.searchsorted(values, part, side="right") / len(values)
            below = np.searchsorted(base, part, side="right") / len(base)
            largest = max(largest, float(np.abs(above - below).max()))
    return largest


def ks_p(distance: float, n: int, m: int) -> float:
    """The asymptotic two-sided p-value of the distance, as ``scipy.stats.ks_2samp`` computes it; 1 for two values."""
    effective = round(n * m / (n + m))
    return float(np.clip(stats.kstwo.sf(distance, effective), 0, 1)) if effective else 1.0


def _dkw(n: int) -> float:
    """How far a sample's distribution function lies from the true one at most, with 97.5 % confidence (Massart 1990).

    Two of them bound the gap of two distributions with 95 %.
    """
    return math.sqrt(math.log(2 / ((1 - LEVEL) / 2)) / (2 * n))


def psi(counts: Array, expected: Array) -> Array:
    """The population stability index of counts ``(..., n_bins)`` against expected ones, with 0.5 added to each count.

    ``sum((q - p) * ln(q / p))`` over the bins' shares; a bin that is empty on both sides adds nothing.
    """
    used = expected > 0
    used = used | (counts.reshape(-1, counts.shape[-1]).sum(axis=0) > 0)
    q, p = counts[..., used] + CORRECTION, expected[used] + CORRECTION
    q, p = q / q.sum(axis=-1, keepdims=True), p / p.sum()
    index: Array = ((q - p) * np.log(q / p)).sum(axis=-1)
    return index


def _psi_of(counts: Array, expected: Array, rule: DriftRule, seed: int) -> dict[str, Any] | None:
    """The index with its interval, and what it is on average where nothing drifted."""
    if not counts.sum() or not expected.sum():
        return None
    bins = int(((counts > 0) | (expected > 0)).sum())
    drawn, based = _replicates(counts, expected, rule.replicates, seed)
    resampled = np.array([psi(one, other) for one, other in zip(drawn, based, strict=True)])
    index = float(psi(counts, expected))
    return {
        "index": decimal_text(index),
        **_interval(index, resampled),
        "by_chance": decimal_text((bins - 1) * (1 / counts.sum() + 1 / expected.sum())),
    }


def _replicates(counts: Array, expected: Array, replicates: int, seed: int) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    drawn = random.multinomial(int(counts.sum()), counts / counts.sum(), size=replicates)
    based = random.multinomial(int(expected.sum()), expected / expected.sum(), size=replicates)
    return drawn.astype(np.float64), based.astype(np.float64)


def _interval(value: float, resampled: Array) -> dict[str, str]:
    """The basic bootstrap interval of an effect that is never below 0.

    Effects of counts are too large on average, by chance alone, and replicates by as much again: reflecting their
    quantiles at the value takes that away, where percentiles would add to it (Davison and Hinkley 1997, section 5.2).
    """
    lower, upper = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    bounds = (max(0.0, 2 * value - float(bound)) for bound in (upper, lower))
    return dict(zip(("lower", "upper"), map(decimal_text, bounds), strict=True))


def _of_categories(source: Source, reference: Source, name: str, rule: DriftRule, seed: int) -> dict[str, Any]:
    base, found = _counts(reference, name), _counts(source, name)
    kept = sorted(base, key=lambda value: (-base[value], value))[:MAX_VALUES]
    names = [*kept, "other"]
    counts, expected = _tallied(found, kept), _tallied(base, kept)
    n, m = int(counts.sum()), int(expected.sum())
    sizes = _rows(source), _rows(reference)
    whole = np.append(counts, sizes[0] - n), np.append(expected, sizes[1] - m)
    return {
        "kind": "category",
        "n": n,
        "reference_n": m,
        "missing": sizes[0] - n,
        "reference_missing": sizes[1] - m,
        "psi": _psi_of(*whole, rule, seed),
        "chi_square": _chi_square(counts, expected, rule, seed) if n and m else None,
        "values": names,
        "counts": [int(one) for one in whole[0]],
        "reference_counts": [int(one) for one in whole[1]],
        "new_values": len([value for value in found if value not in base]),
    }


def _tallied(counts: Mapping[str, int], kept: Sequence[str]) -> Array:
    """The rows of the kept values, and of all others together."""
    rows = [counts.get(value, 0) for value in kept]
    return np.array([*rows, sum(counts.values()) - sum(rows)], dtype=np.float64)


def _counts(source: Source, name: str) -> dict[str, int]:
    """The rows of each value present, as text."""
    value = pl.col(name).fill_nan(None) if source.schema[name].is_float() else pl.col(name)
    grouped = source.frame.group_by(value.cast(pl.String).alias("value")).agg(pl.len()).drop_nulls()
    return dict(grouped.collect(engine="streaming").iter_rows())


def _chi_square(counts: Array, expected: Array, rule: DriftRule, seed: int) -> dict[str, Any] | None:
    """The test that both sides are of one distribution, after rare categories are pooled, and Cramer's V."""
    pooled = pool(counts, expected)
    if pooled is None:
        return None
    statistic = chi_square(*pooled)
    freedom = pooled[0].shape[-1] - 1
    drawn, based = _replicates(*pooled, rule.replicates, seed)
    total = pooled[0].sum() + pooled[1].sum()
    resampled = np.sqrt(np.array([chi_square(*pair) for pair in zip(drawn, based, strict=True)]) / total)
    v = math.sqrt(statistic / total)
    return {
        "statistic": decimal_text(statistic),
        "degrees_of_freedom": freedom,
        "p": decimal_text(float(stats.chi2.sf(statistic, freedom))),
        "v": decimal_text(v),
        **_interval(v, resampled),
    }


def pool(counts: Array, expected: Array) -> tuple[Array, Array] | None:
    """Both sides with the categories that are too rare for the test counted as one; None with fewer than two left."""
    together = counts + expected
    smaller = min(counts.sum(), expected.sum()) / together.sum()
    rare = together * smaller < LEAST_EXPECTED
    sides = []
    for side in (counts, expected):
        rest = side[rare].sum()
        sides.append(np.append(side[~rare], rest) if together[rare].sum() > 0 else side[~rare])
    return (sides[0], sides[1]) if len(sides[0]) > 1 else None


def chi_square(counts: Array, expected: Array) -> float:
    """Pearson's statistic of the two rows of counts, without a continuity correction; empty categories add nothing."""
    table = np.vstack([counts, expected])
    table = table[:, table.sum(axis=0) > 0]
    fitted = np.outer(table.sum(axis=1), table.sum(axis=0)) / table.sum()
    return float(((table - fitted) ** 2 / fitted).sum())
