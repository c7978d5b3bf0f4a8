"""The same reduction as plain SQL, for rows that live in another engine: Spark SQL beyond one machine, or DuckDB.

Every number comes from the same double arithmetic as in ``policies.frames.grouping``, and sums are of whole numbers, so
that the cells are the same to the last digit.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import reduce
from itertools import pairwise
from typing import Any, Literal

import numpy as np

from governance.errors import MeasurementRefused
from governance.types.manifest import Manifest
from governance.types.results import Input
from policies.frames.grouping import (
    MAX_CELLS,
    MAX_WEIGHT,
    MIN_WEIGHT,
    SQUARE_UNIT,
    WEIGHT_UNIT,
    Grouped,
    Ranges,
    ranges_of,
    refuse_cells,
    scales,
)
from policies.frames.numbers import finite
from policies.frames.plan import Plan, plan_cells
from policies.frames.scale import MAX_BINS, ScoreScale, Slot, slot_width

Kind = Literal["text", "number", "float32", "boolean", "other"]
"""What a column holds, as the engine says."""

_HALF = 2**40
"""Summands are added in two halves: a floor of one engine is a 64-bit integer, and squares of weights need more."""


@dataclass(frozen=True, slots=True)
class Relation:
    """Rows in another engine: how a query is run, what they are called in it, and what their columns hold.

    ``name`` stands after FROM. ``run`` gives each row of the answer as a mapping. ``quote`` is the mark around names:
    a backtick in Spark SQL, a double quote in the standard. ``digest`` is that of the rows, for the record.
    """

    run: Callable[[str], Sequence[Mapping[str, Any]]]
    name: str
    columns: Mapping[str, Kind]
    digest: str
    quote: str = '"'
    role: str = "dataset"

    def column(self, name: str) -> str:
        """A column's name, quoted."""
        return self.quote + name.replace(self.quote, self.quote * 2) + self.quote

    def number(self, name: str) -> str:
        """A column as doubles."""
        return f"CAST({self.column(name)} AS DOUBLE)"


def group_with_sql(relation: Relation, manifest: Manifest, attributes: Sequence[str]) -> Grouped:
    """The groups of a relation's rows, as ``group_rows`` gives them of files.

    Raises:
        MeasurementRefused: columns are missing or of another kind; numbers are missing, none or out of range; a
            declared row id is missing or repeated; there are no rows, or too many groups.
    """
    plan = plan_cells(manifest, attributes, wants_scores=True)
    _refuse_columns(relation, plan, manifest)
    ranges = _ranges(relation, plan)
    slots = _score_slots(relation, plan, ranges.score) if plan.bins_scores else []
    places = ranges.places(plan)
    sums = _sums(relation, plan, places, ranges.shift)
    for scale in scales(slots, _cut(relation, plan)):
        rows = _group(relation, plan, _keys(relation, plan, scale), sums)
        if len(rows) <= MAX_CELLS:
            break
    refuse_cells(len(rows))
    return Grouped(plan, rows, frozenset(), _inputs(relation), scale, places, ranges.shift)


def _group(relation: Relation, plan: Plan, keys: Mapping[str, str], sums: Mapping[str, str]) -> list[dict[str, Any]]:
    """The groups with their rows and sums, at most one more than may be kept."""
    chosen = [f"{expression} AS {alias}" for alias, expression in keys.items()]
    chosen += [f"{part} AS {alias}" for name, one in sums.items() for alias, part in _halves(name, one).items()]
    totals = ["count(*) AS n", *(f"sum({name}_{half}) AS {name}_{half}" for name in sums for half in ("high", "low"))]
    by = f"GROUP BY {', '.join(keys)} LIMIT {MAX_CELLS + 1}" if keys else ""
    inner = _select(chosen or ["1 AS one"], relation.name)
    found = relation.run(_select([*keys, *totals], f"({inner}) AS grouped", by))
    return [_row(row, plan, list(sums)) for row in found if row["n"]]


def _select(chosen: Sequence[str], rows: str, ending: str = "") -> str:
    # Names are quoted by the relation, numbers are literals of this module, and nothing else comes from outside.
    return f"SELECT {', '.join(chosen)} FROM {rows} {ending}".rstrip()  # noqa: S608 - see above


def _inputs(relation: Relation) -> Callable[[int], tuple[Input, ...]]:
    return lambda rows: (Input(role=relation.role, digest=relation.digest, rows=rows),)


