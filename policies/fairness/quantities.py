"""Numbers of a group that are no shares of rows: ranks and calibration of scores, errors of predicted numbers. Pure.

Each is estimated with its standard error from sums and bins alone, so that it can be judged again from the record.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from policies.fairness.body import GroupCells, ScoreCells
from policies.statistics.counts import total
from policies.statistics.intervals import Z_TWO_SIDED, Bounds

BANDS = 10
"""Bands of about equal weight over which calibration is looked at."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """A value, its standard error, and how many rows it rests on: for ranks, those of the smaller class.

    ``slack`` is how far the value may lie from that of the single scores, because bins hold several of them.
    ``by_chance`` is how far above zero a mean of distances lies on average although nothing is off.
    """

    value: float
    error: float
    rows: int
    slack: float = 0.0
    by_chance: float | None = None

    def bounds(self, z: float = Z_TWO_SIDED) -> Bounds:
        """The value within ``z`` standard errors; a mean of distances also within what chance adds to it."""
        half = z * self.error + (self.by_chance or 0.0)
        lower = self.value - half
        return Bounds(lower if self.by_chance is None else max(0.0, lower), self.value + half)


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number of a group: what it needs, whether a ratio of two groups means anything, and how it is estimated.

    ``is_level``: a limit is set on the number itself, in each group, and not on how two groups differ.
    """

    title: str
    needs: Literal["scores", "scores and labels", "predictions"]
    unit: str
    has_ratio: bool
    estimate: Callable[[GroupCells], Estimate | None]
    is_level: bool = False


@dataclass(frozen=True, slots=True)
class Band:
    """Rows of neighbouring scores: their weight, the mean score and the share of positive labels."""

    weight: float
    mean_score: float
    observed: float


def _of(group: GroupCells, label: str) -> ScoreCells | None:
    return next((one for one in group.scores if one.label == label), None)


def _effective(cells: ScoreCells) -> float:
    """Effective rows, ``(sum w)**2 / sum w**2`` (Kish 1965); the rows themselves without weights."""
    if cells.squares is None:
        return float(sum(cells.rows))
    weight, squares = math.fsum(cells.weights), float(cells.squares)
    return min(float(sum(cells.rows)), weight * weight / squares) if squares > 0 else 0.0


def area_under_curve(group: GroupCells) -> Estimate | None:
    """The share of pairs of a positive and a negative label in which the positive has the higher score, ties half.

    With the variance of DeLong et al. 1988, by bins. Null where a class is empty.
    """
    positive, negative = _of(group, "positive"), _of(group, "negative")
    if positive is None or negative is None:
        return None
    ups, downs = positive.weights, negative.weights
    p, n = math.fsum(ups), math.fsum(downs)
    if p <= 0 or n <= 0:
        return None
    below = _cumulated(downs)
    above = _cumulated(ups)
    wins = [up * (under + down / 2) for up, down, under in zip(ups, downs, below, strict=True)]
    area = math.fsum(wins) / (p * n)
    of_positives = [(under + down / 2) / n for under, down in zip(below, downs, strict=True)]
    of_negatives = [1 - (under + up / 2) / p for under, up in zip(above, ups, strict=True)]
    variance = _spread(ups, of_positives, area, _effective(positive)) + _spread(
        downs, of_negatives, area, _effective(negative)
    )
    slack = math.fsum(up * down for up, down in zip(ups, downs, strict=True)) / (2 * p * n)
    return Estimate(area, math.sqrt(variance), min(sum(positive.rows), sum(negative.rows)), slack)


def _cumulated(weights: Sequence[float]) -> list[float]:
    """The weight below each bin."""
    below, running = [], 0.0
    for weight in weights:
        below.append(running)
        running += weight
    return below


def _spread(weights: Sequence[float], values: Sequence[float], mean: float, size: float) -> float:
    """The variance of a weighted mean over ``size`` effective rows."""
    if size <= 1:
        return 0.0
    squares = math.fsum(weight * (value - mean) ** 2 for weight, value in zip(weights, values, strict=True))
    return squares / math.fsum(weights) / (size - 1)


def _score_sums(group: GroupCells, powers: Mapping[str, Callable[[Sequence[float]], float]]) -> list[float]:
    """For each label a function of ``(w, ws, ws**2, ws**3, ws**4)``, added over the labels."""
    found = []
    for cells in group.scores:
        sums = (math.fsum(cells.weights), math.fsum(map(float, cells.sums)), *map(float, cells.powers))
        found.append(powers[cells.label](sums))
    return found


