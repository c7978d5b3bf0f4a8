"""The unmodified official client sends to a real server: every transport over HTTP, every event, every facet."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
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
from openlineage.client.facet_v2 import (
    dataset_version_dataset,
    lineage,
    parent_run,
    schema_dataset,
    symlinks_dataset,
)
from openlineage.client.generated.base import BaseFacet
from openlineage.client.serde import Serde

from lineage.conformance import findings
from lineage.receiving import parse_event
from tests.lineage.material import at, run_id
from tests.producers.client_facets import PLACES, SHAPES, Shape, facet_classes, facets_of, key_of, made
from tests.support.producers import Receiver, composite, receiving
from tests.support.service import key_for

PRODUCER = "https://ml.example.org/trainer/1"
HTTP = [{}, {"compression": "gzip"}, {"type": "async_http"}, {"type": "async_http", "compression": "gzip"}]


@pytest.fixture
def receiver(database_url: str, tmp_path: Path) -> Iterator[Receiver]:
    with receiving(tmp_path / "home", database_url, lineage={"conformance": "strict"}) as running:
        yield running


def client_of(transport: dict[str, Any]) -> OpenLineageClient:
    return OpenLineageClient(config={"transport": transport})


def emit(transport: dict[str, Any], *events: RunEvent | JobEvent | DatasetEvent) -> None:
    """Send these, and wait until all are sent."""
    client = client_of(transport)
    for event in events:
        client.emit(event)
    assert client.close(timeout=30)


def run_event(state: RunState, minute: int, **parts: Any) -> RunEvent:
    """An event of the run that trains a model from claims."""
    return RunEvent(
        eventType=state,
        eventTime=at(minute),
        run=Run(runId=run_id(1), facets=parts.get("run_facets", {})),
        job=Job(namespace="batch", name="train", facets=parts.get("job_facets", {})),
        producer=PRODUCER,
        inputs=parts.get("inputs", []),
        outputs=parts.get("outputs", []),
    )


def training() -> Iterator[RunEvent]:
    """A run from its start to its end."""
    fields = [schema_dataset.SchemaDatasetFacetFields(name="age", type="int")]
    table = InputDataset(
        "s3://lake",
        "claims",
        facets={
            "version": dataset_version_dataset.DatasetVersionDatasetFacet(datasetVersion="7"),
            "schema": schema_dataset.SchemaDatasetFacet(fields=fields),
        },
    )
    for state, minute in ((RunState.START, 0), (RunState.COMPLETE, 5)):
        yield run_event(state, minute, inputs=[table], outputs=[OutputDataset("models", "triage/1")])


def names(receiver: Receiver, direction: str, **start: str) -> list[str]:
    """The nodes of a graph, nearest first."""
    graph = receiver.get("/v1/lineage/graph", direction=direction, **start)
    return [node["name"] for node in graph["nodes"]]


def marquez_data(receiver: Receiver, node_id: str) -> Any:
    """What Marquez's own clients see of a node."""
    graph = receiver.get("/api/v1/lineage", nodeId=node_id)["graph"]
    return next(node["data"] for node in graph if node["id"] == node_id)


@pytest.mark.parametrize("options", HTTP, ids=str)
def test_every_kind_of_event_arrives(receiver: Receiver, options: dict[str, str]) -> None:
    emit(
        receiver.transport(**options),
        *training(),
        JobEvent(eventTime=at(6), producer=PRODUCER, job=Job(namespace="batch", name="train")),
        DatasetEvent(eventTime=at(7), producer=PRODUCER, dataset=StaticDataset("s3://lake", "claims")),
    )
    assert [post.encoding for post in receiver.traffic.posts] == [options.get("compression", "")] * 4
    assert [post.status for post in receiver.traffic.posts] == [201] * 4
    assert sorted(event["kind"] for event in receiver.taken()) == ["DatasetEvent", "JobEvent", "RunEvent", "RunEvent"]
    assert receiver.findings() == []
    assert names(receiver, "upstream", namespace="models", name="triage/1") == ["triage/1", "claims", "train"]
    assert names(receiver, "downstream", namespace="s3://lake", name="claims") == ["claims", "triage/1", "train"]
    latest = marquez_data(receiver, "job:batch:train")["latestRun"]
    assert (latest["state"], latest["durationMs"]) == ("COMPLETED", 300_000)
    fields = marquez_data(receiver, "dataset:s3://lake:claims")["fields"]
    assert [(field["name"], field["type"]) for field in fields] == [("age", "int")]


