"""Appending to the log, against bare inserts of the same bytes that are committed the same way, on both databases."""

import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import sqlalchemy as sa

from benchmarks.report import Row
from governance.database import Database, Unit
from governance.log import journal
from governance.log.journal import Leaf
from governance.migration import upgrade
from tests.support.postgres import running_server

ONE_BY_ONE = 400
BULK = 20_000
BATCH = 1_000
BULK_FLOOR = 20_000
"""Leaves a second that appending in bulk must reach."""

ROUNDS = 5
"""The best of a few rounds, since the machine is shared."""

BODY = b"x" * 420
"""As large as the record of a decision."""

BARE = sa.table("bare", sa.column("id", sa.BigInteger), sa.column("kind", sa.Text), sa.column("leaf", sa.LargeBinary))


def run() -> list[Row]:
    """Rates on SQLite and PostgreSQL, one by one and in bulk."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, _opened(f"sqlite:///{Path(folder) / 'log.db'}") as database:
        rows += _rows(database, "SQLite")
    with running_server() as server:
        server.execute("CREATE DATABASE bench TEMPLATE template0")
        with _opened(server.url("bench")) as database:
            rows += _rows(database, "PostgreSQL without fsync")
    return rows


@contextmanager
def _opened(url: str) -> Iterator[Database]:
    upgrade(url)
    database = Database(url)
    with database.unit() as unit:
        unit.session.execute(sa.text(f"CREATE TABLE bare (id BIGINT PRIMARY KEY, kind TEXT, leaf {_bytes(database)})"))
    yield database
    database.close()


def _bytes(database: Database) -> str:
    return "BLOB" if database.dialect == "sqlite" else "BYTEA"


def _rows(database: Database, name: str) -> list[Row]:
    appended, bare = _rate(database, ONE_BY_ONE, 1)
    bulk, bulk_bare = _rate(database, BULK, BATCH)
    return [
        Row(
            f"{name}, one a commit",
            f"{appended:,.0f} leaves/s",
            f"{bare:,.0f} bare rows/s",
            appended / bare,
            "at least 0.4 of bare inserts",
        ),
        Row(
            f"{name}, {BATCH:,} a commit",
            f"{bulk:,.0f} leaves/s beside {bulk_bare:,.0f} bare rows/s",
            f"{BULK_FLOOR:,} leaves/s",
            bulk / BULK_FLOOR,
            "at least 1",
        ),
    ]


def _rate(database: Database, count: int, batch: int) -> tuple[float, float]:
    """Leaves a second, and bare rows a second, in commits of ``batch``; rounds alternate, so both see the noise."""
    appended = bare = 0.0
    for _ in range(ROUNDS):
        appended = max(appended, _timed(database, count, batch, _append))
        bare = max(bare, _timed(database, count, batch, _insert))
    return appended, bare


def _timed(database: Database, count: int, batch: int, write: Callable[[Unit, int], None]) -> float:
    started = time.perf_counter()
    for _ in range(count // batch):
        with database.unit() as unit:
            write(unit, batch)
    return count / (time.perf_counter() - started)


def _append(unit: Unit, batch: int) -> None:
    journal.append(unit, [Leaf("decision", BODY)] * batch)


def _insert(unit: Unit, batch: int) -> None:
    last = unit.session.scalar(sa.select(sa.func.max(BARE.c.id))) or 0
    rows = [{"id": last + number, "kind": "decision", "leaf": BODY} for number in range(1, batch + 1)]
    unit.session.execute(sa.insert(BARE), rows)
