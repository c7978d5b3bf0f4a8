"""Break-glass: grants beside decisions that do not allow, and the reviews that somebody else closes."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel, Field

from api import examples, people_examples
from api.answers import next_cursor, place_in_log
from api.body import read_body
from api.dependencies import DatabaseOf, PrincipalOf, ReadingUnit, permit
from audits import break_glass as records
from audits.break_glass import Grant
from audits.refusals import done_or_refused
from governance.canonical import read_json
from governance.database import Unit
from governance.types.break_glass import BreakGlassRequest, BreakGlassReview
from governance.types.value import parse_value

router = APIRouter(prefix="/v1", tags=["break-glass"])

Document = Annotated[bytes, read_body(lambda settings: settings.limits.document_bytes)]
Identifier = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,200}$")]


class GrantsAsked(BaseModel):
    """Which grants, and from where on."""

    open: bool = Field(False, description="Only those whose review is open.")
    limit: Annotated[int, Query(ge=1, le=1000, description="Rows of the answer.")] = 100
    cursor: Annotated[str | None, Query(max_length=2048, description="`next_cursor` of the page before.")] = None


@router.post(
    "/break-glass",
    summary="Break the glass",
    status_code=201,
    dependencies=[permit("break_glass", scoped=True)],
    openapi_extra=examples.body(BreakGlassRequest, people_examples.BREAK_GLASS),
)
def break_glass(database: DatabaseOf, principal: PrincipalOf, body: Document) -> dict[str, Any]:
    """Let a model by for at most four hours; the decision stays as it is, and somebody else reviews the grant."""
    wanted = parse_value(BreakGlassRequest, read_json(body), what="a break-glass grant")
    return done_or_refused(
        database,
        principal,
        "break_glass.grant",
        wanted.decision_id,
        lambda unit: _answer(records.grant(unit, wanted, principal), unit.now),
    )


@router.get("/break-glass", summary="Break-glass grants", dependencies=[permit("read", scoped=True)])
def grants(unit: ReadingUnit, principal: PrincipalOf, asked: Annotated[GrantsAsked, Query()]) -> dict[str, Any]:
    """In the order in which they were given; `open=true` leaves out those that were reviewed."""
    after = place_in_log(asked.cursor)
    found, following = records.listed(unit, principal, only_open=asked.open, after=after, limit=asked.limit)
    return {
        "grants": [_answer(one, unit.now) for one in found],
        "next_cursor": next_cursor(following),
    }


@router.get("/break-glass/{grant_id}", summary="A break-glass grant", dependencies=[permit("read", scoped=True)])
def grant(unit: ReadingUnit, principal: PrincipalOf, grant_id: Identifier) -> dict[str, Any]:
    """Who broke the glass, why, until when, and what the review found."""
    return _answer(records.grant_of(unit, grant_id, principal), unit.now)


@router.post(
    "/break-glass/{grant_id}/review",
    summary="Close the review of a grant",
    status_code=201,
    dependencies=[permit("approve", scoped=True)],
    openapi_extra=examples.body(BreakGlassReview, people_examples.BREAK_GLASS_REVIEW),
    responses=people_examples.SAID,
)
def review(
    database: DatabaseOf, principal: PrincipalOf, grant_id: Identifier, body: Document, response: Response
) -> dict[str, Any]:
    """Say as somebody else whether it was justified; `not_justified` ends the grant at once."""
    wanted = parse_value(BreakGlassReview, read_json(body), what="a review of a grant")

    def do(unit: Unit) -> dict[str, Any]:
        found, is_new = records.review(unit, grant_id, wanted, principal)
        response.status_code = 201 if is_new else 200
        return _answer(found, unit.now)

    return done_or_refused(database, principal, "break_glass.review", grant_id, do)


@router.get(
    "/decisions/{decision_id}/grants",
    summary="Grants beside a decision",
    dependencies=[permit("read", scoped=True)],
)
def decision_grants(unit: ReadingUnit, principal: PrincipalOf, decision_id: Identifier) -> dict[str, Any]:
    """Every break-glass grant beside the decision, oldest first; the decision itself never changes."""
    found = records.grants_seen(unit, decision_id, principal)
    return {"grants": [_answer(one, unit.now) for one in found]}


def _answer(grant: Grant, now: datetime) -> dict[str, Any]:
    return {
        **grant.document(),
        "active": grant.is_active(now),
        "links": {"self": f"/v1/break-glass/{grant.id}", "decision": f"/v1/decisions/{grant.decision_id}"},
    }
