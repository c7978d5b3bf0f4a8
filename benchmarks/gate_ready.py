"""The gate on evidence that is at hand, with a million decisions stored, against an answer that reads one policy."""

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import sqlalchemy as sa

from benchmarks.databases import as_delivered, on_both
from benchmarks.report import Row
from governance.database import Unit
from governance.log import journal
from governance.log.journal import Leaf
from governance.migration import upgrade
from tests.support.service import Service
from tests.support.story import FAIR, ask, policy, publish, submit

DECISIONS = 1_000_000
BATCH = 5_000
REQUESTS = 150


def run() -> list[Row]:
    """One row a database: the 95th percentile of a verdict, and its ratio to that of a read."""
    return on_both(_rows, postgres="PostgreSQL, fsync off")


def _rows(name: str, url: str, folder: Path) -> list[Row]:
    upgrade(url)
    with as_delivered(folder / "home", url) as service:
        return [_row(name, service)]


def _row(name: str, service: Service) -> Row:
    publish(service, policy())
    submit(service, FAIR)
    first = ask(service, key="warm").json()
    if first["verdict"] != "allow":
        raise RuntimeError("the benchmark's model must be allowed")
    _store_decisions(service, str(first["decision_id"]))
    for number in range(20):
        ask(service, key=f"warm-{number}", wait=0).raise_for_status()
    gate = _p95(lambda number: ask(service, key=f"bench-{number}", wait=0).raise_for_status())
    read = _p95(lambda _: service.http.get("/v1/policies/fair/versions/1").raise_for_status())
    return Row(
        name=f"gate on ready evidence, {DECISIONS:,} decisions stored, {name}",
        measured=f"p95 {gate * 1000:.1f} ms over {REQUESTS} verdicts, each signed and logged",
        floor=f"p95 {read * 1000:.1f} ms, an answer that reads one policy",
        ratio=read / gate,
        bar="p95 below 50 ms and at most 5 times the read: ratio at least 0.2",
    )


def _store_decisions(service: Service, like: str) -> None:
    """A million copies of a decision and its evaluation, about other models, each with its leaf in the log."""
    database = service.state.database
    with database.read_unit() as read:
        base = journal.size(read)
    for start in range(base, base + DECISIONS, BATCH):
        with database.unit() as unit:
            journal.append(unit, [Leaf("decision", b"a decision, %d" % index) for index in range(start, start + BATCH)])
    copied = {"id": "'bulk-' || i", "idempotency_key": "'bulk-' || i"}
    place = f"i + {base - 1}"
    about = {"evaluation_id": "'bulk-' || i", "log_index": place}
    with database.unit() as unit:
        digits = "printf('%064d', i)" if unit.dialect == "sqlite" else "lpad(i::text, 64, '0')"
        _copy(unit, "evaluation", like, copied)
        _copy(unit, "decision", like, {"id": "'bulk-' || i", **about, "subject_digest": f"'sha256:' || {digits}"})
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("ANALYZE"))


def _copy(unit: Unit, table: str, like: str, changes: Mapping[str, str]) -> None:
    """Copies of the row ``like``, with columns changed as SQL over the copy's number ``i`` says."""
    columns = [column["name"] for column in sa.inspect(unit.session.connection()).get_columns(table)]
    values = ", ".join(changes.get(name, f"{table}.{name}") for name in columns)
    numbers = f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {DECISIONS})"
    source = f"SELECT {values} FROM n, {table} WHERE {table}.id = :like"
    text = f"INSERT INTO {table} ({', '.join(columns)}) {numbers} {source}"
    unit.session.execute(sa.text(text), {"like": like})


def _p95(send: Callable[[int], object]) -> float:
    taken = []
    for number in range(REQUESTS):
        began = time.perf_counter()
        send(number)
        taken.append(time.perf_counter() - began)
    return statistics.quantiles(taken, n=20)[-1]
