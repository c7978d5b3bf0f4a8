"""Lineage over HTTP: taking OpenLineage events, and asking what comes from what."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any, Literal

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import Response

from api.body import read_body
from api.dependencies import ReadingUnit, SettingsOf, WriteUnit, permit
from api.routers import lineage_examples as examples
from governance.clock import rfc3339
from governance.errors import TooLarge
from lineage.digest import state_digest
from lineage.events import split_batch
from lineage.facets import own_schema
from lineage.ingest import Recorded, Refused, record_events
from lineage.records import stored_event
from lineage.writer import EventWriter


@asynccontextmanager
async def _writing(app: FastAPI) -> AsyncIterator[dict[str, EventWriter]]:
    """One writer for each running application, so that events which wait share a commit."""
    state = app.state.assay
    yield {"lineage_writer": EventWriter(state.database, state.settings.lineage)}


router = APIRouter(tags=["lineage"], lifespan=_writing)

Event = Annotated[bytes, read_body(lambda settings: settings.lineage.max_event_bytes)]
Batch = Annotated[bytes, read_body(lambda settings: settings.lineage.max_batch_bytes)]
Conformance = Annotated[
    Literal["lenient", "strict"], Query(description="`strict` also refuses what the core schema does not accept.")
]


@router.post(
    "/api/v1/lineage",
    status_code=201,
    response_class=Response,
    summary="Take one OpenLineage event",
    dependencies=[permit("lineage.write")],
    responses=examples.TAKEN,
    openapi_extra=examples.EVENT_BODY,
)
def take_event(request: Request, body: Event, conformance: Conformance = "lenient") -> Response:
    """Store a RunEvent, JobEvent or DatasetEvent. A repeated event gets the same answer and changes nothing."""
    writer: EventWriter = request.state.lineage_writer
    answer = writer.record(body, conformance=conformance)
    if isinstance(answer, Refused):
        raise answer.fault
    headers = {"Assay-Event-Digest": answer.digest, "Assay-Findings": str(answer.finding_count)}
    return Response(status_code=201, headers=headers)


@router.post(
    "/api/v1/lineage/batch",
    summary="Take an array of OpenLineage events",
    dependencies=[permit("lineage.write")],
    responses=examples.BATCH_TAKEN,
    openapi_extra=examples.BATCH_BODY,
)
def take_batch(
    unit: WriteUnit, settings: SettingsOf, body: Batch, conformance: Conformance = "lenient"
) -> dict[str, Any]:
    """Store each event that can be placed; one bad event never undoes its neighbours."""
    bodies = split_batch(body)
    if len(bodies) > settings.lineage.max_batch_events:
        raise TooLarge(
            expected=f"at most {settings.lineage.max_batch_events} events",
            found=str(len(bodies)),
            remedy="Send several batches.",
        )
    return _summary(record_events(unit, bodies, settings.lineage, conformance=conformance))


def _summary(answers: Sequence[Recorded | Refused]) -> dict[str, Any]:
    failed = [
        {"index": index, "reason": answer.reason, "retriable": False}
        for index, answer in enumerate(answers)
        if isinstance(answer, Refused)
    ]
    return {
        "status": "partial_success" if failed else "success",
        "summary": {
            "received": len(answers),
            "successful": len(answers) - len(failed),
            "failed": len(failed),
            "retriable": 0,
            "non_retriable": len(failed),
        },
        "failed_events": failed,
    }


@router.get("/v1/lineage/digest", summary="One digest over the whole derived state", dependencies=[permit("read")])
def digest(unit: ReadingUnit) -> dict[str, Any]:
    """SHA-256 over the canonical export: equal wherever the same events were taken, in any order."""
    state = state_digest(unit)
    return {"digest": state.digest, "event_count": state.event_count}


@router.get("/v1/lineage/events/{digest}", summary="A stored event with its findings", dependencies=[permit("read")])
def event(unit: ReadingUnit, digest: str) -> Response:
    """The event as it is stored; `event` spelled as received is what the digest is of."""
    found = stored_event(unit, digest)
    frame = {
        "digest": found.digest,
        "kind": found.kind,
        "event_time": rfc3339(found.event_time),
        "arrived_at": rfc3339(found.arrived_at),
        "redaction_version": found.redaction_version,
        "findings": [
            {"code": item.code, "pointer": item.pointer, "expected": item.expected, "found": item.found}
            for item in found.findings
        ],
    }
    # The stored bytes go out as they are: parsing and writing them again could spell them differently.
    body = json.dumps(frame).encode()[:-1] + b', "event": ' + found.body + b"}"
    return Response(body, media_type="application/json", headers={"ETag": f'"{found.digest}"'})


@router.get("/spec/facets/{version}/{file}", summary="The schema of one of Assay's own facets")
def facet_schema(version: str, file: str) -> Response:
    """Immutable: a changed schema has another version. `_schemaURL` of our facets points here."""
    content = own_schema(version, file.removesuffix(".json"))
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(content, media_type="application/schema+json", headers=headers)
