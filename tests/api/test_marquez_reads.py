"""Reading over HTTP in Marquez's shapes: limits, names, aliases, versions and faults, on both databases."""

import json
from typing import Any
from urllib.parse import quote
from uuid import NAMESPACE_URL, uuid5

import pytest

from tests.lineage.material import at, bodies, body, dataset, dataset_event, job_event, run_event, run_id, versioned
from tests.support.service import Service, key_for

API = "/api/v1"
LAKE = quote("s3://lake", safe="")


def send(service: Service, *documents: dict[str, Any]) -> None:
    answer = service.http.post(f"{API}/lineage/batch", content=b"[" + b",".join(bodies(*documents)) + b"]")
    assert answer.json()["status"] == "success", answer.text


def get(service: Service, path: str, /, **parameters: Any) -> Any:
    answer = service.http.get(f"{API}{path}", params=parameters or None)
    assert answer.status_code == 200, (path, answer.text)
    return answer.json()


def status(service: Service, path: str, /, **parameters: Any) -> int:
    answer = service.http.get(f"{API}{path}", params=parameters or None)
    if answer.status_code >= 400:
        assert set(answer.json()) == {"code", "message", "details"}
        assert answer.json()["code"] == answer.status_code
    return answer.status_code


def test_lists_have_a_page_and_the_number_of_all(service: Service) -> None:
    send(
        service, *(run_event("COMPLETE", n, run=run_id(n), job=f"job_{n:02}", outputs=[f"t_{n:02}"]) for n in range(7))
    )
    send(service, *(run_event("COMPLETE", 10 + n, run=run_id(10 + n), job="job_00") for n in range(4)))
    for path, plural, total in (
        ("/jobs", "jobs", 7),
        ("/namespaces/batch/jobs", "jobs", 7),
        (f"/namespaces/{LAKE}/datasets", "datasets", 7),
        ("/namespaces/batch/jobs/job_00/runs", "runs", 5),
        ("/events", "events", 11),
        ("/events/lineage", "events", 11),
        ("/events/batch", "events", 11),
        (f"/namespaces/{LAKE}/datasets/t_00/versions", "versions", 1),
        ("/namespaces/batch/jobs/job_00/versions", "versions", 2),
    ):
        everything = get(service, path, limit=1_000_000)[plural]
        assert len(everything) == total, path
        pages = [get(service, path, limit=2, offset=offset) for offset in range(0, total, 2)]
        assert [row for page in pages for row in page[plural]] == everything
        assert {page["totalCount"] for page in pages} == {total}
        assert get(service, path, limit=0) == {plural: [], "totalCount": total}
        assert get(service, path, offset=10**30) == {plural: [], "totalCount": total}
        assert [status(service, path, limit=-1), status(service, path, offset=-1)] == [422, 422]
        assert status(service, path, limit="many") == 422
    names = [job["name"] for job in get(service, "/jobs")["jobs"]]
    assert names == sorted(names)


def test_more_than_a_thousand_are_served_as_a_thousand(service: Service) -> None:
    outputs = [dataset(f"t_{number:04}") for number in range(1_001)]
    send(service, run_event("COMPLETE", 0, outputs=outputs))
    found = get(service, f"/namespaces/{LAKE}/datasets", limit=5_000)
    assert (len(found["datasets"]), found["totalCount"]) == (1_000, 1_001)


