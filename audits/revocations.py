"""Decisions taken back by people: each a record of its own, signed, logged and told, in a feed without gaps."""

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from pydantic import JsonValue

from audits.context import GateContext
from audits.life_tables import RevocationRow
from audits.lives import Reader, visible
from governance import __version__
from governance.access.principal import Principal
from governance.access.roles import Permission, Role
from governance.bundle import decision_leaf
from governance.canonical import canonical
from governance.database import Unit
from governance.errors import AssayError, Conflict, NotPermitted
from governance.log.journal import Leaf, append, lock
from governance.notices.outbox import announce
from governance.signing import dsse
from governance.signing.keys import KeyRing
from governance.signing.revocation import Cause, SignedRevocation, read_revocation, revocation_statement
from governance.types.results import Verdict
from governance.types.value import Prose, Value

LEAF_KIND = "revocation"


class RevocationRequest(Value):
    """Why a decision is taken back: a cause of the closed set, and a person's words."""

    cause: Cause
    reason: Prose


@dataclass(frozen=True, slots=True)
class Revocation:
    """A revocation as it was signed, with its envelope and its leaf's index."""

    signed: SignedRevocation
    revoker: str
    envelope: dsse.Envelope
    log_index: int

    def document(self) -> dict[str, Any]:
        """The revocation as answers show it; ``envelope`` is the DSSE envelope."""
        return {
            **self.signed.document(),
            "revoker": self.revoker,
            "envelope": self.envelope.document(),
            "log": {"index": self.log_index, "origin": self.signed.origin},
        }


def revoke(
    unit: Unit, context: GateContext, decision_id: str, asked: RevocationRequest, principal: Principal
) -> tuple[Revocation, bool]:
    """Take a decision back, and whether that is new; a decision that was taken back answers the first revocation.

    Raises:
        NotPermitted: the principal may not revoke, or is a machine. NotFound: no decision has this id.
        Conflict: the decision never let anything go live.
    """
    require_person(principal)
    row, decision = visible(unit, decision_id, principal)
    if decision.verdict is not Verdict.ALLOW or decision.mode != "enforce":
        raise Conflict(
            expected="an enforced allow, which alone lets something go live",
            found=f"{decision.verdict.value} ({decision.mode})",
            remedy="There is nothing to take back.",
        )
    lock(unit)  # before the feed's end is read, so that its numbers have no gaps and one decision has one revocation
    earlier = unit.session.scalars(sa.select(RevocationRow).where(RevocationRow.decision_id == row.id)).one_or_none()
    if earlier is not None:
        return _value(earlier), False
    signed = SignedRevocation(
        seq=(unit.session.scalar(sa.select(sa.func.max(RevocationRow.seq))) or 0) + 1,
        decision_id=row.id,
        decision_digest=row.digest,
        origin=context.origin,
        environment=decision.environment,
        subject=decision.subject,
        policy=decision.policy,
        engine=f"assay {__version__}",
        cause=asked.cause,
        reason=asked.reason,
        revoked_at=unit.now,
        revoked_by=principal.id,
        nonce=secrets.token_hex(16),
    )
    return _seal(unit, context, signed, principal), True


def _seal(unit: Unit, context: GateContext, signed: SignedRevocation, principal: Principal) -> Revocation:
    """Sign the statement, tell of it, append it to the log and keep its row, in this transaction."""
    key = context.ring.decision
    envelope = dsse.sign(canonical(revocation_statement(signed)), key)
    told: dict[str, JsonValue] = {
        "decision_id": signed.decision_id,
        "subject_digest": signed.subject.digest,
        "environment": signed.environment,
        "cause": signed.cause,
        "seq": signed.seq,
    }
    announce(unit, "assay.decision.revoked", subject=f"decisions/{signed.decision_id}", data=told)
    row = RevocationRow(
        seq=signed.seq,
        decision_id=signed.decision_id,
        subject_digest=signed.subject.digest,
        environment=signed.environment,
        cause=signed.cause,
        reason=signed.reason,
        revoked_at=signed.revoked_at,
        revoked_by=signed.revoked_by,
        revoker=principal.name,
        envelope=envelope.content(),
        log_index=append(unit, [Leaf(kind=LEAF_KIND, body=decision_leaf(envelope, key.public))])[0],
    )
    unit.session.add(row)
    unit.session.flush()
    return _value(row)


def require_person(principal: Principal) -> None:
    """Return when the principal may revoke and is no machine of a pipeline.

    Raises:
        NotPermitted: it may not, or it is.
    """
    principal.require(Permission.REVOKE)
    if Role.CI in principal.roles:
        raise NotPermitted(
            expected="a person's key",
            found="a key of a pipeline",
            remedy="A person takes decisions back: use a key without the role ci.",
        )


def feed(unit: Reader, principal: Principal, *, since: int, limit: int) -> tuple[list[Revocation], int]:
    """Revocations after ``since`` that the principal may see, in order, and the number to ask from next time."""
    rows = unit.session.scalars(
        sa.select(RevocationRow).where(RevocationRow.seq > since).order_by(RevocationRow.seq).limit(limit)
    ).all()
    found = [_value(row) for row in rows]
    visible_ones = [each for each in found if principal.sees(each.signed.subject.namespace, each.signed.subject.name)]
    return visible_ones, rows[-1].seq if rows else since


def revocation_leaves(unit: Reader, ring: KeyRing) -> Iterator[tuple[int, bytes | None]]:
    """Index and body of the leaf that each revocation ought to have; null where its row is not what was signed."""
    for row in unit.session.scalars(sa.select(RevocationRow).order_by(RevocationRow.log_index)):
        yield row.log_index, _leaf_of(row, ring)


def _leaf_of(row: RevocationRow, ring: KeyRing) -> bytes | None:
    try:
        envelope = dsse.read_envelope(row.envelope)
        key = ring.decision_key(envelope.signatures[0].keyid)
        signed = read_revocation(dsse.verify(envelope, {key.keyid: key}))
    except AssayError:
        return None
    stated = (signed.seq, signed.decision_id, signed.subject.digest, signed.environment, signed.cause)
    stored = (row.seq, row.decision_id, row.subject_digest, row.environment, row.cause)
    told = (signed.reason, signed.revoked_at, signed.revoked_by)
    is_same = stated == stored and told == (row.reason, row.revoked_at, row.revoked_by)
    return decision_leaf(envelope, key) if is_same else None


def _value(row: RevocationRow) -> Revocation:
    envelope = dsse.read_envelope(row.envelope)
    signed = read_revocation(dsse.decode(envelope.payload, what="the payload"))
    return Revocation(signed, row.revoker, envelope, row.log_index)
