"""Taking events of about 3.6 kB with redaction, findings, projections and log leaf, against only keeping the bytes.

The floor inserts the same bytes under their digest into a table of its own, in the same number of commits, and does
nothing else: no parsing, no redaction, nothing derived, no log.
"""

import hashlib
import math
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.report import Row
from governance.database import Database
from governance.migration import upgrade
from governance.settings import LineageSettings
from lineage.ingest import Recorded, record_events
from lineage.tables import EventRow
from lineage.writer import EventWriter
from tests.lineage.material import body, dataset, facet, run_event, run_id
from tests.support.postgres import running_server

BATCH = 100
BATCHED = 3_000
SINGLE = 600
CLIENTS = 16

_FLOOR = sa.Table(
    "append_only",
    sa.MetaData(),
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)


def run() -> list[Row]:
    """Two rows a database: events a second one by one, and in batches."""
    with tempfile.TemporaryDirectory() as folder:
        rows = _rows("SQLite", f"sqlite:///{Path(folder) / 'assay.db'}")
    with running_server() as server:
        server.execute("CREATE DATABASE bench")
        rows += _rows("PostgreSQL, fsync off", server.url("bench"))
    return rows


def _rows(name: str, url: str) -> list[Row]:
    upgrade(url)
    database = Database(url)
    _FLOOR.create(database.engine)
    contents = [body(_event(number)) for number in range(SINGLE + BATCHED)]
    rows = [_single(name, database, contents[:SINGLE]), _batched(name, database, contents[SINGLE:])]
    database.close()
    return rows


def _single(name: str, database: Database, contents: Sequence[bytes]) -> Row:
    """One event a call from many threads, as requests come: those that wait share a commit."""
    writer = EventWriter(database, LineageSettings())
    began = time.perf_counter()
    with ThreadPoolExecutor(CLIENTS) as pool:
        _require_new(pool.map(writer.record, contents))
    taken = len(contents) / (time.perf_counter() - began)
    with database.read_unit() as unit:
        commits = unit.session.scalars(sa.select(sa.func.count(sa.distinct(EventRow.arrived_at)))).one()
    floor = _rate(contents, math.ceil(len(contents) / commits), lambda group: _keep(database, group))
    return Row(
        name=f"ingest one by one from {CLIENTS} threads, {name}",
        measured=f"{taken:,.0f} events/s ({len(contents):,} of {len(contents[0]) / 1000:.1f} kB in {commits} commits)",
        floor=f"{floor:,.0f} events/s, append only in as many commits",
        ratio=taken / floor,
        bar="at least 20 %: ratio at least 0.2",
    )


def _batched(name: str, database: Database, contents: Sequence[bytes]) -> Row:
    taken = _rate(contents, BATCH, lambda group: _take(database, group))
    floor = _rate(contents, BATCH, lambda group: _keep(database, group))
    return Row(
        name=f"ingest in batches of {BATCH}, {name}",
        measured=f"{taken:,.0f} events/s ({len(contents):,} of {len(contents[0]) / 1000:.1f} kB)",
        floor=f"{floor:,.0f} events/s, append only",
        ratio=taken / floor,
        bar="at least 50 %: ratio at least 0.5",
    )


def _rate(contents: Sequence[bytes], size: int, store: Callable[[Sequence[bytes]], None]) -> float:
    began = time.perf_counter()
    for start in range(0, len(contents), size):
        store(contents[start : start + size])
    return len(contents) / (time.perf_counter() - began)


def _take(database: Database, contents: Sequence[bytes]) -> None:
    with database.unit() as unit:
        answers = record_events(unit, contents, LineageSettings())
    _require_new(answers)


def _require_new(answers: Iterable[object]) -> None:
    if not all(isinstance(answer, Recorded) and not answer.duplicate for answer in answers):
        raise RuntimeError("every event of the benchmark must be new and taken")


def _keep(database: Database, contents: Sequence[bytes]) -> None:
    rows = [{"digest": hashlib.sha256(content).digest(), "body": content} for content in contents]
    with database.unit() as unit:
        unit.session.connection().execute(sa.insert(_FLOOR), rows)


def _event(number: int) -> dict[str, Any]:
    """A START or COMPLETE of one of 200 hourly jobs that read two tables and write one, each with its schema."""
    run, job = number // 2, number // 2 % 200
    columns = [{"name": f"column_{place}", "type": "string", "description": "what it means"} for place in range(10)]
    settings = {f"spark.setting.{place}": f"value {place}" for place in range(16)}
    return run_event(
        "COMPLETE" if number % 2 else "START",
        number,
        run=run_id(run),
        job=f"job_{job}",
        run_facets={"spark_properties": facet(properties=settings)},
        inputs=[dataset(f"table_{(job * 3 + place) % 500}", schema={"fields": columns}) for place in range(2)],
        outputs=[dataset(f"out_{job}", schema={"fields": columns})],
    )
