"""Taking events of about 3.6 kB over HTTP with redaction, findings, projections and log leaf, against less.

The floor keeps the bytes in group commits and does nothing else; the naive way keeps the same facts through pydantic
models and the ORM and commits each event (``benchmarks.naive_ingest``). All three run in processes of their own, behind
the same HTTP server, on the same engine and database server, and are sent the same bytes by the same client.
"""

import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.http_load import Process, request, send, serving
from benchmarks.report import Row
from governance.access.roles import Role
from governance.cli.server import set_up
from tests.lineage.material import body, dataset, facet, run_event, run_id
from tests.support.postgres import running_server
from tests.support.service import key_for

EVENT = "/api/v1/lineage"
BATCH = "/api/v1/lineage/batch"

ROUNDS = 3  # the best of each, in turns, since other work on the machine only ever slows one down
SINGLES = 1_500
BATCHES = 25
BATCH_EVENTS = 100
NAIVE = 150
WARMING = 200
CONNECTIONS = 64
BATCH_CONNECTIONS = 4
NAIVE_CONNECTIONS = 8

LARGE_BYTES = 10 * 2**20
GROWTH_BYTES = 256 * 2**20


def run() -> list[Row]:
    """Rates one by one and in batches against the floor and the naive way, and memory for a large event."""
    with tempfile.TemporaryDirectory() as folder:
        rows = _rows("SQLite", Path(folder), f"sqlite:///{folder}/assay.db", f"sqlite:///{folder}/peers.db")
    with tempfile.TemporaryDirectory() as folder, running_server() as server:
        server.execute("CREATE DATABASE bench")
        server.execute("CREATE DATABASE peers")
        rows += _rows("PostgreSQL, fsync off", Path(folder), server.url("bench"), server.url("peers"))
    return rows


@dataclass(frozen=True)
class _Servers:
    """The service, a key for it, and what it is held against."""

    service: Process
    token: str
    floor: Process
    naive: Process


@contextmanager
def _servers(folder: Path, url: str, peers: str) -> Iterator[_Servers]:
    environment = {**os.environ, "ASSAY_HOME": str(folder / "home"), "ASSAY_DATABASE_URL": url}
    set_up(folder / "home", url, name="first")
    with ExitStack() as stack:
        service = stack.enter_context(
            serving("governance", "serve", "--port", "0", folder=folder, environment=environment)
        )
        floor, naive = (
            stack.enter_context(serving("benchmarks.ingest_peers", way, peers, folder=folder, environment=environment))
            for way in ("floor", "naive")
        )
        yield _Servers(service, key_for(url, Role.CI), floor, naive)


@dataclass
class _Best:
    """The best rates so far, in events a second."""

    taken: float = 0
    floor: float = 0
    batched: float = 0
    floor_batched: float = 0
    naive: float = 0


def _rows(name: str, folder: Path, url: str, peers: str) -> list[Row]:
    with _servers(folder, url, peers) as servers:
        contents = _bodies()
        _round(_Best(), servers, [next(contents) for _ in range(WARMING)])
        best = _Best()
        for _ in range(ROUNDS):
            _round(best, servers, [next(contents) for _ in range(SINGLES + BATCHES * BATCH_EVENTS)])
        growth = _growth(servers)
    size = f"{len(next(contents)) / 1000:.1f} kB"
    return [
        Row(
            name=f"events one by one over HTTP, {CONNECTIONS} connections, {name}",
            measured=f"{best.taken:,.0f} events/s of {size}",
            floor=f"{best.floor:,.0f} events/s, append only, group commit, bare ASGI",
            ratio=best.taken / best.floor,
            bar="at least 20 %: ratio at least 0.2",
        ),
        Row(
            name=f"batches of {BATCH_EVENTS} over HTTP, {BATCH_CONNECTIONS} connections, {name}",
            measured=f"{best.batched:,.0f} events/s",
            floor=f"{best.floor:,.0f} events/s, the same floor",
            ratio=best.batched / best.floor,
            bar="at least 50 %: ratio at least 0.5",
        ),
        Row(
            name=f"the same against append only in the same batches, {name}",
            measured=f"{best.batched:,.0f} events/s",
            floor=f"{best.floor_batched:,.0f} events/s",
            ratio=best.batched / best.floor_batched,
            bar="none",
        ),
        Row(
            name=f"events one by one against the naive way, {name}",
            measured=f"{best.taken:,.0f} events/s",
            floor=f"{best.naive:,.0f} events/s, the same facts by pydantic and ORM, commit per event",
            ratio=best.taken / best.naive,
            bar="at least 15",
        ),
        Row(
            name=f"growth of the server's resident memory by one event of 10 MB, {name}",
            measured=f"{growth / 2**20:,.0f} MiB",
            floor="256 MiB",
            ratio=GROWTH_BYTES / max(growth, 1),
            bar="at least 1",
        ),
    ]


def _round(best: _Best, servers: _Servers, contents: Sequence[bytes]) -> None:
    """Send the events once to each; every rate that is better than before is kept."""
    singles = min(SINGLES, len(contents) // 2)
    alone, together = contents[:singles], contents[singles:]
    arrays = [
        b"[" + b",".join(together[start : start + BATCH_EVENTS]) + b"]"
        for start in range(0, len(together), BATCH_EVENTS)
    ]
    service, floor, token = servers.service.port, servers.floor.port, servers.token
    own = [request(EVENT, content, token) for content in alone]
    bare = [request("/", content) for content in alone]
    best.taken = max(best.taken, len(alone) / send(service, own, CONNECTIONS))
    best.floor = max(best.floor, len(alone) / send(floor, bare, CONNECTIONS))
    packed = [request(BATCH, array, token) for array in arrays]
    bare_packed = [request("/batch", array) for array in arrays]
    best.batched = max(best.batched, len(together) / send(service, packed, BATCH_CONNECTIONS))
    best.floor_batched = max(best.floor_batched, len(together) / send(floor, bare_packed, BATCH_CONNECTIONS))
    best.naive = max(best.naive, len(bare[:NAIVE]) / send(servers.naive.port, bare[:NAIVE], NAIVE_CONNECTIONS))


def _growth(servers: _Servers) -> int:
    """Bytes by which one large event lifts the service's peak of resident memory above what it has before."""
    status = Path(f"/proc/{servers.service.pid}/status")
    before = _kibibytes(status, "VmRSS")
    Path(f"/proc/{servers.service.pid}/clear_refs").write_text("5")  # the peak is measured from now on
    send(servers.service.port, [request(EVENT, _large_body(), servers.token)], 1)
    return (_kibibytes(status, "VmHWM") - before) * 1024


def _kibibytes(status: Path, name: str) -> int:
    (line,) = [line for line in status.read_text().splitlines() if line.startswith(f"{name}:")]
    return int(line.split()[1])


def _bodies() -> Iterator[bytes]:
    number = 0
    while True:
        yield body(_event(number))
        number += 1


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


def _large_body() -> bytes:
    """An event of ``LARGE_BYTES`` that names the columns of a hundred wide tables."""
    inputs: list[dict[str, Any]] = []
    size = 0
    while size < LARGE_BYTES:
        columns = [
            {"name": f"column_{place}", "type": "string", "description": f"of table {len(inputs)}"}
            for place in range(1500)
        ]
        inputs.append(dataset(f"wide_{len(inputs)}", schema={"fields": columns}))
        size += len(body(inputs[-1]))
    return body(run_event("COMPLETE", 0, run=run_id(2**40), job="wide", inputs=inputs))