def test_what_is_not_stored_is_404_and_what_cannot_be_a_name_422(service: Service) -> None:
    send(service, run_event("COMPLETE", 0, outputs=["t"]))
    unknown = [
        "/namespaces/x", "/namespaces/x/jobs", "/namespaces/x/datasets", "/namespaces/batch/jobs/x", "/sources/x",
        "/namespaces/batch/jobs/x/runs", "/namespaces/batch/jobs/x/versions", f"/namespaces/{LAKE}/datasets/x",
        f"/namespaces/{LAKE}/datasets/x/versions", f"/namespaces/{LAKE}/datasets/t/versions/{run_id(1)}",
        f"/namespaces/{LAKE}/datasets/t/versions/latest", f"/namespaces/batch/jobs/job/versions/{run_id(1)}",
        f"/jobs/runs/{run_id(9)}", f"/jobs/runs/{run_id(9)}/facets?type=run", f"/runlineage/upstream?runId={run_id(9)}",
        "/lineage?nodeId=dataset:s3%3A%2F%2Flake:x", "/column-lineage?nodeId=datasetField:s3%3A%2F%2Flake:t:x",
        "/column-lineage?nodeId=dataset:s3%3A%2F%2Flake:x", f"/lineage?nodeId=run:{run_id(9)}", "/nothing",
    ]  # fmt: skip
    assert [(path, status(service, path)) for path in unknown] == [(path, 404) for path in unknown]
    long = "x" * 2049
    refused = [
        f"/namespaces/{long}", f"/namespaces/batch/jobs/{long}", f"/namespaces/{LAKE}/datasets/{long}", "/sources/a%00",
        f"/events/{long}", f"/jobs/runs/{long}", "/stats/jobs?period=YEAR", "/stats/jobs", "/stats/x?period=DAY",
        "/stats/jobs?period=DAY&timezone=Mars/Base", "/stats/jobs?period=DAY&timezone=../../etc/passwd",
        "/jobs?lastRunStates=DONE", f"/jobs/runs/{run_id(1)}/facets", f"/jobs/runs/{run_id(1)}/facets?type=dataset",
        "/events/lineage?before=yesterday", "/events/lineage?sortDirection=up", "/lineage", "/lineage?nodeId=x",
        "/lineage?nodeId=dataset:a", "/column-lineage?nodeId=x:y:z", "/search", "/search?q=a&filter=X",
        "/search?q=a&before=tomorrow", "/runlineage/upstream", "/column-lineage?nodeId=datasetField:" + ":a" * 100,
    ]  # fmt: skip
    assert [(path, status(service, path)) for path in refused] == [(path, 422) for path in refused]


@pytest.mark.parametrize(
    ("namespace", "name"),
    [
        ("s3://a/b", "/path/x"),
        ("trino://h:1337", "20240430_x"),
        ("n", "a%2Fb +?#&"),
        ("表", "🕷 é"),
        ("x" * 2048, "y" * 2048),
    ],
)
def test_names_of_any_characters_are_found_by_path_and_node_id(service: Service, namespace: str, name: str) -> None:
    """L11, L12."""
    field = "a:b/c"
    of = dataset(name, namespace, schema={"fields": [{"name": field, "type": "int"}]})
    document = run_event("COMPLETE", 0, job=name, outputs=[of])
    document["job"]["namespace"] = namespace
    send(service, document)
    space, part = quote(namespace, safe=""), quote(name, safe="")
    for path, found in (
        (f"/namespaces/{space}", ("name", namespace)),
        (f"/namespaces/{space}/datasets/{part}", ("name", name)),
        (f"/namespaces/{space}/jobs/{part}", ("name", name)),
    ):
        assert get(service, path)[found[0]] == found[1]
    assert get(service, f"/namespaces/{space}/datasets/{part}/versions")["totalCount"] == 1
    assert get(service, f"/namespaces/{space}/jobs/{part}/runs")["totalCount"] == 1
    assert get(service, f"/events/{space}")["totalCount"] == 1
    nodes = (
        f"dataset:{namespace}:{name}", f"job:{namespace}:{name}", f"datasetField:{namespace}:{name}:{field}",
    )  # fmt: skip
    if len(namespace) < 2048:
        for whole in nodes:
            for path in ("/lineage", "/column-lineage"):
                assert status(service, path, nodeId=whole) == 200, whole
        parts = f"datasetField:{space}:{part}:{quote(field, safe='')}"
        assert get(service, f"/column-lineage?nodeId={parts}")["graph"][0]["data"]["field"] == field
    separate = {"namespace": namespace, "name": name, "type": "dataset", "field": field}
    assert get(service, "/column-lineage", **separate)["graph"][0]["data"]["dataset"] == name


