"""Small parts that every query of lineage uses: lists of ids, cuts in time, looking up a name."""

import json
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.orm import aliased

from governance.database import ReadUnit, Unit, plain_rows
from governance.sending import Statement, send
from lineage.identity import NodeKind, node_identity
from lineage.tables import DatasetVersionRow, NodeRow

Reader = Unit | ReadUnit

Question = tuple[Any, Mapping[str, Any]]
"""A statement that is built once, and its parameters."""


def among(unit: Reader, column: Any, ids: Sequence[int]) -> sa.ColumnElement[bool]:
    """``column`` is one of ``ids``, as one parameter: no limit on their number, and one statement to prepare."""
    if unit.dialect == "postgresql":
        return sa.ColumnElement.__eq__(column, sa.func.any(_array(None, id_list(unit.dialect, ids))))
    values = sa.func.json_each(id_list(unit.dialect, ids)).table_valued("value")
    held: sa.ColumnElement[bool] = column.in_(sa.select(values.c.value))
    return held


def id_table(unit: Reader, ids: Sequence[int]) -> Any:
    """The ids as a table with the one column ``value``."""
    if unit.dialect == "postgresql":
        listed_ids = _array(None, id_list(unit.dialect, ids))
        return sa.func.unnest(listed_ids).table_valued("value", name="asked").render_derived()
    return sa.func.json_each(id_list(unit.dialect, ids)).table_valued("value")


@cache
def listed(dialect: str, column: Any, name: str = "ids") -> sa.ColumnElement[bool]:
    """``column`` is one of the ids bound as ``name``, for statements that are built once; see ``id_list``."""
    if dialect == "postgresql":
        return sa.ColumnElement.__eq__(column, sa.func.any(_array(name)))
    values = sa.func.json_each(sa.bindparam(name, type_=sa.Text)).table_valued("value")
    held: sa.ColumnElement[bool] = column.in_(sa.select(values.c.value))
    return held


def id_list(dialect: str, ids: Sequence[int]) -> str:
    """The ids as the parameter of ``listed``: as text, which either driver hands over as it is."""
    content = ",".join(map(str, ids))
    return f"{{{content}}}" if dialect == "postgresql" else f"[{content}]"


def _array(name: str | None, value: str | None = None) -> Any:
    """A list of ids bound as text and read by PostgreSQL: the driver spells arrays out number by number."""
    text = sa.bindparam(name, value, type_=sa.Text, required=value is None)
    return sa.cast(text, postgresql.ARRAY(sa.BigInteger))


def gathered(dialect: str, first: Any, second: Any) -> sa.Select[Any]:
    """A query whose one row holds both columns as arrays in the same order; see ``pairs``.

    A row object for each pair of ids would cost more than the query.
    """
    gather = sa.func.array_agg if dialect == "postgresql" else sa.func.json_group_array
    return sa.select(gather(first), gather(second))


def pairs(unit: Reader, statement: sa.Select[Any], parameters: dict[str, Any]) -> list[tuple[int, int]]:
    """The pairs of ids that a ``gathered`` query gives."""
    first, second = unit.session.connection().execute(statement, parameters).one()
    if isinstance(first, str):
        first, second = json.loads(first), json.loads(second)
    return list(zip(first or (), second or (), strict=True))


def answers(unit: Reader, *questions: Question) -> list[Sequence[Any]]:
    """The rows that each statement gives for its parameters; on PostgreSQL in one round trip.

    Each statement is built once, and neither spells a list out nor gives instants: what the driver takes and gives
    is passed on as it is.
    """
    connection = unit.session.connection()
    if unit.dialect == "sqlite" or len(questions) == 1:
        return [connection.execute(statement, parameters).all() for statement, parameters in questions]
    return send(connection, *(_spelled(statement, parameters) for statement, parameters in questions))


def _spelled(statement: Any, parameters: Mapping[str, Any]) -> Statement:
    text, values = _text(statement)
    return Statement(text, {**values, **parameters})


