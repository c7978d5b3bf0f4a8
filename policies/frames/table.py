"""The rows that are measured: one file, or two joined by their declared key, with every declared column present."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from governance.check import Facts
from governance.errors import MeasurementRefused
from governance.types.results import Input
from policies.frames.source import Source, manifest_of, open_sources, refusing_unreadable


@dataclass(frozen=True, slots=True)
class Table:
    """The joined rows as a lazy frame, what its columns hold, which of them come from a format without types."""

    frame: pl.LazyFrame
    schema: Mapping[str, pl.DataType]
    text_only: frozenset[str]
    sources: tuple[Source, ...]

    def inputs(self, rows: int) -> tuple[Input, ...]:
        """What was measured, for the record; joined files have the same number of rows."""
        return tuple(Input(role=source.role, digest=source.digest, rows=rows) for source in self.sources)


def open_table(facts: Facts, columns: Iterable[str]) -> Table:
    """The rows with at least ``columns``. Two files are joined by the manifest's key, never by position.

    A key of a typed file is compared with that of a CSV as text, integers in their usual spelling. A declared
    ``row_id`` must be present and unique.

    Raises:
        MeasurementRefused: a column is missing (all are named), occurs twice, or is in both files; the key is null,
            repeated or unmatched (with the counts), or its types do not match; a file cannot be read.
    """
    manifest = manifest_of(facts)
    sources = open_sources(facts)
    row_id = manifest.columns.row_id
    wanted = list(dict.fromkeys([*columns, *([row_id] if row_id else [])]))
    keys = _join_keys(facts, sources)
    _refuse_missing(sources, wanted, keys)
    if len(sources) == 1:
        table = _single(sources[0], wanted)
    else:
        _refuse_shared(sources, wanted, keys)
        table = _joined(sources, wanted, keys)
    if row_id is not None and row_id not in keys:
        _refuse_repeated(table.frame, row_id, f"the row id {row_id!r}")
    return table


def _join_keys(facts: Facts, sources: tuple[Source, ...]) -> tuple[str, ...]:
    """The key's column in each source; empty for one file."""
    if len(sources) < 2:
        return ()
    manifest = manifest_of(facts)
    on = manifest.predictions.join_on if manifest.predictions is not None else None
    file = manifest.dataset.file if manifest.dataset is not None else None
    if on is None:
        raise MeasurementRefused(
            expected="the key that joins the predictions to the dataset",
            found="two files without predictions.join_on",
            remedy="Declare the key; rows are never joined by position.",
            pointer="/predictions/join_on",
        )
    return (file.join_on if file is not None and file.join_on is not None else on, on)


def _refuse_missing(sources: tuple[Source, ...], wanted: Iterable[str], keys: tuple[str, ...]) -> None:
    present = {name for source in sources for name in source.schema}
    missing = [name for name in wanted if name not in present]
    missing += [
        f"{key} (in the {source.role})" for source, key in zip(sources, keys, strict=False) if key not in source.schema
    ]
    if missing:
        raise MeasurementRefused(
            expected=f"the columns {', '.join(missing)}",
            found=f"only {', '.join(sorted(present)[:50]) or 'no column'}",
            remedy="Correct the names in the manifest or add the columns.",
        )
    repeated = sorted({name for source in sources for name in (*wanted, *keys) if name in source.repeated})
    if repeated:
        raise MeasurementRefused(
            expected="every declared column once",
            found=f"{', '.join(repeated)} more than once in the header",
            remedy="Rename or drop the repeated columns.",
        )


def _refuse_shared(sources: tuple[Source, ...], wanted: Iterable[str], keys: tuple[str, ...]) -> None:
    shared = [
        name
        for name in wanted
        if all(name in source.schema for source in sources) and not all(name == key for key in keys)
    ]
    if shared:
        raise MeasurementRefused(
            expected="every declared column in one of the two files",
            found=f"{', '.join(shared)} in both",
            remedy="Drop the column from one file, so that nobody has to guess which is meant.",
        )


def _single(source: Source, wanted: list[str]) -> Table:
    return Table(
        frame=source.frame.select(wanted),
        schema={name: source.schema[name] for name in wanted},
        text_only=frozenset(wanted) if source.is_text else frozenset(),
        sources=(source,),
    )


_KEY = "assay key"


def _joined(sources: tuple[Source, ...], wanted: list[str], keys: tuple[str, ...]) -> Table:
    _refuse_unlike_keys(sources, keys)
    mixed = sources[0].is_text != sources[1].is_text
    sides = []
    for source, key in zip(sources, keys, strict=True):
        own = [name for name in wanted if name in source.schema and not (source is sources[1] and name == keys[0])]
        expression = pl.col(key).cast(pl.String) if mixed else pl.col(key)
        side = source.frame.select(expression.alias(_KEY), *own)
        with refusing_unreadable(f"the {source.role}"):
            _refuse_repeated(side, _KEY, f"the key {key!r} of the {source.role}")
        sides.append(side)
    frame = sides[0].join(sides[1], on=_KEY, how="inner")
    with refusing_unreadable("the two files"):
        counts = [side.select(pl.len()).collect(engine="streaming").item() for side in (*sides, frame)]
    unmatched = {
        source.role: count - counts[-1] for source, count in zip(sources, counts, strict=False) if count > counts[-1]
    }
    if unmatched:
        raise MeasurementRefused(
            expected=f"a partner for every row by the key {keys[1]!r}",
            found=", ".join(f"{count} rows of the {role} without one" for role, count in unmatched.items()),
            remedy="Give both files the same rows.",
        )
    schema = {name: dtype for source in reversed(sources) for name, dtype in source.schema.items() if name in wanted}
    text_only = {name for source in sources if source.is_text for name in wanted if name in source.schema}
    return Table(frame=frame.select(wanted), schema=schema, text_only=frozenset(text_only), sources=sources)


def _refuse_unlike_keys(sources: tuple[Source, ...], keys: tuple[str, ...]) -> None:
    types = [source.schema[key] for source, key in zip(sources, keys, strict=True)]
    whole = [dtype.is_integer() or dtype == pl.String for dtype in types]
    alike = types[0] == types[1] or all(dtype.is_integer() for dtype in types)
    mixed = sources[0].is_text != sources[1].is_text
    if (alike or (mixed and all(whole))) and not any(dtype.is_float() for dtype in types):
        return
    raise MeasurementRefused(
        expected="a key of the same type in both files, text or integer",
        found=" and ".join(f"{dtype} in the {source.role}" for source, dtype in zip(sources, types, strict=True)),
        remedy="Write the key the same way in both files.",
    )


def _refuse_repeated(frame: pl.LazyFrame, column: str, what: str) -> None:
    with refusing_unreadable("the rows"):
        rows, distinct, nulls = (
            frame.select(
                pl.len().alias("rows"),
                pl.col(column).n_unique().alias("distinct"),
                pl.col(column).null_count().alias("nulls"),
            )
            .collect(engine="streaming")
            .row(0)
        )
    if nulls:
        raise MeasurementRefused(
            expected=f"{what} in every row", found=f"{nulls} rows without it", remedy="Fill or drop those rows."
        )
    if rows != distinct:
        raise MeasurementRefused(
            expected=f"{what} once each",
            found=f"{rows - distinct} rows that repeat an earlier one",
            remedy="Remove the duplicates; a row that counts twice changes every rate.",
        )
