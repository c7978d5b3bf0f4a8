"""Score distributions of groups for machines and pictures, and where in the range a gap of decisions arises. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from pydantic import JsonValue

from governance.types.value import decimal_text
from policies.fairness.body import GroupCells, ScoreAxis, Table
from policies.fairness.quantities import area_under_curve, calibration_bands, expected_calibration_error

MAX_BANDS = 20
"""Bands of a printed distribution."""


@dataclass(frozen=True, slots=True)
class Band:
    """Neighbouring bins of scores from ``low`` up to ``high``; the last includes its upper end."""

    low: float
    high: float
    bins: range


def bands(axis: ScoreAxis, weights: Sequence[float]) -> tuple[Band, ...]:
    """At most about ``MAX_BANDS`` bands of about equal weight, one of which begins at the threshold."""
    edges = [float(edge) for edge in axis.edges]
    cut = None if axis.cut is None else float(axis.cut)
    first_above = None if cut is None else next((index for index, edge in enumerate(edges) if edge >= cut), None)
    target = math.fsum(weights) / MAX_BANDS
    starts, filled = [0], 0.0
    for index in range(1, len(edges)):
        filled += weights[index - 1]
        if filled >= target or index == first_above:
            starts.append(index)
            filled = 0.0
    ends = [*starts[1:], len(edges)]
    uppers = [edges[end] if end < len(edges) else float(axis.highest) for end in ends]
    return tuple(
        Band(edges[start], upper, range(start, end)) for start, end, upper in zip(starts, ends, uppers, strict=True)
    )


def bin_weights(group: GroupCells, size: int) -> list[float]:
    """The weight of a group's rows in each bin."""
    return [math.fsum(cells.weights[index] for cells in group.scores) for index in range(size)]


def shares(group: GroupCells, chosen: Sequence[Band], size: int) -> list[float]:
    """The share of a group's weight in each band; zeros for a group without rows."""
    weights = bin_weights(group, size)
    whole = math.fsum(weights)
    return [math.fsum(weights[index] for index in band.bins) / whole if whole else 0.0 for band in chosen]


def table_bands(table: Table, axis: ScoreAxis) -> tuple[Band, ...]:
    """The bands of a table, over all of its groups."""
    size = len(axis.edges)
    everybody = [bin_weights(group, size) for group in table.groups]
    return bands(axis, [math.fsum(column) for column in zip(*everybody, strict=True)] or [0.0] * size)


def score_details(table: Table, axis: ScoreAxis) -> dict[str, JsonValue]:
    """The bands of scores, each group's share in them, its calibration by band, and how exactly ranks are known."""
    chosen = table_bands(table, axis)
    groups: list[JsonValue] = [_of_group(group, chosen, axis) for group in table.groups if group.scores]
    return {
        "bands": [[decimal_text(band.low), decimal_text(band.high)] for band in chosen],
        "threshold": axis.cut,
        "is_exact": axis.is_exact,
        "groups": groups,
    }


def _of_group(group: GroupCells, chosen: Sequence[Band], axis: ScoreAxis) -> dict[str, JsonValue]:
    calibration = calibration_bands(group)
    error, interval = expected_calibration_error(calibration), group.calibration_error
    area = area_under_curve(group)
    return {
        "group": list(group.levels),
        "shares": [decimal_text(share) for share in shares(group, chosen, len(axis.edges))],
        "calibration": [
            {
                "weight": decimal_text(band.weight),
                "mean_score": decimal_text(band.mean_score),
                "observed": decimal_text(band.observed),
            }
            for band in calibration
        ],
        "expected_calibration_error": None if error is None else decimal_text(error),
        "expected_calibration_error_interval": None
        if interval is None or interval.lower is None or interval.upper is None
        else [decimal_text(interval.lower), decimal_text(interval.upper)],
        # Pairs within a bin of several scores are counted half; the true area lies within this distance.
        "auc_within": None if area is None else decimal_text(0.0 if axis.is_exact else area.slack),
    }
