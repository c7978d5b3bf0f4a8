"""Statements whose results nobody needs, which wait for the next one and travel with it: on PostgreSQL, a round trip.

The driver's pipeline mode sends several statements before it reads the first answer. The server still carries them out
one after the other, each on what the ones before it left, and a fault of one undoes the transaction as ever; it is told
where the next statement is run, or at the commit. Whatever else is run on the connection is sent after what waits
(``_before``), so that no order ever changes. On SQLite, which is no journey away, nothing waits.
"""

from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple

import sqlalchemy as sa

_WAITING = "assay_waiting"


class Statement(NamedTuple):
    """A statement in the driver's words, and its values."""

    text: str
    values: Any = None


def attach(engine: sa.Engine) -> None:
    """Have what waits sent before anything else that is run on a connection of the engine; PostgreSQL alone."""
    sa.event.listen(engine, "before_cursor_execute", _before)
    sa.event.listen(engine, "rollback", _forget)
    sa.event.listen(engine, "checkin", _drop)


def _before(connection: sa.Connection, *_: Any) -> None:
    settle(connection)


def _forget(connection: sa.Connection) -> None:
    if not connection.closed and not connection.invalidated:
        connection.info.pop(_WAITING, None)


def _drop(_connection: Any, record: Any) -> None:
    record.info.pop(_WAITING, None)


def send_later(connection: sa.Connection, statement: Statement) -> None:
    """Run a statement whose result nobody needs, with the next one or at the commit."""
    if connection.dialect.name == "postgresql":
        connection.info.setdefault(_WAITING, []).append(statement)
    else:
        connection.exec_driver_sql(statement.text, statement.values)


def send(connection: sa.Connection, *statements: Statement) -> list[Sequence[Any]]:
    """Run statements, after what waits; the rows of each, as the driver gives them."""
    if connection.dialect.name == "postgresql":
        waiting = connection.info.pop(_WAITING, ())
        if waiting or len(statements) > 1:
            return _in_pipeline(connection, [*waiting, *statements])[len(waiting) :]
    results = [connection.exec_driver_sql(each.text, each.values) for each in statements]
    return [result.all() if result.returns_rows else () for result in results]


def settle(connection: sa.Connection) -> None:
    """Run what waits."""
    if connection.info.get(_WAITING):
        send(connection)


def _in_pipeline(connection: sa.Connection, statements: Sequence[Statement]) -> list[Sequence[Any]]:
    """The rows of each statement, all in one round trip."""
    driver: Any = connection.connection.driver_connection
    dialect: Any = connection.dialect
    fault_type = dialect.loaded_dbapi.Error
    cursors = []
    try:
        with driver.pipeline():
            for statement in statements:
                cursors.append(driver.cursor())
                # Whoever listens to what is run hears of these too.
                connection.dispatch.before_cursor_execute(connection, cursors[-1], *statement, SimpleNamespace(), False)
                cursors[-1].execute(statement.text, statement.values)
        return [cursor.fetchall() if cursor.description else () for cursor in cursors]
    except fault_type as fault:
        is_gone = dialect.is_disconnect(fault, driver, None)
        if is_gone:
            connection.invalidate(fault)
        raise sa.exc.DBAPIError.instance(
            None, None, fault, fault_type, hide_parameters=True, connection_invalidated=is_gone, dialect=dialect
        ) from fault
    finally:
        for cursor in cursors:
            cursor.close()
