"""What a narrowed key is told in Marquez's shapes: lists, totals and entities hold to its scopes."""

from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from tests.lineage.material import bodies, dataset, facet, run_event, run_id
from tests.support.scopes import MODELS, names_nothing, secret_of
from tests.support.service import Service, key_for

LAKE, VAULT = quote("s3://lake", safe=""), quote("s3://vault", safe="")
FEATURES = f"/api/v1/namespaces/{LAKE}/datasets/features"


def get(service: Service, path: str, header: dict[str, str], **parameters: Any) -> Any:
    answer = service.http.get(path, params=parameters, headers=header)
    assert answer.status_code == 200, (path, answer.text)
    assert not header or names_nothing(answer), answer.text
    return answer.json()


def send(service: Service, *events: Any) -> None:
    answer = service.http.post("/api/v1/lineage/batch", content=b"[" + b",".join(bodies(*events)) + b"]")
    assert answer.json()["status"] == "success", answer.text


LISTS = {
    f"/api/v1/namespaces/{LAKE}/datasets": ("datasets", {"features"}),
    "/api/v1/jobs": ("jobs", {"train"}),
    "/api/v1/namespaces/batch/jobs": ("jobs", {"train"}),
    "/api/v1/namespaces": ("namespaces", {"s3://lake", MODELS, "batch"}),
    "/api/v1/sources": ("sources", {"s3://lake", MODELS}),
    "/api/v1/tags": ("tags", set()),
}


@pytest.mark.parametrize("path", LISTS)
def test_lists_and_totals_know_only_what_is_seen(told: Service, narrow: dict[str, str], path: str) -> None:
    member, names = LISTS[path]
    found = get(told, path, narrow)
    assert {entry["name"] for entry in found[member]} == names
    assert found.get("totalCount", len(names)) == len(names)
    whole = told.http.get(path).json()[member]
    assert len(whole) > len(names) or "datasets" in path
    pages = [get(told, path, narrow, limit=1, offset=offset)[member] for offset in range(len(names) + 1)]
    assert [len(page) for page in pages] == [1] * len(names) + [0]


def test_jobs_by_state_are_those_that_are_seen(told: Service, narrow: dict[str, str]) -> None:
    for found in (
        get(told, "/api/v1/jobs", narrow, lastRunStates="COMPLETED"),
        told.http.post("/api/v1/jobs", params={"runState": "COMPLETED"}, headers=narrow).json(),
    ):
        assert ([job["name"] for job in found["jobs"]], found["totalCount"]) == (["train"], 1)