def _row(row: Mapping[str, Any], plan: Plan, sums: Sequence[str]) -> dict[str, Any]:
    """A row of the answer under the names of ``Grouped``."""
    found: dict[str, Any] = {f"attribute {index}": row[f"a{index}"] for index in range(len(plan.attributes))}
    found |= {name: row[key] for name, key in (("label", "y"), ("decision", "d"), ("bin", "b")) if key in row}
    found |= {f"sum {name}": int(row[f"{name}_high"]) * _HALF + int(row[f"{name}_low"]) for name in sums}
    return {**found, "rows": int(row["n"])}


def _refuse_columns(relation: Relation, plan: Plan, manifest: Manifest) -> None:
    row_id = manifest.columns.row_id
    missing = [name for name in (*plan.columns, *([row_id] if row_id else [])) if name not in relation.columns]
    if missing:
        raise MeasurementRefused(
            expected=f"the columns {', '.join(missing)}",
            found=f"only {', '.join(sorted(relation.columns)[:50])}",
            remedy="Correct the names in the manifest or add the columns.",
        )
    numbers = [plan.score, plan.prediction, plan.weight, plan.label if plan.prediction else None, *plan.bins]
    for name in numbers:
        if name is not None and relation.columns[name] not in ("number", "float32"):
            raise MeasurementRefused(
                expected=f"numbers in {name!r}",
                found=f"a column of {relation.columns[name]}",
                remedy="Write the column as numbers; text is not turned into numbers.",
                pointer=name,
            )
    if row_id is not None:
        key = relation.column(row_id)
        (found,) = relation.run(
            _select(["count(*) AS n", f"count({key}) AS filled", f"count(DISTINCT {key}) AS different"], relation.name)
        )
        if not found["n"] == found["filled"] == found["different"]:
            raise MeasurementRefused(
                expected=f"the row id {row_id!r} once each",
                found=f"{found['n']} rows, {found['filled']} with an id, {found['different']} different ones",
                remedy="Remove the duplicates; a row that counts twice changes every rate.",
            )


def _literal(number: float) -> str:
    """A double by its shortest decimal text."""
    return f"CAST('{number!r}' AS DOUBLE)"


def _ranges(relation: Relation, plan: Plan) -> Ranges:
    """One pass for ranges, and for numbers that are none."""
    named = {"score": plan.score, "prediction": plan.prediction, "weight": plan.weight}
    named |= {"label": plan.label} if plan.prediction is not None else {}
    columns = {role: relation.number(name) for role, name in named.items() if name is not None}
    infinite = _literal(float("inf")).replace("inf", "Infinity")
    chosen = []
    for role, value in columns.items():
        faults = {"missing": f"{value} IS NULL OR isnan({value})", "infinite": f"abs({value}) = {infinite}"}
        if role == "weight":
            faults["out of range"] = f"NOT ({value} = 0 OR {value} BETWEEN {MIN_WEIGHT} AND {MAX_WEIGHT})"
        chosen += [f"min({value}) AS {role}_lowest", f"max({value}) AS {role}_highest"]
        chosen += [
            f"sum(CASE WHEN {fault} THEN 1 ELSE 0 END) AS {role}_{name.replace(' ', '_')}"
            for name, fault in faults.items()
        ]
    for position, name in enumerate(plan.bins):
        chosen.append(f"sum(CASE WHEN abs({relation.number(name)}) = {infinite} THEN 1 ELSE 0 END) AS bins{position}")
    if not chosen:
        return Ranges()
    (found,) = relation.run(_select(chosen, relation.name))
    _refuse_faults(found, columns, plan)
    return ranges_of(
        {role: (float(found[f"{role}_lowest"] or 0.0), float(found[f"{role}_highest"] or 0.0)) for role in columns}
    )


def _refuse_faults(found: Mapping[str, Any], columns: Mapping[str, str], plan: Plan) -> None:
    faults = [
        f"{found[f'{role}_{name}']} rows {name.replace('_', ' ')} in the {role}"
        for role in columns
        for name in ("missing", "infinite", "out_of_range")
        if found.get(f"{role}_{name}")
    ]
    faults += [
        f"{found[f'bins{position}']} rows infinite in {name}"
        for position, name in enumerate(plan.bins)
        if found.get(f"bins{position}")
    ]
    if faults:
        raise MeasurementRefused(
            expected="finite numbers, and weights of 0 or in range",
            found=", ".join(faults),
            remedy="Correct or leave out those rows on purpose.",
        )


def _score_slots(relation: Relation, plan: Plan, score: tuple[float, float]) -> list[Slot]:
    value = relation.number(str(plan.score))
    few = relation.run(_select([f"DISTINCT {value} AS v"], relation.name, f"LIMIT {MAX_BINS + 1}"))
    low, width = score[0], slot_width(*score)
    slot = value if len(few) <= MAX_BINS else f"floor(({value} - {_literal(low)}) / {_literal(width)})"
    slotted = _select([f"{slot} AS slot", f"{value} AS v"], relation.name)
    numbers = ["slot", "count(*) AS n", "min(v) AS low", "max(v) AS high"]
    found = relation.run(_select(numbers, f"({slotted}) AS slots", "GROUP BY slot ORDER BY slot"))
    return [Slot(int(row["n"]), float(row["low"]), float(row["high"])) for row in found]


