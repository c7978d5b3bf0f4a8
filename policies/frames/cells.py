"""The reduction: rows to weighted cells (groups x label x decision) with one streaming group-by.

A few cells hold all that rates, their intervals and their bootstrap need, are mergeable over shards, and hold no
person's row.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import polars as pl

from governance.check import Facts
from governance.errors import MeasurementRefused
from governance.types.manifest import Attribute, Manifest
from governance.types.results import Input
from policies.frames.coding import MAX_LEVELS, UNKNOWN, Level, bin_names, decode, level_name, place
from policies.frames.numbers import decision_expression, number_expression, refuse_unusable_numbers
from policies.frames.source import manifest_of, refusing_unreadable
from policies.frames.table import Table, open_table
from policies.statistics.counts import CellCount, CellName

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
class Cell:
    """Rows that share their levels, label and decision. ``label`` is None where no label column is declared.

    ``weight`` and ``squares`` are the sums of the weights and of their squares in units of ``1 / WEIGHT_UNIT`` and
    ``1 / SQUARE_UNIT``.
    """

    levels: tuple[Level, ...]
    label: bool | None
    decision: bool
    rows: int
    weight: int
    squares: int


@dataclass(frozen=True, slots=True)
class Cells:
    """All cells of the manifest's files: one level a cell for each of ``attributes``, in their order.

    ``expected`` holds the declared groups (or bins) of an attribute in their declared order, where there are any.
    """

    attributes: tuple[str, ...]
    expected: Mapping[str, tuple[str, ...]]
    cells: tuple[Cell, ...]
    is_weighted: bool
    inputs: tuple[Input, ...]

    @property
    def rows(self) -> int:
        """The number of rows behind the cells."""
        return sum(cell.rows for cell in self.cells)


def read_cells(facts: Facts, attributes: Sequence[str]) -> Cells:
    """The cells of the manifest's files over ``attributes``, in a fixed order whatever the order of the rows.

    Raises:
        MeasurementRefused: as ``open_table`` and ``decode`` say; also no decision and no score, a score without a
            threshold, numbers that are none, a weight that is missing, negative or out of range, or more
            than ``MAX_CELLS`` cells.
    """
    manifest = manifest_of(facts)
    roles = _roles(manifest)
    table = open_table(facts, [*attributes, *dict.fromkeys(roles.values())])
    frame = _grouped_columns(table, manifest, attributes, roles)
    grouped = _group(table, frame, [name for name in frame.collect_schema().names() if not name.startswith("sum ")])
    if len(grouped) > MAX_CELLS:
        raise MeasurementRefused(
            expected=f"at most {MAX_CELLS} combinations of groups, label and decision",
            found=f"{len(grouped)}",
            remedy="Declare groups or bins, or fewer sensitive attributes.",
        )
    cells = _decoded(table, manifest, attributes, grouped)
    expected = {
        name: tuple(_expected(manifest.sensitive[name])) for name in attributes if _expected(manifest.sensitive[name])
    }
    return Cells(
        attributes=tuple(attributes),
        expected=expected,
        cells=cells,
        is_weighted="weight" in roles,
        inputs=table.inputs(sum(cell.rows for cell in cells)),
    )


def confusion(cells: Iterable[Cell], *, weighted: bool) -> tuple[CellCount, ...]:
    """The cells summed by label and decision, as the record keeps them."""
    sums: dict[CellName, tuple[int, int, int]] = {}
    for cell in cells:
        name = _cell_name(cell)
        rows, weight, squares = sums.get(name, (0, 0, 0))
        sums[name] = (rows + cell.rows, weight + cell.weight, squares + cell.squares)
    return tuple(
        CellCount(
            cell=name,
            rows=rows,
            weight=_units(weight, WEIGHT_UNIT) if weighted else None,
            squares=_units(squares, SQUARE_UNIT) if weighted else None,
        )
        for name, (rows, weight, squares) in sorted(sums.items())
    )


def _cell_name(cell: Cell) -> CellName:
    if cell.label is None:
        return "selected" if cell.decision else "rejected"
    if cell.label:
        return "tp" if cell.decision else "fn"
    return "fp" if cell.decision else "tn"


def _units(count: int, unit: int) -> str:
    """A sum in units of ``1 / unit``, a power of ten, as its exact decimal text."""
    whole, fraction = divmod(count, unit)
    digits = len(str(unit)) - 1
    return f"{whole}.{fraction:0{digits}d}".rstrip("0").rstrip(".")


def _roles(manifest: Manifest) -> dict[str, str]:
    """The column of each role that the cells need."""
    columns = manifest.columns
    if columns.decision is None and columns.score is None:
        raise MeasurementRefused(
            expected="a column of decisions, or of scores with a threshold",
            found="neither in columns",
            remedy="Name columns.decision, or columns.score and the threshold.",
            pointer="/columns",
        )
    if columns.decision is None and manifest.threshold is None:
        raise MeasurementRefused(
            expected="the threshold from which a score is a positive decision",
            found=f"the score {columns.score!r} without one",
            remedy="Declare the threshold; a score is positive from there on (>=).",
            pointer="/threshold",
        )
    decision = {"decision": columns.decision} if columns.decision is not None else {"score": columns.score}
    roles = {"label": columns.label, **decision, "weight": columns.weight}
    return {role: name for role, name in roles.items() if name is not None}


def _grouped_columns(
    table: Table, manifest: Manifest, attributes: Sequence[str], roles: Mapping[str, str]
) -> pl.LazyFrame:
    """The keys of the group-by as columns ``attribute i``, ``label``, ``decision``, and the sums' ``sum ...``."""
    keys: list[pl.Expr] = []
    for position, name in enumerate(attributes):
        bins = manifest.sensitive[name].bins
        if bins is not None:
            refuse_unusable_numbers(table, name, f"the attribute {name!r}", nulls_allowed=True)
        keys.append((pl.col(name) if bins is None else _bin(name, bins)).alias(f"attribute {position}"))
    if "label" in roles:
        keys.append(pl.col(roles["label"]).alias("label"))
    if "score" in roles:
        refuse_unusable_numbers(table, roles["score"], f"the score {roles['score']!r}", nulls_allowed=False)
        keys.append(decision_expression(table, roles["score"], str(manifest.threshold)).alias("decision"))
    else:
        keys.append(pl.col(roles["decision"]).alias("decision"))
    if "weight" in roles:
        name = roles["weight"]
        refuse_unusable_numbers(
            table, name, f"the weight {name!r}", nulls_allowed=False, weights=(MIN_WEIGHT, MAX_WEIGHT)
        )
        weight = number_expression(name)
        keys.append((weight * WEIGHT_UNIT).round().cast(pl.Int128).alias("sum weight"))
        keys.append((weight * weight * SQUARE_UNIT).round().cast(pl.Int128).alias("sum squares"))
    _refuse_identifiers(table, manifest, attributes, roles)
    return table.frame.select(keys)


