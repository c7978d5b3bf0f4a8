"""What a narrowed key is told of stored events: the events, their findings, and what was pruned."""

import json
from typing import Any

import pytest

from governance.errors import OutsideScopes
from tests.lineage.material import bodies, dataset, dataset_event, facet, job_event, run_event, run_id
from tests.support.scopes import SCOPES, names_nothing, secret_of
from tests.support.service import Service, key_for

PRUNINGS, FINDINGS = "/v1/lineage/prunings", "/v1/lineage/findings"


def send(service: Service, *events: Any) -> list[str]:
    """Store the events; their digests."""
    answers = [service.http.post("/api/v1/lineage", content=content) for content in bodies(*events)]
    assert all(answer.status_code == 201 for answer in answers)
    return [answer.headers["Assay-Event-Digest"] for answer in answers]


@pytest.fixture
def steward(told: Service) -> dict[str, str]:
    """The header of a key that may prune, within the same scopes."""
    return {"Authorization": f"Bearer {key_for(told.url, 'data_steward', scopes=SCOPES, name='steward')}"}


HIDDEN = {
    "a hidden job": run_event("OTHER", 9, job="board", run=run_id(50)),
    "a hidden input": run_event("OTHER", 9, job="train", run=run_id(51), inputs=[secret_of("salaries")]),
    "a hidden parent": run_event(
        "OTHER", 9, job="train", run=run_id(52),
        run_facets={"parent": facet(run={"runId": run_id(1)}, job={"namespace": "batch", "name": "hr-export"})},
    ),
    "a hidden source of a column": run_event(
        "OTHER", 9, job="train", run=run_id(53),
        outputs=[dataset("out", columnLineage={"fields": {"x": {"inputFields": [
            {"namespace": "s3://vault", "name": "salaries", "field": "y"}]}}})],
    ),
    "a hidden dataset": dataset_event(dataset("salaries", "s3://vault"), 9),
    "a hidden job without a run": job_event(9, job="hr-export"),
}  # fmt: skip
SEEN = {
    "a job": run_event("OTHER", 9, job="train", run=run_id(60), inputs=["features"]),
    "a dataset": dataset_event(dataset("features"), 9),
    "a job without a run": job_event(9, job="train", outputs=["features"]),
}


def test_an_event_is_given_to_whoever_sees_all_that_it_names(told: Service, narrow: dict[str, str]) -> None:
    hidden, seen = send(told, *HIDDEN.values()), send(told, *SEEN.values())
    unknown = "sha256:" + "0" * 64
    texts = {told.http.get(f"/v1/lineage/events/{unknown}", headers=narrow).text.replace(unknown, "")}
    for digest in hidden:
        answer = told.http.get(f"/v1/lineage/events/{digest}", headers=narrow)
        assert answer.status_code == 404, digest
        texts.add(answer.text.replace(digest, ""))
        assert told.http.get(f"/v1/lineage/events/{digest}").status_code == 200
    assert len(texts) == 1
    assert [told.http.get(f"/v1/lineage/events/{digest}", headers=narrow).status_code for digest in seen] == [200] * 3


