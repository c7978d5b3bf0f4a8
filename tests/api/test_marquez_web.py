"""What the Marquez web UI asks, call by call with its query strings, and each member that its pages read.

Source: the requests and pages below ``web/src`` of https://github.com/MarquezProject/marquez.
"""

from typing import Any
from urllib.parse import quote

import pytest

from tests.lineage.material import at, body, dataset, run_event, run_id
from tests.support.service import Service, key_for

LAKE = "s3://lake:9000/raw"
BATCH = "batch"  # the job namespace of the material
CLEAN = "public.clean/day=1"
JOB = "load:clean/daily"
API = "/api/v1"


def encoded(name: str) -> str:
    """As JavaScript's encodeURIComponent."""
    return quote(name, safe="-_.!~*'()")


def send(service: Service, *documents: dict[str, Any]) -> None:
    for document in documents:
        assert service.http.post(f"{API}/lineage", content=body(document)).status_code == 201


@pytest.fixture
def ui(service: Service) -> Service:
    """A service that knows a job with two runs, what it reads and writes, column by column."""
    fields = [{"name": "mail", "type": "text", "description": "of the person"}]
    source = dataset("raw", LAKE, schema={"fields": fields})
    mail = {"inputFields": [{"namespace": LAKE, "name": "raw", "field": "mail"}], "transformationType": "IDENTITY"}
    target = dataset(CLEAN, LAKE, schema={"fields": fields}, columnLineage={"fields": {"mail": mail}},
                     documentation={"description": "clean letters"})  # fmt: skip
    target["outputFacets"] = {
        "dataQualityAssertions": {"assertions": [{"assertion": "not_null", "column": "mail", "success": True}]}
    }
    parts: dict[str, Any] = {
        "job": JOB, "inputs": [source], "outputs": [target],
        "job_facets": {"sourceCode": {"language": "sql", "sourceCode": "select mail"}},
        "run_facets": {"processing_engine": {"name": "spark", "version": "3.5"}},
    }  # fmt: skip
    send(
        service,
        run_event("START", 0, run=run_id(1), **parts),
        run_event("COMPLETE", 5, run=run_id(1), **parts),
        run_event("START", 60, run=run_id(2), **parts),
        run_event("FAIL", 61, run=run_id(2), **parts),
    )
    return service


def get(ui: Service, path: str) -> Any:
    """A call of the UI: it parses the text of the answer as JSON."""
    answer = ui.http.get(f"{API}{path}")
    assert answer.status_code == 200, (path, answer.text)
    return answer.json()


RUN = {
    "id", "createdAt", "updatedAt", "nominalStartTime", "nominalEndTime", "state", "jobVersion", "startedAt", "endedAt",
    "durationMs", "args", "facets", "inputDatasetVersions", "outputDatasetVersions",
}  # fmt: skip
DATASET = {
    "id", "type", "name", "physicalName", "createdAt", "updatedAt", "namespace", "sourceName", "fields", "tags",
    "lastModifiedAt", "lastLifecycleState", "description", "currentVersion", "columnLineage", "facets", "deleted",
}  # fmt: skip
JOB_MEMBERS = {
    "id", "type", "name", "simpleName", "parentJobName", "parentJobUuid", "createdAt", "updatedAt", "namespace",
    "inputs", "outputs", "location", "description", "latestRun", "latestRuns", "facets", "currentVersion", "labels",
    "tags",
}  # fmt: skip


def test_the_dashboard_shows_events_by_type_and_what_there_is(ui: Service) -> None:
    for period, count in (("DAY", 24), ("WEEK", 7)):
        for zone in ("Europe/Berlin", "America/New_York"):
            spans = get(ui, f"/stats/lineage-events?period={period}&timezone={zone}")
            assert len(spans) == count
            assert set(spans[0]) == {"startInterval", "endInterval", "fail", "start", "complete", "abort"}
            for asset, there in (("jobs", 1), ("datasets", 2), ("sources", 1)):
                spans = get(ui, f"/stats/{asset}?period={period}&timezone={zone}")
                assert len(spans) == count
                assert spans[-1]["count"] == there
                assert set(spans[0]) == {"startInterval", "endInterval", "count"}
    jobs = get(ui, "/jobs?limit=25&offset=0")
    assert jobs["totalCount"] == 1
    latest = jobs["jobs"][0]["latestRuns"]
    assert [(run["state"], run["durationMs"]) for run in latest] == [("FAILED", 60_000), ("COMPLETED", 300_000)]
    for state, found in (("FAILED", 1), ("COMPLETED", 0), ("RUNNING", 0)):
        assert get(ui, f"/jobs?limit=25&offset=0&lastRunStates={state}")["totalCount"] == found
        posted = ui.http.post(f"{API}/jobs?runState={state}&limit=10&offset=0")
        assert (posted.status_code, posted.json()["totalCount"]) == (200, found)