@cache
def _text(statement: Any) -> tuple[str, Mapping[str, Any]]:
    """A statement that is built once as PostgreSQL's driver takes it, and the values in it, which are no lists."""
    compiled = statement.compile(dialect=_POSTGRESQL)
    return str(compiled), compiled.params


_POSTGRESQL: sa.Dialect = psycopg.dialect()  # type: ignore[no-untyped-call] # SQLAlchemy leaves it untyped


def until(column: Any, as_of: datetime | None) -> sa.ColumnElement[bool]:
    """The instant in ``column`` is at or before ``as_of``; true where no instant is asked for."""
    condition: sa.ColumnElement[bool] = sa.true() if as_of is None else column <= as_of
    return condition


_BY_IDENTITY = sa.select(NodeRow).where(NodeRow.identity == sa.bindparam("identity"))


def find_node(unit: Reader, kind: NodeKind, namespace: str, name: str) -> NodeRow | None:
    """The node of this kind and name, looked up by its identity; None when no event named it. It is only to be read."""
    found = plain_rows(unit, NodeRow, _BY_IDENTITY, identity=node_identity(kind, namespace, name))
    return found[0] if found else None


def seen(unit: Reader) -> list[sa.ColumnElement[bool]]:
    """The conditions under which the unit sees a node: none where it sees everything."""
    if unit.sight.is_whole:
        return []
    return [in_scopes(unit.dialect, NodeRow.namespace + sa.literal("/") + NodeRow.name, unit.sight.scopes)]


def in_scopes(dialect: str, named: sa.ColumnElement[str] | Any, scopes: Sequence[str]) -> sa.ColumnElement[bool]:
    """The text lies in one of the scopes, as ``Sight`` decides it."""
    if dialect == "sqlite":  # its LIKE ignores case; GLOB knows the same two signs, and brackets besides
        return sa.or_(sa.false(), *(named.bool_op("GLOB")(scope.replace("[", "[[]")) for scope in scopes))
    signs = str.maketrans({"*": "%", "?": "_", "%": "\\%", "_": "\\_", "\\": "\\\\"})
    return sa.or_(sa.false(), *(named.like(scope.translate(signs), escape="\\") for scope in scopes))


def visible(unit: Reader, ids: Set[int]) -> Set[int]:
    """Those of the nodes that the unit sees."""
    if unit.sight.is_whole or not ids:
        return ids
    return set(unit.session.scalars(sa.select(NodeRow.id).where(among(unit, NodeRow.id, sorted(ids)), *seen(unit))))


class Named(NamedTuple):
    """The names of a node."""

    namespace: str
    name: str


@cache
def names_query(dialect: str) -> Any:
    """Row id, namespace and name of each node that is listed as ``ids``; built once."""
    return sa.select(NodeRow.id, NodeRow.namespace, NodeRow.name).where(listed(dialect, NodeRow.id))


def names_by_id(unit: Reader, ids: Sequence[int]) -> dict[int, Named]:
    """The names of the nodes with these row ids."""
    if not ids:
        return {}
    (rows,) = answers(unit, (names_query(unit.dialect), {"ids": id_list(unit.dialect, ids)}))
    return {number: Named(namespace, name) for number, namespace, name in rows}


def newest_schema() -> sa.ScalarSelect[bytes | None]:
    """The fields of the newest version with any, as the stored JSON, of each dataset that a query over nodes gives."""
    version = aliased(DatasetVersionRow)
    newest = (
        sa.select(version.fields)
        .where(version.node_id == NodeRow.id, version.fields.is_not(None))
        .order_by(version.last_stamp.desc(), version.identity)
        .limit(1)
    )
    return newest.scalar_subquery()


def nodes_by_id(unit: Reader, ids: Sequence[int]) -> dict[int, NodeRow]:
    """The nodes with these row ids."""
    if not ids:
        return {}
    return {row.id: row for row in unit.session.scalars(sa.select(NodeRow).where(among(unit, NodeRow.id, ids)))}
