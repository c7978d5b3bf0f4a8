"""Many rows written at once, as few and as plain statements as each database takes; ``lineage.merging`` says how.

SQLAlchemy makes the text of each statement once; the rows go to the driver as they are, since looking at every value
of every row costs more than storing it. On SQLite that is one prepared statement run for each row, on PostgreSQL one
statement whose parameters are arrays, a column each.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cache
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from governance.bulk import array_type, given, run, spelled
from governance.database import Unit
from governance.sending import Statement, send
from lineage.merging import Rules, insert_into, merged

Ids = Mapping[Any, int | None]
"""Row ids by identity (32 bytes), and what stands where a row names none (None)."""

Rows = Collection[Mapping[str, Any]]

_POSTGRESQL: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it untyped
_SQLITE: sa.Dialect = sqlite.dialect()

CHUNK = 512
"""Values of one lookup on SQLite: well below the number of parameters that any build of it takes."""


def merge(unit: Unit, rules: Rules, rows: Rows, **ids: Ids) -> None:
    """Insert the rows, or merge each into the one that is there.

    ``ids`` gives the row ids that take the place of identities, by column. All rows have the same columns. They are
    written in the order of their keys, so that two writers wait for one another instead of deadlocking.
    """
    if rows:
        names, values = _ordered(unit, rules, rows, ids)
        run(unit, _merge(rules, names, unit.dialect), values)


def merge_ids(unit: Unit, rules: Rules, rows: Rows, **ids: Ids) -> dict[bytes, int]:
    """As ``merge``; the row ids by the key, which is one column."""
    if not rows:
        return {}
    names, values = _ordered(unit, rules, rows, ids)
    if unit.dialect == "postgresql":
        return dict(run(unit, _merge(rules, names, unit.dialect, (*rules.key, "id")), values, returns=True))
    run(unit, _merge(rules, names, unit.dialect), values)
    return ids_of(unit, rules, [row[0] for row in values])


def insert_ids(unit: Unit, rules: Rules, rows: Rows, **ids: Ids) -> dict[bytes, int]:
    """Insert the rows whose key, which is one column, is not there; the row ids of those that were inserted."""
    if not rows:
        return {}
    names, values = _ordered(unit, rules, rows, ids)
    if unit.dialect == "postgresql":
        return dict(run(unit, _insert(rules, names, unit.dialect, (*rules.key, "id")), values, returns=True))
    known = ids_of(unit, rules, [row[0] for row in values])
    new = [row for row in values if row[0] not in known]
    if new:
        run(unit, _insert(rules, names, unit.dialect), new)
    return ids_of(unit, rules, [row[0] for row in new])


def merge_new(unit: Unit, rules: Rules, rows: Rows, **ids: Ids) -> set[tuple[Any, ...]]:
    """As ``merge``; the keys of the rows that were not there before."""
    if not rows:
        return set()
    names, values = _ordered(unit, rules, rows, ids)
    width = len(rules.key)
    if unit.dialect == "postgresql":
        inserted = run(unit, _insert(rules, names, unit.dialect, rules.key), values, returns=True)
        new = {tuple(key) for key in inserted}
        old = [row for row in values if row[:width] not in new]
    else:
        # Nobody else writes meanwhile, so what is there can be asked for first.
        new = {row[:width] for row in values} - _present(unit, rules, values)
        old = values
    if old:
        run(unit, _merge(rules, names, unit.dialect), old)
    return new


def ids_of(unit: Unit, rules: Rules, keys: Sequence[bytes]) -> dict[bytes, int]:
    """The row ids by the key, which is one column, of those keys that are there."""
    return dict(looked_up(unit, rules, (*rules.key, "id"), keys))


def _present(unit: Unit, rules: Rules, values: Iterable[tuple[Any, ...]]) -> set[tuple[Any, ...]]:
    """The keys that are there among those that begin as one of the rows does."""
    return {tuple(key) for key in looked_up(unit, rules, rules.key, sorted({row[0] for row in values}))}


def looked_up(unit: Unit, rules: Rules, wanted: tuple[str, ...], keys: Sequence[Any]) -> Iterable[Any]:
    """The wanted columns of the rows whose first column of the key is one of the keys."""
    if not keys:
        return []
    connection = unit.session.connection()
    if unit.dialect == "postgresql":
        column = rules.table.__table__.c[rules.key[0]]
        text = f"{_select(rules, wanted)} = ANY(%(keys)b::{array_type(column)})"
        return send(connection, Statement(text, {"keys": list(keys)}))[0]
    found: list[Any] = []
    for start in range(0, len(keys), CHUNK):
        chunk = tuple(keys[start : start + CHUNK])
        # Filled up to a power of two, so that few texts of the statement stay prepared.
        count = 1 << (len(chunk) - 1).bit_length()
        chunk += chunk[-1:] * (count - len(chunk))
        text = f"{_select(rules, wanted)} IN ({','.join('?' * count)})"
        found += connection.exec_driver_sql(text, chunk).all()
    return found


def _ordered(
    unit: Unit, rules: Rules, rows: Rows, ids: Mapping[str, Ids]
) -> tuple[tuple[str, ...], list[tuple[Any, ...]]]:
    """The names of the columns, those of the key first, and the rows as tuples in the order of their keys."""
    names = _names(rules, tuple(next(iter(rows))))
    columns: list[list[Any]] = []
    for name in names:
        column = [row[name] for row in rows]
        if name in ids:
            known = ids[name]
            column = [known[identity] for identity in column]
        columns.append(column)
    values = spelled(unit, rules.table.__table__, names, columns)
    values.sort(key=itemgetter(*range(len(rules.key))))
    return names, values


@cache
def _names(rules: Rules, names: tuple[str, ...]) -> tuple[str, ...]:
    return (*rules.key, *(name for name in names if name not in rules.key))


@cache
def _merge(rules: Rules, names: tuple[str, ...], dialect: str, returning: tuple[str, ...] = ()) -> str:
    """The text of the statement that inserts rows or merges them into those that are there."""
    return _text(rules, names, dialect, lambda insert: merged(rules, insert), returning)


@cache
def _insert(rules: Rules, names: tuple[str, ...], dialect: str, returning: tuple[str, ...] = ()) -> str:
    """The text of the statement that inserts rows whose key is not there."""
    keys = [rules.table.__table__.c[name] for name in rules.key]
    return _text(rules, names, dialect, lambda insert: insert.on_conflict_do_nothing(index_elements=keys), returning)


def _text(rules: Rules, names: tuple[str, ...], dialect: str, conflict: Any, returning: tuple[str, ...]) -> str:
    table = rules.table.__table__
    # The compiler keeps the order of the columns and the percent signs of the parameters where it does not see them.
    selected = sa.select(sa.text("* FROM parameters"))
    statement = conflict(insert_into(rules, dialect).from_select(list(names), selected, include_defaults=False))
    if returning:
        statement = statement.returning(*(table.c[name] for name in returning))
    text = str(statement.compile(dialect=_POSTGRESQL if dialect == "postgresql" else _SQLITE))
    before, _, after = text.partition("SELECT * FROM parameters")
    return before + given(table, names, dialect) + after


@cache
def _select(rules: Rules, wanted: tuple[str, ...]) -> str:
    return f"SELECT {', '.join(wanted)} FROM {rules.table.__tablename__} WHERE {rules.key[0]}"  # noqa: S608 - names of our own tables
