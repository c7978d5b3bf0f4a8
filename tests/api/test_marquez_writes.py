"""Writes of Marquez's API: events and acts, read back through the same API."""

from typing import Any
from urllib.parse import quote

import pytest

from governance.access.roles import Role
from tests.lineage.material import body, run_event, run_id
from tests.support.service import Service, key_for

NAMESPACE = "postgresql://db:5432"
DATASET = "/api/v1/namespaces/{}/datasets/{}".format(quote(NAMESPACE, safe=""), quote("public/claims", safe=""))
JOB = "/api/v1/namespaces/batch/jobs/fit%2Fmodel"
FIELDS = [{"name": "id", "type": "INTEGER", "tags": ["key"], "description": "the claim"}, {"name": "note"}]


def put(service: Service, path: str, document: Any, status: int = 200) -> Any:
    answer = service.http.put(path, json=document)
    assert answer.status_code == status, answer.text
    return answer.json()


def post(service: Service, path: str, document: Any = None, status: int = 200, **parameters: str) -> Any:
    answer = service.http.post(path, json=document, params=parameters)
    assert answer.status_code == status, answer.text
    return answer.json()


def delete(service: Service, path: str, status: int = 200) -> Any:
    steward = key_for(service.url, Role.DATA_STEWARD)
    answer = service.http.delete(path, headers={"Authorization": f"Bearer {steward}"})
    assert answer.status_code == status, answer.text
    return answer.json()


def put_dataset(service: Service, **more: Any) -> Any:
    document = {"type": "DB_TABLE", "physicalName": "public.claims", "sourceName": "warehouse", "fields": FIELDS}
    return put(service, DATASET, {**document, "tags": ["pii"], "description": "claims of the year", **more})


def put_job(service: Service, **more: Any) -> Any:
    return put(service, JOB, {"type": "BATCH", "inputs": [], "outputs": [], **more})


def test_a_namespace_is_described(service: Service) -> None:
    made = put(service, "/api/v1/namespaces/team%2Fx", {"ownerName": "team:risk", "description": "what we own"})
    assert (made["name"], made["ownerName"], made["description"]) == ("team/x", "team:risk", "what we own")
    assert service.http.get("/api/v1/namespaces/team%2Fx").json() == made


def test_a_source_is_described_without_its_password(service: Service) -> None:
    put(
        service, "/api/v1/sources/warehouse", {"type": "POSTGRESQL", "connectionUrl": "postgresql://u:secret@db/claims"}
    )
    found = service.http.get("/api/v1/sources/warehouse").json()
    assert found["type"] == "POSTGRESQL"
    assert "secret" not in found["connectionUrl"]


def test_a_tag_is_described_and_listed(service: Service) -> None:
    put(service, "/api/v1/tags/pii", {"description": "about a person"})
    assert service.http.get("/api/v1/tags").json()["tags"] == [{"name": "pii", "description": "about a person"}]


def test_a_dataset_is_put_and_read_back(service: Service) -> None:
    put(service, "/api/v1/sources/warehouse", {"type": "POSTGRESQL", "connectionUrl": "postgresql://db/claims"})
    made = put_dataset(service)
    assert made["id"] == {"namespace": NAMESPACE, "name": "public/claims"}
    assert (made["type"], made["physicalName"], made["sourceName"]) == ("DB_TABLE", "public.claims", "warehouse")
    assert made["description"] == "claims of the year"
    assert made["tags"] == ["pii"]
    assert [(field["name"], field["tags"]) for field in made["fields"]] == [("id", ["key"]), ("note", [])]
    source = service.http.get("/api/v1/sources/warehouse").json()
    assert source["connectionUrl"] == "postgresql://db/claims", "a dataset that names its source does not empty it"


def test_a_put_is_an_event_of_its_own_in_the_log(service: Service) -> None:
    put_dataset(service)
    put_job(service, outputs=[{"namespace": NAMESPACE, "name": "public/claims"}])
    post(service, JOB + "/runs", {"id": run_id(1)}, 201)
    events = service.http.get("/api/v1/events/lineage").json()["events"]
    assert [event["producer"] for event in events] == ["urn:assay:marquez-api"]
    assert service.http.get("/v1/lineage/digest").json()["event_count"] == 3


