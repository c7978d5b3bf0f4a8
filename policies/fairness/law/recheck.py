"""A published table of impact ratios, computed again: what reproduces, and what cannot be true. Pure.

A table is read in two ways: against its highest rate, and against the highest rate among groups of at least 2 % of its
people. Rates are taken as printed, since that is what a reader can check; without a column of rates, from the counts.
"""

import csv
import io
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from governance.errors import InputRefused
from policies.fairness.law.sample import exact_score

TOLERANCE = Fraction("0.012")
"""How far a printed ratio may lie from the computed one: both rates and the ratio are rounded to two places."""

RATE_TOLERANCE = Fraction("0.005")
"""How far a printed rate may lie from its counts: half of the second place."""

_COLUMNS: Mapping[str, tuple[str, ...]] = {
    "n": ("n", "n_applicants", "number_of_applications"),
    "selected": ("selected", "n_selected", "n_above_median", "n_selected_or_n_above_median"),
    "rate": ("rate", "selection_rate", "scoring_rate", "result"),
    "ratio": ("impact_ratio", "ratio"),
}
_TABLE = ("audit_id", "selection_or_scoring_rate", "position", "table", "protected_char_group")
_CATEGORY = ("sex", "race_ethnicity", "group", "category")
_UNKNOWN = frozenset({"unknown", "missing/unknown"})

Reading = Literal["highest_rate", "two_percent_exclusion", "neither", "no_ratios"]
"""Under which reading every printed ratio of a table reproduces; the first of several."""


@dataclass(frozen=True, slots=True)
class PublishedRow:
    """A line of a publication: its table, its category, and the numbers that are printed of it."""

    line: int
    table: str
    category: str
    is_unknown: bool
    n: Fraction | None
    selected: Fraction | None
    rate: Fraction | None
    ratio: Fraction | None


@dataclass(frozen=True, slots=True)
class RecheckedRow:
    """A row with the ratios that its table's rates give in the two readings, and whether the printed one is that.

    ``reproduces_...`` is null where no ratio is printed. ``impossible`` names what cannot be true of it. ``is_small``:
    fewer than ``min_group_size`` people, whose ratio says little; ``may_be_excluded``: under 2 % of the table.
    """

    published: PublishedRow
    ratio_to_highest: Fraction | None
    ratio_under_exclusion: Fraction | None
    reproduces_highest: bool | None
    reproduces_exclusion: bool | None
    impossible: tuple[str, ...]
    is_small: bool
    may_be_excluded: bool


@dataclass(frozen=True, slots=True)
class RecheckedTable:
    """One published table under the reading that fits."""

    name: str
    reading: Reading
    rows: tuple[RecheckedRow, ...]


def read_published(text: str) -> tuple[PublishedRow, ...]:
    """The rows of a CSV with a column of ratios, and of rates or of ``n`` and ``selected``.

    Lines of one table share its name columns (``table``, ``protected_char_group``, ``audit_id``, ``position``,
    ``selection_or_scoring_rate``, those that are there); a line whose category is empty or unknown takes no part.

    Raises:
        InputRefused: columns are missing or ambiguous, a line is longer or shorter than the header, a number is
            none, or there are no lines.
    """
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff")), strict=True)
    try:
        header, *lines = [(reader.line_num, line) for line in reader if line]
    except (csv.Error, ValueError) as fault:
        raise InputRefused(
            expected="a CSV with a header", found=str(fault)[:200], remedy="Write the table as CSV in UTF-8."
        ) from fault
    names = header[1]
    _refuse_ambiguous(names)
    columns = {role: next((name for name in options if name in names), None) for role, options in _COLUMNS.items()}
    categories = [name for name in _CATEGORY if name in names]
    _refuse_missing(columns, categories, is_empty=not lines)
    rows = []
    for number, line in lines:
        if len(line) != len(names):
            raise InputRefused(
                expected=f"{len(names)} fields in line {number}", found=f"{len(line)}", remedy="Correct the line."
            )
        cells = dict(zip(names, line, strict=True))
        levels = [cells[name].strip() for name in categories if cells[name].strip()]
        rows.append(
            PublishedRow(
                line=number,
                table=" / ".join(cells[name].strip() for name in _TABLE if name in cells) or "table",
                category=" / ".join(level for level in levels if level.casefold() != "total") or "total",
                is_unknown=not levels or any(level.casefold() in _UNKNOWN for level in levels),
                **{role: _number(cells, name, number) for role, name in columns.items()},
            )
        )
    return tuple(_with_rates(rows) if columns["rate"] is None else rows)


def recheck(
    rows: Iterable[PublishedRow], *, tolerance: Fraction = TOLERANCE, min_group_size: int = 30
) -> tuple[RecheckedTable, ...]:
    """Each published table under its readings, in the order of the file."""
    tables: dict[str, list[PublishedRow]] = {}
    for row in rows:
        tables.setdefault(row.table, []).append(row)
    return tuple(_recheck(name, own, tolerance, min_group_size) for name, own in tables.items())


