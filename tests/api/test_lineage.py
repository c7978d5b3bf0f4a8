"""Lineage over HTTP, on both databases."""

import gzip
import hashlib
import json
from typing import Any
from urllib.parse import quote

import pytest

from api.routers import lineage_examples as examples
from lineage.facets import own_schema
from tests.lineage.material import (
    bodies,
    body,
    dataset,
    dataset_event,
    real_bodies,
    run_event,
    run_id,
)
from tests.support.service import Service, key_for, running

EVENTS = "/api/v1/lineage"
BATCH = "/api/v1/lineage/batch"


def post(service: Service, content: bytes, path: str = EVENTS, **headers: str) -> Any:
    return service.http.post(path, content=content, headers=headers)


def batch(service: Service, *contents: bytes) -> Any:
    return post(service, b"[" + b",".join(contents) + b"]", BATCH)


def test_an_event_is_answered_with_its_digest_and_no_body(service: Service) -> None:
    content = body(run_event(inputs=["a"], outputs=["b"]))
    first, again = post(service, content), post(service, content)
    assert [answer.status_code for answer in (first, again)] == [201, 201]
    assert first.content == b""
    assert first.headers["Assay-Event-Digest"] == "sha256:" + hashlib.sha256(content).hexdigest()
    assert (first.headers["Assay-Findings"], again.headers["Assay-Findings"]) == ("0", "0")


def test_the_examples_of_the_documentation_are_taken(service: Service) -> None:
    assert post(service, body(examples.EVENT)).headers["Assay-Findings"] == "0"
    assert batch(service, body(examples.EVENT)).json()["status"] == "success"


def test_gzip_is_unpacked_and_gives_the_same_event(service: Service) -> None:
    content = body(run_event())
    packed = post(service, gzip.compress(content), **{"Content-Encoding": "gzip"})
    assert packed.headers["Assay-Event-Digest"] == post(service, content).headers["Assay-Event-Digest"]


@pytest.mark.parametrize(
    ("content", "status"),
    [
        (b"", 400),
        (b"{", 400),
        (b'{"a":NaN}', 400),
        (b'{"a":1,"a":1}', 400),
        (b"[" * 300 + b"]" * 300, 400),
        (b"\xff", 400),
        (b"[]", 422),
        (b"{}", 422),
        (body({**run_event(), "run": {}}), 422),
        (body(run_event(inputs=[{"namespace": "n", "name": "x" * 2049}])), 422),
    ],
)
def test_faults_have_marquezs_shape(service: Service, content: bytes, status: int) -> None:
    answer = post(service, content)
    assert answer.status_code == status
    assert set(answer.json()) == {"code", "message", "details"}
    assert answer.json()["code"] == status


def test_the_place_of_a_fault_is_named(service: Service) -> None:
    content = body({**run_event(), "run": {}})
    assert "/run/runId" in post(service, content).json()["details"]
    assert batch(service, body(run_event()), content).json() == {
        "status": "partial_success",
        "summary": {"received": 2, "successful": 1, "failed": 1, "retriable": 0, "non_retriable": 1},
        "failed_events": [
            {"index": 1, "reason": "/run/runId: expected a non-empty string, found nothing", "retriable": False}
        ],
    }


def test_a_batch_of_failures_and_an_empty_one_have_the_two_words_of_the_standard(service: Service) -> None:
    assert batch(service, b"{}").json()["status"] == "partial_success"
    assert batch(service).json()["status"] == "success"
    assert post(service, b"{}", BATCH).status_code == 422
    assert post(service, b"[1", BATCH).status_code == 400


def test_budgets_are_counted_while_unpacking(database_url: str, tmp_path: Any) -> None:
    limits = {"max_event_bytes": 2000, "max_batch_events": 2, "max_batch_bytes": 4000}
    with running(tmp_path / "home", database_url, lineage=limits) as service:
        bomb = gzip.compress(b" " * 10_000_000)
        assert post(service, bomb, **{"Content-Encoding": "gzip"}).status_code == 413
        assert post(service, body(run_event()) + b" " * 3000).status_code == 413
        assert batch(service, *[body(run_event())] * 3).status_code == 413
        assert post(service, b"[" + b" " * 5000 + b"]", BATCH).status_code == 413
        assert post(service, b"not gzip", **{"Content-Encoding": "gzip"}).status_code == 400


def test_strict_conformance_can_be_asked_for(service: Service) -> None:
    content = body({**run_event(), "producer": "no uri"})
    assert post(service, content, f"{EVENTS}?conformance=strict").status_code == 422
    assert post(service, content, f"{EVENTS}?conformance=other").status_code == 422
    assert post(service, content).status_code == 201