def test_the_lists_of_jobs_and_datasets_have_what_their_tables_show(ui: Service) -> None:
    namespaces = get(ui, "/namespaces")["namespaces"]
    assert [item["name"] for item in namespaces] == [BATCH, LAKE]
    assert set(namespaces[0]) == {"name", "createdAt", "updatedAt", "ownerName", "description", "isHidden"}
    assert get(ui, "/tags") == {"tags": []}
    (job,) = get(ui, f"/namespaces/{encoded(BATCH)}/jobs?limit=20&offset=0")["jobs"]
    assert set(job) >= JOB_MEMBERS
    assert (job["name"], job["namespace"], job["type"], job["facets"]) == (JOB, BATCH, "BATCH", {})
    found = get(ui, f"/namespaces/{encoded(LAKE)}/datasets?limit=20&offset=0")
    assert found["totalCount"] == 2
    clean, raw = found["datasets"]
    assert set(clean) >= DATASET
    assert (clean["type"], clean["facets"], clean["deleted"]) == ("DB_TABLE", {}, False)
    # The page offers the view of columns where this is anything but null.
    assert raw["columnLineage"] is None
    assert clean["columnLineage"] == [
        {
            "name": "mail",
            "inputFields": [
                {
                    "namespace": LAKE,
                    "dataset": "raw",
                    "field": "mail",
                    "transformationDescription": None,
                    "transformationType": "IDENTITY",
                }
            ],
        }
    ]


def test_the_page_of_a_job_has_its_runs_and_their_facets(ui: Service) -> None:
    path = f"/namespaces/{encoded(BATCH)}/jobs/{encoded(JOB)}"
    job = get(ui, path)
    assert set(job) >= JOB_MEMBERS
    assert job["facets"]["sourceCode"]["sourceCode"] == "select mail"
    assert job["inputs"] == [{"namespace": LAKE, "name": "raw"}]
    runs = get(ui, f"{path}/runs?limit=14&offset=0")
    assert (runs["totalCount"], [run["id"] for run in runs["runs"]]) == (2, [run_id(2), run_id(1)])
    first = runs["runs"][1]
    assert set(first) >= RUN
    assert set(first["jobVersion"]) == {"namespace", "name", "version"}
    assert (first["startedAt"], first["endedAt"]) == (at(0), at(5))
    version = first["outputDatasetVersions"][0]["datasetVersionId"]
    assert (version["namespace"], version["name"]) == (LAKE, CLEAN)
    assert get(ui, f"/jobs/runs/{run_id(1)}/facets?type=run") == {
        "runId": run_id(1),
        "facets": {"processing_engine": {"name": "spark", "version": "3.5"}},
    }
    facets = get(ui, f"/jobs/runs/{run_id(1)}/facets?type=job")["facets"]
    assert facets["sourceCode"]["language"] == "sql"


def test_the_page_of_a_dataset_has_its_versions_and_quality(ui: Service) -> None:
    path = f"/namespaces/{encoded(LAKE)}/datasets/{encoded(CLEAN)}"
    shown = get(ui, path)
    assert set(shown) >= DATASET
    assert shown["description"] == "clean letters"
    assert shown["facets"]["dataQualityAssertions"]["assertions"][0]["success"] is True
    versions = get(ui, f"{path}/versions?limit=100&offset=0")
    assert versions["totalCount"] == 1  # two runs of one schema
    (version,) = versions["versions"]
    assert version["createdByRun"]["id"] == run_id(1)
    assert set(version["id"]) == {"namespace", "name", "version"}
    assert version["version"] == shown["currentVersion"]
    assert version["fields"] == [{"name": "mail", "type": "text", "tags": [], "description": "of the person"}]
    assert {"type", "name", "physicalName", "createdAt", "namespace", "sourceName", "tags", "lastModifiedAt",
            "description", "lifecycleState", "facets"} <= set(version)  # fmt: skip


