"""The rules over the rows of a file, piece by piece: counts are exact, examples few, memory that of one piece."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from policies.frames.keys import Side, repeated
from policies.frames.pieces import each_piece
from policies.frames.source import Source
from policies.schema.checks import TEXT_LENGTH, Rule
from policies.schema.source import Delivered

EXAMPLES = 10
"""Rows that are named for each rule that fails."""

CELLS = 2_000_000
"""Cells of a piece: with twenty columns 100,000 rows, about 16 MB of numbers."""

MOST_PIECES = 1_000
"""A hint of smaller pieces is followed up to here; each piece costs every rule a call of the library."""


@dataclass(slots=True)
class Tally:
    """What is known of a rule so far: the rows that break it, and the first of them with their values."""

    failures: int = 0
    examples: list[dict[str, Any]] = field(default_factory=list)


def piece_rows(columns: int, rows: int, hint: int | None) -> int:
    """The rows of one piece of a file of so many columns and rows; ``hint`` is what the document asks for."""
    usual = max(1000, CELLS // max(1, columns))
    return usual if hint is None else max(min(hint, usual), rows // MOST_PIECES + 1)


def tallied(
    rules: Sequence[Rule],
    source: Source,
    delivered: Delivered,
    masks: Mapping[str, str],
    *,
    rows: int,
    hint: int | None,
) -> list[Tally | None]:
    """What breaks each rule, in their order; None for a rule that cannot be evaluated.

    ``masks`` says by column what is shown in place of its values. The file has ``rows``, and the document asks for
    pieces of ``hint``.
    """
    tallies = [None if rule.obstacle else Tally() for rule in rules]
    judged = [(rule, tally) for rule, tally in zip(rules, tallies, strict=True) if tally is not None]
    by_row = [(rule, tally) for rule, tally in judged if rule.check is not None]
    wanted = sorted({name for rule, _ in by_row for name in rule.columns})
    if wanted:
        readings = [reading for reading in delivered.readings if reading.meta.output_name() in wanted]
        counting = _Counting(by_row, masks, readings)
        each_piece(source, wanted, counting.take, rows=rows, size=piece_rows(len(wanted), rows, hint))
    for rule, tally in judged:
        if rule.check is None:
            keys = Side(delivered.typed, rule.columns, is_parquet=source.format == "parquet")
            found = repeated(keys, examples=EXAMPLES)
            tally.failures = found.rows
            tally.examples = _examples_of(rule, delivered, found.first, masks)
    return tallies


@dataclass(slots=True)
class _Counting:
    """The rules over rows with what is known of them, and the rows gone through."""

    by_row: Sequence[tuple[Rule, Tally]]
    masks: Mapping[str, str]
    readings: Sequence[pl.Expr]
    start: int = 0

    def take(self, raw: pl.DataFrame) -> None:
        """Count what breaks the rules in the next piece."""
        typed = raw.with_columns(self.readings)
        for rule, tally in self.by_row:
            self._count(rule, tally, raw.select(rule.columns), typed.select(rule.columns))
        self.start += len(raw)

    def _count(self, rule: Rule, tally: Tally, raw: pl.DataFrame, typed: pl.DataFrame) -> None:
        key = rule.columns[0] if len(rule.columns) == 1 else "*"
        held = rule.check((raw if rule.on_raw else typed).lazy(), key).check_output.collect()["check_output"]
        failing = (~held).arg_true()
        tally.failures += len(failing)
        rows = failing.head(EXAMPLES - len(tally.examples))
        if len(rows):
            pairs = zip(rows, raw[rows].iter_rows(), strict=True)
            tally.examples += [_example(rule, self.start + row, values, self.masks) for row, values in pairs]


def _examples_of(
    rule: Rule, delivered: Delivered, rows: Iterable[int], masks: Mapping[str, str]
) -> list[dict[str, Any]]:
    """The values of rows that a look at the whole file found."""
    numbers = list(rows)
    if not numbers:
        return []
    found = (
        delivered.raw.select(rule.columns)
        .with_row_index("assay row")
        .filter(pl.col("assay row").is_in(numbers))
        .collect(engine="streaming")
        .sort("assay row")
    )
    return [_example(rule, row[0], row[1:], masks) for row in found.iter_rows()]


def _example(rule: Rule, row: int, values: Sequence[Any], masks: Mapping[str, str]) -> dict[str, Any]:
    """A row and its values as they lie in the file; ``null`` where there is none, a category where it is personal."""
    texts = [
        "null" if value is None else masks.get(name) or str(value)[:TEXT_LENGTH]
        for name, value in zip(rule.columns, values, strict=True)
    ]
    shown = [f"{name}={text}" for name, text in zip(rule.columns, texts, strict=True)] if len(texts) > 1 else texts
    return {"row": row, "value": ", ".join(shown)}
