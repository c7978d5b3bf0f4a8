"""Events for tests: the real ones beside the checkout, and small ones of our own with sensible defaults."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

from tests.conftest import shared_path

PRODUCER = "https://ml.example.org/tests/1"
SPEC = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs"
NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)

Names = tuple[str, str]


def real_bodies() -> dict[str, bytes]:
    """The events of other projects, by ``group/file``."""
    folder = shared_path("events")
    return {f"{path.parent.name}/{path.name}": path.read_bytes() for path in sorted(folder.glob("*/*.json"))}


def at(minute: float) -> str:
    """An instant, in minutes after noon."""
    return (NOON + timedelta(minutes=minute)).isoformat().replace("+00:00", "Z")


def facet(**members: Any) -> dict[str, Any]:
    """A facet with its frame."""
    return {"_producer": PRODUCER, "_schemaURL": f"{SPEC}/BaseFacet", **members}


def dataset(name: str, namespace: str = "s3://lake", /, **facets: Any) -> dict[str, Any]:
    """A dataset with facets; a facet's frame is added."""
    return {"namespace": namespace, "name": name, "facets": {key: facet(**value) for key, value in facets.items()}}


def versioned(name: str, version: str, /, **facets: Any) -> dict[str, Any]:
    """A dataset that reports its version."""
    return dataset(name, **facets, version={"datasetVersion": version})


def run_event(event_type: str | None = "COMPLETE", minute: float = 0, /, **parts: Any) -> dict[str, Any]:
    """A RunEvent. ``run``, ``job`` name them; ``inputs``, ``outputs`` are datasets or their names."""
    document: dict[str, Any] = {
        "eventTime": at(minute),
        "producer": PRODUCER,
        "schemaURL": f"{SPEC}/RunEvent",
        "run": {"runId": parts.get("run", run_id(1)), "facets": parts.get("run_facets", {})},
        "job": {"namespace": "batch", "name": parts.get("job", "job"), "facets": parts.get("job_facets", {})},
    }
    if event_type is not None:
        document["eventType"] = event_type
    for side in ("inputs", "outputs"):
        document[side] = [dataset(item) if isinstance(item, str) else item for item in parts.get(side, [])]
    return document


def job_event(minute: float = 0, /, **parts: Any) -> dict[str, Any]:
    """A JobEvent; as ``run_event`` without a run."""
    document = run_event(None, minute, **parts)
    del document["run"]
    return {**document, "schemaURL": f"{SPEC}/JobEvent"}


def dataset_event(of: dict[str, Any], minute: float = 0) -> dict[str, Any]:
    """A DatasetEvent about ``of``."""
    return {"eventTime": at(minute), "producer": PRODUCER, "schemaURL": f"{SPEC}/DatasetEvent", "dataset": of}


def run_id(number: int) -> str:
    """A UUID for tests."""
    return f"00000000-0000-7000-8000-{number:012d}"


def body(document: Any) -> bytes:
    """The bytes an event is sent as."""
    return json.dumps(document, separators=(",", ":")).encode()


def bodies(*documents: Any) -> list[bytes]:
    """The bytes of several events."""
    return [body(document) for document in documents]
