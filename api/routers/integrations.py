"""What CI hosts and clusters ask: deployment protection, status checks, admission. Each is off until it is set up."""

from collections.abc import Mapping
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse

from api import examples
from api.body import read_body
from api.dependencies import PrincipalOf, ReadingUnit, StateOf, permit
from api.state import State
from audits.admission import Review, review
from audits.callbacks import TASK, ask
from audits.hosts import hosts_of
from governance.canonical import read_json
from governance.errors import NotFound

router = APIRouter(prefix="/v1/integrations", tags=["integrations"])

LARGEST_PAYLOAD = 25 * 2**20
"""What GitHub sends at most."""

LARGEST_REVIEW = 8 * 2**20
"""An object of a cluster has at most 1.5 MiB, and a review holds it twice."""

Payload = Annotated[bytes, read_body(lambda _: LARGEST_PAYLOAD)]

RESPONSES: dict[int | str, dict[str, Any]] = {
    200: {"description": "Nothing was asked"},
    202: {"description": "It was kept and will be answered"},
}
BODY = {"requestBody": {"required": True, "content": {"application/json": {"schema": {"type": "object"}}}}}


@router.post(
    "/github/deployment-protection", summary="GitHub asks for a deployment", responses=RESPONSES, openapi_extra=BODY
)
def github(request: Request, state: StateOf, body: Payload) -> JSONResponse:
    """The webhook of a GitHub App, signed in `X-Hub-Signature-256`. The deployment is approved or rejected later."""
    return _asked(state, "github", body, request.headers)


@router.post("/gitlab/status-check", summary="GitLab asks for a merge request", responses=RESPONSES, openapi_extra=BODY)
def gitlab(request: Request, state: StateOf, body: Payload) -> JSONResponse:
    """An external status check, signed in `X-Gitlab-Signature`. The check passes or fails later."""
    return _asked(state, "gitlab", body, request.headers)


def _asked(state: State, name: str, body: bytes, headers: Mapping[str, str]) -> JSONResponse:
    host = hosts_of(state.settings.github, state.settings.gitlab).get(name)
    if host is None:
        raise _off(name)
    question = host.question(body, headers)
    if question is None:
        return JSONResponse({"asked": False}, 200)
    with state.database.unit() as unit:
        ask(unit, question, wait_seconds=host.wait_seconds)
        unit.after_commit(lambda: state.engine.ring(TASK, TASK))
    return JSONResponse({"asked": True, "revision": question.revision, "environment": question.environment}, 202)


@router.post(
    "/kubernetes/admission",
    summary="May this pod start?",
    dependencies=[permit("read", scoped=True)],
    openapi_extra=examples.body(Review, examples.ADMISSION),
)
def kubernetes(
    unit: ReadingUnit,
    state: StateOf,
    principal: PrincipalOf,
    body: Annotated[bytes, read_body(lambda _: LARGEST_REVIEW)],
) -> dict[str, Any]:
    """A validating admission webhook (AdmissionReview v1). Only a decision that is valid now lets a pod in."""
    if not state.settings.kubernetes.environments:
        raise _off("kubernetes")
    return review(read_json(body), unit, state.settings.kubernetes, principal)


def _off(name: str) -> NotFound:
    return NotFound(
        expected="an integration that is switched on",
        found=f"{name}, which is not set up",
        remedy="Set it up as docs/ci.md says.",
    )
