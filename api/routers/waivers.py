"""Waivers: asked for by one person, approved by others, and gone after a time."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel

from api import examples, people_examples
from api.answers import next_cursor, place_in_log
from api.body import read_body
from api.dependencies import DatabaseOf, PrincipalOf, ReadingUnit, permit
from audits import waiver_records as records
from audits.refusals import done_or_refused
from audits.waivers import Waiver, approvers_needed
from governance.canonical import read_json
from governance.types.value import Name, Severity, parse_value
from governance.types.waiver import WaiverApproval, WaiverRequest, WaiverRevocation

router = APIRouter(prefix="/v1/waivers", tags=["waivers"])

Document = Annotated[bytes, read_body(lambda settings: settings.limits.document_bytes)]
Identifier = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,200}$")]


class WaiversAsked(BaseModel):
    """Which waivers, and from where on."""

    environment: Name | None = None
    limit: Annotated[int, Query(ge=1, le=1000, description="Rows of the answer.")] = 100
    cursor: Annotated[str | None, Query(max_length=2048, description="`next_cursor` of the page before.")] = None


@router.post(
    "",
    summary="Ask for a waiver",
    status_code=201,
    dependencies=[permit("waiver.write", scoped=True)],
    openapi_extra=examples.body(WaiverRequest, people_examples.WAIVER),
)
def ask(database: DatabaseOf, principal: PrincipalOf, body: Document) -> dict[str, Any]:
    """Ask that failed or warned checks of a model be let by for a time; it covers nothing before others approve it."""
    wanted = parse_value(WaiverRequest, read_json(body), what="a waiver")
    upon = f"{wanted.subject.namespace}/{wanted.subject.name}"
    return done_or_refused(
        database,
        principal,
        "waiver.request",
        upon,
        lambda unit: _answer(records.ask(unit, wanted, principal), unit.now),
    )


@router.get("", summary="Waivers", dependencies=[permit("read", scoped=True)])
def waivers(unit: ReadingUnit, principal: PrincipalOf, asked: Annotated[WaiversAsked, Query()]) -> dict[str, Any]:
    """In the order in which they were asked for, with how each stands now."""
    after = place_in_log(asked.cursor)
    found, following = records.listed(unit, principal, environment=asked.environment, after=after, limit=asked.limit)
    return {
        "waivers": [_answer(one, unit.now) for one in found],
        "next_cursor": next_cursor(following),
    }


@router.get("/{waiver_id}", summary="A waiver", dependencies=[permit("read", scoped=True)])
def waiver(unit: ReadingUnit, principal: PrincipalOf, waiver_id: Identifier) -> dict[str, Any]:
    """What was asked for, who approved it, and how it stands now."""
    return _answer(records.waiver_of(unit, waiver_id, principal), unit.now)


@router.post(
    "/{waiver_id}/approve",
    summary="Approve a waiver",
    status_code=201,
    dependencies=[permit("approve", scoped=True)],
    openapi_extra=examples.body(WaiverApproval, people_examples.WAIVER_APPROVAL),
    responses=people_examples.SAID,
)
def approve(
    database: DatabaseOf, principal: PrincipalOf, waiver_id: Identifier, body: Document, response: Response
) -> dict[str, Any]:
    """Say yes as somebody who neither asked for it nor owns the model; a check of high severity needs two."""
    wanted = parse_value(WaiverApproval, read_json(body), what="an approval of a waiver")
    return done_or_refused(
        database,
        principal,
        "waiver.approve",
        waiver_id,
        lambda unit: _made(response, records.approve(unit, waiver_id, wanted, principal), unit.now),
    )


@router.post(
    "/{waiver_id}/revoke",
    summary="Revoke a waiver",
    status_code=201,
    dependencies=[permit("waiver.revoke", scoped=True)],
    openapi_extra=examples.body(WaiverRevocation, people_examples.WAIVER_REVOCATION),
    responses=people_examples.SAID,
)
def revoke(
    database: DatabaseOf, principal: PrincipalOf, waiver_id: Identifier, body: Document, response: Response
) -> dict[str, Any]:
    """End it before its time: who asked for it may, and who may revoke. Decisions that used it stay as they are."""
    wanted = parse_value(WaiverRevocation, read_json(body), what="a revocation of a waiver")
    return done_or_refused(
        database,
        principal,
        "waiver.revoke",
        waiver_id,
        lambda unit: _made(response, records.revoke(unit, waiver_id, wanted, principal), unit.now),
    )


def _made(response: Response, made: tuple[Waiver, bool], now: datetime) -> dict[str, Any]:
    """The waiver after an act; 200 where the act had been done before."""
    waiver, is_new = made
    response.status_code = 201 if is_new else 200
    return _answer(waiver, now)


def _answer(waiver: Waiver, now: datetime) -> dict[str, Any]:
    """A waiver as it stands at ``now``, and the gravest check that its approvers let it cover."""
    enough = len(waiver.approvals) >= approvers_needed(Severity.HIGH)
    return {
        **waiver.document(),
        "standing": waiver.standing(now),
        "covers_high_severity": enough,
        "links": {"self": f"/v1/waivers/{waiver.id}"},
    }
