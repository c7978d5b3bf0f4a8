"""The unmodified official client sends to a real server: plain, packed, again after a fault."""

import threading
import time
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from openlineage.client import OpenLineageClient
from openlineage.client.event_v2 import (
    DatasetEvent,
    InputDataset,
    Job,
    JobEvent,
    OutputDataset,
    Run,
    RunEvent,
    RunState,
    StaticDataset,
)
from openlineage.client.facet_v2 import dataset_version_dataset, schema_dataset
from openlineage.client.transport.http import HttpConfig, HttpTransport

from api.app import create_app
from governance.client import Client
from tests.lineage.material import at, run_id
from tests.support.service import key_for, settings_for

PRODUCER = "https://ml.example.org/trainer/1"


class Weather:
    """What lies between client and service: counts exchanges, and answers the next ones itself when told to fail."""

    def __init__(self, app: Any) -> None:
        self.app = app
        self.failures = 0
        self.encodings: list[str] = []

    async def __call__(self, scope: MutableMapping[str, Any], receive: Any, send: Any) -> None:
        if scope["type"] == "http" and scope["method"] == "POST":
            headers = {name.decode(): value.decode() for name, value in scope["headers"]}
            self.encodings.append(headers.get("content-encoding", ""))
            if self.failures:
                self.failures -= 1
                await send({"type": "http.response.start", "status": 503, "headers": [(b"content-length", b"0")]})
                await send({"type": "http.response.body", "body": b""})
                return
        await self.app(scope, receive, send)


@contextmanager
def serving(app: Any) -> Iterator[str]:
    """A real server on a free port; its address."""
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))
    thread = threading.Thread(target=server.run)
    thread.start()
    until = time.monotonic() + 30
    while not server.started and time.monotonic() < until:
        time.sleep(0.01)
    try:
        port = server.servers[0].sockets[0].getsockname()[1]
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def weather(database_url: str, tmp_path: Path) -> Weather:
    return Weather(create_app(settings_for(tmp_path / "home", database_url)))


@pytest.fixture
def address(weather: Weather) -> Iterator[str]:
    with serving(weather) as url:
        yield url


def client_of(address: str, key: str, **options: Any) -> OpenLineageClient:
    config = HttpConfig.from_dict({"url": address, "auth": {"type": "api_key", "apiKey": key}, **options})
    return OpenLineageClient(transport=HttpTransport(config))


def run_events() -> Iterator[RunEvent]:
    table = InputDataset(
        "s3://lake",
        "claims",
        facets={
            "version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion="7"),
            "schema": schema_dataset.SchemaDatasetFacet(
                fields=[schema_dataset.SchemaDatasetFacetFields(name="age", type="int")]
            ),
        },
    )
    for state, minute in ((RunState.START, 0), (RunState.COMPLETE, 5)):
        yield RunEvent(
            eventType=state,
            eventTime=at(minute),
            run=Run(runId=run_id(1)),
            job=Job(namespace="batch", name="train"),
            producer=PRODUCER,
            inputs=[table],
            outputs=[OutputDataset("models", "triage/1")],
        )


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_every_kind_of_event_arrives(
    weather: Weather, address: str, database_url: str, compression: str | None
) -> None:
    key = key_for(database_url, "ci")
    client = client_of(address, key, **({"compression": compression} if compression else {}))
    for event in run_events():
        client.emit(event)
    client.emit(JobEvent(eventTime=at(6), producer=PRODUCER, job=Job(namespace="batch", name="train")))
    client.emit(DatasetEvent(eventTime=at(7), producer=PRODUCER, dataset=StaticDataset("s3://lake", "claims")))
    client.close()
    assert weather.encodings == [compression or ""] * 4
    with Client(address, key) as reader:
        assert reader.get("/v1/lineage/digest")["event_count"] == 4
        found = reader.get("/v1/lineage", namespace="models", name="triage/1", direction="upstream")
    assert [node["name"] for node in found["nodes"]] == ["triage/1", "claims", "train"]


def test_the_client_sends_again_after_a_fault_and_nothing_is_stored_twice(
    weather: Weather, address: str, database_url: str
) -> None:
    key = key_for(database_url, "ci")
    client = client_of(address, key, retry={"backoff_factor": 0.01})
    weather.failures = 2
    for event in run_events():
        client.emit(event)
    client.close()
    assert len(weather.encodings) == 4
    with Client(address, key) as reader:
        assert reader.get("/v1/lineage/digest")["event_count"] == 2


def test_a_key_that_may_not_write_is_told_so(address: str, database_url: str) -> None:
    client = client_of(address, key_for(database_url, "auditor"))
    with pytest.raises(Exception, match="403"):
        client.emit(next(run_events()))
    client.close()