def _bin(name: str, edges: Sequence[float]) -> pl.Expr:
    """The index of the bin a number lies in, -1 outside of all, null where it is missing."""
    value = number_expression(name).fill_nan(None)
    index = pl.lit(-1, dtype=pl.Int32)
    last = len(edges) - 2
    for position, (lower, upper) in enumerate(pairwise(edges)):
        below = value <= upper if position == last else value < upper
        index = pl.when((value >= lower) & below).then(pl.lit(position, dtype=pl.Int32)).otherwise(index)
    return pl.when(value.is_not_null()).then(index)


def _refuse_identifiers(table: Table, manifest: Manifest, attributes: Sequence[str], roles: Mapping[str, str]) -> None:
    """Refuse columns that hold far too many values, from a look at the first rows."""
    with refusing_unreadable("the rows"):
        head = table.frame.head(_HEAD_ROWS).collect(engine="streaming")
    for role in ("label", "decision"):
        if role in roles and head[roles[role]].n_unique() > _MAX_CLASSES:
            counts = dict(head[roles[role]].value_counts(sort=True).iter_rows())
            _decode(table, manifest, role, roles[role], counts)
    for name in attributes:
        attribute = manifest.sensitive[name]
        if attribute.bins is None and head[name].n_unique() > MAX_LEVELS:
            place(name, dict.fromkeys(head[name].unique(), 1), Attribute(), is_text=name in table.text_only)


