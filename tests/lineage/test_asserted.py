"""What an event asserts, held to what is derived from it: whatever rows say of a node, the event asserts about it."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from governance.types.sight import Sight
from lineage.asserted import SEEN_BY_READERS, asserted
from lineage.changes import Changes, derive
from lineage.receiving import parse_event
from lineage.rules import (
    EDGES,
    ERASURES,
    FLOW_EDGES,
    FLOWS,
    LABELS,
    MODELS,
    NODES,
    PROVENANCE,
    RENAMES,
    RUNS,
    STATEMENTS,
    SYMLINKS,
)
from lineage.tables import OUTPUT
from tests.lineage.material import NOON, body, dataset, dataset_event, facet, job_event, run_event

SEEN = Sight(("mine/*",))
NAMES = st.builds(
    lambda mine, number: {"namespace": "mine" if mine else "theirs", "name": f"n{number}"},
    st.booleans(),
    st.integers(0, 2),
)
SOURCE = st.builds(lambda names, kind: {**names, "type": kind}, NAMES, st.sampled_from(["JOB", "DATASET", "TABLE"]))
OWN_JOB = st.just({"type": "JOB"})
ENDS = st.lists(SOURCE | OWN_JOB, max_size=2)
ENTRIES = st.builds(lambda end, inputs: {**end, "inputs": inputs}, SOURCE | OWN_JOB, ENDS)
COLUMN = NAMES.map(lambda names: {**names, "field": "x"})
OF_DATASET = {
    "schema": st.just({"fields": [{"name": "x"}]}),
    "version": st.just({"datasetVersion": "7"}),
    "dataSource": st.just({"name": "lake", "uri": "s3://lake"}),
    "ownership": st.just({"owners": [{"name": "team"}]}),
    "documentation": st.just({"description": "text"}),
    "tags": st.just({"tags": [{"key": "pii"}]}),
    "symlinks": st.lists(SOURCE, max_size=2).map(lambda names: {"identifiers": names}),
    "lifecycleStateChange": st.builds(
        lambda change, names: {"lifecycleStateChange": change, "previousIdentifier": names},
        st.sampled_from(["DROP", "RENAME", "CREATE"]),
        NAMES,
    ),
    "columnLineage": st.lists(COLUMN, max_size=2).map(lambda fields: {"fields": {"x": {"inputFields": fields}}}),
    "lineage": ENDS.map(lambda inputs: {"inputs": inputs}),
    "assay_provenance": st.just({"source": "survey", "legal_basis": "consent"}),
}
DELETED = st.just({"_deleted": True})


@st.composite
def datasets(draw: st.DrawFn) -> dict[str, Any]:
    names = draw(NAMES)
    keys = draw(st.lists(st.sampled_from(sorted(OF_DATASET)), max_size=2, unique=True))
    facets = {key: draw(OF_DATASET[key] | DELETED) for key in keys}
    return dataset(names["name"], names["namespace"], **facets)


@st.composite
def events(draw: st.DrawFn) -> Any:
    inputs, outputs = draw(st.lists(datasets(), max_size=2)), draw(st.lists(datasets(), max_size=2))
    kind = draw(st.sampled_from(["run", "job", "dataset"]))
    if kind == "dataset":
        return parse_event(body(dataset_event(draw(datasets()))))
    job_facets = {"lineage": facet(entries=draw(st.lists(ENTRIES, max_size=2)))} if draw(st.booleans()) else {}
    made = (run_event if kind == "run" else job_event)(inputs=inputs, outputs=outputs, job_facets=job_facets)
    return parse_event(body({**made, "job": {**made["job"], **draw(NAMES)}}))


def spoken_of(changes: Changes) -> set[bytes]:
    """The nodes that the rows say something of, but for what whoever reads a dataset comes to see of it."""
    found: set[bytes | None] = {row["job_id"] for row in changes.of(RUNS)}
    for edge in changes.of(EDGES):
        found |= {edge["job_id"], edge["node_id"] if edge["role"] == OUTPUT else None}
    for flow in (*changes.of(FLOWS), *changes.of(FLOW_EDGES)):
        found |= {flow["job_id"], flow["target_id"]}
    for rules, columns in (
        (SYMLINKS, ("carrier_id", "alias_id")), (RENAMES, ("carrier_id", "old_id")), (ERASURES, ("node_id",)),
        (PROVENANCE, ("node_id",)), (MODELS, ("node_id",)), (STATEMENTS, ("job_id", "target_id")),
    ):  # fmt: skip
        found |= {row[column] for row in changes.of(rules) for column in columns}
    found |= {
        row["node_id"] for row in changes.of(LABELS) if row["key"] not in SEEN_BY_READERS or row["text_id"] is None
    }
    found |= {row["identity"] for row in changes.of(NODES) if row["kind"] == "job" and row["type"] is not None}
    return {node for node in found if node is not None}


@settings(max_examples=200, deadline=None)
@given(event=events())
def test_rows_of_an_event_that_is_within_the_scopes_speak_of_nothing_outside(event: Any) -> None:
    changes = derive([(event, NOON)])
    names = {row["identity"]: (row["namespace"], row["name"]) for row in changes.of(NODES)}
    outside = {names[node] for node in spoken_of(changes) if not SEEN.sees(*names[node])}
    told = {(name.namespace, name.name) for name in asserted(event)}
    assert outside <= told, "each name outside that a row speaks of is one for which the event is refused"


@settings(max_examples=100, deadline=None)
@given(reads=st.lists(NAMES, max_size=3), writes=st.lists(NAMES, max_size=2), job=NAMES)
def test_what_is_read_is_not_asserted_and_what_is_done_is(reads: Any, writes: Any, job: dict[str, str]) -> None:
    seen = {"schema": {"fields": [{"name": "x"}]}, "version": {"datasetVersion": "7"}}
    inputs = [dataset(names["name"], names["namespace"], **seen) for names in reads]
    outputs = [dataset(names["name"], names["namespace"]) for names in writes]
    event = parse_event(body({**run_event(inputs=inputs, outputs=outputs), "job": {**job, "facets": {}}}))
    told = {(name.namespace, name.name) for name in asserted(event)}
    assert told == {(names["namespace"], names["name"]) for names in (*writes, job)}