def test_no_real_event_gives_a_server_fault_and_one_is_refused(service: Service) -> None:
    statuses = {name: post(service, content).status_code for name, content in real_bodies().items()}
    assert {name: status for name, status in statuses.items() if status != 201} == {
        "openlineage-fluentd-proxy/event_no_run_id.json": 422
    }


def test_a_write_needs_a_key_with_the_permission(service: Service, database_url: str) -> None:
    content = body(run_event())
    assert post(service, content, Authorization="").status_code == 401
    auditor = key_for(database_url, "auditor")
    assert post(service, content, Authorization=f"Bearer {auditor}").status_code == 403
    assert service.http.get("/v1/lineage/digest", headers={"Authorization": ""}).status_code == 401
    steward = key_for(database_url, "data_steward")
    assert post(service, content, Authorization=f"Bearer {steward}").status_code == 201


def chain(service: Service) -> None:
    parts = [
        run_event("START", 1, run=run_id(1), job="load", inputs=["raw"], outputs=["clean"]),
        run_event("COMPLETE", 2, run=run_id(1), job="load", outputs=[
            dataset("clean", schema={"fields": [{"name": "a", "type": "int"}]})
        ]),
        run_event("START", 3, run=run_id(2), job="train", inputs=["clean"], outputs=["model"]),
    ]  # fmt: skip
    assert batch(service, *bodies(*parts)).json()["status"] == "success"


def test_the_graph_names_nodes_edges_and_what_was_asked(service: Service) -> None:
    chain(service)
    for path in ("/v1/lineage", "/v1/lineage/graph"):
        answer = service.http.get(path, params={"namespace": "s3://lake", "name": "model", "direction": "upstream"})
        assert answer.status_code == 200
        found = answer.json()
        names = [(node["index"], node["kind"], node["name"], node["distance"]) for node in found["nodes"]]
        assert names == [
            (0, "dataset", "model", 0),
            (1, "dataset", "clean", 1),
            (2, "job", "train", 1),
            (3, "dataset", "raw", 2),
            (4, "job", "load", 2),
        ]
        assert {(edge["from"], edge["to"]) for edge in found["edges"]} == {(1, 2), (2, 0), (3, 4), (4, 1)}
        assert (found["start"], found["truncated"], found["frontier"]) == (0, False, [])
    cut = service.http.get(path, params={"node_id": "dataset:s3://lake:model", "node_limit": 2}).json()
    assert (len(cut["nodes"]), cut["truncated"], cut["frontier"]) == (2, True, [1])


def test_a_reader_who_has_the_answer_gets_304(service: Service) -> None:
    chain(service)
    asked = {"namespace": "s3://lake", "name": "model"}
    tag = service.http.get("/v1/lineage/graph", params=asked).headers["ETag"]
    again = service.http.get("/v1/lineage/graph", params=asked, headers={"If-None-Match": tag})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize(
    ("query", "status"),
    [
        ("namespace=s3://lake&name=unknown", 404),
        ("node_id=dataset:s3://lake:unknown", 404),
        ("node_id=nonsense", 422),
        ("", 422),
        ("namespace=s3://lake", 422),
        ("node_id=dataset:a:b&name=b", 422),
        ("namespace=s3://lake&name=model&depth=-1", 422),
        ("namespace=s3://lake&name=model&depth=x", 422),
        ("namespace=s3://lake&name=model&node_limit=0", 422),
        ("namespace=s3://lake&name=model&node_limit=10001", 422),
        ("namespace=s3://lake&name=model&as_of=yesterday", 422),
        ("namespace=s3://lake&name=model&as_of=9999-12-31T23:59:59-12:00", 422),
        ("namespace=s3://lake&name=model&as_of=0001-01-01T00:00:00%2B12:00", 422),
        ("namespace=s3://lake&name=model&direction=sideways", 422),
        ("namespace=s3://lake&name=a%00b", 422),
        ("namespace=s3://lake&name=" + "x" * 2049, 422),
        ("namespace=s3://lake&name=model&as_of=2026-03-01T12:00:00", 200),
    ],
)
def test_questions_that_make_no_sense_are_refused_as_problems(service: Service, query: str, status: int) -> None:
    chain(service)
    answer = service.http.get(f"/v1/lineage/graph?{query}")
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["Content-Type"] == "application/problem+json"


