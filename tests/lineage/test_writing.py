"""Many rows at once: what lies in the database afterwards is what merging the same rows in memory gives."""

import random
from datetime import datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from governance.database import Database
from lineage.merging import Rules, merge_row
from lineage.rules import EDGES, NAMESPACES, RUN_DATASETS, RUNS, TEXTS
from lineage.writing import CHUNK, ids_of, insert_ids, merge, merge_ids, merge_new
from tests.lineage.material import NOON


def identity(number: int) -> bytes:
    return number.to_bytes(32, "big")


def moment(source: random.Random) -> datetime | None:
    return source.choice([None, NOON + timedelta(seconds=source.randrange(100), microseconds=source.randrange(3))])


def run_row(source: random.Random) -> dict[str, Any]:
    number, stamp = source.randrange(40), source.choice([None, identity(source.randrange(100))])
    first, last = moment(source), moment(source) or NOON
    told = {"job_id": source.randrange(5), "job_stamp": identity(source.randrange(2**64))}
    parent = {
        "parent_stamp": stamp,
        "parent_run_id": stamp and stamp.hex(),
        "parent_namespace": "n\u00e9'%s",
        "parent_name": None,
    }
    ends = {"end_kinds": source.randrange(4), "end_stamp": stamp, "is_explicit": source.randrange(2)}
    empty = {column.name: None for column in RUNS.table.__table__.c if column.name != "id"}
    return {
        **empty, "identity": identity(number), "run_id": str(number), "first_start": first, "first_running": None,
        "first_event": last, "last_event": last, **told, **parent, **ends,
    }  # fmt: skip


def stored(database: Database, rules: Rules) -> dict[Any, dict[str, Any]]:
    with database.read_unit() as unit:
        rows = [dict(row) for row in unit.session.execute(sa.select(rules.table.__table__)).mappings()]
    return {rules.key_of(row): {name: value for name, value in row.items() if name != "id"} for row in rows}


def test_rows_merge_in_the_database_as_they_do_in_memory(database: Database) -> None:
    source = random.Random(7)
    expected: dict[Any, dict[str, Any]] = {}
    for _ in range(6):
        batch = list({RUNS.key_of(row): row for row in (run_row(source) for _ in range(30))}.values())
        with database.unit() as unit:
            given = merge_ids(unit, RUNS, [dict(row) for row in batch])
            assert given == ids_of(unit, RUNS, [row["identity"] for row in batch])
        for row in batch:
            merge_row(RUNS, expected.setdefault(RUNS.key_of(row), dict(row)), row)
    assert stored(database, RUNS) == expected


def test_ids_take_the_place_of_identities(database: Database) -> None:
    edge = {"job_id": b"j", "role": 0, "node_id": b"n", "first_seen": NOON, "last_seen": NOON, "run_count": 2,
            "latest_run_id": None, "latest_stamp": None}  # fmt: skip
    with database.unit() as unit:
        for _ in range(2):
            merge(unit, EDGES, [dict(edge)], job_id={b"j": 4}, node_id={b"n": 5}, latest_run_id={None: None})
    (row,) = stored(database, EDGES).values()
    assert (row["job_id"], row["node_id"], row["latest_run_id"], row["run_count"]) == (4, 5, None, 4)


def test_rows_that_were_not_there_are_told_from_those_that_were(database: Database) -> None:
    rows = [{"run_id": run, "role": 1, "node_id": node, "job_id": 3, "first_seen": NOON, "last_seen": NOON}
            for run in (1, 2) for node in (1, 2)]  # fmt: skip
    with database.unit() as unit:
        assert merge_new(unit, RUN_DATASETS, rows[:1]) == {(1, 1, 1, 3)}
        later = [{**row, "last_seen": NOON + timedelta(hours=1)} for row in rows]
        assert merge_new(unit, RUN_DATASETS, later) == {(1, 1, 2, 3), (2, 1, 1, 3), (2, 1, 2, 3)}
        assert merge_new(unit, RUN_DATASETS, later) == set()
    assert {row["last_seen"] for row in stored(database, RUN_DATASETS).values()} == {NOON + timedelta(hours=1)}


def test_only_what_is_not_there_is_inserted(database: Database) -> None:
    with database.unit() as unit:
        first = insert_ids(unit, TEXTS, [{"digest": identity(1), "content": b"one"}])
        both = insert_ids(unit, TEXTS, [{"digest": identity(number), "content": b"other"} for number in (2, 1)])
    assert (set(first), set(both)) == ({identity(1)}, {identity(2)})
    assert {row["content"] for row in stored(database, TEXTS).values()} == {b"one", b"other"}


@pytest.mark.parametrize("count", [0, 1, 3, CHUNK, CHUNK + 1, 2 * CHUNK + 5])
def test_any_number_of_keys_is_looked_up(database: Database, count: int) -> None:
    rows = [{"digest": identity(number), "content": b""} for number in range(count)]
    with database.unit() as unit:
        written = insert_ids(unit, TEXTS, rows)
        assert ids_of(unit, TEXTS, [identity(number) for number in range(count + 3)]) == written
        assert len(written) == count


def test_nothing_to_write_is_nothing_written(database: Database) -> None:
    with database.unit() as unit:
        merge(unit, EDGES, [])
        assert merge_ids(unit, NAMESPACES, []) == {}
        assert merge_new(unit, RUN_DATASETS, []) == set()
    assert stored(database, EDGES) == {}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_an_instant_without_a_zone_is_refused(database: Database) -> None:
    naive = NOON.replace(tzinfo=None)
    row = {"run_id": 1, "role": 1, "node_id": 1, "job_id": 3, "first_seen": naive, "last_seen": naive}
    with database.unit() as unit, pytest.raises(ValueError, match="no time zone"):
        merge(unit, RUN_DATASETS, [row])
