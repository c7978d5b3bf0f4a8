"""An accepted event's faults are findings with a code and a place."""

from collections import Counter
from typing import Any

import pytest

from governance.errors import InputRefused
from lineage.conformance import findings, strict_fault
from lineage.events import Event
from lineage.receiving import parse_event
from tests.lineage.material import PRODUCER, body, dataset, dataset_event, facet, real_bodies, run_event

SPEC = "https://openlineage.io/spec/facets"


def real_events() -> dict[str, Event]:
    events = {}
    for name, content in real_bodies().items():
        try:
            events[name] = parse_event(content)
        except InputRefused:
            continue
    return events


def codes(document: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item.code, item.pointer) for item in findings(parse_event(body(document)))]


def with_run_facet(key: str, value: Any) -> dict[str, Any]:
    return run_event(run_facets={key: value})


def test_the_real_events_conform_as_their_collection_says() -> None:
    """Oracle: the counts of `events/SOURCES.md`, taken with another program."""
    events = real_events()
    strict = {name for name, event in events.items() if strict_fault(event) is None}
    clean = {name for name in strict if not any(item.code.startswith("facet.") for item in findings(events[name]))}
    assert (len(events), len(strict), len(clean)) == (214, 135, 103)
    without_url = [name for name, event in events.items() if "schemaURL" not in event.document]
    found = Counter(item.code for event in events.values() for item in findings(event))
    assert found["event.schema_url_missing"] == len(without_url) == 72
    assert found["event.time_without_zone"] == 4
    assert found["event.run_id_not_uuid"] == 1
    assert found["facet.base_missing"] == 6


def test_the_refused_event_breaks_the_core_schema_too() -> None:
    """The one of the 215 that is not placed is also the one that strict mode could not have taken."""
    assert sum(1 for _ in real_bodies()) - len(real_events()) == 1


def test_an_event_that_conforms_has_no_findings() -> None:
    assert codes(run_event("COMPLETE", inputs=["a"], outputs=["b"])) == []


@pytest.mark.parametrize(
    ("change", "code", "pointer"),
    [
        ({"schemaURL": None}, "event.schema_url_missing", "/schemaURL"),
        ({"schemaURL": "https://example.org/x.json"}, "event.schema_url_unknown", "/schemaURL"),
        ({"schemaURL": "https://openlineage.io/spec/9-9-9/OpenLineage.json"}, "event.schema_url_unknown", "/schemaURL"),
        ({"producer": None}, "event.producer_missing", "/producer"),
        ({"producer": "not a uri"}, "event.core_invalid", "/producer"),
        ({"eventType": "STARTED"}, "event.type_unknown", "/eventType"),
        ({"eventTime": "2026-03-01T12:00:00"}, "event.time_without_zone", "/eventTime"),
        ({"eventTime": "2026-03-01 12:00:00Z"}, "event.core_invalid", "/eventTime"),
        ({"run": {"runId": "mine"}}, "event.run_id_not_uuid", "/run/runId"),
        ({"run": {"runId": "0195553c-9a10-7d41-8f6b-3c1de2a40b17", "facets": []}}, "event.core_invalid", "/run/facets"),
    ],
)
def test_each_fault_of_the_envelope_has_its_code(change: dict[str, Any], code: str, pointer: str) -> None:
    assert codes({**run_event(), **change}) == [(code, pointer)]


def test_an_ambiguous_kind_is_a_finding() -> None:
    document = run_event()
    del document["run"]
    document["dataset"] = {"namespace": "n", "name": "d"}
    assert ("event.kind_ambiguous", "") in codes(document)


def test_a_facet_without_its_frame_is_a_finding_of_its_own() -> None:
    assert codes(with_run_facet("my_facet", {"a": 1})) == [("facet.base_missing", "/run/facets/my_facet")]


def test_a_facet_that_is_no_object_is_invalid() -> None:
    assert codes(with_run_facet("my/facet", 7)) == [("facet.invalid", "/run/facets/my~1facet")]


def test_an_unknown_facet_is_no_fault() -> None:
    assert codes(with_run_facet("my_facet", facet(anything=[1, {"b": None}]))) == []


