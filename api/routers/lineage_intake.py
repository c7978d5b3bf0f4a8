"""Taking OpenLineage events over HTTP, one by one and in batches."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Annotated, Any

import anyio.to_thread
from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response

from api.body import read_body
from api.dependencies import bearer_token, permit, state_of
from api.intake import Admission, IntakeRoute
from api.routers import lineage_examples as examples
from governance.errors import TooLarge
from lineage.events import split_batch
from lineage.ingest import Conformance as Asked
from lineage.ingest import Recorded, Refused
from lineage.writer import EventWriter


@asynccontextmanager
async def _writing(app: FastAPI) -> AsyncIterator[dict[str, EventWriter | Admission]]:
    """One writer for each running application, so that events which wait share a commit."""
    state = app.state.assay
    admission = Admission(state.identities, state.rates)
    writer = EventWriter(state.database, state.settings.lineage, admission.admit)
    yield {"lineage_writer": writer, "lineage_admission": admission}
    await anyio.to_thread.run_sync(writer.close)


router = APIRouter(tags=["lineage"], lifespan=_writing, route_class=IntakeRoute)

Event = Annotated[bytes, read_body(lambda settings: settings.lineage.max_event_bytes)]
Batch = Annotated[bytes, read_body(lambda settings: settings.lineage.max_batch_bytes)]
Conformance = Annotated[Asked, Query(description="`strict` also refuses what the core schema does not accept.")]


@router.post(
    "/api/v1/lineage",
    status_code=201,
    response_class=Response,
    summary="Take one OpenLineage event",
    dependencies=[permit("lineage.write", scoped=True)],
    responses=examples.TAKEN,
    openapi_extra=examples.EVENT_BODY,
)
async def take_event(request: Request, body: Event, conformance: Conformance = "lenient") -> Response:
    """Store a RunEvent, JobEvent or DatasetEvent. A repeated event gets the same answer and changes nothing."""
    writer: EventWriter = request.state.lineage_writer
    (answer,) = await writer.take([body], bearer_token(request), conformance=conformance)
    if isinstance(answer, Refused):
        raise answer.fault
    headers = {"Assay-Event-Digest": answer.digest, "Assay-Findings": str(answer.finding_count)}
    return Response(status_code=201, headers=headers)


@router.post(
    "/api/v1/lineage/batch",
    response_model=dict[str, Any],
    summary="Take an array of OpenLineage events",
    dependencies=[permit("lineage.write", scoped=True)],
    responses=examples.BATCH_TAKEN,
    openapi_extra=examples.BATCH_BODY,
)
async def take_batch(request: Request, body: Batch, conformance: Conformance = "lenient") -> Response:
    """Store each event that can be placed; one bad event never undoes its neighbours."""
    writer: EventWriter = request.state.lineage_writer
    bodies = split_batch(body)
    most = state_of(request).settings.lineage.max_batch_events
    if len(bodies) > most:
        raise TooLarge(expected=f"at most {most} events", found=str(len(bodies)), remedy="Send several batches.")
    return JSONResponse(_summary(await writer.take(bodies, bearer_token(request), conformance=conformance)))


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