def test_a_run_is_made_started_and_ended(service: Service) -> None:
    put_job(service, location="https://git.example.org/fit", description="fits", context={"sql": "select 1"})
    made = post(service, JOB + "/runs", {"nominalStartTime": "2026-03-01T00:00:00Z", "args": {"seed": "17"}}, 201)
    assert made["state"] == "NEW"
    assert made["args"]["seed"] == "17"
    assert made["nominalStartTime"].startswith("2026-03-01T00:00:00")
    states = []
    for change, at in (("start", "2026-03-01T00:00:01Z"), ("complete", "2026-03-01T00:00:05Z")):
        states.append(post(service, f"/api/v1/jobs/runs/{made['id']}/{change}", at=at)["state"])
    assert states == ["RUNNING", "COMPLETED"]
    assert service.http.get(f"/api/v1/jobs/runs/{made['id']}").json()["durationMs"] == 4000


def test_a_dataset_of_a_run_is_its_output(service: Service) -> None:
    put_job(service)
    post(service, JOB + "/runs", {"id": run_id(1)}, 201)
    put_dataset(service, runId=run_id(1))
    job = service.http.get(JOB).json()
    assert job["outputs"] == [{"namespace": NAMESPACE, "name": "public/claims"}]


def test_tags_are_set_and_taken_away(service: Service) -> None:
    put_dataset(service)
    put_job(service)
    assert post(service, DATASET + "/tags/gold")["tags"] == ["gold", "pii"]
    tagged = post(service, DATASET + "/fields/note/tags/email")
    assert {field["name"]: field["tags"] for field in tagged["fields"]} == {"id": ["key"], "note": ["email"]}
    assert post(service, JOB + "/tags/nightly")["tags"] == ["nightly"]
    for path in (DATASET + "/tags/pii", DATASET + "/fields/id/tags/key", JOB + "/tags/nightly"):
        assert service.http.delete(path).status_code == 200
    found = service.http.get(DATASET).json()
    assert found["tags"] == ["gold"]
    assert {field["name"]: field["tags"] for field in found["fields"]} == {"id": [], "note": ["email"]}
    assert service.http.get(JOB).json()["tags"] == []


def test_what_is_deleted_is_gone_from_lists_and_comes_back_with_a_new_event(service: Service) -> None:
    service.http.post("/api/v1/lineage", content=body(run_event(inputs=["a"], outputs=["b"])))
    lake = "/api/v1/namespaces/s3%3A%2F%2Flake"
    assert delete(service, f"{lake}/datasets/a")["deleted"] is True
    delete(service, "/api/v1/namespaces/batch/jobs/job")
    listed = service.http.get(f"{lake}/datasets").json()
    assert ([item["name"] for item in listed["datasets"]], listed["totalCount"]) == (["b"], 1)
    assert service.http.get("/api/v1/jobs").json()["totalCount"] == 0
    assert service.http.get(f"{lake}/datasets/a").status_code == 404
    service.http.post("/api/v1/lineage", content=body(run_event("COMPLETE", 5, inputs=["a"])))
    assert service.http.get(f"{lake}/datasets").json()["totalCount"] == 2
    assert delete(service, lake)["isHidden"] is True
    assert service.http.get(f"{lake}/datasets").json()["totalCount"] == 0


def test_hiding_takes_a_steward(service: Service) -> None:
    put_dataset(service)
    assert service.http.delete(DATASET).status_code == 403


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("/api/v1/namespaces/x", {}),
        (DATASET, {"type": "VIEW", "physicalName": "p", "sourceName": "s"}),
        (JOB, {"type": "BATCH", "inputs": [{"namespace": "n"}]}),
    ],
)
def test_a_body_that_cannot_be_read_is_refused_with_its_place(service: Service, path: str, document: Any) -> None:
    refused = put(service, path, document, 422)
    assert set(refused) == {"code", "message", "details"}


def test_a_run_or_dataset_that_nobody_named_is_not_found(service: Service) -> None:
    post(service, f"/api/v1/jobs/runs/{run_id(7)}/start", status=404)
    post(service, DATASET + "/tags/gold", status=404)
    post(service, JOB + "/runs", {}, 404)
    delete(service, DATASET, 404)


def test_a_time_that_is_none_is_refused(service: Service) -> None:
    put_job(service)
    made = post(service, JOB + "/runs", {}, 201)
    post(service, f"/api/v1/jobs/runs/{made['id']}/start", status=422, at="yesterday")
