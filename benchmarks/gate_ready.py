"""The gate on evidence that is at hand, against an answer of the same application that reads one stored policy."""

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.report import Row
from governance.migration import upgrade
from tests.support.postgres import running_server
from tests.support.service import Service, running
from tests.support.story import FAIR, ask, policy, publish, submit

REQUESTS = 150


def run() -> list[Row]:
    """One row a database: the 95th percentile of a verdict, and its ratio to that of a read."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "assay.db"
        upgrade(f"sqlite:///{path}")
        with running(Path(folder) / "home", f"sqlite:///{path}") as service:
            rows = [_row("SQLite", service)]
    with running_server() as server, tempfile.TemporaryDirectory() as folder:
        server.execute("CREATE DATABASE bench")
        upgrade(server.url("bench"))
        with running(Path(folder) / "home", server.url("bench")) as service:
            rows.append(_row("PostgreSQL, fsync off", service))
    return rows


def _row(name: str, service: Service) -> Row:
    publish(service, policy())
    submit(service, FAIR)
    if ask(service, key="warm").json()["verdict"] != "allow":
        raise RuntimeError("the benchmark's model must be allowed")
    gate = _p95(lambda number: ask(service, key=f"bench-{number}", wait=0).raise_for_status())
    read = _p95(lambda _: service.http.get("/v1/policies/fair/versions/1").raise_for_status())
    return Row(
        name=f"gate on ready evidence, {name}",
        measured=f"p95 {gate * 1000:.1f} ms over {REQUESTS} verdicts, each signed and logged",
        floor=f"p95 {read * 1000:.1f} ms, an answer that reads one policy",
        ratio=read / gate,
        bar="p95 below 50 ms and at most 5 times the read: ratio at least 0.2",
    )


def _p95(send: Callable[[int], object]) -> float:
    taken = []
    for number in range(REQUESTS):
        began = time.perf_counter()
        send(number)
        taken.append(time.perf_counter() - began)
    return statistics.quantiles(taken, n=20)[-1]
