"""Pruning on both databases: the graph stays as it was, what was taken is gone everywhere, and the record proves it."""

import hashlib
import json
import random
import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from governance.database import Database, Unit
from governance.errors import InputRefused, NotFound
from governance.log.tables import LogEntryRow
from governance.settings import LineageSettings
from lineage.digest import export, state_digest
from lineage.facet_values import facets_of
from lineage.fact_tables import DATASET_FACETS, ProvenanceRow, SearchRow, TagRow, TextRow
from lineage.fsck import event_faults
from lineage.ingest import record_events
from lineage.marks import marks_of
from lineage.prunings import LEAF_KIND, Order, Pruning, Target, prune, prunings, residues_of
from lineage.reading import find_node
from lineage.records import stored_event
from lineage.replay import replay
from lineage.residue import pruned_digest
from lineage.retention import RetentionTask, prune_before, sweep
from lineage.tables import EventRow, FindingRow, NodeRow, PayloadRow
from tests.lineage.material import at, bodies, body, dataset, dataset_event, facet, real_bodies, run_event, run_id

BY_REQUEST = Order("request", "asked by the person concerned", "key:steward")
LATER = datetime(2100, 1, 1, tzinfo=UTC)


def take(database: Database, *contents: bytes) -> None:
    with database.unit() as unit:
        record_events(unit, contents, LineageSettings())


def state(unit: Unit) -> list[bytes]:
    return list(export(unit))


def everywhere(database: Database) -> bytes:
    """Every text and every byte string in every table of lineage."""
    found = []
    with database.read_unit() as unit:
        names = [name for name in sa.inspect(unit.session.connection()).get_table_names() if name.startswith("lineage")]
        for name in names:
            for row in unit.session.execute(sa.text(f"SELECT * FROM {name}")):
                found += [bytes(value) for value in row if isinstance(value, bytes | memoryview)]
                found += [value.encode() for value in row if isinstance(value, str)]
    return b"\n".join(found)


def pruned(database: Database, target: Target, order: Order = BY_REQUEST) -> Pruning:
    with database.unit() as unit:
        return prune(unit, target, order)


def holds(database: Database) -> None:
    """What is derived is what a rebuild gives, and the check of the log finds nothing."""
    with database.unit() as unit:
        before = state(unit), found_by(unit)
        replay(unit)
        assert (state(unit), found_by(unit)) == before
        assert event_faults(unit) == []


def found_by(unit: Unit) -> list[list[bytes]]:
    """The contents of labels, and what each node is found by."""
    columns = (TextRow.content, SearchRow.digest)
    return [sorted(unit.session.scalars(sa.select(column))) for column in columns]


OWNED = dataset(
    "people",
    ownership={"owners": [{"name": "user:ann-lindqvist"}]},
    documentation={"description": "kept by Ann Lindqvist"},
    tags={"tags": [{"key": "ann-only", "value": "true", "source": "X"}]},
    schema={"fields": [{"name": "id", "type": "int"}]},
)


def test_a_request_takes_what_an_event_says_of_a_dataset_out_of_everything(database: Database) -> None:
    other = dataset("other", ownership={"owners": [{"name": "user:bo"}]})
    take(database, *bodies(run_event(inputs=[OWNED], outputs=[other])))
    assert b"ann" in everywhere(database).lower()
    made = pruned(database, Target(node=("dataset", "s3://lake", "people")))
    assert made.event_count == 1
    assert b"lindqvist" not in everywhere(database).lower()
    assert b"ann-only" not in everywhere(database).lower()
    assert b"user:bo" in everywhere(database)
    with database.read_unit() as unit:
        assert unit.session.scalar(sa.select(sa.func.count()).select_from(TagRow)) == 0
        node = find_node(unit, "dataset", "s3://lake", "people")
        assert node is not None
        assert marks_of(unit, [node.id])[node.id].owners == ()
        shown = facets_of(unit, DATASET_FACETS, {node.id: node.id})[node.id].facets
        assert pruned_digest(shown["ownership"]) is not None
        assert shown["schema"]["fields"] == [{"name": "id", "type": "int"}]
    holds(database)