def test_a_parent_with_an_empty_run_is_stored_with_the_place_named() -> None:
    """L15: Marquez answers 500."""
    parent = {
        "_producer": PRODUCER,
        "_schemaURL": f"{SPEC}/1-0-1/ParentRunFacet.json",
        "run": {},
        "job": {"namespace": "n", "name": "j"},
    }
    assert codes(with_run_facet("parent", parent)) == [("facet.invalid", "/run/facets/parent/run")]


def test_a_facet_is_held_to_the_version_it_names() -> None:
    """`dataset` became required nowhere, but `subType` only exists from 1-0-0 on; `fields` is required in every one."""
    old = {"_producer": PRODUCER, "_schemaURL": f"{SPEC}/1-0-0/SchemaDatasetFacet.json", "fields": [{"type": "x"}]}
    document = run_event(outputs=[{"namespace": "n", "name": "d", "facets": {"schema": old}}])
    assert codes(document) == [("facet.invalid", "/outputs/0/facets/schema/fields/0")]


def test_a_facet_that_names_an_unknown_schema_is_held_to_the_newest_of_its_key() -> None:
    wrong = {"_producer": PRODUCER, "_schemaURL": "https://example.org/other.json", "fields": "none"}
    document = run_event(outputs=[{"namespace": "n", "name": "d", "facets": {"schema": wrong}}])
    assert codes(document) == [("facet.invalid", "/outputs/0/facets/schema/fields")]


def test_a_facet_of_a_role_is_held_to_the_schema_of_that_role() -> None:
    statistics = {"_producer": PRODUCER, "_schemaURL": "https://example.org/s.json", "rowCount": "wrong"}
    output = {"namespace": "n", "name": "d", "outputFacets": {"outputStatistics": statistics}}
    assert codes(run_event(outputs=[output])) == [
        ("facet.invalid", "/outputs/0/outputFacets/outputStatistics/rowCount")
    ]


def test_a_deletion_need_not_repeat_what_it_deletes() -> None:
    assert codes(dataset_event(dataset("d", schema={"_deleted": True}, assay_provenance={"_deleted": True}))) == []


def test_a_provenance_record_that_is_none_is_invalid() -> None:
    found = codes(dataset_event(dataset("d", assay_provenance={"purposes": "marketing", "unknown": 1})))
    assert {code for code, _ in found} == {"facet.invalid"}
    assert "/dataset/facets/assay_provenance/purposes" in {pointer for _, pointer in found}


def test_a_model_digest_of_another_form_is_invalid() -> None:
    assert codes(dataset_event(dataset("d", assay_model={"contentDigest": "md5:1"}))) == [
        ("facet.invalid", "/dataset/facets/assay_model/contentDigest")
    ]


def test_a_member_with_a_nul_in_its_name_has_a_pointer_that_every_database_keeps() -> None:
    ((code, pointer),) = codes(with_run_facet("a\0b", 1))
    assert (code, pointer) == ("facet.invalid", "/run/facets/a\\u0000b")


def test_findings_are_a_function_of_the_stored_bytes() -> None:
    sent = run_event(inputs=[{"namespace": "postgres://a:b@db", "name": "t"}])
    event = parse_event(body(sent))
    assert findings(parse_event(event.body)) == findings(event)
    assert [item.code for item in findings(event)] == ["secret.redacted"]


def test_strict_mode_names_the_place() -> None:
    fault = strict_fault(parse_event(body({**run_event(), "producer": "not a uri"})))
    assert fault is not None
    assert (fault.status, fault.pointer) == (422, "/producer")


@pytest.mark.parametrize("text", ["", "x" * 2049, "a\0b", "\ud800"])
def test_a_text_that_cannot_be_a_name_is_a_finding_where_something_would_be_derived_from_it(text: str) -> None:
    document = run_event(outputs=[dataset("d", schema={"fields": [{"name": "ok"}, {"name": text}]})])
    assert ("facet.invalid", "/outputs/0/facets/schema/fields/1/name") in codes(document)


def test_a_facet_above_16_mib_is_not_looked_into() -> None:
    """L23."""
    large = facet(text=["x" * 1000] * 17_000, fields="not a schema")
    document = run_event(outputs=[{"namespace": "n", "name": "d", "facets": {"schema": large}}])
    assert codes(document) == [("facet.too_large", "/outputs/0/facets/schema")]


def test_the_findings_of_one_event_are_bounded() -> None:
    fields = [{"type": "nameless"}] * 5000
    document = run_event(outputs=[dataset("d", schema={"fields": fields})])
    assert len(codes(document)) == 1000