def test_the_graph_of_marquez_has_its_nodes_by_id(service: Service) -> None:
    chain(service)
    answer = service.http.get(EVENTS, params={"nodeId": "job:batch:load", "depth": 20})
    graph = answer.json()["graph"]
    assert [node["id"] for node in graph] == [
        "dataset:s3://lake:clean",
        "dataset:s3://lake:model",
        "dataset:s3://lake:raw",
        "job:batch:load",
        "job:batch:train",
    ]
    load, clean = graph[3], graph[0]
    assert load["type"] == "JOB"
    assert load["inEdges"] == [{"origin": "dataset:s3://lake:raw", "destination": "job:batch:load"}]
    assert load["outEdges"] == [{"origin": "job:batch:load", "destination": "dataset:s3://lake:clean"}]
    assert load["data"]["inputs"] == [{"namespace": "s3://lake", "name": "raw"}]
    assert load["data"]["latestRun"]["state"] == "COMPLETED"
    assert load["data"]["latestRun"]["durationMs"] == 60_000
    assert clean["data"]["fields"] == [{"name": "a", "type": "int", "tags": [], "description": None}]


@pytest.mark.parametrize(
    ("namespace", "name"),
    [("trino://h:1337", "20240430_x"), ("jdbc:h2:mem:x", "T"), ("file", "/path"), ("n", "a b+c%2F#x&y=z"), ("表", "🕷")],
)
def test_names_with_colons_and_slashes_are_found_by_node_id_and_by_parameters(
    service: Service, namespace: str, name: str
) -> None:
    """L11, and the web pages' way: each part encoded, the colons between them not."""
    post(service, body(dataset_event(dataset(name, namespace))))
    whole = quote(f"dataset:{namespace}:{name}", safe="")
    parts = f"dataset:{quote(namespace, safe='')}:{quote(name, safe='')}"
    separate = f"namespace={quote(namespace, safe='')}&name={quote(name, safe='')}"
    for query in (f"nodeId={whole}", f"nodeId={parts}", separate, separate + "&type=dataset"):
        answer = service.http.get(f"{EVENTS}?{query}")
        assert answer.status_code == 200, query
        assert [node["data"]["name"] for node in answer.json()["graph"]] == [name]
    assert service.http.get(f"/v1/lineage?node_id={whole}").status_code == 200


def test_a_name_that_a_job_and_a_dataset_have_needs_the_kind(service: Service) -> None:
    post(service, body(run_event(job="same", inputs=[dataset("same", "batch")])))
    asked = {"namespace": "batch", "name": "same"}
    assert service.http.get(EVENTS, params=asked).status_code == 409
    assert service.http.get(EVENTS, params={**asked, "type": "job"}).status_code == 200
    found = service.http.get("/v1/lineage", params={**asked, "kind": "job"}).json()
    assert found["nodes"][found["start"]]["kind"] == "job"


def test_a_stored_event_is_given_as_stored_with_its_findings(service: Service) -> None:
    document = run_event(inputs=[{"namespace": "postgres://u:p@db", "name": "t"}])
    del document["schemaURL"]
    digest = post(service, body(document)).headers["Assay-Event-Digest"]
    answer = service.http.get(f"/v1/lineage/events/{digest}")
    found = answer.json()
    assert found["event"]["inputs"][0]["namespace"] == "postgres://[redacted]@db"
    assert [item["code"] for item in found["findings"]] == ["secret.redacted", "event.schema_url_missing"]
    stored = answer.content.split(b'"event": ', 1)[1][:-1]
    assert "sha256:" + hashlib.sha256(stored).hexdigest() == digest
    assert service.http.get(f"/v1/lineage/events/sha256:{'0' * 64}").status_code == 404
    assert service.http.get("/v1/lineage/events/nonsense").status_code == 422


def test_an_event_with_text_that_no_column_keeps_is_given_as_stored(service: Service) -> None:
    document = {**run_event(), "odd": "a\0\ud800b"}
    digest = post(service, body(document)).headers["Assay-Event-Digest"]
    assert json.loads(service.http.get(f"/v1/lineage/events/{digest}").content)["event"] == document


def test_the_digest_is_that_of_the_state(service: Service) -> None:
    empty = service.http.get("/v1/lineage/digest").json()
    post(service, body(run_event()))
    after = service.http.get("/v1/lineage/digest").json()
    assert (empty["event_count"], after["event_count"]) == (0, 1)
    assert empty["digest"] != after["digest"]


def test_our_facet_schemas_are_served_to_anyone(service: Service) -> None:
    for name in ("AssayProvenanceDatasetFacet", "AssayModelDatasetFacet"):
        answer = service.http.get(f"/spec/facets/1-0-0/{name}.json", headers={"Authorization": ""})
        assert (answer.status_code, answer.content) == (200, own_schema("1-0-0", name))
    assert service.http.get("/spec/facets/1-0-0/Other.json").status_code == 404
    assert service.http.get("/spec/facets/1-0-0/..%2F..%2Ftables.json").status_code == 404
