"""The gate: evaluations, decisions and their bundles."""

import asyncio
import re
import time
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from api import examples
from api.answers import is_known
from api.body import read_body
from api.dependencies import DatabaseOf, PrincipalOf, ReadingUnit, StateOf, permit, permit_poll
from api.state import State
from audits import store
from audits.answers import decided, decision_answer, full, pending
from audits.gate import Accepted, request
from audits.proof import bundle_of, tlog_proof_of
from governance.access.polls import issue_poll_token
from governance.access.principal import Principal
from governance.canonical import canonical, read_json
from governance.database import Database
from governance.types.evaluation import EvaluationRequest
from governance.types.sight import Sight
from governance.types.value import parse_value

router = APIRouter(prefix="/v1", tags=["gate"])

LOOK_EVERY_SECONDS = 0.1
"""How often a waiting request looks whether its evaluation has ended: one read by key."""

Cosignatures = Annotated[
    int, Query(ge=0, le=50, description="How many known witnesses must have cosigned the checkpoint in it")
]
Document = Annotated[bytes, read_body(lambda settings: settings.limits.document_bytes)]
IdempotencyKey = Annotated[str, Header(min_length=1, max_length=255)]


@router.post(
    "/gate/evaluations",
    summary="May this model go to this environment?",
    dependencies=[permit("evaluate", scoped=True)],
    responses=examples.EVALUATION_RESPONSES,
    openapi_extra=examples.body(EvaluationRequest, examples.EVALUATION),
)
async def evaluate(
    state: StateOf,
    principal: PrincipalOf,
    body: Document,
    idempotency_key: IdempotencyKey,
    prefer: Annotated[str | None, Header(description="`wait=SECONDS`: how long to wait for a verdict")] = None,
) -> Response:
    """Ask for a verdict. A deny is a 200 with `verdict: deny`; 202 means that measuring takes longer than the wait."""
    database = state.database.within(principal.sight)
    accepted, poll = await run_in_threadpool(_accept, state, database, principal, body, key=idempotency_key)
    if accepted.sealed is not None:
        return _given(decision_answer(accepted.sealed.row, accepted.sealed.decision))
    wait = min(_preferred_wait(prefer), state.settings.gate.wait_seconds)
    return await _answer(database, accepted.id, wait, replayed=accepted.replayed, poll=poll)


@router.get(
    "/gate/evaluations/{evaluation_id}",
    summary="How an evaluation stands",
    responses=examples.EVALUATION_RESPONSES,
)
async def evaluation(
    request: Request,
    state: StateOf,
    sight: Annotated[Sight, permit_poll("read")],
    evaluation_id: str,
    wait: Annotated[float, Query(ge=0, le=120, description="Seconds to wait for the verdict")] = 0,
) -> Response:
    """The verdict, or 202 while there is none. A verdict never changes: its ETag in `If-None-Match` is answered by 304.

    The `poll_token` of the 202 opens this too.
    """
    database = state.database.within(sight)
    answer = await _answer(database, evaluation_id, min(wait, state.settings.gate.wait_seconds), replayed=False)
    tag = answer.headers.get("ETag")
    return answer if tag is None or not is_known(request, tag) else Response(status_code=304, headers={"ETag": tag})


@router.get("/decisions/{decision_id}", summary="A decision, whole", dependencies=[permit("read", scoped=True)])
def decision(unit: ReadingUnit, decision_id: str) -> dict[str, Any]:
    """The decision as it was hashed and signed, with every figure of every check."""
    return full(store.decision(unit, store.decision_row(unit, decision_id)))


@router.get(
    "/decisions/{decision_id}/bundle",
    summary="A decision's proof",
    dependencies=[permit("read", scoped=True)],
    response_class=Response,
    responses={200: {"content": {"application/vnd.dev.sigstore.bundle.v0.3+json": {}}}},
)
def bundle(state: StateOf, database: DatabaseOf, decision_id: str, cosignatures: Cosignatures = 0) -> Response:
    """The Sigstore bundle (v0.3) of the decision, which is verified offline with `assay verify` or other tools."""
    content = bundle_of(database, state.gate, decision_id, cosignatures=cosignatures)
    return Response(content, media_type="application/vnd.dev.sigstore.bundle.v0.3+json")


@router.get(
    "/decisions/{decision_id}/tlog-proof",
    summary="A decision's place in the log",
    dependencies=[permit("read", scoped=True)],
    response_class=PlainTextResponse,
)
def log_proof(
    state: StateOf, database: DatabaseOf, decision_id: str, cosignatures: Cosignatures = 0
) -> PlainTextResponse:
    """The inclusion proof and checkpoint (C2SP tlog-proof) of the leaf that the decision's bundle holds."""
    return PlainTextResponse(tlog_proof_of(database, state.gate, decision_id, cosignatures=cosignatures))


def _accept(
    state: State, database: Database, principal: Principal, body: bytes, *, key: str
) -> tuple[Accepted, str | None]:
    """The evaluation, and the token that reads it where it was not decided at once."""
    wanted = parse_value(EvaluationRequest, read_json(body), what="an evaluation request")
    with database.unit() as unit:
        accepted = request(
            unit,
            state.gate,
            wanted,
            principal=principal,
            key=key,
            ring=lambda identifier: state.engine.ring("evaluation", identifier),
        )
        if accepted.sealed is not None:
            return accepted, None
        row = store.evaluation(unit, accepted.id)
        if row.state == "done" or row.deadline is None or row.deadline <= unit.now:
            return accepted, None
        return accepted, issue_poll_token(unit, row.id, expires_at=row.deadline)


def _preferred_wait(prefer: str | None) -> float:
    """Seconds that the header asks to wait; preferences that are not known are not kept to (RFC 7240)."""
    match = re.search(r"(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])", prefer or "")
    return float(match.group(1)) if match else 0


async def _answer(
    database: Database, identifier: str, wait: float, *, replayed: bool, poll: str | None = None
) -> Response:
    until = time.monotonic() + wait
    while True:
        status, content = await run_in_threadpool(_look, database, identifier)
        if status == 200 or time.monotonic() >= until:
            break
        await asyncio.sleep(min(LOOK_EVERY_SECONDS, max(0.0, until - time.monotonic())))
    told = {"Idempotent-Replayed": "true"} if replayed else {}
    if status == 200:
        return _given(content, **told)
    headers = {"Location": content["links"]["self"], "Retry-After": "2", **told}
    if poll is not None:
        headers["Cache-Control"] = "no-store"
        content["poll_token"] = poll
    return JSONResponse(content, status, headers)


def _given(content: dict[str, Any], **headers: str) -> Response:
    """A decision as an answer: the same bytes, under one tag, however it is come by."""
    headers |= {"Location": content["links"]["self"], "ETag": f'"{content["decision_digest"]}"'}
    return Response(canonical(content), 200, headers, media_type="application/json")


def _look(database: Database, identifier: str) -> tuple[int, dict[str, Any]]:
    with database.read_unit() as unit:
        row = store.decision_of_evaluation(unit, identifier)
        if row is not None:
            return 200, decided(unit, row)
        return 202, pending(unit, store.evaluation(unit, identifier))
