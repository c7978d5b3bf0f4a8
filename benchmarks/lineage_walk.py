"""Directed lineage: over 20,000 jobs and 80,000 edges, around a hub of 1,000 jobs, and over a million edges.

Each walk is held against one recursive SQL statement for the same closure, in the same process on the same database,
start by start in turn, so that whatever else the machine does slows both.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks import lineage_graphs
from benchmarks.databases import as_delivered
from benchmarks.report import Row
from governance.database import Database
from governance.migration import upgrade
from lineage.graph import Direction, walk
from lineage.links import StoredLinks
from tests.support.postgres import Server, running_server

SEED = 20261124
LAYERS, JOBS_A_LAYER, INPUTS = 10, 2_000, 3
STARTS = 200
HUB_JOBS = 1_000
MANY_EDGES = 1_000_000

Start = tuple[int, Direction]

FLOORS = {
    direction: sa.text(
        "WITH RECURSIVE found(node) AS (SELECT CAST(:start AS BIGINT) UNION SELECT further.node_id FROM found "
        f"JOIN lineage_edge entered ON entered.node_id = found.node AND entered.role = {role} "
        f"JOIN lineage_edge further ON further.job_id = entered.job_id AND further.role = {1 - role}) "
        "SELECT node FROM found"
    )
    for direction, role in (("upstream", 1), ("downstream", 0))
}


def run() -> list[Row]:
    """The rows of SQLite, then those of PostgreSQL."""
    rows = _rows("SQLite", None)
    with running_server() as server:
        rows += _rows("PostgreSQL", server)
    return rows


def _rows(name: str, server: Server | None) -> list[Row]:
    rows = []
    with _database(server, "layers") as (database, folder):
        graph, layers = lineage_graphs.layered(LAYERS, JOBS_A_LAYER, INPUTS, SEED)
        lineage_graphs.load(database, graph)
        source = random.Random(SEED)
        datasets = [node for layer in layers for node in layer]
        ways: list[Direction] = ["upstream", "downstream"]
        starts: list[Start] = [(node, ways[at % 2]) for at, node in enumerate(source.sample(datasets, STARTS))]
        shown = f"of {len(graph.edges):,} edges, {STARTS} starts"
        rows.append(_walk_row(f"lineage walk, closure {shown}, {name}", database, starts, bar_ms=50))
        rows.append(_answer_row(f"lineage over HTTP, at most 1,000 nodes {shown}, {name}", database, folder, starts))
    with _database(server, "hub") as (database, folder):
        graph, job = lineage_graphs.hub(HUB_JOBS)
        lineage_graphs.load(database, graph)
        rows.append(_hub_row(name, database, folder, job))
    with _database(server, "company") as (database, _):
        graph, models = lineage_graphs.company(MANY_EDGES, SEED)
        lineage_graphs.load(database, graph)
        chosen = random.Random(SEED).sample(models, STARTS)
        rows.append(
            _walk_row(
                f"upstream of a model version, {len(graph.edges):,} edges, {name}",
                database,
                [(model, "upstream") for model in chosen],
                bar_ms=100,
            )
        )
    return rows


@contextmanager
def _database(server: Server | None, name: str) -> Iterator[tuple[Database, Path]]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        url = f"sqlite:///{folder / 'assay.db'}"
        if server is not None:
            server.execute(f"CREATE DATABASE {name}")
            url = server.url(name)
        upgrade(url)
        database = Database(url)
        stack.callback(database.close)
        yield database, folder


def _walk_row(name: str, database: Database, starts: Sequence[Start], *, bar_ms: int) -> Row:
    """The walk over the whole closure against the recursive statement."""
    sizes, taken, floors = [], [], []
    for start in [*starts[:5], *starts]:
        began = time.perf_counter()
        reached = _walked(database, start)
        between = time.perf_counter()
        size = _recursive(database, start)
        floors.append(time.perf_counter() - between)
        taken.append(between - began)
        sizes.append(size)
        if reached != size:
            raise RuntimeError("the walk and the recursive statement must reach the same datasets")
    walked, floor = _p95(taken[5:]), _p95(floors[5:])
    usual = statistics.median(floors[5:]) * 1000
    return Row(
        name=name,
        measured=f"p95 {walked * 1000:.1f} ms, median {statistics.median(taken[5:]) * 1000:.1f} ms; closures of "
        f"{statistics.median(sizes):,.0f} datasets (median), at most {max(sizes):,}",
        floor=f"p95 {floor * 1000:.1f} ms, median {usual:.1f} ms, one recursive statement",
        ratio=floor / walked,
        bar=f"at most 3 times the floor: ratio at least 0.33; p95 below {bar_ms} ms",
    )


def _answer_row(name: str, database: Database, folder: Path, starts: Sequence[Start]) -> Row:
    """The answer over HTTP at the usual node limit."""
    with as_delivered(folder / "home", str(database.url.render_as_string(hide_password=False))) as service:

        def answer(start: Start) -> None:
            node, direction = start
            _, table = lineage_graphs.name_of("dataset", node)
            asked = {"namespace": lineage_graphs.LAKE, "name": table, "direction": direction}
            service.http.get("/v1/lineage/graph", params=asked).raise_for_status()

        answered = _timed(starts, answer)
        bare = _timed(starts, lambda _: service.http.get("/healthz").raise_for_status())
    return Row(
        name=name,
        measured=f"p95 {_p95(answered) * 1000:.1f} ms, median {statistics.median(answered) * 1000:.1f} ms",
        floor=f"50 ms; an answer without a query takes {_p95(bare) * 1000:.1f} ms",
        ratio=0.05 / _p95(answered),
        bar="p95 below 50 ms: ratio at least 1",
    )


def _hub_row(name: str, database: Database, folder: Path, job: int) -> Row:
    namespace, text = lineage_graphs.name_of("job", job)
    with as_delivered(folder / "home", str(database.url.render_as_string(hide_password=False))) as service:
        asked = {"namespace": namespace, "name": text}

        def answer(_: Any) -> None:
            service.http.get("/v1/lineage/graph", params=asked).raise_for_status()

        answered = _timed(range(STARTS), answer)
        bare = _timed(range(STARTS), lambda _: service.http.get("/healthz").raise_for_status())
    return Row(
        name=f"lineage of one of {HUB_JOBS:,} jobs that read one table, over HTTP, {name}",
        measured=f"p95 {_p95(answered) * 1000:.1f} ms",
        floor=f"p95 {_p95(bare) * 1000:.1f} ms, an answer of the same application without a query",
        ratio=_p95(bare) / _p95(answered),
        bar="p95 below 20 ms",
    )


def _walked(database: Database, start: Start) -> int:
    node, direction = start
    with database.read_unit() as unit:
        found = walk(StoredLinks(unit), node, False, [direction])
    jobs = {job for pairs, _ in found.hops for job, _ in pairs}
    return len(found.distances) - len(jobs)


def _recursive(database: Database, start: Start) -> int:
    node, direction = start
    with database.read_unit() as unit:
        return len(unit.session.execute(FLOORS[direction], {"start": node}).all())


def _timed(starts: Sequence[Any], ask: Callable[[Any], object]) -> list[float]:
    """The seconds that each question took, after five to warm up."""
    for start in starts[:5]:
        ask(start)
    taken = []
    for start in starts:
        began = time.perf_counter()
        ask(start)
        taken.append(time.perf_counter() - began)
    return taken


def _p95(seconds: Sequence[float]) -> float:
    return statistics.quantiles(seconds, n=20)[-1]
