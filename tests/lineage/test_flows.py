"""Data flow as facets tell it: entries between datasets and jobs, facets of datasets alone, deletions, superseding."""

from typing import Any

import pytest

from governance.database import Database
from governance.settings import LineageSettings
from lineage.digest import state_digest
from lineage.flows import flows_of
from lineage.identity import NodeKind
from lineage.ingest import record_events
from lineage.neighbourhood import GraphQuery, neighbourhood, resolve
from lineage.receiving import parse_event
from lineage.replay import replay
from tests.lineage.material import NOON, bodies, body, dataset, dataset_event, facet, job_event, run_event, run_id
from tests.lineage.test_columns import LAKE, arrows, ask, mapped, shown, step


def fill(database: Database, *documents: Any) -> None:
    with database.unit() as unit:
        record_events(unit, bodies(*documents), LineageSettings())


def a_job(name: str | None = None) -> dict[str, Any]:
    return {"type": "JOB"} if name is None else {"type": "JOB", "namespace": "batch", "name": name}


def a_dataset(name: str, **members: Any) -> dict[str, Any]:
    return {"type": "DATASET", "namespace": LAKE, "name": name, **members}


def entries(*listed: dict[str, Any], **of_event: Any) -> dict[str, Any]:
    """A run whose job carries the entries."""
    return run_event(
        "COMPLETE", of_event.pop("minute", 0), job_facets={"lineage": facet(entries=list(listed))}, **of_event
    )


def reach(database: Database, name: str, direction: str, kind: NodeKind = "dataset", **query: Any) -> set[str]:
    namespace = LAKE if kind == "dataset" else "batch"
    with database.read_unit() as unit:
        start = resolve(unit, [(kind, namespace, name)])
        asked: Any = {"direction": direction, **query}
        found = neighbourhood(unit, start, GraphQuery(**asked))
        return {node.name for node in found.nodes} - {name}


def test_jobs_that_an_entry_names_are_linked_directly(database: Database) -> None:
    fill(database, entries({**a_job("after"), "inputs": [a_job("before")]}, job="orchestrator"))
    assert reach(database, "before", "downstream", "job") == {"after"}
    assert reach(database, "after", "upstream", "job") == {"before"}
    assert reach(database, "orchestrator", "both", "job") == set()


def test_an_omitted_identity_is_the_events_own_job(database: Database) -> None:
    fill(database, entries({**a_job(), "inputs": [a_job("before")]}, job="own"),
         entries({**a_job("after"), "inputs": [a_job()]}, job="own", run=run_id(2), minute=1))  # fmt: skip
    assert reach(database, "own", "upstream", "job") == {"before"}
    assert reach(database, "own", "downstream", "job") == {"after"}
    assert reach(database, "before", "downstream", "job") == {"own", "after"}


def test_the_own_job_by_its_name_is_the_own_job() -> None:
    named = entries({**a_job("own"), "inputs": [a_dataset("d")]}, job="own")
    omitted = entries({**a_job(), "inputs": [a_dataset("d")]}, job="own")
    assert flows_of(parse_event(body(named))) == flows_of(parse_event(body(omitted)))


def test_a_job_that_feeds_a_dataset_writes_it_and_one_that_a_dataset_feeds_reads_it(database: Database) -> None:
    fill(database, entries(a_dataset("out", inputs=[a_job("writer")]), {**a_job("reader"), "inputs": [a_dataset("in")]},
                           job="catalog"))  # fmt: skip
    assert reach(database, "out", "upstream") == {"writer"}
    assert reach(database, "in", "downstream") == {"reader"}
    assert reach(database, "catalog", "both", "job") == set()


