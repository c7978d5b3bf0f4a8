"""Waivers as they are recorded: asked for, approved by others, revoked, and found again for a subject."""

import sqlalchemy as sa
from pydantic import JsonValue

from audits.acts import AnyUnit, document_of, hidden, page, sign
from audits.eligible import require_apart, require_sight
from audits.people_tables import Signed as SignedRow
from audits.people_tables import WaiverApprovalRow, WaiverRevocationRow, WaiverRow
from audits.waivers import Signed, Waiver, is_about, require_term
from governance.access.principal import Principal
from governance.access.roles import Permission
from governance.canonical import digest
from governance.clock import rfc3339, uuid7
from governance.database import Unit, UTCDateTime
from governance.errors import Conflict, InputRefused, NotPermitted
from governance.log.journal import lock
from governance.notices.outbox import announce
from governance.plugins import BUILT_IN
from governance.registry.models import known_as, registered
from governance.types.subject import Subject
from governance.types.waiver import WaivedModel, WaiverApproval, WaiverRequest, WaiverRevocation

NO_BYTES = "sha256:" + "0" * 64
"""The digest of no model: asked for its owners, the registry answers with those of every version of the name."""


def ask(unit: Unit, wanted: WaiverRequest, principal: Principal) -> Waiver:
    """Keep a waiver as it is asked for; it covers nothing before others have approved it.

    Raises:
        NotPermitted: the role does not ask for waivers. NotFound: the model is not the principal's to see.
        InputRefused: the term is not allowed, or there is no such check.
        Conflict: the digest is registered under another name.
    """
    principal.require(Permission.WAIVER_WRITE)
    model = wanted.subject
    require_sight(principal, model.namespace, model.name, hidden("a model", model.name))
    starts = require_term(wanted, unit.now)
    _require_known_checks(wanted)
    _require_named_right(unit, model)
    identifier = str(uuid7(unit.now))
    announced: dict[str, JsonValue] = {
        "id": identifier,
        "model": model.label,
        "environment": wanted.environment,
        "by": principal.id,
    }
    announce(unit, "assay.waiver.requested", subject=f"waivers/{identifier}", data=announced)
    content: dict[str, JsonValue] = {"id": identifier, "request": wanted.document(), "not_before": rfc3339(starts)}
    row = WaiverRow(
        id=identifier,
        namespace=model.namespace,
        name=model.name,
        model=digest([model.namespace, model.name]),
        subject_digest=model.digest,
        environment=wanted.environment,
        not_before=starts,
        expires_at=wanted.expires_at,
        **sign(unit, principal, "waiver.request/v1", content),
    )
    unit.session.add(row)
    unit.session.flush()
    return _value(row, [], None)


def approve(unit: Unit, waiver_id: str, wanted: WaiverApproval, principal: Principal) -> tuple[Waiver, bool]:
    """Keep somebody's yes to a waiver, and whether it is new.

    Raises:
        NotPermitted: the role does not approve. DutiesNotSeparate: the principal asked for it, or owns the model.
        NotFound: no such waiver. Conflict: another digest was read, or the waiver was revoked or has expired.
    """
    lock(unit)
    found = waiver_of(unit, waiver_id, principal)
    require_apart(unit, principal, owned_by(found.request.subject), requester=found.requested.id, what="the waiver")
    if wanted.approved_digest not in (None, found.digest):
        raise Conflict(
            expected=f"an approval of {found.digest}",
            found=str(wanted.approved_digest),
            remedy="Read the waiver again before you approve it.",
            pointer="/approved_digest",
        )
    if found.standing(unit.now) in ("revoked", "expired"):
        raise Conflict(
            expected="a waiver that can still hold",
            found=f"one that is {found.standing(unit.now)}",
            remedy="Ask for a new waiver.",
        )
    if principal.id in {one.id for one in found.approvals}:
        return found, False
    content: dict[str, JsonValue] = {"waiver": found.id, "approved_digest": found.digest, "comment": wanted.comment}
    announced: dict[str, JsonValue] = {"id": found.id, "approvers": len(found.approvals) + 1, "by": principal.id}
    announce(unit, "assay.waiver.approved", subject=f"waivers/{found.id}", data=announced)
    row = WaiverApprovalRow(waiver_id=found.id, **sign(unit, principal, "waiver.approval/v1", content))
    unit.session.add(row)
    unit.session.flush()
    return found.model_copy(update={"approvals": (*found.approvals, _signed(row, "comment"))}), True


def revoke(unit: Unit, waiver_id: str, wanted: WaiverRevocation, principal: Principal) -> tuple[Waiver, bool]:
    """End a waiver before its time, and whether that is new; whoever asked for it may, and whoever may revoke.

    Raises:
        NotPermitted: the principal is neither. NotFound: no such waiver.
    """
    principal.require(Permission.WAIVER_REVOKE)
    lock(unit)
    found = waiver_of(unit, waiver_id, principal)
    if principal.id != found.requested.id and not principal.may(Permission.REVOKE):
        raise NotPermitted(
            expected=f"a key with the permission {Permission.REVOKE.value}, or who asked for the waiver",
            found=f"the roles {', '.join(principal.roles) or 'none'}",
            remedy="Let somebody with the role approver revoke it.",
        )
    if found.revoked is not None:
        return found, False
    content: dict[str, JsonValue] = {"waiver": found.id, "waiver_digest": found.digest, "reason": wanted.reason}
    announced: dict[str, JsonValue] = {"id": found.id, "by": principal.id}
    announce(unit, "assay.waiver.revoked", subject=f"waivers/{found.id}", data=announced)
    row = WaiverRevocationRow(waiver_id=found.id, **sign(unit, principal, "waiver.revocation/v1", content))
    unit.session.add(row)
    unit.session.flush()
    return found.model_copy(update={"revoked": _signed(row, "reason")}), True


