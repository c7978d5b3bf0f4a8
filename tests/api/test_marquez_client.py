"""marquez-python from the package index, unmodified, against a running service: each of its methods that work."""

import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import marquez_client.client
import pytest
import requests
from marquez_client import MarquezClient
from marquez_client.errors import APIError
from marquez_client.models import DatasetId, DatasetType, JobType

from tests.lineage.material import body, dataset, run_event, run_id
from tests.support.producers import Receiver, receiving

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")

LAKE = "s3://lake/raw zone"
BATCH = "airflow://batch:8080"


@pytest.fixture
def receiver(database_url: str, tmp_path: Path) -> Iterator[Receiver]:
    """A service on a port of its own."""
    with receiving(tmp_path / "home", database_url) as started:
        yield started


@pytest.fixture
def client(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> MarquezClient:
    """The client with a key. It keeps the key in a dictionary of its module, which is the next test's too."""
    monkeypatch.setattr(marquez_client.client, "_HEADERS", dict(marquez_client.client._HEADERS))
    return MarquezClient(receiver.address, api_key=receiver.key)


def send(receiver: Receiver, *documents: dict[str, Any]) -> None:
    for document in documents:
        document["job"]["namespace"] = BATCH
        headers = {"Authorization": f"Bearer {receiver.key}"}
        answer = requests.post(f"{receiver.address}/api/v1/lineage", body(document), headers=headers, timeout=30)
        assert answer.status_code == 201


def load(minute: float, run: int, version: str) -> list[dict[str, Any]]:
    """A run that reads ``a:b/c`` and writes ``clean``."""
    source = dataset(
        "a:b/c", LAKE, schema={"fields": [{"name": "id", "type": "int"}, {"name": "mail", "type": "text"}]}
    )
    mail = {"inputFields": [{"namespace": LAKE, "name": "a:b/c", "field": "mail"}], "transformationType": "MASKED"}
    target = dataset(
        "clean", LAKE,
        version={"datasetVersion": version},
        schema={"fields": [{"name": "mail", "type": "text", "description": "hashed"}]},
        columnLineage={"fields": {"mail": mail}},
        tags={"tags": [{"key": "PII", "value": "true", "field": "mail"}]},
        dataSource={"name": "lake", "uri": "s3://lake"},
    )  # fmt: skip
    parts: dict[str, Any] = {"run": run_id(run), "job": "load/daily", "inputs": [source], "outputs": [target]}
    return [run_event("START", minute, **parts), run_event("COMPLETE", minute + 2, **parts)]


def test_what_events_told_is_read_by_every_reading_method(receiver: Receiver, client: MarquezClient) -> None:
    send(receiver, *load(0, 1, "v1"), *load(10, 2, "v2"))
    assert [item["name"] for item in client.list_namespaces()["namespaces"]] == [BATCH, LAKE]
    assert client.get_namespace(LAKE)["isHidden"] is False
    assert [item["name"] for item in client.list_sources()["sources"]] == ["lake", LAKE]
    assert client.get_source("lake")["connectionUrl"] == "s3://lake"
    assert [item["name"] for item in client.list_datasets(LAKE)["datasets"]] == ["a:b/c", "clean"]
    assert client.list_datasets(LAKE, limit=1, offset=1)["totalCount"] == 2
    assert client.get_dataset(LAKE, "a:b/c")["fields"][1]["name"] == "mail"
    clean = client.get_dataset(LAKE, "clean")
    assert clean["sourceName"] == "lake"
    assert clean["fields"] == [{"name": "mail", "type": "text", "tags": ["PII"], "description": "hashed"}]
    assert clean["columnLineage"][0]["inputFields"][0]["transformationType"] == "MASKED"
    listed = client.list_dataset_versions(LAKE, "clean")
    assert listed["totalCount"] == 2
    assert [version["createdByRun"]["id"] for version in listed["versions"]] == [run_id(2), run_id(1)]
    newest = client.get_dataset_version(LAKE, "clean", clean["currentVersion"])
    assert newest["version"] == listed["versions"][0]["version"] == clean["currentVersion"]
    assert newest["facets"]["version"]["datasetVersion"] == "v2"
    assert [item["name"] for item in client.list_jobs(BATCH)["jobs"]] == ["load/daily"]
    job = client.get_job(BATCH, "load/daily")
    assert job["inputs"] == [{"namespace": LAKE, "name": "a:b/c"}]
    assert job["latestRun"]["state"] == "COMPLETED"
    assert [run["id"] for run in client.list_job_runs(BATCH, "load/daily")["runs"]] == [run_id(2), run_id(1)]
    assert client.get_job_run(run_id(1))["durationMs"] == 120_000
    assert [tag["name"] for tag in client.list_tags()["tags"]] == ["PII"]
    assert client.list_events()["totalCount"] == 4
    assert client.list_events(BATCH, limit=1)["events"][0]["run"]["runId"] == run_id(2)
    assert client.list_events("airflow://other")["events"] == []


def test_column_lineage_is_asked_for_by_dataset_field_and_job(receiver: Receiver, client: MarquezClient) -> None:
    send(receiver, *load(0, 1, "v1"), *load(10, 2, "v2"))
    field, source = f"datasetField:{LAKE}:clean:mail", f"datasetField:{LAKE}:a:b/c:mail"
    for answer in (
        client.get_column_lineage_by_dataset(LAKE, "clean"),
        client.get_column_lineage_by_dataset_field(LAKE, "clean", "mail", depth=3),
        client.get_column_lineage_by_job(BATCH, "load/daily", with_downstream=True),
    ):
        assert [node["id"] for node in answer["graph"]] == [source, field]
        assert answer["graph"][1]["inEdges"] == [{"origin": field, "destination": source}]
        assert answer["graph"][1]["data"]["transformationType"] == "MASKED"
    version = client.get_dataset(LAKE, "clean")["currentVersion"]
    assert client.get_column_lineage_by_dataset(LAKE, "clean", version=version)["graph"]
    assert client.get_column_lineage_by_dataset_field(LAKE, "clean", "mail", version=version)["graph"]
    jobs_version = client.get_job(BATCH, "load/daily")["currentVersion"]
    assert client.get_column_lineage_by_job(BATCH, "load/daily", version=jobs_version)["graph"]


def test_a_client_without_a_key_and_a_name_that_is_not_stored_get_an_error(
    receiver: Receiver, client: MarquezClient
) -> None:
    with pytest.raises(APIError) as unknown:
        client.get_dataset("nowhere", "nothing")
    assert unknown.value.__cause__.response.status_code == 404
    del marquez_client.client._HEADERS["Authorization"]
    with pytest.raises(APIError) as unauthorized:
        client.list_namespaces()
    assert unauthorized.value.__cause__.response.status_code == 401


def test_what_the_client_writes_it_reads_again(client: MarquezClient) -> None:
    assert client.create_namespace(LAKE, "data team", "the lake")["ownerName"] == "data team"
    assert client.get_namespace(LAKE)["description"] == "the lake"
    assert client.create_source("lake", "postgresql", "jdbc:postgresql://db:5432/lake", "all of it")["name"] == "lake"
    assert client.get_source("lake")["type"] == "POSTGRESQL"
    assert client.create_tag("SENSITIVE", "handle with care") == {
        "name": "SENSITIVE",
        "description": "handle with care",
    }
    put = client.create_dataset(
        LAKE, "a:b/c", DatasetType.DB_TABLE, "public.abc", "lake", description="letters", tags=["SENSITIVE"],
        fields=[{"name": "id", "type": "INTEGER"}, {"name": "zip", "type": "TEXT"}],
    )  # fmt: skip
    assert (put["physicalName"], put["sourceName"], put["tags"]) == ("public.abc", "lake", ["SENSITIVE"])
    client.create_dataset(LAKE, "stream", DatasetType.STREAM, "s", "lake", schema_location="http://schemas/1")
    assert client.get_dataset(LAKE, "stream")["type"] == "STREAM"
    ends = {"inputs": [DatasetId(LAKE, "a:b/c")], "outputs": [DatasetId(LAKE, "stream")]}
    job = client.create_job(BATCH, "load/daily", JobType.BATCH, "https://git.example.org/load", **ends)
    assert (job["location"], job["outputs"]) == (
        "https://git.example.org/load",
        [{"namespace": LAKE, "name": "stream"}],
    )
    assert client.get_job(BATCH, "load/daily")["type"] == "BATCH"
    assert client.tag_dataset(LAKE, "a:b/c", "GOLD")["tags"] == ["GOLD", "SENSITIVE"]
    tagged = client.tag_dataset_field(LAKE, "a:b/c", "zip", "PII")
    assert [field["tags"] for field in tagged["fields"]] == [[], ["PII"]]
    assert [tag["name"] for tag in client.list_tags()["tags"]] == ["GOLD", "PII", "SENSITIVE"]


def test_a_run_is_made_started_and_ended_by_the_client(client: MarquezClient) -> None:
    client.create_job(BATCH, "load", JobType.SERVICE)
    first = client.create_job_run(
        BATCH, "load", str(uuid.uuid4()), "2026-03-01T12:00:00Z", "2026-03-01T13:00:00Z", {"mode": "full"}
    )
    assert (first["state"], first["args"], first["nominalStartTime"]) == (
        "NEW",
        {"mode": "full"},
        "2026-03-01T12:00:00Z",
    )
    assert client.mark_job_run_as_started(first["id"], "2026-03-01T12:01:00Z")["state"] == "RUNNING"
    ended = client.mark_job_run_as_completed(first["id"], "2026-03-01T12:05:00Z")
    assert (ended["state"], ended["durationMs"]) == ("COMPLETED", 240_000)
    client.create_dataset(BATCH, "out", DatasetType.DB_TABLE, "out", "db", run_id=first["id"])
    assert client.list_dataset_versions(BATCH, "out")["versions"][0]["createdByRun"]["id"] == first["id"]
    assert client.get_job_run(first["id"])["outputDatasetVersions"][0]["datasetVersionId"]["name"] == "out"
    for mark, state in ((client.mark_job_run_as_failed, "FAILED"), (client.mark_job_run_as_aborted, "ABORTED")):
        run = client.create_job_run(BATCH, "load", mark_as_running=True)
        assert run["state"] == "RUNNING"
        assert mark(run["id"])["state"] == state
    assert client.list_job_runs(BATCH, "load", limit=2)["totalCount"] == 3