def test_what_feeds_the_own_job_feeds_what_the_own_job_feeds(database: Database) -> None:
    fill(database, entries({**a_job(), "inputs": [a_dataset("read")]}, a_dataset("made", inputs=[a_job()]),
                           a_dataset("apart", inputs=[]), job="own", inputs=["unnamed"]))  # fmt: skip
    assert reach(database, "made", "upstream") == {"own", "read"}
    assert reach(database, "read", "downstream") == {"own", "made"}
    assert reach(database, "apart", "upstream") == {"own"}
    assert reach(database, "own", "both", "job") == {"read", "made", "apart", "unnamed"}


def test_a_walk_from_job_to_job_goes_on_where_an_entry_of_the_own_job_leads(database: Database) -> None:
    fill(database, entries({**a_job(), "inputs": [a_job("before")]}, a_dataset("made", inputs=[a_job()]),
                           a_dataset("other", inputs=[a_dataset("source")]), job="own"))  # fmt: skip
    assert reach(database, "before", "downstream", "job") == {"own", "made"}
    assert reach(database, "made", "upstream") == {"own", "before"}
    assert reach(database, "source", "downstream") == {"own", "other"}


def test_a_dataset_event_links_datasets_without_a_job(database: Database) -> None:
    of = mapped("copy", {"x": [("origin", "x")]})
    fill(database, dataset_event(of))
    assert reach(database, "copy", "upstream") == {"origin"}
    assert reach(database, "origin", "downstream") == {"copy"}
    found = ask(database, "copy", "x")
    assert arrows(found) == {("origin.x", "copy.x")}
    assert (found.edges[0].job, found.edges[0].latest_run_id) == (None, None)


def test_a_lineage_facet_of_a_dataset_event_supersedes_its_column_lineage(database: Database) -> None:
    of = mapped("t", {"x": [("old", "x")]})
    entry = {"inputs": [a_dataset("new", field="x")]}
    of["facets"]["lineage"] = facet(fields={"x": entry}, inputs=[a_job("writer"), a_job()])
    fill(database, dataset_event(of))
    assert reach(database, "t", "upstream") == {"new", "writer"}
    assert arrows(ask(database, "t", "x")) == {("new.x", "t.x")}


def test_a_jobs_entries_supersede_the_column_lineage_of_its_outputs(database: Database) -> None:
    output = mapped("t", {"x": [("old", "x")]})
    entry = a_dataset("t", fields={"x": {"inputs": [a_dataset("new", field="x", transformations=[
        {"type": "DIRECT", "subtype": "TRANSFORMATION", "masking": True}])]}})  # fmt: skip
    fill(database, entries(entry, job="own", outputs=[output], inputs=["old"]))
    found = ask(database, "t", "x")
    assert arrows(found) == {("new.x", "t.x")}
    assert found.edges[0].is_masked
    assert reach(database, "t", "upstream") == {"own", "new"}


def test_a_deleted_lineage_facet_makes_the_job_like_any_other(database: Database) -> None:
    fill(database, entries(a_dataset("x", inputs=[a_dataset("a")]), a_dataset("y", inputs=[a_dataset("b")]), job="own"))
    assert reach(database, "x", "upstream") == {"own", "a"}
    gone = {"lineage": {"_deleted": True}}
    fill(database, job_event(5, job="own", job_facets=gone))
    assert reach(database, "x", "upstream") == {"own", "a", "b"}
    assert reach(database, "x", "upstream", as_of=NOON.replace(minute=4)) == {"own", "a"}
    fill(database, entries(a_dataset("x", inputs=[a_dataset("a")]), job="own", run=run_id(2), minute=9))
    assert reach(database, "x", "upstream") == {"own", "a"}


def test_a_deletion_that_arrives_before_what_it_deletes_still_holds(database: Database) -> None:
    fill(database, job_event(5, job="own", job_facets={"lineage": {"_deleted": True}}))
    fill(database, entries(a_dataset("x", inputs=[a_dataset("a")]), a_dataset("y", inputs=[a_dataset("b")]), job="own"))
    assert reach(database, "x", "upstream") == {"own", "a", "b"}


