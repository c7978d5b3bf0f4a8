"""Statements of people about models: kept for good, each with its leaf in the log."""

from collections.abc import Iterator

import sqlalchemy as sa

from audits.attestations import Stated
from audits.life_tables import AttestationRow
from audits.model_facts import require_same_model
from governance.access.principal import Principal
from governance.access.roles import Permission
from governance.canonical import canonical, read_json, sha256
from governance.clock import rfc3339, uuid7
from governance.database import ReadUnit, Unit
from governance.errors import InputRefused, NotPermitted
from governance.log.journal import Leaf, append, lock
from governance.types.attestation import AttestationRequest, AttestationUse
from governance.types.value import Digest, Value

LEAF_KIND = "attestation"

Reader = Unit | ReadUnit


class Attestation(Value):
    """A statement on record: what was stated, by whom and when, and its leaf's index."""

    id: str
    stated: AttestationRequest
    digest: Digest
    stated_at: str
    stated_by: str
    name: str
    log_index: int


def attest(unit: Unit, asked: AttestationRequest, principal: Principal) -> Attestation:
    """Keep what the principal states.

    Raises:
        NotPermitted: the principal may not state anything, or not about this model.
        InputRefused: it has expired already. Conflict: the model is registered under another name or with other bytes.
    """
    principal.require(Permission.ATTEST)
    if not principal.sees(asked.subject.namespace, asked.subject.name):
        raise NotPermitted(
            expected="a key whose scopes cover the model",
            found=f"the scopes {', '.join(principal.scopes) or 'none'}"[:300],
            remedy="Use a key of this model's team.",
        )
    if asked.expires_at <= unit.now:
        raise InputRefused(
            expected="an end in the future", found=rfc3339(asked.expires_at), remedy="Set it later.",
            pointer="/expires_at",
        )  # fmt: skip
    require_same_model(unit, asked.subject)
    body = canonical(asked.document())
    lock(unit)  # so that statements are on record in the order of the log
    identifier = str(uuid7(unit.now))
    row = AttestationRow(
        id=identifier,
        subject_digest=asked.subject.digest,
        kind=asked.kind,
        body=body,
        stated_at=unit.now,
        stated_by=principal.id,
        stater=principal.name,
        log_index=append(unit, [Leaf(LEAF_KIND, _leaf(identifier, body, principal.id))])[0],
    )
    unit.session.add(row)
    unit.session.flush()
    return _value(row)


def attestations_of(unit: Reader, digest: str, principal: Principal) -> list[Attestation]:
    """Every statement about these bytes that the principal may see, oldest first."""
    found = [_value(row) for row in unit.session.scalars(_about(digest))]
    return [each for each in found if principal.sees(each.stated.subject.namespace, each.stated.subject.name)]


def stated_about(unit: Reader, digest: str) -> list[Stated]:
    """Every statement about these bytes as the gate counts it, in the order in which they were made."""
    return [_stated(row) for row in unit.session.scalars(_about(digest))]


def attestation_leaves(unit: Reader) -> Iterator[tuple[int, bytes | None]]:
    """Index and body of the leaf that each statement ought to have; null where its columns say otherwise."""
    for row in unit.session.scalars(sa.select(AttestationRow).order_by(AttestationRow.log_index)):
        told = _asked(row)
        is_same = (told.subject.digest, told.kind) == (row.subject_digest, row.kind)
        yield row.log_index, _leaf(row.id, row.body, row.stated_by) if is_same else None


def _about(digest: str) -> sa.Select[AttestationRow]:
    return sa.select(AttestationRow).where(AttestationRow.subject_digest == digest).order_by(AttestationRow.log_index)


def _leaf(identifier: str, body: bytes, by: str) -> bytes:
    return canonical({"kind": "attestation/v1", "attestation": identifier, "digest": sha256(body), "by": by})


def _asked(row: AttestationRow) -> AttestationRequest:
    return AttestationRequest.model_validate(read_json(row.body))


def _stated(row: AttestationRow) -> Stated:
    told = _asked(row)
    use = AttestationUse(
        kind=told.kind,
        digest=sha256(row.body),
        by=row.stated_by,
        name=row.stater,
        stated_at=row.stated_at,
        expires_at=told.expires_at,
        text=told.text,
        reference=told.reference,
    )
    return Stated(use, told.holds)


def _value(row: AttestationRow) -> Attestation:
    return Attestation(
        id=row.id,
        stated=_asked(row),
        digest=sha256(row.body),
        stated_at=rfc3339(row.stated_at),
        stated_by=row.stated_by,
        name=row.stater,
        log_index=row.log_index,
    )
