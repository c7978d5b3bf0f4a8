"""The gate: evaluations, decisions and their bundles."""

import asyncio
import re
import time
from typing import Annotated, Any

from fastapi import APIRouter, Header, Query
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, PlainTextResponse, Response

from api import examples
from api.body import read_body
from api.dependencies import PrincipalOf, ReadingUnit, StateOf, permit
from api.state import State
from audits import store
from audits.answers import decided, full, pending
from audits.gate import Accepted, request
from audits.proof import bundle_of, tlog_proof_of
from governance.access.principal import Principal
from governance.canonical import canonical, read_json
from governance.types.evaluation import EvaluationRequest
from governance.types.value import parse_value

router = APIRouter(prefix="/v1", tags=["gate"])

LOOK_EVERY_SECONDS = 0.1
"""How often a waiting request looks whether its evaluation has ended: one read by key."""

Document = Annotated[bytes, read_body(lambda settings: settings.limits.document_bytes)]
IdempotencyKey = Annotated[str, Header(min_length=1, max_length=255)]


@router.post(
    "/gate/evaluations",
    summary="May this model go to this environment?",
    dependencies=[permit("evaluate")],
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
    accepted = await run_in_threadpool(_accept, state, principal, body, idempotency_key)
    wait = min(_preferred_wait(prefer), state.settings.gate.wait_seconds)
    return await _answer(state, accepted.id, wait, replayed=accepted.replayed)


@router.get(
    "/gate/evaluations/{evaluation_id}",
    summary="How an evaluation stands",
    dependencies=[permit("read")],
    responses=examples.EVALUATION_RESPONSES,
)
async def evaluation(
    state: StateOf,
    evaluation_id: str,
    wait: Annotated[float, Query(ge=0, le=120, description="Seconds to wait for the verdict")] = 0,
) -> Response:
    """The verdict, or 202 while there is none. A verdict never changes."""
    return await _answer(state, evaluation_id, min(wait, state.settings.gate.wait_seconds), replayed=False)


@router.get("/decisions/{decision_id}", summary="A decision, whole", dependencies=[permit("read")])
def decision(unit: ReadingUnit, decision_id: str) -> dict[str, Any]:
    """The decision as it was hashed and signed, with every figure of every check."""
    return full(store.decision(unit, store.decision_row(unit, decision_id)))


@router.get(
    "/decisions/{decision_id}/bundle",
    summary="A decision's proof",
    dependencies=[permit("read")],
    response_class=Response,
    responses={200: {"content": {"application/vnd.dev.sigstore.bundle.v0.3+json": {}}}},
)
def bundle(state: StateOf, decision_id: str) -> Response:
    """The Sigstore bundle (v0.3) of the decision, which is verified offline with `assay verify` or other tools."""
    return Response(
        bundle_of(state.database, state.gate, decision_id), media_type="application/vnd.dev.sigstore.bundle.v0.3+json"
    )


@router.get(
    "/decisions/{decision_id}/tlog-proof",
    summary="A decision's place in the log",
    dependencies=[permit("read")],
    response_class=PlainTextResponse,
)
def log_proof(state: StateOf, decision_id: str) -> PlainTextResponse:
    """The inclusion proof and checkpoint (C2SP tlog-proof) of the leaf that the decision's bundle holds."""
    return PlainTextResponse(tlog_proof_of(state.database, state.gate, decision_id))


def _accept(state: State, principal: Principal, body: bytes, key: str) -> Accepted:
    wanted = parse_value(EvaluationRequest, read_json(body), what="an evaluation request")
    with state.database.unit() as unit:
        return request(
            unit,
            state.gate,
            wanted,
            principal=principal.id,
            key=key,
            ring=lambda identifier: state.engine.ring("evaluation", identifier),
        )


def _preferred_wait(prefer: str | None) -> float:
    """Seconds that the header asks to wait; preferences that are not known are not kept to (RFC 7240)."""
    match = re.search(r"(?:^|[,;\s])wait=(\d{1,6})(?:$|[,;\s])", prefer or "")
    return float(match.group(1)) if match else 0


async def _answer(state: State, identifier: str, wait: float, *, replayed: bool) -> Response:
    until = time.monotonic() + wait
    while True:
        status, content = await run_in_threadpool(_look, state, identifier)
        if status == 200 or time.monotonic() >= until:
            break
        await asyncio.sleep(min(LOOK_EVERY_SECONDS, max(0.0, until - time.monotonic())))
    headers = {"Location": content["links"]["self"]}
    if status == 202:
        headers["Retry-After"] = "2"
    if replayed:
        headers["Idempotent-Replayed"] = "true"
    if status == 200:
        headers["ETag"] = f'"{content["decision_digest"]}"'
        return Response(canonical(content), 200, headers, media_type="application/json")
    return JSONResponse(content, status, headers)


def _look(state: State, identifier: str) -> tuple[int, dict[str, Any]]:
    with state.database.read_unit() as unit:
        row = store.decision_of_evaluation(unit, identifier)
        if row is not None:
            return 200, decided(unit, row)
        return 202, pending(store.evaluation(unit, identifier))