@pytest.mark.parametrize("key", ["columnLineage", "lineage"])
def test_what_a_dataset_event_declares_anew_or_deletes_is_not_current(database: Database, key: str) -> None:
    def declared(source: str) -> dict[str, Any]:
        if key == "columnLineage":
            return mapped("t", {"x": [(source, "x")]})
        return dataset("t", lineage={"fields": {"x": {"inputs": [a_dataset(source, field="x")]}}})

    fill(database, dataset_event(declared("first")), dataset_event(declared("second"), 1))
    assert shown(ask(database, "t", "x")) == {"t.x", "first.x", "second.x"}
    assert shown(ask(database, "t", "x", edges="current")) == {"t.x", "second.x"}
    assert reach(database, "t", "upstream", edges="current") == {"second"}
    assert shown(ask(database, "t", "x", edges="current", as_of=NOON)) == {"t.x", "first.x"}
    fill(database, dataset_event(dataset("t", **{key: {"_deleted": True}}), 2))
    assert reach(database, "t", "upstream", edges="current") == set()
    assert arrows(ask(database, "t", "x", edges="current")) == set()
    assert reach(database, "t", "upstream") == {"first", "second"}


def test_what_a_job_declares_anew_is_current_alone(database: Database) -> None:
    def declared(source: str, minute: float) -> dict[str, Any]:
        entry = a_dataset("t", fields={"x": {"inputs": [a_dataset(source, field="x")]}})
        return job_event(minute, job="own", job_facets={"lineage": facet(entries=[entry])})

    fill(database, declared("first", 0), declared("second", 1))
    assert arrows(ask(database, "t", "x", edges="current")) == {("second.x", "t.x")}
    assert arrows(ask(database, "t", "x")) == {("first.x", "t.x"), ("second.x", "t.x")}


def test_a_name_with_a_dot_is_the_field_that_the_events_own_schema_names(database: Database) -> None:
    flat = {"fields": [{"name": "a.b"}]}
    nested = {"fields": [{"name": "a", "fields": [{"name": "b"}]}]}
    fill(database, step(1, mapped("flat", {"a.b": [("source", "a.b")]}, schema=flat),
                        inputs=[dataset("source", schema=nested)]))  # fmt: skip
    assert arrows(ask(database, "flat", "`a.b`")) == {("source.a.b", "flat.`a.b`")}


@pytest.mark.parametrize(
    "entry",
    [
        None,
        7,
        {},
        {"type": "TABLE", "namespace": "n", "name": "x"},
        {"type": "DATASET"},
        {"type": "DATASET", "namespace": "n", "name": 5},
        {"type": "JOB", "namespace": "n"},
        {"type": "JOB", "inputs": 5},
        {"type": "JOB", "inputs": [None, 5, {}, {"type": "JOB"}, {"type": "DATASET"}]},
        {
            "type": "DATASET",
            "namespace": "n",
            "name": "x",
            "fields": {"f": None, "g": {"inputs": [{"type": "DATASET"}]}},
        },
    ],
)
def test_what_is_no_entry_says_nothing_and_harms_nothing(entry: Any) -> None:
    told = flows_of(parse_event(body(entries(entry, a_dataset("t", inputs=[a_dataset("s")])))))
    assert ((LAKE, "s"), (LAKE, "t")) in {(flow.source, flow.target) for flow in told.flows}
    assert told.links == ()


def test_any_order_gives_one_state(database: Database) -> None:
    events = [
        entries(
            {**a_job(), "inputs": [a_job("before"), a_dataset("d")]}, a_dataset("made", inputs=[a_job()]), job="own"
        ),
        job_event(3, job="own", job_facets={"lineage": {"_deleted": True}}),
        dataset_event(mapped("t", {"x": [("first", "x")]}), 1),
        dataset_event(dataset("t", columnLineage={"_deleted": True}), 2),
    ]
    for event in reversed(events):
        fill(database, event)
    with database.unit() as unit:
        first = state_digest(unit)
        replay(unit)
        assert state_digest(unit) == first
