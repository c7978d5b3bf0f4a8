"""Statements that wait for the next one: nothing but the number of round trips is another."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from governance.database import Database
from governance.errors import StorageUnavailable
from governance.sending import Statement, send, send_later

MAKE = "CREATE TABLE toy (id INTEGER PRIMARY KEY, word TEXT NOT NULL)"


@pytest.fixture
def toys(database: Database) -> Database:
    with database.unit() as unit:
        unit.session.execute(sa.text(MAKE))
    return database


def insert(number: int, word: str = "toy") -> Statement:
    """A statement without parameters, which both drivers spell alike."""
    return Statement(f"INSERT INTO toy (id, word) VALUES ({number}, '{word}')")


def words(database: Database) -> list[str]:
    with database.read_unit() as unit:
        return list(unit.session.scalars(sa.text("SELECT word FROM toy ORDER BY id")))


@contextmanager
def heard(database: Database) -> Iterator[list[str]]:
    """The statements about toys, as who listens to the engine hears of them."""
    told: list[str] = []

    def note(_c: object, _cursor: object, text: str, *_: object) -> None:
        if "toy" in text:
            told.append(text)

    sa.event.listen(database.engine, "before_cursor_execute", note)
    yield told
    sa.event.remove(database.engine, "before_cursor_execute", note)


def carry_out(database: Database, later: Sequence[Statement], ending: Sequence[Statement]) -> None:
    with database.unit() as unit:
        for statement in later:
            send_later(unit.session.connection(), statement)
        send(unit.session.connection(), *ending)


def give_up(database: Database) -> None:
    with database.unit() as unit:
        send_later(unit.session.connection(), insert(1))
        raise KeyError


def hang_up(database: Database) -> None:
    """Have the server end the connection while a statement waits."""
    with database.unit() as unit:
        number = unit.session.scalar(sa.text("SELECT pg_backend_pid()"))
        with database.unit() as other:
            other.session.execute(sa.text("SELECT pg_terminate_backend(:number, 5000)"), {"number": number})
        send_later(unit.session.connection(), insert(1))
        send(unit.session.connection(), Statement("SELECT 1"))


def test_what_waits_is_seen_by_the_next_statement_whatever_runs_it(toys: Database) -> None:
    with toys.unit() as unit:
        send_later(unit.session.connection(), insert(1))
        send_later(unit.session.connection(), insert(2))
        assert unit.session.scalar(sa.text("SELECT count(*) FROM toy")) == 2
        send_later(unit.session.connection(), insert(3))
        (rows,) = send(unit.session.connection(), Statement("SELECT count(*) FROM toy"))
        assert [tuple(row) for row in rows] == [(3,)]
        send_later(unit.session.connection(), insert(4))
        first, second = send(
            unit.session.connection(), Statement("SELECT max(id) FROM toy"), Statement("SELECT min(id) FROM toy")
        )
        assert [tuple(row) for row in (*first, *second)] == [(4,), (1,)]


def test_statements_are_run_in_the_order_in_which_they_were_given(toys: Database) -> None:
    with heard(toys) as told, toys.unit() as unit:
        send_later(unit.session.connection(), insert(1))
        send_later(unit.session.connection(), Statement("UPDATE toy SET word = 'car' WHERE id = 1"))
        unit.session.execute(sa.text("UPDATE toy SET word = word || 's'"))
        send_later(unit.session.connection(), Statement("UPDATE toy SET word = 'red ' || word"))
    assert [text.split()[0] for text in told] == ["INSERT", "UPDATE", "UPDATE", "UPDATE"]
    assert words(toys) == ["red cars"]


def test_on_postgresql_they_wait_and_on_sqlite_they_do_not(toys: Database) -> None:
    with heard(toys) as told, toys.unit() as unit:
        send_later(unit.session.connection(), insert(1))
        assert len(told) == (0 if toys.dialect == "postgresql" else 1)


def test_what_waits_at_the_end_is_committed_with_the_rest(toys: Database) -> None:
    with toys.unit() as unit:
        send_later(unit.session.connection(), insert(1, "last"))
    assert words(toys) == ["last"]


def test_what_waits_when_the_transaction_is_given_up_is_never_sent(toys: Database) -> None:
    with pytest.raises(KeyError):
        give_up(toys)
    with toys.unit() as unit:
        unit.session.execute(sa.text("SELECT 1"))
        send_later(unit.session.connection(), insert(2, "other"))
    assert words(toys) == ["other"]


def test_a_fault_is_told_as_of_any_statement_and_undoes_the_transaction(toys: Database) -> None:
    for later, ending in (
        ([insert(1), insert(1), insert(2)], []),
        ([Statement("INSERT INTO toy (id) VALUES (1)")], [Statement("SELECT 1"), Statement("SELECT 2")]),
        ([insert(1)], [Statement("SELECT 1"), insert(1)]),
    ):
        with pytest.raises(sa.exc.IntegrityError):
            carry_out(toys, later, ending)
        assert words(toys) == []
    with toys.unit() as unit:
        send_later(unit.session.connection(), insert(1, "whole"))
    assert words(toys) == ["whole"]


def test_a_connection_that_ends_meanwhile_is_no_transaction_and_not_used_again(toys: Database) -> None:
    if toys.dialect == "sqlite":
        pytest.skip("a file does not hang up")
    with pytest.raises(StorageUnavailable):
        hang_up(toys)
    with toys.unit() as unit:
        send_later(unit.session.connection(), insert(2, "anew"))
    assert words(toys) == ["anew"]