def test_an_older_owner_does_not_come_back(database: Database) -> None:
    older = dataset("people", ownership={"owners": [{"name": "user:bo"}]})
    take(database, *bodies(dataset_event(older, 0), dataset_event(OWNED, 5)))
    with database.read_unit() as unit:
        digest = unit.session.scalars(sa.select(EventRow.digest).order_by(EventRow.event_time.desc())).first()
    assert digest is not None
    pruned(database, Target(event=f"sha256:{digest.hex()}"))
    with database.read_unit() as unit:
        node = find_node(unit, "dataset", "s3://lake", "people")
        assert node is not None
        assert marks_of(unit, [node.id])[node.id].owners == ()
    holds(database)


def test_only_the_facets_that_were_asked_for_go(database: Database) -> None:
    take(database, *bodies(run_event(inputs=[OWNED])))
    pruned(database, Target(node=("dataset", "s3://lake", "people"), facets=frozenset({"ownership"})))
    found = everywhere(database)
    assert b"user:ann-lindqvist" not in found
    assert b"kept by Ann Lindqvist" in found
    holds(database)


def test_a_text_that_another_dataset_says_too_stays_its_own(database: Database) -> None:
    twin = {**OWNED, "name": "twin"}
    take(database, *bodies(run_event(inputs=[OWNED, twin])))
    pruned(database, Target(node=("dataset", "s3://lake", "people")))
    with database.read_unit() as unit:
        node = find_node(unit, "dataset", "s3://lake", "twin")
        assert node is not None
        assert [name for name, _ in marks_of(unit, [node.id])[node.id].owners] == ["user:ann-lindqvist"]
        assert unit.session.scalar(sa.select(TagRow.name)) == "ann-only"
    holds(database)


def test_a_provenance_record_that_was_taken_states_nothing(database: Database) -> None:
    take(database, *bodies(dataset_event(dataset("d", assay_provenance={"controller": {"name": "Ann Lindqvist"}}))))
    pruned(database, Target(node=("dataset", "s3://lake", "d"), facets=frozenset({"assay_provenance"})))
    assert b"lindqvist" not in everywhere(database).lower()
    with database.read_unit() as unit:
        record = unit.session.scalars(sa.select(ProvenanceRow.record)).one()
    assert json.loads(record or b"{}")["controller"] is None
    holds(database)


def test_a_run_loses_its_facets_and_keeps_its_place(database: Database) -> None:
    started = run_event("START", 0, run_facets={"spark": facet(user="ann")})
    take(database, *bodies(started, run_event("COMPLETE", 5, inputs=["a"])))
    with database.unit() as unit:
        before = state(unit)
        prune(unit, Target(run=run_id(1)), BY_REQUEST)
        assert state(unit) == before
    assert b'"ann"' not in everywhere(database)
    holds(database)


def test_the_row_the_digest_and_the_leaf_of_the_event_stay(database: Database) -> None:
    content = body(run_event(inputs=[OWNED]))
    take(database, content)
    digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
    made = pruned(database, Target(event=digest))
    with database.read_unit() as unit:
        found = stored_event(unit, digest)
        leaves = [(kind, json.loads(leaf)["digest"]) for kind, leaf in unit.session.execute(
            sa.select(LogEntryRow.kind, LogEntryRow.leaf).order_by(LogEntryRow.index)
        )]  # fmt: skip
        listed, after = residues_of(unit, made.id)
    assert (found.digest, [item.id for item in found.prunings]) == (digest, [made.id])
    assert pruned_digest(json.loads(found.body)["inputs"][0]["facets"]["ownership"]) is not None
    assert leaves[0] == ("lineage.event", digest)
    assert leaves[1][0] == LEAF_KIND
    assert [(item.digest, item.residue_digest) for item in listed] == [
        (digest, f"sha256:{hashlib.sha256(found.body).hexdigest()}")
    ]
    assert after is None


def test_the_record_says_what_when_why_and_by_whom(database: Database) -> None:
    take(database, *bodies(run_event(inputs=[OWNED])))
    made = pruned(database, Target(node=("dataset", "s3://lake", "people"), facets=frozenset({"tags"})))
    with database.read_unit() as unit:
        assert prunings(unit) == [made]
    assert (made.rule, made.reason, made.actor, made.event_count) == (
        "request", "asked by the person concerned", "key:steward", 1,
    )  # fmt: skip
    assert made.target == {"kind": "dataset", "namespace": "s3://lake", "name": "people", "facets": ["tags"]}


def test_a_request_with_nothing_left_to_take_is_on_record(database: Database) -> None:
    take(database, *bodies(run_event(inputs=[OWNED])))
    target = Target(node=("dataset", "s3://lake", "people"))
    assert [pruned(database, target).event_count, pruned(database, target).event_count] == [1, 0]
    holds(database)