def _mean_of_scores(group: GroupCells) -> Estimate | None:
    """The mean score, whether or not labels are known."""
    every = {label: (lambda sums: sums[1]) for label in ("positive", "negative", "counted")}
    squares = {label: (lambda sums: sums[2]) for label in every}
    return _mean(group, math.fsum(_score_sums(group, every)), math.fsum(_score_sums(group, squares)))


def calibration_gap(group: GroupCells) -> Estimate | None:
    """The mean score less the share of positive labels: above zero where scores promise more than happens."""
    first = {"positive": lambda s: s[1] - s[0], "negative": lambda s: s[1]}
    return _labelled_mean(group, first, _SQUARED_ERROR)


def brier_score(group: GroupCells) -> Estimate | None:
    """The mean of ``(score - label)**2`` with labels 1 and 0. Source: Brier 1950."""
    return _labelled_mean(group, _SQUARED_ERROR, _FOURTH_ERROR)


_Sums = Mapping[str, Callable[[Sequence[float]], float]]

_SQUARED_ERROR: _Sums = {"positive": lambda s: s[2] - 2 * s[1] + s[0], "negative": lambda s: s[2]}
_FOURTH_ERROR: _Sums = {
    "positive": lambda s: s[4] - 4 * s[3] + 6 * s[2] - 4 * s[1] + s[0],
    "negative": lambda s: s[4],
}


def _labelled_mean(group: GroupCells, first: _Sums, second: _Sums) -> Estimate | None:
    if not group.scores or any(cells.label == "counted" for cells in group.scores):
        return None
    return _mean(group, math.fsum(_score_sums(group, first)), math.fsum(_score_sums(group, second)))


def _mean(group: GroupCells, first: float, second: float) -> Estimate | None:
    """The mean of a summand from its sum and the sum of its squares over the group's scores."""
    weight = math.fsum(math.fsum(cells.weights) for cells in group.scores)
    rows = sum(sum(cells.rows) for cells in group.scores)
    if weight <= 0:
        return None
    squares = math.fsum(float(cells.squares or 0) for cells in group.scores)
    size = min(float(rows), weight * weight / squares) if squares > 0 else float(rows)
    mean = first / weight
    variance = max(0.0, second / weight - mean * mean)
    return Estimate(mean, math.sqrt(variance / (size - 1)) if size > 1 else 0.0, rows)


def calibration_bands(group: GroupCells, bands: int = BANDS) -> tuple[Band, ...]:
    """Neighbouring bins put together to about ``bands`` bands of equal weight; none without labels."""
    positive, negative = _of(group, "positive"), _of(group, "negative")
    if positive is None and negative is None:
        return ()
    size = len((positive or negative or group.scores[0]).rows)
    none = (0.0,) * size
    ups = positive.weights if positive else none
    downs = negative.weights if negative else none
    sums = [math.fsum(float(cells.sums[index]) for cells in group.scores) for index in range(size)]
    return _bands(ups, downs, sums, bands)


def _bands(ups: Sequence[float], downs: Sequence[float], sums: Sequence[float], bands: int) -> tuple[Band, ...]:
    whole = math.fsum(ups) + math.fsum(downs)
    found, weight, positive, score = [], 0.0, 0.0, 0.0
    for index, (up, down, own) in enumerate(zip(ups, downs, sums, strict=True)):
        weight, positive, score = weight + up + down, positive + up, score + own
        is_last = index == len(ups) - 1
        if weight > 0 and (is_last or weight >= whole / bands):
            found.append(Band(weight, score / weight, positive / weight))
            weight, positive, score = 0.0, 0.0, 0.0
    if weight > 0:
        found.append(Band(weight, score / weight, positive / weight))
    return tuple(found)


def expected_calibration_error(bands: Sequence[Band]) -> float | None:
    """The mean distance of mean score and share of positive labels over the bands, by weight; null without any."""
    whole = math.fsum(band.weight for band in bands)
    if whole <= 0:
        return None
    return math.fsum(band.weight * abs(band.mean_score - band.observed) for band in bands) / whole


def calibration_error(group: GroupCells) -> Estimate | None:
    """The expected calibration error over bands of equal weight, with what chance alone makes of it.

    With n effective rows in a band of which a share o is positive, o lies |d| from its true value, d normal with
    variance v = o (1 - o) / n: the mean of |d| is sqrt(2 v / pi) and its variance (1 - 2 / pi) v. The error of a sample
    lies at most the weighted mean of these distances from the true one (triangle inequality), so that a bound by them
    is never too narrow. Half a row is added to either label of a band, which has a variance without one too.
    """
    bands = calibration_bands(group)
    value = expected_calibration_error(bands)
    if value is None:
        return None
    weight = math.fsum(band.weight for band in bands)
    rows = sum(sum(cells.rows) for cells in group.scores)
    squares = math.fsum(float(cells.squares or 0) for cells in group.scores)
    size = min(float(rows), weight * weight / squares) if squares > 0 else float(rows)
    by_chance, variance = 0.0, 0.0
    for band in bands:
        share = band.weight / weight
        own = share * size
        observed = (band.observed * own + 0.5) / (own + 1)
        spread = observed * (1 - observed) / own
        by_chance += share * math.sqrt(2 * spread / math.pi)
        variance += share**2 * (1 - 2 / math.pi) * spread
    return Estimate(value, math.sqrt(variance), rows, by_chance=by_chance)


