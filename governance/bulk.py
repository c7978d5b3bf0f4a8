"""Many rows of one statement, given to the driver as they are.

Looking at every value of every row, as SQLAlchemy does, costs more than storing it. On SQLite prepared statements take
some dozens of rows each; on PostgreSQL one statement takes arrays, a column each. What is said of them is the caller's.
"""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from functools import cache, lru_cache
from itertools import chain
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from governance.database import Unit, UTCDateTime
from governance.sending import Statement, send, send_later

PARAMETERS = 32766
"""Values of one statement on SQLite, from version 3.32 on."""

MOST_ROWS = 256

_POSTGRESQL: sa.Dialect = postgresql.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it untyped


def insert_rows(unit: Unit, table: sa.FromClause, names: tuple[str, ...], columns: Sequence[Sequence[Any]]) -> None:
    """Insert rows, given by column in the order of ``names``; nothing is done where there are none."""
    if columns[0]:
        run(unit, _insert(table, names, unit.dialect), spelled(unit, table, names, columns))


def run(unit: Unit, text: str, rows: Sequence[tuple[Any, ...]], *, returns: bool = False) -> Iterable[Any]:
    """Run a statement whose values ``given`` stands for; what it returns on PostgreSQL, nothing on SQLite.

    One that returns nothing may wait for the next statement of the transaction (``sending``).
    """
    connection = unit.session.connection()
    if unit.dialect == "postgresql":
        arrays = {f"p{place}": list(column) for place, column in enumerate(zip(*rows, strict=True))}
        statement = Statement(text, arrays)
        if returns:
            return send(connection, statement)[0]
        send_later(connection, statement)
        return ()
    # Statements of few sizes stay prepared; one for each row would let go of the interpreter for each.
    start, most = 0, min(MOST_ROWS, PARAMETERS // len(rows[0]))
    while start < len(rows):
        size = _size(min(most, len(rows) - start))
        values = tuple(chain.from_iterable(rows[start : start + size]))
        connection.exec_driver_sql(_repeated(text, size), values)
        start += size
    return ()


def _size(count: int) -> int:
    """The largest number up to ``count`` whose binary form has ones in its first three places alone.

    There are four such numbers between each power of two and the next, and three of them add up to nearly any count.
    """
    places = max(0, count.bit_length() - 3)
    return count >> places << places


@lru_cache(maxsize=1024)
def _repeated(text: str, count: int) -> str:
    """The statement for that many rows."""
    before, mark, rest = text.partition("VALUES ")
    row, end, after = rest.partition(")")
    return before + mark + ", ".join([row + end] * count) + after


def given(table: sa.FromClause, names: Sequence[str], dialect: str) -> str:
    """What stands in an INSERT after the names of the columns: the values of the rows that ``run`` is given."""
    if dialect == "postgresql":
        arrays = ", ".join(f"%(p{place})b::{array_type(table.c[name])}" for place, name in enumerate(names))
        return f"SELECT * FROM unnest({arrays})"  # noqa: S608 - names of our own columns
    return f"VALUES ({', '.join('?' * len(names))})"


def spelled(
    unit: Unit, table: sa.FromClause, names: tuple[str, ...], columns: Sequence[Sequence[Any]]
) -> list[tuple[Any, ...]]:
    """The rows as the driver takes them, from their columns."""
    if unit.dialect == "sqlite":
        moments = _moments(table, names)
        columns = [
            [None if moment is None else _sqlite_time(moment) for moment in column] if name in moments else column
            for name, column in zip(names, columns, strict=True)
        ]
    return list(zip(*columns, strict=True))


@cache
def array_type(column: sa.ColumnElement[Any]) -> str:
    """The PostgreSQL type of an array of the column's values."""
    # An array's elements have no collation of their own.
    return str(column.type.compile(dialect=_POSTGRESQL)).partition(" COLLATE ")[0] + "[]"


@cache
def _insert(table: sa.TableClause, names: tuple[str, ...], dialect: str) -> str:
    return f"INSERT INTO {table.name} ({', '.join(names)}) {given(table, names, dialect)}"


@cache
def _moments(table: sa.FromClause, names: tuple[str, ...]) -> frozenset[str]:
    """The columns that hold instants."""
    return frozenset(name for name in names if isinstance(table.c[name].type, UTCDateTime))


@lru_cache(maxsize=4096)
def _sqlite_time(moment: datetime) -> str:
    """As ``UTCDateTime`` spells it; the rows of one event share their instants."""
    if moment.tzinfo is None:
        raise ValueError(f"the instant {moment.isoformat()} has no time zone")
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(" ", "microseconds")
