"""Break-glass grants: they stand beside a decision that does not allow, which stays as it was sealed."""

from datetime import datetime, timedelta

import sqlalchemy as sa
from pydantic import JsonValue

from audits import store
from audits.acts import AnyUnit, Signature, document_of, hidden, page, sign, signature_of
from audits.eligible import require_sight
from audits.people_tables import BreakGlassReviewRow, BreakGlassRow
from audits.tables import DecisionRow
from governance.access.principal import Principal
from governance.access.roles import Permission, Role
from governance.clock import rfc3339, uuid7
from governance.database import Unit
from governance.errors import Conflict, DutiesNotSeparate, NotPermitted
from governance.log.journal import lock
from governance.notices.outbox import announce
from governance.types.break_glass import BreakGlassRequest, BreakGlassReview
from governance.types.results import Verdict
from governance.types.subject import Subject
from governance.types.value import Digest, Value


class GrantReview(Value):
    """What somebody else found of a grant."""

    verdict: str
    comment: str
    by: Signature
    log_index: int


class Grant(Value):
    """A grant: beside which decision, why, until when, by whom, and what the review found; null while it is open."""

    id: str
    decision_id: str
    reason: str
    incident_id: str
    granted_at: datetime
    expires_at: datetime
    by: Signature
    digest: Digest
    log_index: int
    review: GrantReview | None

    def is_active(self, now: datetime) -> bool:
        """Whether it holds at ``now``: in [granted_at, expires_at), unless a review found it not justified."""
        refused = self.review is not None and self.review.verdict == "not_justified"
        return self.granted_at <= now < self.expires_at and not refused


def grant(unit: Unit, wanted: BreakGlassRequest, principal: Principal) -> Grant:
    """Let the subject of a decision by for some hours; told at once, with a review that somebody else must close.

    Raises:
        NotPermitted: the role does not break the glass, or it is a machine that asks.
        NotFound: no such decision. Conflict: it allows, or was a dry run, or an earlier grant waits for its review.
    """
    require_person(principal)
    lock(unit)  # before earlier grants are looked up, so that two at one moment are one after the other
    decision = _decision(unit, wanted.decision_id, principal)
    _require_blocked(decision)
    if any(earlier.review is None for earlier in grants_of(unit, decision.id)):
        raise Conflict(
            expected="a decision whose earlier grant was reviewed",
            found="a grant whose review is open",
            remedy="Let somebody else review it first: POST /v1/break-glass/{id}/review.",
        )
    identifier = str(uuid7(unit.now))
    expires_at = unit.now + timedelta(hours=wanted.hours)
    content: dict[str, JsonValue] = {
        "id": identifier,
        "decision_id": decision.id,
        "decision_digest": decision.digest,
        "reason": wanted.reason,
        "incident_id": wanted.incident_id,
        "expires_at": rfc3339(expires_at),
    }
    subject = f"break-glass/{identifier}"
    announced: dict[str, JsonValue] = {
        **{key: content[key] for key in ("id", "decision_id", "incident_id", "expires_at")},
        "by": principal.id,
    }
    announce(unit, "assay.break_glass.granted", subject=subject, data=announced)
    announce(unit, "assay.review.opened", subject=subject, data=announced)
    signed = sign(unit, principal, "break_glass.grant/v1", content)
    row = BreakGlassRow(id=identifier, decision_id=decision.id, expires_at=expires_at, **signed)
    unit.session.add(row)
    unit.session.flush()
    return _value(row, None)


def require_person(principal: Principal) -> None:
    """Return when the principal is a person who may break the glass.

    Raises:
        NotPermitted: the role is missing; or a CI identity asks, whatever other roles it has.
    """
    principal.require(Permission.BREAK_GLASS)
    # A principal without a service key came with an identity token of a CI system.
    if Role.CI in principal.roles or principal.key_id is None:
        raise NotPermitted(
            expected="a person with a service key of their own",
            found=f"the CI identity {principal.id}",
            remedy="Let the person on call break the glass with their own key.",
        )


def review(unit: Unit, grant_id: str, wanted: BreakGlassReview, principal: Principal) -> tuple[Grant, bool]:
    """Close the review of a grant, and whether that is new; ``not_justified`` ends the grant.

    Raises:
        NotPermitted: the role does not approve. DutiesNotSeparate: the principal is the grant's user.
        NotFound: no such grant. Conflict: it was reviewed already, by somebody else or otherwise.
    """
    principal.require(Permission.APPROVE)
    lock(unit)
    found = grant_of(unit, grant_id, principal)
    if found.by.id == principal.id:
        raise DutiesNotSeparate(
            expected="somebody else than who broke the glass",
            found=f"{principal.id}, who did",
            remedy="Let another person with the role approver review it.",
        )
    if found.review is not None:
        if (found.review.by.id, found.review.verdict) == (principal.id, wanted.verdict):
            return found, False
        raise Conflict(
            expected="a grant whose review is open",
            found=f"one that {found.review.by.id} found {found.review.verdict}",
            remedy="Nothing: it was reviewed.",
        )
    content: dict[str, JsonValue] = {
        "grant": found.id,
        "grant_digest": found.digest,
        "verdict": wanted.verdict,
        "comment": wanted.comment,
    }
    announced: dict[str, JsonValue] = {"id": found.id, "verdict": wanted.verdict, "by": principal.id}
    announce(unit, "assay.review.closed", subject=f"break-glass/{found.id}", data=announced)
    signed = sign(unit, principal, "break_glass.review/v1", content)
    row = BreakGlassReviewRow(grant_id=found.id, verdict=wanted.verdict, **signed)
    unit.session.add(row)
    unit.session.flush()
    return found.model_copy(update={"review": _review(row)}), True


