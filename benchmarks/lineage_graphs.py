"""Seeded lineage graphs of any size, written straight into the derived tables: no events, but every column filled."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from governance.database import Database
from lineage.identity import namespace_identity, node_identity, stamp
from lineage.tables import EdgeRow, NamespaceRow, NodeRow
from tests.lineage.material import NOON

LAKE = "s3://lake"
SCHEDULER = "airflow://batch"
_NAMESPACES = {LAKE: 1, SCHEDULER: 2}
CORE_TEAMS = 10
_CHUNK = 50_000


@dataclass
class Graph:
    """Nodes and edges while they are drawn; a node's row id is its place, counted from 1."""

    kinds: list[str] = field(default_factory=list)
    edges: list[tuple[int, int, int]] = field(default_factory=list)

    def node(self, kind: str) -> int:
        """A new node; its row id."""
        self.kinds.append(kind)
        return len(self.kinds)

    def job(self, inputs: Iterable[int], outputs: int = 1) -> list[int]:
        """A new job that reads the datasets and writes as many new ones; these."""
        job = self.node("job")
        written = [self.node("dataset") for _ in range(outputs)]
        self.edges += [(job, 0, node) for node in inputs]
        self.edges += [(job, 1, node) for node in written]
        return written


def name_of(kind: str, number: int) -> tuple[str, str]:
    """Namespace and name of the node with this row id."""
    return (SCHEDULER, f"team_{number % 97}.job_{number}") if kind == "job" else (LAKE, f"area/table_{number}")


def layered(layers: int, jobs: int, inputs: int, seed: int) -> tuple[Graph, list[list[int]]]:
    """Layers of jobs that each read random datasets of the layer before and write one; the datasets by layer."""
    source, graph = random.Random(seed), Graph()
    drawn = [[graph.node("dataset") for _ in range(jobs)]]
    for _ in range(layers):
        drawn.append([end for _ in range(jobs) for end in graph.job(source.sample(drawn[-1], inputs))])
    return graph, drawn


def company(edges: int, seed: int) -> tuple[Graph, list[int]]:
    """A graph of so many edges as a large company has it, and its model versions.

    Teams have pipelines of their own over ten layers of 40 jobs; each job reads one to four tables of the layer before,
    and each model version is trained on three tables of the last. The first teams keep what all share: one job in
    twenty of the others also reads one of their tables.
    """
    source, graph = random.Random(seed), Graph()
    shared: list[int] = []
    models: list[int] = []
    team = 0
    while len(graph.edges) < edges:
        layer = _pipelines(graph, source, [] if team < CORE_TEAMS else shared)
        if team < CORE_TEAMS:
            shared += source.sample(layer, 20)
        else:
            models += [end for _ in range(10) for end in graph.job(source.sample(layer, 3))]
        team += 1
    return graph, models


def _pipelines(graph: Graph, source: random.Random, shared: list[int]) -> list[int]:
    """One team's ten layers of 40 jobs; the tables of the last."""
    layer = [graph.node("dataset") for _ in range(40)]
    for _ in range(10):
        written = []
        for _ in range(40):
            inputs = source.sample(layer, source.randint(1, 4))
            if shared and source.random() < 0.05:
                inputs.append(source.choice(shared))
            written += graph.job(inputs, outputs=source.randint(1, 2))
        layer = written
    return layer


def hub(jobs: int) -> tuple[Graph, int]:
    """Jobs that all read one table and write one each; the first of them."""
    graph = Graph()
    table = graph.node("dataset")
    for _ in range(jobs):
        graph.job([table])
    return graph, table + 1


def load(database: Database, graph: Graph) -> None:
    """Write the graph into an empty database."""
    seen = {"first_seen": NOON, "last_seen": NOON}
    with database.unit() as unit:
        unit.session.execute(
            sa.insert(NamespaceRow),
            [{"id": n, "identity": namespace_identity(name), "name": name, **seen} for name, n in _NAMESPACES.items()],
        )
        _copy(unit, NodeRow, [_node(number, kind) for number, kind in enumerate(graph.kinds, start=1)])
        told = stamp(NOON, bytes(32))
        _copy(unit, EdgeRow, [(job, role, node, NOON, NOON, 1, None, told) for job, role, node in graph.edges])
    # What the server does by itself on a running instance: counting rows, and telling indexes which are visible to all.
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE" if database.dialect == "postgresql" else "ANALYZE"))


_COLUMNS: dict[Any, tuple[str, ...]] = {
    NodeRow: (
        "id", "identity", "kind", "namespace", "name", "namespace_id", "sort_key", "first_seen", "last_seen",
        "last_recorded",
    ),
    EdgeRow: (
        "job_id", "role", "node_id", "first_seen", "last_seen", "run_count", "latest_run_id", "latest_stamp",
    ),
}  # fmt: skip


def _node(number: int, kind: str) -> tuple[Any, ...]:
    namespace, name = name_of(kind, number)
    identity = node_identity("job" if kind == "job" else "dataset", namespace, name)
    return (number, identity, kind, namespace, name, _NAMESPACES[namespace], name, NOON, NOON, NOON)


def _copy(unit: Any, table: Any, rows: list[tuple[Any, ...]]) -> None:
    """The rows through the driver: a statement built for each of a million would take minutes."""
    columns, name = _COLUMNS[table], table.__tablename__
    cursor = unit.session.connection().connection.cursor()
    if unit.dialect == "postgresql":
        with cursor.copy(f"COPY {name} ({', '.join(columns)}) FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        return
    naive = {NOON: NOON.replace(tzinfo=None).isoformat(" ", "microseconds")}
    marks = ", ".join("?" for _ in columns)
    for start in range(0, len(rows), _CHUNK):
        part = [tuple(naive.get(value, value) for value in row) for row in rows[start : start + _CHUNK]]
        cursor.executemany(f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", part)
