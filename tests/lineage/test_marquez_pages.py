"""Pages of lists: the same rows as sorting everything, and by indexes that hold all that is asked."""

import random
from typing import Any

import sqlalchemy as sa

from governance.database import Database, Unit
from governance.settings import LineageSettings
from lineage.actions import Target, delete_node
from lineage.ingest import record_events
from lineage.marquez import pages
from lineage.marquez.datasets import version_of_uuid
from lineage.marquez.lookup import entity_uuid, require_entity
from lineage.marquez.pages import Page
from lineage.tables import DatasetVersionRow, NodeRow, RunRow
from tests.lineage.material import bodies, dataset, dataset_event, run_event, run_id, versioned

SEED = 20261125


def record(unit: Unit, *documents: dict[str, Any]) -> None:
    record_events(unit, bodies(*documents), LineageSettings())


def test_pages_are_the_parts_of_the_whole_in_the_order_of_code_points(database: Database) -> None:
    source = random.Random(SEED)
    names = list({"".join(source.choices("aAbB é🕷_-.", k=3)) for _ in range(60)})
    link = {"identifiers": [{"namespace": "other", "name": "ghost", "type": "TABLE"}]}
    with database.unit() as unit:
        record(unit, run_event("COMPLETE", 0, outputs=[dataset(name, symlinks=link) for name in names]))
        delete_node(unit, Target("dataset", "s3://lake", names[0]), "someone")
    with database.read_unit() as unit:
        every = sorted(names[1:])
        shown: list[str] = []
        for offset in range(0, 70, 7):
            keys = pages.node_keys(unit, "dataset", Page(7, offset))
            assert keys.total == len(every)
            rows = {
                row.id: row.name for row in unit.session.scalars(sa.select(NodeRow).where(NodeRow.id.in_(keys.ids)))
            }
            shown += [rows[number] for number in keys.ids]
        assert shown == every


def test_a_name_that_was_renamed_away_comes_back_when_it_is_created_anew(database: Database) -> None:
    previous = {"namespace": "s3://lake", "name": "old"}
    renamed = dataset("new", lifecycleStateChange={"lifecycleStateChange": "RENAME", "previousIdentifier": previous})
    created = dataset("old", lifecycleStateChange={"lifecycleStateChange": "CREATE"})
    for events, total in (
        ([run_event("COMPLETE", 0, outputs=["old"])], 1),
        ([dataset_event(renamed, 5)], 1),
        ([dataset_event(created, 9)], 2),
    ):
        with database.unit() as unit:
            record(unit, *events)
            assert pages.node_keys(unit, "dataset", Page()).total == total


def test_keys_of_a_page_are_read_from_an_index_alone(database: Database) -> None:
    """L1 to L4: neither an offset nor a number of all reads a row of the table."""
    if database.dialect != "sqlite":
        return  # PostgreSQL decides by statistics, which a table of tests has not; the benchmark measures it
    with database.unit() as unit:
        record(unit, run_event("COMPLETE", 0, outputs=[versioned("t", "1")]))
        job = unit.session.scalars(sa.select(NodeRow.id).where(NodeRow.kind == "job")).one()
        plans = [
            *_plans(unit, lambda: pages.node_keys(unit, "job", Page())),
            *_plans(unit, lambda: pages.run_keys(unit, job, Page())),
            *_plans(unit, lambda: pages.version_keys(unit, [job], Page())),
        ]
    tables = ("lineage_node", "lineage_run", "lineage_dataset_version")
    reads = [line for plan in plans for line in plan if any(f"{verb} {table}" in line for table in tables
             for verb in ("SEARCH", "SCAN"))]  # fmt: skip
    # Nodes that were deleted or renamed are few, and looked at.
    few = ("ix_lineage_node_deleted", "INTEGER PRIMARY KEY", "ix_lineage_node_unnamed")
    assert len(reads) >= 6
    assert [line for line in reads if "COVERING INDEX" not in line and not any(name in line for name in few)] == []
    assert not any("TEMP B-TREE FOR ORDER BY" in line for plan in plans for line in plan)


def _plans(unit: Unit, ask: Any) -> list[list[str]]:
    """The plans of the statements that a question runs."""
    seen: list[tuple[str, Any]] = []
    connection = unit.session.connection()

    def note(_conn: Any, _cursor: Any, statement: str, parameters: Any, *_: Any) -> None:
        seen.append((statement, parameters))

    sa.event.listen(connection.engine, "before_cursor_execute", note)
    try:
        ask()
    finally:
        sa.event.remove(connection.engine, "before_cursor_execute", note)
    return [
        [row[3] for row in connection.exec_driver_sql("EXPLAIN QUERY PLAN " + statement, parameters)]
        for statement, parameters in seen
    ]


def test_a_version_is_found_by_its_uuid_among_all(database: Database) -> None:
    with database.unit() as unit:
        record(unit, run_event("COMPLETE", 0, outputs=[versioned("t", str(number)) for number in range(50)]))
        record(unit, run_event("COMPLETE", 1, run=run_id(2), outputs=[versioned("u", "1")]))
        found = require_entity(unit, "dataset", "s3://lake", "t")
        for row in unit.session.scalars(sa.select(DatasetVersionRow)).all():
            uuid = entity_uuid(row.identity)
            assert version_of_uuid(unit, found, uuid.upper()) == (row if row.node_id == found.id else None)


def test_the_latest_runs_of_many_jobs_are_those_of_each(database: Database) -> None:
    source = random.Random(SEED)
    with database.unit() as unit:
        minutes = [(number % 4, source.randrange(1000)) for number in range(60)]
        events = [
            run_event("COMPLETE", minute, run=run_id(place), job=f"j{job}")
            for place, (job, minute) in enumerate(minutes)
        ]
        record(unit, *events)
        jobs = unit.session.scalars(sa.select(NodeRow.id).where(NodeRow.kind == "job")).all()
        found = pages.latest_run_keys(unit, jobs, 5)
        for job in jobs:
            assert found[job] == list(pages.run_keys(unit, job, Page(5)).ids)
            first = [unit.session.get_one(RunRow, run).first_event for run in found[job]]
            assert first == sorted(first, reverse=True)