def test_a_dataset_of_which_nobody_told_anything_has_one_version(service: Service) -> None:
    """The page of a dataset shows nothing where the list of versions is empty."""
    send(service, run_event("COMPLETE", 0, outputs=["bare"]))
    path = f"/namespaces/{encoded('s3://lake')}/datasets/bare"
    versions = get(service, f"{path}/versions?limit=100&offset=0")
    assert (versions["totalCount"], len(versions["versions"])) == (1, 1)
    version = versions["versions"][0]
    assert version["createdByRun"]["id"] == run_id(1)
    assert version["version"] == get(service, path)["currentVersion"]
    assert get(service, f"{path}/versions/{version['version']}")["id"] == version["id"]


@pytest.mark.parametrize(("kind", "namespace", "name"), [("JOB", BATCH, JOB), ("DATASET", LAKE, CLEAN)])
def test_the_graph_of_tables_is_found_with_each_part_encoded(ui: Service, kind: str, namespace: str, name: str) -> None:
    node = f"{kind.lower()}:{encoded(namespace)}:{encoded(name)}"
    for path in ("/lineage", "/lineage/"):  # older pages ask with a slash at the end
        graph = get(ui, f"{path}?nodeId={node}&depth=2")["graph"]
        nodes = {item["id"]: item for item in graph}
        assert set(nodes) == {f"dataset:{LAKE}:raw", f"dataset:{LAKE}:{CLEAN}", f"job:{BATCH}:{JOB}"}
        for item in graph:
            assert all(edge["destination"] in nodes and edge["origin"] in nodes for edge in item["inEdges"])
            assert all(edge["destination"] in nodes and edge["origin"] == item["id"] for edge in item["outEdges"])
        job, clean = nodes[f"job:{BATCH}:{JOB}"]["data"], nodes[f"dataset:{LAKE}:{CLEAN}"]["data"]
        assert job["latestRun"]["state"] == "FAILED"
        assert {"simpleName", "parentJobName", "inputs", "outputs", "location", "description"} <= set(job)
        assert clean["fields"][0]["name"] == "mail"
        assert {"tags", "updatedAt", "lastModifiedAt", "facets", "physicalName"} <= set(clean)


def test_the_graph_of_columns_is_followed_by_destination(ui: Service) -> None:
    node = f"dataset:{encoded(LAKE)}:{encoded(CLEAN)}"
    graph = get(ui, f"/column-lineage?nodeId={node}&depth=10&withDownstream=true")["graph"]
    source, target = f"datasetField:{LAKE}:raw:mail", f"datasetField:{LAKE}:{CLEAN}:mail"
    nodes = {item["id"]: item for item in graph}
    assert list(nodes) == sorted([source, target])
    assert nodes[target]["type"] == "DATASET_FIELD"
    assert nodes[target]["inEdges"] == [{"origin": target, "destination": source}]
    assert nodes[source]["outEdges"] == [{"origin": source, "destination": target}]
    data = nodes[target]["data"]
    current = get(ui, f"/namespaces/{encoded(LAKE)}/datasets/{encoded(CLEAN)}")["currentVersion"]
    assert (data["namespace"], data["dataset"], data["field"], data["fieldType"]) == (LAKE, CLEAN, "mail", "text")
    assert data["datasetVersion"] == current
    assert data["inputFields"][0]["field"] == "mail"


def test_the_events_are_listed_between_two_instants(ui: Service) -> None:
    found = get(ui, f"/events/lineage?limit=20&before={at(61)}&after={at(0)}&offset=0&sortDirection=desc")
    assert found["totalCount"] == 3
    assert [event["eventType"] for event in found["events"]] == ["START", "COMPLETE", "START"]
    event = found["events"][0]
    assert (event["run"]["runId"], event["job"]["name"], event["eventTime"]) == (run_id(2), JOB, at(60))
    everything = get(ui, "/events/lineage?limit=100&before=&after=&offset=0&sortDirection=asc")
    assert [item["eventTime"] for item in everything["events"]] == [at(0), at(5), at(60), at(61)]
    spaced = get(ui, f"/events/lineage?limit=20&before={at(61)[:-1]}+00:00&after=")
    assert spaced["totalCount"] == 3  # an unencoded plus arrives as a space