@pytest.mark.parametrize("statement", [
    "UPDATE lineage_payload SET body = :body",
    "UPDATE lineage_payload SET body = :body, pruning_id = 1",
    "UPDATE lineage_payload SET pruning_id = NULL",
    "DELETE FROM lineage_payload",
    "DELETE FROM lineage_pruning",
    "UPDATE lineage_pruned_event SET pruning_id = 7",
])  # fmt: skip
def test_bytes_change_only_as_a_pruning_on_record_says(database: Database, statement: str) -> None:
    take(database, *bodies(run_event(inputs=[OWNED]), run_event("START", 1)))
    pruned(database, Target(event=_first(database)))
    parameters = {"body": b"{}"} if ":body" in statement else {}
    with pytest.raises(DBAPIError), database.unit() as unit:
        unit.session.execute(sa.text(statement), parameters)


def _first(database: Database) -> str:
    with database.read_unit() as unit:
        digest = unit.session.scalars(sa.select(EventRow.digest).order_by(EventRow.event_time)).first()
    assert digest is not None
    return f"sha256:{digest.hex()}"


@pytest.mark.parametrize(
    ("target", "fault"),
    [
        (Target(event="sha256:" + "00" * 32), NotFound),
        (Target(event="'; DROP TABLE x"), NotFound),
        (Target(run="none"), NotFound),
        (Target(node=("dataset", "s3://lake", "none")), NotFound),
        (Target(), InputRefused),
        (Target(run=run_id(1), event="sha256:" + "00" * 32), InputRefused),
        (Target(run=run_id(1), facets=frozenset({"schema"})), InputRefused),
    ],
)
def test_what_cannot_be_pruned_is_refused_and_leaves_no_record(
    database: Database, target: Target, fault: type[Exception]
) -> None:
    take(database, *bodies(run_event()))
    with pytest.raises(fault):
        pruned(database, target)
    with database.read_unit() as unit:
        assert prunings(unit) == []


@pytest.mark.parametrize("reason", ["", "  ", "x" * 2001])
def test_a_reason_must_be_given(database: Database, reason: str) -> None:
    take(database, *bodies(run_event()))
    with pytest.raises(InputRefused):
        pruned(database, Target(run=run_id(1)), Order("request", reason, "key:steward"))


def test_findings_about_what_was_taken_go_with_it(database: Database) -> None:
    take(database, *bodies(run_event(run_facets={"secretive": {"note": "ann"}}, job_facets={"jobType": {"x": 1}})))
    pruned(database, Target(run=run_id(1)))
    with database.read_unit() as unit:
        pointers = unit.session.scalars(sa.select(FindingRow.pointer)).all()
    assert pointers
    assert not any(pointer.startswith("/run/facets/secretive") for pointer in pointers)


def test_age_takes_what_nothing_rests_on_and_changes_no_state(database: Database) -> None:
    take(database, *real_bodies().values())
    with database.unit() as unit:
        before, facets = state(unit), _in_force(unit)
        made = prune_before(unit, LATER, Order("age", "old", "operator"))
        assert sum(item.event_count for item in made) > 50
        assert state(unit) == before
        assert _in_force(unit) == facets
        replay(unit)
        assert state(unit) == before
        assert event_faults(unit) == []


def _in_force(unit: Unit) -> dict[int, Any]:
    nodes = unit.session.scalars(sa.select(NodeRow.id).where(NodeRow.kind == "dataset")).all()
    return facets_of(unit, DATASET_FACETS, {node: node for node in nodes})


def test_whatever_is_pruned_and_in_whatever_order_a_rebuild_gives_the_same(database: Database) -> None:
    contents = list(real_bodies().values())[::3]
    take(database, *contents)
    chance = random.Random(5)
    with database.unit() as unit:
        digests = [f"sha256:{digest.hex()}" for digest in unit.session.scalars(sa.select(EventRow.digest))]
        for digest in chance.sample(digests, 12):
            facets = chance.choice([frozenset[str](), frozenset({"ownership"}), frozenset({"sql", "documentation"})])
            prune(unit, Target(event=digest, facets=facets), BY_REQUEST)
        prune_before(unit, LATER, Order("age", "old", "operator"))
        before = state(unit)
        digest_before = state_digest(unit)
        replay(unit)
        assert state(unit) == before
        assert state_digest(unit) == digest_before
        assert event_faults(unit) == []