@pytest.mark.parametrize(
    ("states", "expected"),
    [
        ([RunState.START], "RUNNING"),
        ([RunState.START, RunState.RUNNING], "RUNNING"),
        ([RunState.START, RunState.RUNNING, RunState.FAIL], "FAILED"),
        ([RunState.START, RunState.ABORT], "ABORTED"),
        ([RunState.OTHER], "NEW"),
        ([RunState.OTHER, RunState.START, RunState.COMPLETE, RunState.OTHER], "COMPLETED"),
    ],
)
def test_a_run_is_in_the_state_that_its_events_say(receiver: Receiver, states: list[RunState], expected: str) -> None:
    emit(receiver.transport(), *(run_event(state, minute) for minute, state in enumerate(states)))
    assert marquez_data(receiver, "job:batch:train")["latestRun"]["state"] == expected


def test_a_parent_relates_jobs_and_renames_none(receiver: Receiver) -> None:
    parent = parent_run.ParentRunFacet(
        run=parent_run.Run(runId=run_id(2)), job=parent_run.Job(namespace="batch", name="nightly")
    )
    emit(receiver.transport(), run_event(RunState.START, 0, run_facets={"parent": parent}))
    data = marquez_data(receiver, "job:batch:train")
    assert (data["parentJobNamespace"], data["parentJobName"]) == ("batch", "nightly")


def test_a_job_may_declare_its_data_without_a_run(receiver: Receiver) -> None:
    job = Job(namespace="batch", name="train")
    tables, models = [InputDataset("s3://lake", "claims")], [OutputDataset("models", "triage/1")]
    event = JobEvent(eventTime=at(0), producer=PRODUCER, job=job, inputs=tables, outputs=models)
    emit(receiver.transport(), event)
    assert names(receiver, "upstream", namespace="models", name="triage/1") == ["triage/1", "claims", "train"]


def test_the_lineage_facet_says_what_feeds_what(receiver: Receiver) -> None:
    """Two pairs in one job: without the facet each input would feed each output."""
    entries: list[lineage.LineageEntry] = [
        lineage.LineageDatasetEntry(
            namespace="models",
            name=f"model-{pair}",
            type="DATASET",
            inputs=[lineage.LineageDatasetInput(namespace="s3://lake", name=f"table-{pair}", type="DATASET")],
        )
        for pair in "ab"
    ]
    emit(
        receiver.transport(),
        run_event(
            RunState.COMPLETE,
            0,
            job_facets={"lineage": lineage.LineageJobFacet(entries=entries)},
            inputs=[InputDataset("s3://lake", f"table-{pair}") for pair in "ab"],
            outputs=[OutputDataset("models", f"model-{pair}") for pair in "ab"],
        ),
    )
    assert receiver.findings() == []
    assert names(receiver, "upstream", namespace="models", name="model-a") == ["model-a", "table-a", "train"]


def test_a_facet_that_is_taken_back_is_gone(receiver: Receiver) -> None:
    """The client's `_deleted`: one table under two names, until that is withdrawn."""
    told = symlinks_dataset.SymlinksDatasetFacet(
        identifiers=[symlinks_dataset.Identifier(namespace="s3://lake", name="claims", type="TABLE")]
    )
    withdrawn = symlinks_dataset.SymlinksDatasetFacet(deleted=True)
    emit(
        receiver.transport(),
        *training(),
        RunEvent(
            eventType=RunState.COMPLETE,
            eventTime=at(0),
            run=Run(runId=run_id(2)),
            job=Job(namespace="batch", name="load"),
            producer=PRODUCER,
            outputs=[OutputDataset("hive", "claims")],
        ),
        DatasetEvent(
            eventTime=at(6), producer=PRODUCER, dataset=StaticDataset("hive", "claims", facets={"symlinks": told})
        ),
    )
    assert "load" in names(receiver, "upstream", namespace="models", name="triage/1")
    later = StaticDataset("hive", "claims", facets={"symlinks": withdrawn})
    emit(receiver.transport(), DatasetEvent(eventTime=at(7), producer=PRODUCER, dataset=later))
    assert receiver.findings() == []
    assert names(receiver, "upstream", namespace="models", name="triage/1") == ["triage/1", "claims", "train"]


