"""The reduction: rows to weighted cells (groups x label x decision x score bin) with one streaming group-by.

A few cells hold all that rates, their intervals and their bootstrap need, are mergeable over shards, and hold no
person's row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from governance.check import Facts
from governance.types.manifest import Attribute, Coding, Manifest, Scalar
from governance.types.results import Input
from policies.frames.coding import UNKNOWN, Level, bin_names, decode, level_name, place
from policies.frames.grouping import SQUARE_UNIT, WEIGHT_UNIT, Grouped, group_rows
from policies.frames.plan import plan_cells
from policies.frames.scale import ScoreScale
from policies.frames.source import manifest_of
from policies.frames.table import open_table
from policies.statistics.counts import CellCount, CellName


@dataclass(frozen=True, slots=True)
class Cell:
    """Rows that share their levels, label and decision. Either is None where no such column is declared.

    ``weight`` and ``squares`` are the sums of the weights and of their squares in units of ``1 / WEIGHT_UNIT`` and
    ``1 / SQUARE_UNIT``. ``bin`` is that of the score, where scores are binned; ``sums`` are those of the plan, in
    its order and in units of ``10**-places``.
    """

    levels: tuple[Level, ...]
    label: bool | None
    decision: bool | None
    rows: int
    weight: int
    squares: int
    bin: int | None = None
    sums: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class Cells:
    """All cells of the manifest's files: one level a cell for each of ``attributes``, in their order.

    ``expected`` holds the declared groups (or bins) of an attribute in their declared order, where there are any.
    ``places`` names the sums of each cell with their decimal places, and ``shift`` what labels of a regression are
    measured from.
    """

    attributes: tuple[str, ...]
    expected: Mapping[str, tuple[str, ...]]
    cells: tuple[Cell, ...]
    is_weighted: bool
    inputs: tuple[Input, ...]
    scale: ScoreScale | None = None
    places: Mapping[str, int] | None = None
    shift: float = 0.0

    @property
    def rows(self) -> int:
        """The number of rows behind the cells."""
        return sum(cell.rows for cell in self.cells)


def read_cells(facts: Facts, attributes: Sequence[str]) -> Cells:
    """The cells of the manifest's files over ``attributes``, in a fixed order whatever the order of the rows.

    Raises:
        MeasurementRefused: as ``open_table``, ``group_rows`` and ``decode`` say; also no decision and no score, or a
            score without a threshold.
    """
    manifest = manifest_of(facts)
    return cells_of(_grouped(facts, attributes, wants_scores=False), manifest)


def read_all_cells(facts: Facts, attributes: Sequence[str]) -> dict[str, Cells]:
    """The cells with their scores binned, by the class that is held against the rest; of two classes under ``""``.

    Decisions may be missing here: scores, predicted numbers, labels alone or groups alone are reduced as well.

    Raises:
        MeasurementRefused: as ``read_cells`` says, and as ``cells_by_class``.
    """
    return cells_by_class(_grouped(facts, attributes, wants_scores=True), manifest_of(facts))


def _grouped(facts: Facts, attributes: Sequence[str], *, wants_scores: bool) -> Grouped:
    manifest = manifest_of(facts)
    plan = plan_cells(manifest, attributes, wants_scores=wants_scores)
    return group_rows(open_table(facts, plan.columns), manifest, plan)


def cells_by_class(grouped: Grouped, manifest: Manifest) -> dict[str, Cells]:
    """The cells of each class against the rest, by its name; where no classes are declared, those of ``""``.

    Raises:
        MeasurementRefused: a class is none of those declared, or as ``decode`` says.
    """
    if not manifest.classes:
        return {"": cells_of(grouped, manifest)}
    named = manifest.positive.decision
    chosen = manifest.classes if named is None else named if isinstance(named, tuple) else (named,)
    return {level_name(one): cells_of(grouped, _one_against_rest(manifest, one)) for one in chosen}


def _one_against_rest(manifest: Manifest, one: Scalar) -> Manifest:
    """The manifest with one class as the positive value and the other declared ones as the negative."""
    rest = tuple(other for other in manifest.classes if other != one)
    is_labelled = manifest.columns.label is not None
    return manifest.model_copy(
        update={
            "positive": Coding(decision=one, label=one if is_labelled else None),
            "negative": Coding(decision=rest, label=rest if is_labelled else None),
        }
    )


def cells_of(grouped: Grouped, manifest: Manifest) -> Cells:
    """The groups with their values decoded.

    Raises:
        MeasurementRefused: as ``decode`` and ``place`` say.
    """
    plan = grouped.plan
    cells = _decoded(grouped, manifest)
    expected = {name: tuple(_expected(manifest.sensitive[name])) for name in plan.attributes}
    return Cells(
        attributes=plan.attributes,
        expected={name: groups for name, groups in expected.items() if groups},
        cells=cells,
        is_weighted=plan.weight is not None,
        inputs=grouped.inputs(sum(cell.rows for cell in cells)),
        scale=grouped.scale,
        places=grouped.places,
        shift=grouped.shift,
    )


def confusion(cells: Iterable[Cell], *, weighted: bool) -> tuple[CellCount, ...]:
    """The cells summed by label and decision, as the record keeps them."""
    sums: dict[CellName, tuple[int, int, int]] = {}
    for cell in cells:
        name = cell_name(cell.label, cell.decision)
        rows, weight, squares = sums.get(name, (0, 0, 0))
        sums[name] = (rows + cell.rows, weight + cell.weight, squares + cell.squares)
    return tuple(
        CellCount(
            cell=name,
            rows=rows,
            weight=weight_text(weight) if weighted else None,
            squares=_units(squares, SQUARE_UNIT) if weighted else None,
        )
        for name, (rows, weight, squares) in sorted(sums.items())
    )


def cell_name(label: bool | None, decision: bool | None) -> CellName:
    """The name of a cell by what is known of its rows."""
    if decision is None:
        return "counted" if label is None else "positive" if label else "negative"
    if label is None:
        return "selected" if decision else "rejected"
    if label:
        return "tp" if decision else "fn"
    return "fp" if decision else "tn"


def weight_text(weight: int) -> str:
    """A sum of weights as its exact decimal text."""
    return _units(weight, WEIGHT_UNIT)


def _units(count: int, unit: int) -> str:
    """A sum in units of ``1 / unit``, a power of ten, as its exact decimal text."""
    whole, fraction = divmod(count, unit)
    digits = len(str(unit)) - 1
    return f"{whole}.{fraction:0{digits}d}".rstrip("0").rstrip(".")


def _decode(grouped: Grouped, manifest: Manifest, role: str, column: str) -> dict[Any, bool]:
    return decode(
        column,
        _counts(grouped, role),
        positive=getattr(manifest.positive, role),
        negative=getattr(manifest.negative, role),
        is_text=column in grouped.text_only,
    )


def _counts(grouped: Grouped, key: str) -> dict[Any, int]:
    """The rows of each distinct value, in an order that does not depend on that of the rows."""
    totals: dict[Any, int] = {}
    for row in grouped.rows:
        totals[row[key]] = totals.get(row[key], 0) + row["rows"]
    return dict(sorted(totals.items(), key=lambda pair: (-pair[1], repr(pair[0]))))


def _decoded(grouped: Grouped, manifest: Manifest) -> tuple[Cell, ...]:
    plan = grouped.plan
    labels: dict[Any, bool | None] = {None: None}
    if plan.label is not None and plan.label_is_class:
        labels = {**_decode(grouped, manifest, "label", plan.label)}
    decisions: dict[Any, bool | None] = {True: True, False: False, None: None}
    if plan.decision is not None:
        decisions = {**_decode(grouped, manifest, "decision", plan.decision)}
    levels = [
        _levels(grouped, name, manifest.sensitive[name], f"attribute {position}")
        for position, name in enumerate(plan.attributes)
    ]
    merged: dict[tuple[Any, ...], tuple[int, ...]] = {}
    for row in grouped.rows:
        places = tuple(levels[position][row[f"attribute {position}"]] for position in range(len(plan.attributes)))
        key = (places, labels[row.get("label")], decisions[row.get("decision")], row.get("bin"))
        own = row["rows"]
        weights = (row.get("sum weight", own * WEIGHT_UNIT), row.get("sum squares", own * SQUARE_UNIT))
        numbers = (own, *weights, *(row[f"sum {name}"] for name in plan.sums))
        merged[key] = tuple(map(sum, zip(merged[key], numbers, strict=True))) if key in merged else numbers
    order = sorted(merged, key=lambda key: (key[0], str(key[1]), str(key[2]), -1 if key[3] is None else key[3]))
    return tuple(_cell(key, merged[key]) for key in order)


def _cell(key: tuple[Any, ...], numbers: tuple[int, ...]) -> Cell:
    rows, weight, squares, *sums = numbers
    levels, label, decision, position = key
    return Cell(levels, label, decision, rows, weight, squares, bin=position, sums=tuple(sums))


def _levels(grouped: Grouped, name: str, attribute: Attribute, key: str) -> dict[Any, Level]:
    if attribute.bins is None:
        return place(name, _counts(grouped, key), attribute, is_text=name in grouped.text_only)
    names = bin_names(attribute.bins)
    found = {index: Level("group", title) for index, title in enumerate(names)}
    return {**found, -1: Level("outside", "outside the bins"), None: UNKNOWN}


def _expected(attribute: Attribute) -> list[str]:
    if attribute.bins is not None:
        return bin_names(attribute.bins)
    return [level_name(group) for group in attribute.groups or ()]
