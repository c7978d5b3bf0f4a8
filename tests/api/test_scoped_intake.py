"""Events of narrowed keys: taken where they assert something about what lies within the scopes, refused elsewhere."""

import json
from typing import Any

import pytest
import sqlalchemy as sa

from governance.errors import OutsideScopes
from tests.lineage.material import bodies, body, dataset, dataset_event, facet, job_event, run_event, run_id
from tests.support.scopes import MODELS, names_nothing, secret_of
from tests.support.service import Service

VAULT = "s3://vault"
CREDIT = dataset("credit-line/2", MODELS)


def send(service: Service, header: dict[str, str], event: Any) -> tuple[int, str | None]:
    """The status, and the pointer of the refusal."""
    answer = service.http.post("/api/v1/lineage", content=body(event), headers=header)
    if answer.status_code == 201:
        return 201, None
    assert answer.json()["message"] == OutsideScopes.title, answer.text
    assert names_nothing(answer)
    return answer.status_code, answer.json()["details"].partition(":")[0]


def train(**parts: Any) -> dict[str, Any]:
    return run_event("COMPLETE", 20, **{"job": "train", "run": run_id(40), **parts})


def names(kind: str, name: str, namespace: str = VAULT) -> dict[str, Any]:
    return {"namespace": namespace, "name": name, "type": kind}


def flow(*entries: dict[str, Any]) -> dict[str, Any]:
    return {"lineage": facet(entries=list(entries))}


SEEN = {
    "schema": {"fields": [{"name": "id", "type": "int"}]},
    "version": {"datasetVersion": "7"},
    "dataSource": {"name": "lake", "uri": "s3://vault"},
    "datasetType": {"datasetType": "TABLE"},
}
ALIAS = {"symlinks": {"identifiers": [names("TABLE", "payroll")]}}
RENAME = {
    "lifecycleStateChange": {
        "lifecycleStateChange": "RENAME",
        "previousIdentifier": {"namespace": VAULT, "name": "payroll"},
    }
}
COLUMNS = {
    "columnLineage": {"fields": {"x": {"inputFields": [{"namespace": VAULT, "name": "salaries", "field": "y"}]}}}
}

TAKEN = {
    "its own job, inputs and outputs": train(inputs=["features"], outputs=[CREDIT]),
    "an input outside": train(inputs=[dataset("salaries", VAULT)], outputs=[CREDIT]),
    "an input outside with what a reader sees": train(inputs=[dataset("salaries", VAULT, **SEEN)]),
    "columns that come from outside": train(outputs=[dataset("out", **COLUMNS)]),
    "a flow that comes from outside": train(
        job_facets=flow({**names("DATASET", "out", "s3://lake"), "inputs": [names("DATASET", "salaries")]})
    ),
    "a parent outside": train(
        run_facets={"parent": facet(run={"runId": run_id(1)}, job={"namespace": "batch", "name": "hr-export"})}
    ),
    "its own job without a run": job_event(20, job="train", inputs=[dataset("salaries", VAULT)], outputs=["out"]),
    "its own dataset": dataset_event(dataset("out"), 20),
    "another name within the scopes": dataset_event(
        dataset("out", symlinks={"identifiers": [names("TABLE", "old", "s3://lake")]}), 20
    ),
    "a deployment of what is seen": train(
        run=run_id(42),
        run_facets={"assay_deployment": facet(environment="prod")},
        inputs=[dataset("credit-line/1", MODELS)],
    ),
}
REFUSED = {
    "another job": (train(job="board"), "/job"),
    "another job without a run": (job_event(20, job="nobody"), "/job"),
    "an output outside": (train(outputs=["out", dataset("payroll", VAULT)]), "/outputs/1"),
    "an output that nobody named": (train(outputs=[dataset("nothings", VAULT)]), "/outputs/0"),
    "another's dataset": (dataset_event(dataset("salaries", VAULT), 20), "/dataset"),
    "another name outside": (dataset_event(dataset("out", **ALIAS), 20), "/dataset/facets/symlinks"),
    "an earlier name outside": (train(outputs=[dataset("out", **RENAME)]), "/outputs/0/facets/lifecycleStateChange"),
    "an owner of an input outside": (train(inputs=[secret_of("salaries")]), "/inputs/0/facets/ownership"),
    "a name of an input outside": (
        train(inputs=[dataset("salaries", VAULT, **ALIAS)]),
        "/inputs/0/facets/symlinks",
    ),
    "a name outside of an input within": (train(inputs=[dataset("features", **ALIAS)]), "/inputs/0/facets/symlinks"),
    "the end of an input outside": (
        train(inputs=[dataset("salaries", VAULT, lifecycleStateChange={"lifecycleStateChange": "DROP"})]),
        "/inputs/0/facets/lifecycleStateChange",
    ),
    "what was said of an input outside, withdrawn": (
        train(inputs=[dataset("salaries", VAULT, schema={"_deleted": True})]),
        "/inputs/0/facets/schema",
    ),
    "a facet of an input outside that we do not know": (
        train(inputs=[dataset("salaries", VAULT, **{"a/b~c": {}})]),
        "/inputs/0/facets/a~1b~0c",
    ),
    "a flow that ends outside": (
        train(job_facets=flow({**names("DATASET", "payroll"), "inputs": [names("DATASET", "features", "s3://lake")]})),
        "/job/facets/lineage",
    ),
    "a flow through another job": (
        train(job_facets=flow({**names("DATASET", "out", "s3://lake"), "inputs": [names("JOB", "board", "batch")]})),
        "/job/facets/lineage",
    ),
    "a flow into another job": (
        train(job_facets=flow({**names("JOB", "board", "batch"), "inputs": [names("DATASET", "out", "s3://lake")]})),
        "/job/facets/lineage",
    ),
    "a run of another job": (train(run=run_id(1)), "/run/runId"),
    "a deployment of another's model": (
        train(
            run=run_id(43),
            run_facets={"assay_deployment": facet(environment="prod")},
            inputs=[dataset("fraud/1", MODELS)],
        ),
        "/inputs",
    ),
}


