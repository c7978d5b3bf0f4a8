"""Column lineage over 3 fields and 20 layers, every field from all fields of the layer before, both ways.

Beside the chain that is asked about lie 49 others, so that the tables are not the answer. The floor is one recursive
statement that returns the ids of the same fields, over a table that links them by their ids alone.
"""

import statistics
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from benchmarks.databases import as_delivered, on_both
from benchmarks.report import Row
from governance.database import Database
from governance.migration import upgrade
from governance.settings import LineageSettings
from lineage.column_answer import ColumnQuery, column_graph, starts_of
from lineage.column_graph import walk_fields
from lineage.columns import FieldHops, StoredFields
from lineage.graph import Bounds, Direction
from lineage.ingest import record_events
from lineage.reading import find_node
from lineage.replay import require_current
from tests.lineage.material import bodies, dataset_event, run_event, run_id
from tests.lineage.test_columns import LAKE, mapped, tagged
from tests.support.service import Service

FIELDS = ("a", "b", "c")
LAYERS = 20
CHAINS = 50
ROUNDS = 100
SERIES = 4
WAYS: tuple[tuple[Direction, str], ...] = (("upstream", f"chain0_{LAYERS}"), ("downstream", "chain0_0"))


def run() -> list[Row]:
    """Three rows a database and direction: the walk, the whole answer with tags, and the answer over HTTP."""
    return on_both(_rows)


def _rows(name: str, url: str, folder: Path) -> list[Row]:
    upgrade(url)
    database = Database(url)
    with database.unit() as unit:
        require_current(unit)
    _fill(database)
    rows: list[Row] = []
    for way, start in WAYS:
        reached, walked = _timed(partial(_walked, database, start, way))
        expected, floor = _timed(partial(_recursive, database, way))
        if reached != expected:
            raise RuntimeError(f"the walk reached {reached} fields and the statement {expected}")
        _, answered = _timed(partial(_answered, database, start, way))
        shown = f"{reached} fields, {SERIES} times {ROUNDS} rounds"
        rows += [
            _row(f"column lineage {way}, {name}", walked, floor, shown),
            _row(f"column lineage {way} with names, runs and tags, {name}", answered, floor, shown),
        ]
    with as_delivered(folder / "home", url) as service:
        for way, start in WAYS:
            _, served = _timed(partial(_served, service, start, way))
            rows.append(_row(f"column lineage {way} over HTTP, {name}", served, 0.02, "against the bar itself"))
    database.close()
    return rows


def _served(service: Service, start: str, way: Direction) -> int:
    asked = {"namespace": LAKE, "name": start, "field": "a", "direction": way}
    return len(service.http.get("/v1/lineage/columns", params=asked).raise_for_status().json()["nodes"])


def _row(name: str, measured: float, floor: float, shown: str) -> Row:
    return Row(
        name=name,
        measured=f"p95 {measured * 1000:.1f} ms; {shown}",
        floor=f"p95 {floor * 1000:.1f} ms" + ("" if "HTTP" in name else ", one recursive statement"),
        ratio=floor / measured,
        bar="p95 below 20 ms",
    )


def _fill(database: Database) -> None:
    """Chains of 20 jobs; the first of all starts at a tagged field. Its fields are linked by id for the floor too."""
    sources = [(layer, source, target) for layer in range(LAYERS) for source in FIELDS for target in FIELDS]
    for first in range(0, CHAINS, 10):
        events = [
            run_event(
                run=run_id(chain * LAYERS + layer + 1),
                job=f"chain{chain}_job{layer}",
                outputs=[mapped(f"chain{chain}_{layer + 1}", {
                    target: [(f"chain{chain}_{layer}", source) for source in FIELDS] for target in FIELDS
                })],
            )
            for chain in range(first, first + 10)
            for layer in range(LAYERS)
        ]  # fmt: skip
        with database.unit() as unit:
            record_events(unit, bodies(*events), LineageSettings())
    with database.unit() as unit:
        record_events(
            unit, bodies(tagged("chain0_0", 0, a="pii"), dataset_event(mapped("aside", {}))), LineageSettings()
        )
        unit.session.execute(sa.text("CREATE TABLE bench_link (source INTEGER, target INTEGER)"))
        rows = [
            {"source": begin + FIELDS.index(source), "target": begin + 3 + FIELDS.index(target)}
            for chain in range(CHAINS)
            for layer, source, target in sources
            for begin in [chain * 1000 + layer * 3]
        ]
        unit.session.execute(sa.text("INSERT INTO bench_link (source, target) VALUES (:source, :target)"), rows)
        unit.session.execute(sa.text("CREATE INDEX bench_by_source ON bench_link (source, target)"))
        unit.session.execute(sa.text("CREATE INDEX bench_by_target ON bench_link (target, source)"))
    with database.engine.connect() as connection:
        connection.execute(sa.text("ANALYZE"))
        connection.commit()


def _walked(database: Database, name: str, way: Direction) -> int:
    with database.read_unit() as unit:
        stored = StoredFields(unit)
        node = find_node(unit, "dataset", LAKE, name)
        if node is None:
            raise RuntimeError("the chain is not stored")
        hops = FieldHops(stored, lambda hop: hop.pair.is_direct)
        return len(walk_fields(hops, [(node.id, "a")], [way], Bounds()).distances)


def _answered(database: Database, name: str, way: Direction) -> int:
    with database.read_unit() as unit:
        stored = StoredFields(unit)
        node = find_node(unit, "dataset", LAKE, name)
        if node is None:
            raise RuntimeError("the chain is not stored")
        return len(column_graph(stored, starts_of(stored, node, "a", [way]), ColumnQuery(way)).nodes)


_FLOOR = {
    "upstream": sa.text(
        "WITH RECURSIVE reached(field) AS (SELECT CAST(:start AS INTEGER) UNION SELECT source FROM reached "
        "JOIN bench_link ON target = field) SELECT field FROM reached"
    ),
    "downstream": sa.text(
        "WITH RECURSIVE reached(field) AS (SELECT CAST(:start AS INTEGER) UNION SELECT target FROM reached "
        "JOIN bench_link ON source = field) SELECT field FROM reached"
    ),
}


def _recursive(database: Database, way: Direction) -> int:
    with database.read_unit() as unit:
        start = LAYERS * 3 if way == "upstream" else 0
        return len(unit.session.execute(_FLOOR[way], {"start": start}).all())


def _timed(ask: Callable[[], int]) -> tuple[int, float]:
    """The answer and the least 95th percentile of a few series, in seconds, each after ten to warm up.

    Other work on the machine only ever slows a series down.
    """
    series = [_series(ask) for _ in range(SERIES)]
    return series[0][0], min(seconds for _, seconds in series)


def _series(ask: Callable[[], int]) -> tuple[int, float]:
    for _ in range(10):
        answer = ask()
    taken = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        answer = ask()
        taken.append(time.perf_counter() - began)
    return answer, statistics.quantiles(taken, n=20)[-1]