def test_a_node_id_that_fits_several_nodes_is_a_conflict(service: Service) -> None:
    schema = {"fields": [{"name": "c:d", "type": "int"}, {"name": "d", "type": "int"}]}
    send(
        service,
        dataset_event(dataset("b:c", "a", schema=schema)),
        dataset_event(dataset("c", "a:b", schema=schema), 1),
        dataset_event(dataset("b", "a", schema=schema), 2),
    )
    several = service.http.get(f"{API}/lineage", params={"nodeId": "dataset:a:b:c"})
    assert several.status_code == 409
    assert "namespace=a name=b:c" in several.json()["details"]
    assert "namespace=a:b name=c" in several.json()["details"]
    fields = service.http.get(f"{API}/column-lineage", params={"nodeId": "datasetField:a:b:c:d"})
    assert (fields.status_code, "field=c:d" in fields.json()["details"]) == (409, True)
    assert get(service, "/lineage?nodeId=dataset:a:b%3Ac")["graph"][0]["data"]["name"] == "b:c"


def test_a_node_id_may_name_a_version_or_a_run(service: Service) -> None:
    told = {"fields": {"x": {"inputFields": [{"namespace": "s3://lake", "name": "old", "field": "y"}]}}}
    send(
        service,
        run_event("COMPLETE", 0, run=run_id(1), inputs=["old"], outputs=[versioned("t", "1", columnLineage=told)]),
        run_event("COMPLETE", 9, run=run_id(2), inputs=["new"], outputs=[versioned("t", "2")]),
    )
    versions = get(service, f"/namespaces/{LAKE}/datasets/t/versions")["versions"]
    first = f"dataset:s3://lake:t#{versions[1]['version']}"
    assert "dataset:s3://lake:new" not in {node["id"] for node in get(service, "/lineage", nodeId=first)["graph"]}
    assert len(get(service, "/column-lineage", nodeId=first)["graph"]) == 2
    by_run = get(service, "/lineage", nodeId=f"run:{run_id(1)}")
    assert {node["id"] for node in by_run["graph"] if node["type"] == "JOB"} == {"job:batch:job"}
    assert status(service, "/lineage", nodeId=f"dataset:s3://lake:t#{run_id(5)}") == 404


def test_a_symlink_and_a_rename_find_the_dataset_that_they_stand_for(service: Service) -> None:
    """L13: one answer under both names, and no namespace that only a symlink names."""
    link = {"identifiers": [{"namespace": "hive://meta", "name": "db.t", "type": "TABLE"}]}
    previous = {
        "lifecycleStateChange": "RENAME",
        "previousIdentifier": {"namespace": "s3://lake", "name": "old"},
    }
    send(
        service,
        run_event("COMPLETE", 0, run=run_id(1), outputs=[dataset("t", symlinks=link), dataset("old")]),
        dataset_event(dataset("new", lifecycleStateChange=previous), 5),
    )
    for path in ("t", f"../{quote('hive://meta', safe='')}/datasets/db.t"):
        space, _, name = path.rpartition("/datasets/")
        place = f"/namespaces/{space[3:] or LAKE}/datasets/{name if space else path}"
        assert get(service, place)["id"] == {"namespace": "s3://lake", "name": "t"}
    assert get(service, f"/namespaces/{LAKE}/datasets/old")["name"] == "new"
    assert get(service, f"/namespaces/{LAKE}/datasets/old")["lastLifecycleState"] == "RENAME"
    listed = get(service, f"/namespaces/{LAKE}/datasets")
    assert ([item["name"] for item in listed["datasets"]], listed["totalCount"]) == (["new", "t"], 2)
    assert [item["name"] for item in get(service, "/namespaces")["namespaces"]] == ["batch", "s3://lake"]
    assert status(service, f"/namespaces/{quote('hive://meta', safe='')}") == 404


def test_a_run_without_a_uuid_is_served_by_one_and_found_by_both(service: Service) -> None:
    send(service, run_event("COMPLETE", 0, run="manual run/1", outputs=["t"]))
    served = str(uuid5(NAMESPACE_URL, "manual run/1"))
    assert get(service, "/namespaces/batch/jobs/job/runs")["runs"][0]["id"] == served
    for form in (served, served.upper(), quote("manual run/1", safe="")):
        assert get(service, f"/jobs/runs/{form}")["id"] == served
        assert status(service, f"/jobs/runs/{form}/facets", type="run") == 200


