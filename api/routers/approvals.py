"""What people say of evaluations: approvals, reviews of warnings, what waits for them, and what was refused to them."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Response
from pydantic import BaseModel

from api import examples, people_examples
from api.answers import cursor_values, next_cursor, place_in_log
from api.body import read_body
from api.dependencies import DatabaseOf, PrincipalOf, ReadingUnit, StateOf, permit
from api.state import State
from audits import approval_records as records
from audits.answers import pending
from audits.refusals import done_or_refused, listed
from governance.access.principal import Principal
from governance.canonical import read_json
from governance.database import Database, Unit
from governance.types.approval import ApprovalRequest, ReviewRequest
from governance.types.value import parse_value

router = APIRouter(prefix="/v1", tags=["approvals"])

Document = Annotated[bytes, read_body(lambda settings: settings.limits.document_bytes)]
Identifier = Annotated[str, Path(pattern=r"^[A-Za-z0-9._:-]{1,200}$")]
Rows = Annotated[int, Query(ge=1, le=1000, description="Rows of the answer.")]
Cursor = Annotated[str | None, Query(max_length=2048, description="`next_cursor` of the page before.")]


class EvaluationsAsked(BaseModel):
    """Which evaluations, and from where on."""

    state: Literal["awaiting"] = "awaiting"
    # Each row says who could act on it, which is looked up for each.
    limit: Annotated[int, Query(ge=1, le=100, description="Rows of the answer.")] = 50
    cursor: Cursor = None


@router.get("/gate/evaluations", summary="What waits for people", dependencies=[permit("read", scoped=True)])
def evaluations(
    unit: ReadingUnit, principal: PrincipalOf, asked: Annotated[EvaluationsAsked, Query()]
) -> dict[str, Any]:
    """Evaluations that wait for an approval or a review, oldest first, with what each of them shows while it waits."""
    after = "" if asked.cursor is None else cursor_values(asked.cursor, (str,))[0]
    found, following = records.awaiting(unit, principal, after=after, limit=asked.limit)
    return {
        "evaluations": [{"requested_by": row.principal, **row.request, **pending(unit, row)} for row in found],
        "next_cursor": next_cursor(following),
    }


@router.post(
    "/evaluations/{evaluation_id}/approvals",
    summary="Approve or reject what was found",
    status_code=201,
    dependencies=[permit("approve", scoped=True)],
    openapi_extra=examples.body(ApprovalRequest, people_examples.APPROVAL),
    responses=people_examples.SAID,
)
def approve(
    state: StateOf,
    database: DatabaseOf,
    principal: PrincipalOf,
    *,
    evaluation_id: Identifier,
    body: Document,
    response: Response,
) -> dict[str, Any]:
    """An approval that the policy asks for, bound to `to_approve` of the pending answer; new evidence voids it."""
    wanted = records.approval(parse_value(ApprovalRequest, read_json(body), what="an approval"))
    said, response.status_code = _say(state, database, principal, evaluation_id, wanted)
    return said


@router.post(
    "/evaluations/{evaluation_id}/reviews",
    summary="Accept or reject warnings",
    status_code=201,
    dependencies=[permit("approve", scoped=True)],
    openapi_extra=examples.body(ReviewRequest, people_examples.REVIEW),
    responses=people_examples.SAID,
)
def review(
    state: StateOf,
    database: DatabaseOf,
    principal: PrincipalOf,
    *,
    evaluation_id: Identifier,
    body: Document,
    response: Response,
) -> dict[str, Any]:
    """A review of warnings, where the policy says `on_warn: review`, bound to `to_approve` of the pending answer."""
    wanted = records.review(parse_value(ReviewRequest, read_json(body), what="a review"))
    said, response.status_code = _say(state, database, principal, evaluation_id, wanted)
    return said


@router.get("/gate/refusals", summary="Acts that were refused", dependencies=[permit("read", scoped=True)])
def refused(unit: ReadingUnit, limit: Rows = 100, cursor: Cursor = None) -> dict[str, Any]:
    """Acts of people that the rules refused, as approving one's own waiver, in the order of the log."""
    after = place_in_log(cursor)
    found, following = listed(unit, after=after, limit=limit)
    return {
        "refusals": [one.document() for one in found],
        "next_cursor": next_cursor(following),
    }


def _say(
    state: State, database: Database, principal: Principal, evaluation_id: str, wanted: records.Wanted
) -> tuple[dict[str, Any], int]:
    def ring(identifier: str) -> None:
        state.engine.ring("evaluation", identifier)

    def do(unit: Unit) -> tuple[dict[str, Any], int]:
        said, is_new = records.say(unit, evaluation_id, wanted, principal, ring=ring)
        links = {"evaluation": f"/v1/gate/evaluations/{evaluation_id}"}
        return {**said.document(), "links": links}, 201 if is_new else 200

    return done_or_refused(database, principal, f"{wanted.act}.{wanted.verdict}", evaluation_id, do)
