"""Taking events: stored once, logged once, and one state whatever the order, repetition and batching."""

import json
import random
import threading
from collections.abc import Iterable, Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.database import Database
from governance.log.tables import LogEntryRow
from governance.settings import LineageSettings
from lineage.digest import StateDigest, export, state_digest
from lineage.ingest import Recorded, Refused, record_events
from lineage.replay import replay
from lineage.store import clear_derived
from lineage.tables import EdgeRow, EventRow, FindingRow, NodeRow, PayloadRow, RunRow
from tests.lineage.material import (
    bodies,
    body,
    dataset,
    dataset_event,
    facet,
    job_event,
    real_bodies,
    run_event,
    run_id,
    versioned,
)

SETTINGS = LineageSettings()


def take(database: Database, *contents: bytes, **options: Any) -> list[Recorded | Refused]:
    with database.unit() as unit:
        return record_events(unit, contents, options.pop("settings", SETTINGS), **options)


def digest_of(database: Database) -> StateDigest:
    with database.read_unit() as unit:
        return state_digest(unit)


def exported(database: Database) -> list[Any]:
    with database.read_unit() as unit:
        return [json.loads(line) for line in export(unit)]


def count(database: Database, table: Any) -> int:
    with database.read_unit() as unit:
        return unit.session.scalar(sa.select(sa.func.count()).select_from(table)) or 0


def test_each_new_event_has_one_leaf_with_its_digest(database: Database) -> None:
    first, second = take(database, *bodies(run_event("START"), run_event("COMPLETE", 1)))
    take(database, body(run_event("START")))
    assert isinstance(first, Recorded)
    assert isinstance(second, Recorded)
    with database.read_unit() as unit:
        leaves = unit.session.execute(sa.select(LogEntryRow.kind, LogEntryRow.leaf).order_by(LogEntryRow.index)).all()
    assert [(kind, json.loads(leaf)) for kind, leaf in leaves] == [
        ("lineage.event", {"kind": "lineage.event/v1", "digest": item.digest}) for item in (first, second)
    ]


def test_a_repeated_event_is_told_apart_and_stored_once(database: Database) -> None:
    content = body(run_event())
    answers = [*take(database, content, content), *take(database, content)]
    assert [isinstance(answer, Recorded) and answer.duplicate for answer in answers] == [False, True, True]
    assert count(database, EventRow) == 1


def test_a_bad_event_leaves_its_neighbours_alone(database: Database) -> None:
    answers = take(database, body(run_event("START")), b"{", body({"run": {}}), body(run_event("COMPLETE", 1)))
    assert [type(answer) for answer in answers] == [Recorded, Refused, Refused, Recorded]
    assert isinstance(answers[2], Refused)
    assert answers[2].fault.status == 422
    assert count(database, EventRow) == 2


def test_an_event_above_the_limit_is_refused(database: Database) -> None:
    (answer,) = take(database, body(run_event()), settings=LineageSettings(max_event_bytes=100))
    assert isinstance(answer, Refused)
    assert answer.fault.status == 413


def test_strict_conformance_of_the_settings_cannot_be_loosened(database: Database) -> None:
    content = body({**run_event(), "producer": "no uri"})
    (asked,) = take(database, content, conformance="strict")
    (set_strict,) = take(database, content, settings=LineageSettings(conformance="strict"), conformance="lenient")
    (lenient,) = take(database, content)
    assert [type(answer) for answer in (asked, set_strict, lenient)] == [Refused, Refused, Recorded]


def test_214_of_the_215_real_events_are_taken_and_135_in_strict_mode(database: Database) -> None:
    contents = list(real_bodies().values())
    strict = take(database, *contents, conformance="strict")
    assert sum(isinstance(answer, Recorded) for answer in strict) == 135
    lenient = take(database, *contents)
    refused = [answer for answer in lenient if isinstance(answer, Refused)]
    assert [(answer.pointer, answer.fault.status) for answer in refused] == [("/run/runId", 422)]
    with database.read_unit() as unit:
        assert unit.session.scalar(sa.select(sa.func.count(sa.distinct(FindingRow.event_id)))) == sum(
            isinstance(answer, Recorded) and not answer.duplicate and answer.finding_count > 0
            for answer in [*strict, *lenient]
        )