def _cut(relation: Relation, plan: Plan) -> float | None:
    if plan.cut is None or plan.score is None:
        return None
    cut = finite(plan.cut)
    return float(np.float32(cut)) if relation.columns[plan.score] == "float32" else cut


def _keys(relation: Relation, plan: Plan, scale: ScoreScale | None) -> dict[str, str]:
    keys = {
        f"a{position}": _bin(relation.number(name), plan.bins[name]) if name in plan.bins else relation.column(name)
        for position, name in enumerate(plan.attributes)
    }
    if plan.label is not None and plan.label_is_class:
        keys["y"] = relation.column(plan.label)
    cut = _cut(relation, plan)
    if plan.decision is not None:
        keys["d"] = relation.column(plan.decision)
    elif plan.threshold is not None and cut is not None:
        keys["d"] = f"({relation.number(str(plan.score))} >= {_literal(cut)})"
    if scale is not None:
        keys["b"] = _search(relation.number(str(plan.score)), scale.edges, 0, len(scale.edges))
    return keys


def _bin(value: str, edges: Sequence[float]) -> str:
    """The index of the bin a number lies in, -1 outside of all, null where it is missing."""
    pairs = list(pairwise(edges))
    parts = [
        f"WHEN {value} >= {_literal(low)} AND {value} {'<=' if index == len(pairs) - 1 else '<'} {_literal(high)} "
        f"THEN {index}"
        for index, (low, high) in enumerate(pairs)
    ]
    return f"(CASE WHEN {value} IS NULL OR isnan({value}) THEN NULL {' '.join(parts)} ELSE -1 END)"


def _search(value: str, edges: Sequence[float], start: int, end: int) -> str:
    """A search by halves for the last edge that is not above the value, as one expression."""
    if end - start == 1:
        return str(start)
    middle = (start + end) // 2
    below, above = _search(value, edges, start, middle), _search(value, edges, middle, end)
    return f"(CASE WHEN {value} < {_literal(edges[middle])} THEN {below} ELSE {above} END)"


def _sums(relation: Relation, plan: Plan, places: Mapping[str, int], shift: float) -> dict[str, str]:
    """The summands by name, not yet rounded to whole numbers; operations stand in the order of the other engine."""
    weight = _literal(1.0) if plan.weight is None else relation.number(plan.weight)
    found: dict[str, str] = {}
    if plan.weight is not None:
        found["weight"] = f"({weight} * {_literal(float(WEIGHT_UNIT))})"
        found["squares"] = f"({weight} * {weight} * {_literal(float(SQUARE_UNIT))})"
    parts = _moments(relation, plan, shift) if plan.prediction is not None else {}
    if plan.bins_scores:
        score = relation.number(str(plan.score))
        parts = {f"score_{power}": _power(score, power) for power in range(1, 5)}
    found |= {name: f"({part} * {weight} * {_literal(10.0 ** places[name])})" for name, part in parts.items()}
    return found


def _power(value: str, power: int) -> str:
    return reduce(lambda product, factor: f"({product} * {factor})", [value] * power)


def _moments(relation: Relation, plan: Plan, shift: float) -> dict[str, str]:
    label = relation.number(str(plan.label))
    error = f"({relation.number(str(plan.prediction))} - {label})"
    centred = f"({label} - {_literal(shift)})"
    square = f"({error} * {error})"
    return {
        "error": error,
        "absolute": f"abs({error})",
        "error_2": square,
        "error_4": f"({square} * {square})",
        **{f"label_{power}": _power(centred, power) for power in range(1, 5)},
        "cross_1": f"({square} * {centred})",
        "cross_2": f"(({square} * {centred}) * {centred})",
    }


def _halves(name: str, summand: str) -> dict[str, str]:
    """A summand, rounded with halves up, as whole multiples of 2**40 and the rest; both exact."""
    rounded = f"({summand} + {_literal(0.5)})"
    high = f"floor({rounded} / {_literal(float(_HALF))})"
    low = f"floor({rounded} - CAST({high} AS DOUBLE) * {_literal(float(_HALF))})"
    return {
        f"{name}_high": f"CAST(CAST({high} AS BIGINT) AS DECIMAL(38, 0))",
        f"{name}_low": f"CAST(CAST({low} AS BIGINT) AS DECIMAL(38, 0))",
    }
