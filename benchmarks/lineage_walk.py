"""Directed lineage over 20,000 jobs and 80,000 edges, against one recursive SQL statement for the same closure.

The graph has 10 layers of 2,000 jobs; each job reads 3 random datasets of the layer before and writes 1.
"""

import random
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.report import Row
from governance.database import Database
from governance.migration import upgrade
from lineage.graph import walk
from lineage.identity import node_identity
from lineage.links import StoredLinks
from lineage.tables import EdgeRow, NodeRow
from tests.lineage.material import NOON
from tests.support.postgres import running_server
from tests.support.service import running

LAYERS = 10
JOBS_A_LAYER = 2_000
INPUTS = 3
STARTS = 100
SEED = 20261124

FLOOR = sa.text(
    "WITH RECURSIVE up(node) AS (SELECT CAST(:start AS BIGINT) UNION SELECT reads.node_id FROM up "
    "JOIN lineage_edge writes ON writes.node_id = up.node AND writes.role = 1 "
    "JOIN lineage_edge reads ON reads.job_id = writes.job_id AND reads.role = 0) SELECT node FROM up"
)


def run() -> list[Row]:
    """Two rows a database: the walk over the whole closure, and the answer over HTTP at the usual node limit."""
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'assay.db'}"
        rows = _rows("SQLite", url, Path(folder))
    with running_server() as server, tempfile.TemporaryDirectory() as folder:
        server.execute("CREATE DATABASE bench")
        rows += _rows("PostgreSQL", server.url("bench"), Path(folder))
    return rows


def _rows(name: str, url: str, folder: Path) -> list[Row]:
    upgrade(url)
    database = Database(url)
    datasets = _fill(database)
    starts = random.Random(SEED).sample(datasets[-1], STARTS)
    sizes, walked = _timed(starts, lambda start: _walked(database, start))
    floor_sizes, floor = _timed(starts, lambda start: _recursive(database, start))
    if sizes != floor_sizes:
        raise RuntimeError("the walk and the recursive statement must reach the same datasets")
    database.close()
    with running(folder / "home", url) as service:
        _, answered = _timed(
            starts,
            lambda start: len(
                service.http.get(
                    "/v1/lineage/graph",
                    params={"namespace": "lake", "name": f"table_{start}", "direction": "upstream"},
                )
                .raise_for_status()
                .json()["nodes"]
            ),
        )
    shown = f"closures of {statistics.median(sizes):,.0f} datasets (median), {STARTS} starts"
    return [
        Row(
            name=f"lineage walk over the whole closure, {name}",
            measured=f"p95 {walked * 1000:.1f} ms; {shown}",
            floor=f"p95 {floor * 1000:.1f} ms, one recursive statement",
            ratio=floor / walked,
            bar="at most 3 times the floor: ratio at least 0.33; p95 below 50 ms",
        ),
        Row(
            name=f"lineage over HTTP, at most 1,000 nodes, {name}",
            measured=f"p95 {answered * 1000:.1f} ms",
            floor="50 ms",
            ratio=0.05 / answered,
            bar="p95 below 50 ms: ratio at least 1",
        ),
    ]


def _fill(database: Database) -> list[list[int]]:
    """Write nodes and edges; the datasets' row ids by layer. A dataset's name is its row id."""
    source = random.Random(SEED)
    nodes: list[dict[str, Any]] = []
    edges: list[dict[str, Any]] = []
    layers = [[_node(nodes, "dataset") for _ in range(JOBS_A_LAYER)]]
    for _ in range(LAYERS):
        before, written = layers[-1], []
        for _ in range(JOBS_A_LAYER):
            job, output = _node(nodes, "job"), _node(nodes, "dataset")
            written.append(output)
            edges += [_edge(job, 0, node) for node in source.sample(before, INPUTS)]
            edges.append(_edge(job, 1, output))
        layers.append(written)
    with database.unit() as unit:
        connection = unit.session.connection()
        connection.execute(sa.insert(NodeRow), nodes)
        connection.execute(sa.insert(EdgeRow), edges)
    with database.engine.connect() as connection:
        connection.execute(sa.text("ANALYZE"))
        connection.commit()
    return layers


def _node(nodes: list[dict[str, Any]], kind: str) -> int:
    number = len(nodes) + 1
    namespace, name = ("batch", f"job_{number}") if kind == "job" else ("lake", f"table_{number}")
    nodes.append(
        {
            "id": number,
            "identity": node_identity("job" if kind == "job" else "dataset", namespace, name),
            "kind": kind,
            "namespace": namespace,
            "name": name,
            "first_seen": NOON,
            "last_seen": NOON,
        }
    )
    return number


def _edge(job: int, role: int, node: int) -> dict[str, Any]:
    seen = {"first_seen": NOON, "last_seen": NOON, "run_count": 1}
    return {"job_id": job, "role": role, "node_id": node, **seen}


def _walked(database: Database, start: int) -> int:
    with database.read_unit() as unit:
        found = walk(StoredLinks(unit), start, False, ["upstream"])
    return len(found.distances) - len({job for job, _, _ in found.edges})


def _recursive(database: Database, start: int) -> int:
    with database.read_unit() as unit:
        return len(unit.session.execute(FLOOR, {"start": start}).all())


def _timed(starts: Sequence[int], ask: Callable[[int], int]) -> tuple[list[int], float]:
    """The answers and the 95th percentile of the seconds they took, after five to warm up."""
    for start in starts[:5]:
        ask(start)
    answers, taken = [], []
    for start in starts:
        began = time.perf_counter()
        answers.append(ask(start))
        taken.append(time.perf_counter() - began)
    return answers, statistics.quantiles(taken, n=20)[-1]