@pytest.mark.parametrize(
    ("table", "statement", "what"),
    [
        (
            "lineage_payload",
            "UPDATE lineage_payload SET body = :body WHERE pruning_id IS NOT NULL",
            "what a pruning left",
        ),
        ("lineage_payload", "UPDATE lineage_payload SET body = :body WHERE pruning_id IS NULL", "stored first"),
        ("lineage_payload", "DELETE FROM lineage_payload", "stored first"),
        ("lineage_pruning", "UPDATE lineage_pruning SET reason = 'another'", "says something else than its leaf"),
        ("lineage_pruned_event", "DELETE FROM lineage_pruned_event", "says something else than its leaf"),
        ("lineage_pruning", "DELETE FROM lineage_pruning", "the log holds a pruning that the database does not"),
        ("lineage_event", "DELETE FROM lineage_event", "the log holds an event that the database does not"),
    ],
)
def test_whoever_changes_the_tables_behind_their_triggers_is_found_out(
    database: Database, table: str, statement: str, what: str
) -> None:
    take(database, *bodies(run_event(inputs=[OWNED]), run_event("START", 1)))
    pruned(database, Target(event=_first(database)))
    with database.unit() as unit:
        if database.dialect == "sqlite":
            for verb in ("update", "delete"):
                unit.session.execute(sa.text(f"DROP TRIGGER {table}_no_{verb}"))
        else:
            unit.session.execute(sa.text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
        unit.session.execute(sa.text(statement), {"body": b"{}"} if ":body" in statement else {})
    with database.read_unit() as unit:
        assert any(what in fault.what for fault in event_faults(unit))


def test_events_are_taken_while_others_are_pruned(database: Database) -> None:
    take(database, *bodies(*(run_event("START", n, run=run_id(n), inputs=[OWNED]) for n in range(30))))

    def feed() -> None:
        for number in range(30, 45):
            take(database, body(run_event("START", number, run=run_id(number), inputs=[{**OWNED, "name": "twin"}])))

    feeder = threading.Thread(target=feed)
    feeder.start()
    for _ in range(3):
        pruned(database, Target(node=("dataset", "s3://lake", "people")))
    feeder.join()
    with database.read_unit() as unit:
        assert unit.session.scalar(sa.select(sa.func.count()).select_from(EventRow)) == 45
    holds(database)


def test_the_sweep_leaves_what_is_in_force_until_a_later_word(database_url: str) -> None:
    clock = _Clock()
    database = Database(database_url, clock=clock)
    first = run_event("COMPLETE", 0, job_facets={"sql": facet(query="SELECT old")})
    take(database, body(first))
    task = RetentionTask(database, days=30)
    assert task.due() == []
    clock.now += timedelta(days=31)
    assert task.due() == ["lineage.retention"]
    task.run("lineage.retention")
    assert b"SELECT old" in everywhere(database)
    take(database, body(run_event("COMPLETE", 9, run=run_id(2), job_facets={"sql": facet(query="SELECT new")})))
    assert task.due() == []
    clock.now += timedelta(days=2)
    task.run(task.due()[0])
    found = everywhere(database)
    assert b"SELECT old" not in found
    assert b"SELECT new" in found
    assert task.due() == []
    database.close()


def test_the_sweep_goes_on_where_it_stopped_and_leaves_young_events_alone(database_url: str) -> None:
    clock = _Clock()
    database = Database(database_url, clock=clock)
    for number in range(3):
        take(database, body(run_event("START", number, run=run_id(number), run_facets={"x": facet(n=number)})))
        clock.now += timedelta(days=10)
    with database.unit() as unit:
        assert sweep(unit, days=15)
        assert not sweep(unit, days=15)
    with database.read_unit() as unit:
        pruned_now = unit.session.scalars(sa.select(PayloadRow.pruning_id).order_by(PayloadRow.event_id)).all()
        assert [item is not None for item in pruned_now] == [True, True, False]
        [made] = prunings(unit)
    assert (made.rule, made.actor, made.event_count) == ("age", "ASSAY_LINEAGE__RETENTION_DAYS", 2)
    database.close()


class _Clock:
    """An instant that the test moves."""

    def __init__(self) -> None:
        self.now = datetime.fromisoformat(at(60))

    def __call__(self) -> datetime:
        return self.now
