"""Approvals and reviews as they are recorded; the gate itself concludes when it is rung, and counts them then."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa
from pydantic import JsonValue

from audits import store
from audits.acts import AnyUnit, document_of, hidden, page, sign
from audits.eligible import require_apart, require_sight
from audits.people_tables import EvaluationActRow
from audits.tables import EvaluationRow
from governance.access.principal import Principal
from governance.access.roles import Permission
from governance.database import Unit
from governance.errors import Conflict
from governance.jobs.lease import QUEUED, RUNNING
from governance.notices.outbox import announce
from governance.types.approval import ApprovalRequest, ReviewRequest
from governance.types.decision import PersonsAct
from governance.types.evaluation import EvaluationRequest
from governance.types.subject import Subject


@dataclass(frozen=True, slots=True)
class Wanted:
    """What somebody wants to say of an evaluation."""

    act: Literal["approval", "review"]
    digest: str
    verdict: Literal["approve", "accept", "reject"]
    comment: str


def approval(request: ApprovalRequest) -> Wanted:
    """An approval, as it is recorded."""
    return Wanted("approval", request.approved_digest, request.verdict, request.comment)


def review(request: ReviewRequest) -> Wanted:
    """A review, as it is recorded."""
    return Wanted("review", request.reviewed_digest, request.verdict, request.comment)


def say(
    unit: Unit, evaluation_id: str, wanted: Wanted, principal: Principal, *, ring: Callable[[str], None]
) -> tuple[PersonsAct, bool]:
    """Keep an approval or a review, and whether it is new; the gate is rung to look whether it suffices.

    Saying the same again changes nothing, also after the verdict.

    Raises:
        NotPermitted: the role does not approve. DutiesNotSeparate: the principal asked the gate, or owns the model.
        NotFound: no such evaluation. Conflict: it waits for no such act, or for one upon another digest, or its
            deadline has passed, or the principal said something else before.
    """
    principal.require(Permission.APPROVE)
    row = store.evaluation(unit, evaluation_id)
    subject = subject_of(row)
    require_sight(principal, subject.namespace, subject.name, hidden("an evaluation", evaluation_id))
    unit.session.refresh(row, with_for_update=True)  # two approvers at one moment are one after the other
    require_apart(unit, principal, subject, requester=row.principal, what="the verdict")
    earlier = [one for one in acts_upon(unit, row.id) if _is_same_place(one, wanted, principal)]
    if earlier:
        return _same(earlier[0], wanted), False
    _require_awaited(row, wanted, unit.now)
    content: dict[str, JsonValue] = {
        "evaluation": row.id,
        "act": wanted.act,
        "approved_digest": wanted.digest,
        "verdict": wanted.verdict,
        "comment": wanted.comment,
    }
    announced: dict[str, JsonValue] = {"act": wanted.act, "verdict": wanted.verdict, "by": principal.id}
    announce(unit, f"assay.{wanted.act}.given", subject=f"evaluations/{row.id}", data=announced)
    if row.state != RUNNING:
        # Whoever works on the row now will find this act: it is committed before the row is let go.
        row.state, row.attempts = QUEUED, 0
    signed = sign(unit, principal, f"{wanted.act}.given/v1", content)
    kept = EvaluationActRow(
        evaluation_id=row.id, act=wanted.act, approved_digest=wanted.digest, verdict=wanted.verdict, **signed
    )
    unit.session.add(kept)
    unit.session.flush()
    unit.after_commit(lambda: ring(evaluation_id))
    return _value(kept), True


def acts_upon(unit: AnyUnit, evaluation_id: str) -> tuple[PersonsAct, ...]:
    """Everything that people said of an evaluation, oldest first; also of what was found before new evidence."""
    rows = unit.session.scalars(
        sa.select(EvaluationActRow)
        .where(EvaluationActRow.evaluation_id == evaluation_id)
        .order_by(EvaluationActRow.log_index)
    )
    return tuple(_value(row) for row in rows)


def awaiting(
    unit: AnyUnit, principal: Principal, *, after: str = "", limit: int = 100
) -> tuple[list[EvaluationRow], str | None]:
    """Evaluations that wait for people and that the principal may see, oldest first, and where the next page begins."""

    def fetch(start: str) -> list[EvaluationRow]:
        wanted = sa.select(EvaluationRow).where(EvaluationRow.state.in_(store.AWAITING), EvaluationRow.id > start)
        return list(unit.session.scalars(wanted.order_by(EvaluationRow.id).limit(limit + 1)))

    def sees(row: EvaluationRow) -> bool:
        subject = subject_of(row)
        return principal.sees(subject.namespace, subject.name)

    return page(fetch, lambda row: row.id, sees, after=after, limit=limit)


def subject_of(row: EvaluationRow) -> Subject:
    """What an evaluation is about."""
    return EvaluationRequest.model_validate(row.request).subject


def _is_same_place(one: PersonsAct, wanted: Wanted, principal: Principal) -> bool:
    return (one.act, one.approved_digest, one.by) == (wanted.act, wanted.digest, principal.id)


def _same(earlier: PersonsAct, wanted: Wanted) -> PersonsAct:
    if earlier.verdict != wanted.verdict:
        raise Conflict(
            expected=f"what this person said of the same before: {earlier.verdict}",
            found=wanted.verdict,
            remedy="What was said stays; new evidence can be judged anew.",
            pointer="/verdict",
        )
    return earlier


def _require_awaited(row: EvaluationRow, wanted: Wanted, now: datetime) -> None:
    asked = row.awaiting or {}
    if row.state == "done" or wanted.act not in (asked.get("asks") or ()):  # type: ignore[operator]  # JSON of our own
        raise Conflict(
            expected=f"an evaluation that waits for an {wanted.act}".replace("an review", "a review"),
            found="one that has its verdict" if row.state == "done" else f"one in state {row.state} that does not",
            remedy=f"Look at it: GET /v1/gate/evaluations/{row.id}.",
        )
    if row.deadline is not None and row.deadline <= now:
        # The verdict of a deadline that has passed is certain, even where no worker has sealed it yet.
        raise Conflict(
            expected=f"an act before the deadline, {row.deadline.isoformat()}",
            found=now.isoformat(),
            remedy="Let the gate be asked again, and say it in time.",
        )
    if wanted.digest != asked["to_approve"]:
        raise Conflict(
            expected=f"an act upon {asked['to_approve']}, which is what was found",
            found=wanted.digest,
            remedy="There is new evidence: look at what was found and say it again of the new digest.",
            pointer="/approved_digest" if wanted.act == "approval" else "/reviewed_digest",
        )


def _value(row: EvaluationActRow) -> PersonsAct:
    return PersonsAct.model_validate(
        {
            "act": row.act,
            "verdict": row.verdict,
            "by": row.by_id,
            "name": row.by_name,
            "at": row.recorded_at,
            "comment": document_of(row.body)["comment"],
            "approved_digest": row.approved_digest,
            "digest": row.digest,
        }
    )