def _size(group: GroupCells) -> tuple[float, float, int]:
    """Weight, effective rows and rows of a group."""
    everybody = total(group.counts)
    weight, squares = float(everybody.weight), float(everybody.squares)
    return weight, min(float(everybody.rows), weight * weight / squares) if squares > 0 else 0.0, everybody.rows


def _moment_mean(first: str, second: str) -> Callable[[GroupCells], Estimate | None]:
    """The mean of one of a regression's summands; ``second`` is the sum of its squares."""

    def estimate(group: GroupCells) -> Estimate | None:
        weight, size, rows = _size(group)
        if not group.moments or weight <= 0:
            return None
        mean = float(group.moments[first]) / weight
        variance = max(0.0, float(group.moments[second]) / weight - mean * mean)
        return Estimate(mean, math.sqrt(variance / (size - 1)) if size > 1 else 0.0, rows)

    return estimate


def root_mean_squared_error(group: GroupCells) -> Estimate | None:
    """The root of the mean squared error, with the delta method's standard error."""
    square = _moment_mean("error_2", "error_4")(group)
    if square is None:
        return None
    root = math.sqrt(max(0.0, square.value))
    return Estimate(root, square.error / (2 * root) if root > 0 else 0.0, square.rows)


def r_squared(group: GroupCells) -> Estimate | None:
    """``1 - sum e**2 / sum (y - mean y)**2``, below zero where the mean alone predicts better; delta method.

    Null where all labels of the group are equal.
    """
    weight, size, rows = _size(group)
    if not group.moments or weight <= 0:
        return None
    m = {name: float(value) / weight for name, value in group.moments.items()}
    mean = m["label_1"]
    spread = m["label_2"] - mean**2
    # Below this share of its own size a difference of two sums is the rounding of its parts.
    if spread <= 1e-12 * max(m["label_2"], 1e-300):
        return None
    fourth = m["label_4"] - 4 * mean * m["label_3"] + 6 * mean**2 * m["label_2"] - 3 * mean**4
    crossed = m["cross_2"] - 2 * mean * m["cross_1"] + mean**2 * m["error_2"]
    share = m["error_2"] / spread
    variance = (
        (m["error_4"] - m["error_2"] ** 2)
        + share**2 * (fourth - spread**2)
        - 2 * share * (crossed - m["error_2"] * spread)
    ) / spread**2
    return Estimate(1 - share, math.sqrt(max(0.0, variance) / (size - 1)) if size > 1 else 0.0, rows)


QUANTITIES: dict[str, Quantity] = {
    "auc": Quantity(
        "area under the ROC curve", "scores and labels", "labels of the rarer class", has_ratio=True,
        estimate=area_under_curve,
    ),
    "mean_score": Quantity("mean score", "scores", "scores", has_ratio=False, estimate=_mean_of_scores),
    "calibration_gap": Quantity(
        "calibration gap (mean score less base rate)", "scores and labels", "labelled scores", has_ratio=False,
        estimate=calibration_gap,
    ),
    "brier_score": Quantity(
        "Brier score", "scores and labels", "labelled scores", has_ratio=True, estimate=brier_score
    ),
    "expected_calibration_error": Quantity(
        "expected calibration error", "scores and labels", "labelled scores", has_ratio=False,
        estimate=calibration_error, is_level=True,
    ),
    "mean_error": Quantity(
        "mean error", "predictions", "predictions", has_ratio=False, estimate=_moment_mean("error", "error_2")
    ),
    "mean_absolute_error": Quantity(
        "mean absolute error", "predictions", "predictions", has_ratio=True,
        estimate=_moment_mean("absolute", "error_2"),
    ),
    "root_mean_squared_error": Quantity(
        "root mean squared error", "predictions", "predictions", has_ratio=True, estimate=root_mean_squared_error
    ),
    "r_squared": Quantity(
        "coefficient of determination", "predictions", "predictions", has_ratio=False, estimate=r_squared
    ),
}  # fmt: skip
"""Each quantity by name."""
