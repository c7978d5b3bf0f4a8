"""Proving that a leaf is in a log of a million, on both databases: time of one inclusion proof in an open unit."""

import random
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from benchmarks.report import Row
from governance.database import Database, ReadUnit
from governance.log import journal
from governance.log.journal import Leaf
from governance.log.merkle import leaf_hash, verify_inclusion
from governance.migration import upgrade
from tests.support.postgres import running_server

LEAVES = 1_000_000
BATCH = 5_000
PROOFS = 500
ROUNDS = 5
"""The best of a few rounds, since the machine is shared."""

SEED = 20261125
LIMITS = {"SQLite": 0.2, "PostgreSQL": 1.0}
"""Milliseconds that one proof may take."""


def run() -> list[Row]:
    """The median time of a proof on SQLite and PostgreSQL, in the best round."""
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder, _filled(f"sqlite:///{Path(folder) / 'log.db'}") as database:
        rows.append(_row(database, "SQLite"))
    with running_server() as server:
        server.execute("CREATE DATABASE bench TEMPLATE template0")
        with _filled(server.url("bench")) as database:
            rows.append(_row(database, "PostgreSQL"))
    return rows


@contextmanager
def _filled(url: str) -> Iterator[Database]:
    upgrade(url)
    database = Database(url)
    for start in range(0, LEAVES, BATCH):
        with database.unit() as unit:
            journal.append(unit, [Leaf("event", _body(index)) for index in range(start, start + BATCH)])
    yield database
    database.close()


def _body(index: int) -> bytes:
    return b"leaf %d" % index


def _row(database: Database, name: str) -> Row:
    with database.read_unit() as unit:
        milliseconds = min(_round(unit, number) for number in range(ROUNDS))
    limit = LIMITS[name]
    return Row(
        f"{name}, inclusion proof among {LEAVES:,} leaves",
        f"{milliseconds:.3f} ms",
        f"{limit} ms",
        limit / milliseconds,
        "at least 1",
    )


def _round(unit: ReadUnit, number: int) -> float:
    """Milliseconds of the middle proof, over leaves drawn from the whole log; the last proof is verified."""
    draw = random.Random(SEED + number)
    indexes = [draw.randrange(LEAVES) for _ in range(PROOFS)]
    root = journal.root(unit, LEAVES)
    spent = []
    for index in indexes:
        started = time.perf_counter()
        path = journal.inclusion(unit, index, LEAVES)
        spent.append(time.perf_counter() - started)
    if not verify_inclusion(leaf_hash(_body(index)), index, LEAVES, path, root):
        raise RuntimeError(f"the proof of leaf {index} does not hold")
    return statistics.median(spent) * 1000