def mixed(contents: Sequence[bytes], source: random.Random) -> Iterable[Sequence[bytes]]:
    """The events, each at least once and many twice, shuffled, in units of one or many."""
    order = [*contents, *source.sample(contents, len(contents) // 2)]
    source.shuffle(order)
    while order:
        size = source.choice([1, 1, 7, 60])
        yield order[:size]
        order = order[size:]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_twenty_shuffled_doubled_replays_give_one_state(
    database: Database, postgres_server: Any, database_url: str, tmp_path: Any
) -> None:
    """On both databases, singly and in batches, and after a rebuild."""
    from governance.migration import upgrade

    contents = list(real_bodies().values())
    take(database, *contents)
    expected = digest_of(database)
    postgres_server.execute("CREATE DATABASE assay_shuffles TEMPLATE assay_template STRATEGY file_copy")
    assert expected.event_count == 184, "30 of the 214 are byte for byte the same as another"
    for seed in range(20):
        if seed % 2:
            url = f"sqlite:///{tmp_path}/{seed}.db"
            upgrade(url)
        else:
            url = postgres_server.url("assay_shuffles")
        other = Database(url)
        _fill(other, mixed(contents, random.Random(seed)), rebuild=seed % 5 == 0)
        assert digest_of(other) == expected, seed
        if not seed % 2:
            _empty(other)
        other.close()


def _fill(database: Database, units: Iterable[Sequence[bytes]], *, rebuild: bool) -> None:
    for contents in units:
        take(database, *contents)
    if rebuild:
        with database.unit() as unit:
            replay(unit)


def _empty(database: Database) -> None:
    """Forget everything, the append-only tables too, so that the next round starts from nothing."""
    with database.engine.begin() as connection:
        connection.execute(sa.text("SET LOCAL session_replication_role = replica"))  # no trigger refuses
        connection.execute(sa.text("TRUNCATE lineage_event, log_entry, log_node CASCADE"))
    with database.unit() as unit:
        clear_derived(unit)


def test_events_taken_in_parallel_give_the_same_state(database: Database, sqlite_template: Any, tmp_path: Any) -> None:
    contents = list(real_bodies().values())
    faults: list[BaseException] = []

    def worker(seed: int) -> None:
        try:
            for part in mixed(contents, random.Random(seed)):
                take(database, *part)
        except BaseException as fault:  # asserted below, in the test's own thread
            faults.append(fault)

    threads = [threading.Thread(target=worker, args=(seed,)) for seed in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    (tmp_path / "one.db").write_bytes(sqlite_template.read_bytes())
    other = Database(f"sqlite:///{tmp_path}/one.db")
    take(other, *contents)
    assert digest_of(database) == digest_of(other)
    other.close()


def test_a_rebuild_restores_what_was_lost(database: Database) -> None:
    take(database, *real_bodies().values())
    before, findings = digest_of(database), count(database, FindingRow)
    with database.unit() as unit:
        unit.session.execute(sa.delete(EdgeRow))
        unit.session.execute(sa.update(NodeRow).values(last_seen=None))
    assert digest_of(database) != before
    with database.unit() as unit:
        assert replay(unit) == before.event_count
    assert digest_of(database) == before
    assert count(database, FindingRow) == findings


def test_the_digest_tells_states_apart(database: Database) -> None:
    seen = set()
    for minute, document in enumerate(
        [run_event("START"), run_event("COMPLETE", 1), dataset_event(dataset("d"), 2), job_event(3, inputs=["d"])]
    ):
        take(database, body(document))
        seen.add(digest_of(database).digest)
        assert len(seen) == minute + 1


def test_two_spellings_are_two_events_and_one_state(database: Database, sqlite_template: Any, tmp_path: Any) -> None:
    (tmp_path / "one.db").write_bytes(sqlite_template.read_bytes())
    other = Database(f"sqlite:///{tmp_path}/one.db")
    document = run_event(inputs=["a"], outputs=["b"])
    take(database, body(document), json.dumps(document, indent=1).encode())
    take(other, body(document))
    assert digest_of(database).event_count == 2
    assert digest_of(database).digest == digest_of(other).digest
    other.close()


def rows(database: Database, kind: str) -> list[Any]:
    return [line[1:] for line in exported(database) if line[0] == kind]


def test_a_repeated_pair_of_start_and_complete_changes_nothing(database: Database) -> None:
    """L9."""
    pair = bodies(run_event("START", inputs=["a"], outputs=["b"]), run_event("COMPLETE", 1))
    take(database, *pair)
    before = digest_of(database)
    take(database, *pair, *pair)
    assert digest_of(database) == before


def test_a_complete_without_the_parent_facet_makes_no_second_job(database: Database) -> None:
    """L10."""
    parent = facet(run={"runId": run_id(7)}, job={"namespace": "batch", "name": "dag"})
    take(
        database,
        *bodies(
            run_event("START", job="dag.task", run_facets={"parent": parent}), run_event("COMPLETE", 1, job="dag.task")
        ),
    )
    with database.read_unit() as unit:
        assert unit.session.scalars(sa.select(NodeRow.name)).all() == ["dag.task"]
        run = unit.session.scalars(sa.select(RunRow)).one()
        assert (run.parent_run_id, run.parent_name) == (run_id(7), "dag")


def test_edges_stand_from_the_first_event_that_names_them(database: Database) -> None:
    """L7: only a START has arrived."""
    take(database, body(run_event("START", inputs=["a"], outputs=["b"])))
    assert count(database, EdgeRow) == 2


def test_an_edge_counts_its_runs_and_remembers_the_latest(database: Database) -> None:
    documents = [
        run_event(kind, minute + number * 10, run=run_id(number), inputs=["a"])
        for number in (3, 1, 2)
        for minute, kind in enumerate(["START", "COMPLETE"])
    ]
    for document in documents:
        take(database, body(document))
    with database.read_unit() as unit:
        edge = unit.session.scalars(sa.select(EdgeRow)).one()
        latest = unit.session.scalars(sa.select(RunRow.run_id).where(RunRow.id == edge.latest_run_id)).one()
        assert (edge.run_count, latest) == (3, run_id(3))


def test_a_run_that_changes_nothing_makes_no_version(database: Database) -> None:
    """L20: an hourly job with one schema, 24 runs."""
    output = dataset("out", schema={"fields": [{"name": "a", "type": "int"}]})
    for hour in range(24):
        take(
            database,
            *bodies(
                run_event("START", hour * 60, run=run_id(hour), outputs=["out"]),
                run_event("COMPLETE", hour * 60 + 1, run=run_id(hour), outputs=[output]),
            ),
        )
    assert len(rows(database, "dataset_version")) == 1
    take(database, body(run_event("COMPLETE", 9999, run=run_id(99), outputs=[versioned("out", "v2")])))
    assert len(rows(database, "dataset_version")) == 2


def test_nested_fields_are_paths(database: Database) -> None:
    """L21."""
    address = {"name": "address", "type": "struct", "fields": [{"name": "street"}, {"name": "zip.code", "type": "int"}]}
    from lineage.descriptions import described_fields
    from lineage.tables import DatasetVersionRow

    take(database, body(dataset_event(dataset("d", schema={"fields": [address, {"type": "nameless"}]}))))
    with database.read_unit() as unit:
        stored = unit.session.scalars(sa.select(DatasetVersionRow.fields)).one()
    assert described_fields(stored) == [
        ("address", "struct", None),
        ("address.street", None, None),
        ("address.`zip.code`", "int", None),
    ]


def test_names_up_to_the_limit_are_stored_on_both_databases(database: Database) -> None:
    """L12."""
    name = "表" * 2048
    (answer,) = take(database, body(run_event(inputs=[{"namespace": name, "name": name}])))
    assert isinstance(answer, Recorded)
    (refused,) = take(database, body(run_event(inputs=[{"namespace": name, "name": name + "x"}])))
    assert isinstance(refused, Refused)
    assert "2,048" in refused.reason


def test_text_that_no_column_keeps_is_stored_in_the_event_alone(database: Database) -> None:
    odd = {"datasetVersion": "a\0b"}
    document = run_event(
        run_facets={"my\0facet": facet(text="a\0\ud800b")},
        outputs=[dataset("d", version=odd, schema={"fields": [{"name": "\ud800"}, {"name": "ok"}]})],
    )
    (answer,) = take(database, body(document))
    assert isinstance(answer, Recorded)
    with database.read_unit() as unit:
        assert json.loads(unit.session.scalars(sa.select(PayloadRow.body)).one()) == document


def test_the_event_log_refuses_changes(database: Database) -> None:
    take(database, body(run_event()))
    for statement in (sa.delete(EventRow), sa.update(EventRow).values(kind="x")):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.unit() as unit:
            unit.session.execute(statement)


NAMES = st.sampled_from(["a", "b", "c"])
MENTIONS = st.one_of(
    NAMES.map(dataset),
    st.builds(versioned, NAMES, st.sampled_from(["1", "2"])),
    st.builds(
        lambda name, alias: dataset(name, symlinks={"identifiers": [{"namespace": "s3://lake", "name": alias}]}),
        NAMES,
        NAMES,
    ),
    NAMES.map(lambda name: dataset(name, symlinks={"_deleted": True})),
    NAMES.map(lambda name: dataset(name, assay_provenance={"purposes": [name]})),
    NAMES.map(lambda name: dataset(name, lifecycleStateChange={"lifecycleStateChange": "DROP"})),
    NAMES.map(lambda name: dataset(name, datasetType={"datasetType": name})),
    NAMES.map(
        lambda name: dataset(
            name, columnLineage={"fields": {"x": {"inputFields": [{"namespace": "n", "name": name, "field": "y"}]}}}
        )
    ),
)
SIDES = st.lists(MENTIONS, max_size=2)
DOCUMENTS = st.one_of(
    st.builds(
        lambda kind, minute, run, inputs, outputs: run_event(
            kind, minute, run=run_id(run), job=f"j{run % 2}", inputs=inputs, outputs=outputs
        ),
        st.sampled_from(["START", "RUNNING", "COMPLETE", "FAIL", "OTHER"]),
        st.integers(0, 3),
        st.integers(0, 2),
        SIDES,
        SIDES,
    ),
    st.builds(
        lambda minute, inputs, outputs: job_event(minute, inputs=inputs, outputs=outputs),
        st.integers(0, 3),
        SIDES,
        SIDES,
    ),
    st.builds(dataset_event, MENTIONS, st.integers(0, 3)),
)


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(documents=st.lists(DOCUMENTS, min_size=1, max_size=8), source=st.randoms(use_true_random=False))
def test_any_order_repetition_and_batching_gives_one_state(
    documents: list[Any], source: random.Random, tmp_path_factory: Any, sqlite_template: Any
) -> None:
    states = []
    for units in (
        [bodies(*documents)],
        mixed(bodies(*documents), source),
        [[item] for item in bodies(*documents)][::-1],
    ):
        path = tmp_path_factory.mktemp("state") / "assay.db"
        path.write_bytes(sqlite_template.read_bytes())
        database = Database(f"sqlite:///{path}")
        _fill(database, units, rebuild=False)
        states.append(digest_of(database))
        database.close()
    assert states[0] == states[1] == states[2]