def _group(table: Table, frame: pl.LazyFrame, keys: list[str]) -> pl.DataFrame:
    sums = [pl.col(name).sum() for name in frame.collect_schema().names() if name not in keys]
    what = " and ".join(f"the {source.role}" for source in table.sources)
    with refusing_unreadable(what):
        grouped = frame.group_by(keys).agg(pl.len().alias("rows"), *sums).collect(engine="streaming")
    if grouped.is_empty():
        raise MeasurementRefused(
            expected="rows to measure", found="none", remedy="Send a file with rows; nothing is passed on no rows."
        )
    return grouped


def _decode(table: Table, manifest: Manifest, role: str, column: str, counts: Mapping[Any, int]) -> dict[Any, bool]:
    return decode(
        column,
        counts,
        positive=getattr(manifest.positive, role),
        negative=getattr(manifest.negative, role),
        is_text=column in table.text_only,
    )


def _counts(grouped: pl.DataFrame, key: str) -> dict[Any, int]:
    """The rows of each distinct value, in an order that does not depend on that of the rows."""
    totals = grouped.group_by(key).agg(pl.col("rows").sum())
    pairs = sorted(totals.iter_rows(), key=lambda pair: (-pair[1], repr(pair[0])))
    return dict(pairs)


def _decoded(table: Table, manifest: Manifest, attributes: Sequence[str], grouped: pl.DataFrame) -> tuple[Cell, ...]:
    columns = manifest.columns
    labels: dict[Any, bool | None] = {None: None}
    if columns.label is not None:
        labels = {**_decode(table, manifest, "label", columns.label, _counts(grouped, "label"))}
    decisions = {True: True, False: False}
    if columns.decision is not None:
        decisions = _decode(table, manifest, "decision", columns.decision, _counts(grouped, "decision"))
    levels = [
        _levels(table, name, manifest.sensitive[name], _counts(grouped, f"attribute {position}"))
        for position, name in enumerate(attributes)
    ]
    merged: dict[tuple[Any, ...], tuple[int, int, int]] = {}
    for row in grouped.iter_rows(named=True):
        places = tuple(levels[position][row[f"attribute {position}"]] for position in range(len(attributes)))
        key = (places, labels[row.get("label")], decisions[row["decision"]])
        rows, weight, squares = merged.get(key, (0, 0, 0))
        own = row["rows"]
        merged[key] = (
            rows + own,
            weight + row.get("sum weight", own * WEIGHT_UNIT),
            squares + row.get("sum squares", own * SQUARE_UNIT),
        )
    order = sorted(merged, key=lambda key: (key[0], str(key[1]), key[2]))
    return tuple(Cell(key[0], key[1], key[2], *merged[key]) for key in order)


def _levels(table: Table, name: str, attribute: Attribute, counts: Mapping[Any, int]) -> dict[Any, Level]:
    if attribute.bins is None:
        return place(name, counts, attribute, is_text=name in table.text_only)
    names = bin_names(attribute.bins)
    found = {index: Level("group", title) for index, title in enumerate(names)}
    return {**found, -1: Level("outside", "outside the bins"), None: UNKNOWN}


def _expected(attribute: Attribute) -> list[str]:
    if attribute.bins is not None:
        return bin_names(attribute.bins)
    return [level_name(group) for group in attribute.groups or ()]