def test_a_run_has_its_nominal_times_versions_and_facets(service: Service) -> None:
    """L6, L14: the earliest START counts, and the version that the run reported, whatever came later."""
    nominal = {"nominalTime": {"nominalStartTime": at(0), "nominalEndTime": at(60)}}
    parameters = {"executionParameters": {"parameters": [{"key": "seed", "value": 17}, {"key": "off", "value": None}]}}
    read = versioned("in", "1")
    read["inputFacets"] = {"inputStatistics": {"rowCount": 3}}
    send(
        service,
        run_event("COMPLETE", 0, run=run_id(1), job="writer", outputs=[versioned("in", "2")]),
        run_event("START", 5, run=run_id(2), inputs=[read], run_facets=nominal),
        run_event("START", 3, run=run_id(2), run_facets=parameters),
        run_event("COMPLETE", 9, run=run_id(2), outputs=["out"]),
        run_event("START", 4, run=run_id(2)),
    )
    run = get(service, f"/jobs/runs/{run_id(2)}")
    assert (run["startedAt"], run["endedAt"], run["durationMs"]) == (at(3), at(9), 360_000)
    assert (run["nominalStartTime"], run["nominalEndTime"]) == (at(0), at(60))
    assert run["args"] == {"seed": "17"}
    assert run["facets"]["nominalTime"]["nominalStartTime"] == at(0)
    (version,) = run["inputDatasetVersions"]
    assert version["facets"] == {"inputStatistics": {"rowCount": 3}}
    of_one = get(service, f"/namespaces/{LAKE}/datasets/in/versions/{version['datasetVersionId']['version']}")
    assert of_one["facets"]["version"]["datasetVersion"] == "1"
    current = get(service, f"/namespaces/{LAKE}/datasets/in")["currentVersion"]
    assert current == version["datasetVersionId"]["version"]  # told last, at minute 5
    listed = get(service, "/namespaces/batch/jobs/job/runs")["runs"][0]
    assert {**run, "facets": {}, "args": {}, "inputDatasetVersions": []} == {**listed, "inputDatasetVersions": []}


def test_a_version_of_a_job_is_what_it_read_and_wrote_and_where_its_code_lay(service: Service) -> None:
    def code(revision: str) -> dict[str, Any]:
        return {"sourceCodeLocation": {"type": "git", "url": f"https://git.example.org/{revision}"}}

    for number, (source, revision) in enumerate((("a", "1"), ("a", "1"), ("b", "1"), ("b", "2"), ("a", "1"))):
        parts: dict[str, Any] = {"run": run_id(number), "job_facets": code(revision), "outputs": ["t"]}
        send(
            service, run_event("START", number, inputs=[source], **parts), run_event("COMPLETE", number + 0.5, **parts)
        )
    found = get(service, "/namespaces/batch/jobs/job/versions")
    shown = [
        (item["inputs"][0]["name"], item["location"][-1], item["createdAt"], item["latestRun"]["id"])
        for item in found["versions"]
    ]
    assert shown == [("b", "2", at(3), run_id(3)), ("b", "1", at(2), run_id(2)), ("a", "1", at(0), run_id(4))]
    runs = get(service, "/namespaces/batch/jobs/job/runs")["runs"]
    by_run = {run["id"]: run["jobVersion"]["version"] for run in runs}
    assert [by_run[item["latestRun"]["id"]] for item in found["versions"]] == [
        item["version"] for item in found["versions"]
    ]
    job = get(service, "/namespaces/batch/jobs/job")
    assert job["currentVersion"] == by_run[run_id(4)] == by_run[run_id(0)]
    one = get(service, f"/namespaces/batch/jobs/job/versions/{by_run[run_id(3)]}")
    assert one == found["versions"][0]


