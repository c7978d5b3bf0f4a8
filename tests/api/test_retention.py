"""Pruning over HTTP: who may ask, what is answered, and what readers see of a pruned event."""

import json
from typing import Any

import pytest

from tests.lineage.material import body, dataset, run_event, run_id
from tests.support.service import Service, key_for, running

OWNED = dataset("people", ownership={"owners": [{"name": "user:ann"}]}, schema={"fields": [{"name": "id"}]})
ASKED = {
    "entity": {"kind": "dataset", "namespace": "s3://lake", "name": "people"},
    "facets": ["ownership"],
    "reason": "request 7",
}


@pytest.fixture
def digest(service: Service) -> str:
    answer = service.http.post("/api/v1/lineage", content=body(run_event(inputs=[OWNED])))
    found: str = answer.headers["Assay-Event-Digest"]
    return found


def ask(service: Service, document: Any, *roles: str) -> Any:
    headers = {"Authorization": f"Bearer {key_for(service.url, *(roles or ('data_steward',)))}"}
    return service.http.post("/v1/lineage/prunings", content=json.dumps(document), headers=headers)


def test_a_steward_prunes_and_the_record_tells_all(service: Service, digest: str) -> None:
    answer = ask(service, ASKED)
    assert answer.status_code == 201, answer.text
    made = answer.json()
    assert (made["rule"], made["reason"], made["event_count"]) == ("request", "request 7", 1)
    assert made["by"].startswith("key:")
    assert service.http.get("/v1/lineage/prunings").json() == {"prunings": [made], "next": None}
    one = service.http.get(f"/v1/lineage/prunings/{made['id']}").json()
    assert [event["digest"] for event in one["events"]] == [digest]


def test_a_reader_of_the_event_sees_markers_and_the_pruning(service: Service, digest: str) -> None:
    before = service.http.get(f"/v1/lineage/events/{digest}")
    made = ask(service, ASKED).json()
    after = service.http.get(f"/v1/lineage/events/{digest}")
    assert (before.json()["prunings"], after.json()["prunings"]) == ([], [{**made, "event_count": 1}])
    assert set(after.json()["event"]["inputs"][0]["facets"]["ownership"]) == {"_pruned"}
    assert before.headers["ETag"] != after.headers["ETag"]
    listed = service.http.get("/api/v1/events/lineage").json()["events"]
    assert "user:ann" not in json.dumps(listed)


@pytest.mark.parametrize("role", ["ci", "policy_publisher", "auditor", "admin"])
def test_nobody_else_may_prune(service: Service, digest: str, role: str) -> None:
    assert ask(service, ASKED, role).status_code == 403
    assert service.http.get("/v1/lineage/prunings").json()["prunings"] == []


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"reason": ""}, 422),
        ({"reason": None}, 422),
        ({"facets": ["schema"]}, 422),
        ({"facets": "ownership"}, 422),
        ({"entity": None}, 422),
        ({"entity": {"kind": "dataset", "namespace": "s3://lake"}}, 422),
        ({"entity": {"kind": "run", "name": "x"}}, 422),
        ({"entity": {"kind": "dataset", "namespace": "s3://lake", "name": "none"}}, 404),
        ({"entity": {"kind": "run", "run_id": "none"}}, 404),
        ({"entity": None, "event": "sha256:" + "0" * 64}, 404),
        ({"event": "sha256:" + "0" * 64}, 422),
        ({"other": 1}, 422),
    ],
)
def test_what_is_not_understood_changes_nothing(
    service: Service, digest: str, changes: dict[str, Any], status: int
) -> None:
    answer = ask(service, {**ASKED, **changes})
    assert answer.status_code == status, answer.text
    assert service.http.get("/v1/lineage/prunings").json()["prunings"] == []


def test_the_list_has_pages(service: Service, digest: str) -> None:
    for _ in range(3):
        ask(service, ASKED)
    first = service.http.get("/v1/lineage/prunings", params={"limit": 2}).json()
    second = service.http.get("/v1/lineage/prunings", params={"limit": 2, "before": first["next"]}).json()
    assert [len(first["prunings"]), len(second["prunings"]), second["next"]] == [2, 1, None]


@pytest.mark.parametrize("number", ["0", "x", str(2**63), "1"])
def test_an_unknown_pruning_is_no_fault(service: Service, number: str) -> None:
    assert service.http.get(f"/v1/lineage/prunings/{number}").status_code in (404, 422)


def test_the_service_prunes_by_age_when_it_is_told_to(database_url: str, tmp_path: Any) -> None:
    """The clock of this service is ahead of that of the one that took the event."""
    import time
    from datetime import timedelta

    from governance.clock import system_clock

    with running(tmp_path / "home", database_url) as service:
        sent = run_event("START", 0, run=run_id(4), run_facets={"x": {"y": 1}})
        digest = service.http.post("/api/v1/lineage", content=body(sent)).headers["Assay-Event-Digest"]
    aged = {"retention_days": 30}
    later = lambda: system_clock() + timedelta(days=40)  # noqa: E731 - a clock is a function without a name
    with running(tmp_path / "other", database_url, clock=later, lineage=aged) as service:
        until = time.monotonic() + 20
        while not service.http.get(f"/v1/lineage/events/{digest}").json()["prunings"]:
            assert time.monotonic() < until, "the sweep has not come by"
            time.sleep(0.05)
        [made] = service.http.get("/v1/lineage/prunings").json()["prunings"]
    assert (made["rule"], made["by"]) == ("age", "ASSAY_LINEAGE__RETENTION_DAYS")