def test_a_search_finds_jobs_and_datasets(ui: Service) -> None:
    for path in ("/search", "/search/"):
        found = get(ui, f"{path}?q=clean&sort=NAME&limit=100")
        assert [(item["type"], item["name"]) for item in found["results"]] == [("JOB", JOB), ("DATASET", CLEAN)]
        assert found["totalCount"] == 2
    (hit,) = get(ui, "/search?q=clean&sort=UPDATE_AT&limit=100&filter=DATASET")["results"]
    assert hit == {
        "type": "DATASET", "name": CLEAN, "namespace": LAKE, "nodeId": f"dataset:{LAKE}:{CLEAN}", "updatedAt": at(61),
    }  # fmt: skip
    assert get(ui, f"/search?q=clean&namespace={encoded(BATCH)}")["totalCount"] == 1
    assert get(ui, "/search?q=clean&before=2026-03-01")["totalCount"] == 0
    assert get(ui, "/search?q=clean&after=2026-03-01")["totalCount"] == 2


def test_the_advanced_search_gives_facets_and_highlights(ui: Service) -> None:
    jobs = ui.http.get("/api/v2beta/search/jobs?q=clean").json()
    (hit,) = jobs["hits"]
    assert (hit["name"], hit["namespace"], hit["type"], hit["eventType"]) == (JOB, BATCH, "BATCH", "FAIL")
    assert hit["run_id"] == run_id(2)
    assert hit["facets"]["sourceCode"]["sourceCode"] == "select mail"
    assert hit["runFacets"]["processing_engine"]["version"] == "3.5"
    assert len(jobs["highlights"]) == 1
    datasets = ui.http.get("/api/v2beta/search/datasets?q=mail").json()
    assert {hit["name"] for hit in datasets["hits"]} == {CLEAN, "raw"}
    assert datasets["highlights"][0] == {"facets.schema.fields.name": ["<em>mail</em>"]}
    assert datasets["hits"][0]["facets"]["schema"]["fields"][0]["name"] == "mail"


def test_tags_are_set_and_taken_away(ui: Service) -> None:
    clean = f"{API}/namespaces/{encoded(LAKE)}/datasets/{encoded(CLEAN)}"
    job = f"{API}/namespaces/{encoded(BATCH)}/jobs/{encoded(JOB)}"
    described = ui.http.put(f"{API}/tags/GOLD", json={"description": "the best"})
    assert described.json() == {"name": "GOLD", "description": "the best"}
    for path in (f"{clean}/tags/GOLD", f"{clean}/fields/mail/tags/PII", f"{job}/tags/GOLD"):
        for method, tags in (("POST", [path.rpartition("/")[2]]), ("DELETE", [])):
            document = ui.http.request(method, path).json()
            shown = document["fields"][0] if "/fields/" in path else document
            assert shown["tags"] == tags
    assert [tag["name"] for tag in get(ui, "/tags")["tags"]] == ["GOLD", "PII"]


def test_the_buttons_that_delete_hide_what_they_delete(ui: Service) -> None:
    clean = f"/namespaces/{encoded(LAKE)}/datasets/{encoded(CLEAN)}"
    job = f"/namespaces/{encoded(BATCH)}/jobs/{encoded(JOB)}"
    steward = {"Authorization": f"Bearer {key_for(ui.url, 'data_steward')}"}
    for path in (clean, job):
        assert ui.http.delete(f"{API}{path}").status_code == 403  # a key of CI hides nothing
        answer = ui.http.delete(f"{API}{path}", headers=steward)
        assert answer.status_code == 200, answer.text
        assert answer.json()["name"] in (CLEAN, JOB)
        gone = ui.http.get(f"{API}{path}")
        assert (gone.status_code, set(gone.json())) == (404, {"code", "message", "details"})
    assert get(ui, f"/namespaces/{encoded(LAKE)}/datasets?limit=20&offset=0")["totalCount"] == 1
    assert get(ui, "/jobs?limit=25&offset=0") == {"jobs": [], "totalCount": 0}
    assert get(ui, "/search?q=clean")["totalCount"] == 0
    assert get(ui, "/stats/jobs?period=DAY&timezone=UTC")[-1]["count"] == 0