def waiver_of(unit: AnyUnit, waiver_id: str, principal: Principal) -> Waiver:
    """One waiver.

    Raises:
        NotFound: no such waiver, or not the principal's to see.
    """
    found = _waivers(unit, WaiverRow.id == waiver_id)
    if not found:
        raise hidden("a waiver", waiver_id)
    model = found[0].request.subject
    require_sight(principal, model.namespace, model.name, hidden("a waiver", waiver_id))
    return found[0]


def listed(
    unit: AnyUnit, principal: Principal, *, environment: str | None = None, after: int = -1, limit: int = 100
) -> tuple[list[Waiver], int | None]:
    """Waivers that the principal may see, in the order of the log, and where the next page begins."""

    def fetch(start: int) -> list[Waiver]:
        condition = WaiverRow.log_index > start
        if environment is not None:
            condition &= WaiverRow.environment == environment
        return _waivers(unit, condition, limit=limit + 1)

    def sees(one: Waiver) -> bool:
        return principal.sees(one.request.subject.namespace, one.request.subject.name)

    return page(fetch, lambda one: one.log_index, sees, after=after, limit=limit)


def waivers_about(unit: AnyUnit, subject: Subject, environment: str) -> list[Waiver]:
    """Waivers about a subject in an environment that have begun and not ended, approved or not."""
    known = known_as(unit, subject).by_bytes
    names = [known.registration.subject, subject] if known else [subject]
    asked = {
        "environment": environment,
        "now": unit.now,
        "digest": subject.digest,
        "models": sorted({digest([name.namespace, name.name]) for name in names}),
    }
    identifiers = unit.session.connection().execute(_ABOUT, asked).scalars().all()
    # Most models have none, and are asked about at every verdict.
    found = _waivers(unit, WaiverRow.id.in_(identifiers)) if identifiers else []
    own = known.registration.subject if known else None
    return [one for one in found if is_about(one.request.subject, subject, registered=own)]


_ABOUT = sa.select(WaiverRow.id).where(
    WaiverRow.environment == sa.bindparam("environment"),
    WaiverRow.expires_at > sa.bindparam("now", type_=UTCDateTime()),
    sa.or_(
        WaiverRow.subject_digest == sa.bindparam("digest"),
        sa.and_(WaiverRow.subject_digest.is_(None), WaiverRow.model.in_(sa.bindparam("models", expanding=True))),
    ),
)


def owned_by(model: WaivedModel) -> Subject:
    """The subject whose owners are those of the waiver's model; for a range the owners of every version."""
    return model.subject or Subject(
        namespace=model.namespace, name=model.name, version=model.last_version or "", digest=NO_BYTES
    )


def _require_known_checks(wanted: WaiverRequest) -> None:
    """Return when every check exists: a misspelt one would be waived in vain, and nobody would be told."""
    for place, name in enumerate(wanted.checks):
        if name not in BUILT_IN:
            raise InputRefused(
                expected=f"one of the checks {', '.join(sorted(BUILT_IN))}",
                found=repr(name),
                remedy="Name the check as the decision does.",
                pointer=f"/checks/{place}",
            )


def _require_named_right(unit: Unit, model: WaivedModel) -> None:
    known = registered(unit, model.digest) if model.digest else None
    if known is not None and known.registration.subject != model.subject:
        own = known.registration
        raise Conflict(
            expected=f"the model {own.namespace} {own.name}@{own.version}, which these bytes are"[:500],
            found=f"{model.namespace} {model.label}"[:300],
            remedy="Name the model as it is registered.",
            pointer="/subject",
        )


def _waivers(unit: AnyUnit, condition: sa.ColumnElement[bool], *, limit: int | None = None) -> list[Waiver]:
    rows = unit.session.execute(
        sa.select(WaiverRow, WaiverRevocationRow)
        .outerjoin(WaiverRevocationRow, WaiverRevocationRow.waiver_id == WaiverRow.id)
        .where(condition)
        .order_by(WaiverRow.log_index)
        .limit(limit)
    ).all()
    if not rows:
        return []
    approvals: dict[str, list[WaiverApprovalRow]] = {row.id: [] for row, _ in rows}
    wanted = sa.select(WaiverApprovalRow).where(WaiverApprovalRow.waiver_id.in_(approvals))
    for approval in unit.session.scalars(wanted.order_by(WaiverApprovalRow.id)):
        approvals[approval.waiver_id].append(approval)
    return [_value(row, approvals[row.id], revoked) for row, revoked in rows]


def _value(row: WaiverRow, approvals: list[WaiverApprovalRow], revoked: WaiverRevocationRow | None) -> Waiver:
    return Waiver(
        id=row.id,
        request=WaiverRequest.model_validate(document_of(row.body)["request"]),
        not_before=row.not_before,
        requested=_signed(row, None),
        digest=row.digest,
        log_index=row.log_index,
        approvals=tuple(_signed(one, "comment") for one in approvals),
        revoked=_signed(revoked, "reason") if revoked is not None else None,
    )


def _signed(row: SignedRow, words: str | None) -> Signed:
    comment = document_of(row.body)[words] if words else ""
    return Signed(id=row.by_id, name=row.by_name, at=row.recorded_at, comment=comment)
