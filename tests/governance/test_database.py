"""The unit of work on both databases."""

import sqlite3
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
import sqlalchemy as sa

from governance.access.tables import ServiceKeyRow
from governance.database import Database, ReadUnit, Unit
from governance.errors import StorageUnavailable, WrongRevision
from governance.log.tables import LogEntryRow
from governance.migration import downgrade, require_head, upgrade
from tests.support.postgres import running_server


def key(name: str) -> ServiceKeyRow:
    instant = datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    return ServiceKeyRow(
        id=name, name=name, subject=name, secret_hash=b"x", roles=["ci"], scopes=["*"], created_at=instant
    )


def names(database: Database) -> list[str]:
    with database.read_unit() as unit:
        return list(unit.session.scalars(sa.select(ServiceKeyRow.id).order_by(ServiceKeyRow.id)))


def test_a_unit_commits_when_its_block_ends(database: Database) -> None:
    with database.unit() as unit:
        unit.session.add(key("a"))
    assert names(database) == ["a"]


def test_a_unit_that_raises_stores_nothing_and_rings_nobody(database: Database) -> None:
    rung: list[str] = []

    def break_off() -> None:
        with database.unit() as unit:
            unit.session.add(key("a"))
            unit.after_commit(lambda: rung.append("a"))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        break_off()
    assert names(database) == []
    assert rung == []


def test_a_commit_that_fails_leaves_no_transaction_behind(database: Database) -> None:
    pointing = "CREATE TABLE pointing (id INTEGER REFERENCES absent(id) DEFERRABLE INITIALLY DEFERRED)"
    with database.unit() as unit:
        for statement in ("CREATE TABLE absent (id INTEGER PRIMARY KEY)", pointing):
            unit.session.execute(sa.text(statement))
    for number in range(30):
        with pytest.raises(StorageUnavailable), database.unit() as unit:
            unit.session.execute(sa.text("INSERT INTO pointing VALUES (1)"))
        with database.unit() as unit:
            unit.session.add(key(f"k{number:02}"))
        assert len(names(database)) == number + 1


def test_instants_keep_zone_and_microseconds(database: Database) -> None:
    with database.unit() as unit:
        unit.session.add(key("a"))
    with database.read_unit() as read:
        stored = read.session.get_one(ServiceKeyRow, "a").created_at
    assert stored == datetime(2026, 3, 1, 12, 0, 0, 123456, tzinfo=UTC)
    assert stored.tzinfo is UTC


def test_append_only_tables_refuse_changes(database: Database) -> None:
    with database.unit() as unit:
        unit.session.add(LogEntryRow(index=0, kind="test", leaf=b"leaf", recorded_at=unit.now))
    for statement in ("UPDATE log_entry SET kind='other'", "DELETE FROM log_entry"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.unit() as unit:
            unit.session.execute(sa.text(statement))


def test_a_read_unit_cannot_write_on_postgresql(database: Database) -> None:
    if database.dialect != "postgresql":
        pytest.skip("SQLite has no read-only transactions")
    with pytest.raises(sa.exc.DBAPIError), database.read_unit() as unit:
        unit.session.execute(sa.text("INSERT INTO log_node VALUES (0, 0, 'x')"))


def test_units_that_read_see_one_snapshot_and_those_that_write_see_each_other_on_postgresql(database_url: str) -> None:
    opened = Database(database_url, pool_size=1)
    if opened.dialect != "postgresql":
        opened.close()
        pytest.skip("SQLite has one isolation level")

    def shown(unit: Unit | ReadUnit) -> list[str]:
        return [unit.session.scalar(sa.text(f"SHOW transaction_{name}")) or "" for name in ("isolation", "read_only")]

    for _ in range(2):  # on one connection, so that nothing stays behind
        with opened.read_unit() as reading:
            assert shown(reading) == ["repeatable read", "on"]
        with opened.unit() as writing:
            assert shown(writing) == ["read committed", "off"]
    opened.close()


def test_a_glance_begins_no_transaction_and_leaves_none_to_come_without(database_url: str) -> None:
    opened = Database(database_url, pool_size=1)
    for _ in range(2):
        with opened.glance() as unit:
            connection: Any = unit.session.connection().connection.driver_connection
            assert unit.session.scalar(sa.text("SELECT 1")) == 1
            assert not in_transaction(connection)
        with opened.read_unit() as reading:
            assert reading.session.scalar(sa.text("SELECT 1")) == 1
            assert in_transaction(connection)
        with opened.unit() as writing:
            writing.session.add(key("a"))
            writing.session.flush()
            assert in_transaction(connection)
            writing.session.rollback()
    assert names(opened) == []
    opened.close()


def in_transaction(connection: Any) -> bool:
    """Whether the driver's connection is within a transaction."""
    if isinstance(connection, sqlite3.Connection):
        return connection.in_transaction
    return bool(connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE)


def test_a_server_that_restarts_is_met_again_by_the_next_unit() -> None:
    with running_server() as server:
        server.execute("CREATE DATABASE assay")
        opened = Database(server.url("assay"))
        with opened.unit() as first, opened.unit() as second:  # two connections in the pool
            assert [unit.session.scalar(sa.text("SELECT 1")) for unit in (first, second)] == [1, 1]
        for begin in (opened.read_unit, opened.unit):
            server.restart()
            with begin() as unit:
                assert unit.session.scalar(sa.text("SELECT 2")) == 2
        opened.close()


def test_a_statement_that_runs_too_long_is_cancelled_and_its_connection_serves_the_next(database_url: str) -> None:
    opened = Database(database_url, statement_seconds=0.2, pool_size=1)
    if opened.dialect != "postgresql":
        opened.close()
        pytest.skip("SQLite has no limit of statements")
    for begin in (opened.read_unit, opened.unit, opened.read_unit):  # the limit outlasts a rollback
        with pytest.raises(StorageUnavailable, match="STATEMENT_SECONDS"), begin() as unit:
            unit.session.execute(sa.text("SELECT pg_sleep(20)"))
    with opened.unit() as unit:
        unit.session.add(key("a"))
    assert names(opened) == ["a"]
    opened.close()


def test_what_an_unlimited_database_runs_is_not_cancelled(database_url: str) -> None:
    opened = Database(database_url)
    if opened.dialect == "postgresql":
        with opened.read_unit() as unit:
            assert unit.session.scalar(sa.text("SHOW statement_timeout")) == "0"
    else:
        limited = Database(database_url, statement_seconds=0.001)
        assert names(limited) == names(opened) == []
        limited.close()
    opened.close()


def test_start_up_refuses_another_revision_and_says_what_mends_it(database_url: str) -> None:
    downgrade(database_url, "base")
    opened = Database(database_url)
    with pytest.raises(WrongRevision, match="assay db upgrade"):
        require_head(opened)
    upgrade(database_url)
    require_head(opened)
    opened.close()


def test_the_connection_that_was_used_last_is_used_next(database: Database) -> None:
    """It holds what the next transaction needs: on SQLite its pages, on both databases its prepared statements."""

    def used(unit: Unit | ReadUnit) -> int:
        return id(unit.session.connection().connection.driver_connection)

    with database.read_unit() as first, database.read_unit() as second:
        assert used(first) != used(second)
    seen = set()
    for _ in range(4):
        with database.unit() as unit:
            seen.add(used(unit))
    assert len(seen) == 1