def active_grant(unit: AnyUnit, decision_id: str, now: datetime) -> Grant | None:
    """The grant that holds beside a decision at ``now``; None where there is none."""
    return next((found for found in grants_of(unit, decision_id) if found.is_active(now)), None)


def grants_of(unit: AnyUnit, decision_id: str) -> list[Grant]:
    """Every grant beside a decision, oldest first."""
    return _grants(unit, BreakGlassRow.decision_id == decision_id)


def grants_seen(unit: AnyUnit, decision_id: str, principal: Principal) -> list[Grant]:
    """Every grant beside a decision that the principal may see, oldest first.

    Raises:
        NotFound: no such decision, or not the principal's to see.
    """
    return grants_of(unit, _decision(unit, decision_id, principal).id)


def grant_of(unit: AnyUnit, grant_id: str, principal: Principal) -> Grant:
    """One grant.

    Raises:
        NotFound: no such grant, or not the principal's to see.
    """
    found = _grants(unit, BreakGlassRow.id == grant_id)
    if not found:
        raise hidden("a break-glass grant", grant_id)
    subject = _subject(unit, found[0])
    require_sight(principal, subject.namespace, subject.name, hidden("a break-glass grant", grant_id))
    return found[0]


def listed(
    unit: AnyUnit, principal: Principal, *, only_open: bool = False, after: int = -1, limit: int = 100
) -> tuple[list[Grant], int | None]:
    """Grants that the principal may see, in the order of the log, and where the next page begins.

    ``only_open`` leaves out those that were reviewed.
    """

    def fetch(start: int) -> list[Grant]:
        condition = BreakGlassRow.log_index > start
        if only_open:
            condition &= BreakGlassReviewRow.grant_id.is_(None)
        return _grants(unit, condition, limit=limit + 1)

    def sees(one: Grant) -> bool:
        subject = _subject(unit, one)
        return principal.sees(subject.namespace, subject.name)

    return page(fetch, lambda one: one.log_index, sees, after=after, limit=limit)


def _grants(unit: AnyUnit, condition: sa.ColumnElement[bool], *, limit: int | None = None) -> list[Grant]:
    rows = unit.session.execute(
        sa.select(BreakGlassRow, BreakGlassReviewRow)
        .outerjoin(BreakGlassReviewRow, BreakGlassReviewRow.grant_id == BreakGlassRow.id)
        .where(condition)
        .order_by(BreakGlassRow.log_index)
        .limit(limit)
    ).all()
    return [_value(row, found) for row, found in rows]


def _subject(unit: AnyUnit, one: Grant) -> Subject:
    """What the decision beside a grant is about, whether or not it may be seen."""
    return store.decision(unit, unit.session.get_one(DecisionRow, one.decision_id)).subject


def _decision(unit: AnyUnit, identifier: str, principal: Principal) -> DecisionRow:
    row = store.decision_row(unit, identifier)
    subject = store.decision(unit, row).subject
    require_sight(principal, subject.namespace, subject.name, hidden("a decision", identifier))
    return row


def _require_blocked(decision: DecisionRow) -> None:
    if decision.verdict == Verdict.ALLOW.value or decision.mode != "enforce":
        raise Conflict(
            expected="an enforced decision that does not allow",
            found="a dry run" if decision.mode != "enforce" else "one that allows",
            remedy="Nothing stands in the way of this model; a dry run is asked again without it.",
        )


def _value(row: BreakGlassRow, found: BreakGlassReviewRow | None) -> Grant:
    document = document_of(row.body)
    return Grant(
        id=row.id,
        decision_id=row.decision_id,
        reason=document["reason"],
        incident_id=document["incident_id"],
        granted_at=row.recorded_at,
        expires_at=row.expires_at,
        by=signature_of(row.body),
        digest=row.digest,
        log_index=row.log_index,
        review=None if found is None else _review(found),
    )


def _review(row: BreakGlassReviewRow) -> GrantReview:
    return GrantReview(
        verdict=row.verdict,
        comment=document_of(row.body)["comment"],
        by=signature_of(row.body),
        log_index=row.log_index,
    )
