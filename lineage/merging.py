"""How two statements about one thing become one: in memory for a batch, and as an upsert in the database.

Every rule is commutative, associative and idempotent (``add`` is none of the latter and only counts rows that are new),
so derived rows are a function of the set of events.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from operator import itemgetter
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from governance.database import Row


@dataclass(frozen=True, eq=False)
class Rules:
    """The key of a table and how its other columns merge. Two are equal when they are one object.

    ``least`` and ``greatest`` keep the extreme that is not null, ``bits`` joins bit sets, ``add`` adds, ``latest`` maps
    a stamp column to the columns whose value comes from the row with the greater stamp.
    """

    table: type[Row]
    key: tuple[str, ...]
    least: tuple[str, ...] = ()
    greatest: tuple[str, ...] = ()
    bits: tuple[str, ...] = ()
    add: tuple[str, ...] = ()
    latest: tuple[tuple[str, tuple[str, ...]], ...] = ()
    returning: tuple[str, ...] = field(default=())

    @cached_property
    def key_of(self) -> Callable[[Mapping[str, Any]], Any]:
        """Gives the key of a row: a tuple, or the value itself where the key is one column."""
        return itemgetter(*self.key)


def merge_row(rules: Rules, old: dict[str, Any], new: Mapping[str, Any]) -> None:
    """Bring ``old`` up to date with ``new``, a row of the same key."""
    for name in rules.least:
        if new[name] is not None and (old[name] is None or new[name] < old[name]):
            old[name] = new[name]
    for name in rules.greatest:
        if new[name] is not None and (old[name] is None or new[name] > old[name]):
            old[name] = new[name]
    for name in rules.bits:
        old[name] |= new[name]
    for stamp, names in rules.latest:
        if new[stamp] is not None and (old[stamp] is None or new[stamp] > old[stamp]):
            old[stamp] = new[stamp]
            for name in names:
                old[name] = new[name]


@cache
def upsert(rules: Rules, dialect: str) -> Any:
    """The statement that inserts a row or merges it into the one that is there."""
    return _returning(rules, merged(rules, insert_into(rules, dialect)), dialect)


def insert_into(rules: Rules, dialect: str) -> Any:
    """The statement that inserts into the table; the two dialects spell conflicts alike, each has its own class."""
    return (postgresql if dialect == "postgresql" else sqlite).insert(rules.table.__table__)


def merged(rules: Rules, insert: Any) -> Any:
    """The statement that inserts, with what becomes of a row whose key is there."""
    table = rules.table.__table__
    keys = [table.c[name] for name in rules.key]
    new, old = insert.excluded, table.c
    changes: dict[str, Any] = {}
    for name in rules.least:
        changes[name] = _chosen(new[name] < old[name], old[name], new[name], old[name])
    for name in rules.greatest:
        changes[name] = _chosen(new[name] > old[name], old[name], new[name], old[name])
    for name in rules.bits:
        changes[name] = old[name].bitwise_or(new[name])
    for name in rules.add:
        changes[name] = old[name] + new[name]
    for stamp, names in rules.latest:
        for name in (*names, stamp):
            changes[name] = _chosen(new[stamp] > old[stamp], old[stamp], new[name], old[name])
    if changes:
        return insert.on_conflict_do_update(index_elements=keys, set_=changes)
    return insert.on_conflict_do_nothing(index_elements=keys)


@cache
def insert_new(rules: Rules, dialect: str) -> Any:
    """The statement that inserts a row where there is none and gives back the keys of those that it inserted."""
    table = rules.table.__table__
    keys = [table.c[name] for name in rules.key]
    return insert_into(rules, dialect).on_conflict_do_nothing(index_elements=keys).returning(*keys)


def _chosen(condition: Any, stored: Any, then: Any, otherwise: Any) -> Any:
    """``then`` where the condition holds or nothing is stored. A comparison with null does not hold."""
    return sa.case((sa.or_(condition, stored.is_(None)), then), else_=otherwise)


def _returning(rules: Rules, statement: Any, dialect: str) -> Any:
    names: Iterable[str] = rules.returning
    if not names and dialect == "postgresql":
        # With RETURNING many rows travel in one statement; without, psycopg sends one statement a row.
        names = rules.key[:1]
    return statement.returning(*(rules.table.__table__.c[name] for name in names)) if names else statement