def test_a_job_that_was_only_declared_has_what_it_declared(service: Service) -> None:
    """L15: a JobEvent with outputs."""
    send(service, job_event(0, inputs=["a"], outputs=["b"]))
    job = get(service, "/namespaces/batch/jobs/job")
    assert (job["latestRun"], job["latestRuns"]) == (None, [])
    assert (job["inputs"][0]["name"], job["outputs"][0]["name"]) == ("a", "b")
    (version,) = get(service, "/namespaces/batch/jobs/job/versions")["versions"]
    assert (version["version"], version["latestRun"]) == (job["currentVersion"], None)
    assert get(service, "/jobs", lastRunStates="NEW")["totalCount"] == 0


def test_jobs_are_chosen_by_the_state_of_their_latest_run(service: Service) -> None:
    states = {"NEW": None, "RUNNING": "START", "COMPLETED": "COMPLETE", "FAILED": "FAIL", "ABORTED": "ABORT"}
    for number, (name, event_type) in enumerate(states.items()):
        send(
            service,
            run_event("COMPLETE", 0, run=run_id(100 + number), job=name),
            run_event(event_type, 9, run=run_id(number), job=name),
        )
    for state in states:
        found = get(service, "/namespaces/batch/jobs", lastRunStates=state)
        assert ([job["name"] for job in found["jobs"]], found["totalCount"]) == ([state], 1)
        assert found["jobs"][0]["latestRun"]["state"] == state
    both = get(service, "/jobs", lastRunStates=["FAILED", "ABORTED"])
    assert [job["name"] for job in both["jobs"]] == ["ABORTED", "FAILED"]


def test_the_runs_that_led_to_a_run_come_nearest_first(service: Service) -> None:
    send(
        service,
        run_event("COMPLETE", 0, run=run_id(1), job="load", inputs=["raw"], outputs=["clean"]),
        run_event("START", 5, run=run_id(2), job="train", inputs=["clean"], outputs=["model"]),
        run_event("COMPLETE", 6, run=run_id(2), job="train"),
    )
    runs = get(service, "/runlineage/upstream", runId=run_id(2))["runs"]
    assert [run["job"]["name"] for run in runs] == ["train", "load"]
    assert runs[0]["run"] == {"id": run_id(2), "start": at(5), "end": at(6), "status": "COMPLETED"}
    assert runs[0]["inputs"][0]["producedByRunId"] == run_id(1)
    assert (runs[1]["inputs"][0]["name"], runs[1]["inputs"][0]["producedByRunId"]) == ("raw", None)
    job = get(service, "/namespaces/batch/jobs/train")
    assert runs[0]["job"]["version"] == job["currentVersion"]
    assert [run["job"]["name"] for run in get(service, "/runlineage/upstream", runId=run_id(2), depth=0)["runs"]] == [
        "train"
    ]


def test_versions_and_facets_of_a_dataset_follow_what_was_told(service: Service) -> None:
    """L20: an hourly job with one schema makes one version; a facet that is deleted is gone."""
    schema = {"fields": [{"name": "address", "type": "struct", "fields": [{"name": "zip", "type": "text"}]}]}
    send(service, *(run_event("COMPLETE", n, run=run_id(n), outputs=[dataset("t", schema=schema)]) for n in range(24)))
    found = get(service, f"/namespaces/{LAKE}/datasets/t/versions")
    assert found["totalCount"] == 1
    assert found["versions"][0]["createdByRun"]["id"] == run_id(0)
    assert [item["name"] for item in found["versions"][0]["fields"]] == ["address", "address.zip"]
    send(service, dataset_event(dataset("t", documentation={"description": "x"}), 30))
    assert get(service, f"/namespaces/{LAKE}/datasets/t")["description"] == "x"
    send(service, dataset_event(dataset("t", documentation={"_deleted": True}), 31))
    shown = get(service, f"/namespaces/{LAKE}/datasets/t")
    assert shown["description"] is None
    assert "documentation" not in shown["facets"]
    change = dataset("t", lifecycleStateChange={"lifecycleStateChange": "DROP"})
    send(service, dataset_event(change, 40))
    shown = get(service, f"/namespaces/{LAKE}/datasets/t")
    assert (shown["deleted"], shown["lastLifecycleState"]) == (True, "DROP")
    assert get(service, f"/namespaces/{LAKE}/datasets/t/versions")["versions"][0]["lifecycleState"] == "DROP"


