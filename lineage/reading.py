"""Small parts that every query of lineage uses: lists of ids, cuts in time, looking up a name."""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from governance.database import ReadUnit, Unit
from lineage.identity import NodeKind, node_identity
from lineage.tables import NodeRow

Reader = Unit | ReadUnit


def among(unit: Reader, column: Any, ids: Sequence[int]) -> sa.ColumnElement[bool]:
    """``column`` is one of ``ids``, as one parameter: no limit on their number, and one statement to prepare."""
    if unit.dialect == "postgresql":
        listed = sa.bindparam(None, list(ids), type_=postgresql.ARRAY(sa.BigInteger))
        return sa.ColumnElement.__eq__(column, sa.func.any(listed))
    values = sa.func.json_each(json.dumps(list(ids))).table_valued("value")
    held: sa.ColumnElement[bool] = column.in_(sa.select(values.c.value))
    return held


def until(column: Any, as_of: datetime | None) -> sa.ColumnElement[bool]:
    """The instant in ``column`` is at or before ``as_of``; true where no instant is asked for."""
    condition: sa.ColumnElement[bool] = sa.true() if as_of is None else column <= as_of
    return condition


def find_node(unit: Reader, kind: NodeKind, namespace: str, name: str) -> NodeRow | None:
    """The node of this kind and name, looked up by its identity; None when no event named it."""
    query = sa.select(NodeRow).where(NodeRow.identity == node_identity(kind, namespace, name))
    return unit.session.scalar(query)


def nodes_by_id(unit: Reader, ids: Sequence[int]) -> dict[int, NodeRow]:
    """The nodes with these row ids."""
    if not ids:
        return {}
    return {row.id: row for row in unit.session.scalars(sa.select(NodeRow).where(among(unit, NodeRow.id, ids)))}