def pages(service: Service, header: dict[str, str], limit: int) -> list[dict[str, Any]]:
    """All findings, page by page; every page but the last is full."""
    found: list[dict[str, Any]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = service.http.get(FINDINGS, params={"limit": limit, **cursor}, headers=header)
        assert answer.status_code == 200, answer.text
        assert not header or names_nothing(answer), answer.text
        page, following = answer.json()["findings"], answer.json()["next_cursor"]
        found += page
        if following is None:
            return found
        assert len(page) == limit
        cursor = {"cursor": following}


@pytest.mark.parametrize("limit", [1, 3, 100])
def test_findings_are_those_of_what_is_seen(told: Service, narrow: dict[str, str], limit: int) -> None:
    hidden = [{**event, "producer": "not a uri"} for event in HIDDEN.values()]
    seen = [{**event, "producer": "not a uri"} for event in SEEN.values()]
    digests = send(told, *(event for pair in zip(hidden, seen * 2, strict=True) for event in pair))
    found = pages(told, narrow, limit)
    of_events = {finding["event"] for finding in found if "event" in finding}
    assert of_events == set(digests[1::2])
    whole = pages(told, {}, 100)
    assert set(digests) <= {finding.get("event") for finding in whole}
    assert {finding["job"]["name"] for finding in found if "job" in finding} == {"train"}
    jobs = {finding["job"]["name"] for finding in whole if "job" in finding}
    assert {"train", "hr-export", "board"} <= jobs


def prune(service: Service, header: dict[str, str], **asked: Any) -> Any:
    return service.http.post(PRUNINGS, content=json.dumps({"reason": "request 7", **asked}), headers=header)


def entity(name: str, namespace: str = "s3://lake", kind: str = "dataset") -> dict[str, Any]:
    return {"entity": {"kind": kind, "namespace": namespace, "name": name}}


def test_what_is_seen_is_pruned_and_what_is_hidden_is_like_what_is_unknown(
    told: Service, steward: dict[str, str]
) -> None:
    seen, hidden = send(told, SEEN["a job"], HIDDEN["a hidden input"])
    mine = [entity("features"), entity("train", "batch", "job"), {"event": seen}]
    for asked in (*mine, {"entity": {"kind": "run", "run_id": run_id(60)}}):
        answer = prune(told, steward, **asked)
        assert answer.status_code == 201, answer.text
    for theirs, unknown, asked in (
        ("salaries", "nothings", entity("NAME", "s3://vault")),
        ("hr-export", "nothings", entity("NAME", "batch", "job")),
        (run_id(1), run_id(99), {"entity": {"kind": "run", "run_id": "NAME"}}),
        (hidden, "sha256:" + "0" * 64, {"event": "NAME"}),
    ):
        spelled = json.dumps(asked)
        answers = [prune(told, steward, **json.loads(spelled.replace("NAME", name))) for name in (theirs, unknown)]
        texts = [answer.text.replace(theirs, "NAME").replace(unknown, "NAME") for answer in answers]
        assert (texts[0], answers[0].status_code) == (texts[1], 404)


def test_a_dataset_with_a_name_outside_is_not_pruned(told: Service, steward: dict[str, str]) -> None:
    alias = {"identifiers": [{"namespace": "s3://vault", "name": "salaries-view", "type": "TABLE"}]}
    send(told, dataset_event(dataset("features", symlinks=alias), 20))
    refused = prune(told, steward, **entity("features"))
    assert (refused.status_code, refused.json()["code"]) == (403, OutsideScopes.code)
    assert names_nothing(refused)
    data = {"Authorization": f"Bearer {key_for(told.url, 'data_steward', name='whole')}"}
    made = prune(told, data, **entity("features")).json()
    assert made["target"]["aliases"]
    shown = told.http.get(f"{PRUNINGS}/{made['id']}", headers=steward).json()
    assert shown["target"] == {**made["target"], "aliases": []}


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_prunings_are_those_of_what_is_seen(told: Service, narrow: dict[str, str], limit: int) -> None:
    data = {"Authorization": f"Bearer {key_for(told.url, 'data_steward', name='whole')}"}
    asked = [entity("features"), entity("salaries", "s3://vault"), entity("board", "batch", "job"), entity("features")]
    made = [prune(told, data, **one).json()["id"] for one in asked]
    found: list[int] = []
    before: dict[str, int] = {}
    while True:
        answer = told.http.get(PRUNINGS, params={"limit": limit, **before}, headers=narrow)
        assert names_nothing(answer)
        found += [pruning["id"] for pruning in answer.json()["prunings"]]
        if answer.json()["next"] is None:
            break
        before = {"before": answer.json()["next"]}
    assert found == [made[3], made[0]]
    statuses = [told.http.get(f"{PRUNINGS}/{number}", headers=narrow).status_code for number in made]
    assert statuses == [200, 404, 404, 200]