@pytest.mark.parametrize(
    "path",
    [
        f"/api/v1/namespaces/{VAULT}/datasets/NAME",
        f"/api/v1/namespaces/{VAULT}/datasets/NAME/versions",
        f"/api/v1/namespaces/{VAULT}/datasets/NAME/versions/{run_id(1)}",
        "/api/v1/namespaces/batch/jobs/NAME",
        "/api/v1/namespaces/batch/jobs/NAME/runs",
        "/api/v1/namespaces/batch/jobs/NAME/versions",
        "/api/v1/lineage?nodeId=job:batch:NAME",
        f"/api/v1/lineage?nodeId=dataset:{VAULT}:NAME",
        f"/api/v1/column-lineage?nodeId=dataset:{VAULT}:NAME",
        f"/api/v1/column-lineage?nodeId=datasetField:{VAULT}:NAME:x",
    ],
)
def test_a_hidden_entity_is_answered_like_an_unknown_one(told: Service, narrow: dict[str, str], path: str) -> None:
    send(told, run_event(job="salaries", run=run_id(8), inputs=[dataset("salaries", "s3://vault", schema=FIELD_X)]))
    answers = []
    for name in ("salaries", "nothings"):
        answer = told.http.get(path.replace("NAME", name), headers=narrow)
        answers.append((answer.status_code, answer.text.replace(name, "NAME")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


FIELD_X = {"fields": [{"name": "x", "type": "int"}]}


@pytest.mark.parametrize(
    "path", ["/api/v1/namespaces/NAME", "/api/v1/namespaces/NAME/datasets", "/api/v1/sources/NAME"]
)
def test_a_hidden_place_is_answered_like_an_unknown_one(told: Service, narrow: dict[str, str], path: str) -> None:
    assert told.http.get(path.replace("NAME", VAULT)).status_code == 200
    answers = []
    for name in ("s3://vault", "s3://void"):
        answer = told.http.get(path.replace("NAME", quote(name, safe="")), headers=narrow)
        answers.append((answer.status_code, answer.text.replace(name, "NAME")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


@pytest.mark.parametrize("path", ["/api/v1/jobs/runs/ID", "/api/v1/jobs/runs/ID/facets?type=job"])
def test_a_run_of_a_hidden_job_is_answered_like_an_unknown_one(
    told: Service, narrow: dict[str, str], path: str
) -> None:
    answers = [told.http.get(path.replace("ID", run), headers=narrow) for run in (run_id(1), run_id(99))]
    texts = [answer.text.replace(run_id(1), "ID").replace(run_id(99), "ID") for answer in answers]
    assert (texts[0], answers[0].status_code) == (texts[1], 404)
    upstream = told.http.get("/api/v1/runlineage/upstream", params={"runId": run_id(1)}, headers=narrow)
    assert upstream.status_code == 404


def test_a_namespace_is_seen_that_a_scope_holds_whole(told: Service, narrow: dict[str, str]) -> None:
    for namespace in ("s3://lake/empty", "s3://attic"):
        path = f"/api/v1/namespaces/{quote(namespace, safe='')}"
        assert told.http.put(path, json={"ownerName": "ops"}).is_success
    wide = {"Authorization": f"Bearer {key_for(told.url, 'auditor', scopes=['s3://*/*'], name='wide')}"}
    names = {found["name"] for found in get(told, "/api/v1/namespaces", narrow)["namespaces"]}
    assert names == {"s3://lake", MODELS, "batch"}
    answer = told.http.get("/api/v1/namespaces", headers=wide).json()
    assert {found["name"] for found in answer["namespaces"]} == {
        "s3://lake",
        "s3://lake/empty",
        "s3://attic",
        "s3://vault",
    }


def test_a_job_and_its_runs_show_what_is_seen_of_their_data(told: Service, narrow: dict[str, str]) -> None:
    parent = {"parent": facet(run={"runId": run_id(1)}, job={"namespace": "batch", "name": "hr-export"})}
    payroll = dataset("payroll", "s3://vault")
    send(told, run_event("COMPLETE", 9, job="train", run=run_id(9), run_facets=parent, inputs=["features", payroll]))
    job, whole = (get(told, "/api/v1/namespaces/batch/jobs/train", header) for header in (narrow, {}))
    assert [len(found["inputs"]) for found in (job, whole)] == [1, 2]
    assert (job["parentJobName"], whole["parentJobName"]) == (None, "hr-export")
    assert job["latestRun"]["inputDatasetVersions"][0]["datasetVersionId"]["name"] == "features"
    run = get(told, f"/api/v1/jobs/runs/{run_id(9)}", narrow)
    assert run["facets"]["parent"] == {"hidden": True}
    assert run_id(1) not in str(run)
    assert get(told, f"/api/v1/jobs/runs/{run_id(9)}", {})["facets"]["parent"]["job"]["name"] == "hr-export"
    version = get(told, "/api/v1/namespaces/batch/jobs/train/versions", narrow)["versions"][0]
    assert [found["name"] for found in version["inputs"]] == ["features"]


def test_a_dataset_names_neither_hidden_sources_nor_a_hidden_writer(told: Service, narrow: dict[str, str]) -> None:
    source = {"namespace": "s3://vault", "name": "salaries", "field": "amount"}
    columns = {"fields": {"x": {"inputFields": [source, {**source, "namespace": "s3://lake", "name": "raw"}]}}}
    aliases = {"identifiers": [{"namespace": "s3://vault", "name": "payroll-alias", "type": "TABLE"}]}
    output = dataset("features", columnLineage=columns, symlinks=aliases, schema=FIELD_X)
    send(
        told, run_event("COMPLETE", 9, job="hr-export", run=run_id(1), inputs=[secret_of("salaries")], outputs=[output])
    )
    seen, whole = (get(told, FEATURES, header) for header in (narrow, {}))
    assert [len(found["columnLineage"][0]["inputFields"]) for found in (seen, whole)] == [1, 2]
    assert seen["facets"]["columnLineage"]["fields"]["x"]["inputFields"][0] == {"hidden": True}
    assert seen["facets"]["symlinks"]["identifiers"] == [{"hidden": True}]
    versions, known = (get(told, f"{FEATURES}/versions", header)["versions"] for header in (narrow, {}))
    assert (versions[0]["createdByRun"], known[0]["createdByRun"]["id"]) == (None, run_id(1))
    one = get(told, f"{FEATURES}/versions/{versions[0]['version']}", narrow)
    assert (one["createdByRun"], one["facets"]["symlinks"]["identifiers"]) == (None, [{"hidden": True}])


def test_graphs_leave_out_and_count_what_is_hidden(told: Service, narrow: dict[str, str]) -> None:
    asked = {"nodeId": "dataset:s3://lake:features"}
    seen, whole = (get(told, "/api/v1/lineage", header, **asked) for header in (narrow, {}))
    assert {node["data"]["name"] for node in seen["graph"]} == {"features", "train", "credit-line/1"}
    assert (len(whole["graph"]), seen["hidden"], "hidden" in whole) == (7, 4, False)
    ids = {node["id"] for node in seen["graph"]}
    assert {edge[end] for node in seen["graph"] for edge in node["inEdges"] + node["outEdges"] for end in edge} <= ids


def test_column_graphs_leave_out_and_count_what_is_hidden(told: Service, narrow: dict[str, str]) -> None:
    columns = {"fields": {"x": {"inputFields": [{"namespace": "s3://vault", "name": "salaries", "field": "amount"}]}}}
    output = dataset("features", columnLineage=columns, schema=FIELD_X)
    send(told, run_event("COMPLETE", 9, job="hr-export", run=run_id(1), outputs=[output]))
    asked = {"nodeId": "dataset:s3://lake:features"}
    seen, whole = (get(told, "/api/v1/column-lineage", header, **asked) for header in (narrow, {}))
    assert [node["id"] for node in seen["graph"]] == ["datasetField:s3://lake:features:x"]
    assert (seen["graph"][0]["data"]["inputFields"], seen["graph"][0]["inEdges"], seen["hidden"]) == ([], [], 1)
    assert (len(whole["graph"]), "hidden" in whole) == (2, False)


def test_runs_upstream_are_those_of_jobs_that_are_seen(told: Service, narrow: dict[str, str]) -> None:
    seen, whole = (get(told, "/api/v1/runlineage/upstream", header, runId=run_id(2))["runs"] for header in (narrow, {}))
    assert [[run["job"]["name"] for run in runs] for runs in (seen, whole)] == [["train"], ["train", "hr-export"]]
    assert seen[0]["inputs"][0]["producedByRunId"] is None


def test_searches_find_what_is_seen(told: Service, narrow: dict[str, str]) -> None:
    for text, found in (("features", 1), ("salaries", 0), ("board", 0), ("secret", 0)):
        assert get(told, "/api/v1/search", narrow, q=text)["totalCount"] == found, text
        assert len(get(told, "/api/v2beta/search/datasets", narrow, q=text)["hits"]) == found, text
    (hit,) = get(told, "/api/v2beta/search/datasets", narrow, q="features")["hits"]
    assert (hit["run_id"], get(told, "/api/v2beta/search/jobs", narrow, q="hr-export")["hits"]) == (None, [])
    assert told.http.get("/api/v2beta/search/datasets", params={"q": "features"}).json()["hits"][0]["run_id"] == run_id(
        1
    )


def test_statistics_count_what_is_seen(told: Service, narrow: dict[str, str]) -> None:
    now = told.state.database.clock().isoformat()
    events = [run_event(job=job, run=run_id(number)) for number, job in ((50, "train"), (51, "board"))]
    send(told, *({**event, "eventTime": now} for event in events))

    def counted(path: str, member: str, header: dict[str, str]) -> int:
        spans: list[dict[str, int]] = get(told, path, header, period="WEEK")
        return max(span[member] for span in spans)

    assert [counted("/api/v1/stats/lineage-events", "complete", header) for header in (narrow, {})] == [1, 2]
    for asset, seen in (("jobs", 1), ("datasets", 2), ("sources", 2)):
        numbers = [counted(f"/api/v1/stats/{asset}", "count", header) for header in (narrow, {})]
        assert numbers[0] == seen < numbers[1], asset


def test_run_events_are_those_of_jobs_that_are_seen(told: Service, narrow: dict[str, str]) -> None:
    parent = {"parent": facet(run={"runId": run_id(1)}, job={"namespace": "batch", "name": "hr-export"})}
    inputs = [secret_of("salaries"), dataset("features")]
    send(told, run_event("FAIL", 9, job="train", run=run_id(9), run_facets=parent, inputs=inputs))
    found = get(told, "/api/v1/events/lineage", narrow)
    assert ([event["job"]["name"] for event in found["events"]], found["totalCount"]) == (["train", "train"], 2)
    assert (found["events"][0]["inputs"][0], found["events"][0]["inputs"][1]["name"]) == ({"hidden": True}, "features")
    assert found["events"][0]["run"]["facets"]["parent"] == {"hidden": True}
    assert run_id(1) not in str(found)
    assert get(told, "/api/v1/events/lineage", narrow, limit=1, offset=1)["events"] == found["events"][1:]
    assert get(told, "/api/v1/events/lineage", {})["totalCount"] == 4


def test_an_event_of_a_run_that_was_another_jobs_before_is_hidden_whole(told: Service, narrow: dict[str, str]) -> None:
    send(told, *(run_event("OTHER", at, job=job, run=run_id(9)) for at, job in ((9, "board"), (10, "train"))))
    assert {"hidden": True} in get(told, "/api/v1/events/lineage", narrow)["events"]


def test_a_whole_key_pays_for_no_scopes(told: Service) -> None:
    statements: list[str] = []
    sa.event.listen(told.state.database.engine, "before_cursor_execute", lambda *told: statements.append(told[2]))
    paths = [*LISTS, FEATURES, f"{FEATURES}/versions", "/api/v1/namespaces/batch/jobs/train", "/v1/lineage/findings"]
    for path in (*paths, "/v1/lineage/prunings", "/v1/lineage/impact?namespace=s3://lake&name=features"):
        assert told.http.get(path).status_code == 200, path
    assert len(statements) > len(paths)
    assert not [text for text in statements if " GLOB " in text or " LIKE " in text]
