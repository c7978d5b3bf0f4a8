"""Cells of a group in the form that the record keeps: counts, score distributions, sums of a regression."""

from collections.abc import Iterable, Sequence
from typing import Literal

from governance.types.value import decimal_text
from policies.fairness.body import GroupCells, ScoreAxis, ScoreCells
from policies.frames.cells import Cell, Cells, confusion, weight_text
from policies.frames.grouping import SQUARE_UNIT
from policies.frames.plan import MOMENTS, POWERS
from policies.frames.scale import ScoreScale, exact_text


def group_of(own: Sequence[Cell], cells: Cells, *, levels: tuple[str, ...], is_expected: bool = False) -> GroupCells:
    """The group of some of the ``cells``."""
    return GroupCells(
        levels=levels,
        is_expected=is_expected,
        cells=confusion(own, weighted=cells.is_weighted),
        scores=_scores(own, cells) if cells.scale is not None else (),
        moments=_moments(own, cells) if own and set(cells.places or ()) == set(MOMENTS) else {},
    )


def axis_of(scale: ScoreScale | None, cut: str | None) -> ScoreAxis | None:
    """The axis of the record's score distributions; none where scores were not binned."""
    if scale is None:
        return None
    return ScoreAxis(
        edges=tuple(decimal_text(edge) for edge in scale.edges),
        highest=decimal_text(scale.highest),
        is_exact=scale.is_exact,
        cut=cut,
    )


def _scores(own: Iterable[Cell], cells: Cells) -> tuple[ScoreCells, ...]:
    by_label: dict[bool | None, list[Cell]] = {}
    for cell in own:
        by_label.setdefault(cell.label, []).append(cell)
    order: dict[bool | None, Literal["positive", "negative", "counted"]]
    order = {True: "positive", False: "negative", None: "counted"}
    return tuple(_of_label(name, by_label[label], cells) for label, name in order.items() if label in by_label)


def _of_label(label: Literal["positive", "negative", "counted"], own: Sequence[Cell], cells: Cells) -> ScoreCells:
    size = 0 if cells.scale is None else len(cells.scale.edges)
    places = cells.places or {}
    rows, weights, sums = [0] * size, [0] * size, [0] * size
    for cell in own:
        position = cell.bin or 0
        rows[position] += cell.rows
        weights[position] += cell.weight
        sums[position] += cell.sums[0]
    powers = [exact_text(sum(cell.sums[power] for cell in own), places[POWERS[power]]) for power in range(1, 4)]
    return ScoreCells(
        label=label,
        rows=tuple(rows),
        weight=tuple(map(weight_text, weights)) if cells.is_weighted else None,
        squares=exact_text(sum(cell.squares for cell in own), len(str(SQUARE_UNIT)) - 1) if cells.is_weighted else None,
        sums=tuple(exact_text(one, places[POWERS[0]]) for one in sums),
        powers=(powers[0], powers[1], powers[2]),
    )


def _moments(own: Sequence[Cell], cells: Cells) -> dict[str, str]:
    places = cells.places or {}
    return {
        name: exact_text(sum(cell.sums[position] for cell in own), places[name])
        for position, name in enumerate(MOMENTS)
    }
