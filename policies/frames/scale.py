"""The bins of scores and the units of sums, chosen from ranges and counts. Pure, the same for every engine."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

SLOTS = 65_536
"""Slots of equal width into which scores are counted first, before bins of about equal size are chosen."""

MAX_BINS = 200
"""Bins of a stored score distribution; as many distinct scores are kept one by one."""

BIN_STEPS = (MAX_BINS, 50, 10)
"""Numbers of bins that are tried in turn where groups are so many that their bins would be too many cells."""

DIGITS = 15
"""Decimal digits kept of each summand, relative to the largest of them; sums of integers do not depend on order."""

MAX_MAGNITUDE = 1e30
"""Larger scores, labels and predictions are refused: their fourth powers would leave the range of a double."""

_MAX_PLACES = 60
"""Summands below ``10**-45`` are kept to fewer digits, and none needs more places than this."""


@dataclass(frozen=True, slots=True)
class ScoreScale:
    """Bins of scores: each from its edge up to the next one, the last up to ``highest``.

    ``is_exact``: every bin holds one distinct score, so that ranks are known exactly.
    """

    edges: tuple[float, ...]
    highest: float
    is_exact: bool


@dataclass(frozen=True, slots=True)
class Slot:
    """Rows whose scores fell in one slot, with the lowest and the highest of them."""

    rows: int
    lowest: float
    highest: float


def score_scale(slots: Sequence[Slot], cut: float | None, bins: int = MAX_BINS) -> ScoreScale:
    """About ``bins`` bins of about equal numbers of rows, each beginning at a score that occurs, or at ``cut``.

    ``slots`` are in rising order and not empty. The threshold ``cut`` is an edge where it lies between scores, so
    that a bin never holds both decisions.
    """
    is_exact = len(slots) <= bins and all(slot.lowest == slot.highest for slot in slots)
    target = 0.0 if is_exact else sum(slot.rows for slot in slots) / bins
    edges: list[float] = []
    filled = 0
    for slot in slots:
        # A slot that is a bin by itself starts a new one, so that a heavy tie is not mixed with its neighbours.
        if not edges or filled >= target or slot.rows >= target:
            edges.append(slot.lowest)
            filled = 0
        filled += slot.rows
    highest = slots[-1].highest
    if cut is not None and edges[0] < cut <= highest and cut not in edges:
        # Between two exact bins the threshold splits nothing: the score below it stays alone.
        edges = edges if is_exact else sorted([*edges, cut])
    return ScoreScale(tuple(edges), highest, is_exact)


def slot_width(lowest: float, highest: float) -> float:
    """The width of a slot; above zero, also where all scores are equal."""
    width = (highest - lowest) / SLOTS
    return width if width > 0 else 1.0


def decimal_places(magnitude: float) -> int:
    """The decimal places to which summands of at most this magnitude are kept; negative above ``10**DIGITS``."""
    if magnitude <= 0:
        return DIGITS
    return min(_MAX_PLACES, DIGITS - math.ceil(math.log10(magnitude)))


def moment_magnitudes(error: float, label: float, weight: float) -> dict[str, float]:
    """The largest magnitude of each of a regression's summands, from those of its parts."""
    parts = {
        "error": error,
        "absolute": error,
        "error_2": error**2,
        "error_4": error**4,
        **{f"label_{power}": label**power for power in range(1, 5)},
        "cross_1": error**2 * label,
        "cross_2": error**2 * label**2,
    }
    return {name: part * weight for name, part in parts.items()}


def power_magnitudes(score: float, weight: float) -> dict[str, float]:
    """The largest magnitude of each power of a score times its weight."""
    return {f"score_{power}": score**power * weight for power in range(1, 5)}


def exact_text(units: int, places: int) -> str:
    """A sum of ``units`` of ``10**-places`` as its exact decimal text."""
    digits = tuple(int(digit) for digit in str(abs(units)))
    text = f"{Decimal((int(units < 0), digits, -places)):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