def test_a_field_that_only_a_lineage_facet_names_exists(service: Service) -> None:
    """L16."""
    told = {"fields": {"x": {"inputFields": [{"namespace": "s3://lake", "name": "in", "field": "y"}]}}}
    send(service, run_event("COMPLETE", 0, inputs=["in"], outputs=[dataset("t", columnLineage=told)]))
    for name, path in (("t", "x"), ("in", "y")):
        for shown in (
            get(service, f"/namespaces/{LAKE}/datasets/{name}"),
            *(item for item in get(service, f"/namespaces/{LAKE}/datasets")["datasets"] if item["name"] == name),
            get(service, f"/namespaces/{LAKE}/datasets/{name}/versions")["versions"][0],
        ):
            assert shown["fields"] == [{"name": path, "type": None, "tags": [], "description": None}]


def test_events_are_given_as_they_are_stored(service: Service) -> None:
    odd = {**run_event("COMPLETE", 2), "odd": "a\0\ud800b", "big": 2**70}
    of_dataset = dataset_event(dataset("t"), 1)
    for document in (odd, of_dataset, job_event(0)):
        assert service.http.post(f"{API}/lineage", content=body(document)).status_code == 201
    answer = service.http.get(f"{API}/events")
    assert [json.loads(body(odd)), of_dataset, job_event(0)] == answer.json()["events"]
    assert [event["eventTime"] for event in get(service, "/events/lineage")["events"]] == [at(2)]
    assert get(service, "/events/batch")["totalCount"] == 2
    assert get(service, "/events/s3://lake") == {"events": [], "totalCount": 0}


def test_facets_that_only_json_can_carry_are_served(service: Service) -> None:
    odd = dataset("t", custom={"text": "a\ud800b", "number": 2**70})
    assert service.http.post(f"{API}/lineage", content=body(run_event("COMPLETE", 0, outputs=[odd]))).status_code == 201
    answer = service.http.get(f"{API}/namespaces/{LAKE}/datasets/t")
    assert json.loads(answer.content)["facets"]["custom"]["number"] == 2**70


def test_sources_are_those_that_were_told_and_namespaces_without_one(service: Service) -> None:
    told = dataset("t", dataSource={"name": "warehouse", "uri": "postgres://db:5432/x"})
    send(service, run_event("COMPLETE", 0, outputs=[told, dataset("raw", "gs://bucket")]))
    found = get(service, "/sources")["sources"]
    assert [(item["name"], item["type"], item["connectionUrl"]) for item in found] == [
        ("gs://bucket", "GS", "gs://bucket"),
        ("warehouse", "POSTGRES", "postgres://db:5432/x"),
    ]
    for item in found:
        assert get(service, f"/sources/{quote(item['name'], safe='')}") == item
    assert get(service, f"/namespaces/{LAKE}/datasets/t")["sourceName"] == "warehouse"


def test_what_was_deleted_is_hidden_until_an_event_names_it(service: Service) -> None:
    steward = {"Authorization": f"Bearer {key_for(service.url, 'data_steward')}"}
    send(service, run_event("COMPLETE", 0, outputs=["t", "u"]))
    assert service.http.delete(f"{API}/namespaces/{LAKE}", headers=steward).status_code == 200
    assert [item["name"] for item in get(service, "/namespaces")["namespaces"]] == ["batch"]
    assert get(service, f"/namespaces/{LAKE}")["isHidden"] is True
    assert get(service, f"/namespaces/{LAKE}/datasets") == {"datasets": [], "totalCount": 0}
    assert status(service, f"/namespaces/{LAKE}/datasets/t") == 404
    send(service, run_event("COMPLETE", 5, run=run_id(2), outputs=["t"]))
    assert [item["name"] for item in get(service, "/namespaces")["namespaces"]] == ["batch", "s3://lake"]
    assert get(service, f"/namespaces/{LAKE}/datasets")["totalCount"] == 1
    assert get(service, f"/namespaces/{LAKE}/datasets/t")["createdAt"] == at(0)
