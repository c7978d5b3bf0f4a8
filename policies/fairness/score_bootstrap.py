"""The interval of the expected calibration error by resampling a group's score bins; it has no closed form."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from policies.fairness.body import GroupCells, Percentiles
from policies.fairness.quantities import BANDS

MAX_REPLICATES = 1000
"""Replicates of whole score distributions; percentiles of 95 % are steady from there on."""

Array = npt.NDArray[np.float64]


def with_calibration_intervals(groups: Sequence[GroupCells], *, seed: int, replicates: int) -> tuple[GroupCells, ...]:
    """The groups, those with labelled scores with their interval; unchanged without replicates."""
    draws = np.random.default_rng(seed)
    return tuple(
        group.model_copy(update={"calibration_error": _interval(group, draws, min(replicates, MAX_REPLICATES))})
        if replicates and sum(sum(c.weights) for c in group.scores if c.label != "counted") > 0
        else group
        for group in groups
    )


def _interval(group: GroupCells, draws: np.random.Generator, replicates: int) -> Percentiles:
    """Bins and labels are drawn together; a bin keeps its mean score, and the bands are those of the group."""
    by_label = {cells.label: np.array(cells.weights) for cells in group.scores}
    size = len(group.scores[0].rows)
    weights = np.array([by_label.get(label, np.zeros(size)) for label in ("positive", "negative")])
    sums: Array = np.sum([np.array([float(one) for one in cells.sums]) for cells in group.scores], axis=0)
    everybody: Array = weights.sum(axis=0)
    means = np.divide(sums, everybody, out=np.zeros(size), where=everybody > 0)
    effective = [_effective(cells.squares, cells.rows, np.array(cells.weights)) for cells in group.scores]
    drawn = draws.multinomial(max(1, round(sum(effective))), weights.ravel() / weights.sum(), size=replicates)
    counts = drawn.reshape(replicates, 2, size).astype(np.float64)
    ends = _band_ends(everybody)
    both = np.add.reduceat(counts.sum(axis=1), ends, axis=1)
    positive = np.add.reduceat(counts[:, 0], ends, axis=1)
    scored = np.add.reduceat(counts.sum(axis=1) * means, ends, axis=1)
    errors = np.abs(scored - positive).sum(axis=1) / both.sum(axis=1)
    lower, upper = np.quantile(errors, [0.025, 0.975])
    return Percentiles(lower=float(lower), upper=float(upper))


def _effective(squares: str | None, rows: Sequence[int], weights: Array) -> float:
    if squares is None:
        return float(sum(rows))
    return float(weights.sum() ** 2 / float(squares)) if float(squares) > 0 else 0.0


def _band_ends(everybody: Array) -> list[int]:
    """The first bin of each band of about equal weight, as ``quantities.calibration_bands`` puts them together."""
    starts, filled = [0], 0.0
    for index, weight in enumerate(everybody[:-1]):
        filled += weight
        if filled >= everybody.sum() / BANDS and everybody[index + 1 :].any():
            starts.append(index + 1)
            filled = 0.0
    return starts
