"""Deployments: recording one under a decision that is valid now, its end, and what runs with which decision."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Query, Response
from pydantic import BaseModel

from api import examples
from api.answers import cursor_text, cursor_values, instant
from api.body import read_body
from api.dependencies import PrincipalOf, ReadingUnit, StateOf, WriteUnit, permit
from api.routers.lineage_asking import AsOf, usable
from api.routers.lineage_run_shapes import serving_document
from audits import deployments
from audits.running import running
from governance.canonical import read_json
from governance.types.deployment import DeploymentEnd, DeploymentRequest
from governance.types.value import parse_value
from lineage.serving import serving

router = APIRouter(prefix="/v1/deployments", tags=["deployments"])

Document = Annotated[bytes, read_body(lambda settings: settings.limits.document_bytes)]


@router.post(
    "",
    summary="Record that a model goes live",
    status_code=201,
    dependencies=[permit("deploy", scoped=True)],
    openapi_extra=examples.body(DeploymentRequest, examples.DEPLOYMENT),
)
def deploy(
    unit: WriteUnit,
    state: StateOf,
    principal: PrincipalOf,
    response: Response,
    *,
    body: Document,
    idempotency_key: Annotated[str, Header(min_length=1, max_length=255)],
) -> dict[str, Any]:
    """409 unless the decision is valid now for these bytes there, or a grant of break-glass stands beside it.

    Lineage is told in the same transaction.
    Repeating the request with its key answers the first deployment (`Idempotent-Replayed: true`).
    """
    asked = parse_value(DeploymentRequest, read_json(body), what="a deployment")
    deployed = deployments.deploy(unit, state.gate, asked, principal, key=idempotency_key)
    response.headers["Location"] = str(deployed.document["links"]["self"])
    if deployed.is_replayed:
        response.headers["Idempotent-Replayed"] = "true"
    return deployed.document


@router.post(
    "/{deployment_id}/end",
    summary="Record that a deployment ended",
    dependencies=[permit("deploy", scoped=True)],
    openapi_extra=examples.body(DeploymentEnd, {"how": "retired"}),
)
def end(unit: WriteUnit, state: StateOf, principal: PrincipalOf, deployment_id: str, body: Document) -> dict[str, Any]:
    """As planned (`retired`), taken back (`rolled_back`) or because it failed (`failed`); once."""
    told = parse_value(DeploymentEnd, read_json(body), what="the end of a deployment")
    return deployments.end(unit, state.gate, deployment_id, told, principal)


@router.get("/{deployment_id}", summary="A deployment on record", dependencies=[permit("read", scoped=True)])
def deployment(unit: ReadingUnit, principal: PrincipalOf, deployment_id: str) -> dict[str, Any]:
    """As it was recorded, with its end where it has one."""
    return deployments.recorded(unit, deployment_id, principal)


class DeploymentsAsked(BaseModel):
    """Where and when."""

    environment: Annotated[list[str], Query(max_length=100, description="Environments; default: all.")] = []
    as_of: AsOf = None
    undecided: Annotated[bool, Query(description="Only those that began without a valid decision.")] = False
    limit: Annotated[int, Query(ge=1, le=1000, description="Rows of the answer.")] = 100
    cursor: Annotated[str | None, Query(max_length=2048, description="`next_cursor` of the page before.")] = None


@router.get(
    "",
    summary="What runs, or ran at an instant, and with which decision",
    dependencies=[permit("read", scoped=True)],
)
def what_runs(unit: ReadingUnit, asked: Annotated[DeploymentsAsked, Query()]) -> dict[str, Any]:
    """Each open deployment that lineage knows, whoever told of it.

    `undecided`: it began without a valid decision. `running_with`: what its decision is worth now.
    """
    as_of, after = instant(asked.as_of), None
    if asked.cursor is not None:
        environment, number = cursor_values(asked.cursor, (str, int))
        after = (environment, number)
    found = serving(unit, usable("environment", asked.environment), as_of, after, asked.limit)
    judged = running(unit, found.deployments, at=as_of or unit.now)
    following = None if found.following is None else cursor_text(found.following)
    document = serving_document(found, as_of, following, judged)
    if asked.undecided:
        document["deployments"] = [each for each in document["deployments"] if each["undecided"]]
    return document
