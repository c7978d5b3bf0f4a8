"""Published tables of counts as cells: a line a group, with its people and how many of them were selected."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from governance.check import Facts
from governance.errors import MeasurementRefused
from governance.types.manifest import Manifest
from governance.types.results import Input
from policies.frames.cells import Cell, Cells
from policies.frames.coding import Level, is_missing, level_name, place
from policies.frames.grouping import MAX_CELLS, SQUARE_UNIT, WEIGHT_UNIT
from policies.frames.source import Source, manifest_of, open_counts, refusing_unreadable

TABLE, PEOPLE, SELECTED = "table", "n", "selected"
"""The columns of a counts table beside those of the sensitive attributes."""

_WHOLE = re.compile(r"[0-9]{1,12}")
MAX_PEOPLE = 10**12 - 1
"""More people than this in one line are refused as a slip."""


@dataclass(frozen=True, slots=True)
class CountedTables:
    """The cells of each published table by its attributes, and those of all people.

    Tables of one publication need not agree; ``everybody`` is the one with the most people, the first of several.
    """

    tables: Mapping[tuple[str, ...], Cells]
    everybody: Cells


def read_counts(facts: Facts, tables: Sequence[tuple[str, ...]]) -> CountedTables:
    """The counts of ``tables``, each a tuple of attributes.

    The file has the columns ``n`` and ``selected``, one for each sensitive attribute, and, where it holds several
    tables, ``table``: the attribute's name, or ``sex*race`` for an intersection. Without ``table`` each line is a
    combination of all attributes, and the tables are sums over it. An empty category is unknown.

    Raises:
        MeasurementRefused: a column is missing; ``n`` or ``selected`` is no whole number, or ``selected`` exceeds
            ``n``; a group occurs twice; a table is missing, undeclared, or fills another table's column; an
            attribute has bins; there are no lines, or more than ``MAX_CELLS``.
    """
    manifest = manifest_of(facts)
    attributes = tuple(sorted(manifest.sensitive))
    _refuse_bins(manifest)
    source = open_counts(facts)
    lines = _lines(source, attributes)
    levels = {name: _levels(manifest, name, lines, is_text=source.is_text) for name in attributes}
    inputs = (Input(role=source.role, digest=source.digest, rows=len(lines)),)
    expected = {
        name: tuple(level_name(group) for group in groups)
        for name in attributes
        if (groups := manifest.sensitive[name].groups)
    }
    by_table = _by_table(lines, tables, attributes, is_named=TABLE in source.schema)
    read = {
        names: Cells(
            attributes=names,
            expected={name: groups for name, groups in expected.items() if name in names},
            cells=_cells(own, names, levels),
            is_weighted=False,
            inputs=inputs,
        )
        for names, own in by_table.items()
    }
    everybody = max(read.values(), key=lambda cells: cells.rows)
    return CountedTables({names: read.get(names, everybody) for names in tables}, everybody)


def _refuse_bins(manifest: Manifest) -> None:
    binned = [name for name, attribute in manifest.sensitive.items() if attribute.bins is not None]
    if binned:
        raise MeasurementRefused(
            expected="attributes whose groups the counts name",
            found=f"bins of {', '.join(binned)}, which only rows can be sorted into",
            remedy="Declare the groups as the counts table names them.",
            pointer=f"/sensitive/{binned[0]}/bins",
        )


def counts_lines(facts: Facts, attributes: Sequence[str]) -> tuple[list[dict[str, Any]], tuple[Input, ...]]:
    """The lines of the manifest's counts, ``n`` and ``selected`` as whole numbers, with what was read.

    Raises:
        MeasurementRefused: as ``read_counts`` says of columns, numbers and the number of lines.
    """
    source = open_counts(facts)
    lines = _lines(source, attributes)
    return lines, (Input(role=source.role, digest=source.digest, rows=len(lines)),)


def _lines(source: Source, attributes: Sequence[str]) -> list[dict[str, Any]]:
    wanted = [*attributes, PEOPLE, SELECTED]
    missing = [name for name in wanted if name not in source.schema]
    repeated = sorted(source.repeated.intersection([*wanted, TABLE]))
    if missing or repeated:
        raise MeasurementRefused(
            expected=f"the columns {', '.join(wanted)} once each",
            found=f"{', '.join(missing)} missing" if missing else f"{', '.join(repeated)} repeated",
            remedy="A counts table has one column for each sensitive attribute, n and selected.",
            pointer="/counts",
        )
    columns = [TABLE, *wanted] if TABLE in source.schema else wanted
    with refusing_unreadable("the counts"):
        frame = source.frame.select(columns).head(MAX_CELLS + 1).collect(engine="streaming")
    if not 0 < len(frame) <= MAX_CELLS:
        raise MeasurementRefused(
            expected=f"between 1 and {MAX_CELLS} lines of counts",
            found="more" if len(frame) else "none",
            remedy="Send one line for each group.",
            pointer="/counts",
        )
    return _numbered(frame)


def _numbered(frame: pl.DataFrame) -> list[dict[str, Any]]:
    """The lines with their two numbers as whole numbers."""
    lines = list(frame.iter_rows(named=True))
    for number, line in enumerate(lines, start=1):
        people, selected = _whole(line[PEOPLE]), _whole(line[SELECTED])
        if people is None or selected is None or selected > people:
            raise MeasurementRefused(
                expected=f"whole numbers with 0 <= selected <= n <= {MAX_PEOPLE} in every line",
                found=f"n {line[PEOPLE]!r} and selected {line[SELECTED]!r} in line {number}",
                remedy="Write counts of people; shares and rounded rates are not counts.",
                pointer="/counts",
            )
        line |= {PEOPLE: people, SELECTED: selected}
    return lines


def _whole(value: Any) -> int | None:
    """A whole number of people, None where it is anything else."""
    if isinstance(value, str):
        return int(value) if _WHOLE.fullmatch(value) else None
    if isinstance(value, bool) or not isinstance(value, int):
        return None
    return value if 0 <= value <= MAX_PEOPLE else None


def _levels(manifest: Manifest, name: str, lines: Sequence[Mapping[str, Any]], *, is_text: bool) -> dict[Any, Level]:
    counts: dict[Any, int] = {}
    for line in lines:
        counts[line[name]] = counts.get(line[name], 0) + 1
    return place(name, counts, manifest.sensitive[name], is_text=is_text)


def _by_table(
    lines: list[dict[str, Any]], tables: Sequence[tuple[str, ...]], attributes: tuple[str, ...], *, is_named: bool
) -> dict[tuple[str, ...], list[dict[str, Any]]]:
    """The lines of each table; without names all lines are one table of every attribute."""
    if not is_named:
        return {attributes: lines}
    titles = {"*".join(names): names for names in tables}
    found: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for line in lines:
        names = titles.get(line[TABLE])
        if names is not None:
            _refuse_filled(line, names, attributes)
            found.setdefault(names, []).append(line)
    strange = sorted({str(line[TABLE]) for line in lines if line[TABLE] not in titles})
    absent = [title for title, names in titles.items() if names not in found]
    if strange or absent:
        raise MeasurementRefused(
            expected=f"exactly the tables {', '.join(titles)}",
            found=f"{', '.join(strange[:20])} undeclared" if strange else f"{', '.join(absent)} missing",
            remedy="Name tables as the manifest does: an attribute, or a declared intersection as sex*race.",
            pointer="/intersections" if strange else "/counts",
        )
    return found


def _refuse_filled(line: Mapping[str, Any], names: tuple[str, ...], attributes: Sequence[str]) -> None:
    filled = [name for name in attributes if name not in names and not _is_empty(line[name])]
    if filled:
        raise MeasurementRefused(
            expected=f"only {', '.join(names)} filled in the table {line[TABLE]!r}",
            found=f"{filled[0]} {line[filled[0]]!r}",
            remedy="Leave the columns of other attributes empty, or name the line's table after all it fills.",
            pointer="/counts",
        )


def _is_empty(value: Any) -> bool:
    return is_missing(value) or (isinstance(value, str) and not value.strip())


def _cells(
    lines: Sequence[Mapping[str, Any]], names: tuple[str, ...], levels: Mapping[str, Mapping[Any, Level]]
) -> tuple[Cell, ...]:
    """Two cells a line, in a fixed order. Unknown and undeclared categories may stand in several lines."""
    seen: set[tuple[Any, ...]] = set()
    cells = []
    for line in lines:
        places = tuple(levels[name][line[name]] for name in names)
        if places in seen and all(level.kind == "group" for level in places):
            raise MeasurementRefused(
                expected="each group in one line of its table",
                found=f"{' / '.join(level.name for level in places)} more than once",
                remedy="Remove the repeated line; people who count twice change every rate.",
                pointer="/counts",
            )
        seen.add(places)
        cells += [_cell(places, line[SELECTED], decision=True)]
        cells += [_cell(places, line[PEOPLE] - line[SELECTED], decision=False)]
    return tuple(sorted(cells, key=lambda cell: (cell.levels, cell.decision, cell.rows)))


def _cell(places: tuple[Level, ...], people: int, *, decision: bool) -> Cell:
    return Cell(places, None, decision, people, people * WEIGHT_UNIT, people * SQUARE_UNIT)