def test_entries_that_are_taken_back_leave_every_input_to_every_output(receiver: Receiver) -> None:
    source = lineage.LineageDatasetInput(namespace="s3://lake", name="table-a", type="DATASET")
    entry = lineage.LineageDatasetEntry(namespace="models", name="model-a", type="DATASET", inputs=[source])
    tables, models = [InputDataset("s3://lake", f"table-{pair}") for pair in "ab"], [OutputDataset("models", "model-a")]
    told = (lineage.LineageJobFacet(entries=[entry]), lineage.LineageJobFacet(entries=[], deleted=True))
    apart = {"model-a", "table-a", "train"}
    for minute, (facet, expected) in enumerate(zip(told, (apart, apart | {"table-b"}), strict=True)):
        event = run_event(RunState.RUNNING, minute, job_facets={"lineage": facet}, inputs=tables, outputs=models)
        emit(receiver.transport(), event)
        assert set(names(receiver, "upstream", namespace="models", name="model-a")) == expected
    assert receiver.findings() == []


@pytest.mark.parametrize("of", facet_classes(), ids=lambda of: of.__name__)
def test_no_facet_of_the_client_is_found_wrong(of: type[BaseFacet]) -> None:
    (place,) = (place for place, frame in PLACES.items() if issubclass(of, frame))
    for shape in SHAPES:
        body = Serde.to_json(whole(place, {key_of(of): made(of, shape)})).encode()
        assert [finding for finding in findings(parse_event(body)) if finding.code != "secret.redacted"] == []


def test_an_event_with_every_facet_is_taken_in_strict_mode_and_found_right(receiver: Receiver) -> None:
    every = [whole(place, facets_of(place, shape)) for shape in SHAPES for place in PLACES]
    static = StaticDataset("s3://lake", "claims", facets=facets_of("Dataset", Shape()))
    job = Job("batch", "train", facets=facets_of("Job", Shape()))
    emit(
        receiver.transport(),
        *every,
        DatasetEvent(eventTime=at(1), producer=PRODUCER, dataset=static),
        JobEvent(eventTime=at(1), producer=PRODUCER, job=job),
    )
    assert {post.status for post in receiver.traffic.posts} == {201}
    # What an environment variable holds is taken for a secret unless its name is known to be harmless.
    variables = "/run/facets/environmentVariables/environmentVariables/0/value"
    assert receiver.findings() == [("secret.redacted", variables)]


def whole(place: str, facets: dict[str, Any]) -> RunEvent:
    """A run event that carries these facets on the entity that they belong to."""
    parts: dict[str, dict[str, Any]] = {
        "Run": {"run_facets": facets},
        "Job": {"job_facets": facets},
        "Dataset": {"inputs": [InputDataset("s3://lake", "claims", facets=facets)]},
        "InputDataset": {"inputs": [InputDataset("s3://lake", "claims", inputFacets=facets)]},
        "OutputDataset": {"outputs": [OutputDataset("models", "triage/1", outputFacets=facets)]},
    }
    return run_event(RunState.RUNNING, 0, **parts[place])


def test_the_client_sends_again_after_a_fault_and_nothing_is_stored_twice(receiver: Receiver) -> None:
    receiver.traffic.failures = 2
    emit(receiver.transport(retry={"backoff_factor": 0.01}), *training())
    assert [post.status for post in receiver.traffic.posts] == [503, 503, 201, 201]
    assert receiver.get("/v1/lineage/digest")["event_count"] == 2


def test_the_client_is_set_up_by_its_environment(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENLINEAGE_URL", receiver.address)
    monkeypatch.setenv("OPENLINEAGE_API_KEY", receiver.key)
    client = OpenLineageClient()
    client.emit(next(training()))
    assert client.close(timeout=30)
    assert [post.status for post in receiver.traffic.posts] == [201]


def test_a_key_that_may_not_write_is_told_so(receiver: Receiver, database_url: str) -> None:
    reader = {**receiver.transport(), "auth": {"type": "api_key", "apiKey": key_for(database_url, "auditor")}}
    client = client_of(reader)
    with pytest.raises(Exception, match="403"):
        client.emit(next(training()))
    client.close()


def test_one_emission_reaches_several_services(database_url: str, tmp_path: Path, receiver: Receiver) -> None:
    """The client's composite transport, which the tests of other producers send through."""
    emit(composite([receiver, receiver]), *training())
    assert [post.status for post in receiver.traffic.posts] == [201] * 4
    assert receiver.get("/v1/lineage/digest")["event_count"] == 2


def test_what_is_stored_is_what_the_client_spelled(receiver: Receiver) -> None:
    """Not read and written again: the digest is of the bytes that were sent."""
    event = next(training())
    emit(receiver.transport(), event)
    (taken,) = receiver.taken()
    assert taken["event"] == json.loads(Serde.to_json(event))