def _refuse_ambiguous(names: Sequence[str]) -> None:
    """Refuse a header in which two columns could be the one that is meant."""
    repeated = [name for name in names if names.count(name) > 1]
    several = [[name for name in options if name in names] for options in _COLUMNS.values()]
    doubtful = repeated or next((found for found in several if len(found) > 1), [])
    if doubtful:
        raise InputRefused(
            expected="one column for each of people, selected, rate and ratio",
            found=", ".join(doubtful[:10]),
            remedy="Leave one of them, so that nobody has to guess which is meant.",
        )


def _refuse_missing(columns: Mapping[str, str | None], categories: Sequence[str], *, is_empty: bool) -> None:
    has_rates = columns["rate"] is not None or None not in (columns["n"], columns["selected"])
    if columns["ratio"] is not None and has_rates and categories and not is_empty:
        return
    raise InputRefused(
        expected=f"lines with {' or '.join(_COLUMNS['ratio'])}, a rate ({', '.join(_COLUMNS['rate'])}) or counts "
        f"({_COLUMNS['n'][0]}, {_COLUMNS['selected'][0]}), and a category ({', '.join(_CATEGORY)})",
        found="no lines" if is_empty else f"only {', '.join(sorted(str(name) for name in columns.values() if name))}",
        remedy="Name the columns so, and write one line for each group.",
    )


def _number(cells: Mapping[str, str], name: str | None, line: int) -> Fraction | None:
    """The exact number of a cell, null where it is empty or there is no such column."""
    text = "" if name is None else cells[name].strip()
    if not text:
        return None
    try:
        return exact_score(text)
    except InputRefused as fault:
        raise InputRefused(
            expected=f"a decimal number for {name} in line {line}", found=repr(text)[:60], remedy="Correct the number."
        ) from fault


def _with_rates(rows: Iterable[PublishedRow]) -> list[PublishedRow]:
    """The rows with the rates of their counts."""
    return [
        PublishedRow(
            row.line, row.table, row.category, row.is_unknown, row.n, row.selected, _counted_rate(row), row.ratio
        )
        for row in rows
    ]


def _counted_rate(row: PublishedRow) -> Fraction | None:
    return row.selected / row.n if row.n and row.selected is not None else None


def _recheck(name: str, rows: Sequence[PublishedRow], tolerance: Fraction, min_group_size: int) -> RecheckedTable:
    known = [row for row in rows if not row.is_unknown]
    people = sum((row.n or Fraction(0) for row in known), Fraction(0))
    large = [row for row in known if not _is_under(row, people)]
    highest, excluding = _top(known), _top(large)
    lines = Counter(row.category for row in known)
    found = []
    for row in rows:
        ratios = [None if row.is_unknown or not top else _quotient(row.rate, top) for top in (highest, excluding)]
        fits = [_fits(row, ratio, tolerance) for ratio in ratios]
        found.append(
            RecheckedRow(
                published=row,
                ratio_to_highest=ratios[0],
                ratio_under_exclusion=ratios[1],
                reproduces_highest=fits[0],
                reproduces_exclusion=fits[1],
                impossible=(*_impossible(row), *(["category_twice"] if lines[row.category] > 1 else [])),
                is_small=row.n is not None and row.n < min_group_size and not row.is_unknown,
                may_be_excluded=not row.is_unknown and row.n is not None and _is_under(row, people),
            )
        )
    return RecheckedTable(name, _reading(found), tuple(found))


def _is_under(row: PublishedRow, people: Fraction) -> bool:
    """Whether a row is under 2 % of the table's people; a row that prints no people is too."""
    return 50 * (row.n or 0) < people


def _top(rows: Iterable[PublishedRow]) -> Fraction | None:
    return max((row.rate for row in rows if row.rate is not None), default=None)


def _quotient(rate: Fraction | None, top: Fraction) -> Fraction | None:
    return None if rate is None else rate / top


def _fits(row: PublishedRow, ratio: Fraction | None, tolerance: Fraction) -> bool | None:
    """Whether the printed ratio is ``ratio``; a ratio that is printed without a rate does not reproduce."""
    if row.ratio is None:
        return None
    return ratio is not None and abs(row.ratio - ratio) <= tolerance


def _impossible(row: PublishedRow) -> Iterable[str]:
    """What cannot be true of a row, whichever group is the reference among those with the highest rate."""
    counted = _counted_rate(row)
    if row.selected is not None and row.n is not None and row.selected > row.n:
        yield "more_selected_than_people"
    if any(number is not None and number < 0 for number in (row.n, row.selected, row.rate, row.ratio)):
        yield "negative_number"
    if row.rate is not None and row.rate > 1:
        yield "rate_above_1"
    if row.ratio is not None and row.ratio > 1:
        yield "ratio_above_1"
    if counted is not None and row.rate is not None and abs(counted - row.rate) > RATE_TOLERANCE:
        yield "rate_is_not_that_of_the_counts"
    if row.ratio is not None and row.n == 0:
        yield "ratio_of_nobody"


def _reading(rows: Sequence[RecheckedRow]) -> Reading:
    printed = [row for row in rows if row.published.ratio is not None]
    if not printed:
        return "no_ratios"
    if all(row.reproduces_highest for row in printed):
        return "highest_rate"
    return "two_percent_exclusion" if all(row.reproduces_exclusion for row in printed) else "neither"
