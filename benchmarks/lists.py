"""Pages of 100 of Marquez's lists at 60,000 runs, over HTTP, against selecting the page's keys by the index.

Half of the runs are of one job, which makes a new version of its output each time; the others are six each of 5,000
jobs. Each list is asked for its first, its middle and its last page, with ``totalCount``.
"""

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import quote

import sqlalchemy as sa

from benchmarks.databases import as_delivered, on_both
from benchmarks.report import Row
from governance.database import Database
from governance.migration import upgrade
from lineage.changes import derive
from lineage.receiving import parse_event
from lineage.replay import require_current
from lineage.store import insert_events, write
from tests.lineage.material import body, dataset, run_event, run_id
from tests.support.service import Service

JOBS = 5_000
RUNS_A_JOB = 6
RUNS_OF_ONE = 30_000
PAGE = 100
ROUNDS = 20
SERIES = 4

NAMESPACE = quote("batch", safe="")
LAKE = quote("s3://lake", safe="")


@dataclass(frozen=True)
class Listed:
    """A list: its path and plural, and the statement that selects the keys of a page by its index."""

    path: str
    plural: str
    keys: str


LISTS = (
    Listed(
        "/api/v1/jobs", "jobs",
        "SELECT id FROM lineage_node WHERE kind = 'job' ORDER BY sort_key, id LIMIT :limit OFFSET :offset",
    ),
    Listed(
        f"/api/v1/namespaces/{NAMESPACE}/jobs/hourly/runs", "runs",
        "SELECT id FROM lineage_run WHERE job_id = (SELECT id FROM lineage_node WHERE kind = 'job' "
        "AND name = 'hourly') ORDER BY first_event DESC, id DESC LIMIT :limit OFFSET :offset",
    ),
    Listed(
        f"/api/v1/namespaces/{LAKE}/datasets/hourly/versions", "versions",
        "SELECT id FROM lineage_dataset_version WHERE node_id = (SELECT id FROM lineage_node WHERE kind = 'dataset' "
        "AND name = 'hourly') ORDER BY first_stamp DESC, id DESC LIMIT :limit OFFSET :offset",
    ),
    Listed(
        f"/api/v1/namespaces/{LAKE}/datasets", "datasets",
        "SELECT id FROM lineage_node WHERE kind = 'dataset' ORDER BY sort_key, id LIMIT :limit OFFSET :offset",
    ),
)  # fmt: skip


def run() -> list[Row]:
    """A row for each list and database."""
    return on_both(_rows)


def _rows(name: str, url: str, folder: Path) -> list[Row]:
    upgrade(url)
    database = Database(url)
    with database.unit() as unit:
        require_current(unit)
    _fill(database)
    with as_delivered(folder / "home", url) as service:
        rows = [_row(name, database, service, listed) for listed in LISTS]
    database.close()
    return rows


def _row(name: str, database: Database, service: Service, listed: Listed) -> Row:
    total = _ask(service, listed, 0)["totalCount"]
    offsets = (0, total // 2 // PAGE * PAGE, total - PAGE)
    answered = _p95(offsets, lambda offset: len(_ask(service, listed, offset)[listed.plural]))
    floor = _p95(offsets, lambda offset: _select(database, listed, offset))
    return Row(
        name=f"{listed.plural}, pages of {PAGE} of {total:,}, {name}",
        measured=f"p95 {answered * 1000:.1f} ms over HTTP",
        floor=f"p95 {floor * 1000:.1f} ms, the page's keys by the index",
        ratio=0.05 / answered,
        bar="p95 below 50 ms: ratio (of 50 ms) at least 1",
    )


def _ask(service: Service, listed: Listed, offset: int) -> Any:
    answer = service.http.get(listed.path, params={"limit": PAGE, "offset": offset})
    return answer.raise_for_status().json()


def _select(database: Database, listed: Listed, offset: int) -> int:
    with database.read_unit() as unit:
        return len(unit.session.execute(sa.text(listed.keys), {"limit": PAGE, "offset": offset}).all())


def _p95(offsets: Sequence[int], ask: Callable[[int], int]) -> float:
    """The least 95th percentile of a few series: other work on the machine only ever slows one down."""
    return min(_series(offsets, ask) for _ in range(SERIES))


def _series(offsets: Sequence[int], ask: Callable[[int], int]) -> float:
    """The 95th percentile of the seconds that a page takes, after one round to warm up."""
    taken = []
    for place in range(ROUNDS + 1):
        for offset in offsets:
            began = time.perf_counter()
            if ask(offset) != PAGE:
                raise RuntimeError("every page must be full")
            if place:
                taken.append(time.perf_counter() - began)
    return statistics.quantiles(taken, n=20)[-1]


def _fill(database: Database) -> None:
    """Take the events on the path that all events take, but for the log."""
    bodies = _bodies()
    while chunk := list(islice(bodies, 1_000)):
        events = [parse_event(content) for content in chunk]
        with database.unit() as unit:
            insert_events(unit, events)
            write(unit, derive((event, unit.now) for event in events))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE" if database.dialect == "postgresql" else "ANALYZE"))


def _bodies() -> Iterator[bytes]:
    schema = {"fields": [{"name": f"column_{number}", "type": "int"} for number in range(20)]}
    for number in range(RUNS_OF_ONE):
        output = dataset("hourly", version={"datasetVersion": str(number)}, schema=schema)
        yield body(
            run_event("COMPLETE", 60 * number, run=run_id(number), job="hourly", inputs=["raw"], outputs=[output])
        )
    for number in range(JOBS * RUNS_A_JOB):
        job = number % JOBS
        inputs = [dataset(f"table_{(job + step) % JOBS}", schema=schema) for step in (1, 2)]
        output = dataset(f"table_{job}", schema=schema, documentation={"description": f"Table {job}"})
        yield body(
            run_event(
                "COMPLETE", number, run=run_id(RUNS_OF_ONE + number), job=f"job_{job}", inputs=inputs, outputs=[output]
            )
        )