def test_events_about_what_is_seen_are_taken(told: Service, narrow: dict[str, str]) -> None:
    assert {case: send(told, narrow, event) for case, event in TAKEN.items()} == dict.fromkeys(TAKEN, (201, None))


def test_events_about_what_is_not_seen_are_refused_and_not_stored(told: Service, narrow: dict[str, str]) -> None:
    before = told.http.get("/v1/lineage/digest").json()
    found = {case: send(told, narrow, event) for case, (event, _) in REFUSED.items()}
    assert found == {case: (403, pointer) for case, (_, pointer) in REFUSED.items()}
    assert told.http.get("/v1/lineage/digest").json() == before
    whole: dict[str, str] = {}
    assert {send(told, whole, event) for event, _ in REFUSED.values()} == {(201, None)}


def test_a_batch_keeps_what_is_seen(told: Service, narrow: dict[str, str]) -> None:
    events = [train(outputs=[CREDIT]), train(job="board"), train(outputs=["out"])]
    answer = told.http.post("/api/v1/lineage/batch", content=b"[" + b",".join(bodies(*events)) + b"]", headers=narrow)
    found = answer.json()
    assert (found["status"], found["summary"]["successful"], found["summary"]["failed"]) == ("partial_success", 2, 1)
    assert [(each["index"], each["retriable"], each["reason"][:5]) for each in found["failed_events"]] == [
        (1, False, "/job:")
    ]


def test_a_hidden_name_and_one_that_nobody_uses_are_refused_alike(told: Service, narrow: dict[str, str]) -> None:
    texts = []
    for name in ("salaries", "nothings"):
        event = train(outputs=[dataset(name, VAULT)], inputs=[secret_of(name)])
        answer = told.http.post("/api/v1/lineage", content=body(event), headers=narrow)
        texts.append((answer.status_code, answer.text))
    assert texts[0] == texts[1]


SERVES = {"assay_deployment": facet(environment="prod")}
FRAUD = [dataset("fraud/1", MODELS)]


@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("steps", [(SERVES, FRAUD), (FRAUD, SERVES)], ids=["deployed-first", "read-first"])
def test_a_deployment_that_is_told_in_two_events_serves_nothing_unseen(
    told: Service, narrow: dict[str, str], steps: tuple[Any, Any], together: bool
) -> None:
    first, second = (train(run_facets=step) if step is SERVES else train(inputs=step) for step in steps)
    batches = [[first, second]] if together else [[first], [second]]
    failed = []
    for batch in batches:
        answer = told.http.post("/api/v1/lineage/batch", content=json.dumps(batch).encode(), headers=narrow)
        failed += [each["reason"].partition(":")[0] for each in answer.json()["failed_events"]]
    assert failed == ["/inputs"]


def test_own_runs_go_on_and_answers_of_an_event_sent_again_are_the_same(told: Service, narrow: dict[str, str]) -> None:
    start = run_event("START", 20, job="train", run=run_id(41), inputs=[dataset("salaries", VAULT)])
    for _ in range(2):
        assert send(told, narrow, start) == (201, None)
    assert send(told, narrow, train(run=run_id(41), outputs=[CREDIT])) == (201, None)
    nodes = told.http.get(f"/v1/lineage/runs/{run_id(41)}", headers=narrow).json()["nodes"]
    assert [node["state"] for node in nodes if node.get("run_id") == run_id(41)] == ["COMPLETED"]


def test_a_whole_key_asks_nothing_more_of_the_database(told: Service, narrow: dict[str, str]) -> None:
    statements: list[str] = []
    engine = told.state.database.engine
    sa.event.listen(engine, "before_cursor_execute", lambda _c, _cu, text, *_: statements.append(text))
    held = "FROM lineage_run JOIN lineage_node"
    assert told.http.post("/api/v1/lineage", content=body(train(outputs=[CREDIT]))).status_code == 201
    assert not [text for text in statements if held in text]
    assert send(told, narrow, train(outputs=[CREDIT])) == (201, None)
    assert [text for text in statements if held in text], "a narrowed one asks whose the run is"
