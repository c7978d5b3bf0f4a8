"""What became of decisions, read from their rows."""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from audits import store
from audits.break_glass import active_grant
from audits.life_tables import RevocationRow
from audits.tables import DecisionRow
from audits.validity import Life, Validity, validity
from governance.access.principal import Principal
from governance.clock import rfc3339
from governance.database import ReadUnit, Unit
from governance.errors import NotFound
from governance.types.decision import Decision
from governance.types.results import Verdict
from governance.types.value import Digest, Name, Value

Reader = Unit | ReadUnit


class VerifyRequest(Value):
    """Bytes and an environment, as whoever is about to deploy finds them."""

    digest: Digest
    environment: Name


def visible(unit: Reader, decision_id: str, principal: Principal) -> tuple[DecisionRow, Decision]:
    """A decision that the principal may see.

    Raises:
        NotFound: there is none, or it is not the principal's to see; the answer does not tell which.
    """
    row = unit.session.get(DecisionRow, decision_id) if "\x00" not in decision_id else None
    decision = None if row is None else store.decision(unit, row)
    if row is None or decision is None or not principal.sees(decision.subject.namespace, decision.subject.name):
        raise NotFound(expected="the id of a decision", found=repr(decision_id[:80]), remedy="Check the id.")
    return row, decision


def lives(unit: Reader, decision_ids: Collection[str]) -> Mapping[str, Life]:
    """The life of each decision that exists, by its id."""
    rows = unit.session.scalars(sa.select(DecisionRow).where(DecisionRow.id.in_(sorted(decision_ids)))).all()
    takings = sa.select(RevocationRow.decision_id, RevocationRow.revoked_at).where(
        RevocationRow.decision_id.in_([row.id for row in rows])
    )
    revoked = {taking.decision_id: taking.revoked_at for taking in unit.session.execute(takings)}
    return {
        row.id: Life(
            verdict=Verdict(row.verdict),
            mode=row.mode,
            subject_digest=row.subject_digest,
            environment=row.environment,
            evaluated_at=row.evaluated_at,
            valid_until=row.valid_until,
            revoked_at=revoked.get(row.id),
            superseded_at=_superseded_at(unit, row),
        )
        for row in rows
    }


def _superseded_at(unit: Reader, row: DecisionRow) -> datetime | None:
    """When the first later enforced decision was taken that does not allow; the log says which is later."""
    return unit.session.scalars(
        sa.select(DecisionRow.evaluated_at)
        .where(
            DecisionRow.subject_digest == row.subject_digest,
            DecisionRow.environment == row.environment,
            DecisionRow.evaluated_at >= row.evaluated_at,
            DecisionRow.log_index > row.log_index,
            DecisionRow.mode == "enforce",
            DecisionRow.verdict != Verdict.ALLOW.value,
        )
        .order_by(DecisionRow.log_index)
        .limit(1)
    ).first()


def verified(unit: Reader, decision_id: str, asked: VerifyRequest, principal: Principal) -> dict[str, Any]:
    """What a decision is worth for these bytes in this environment now, and what stands beside it.

    Raises:
        NotFound: no decision has this id.
    """
    row, decision = visible(unit, decision_id, principal)
    life = lives(unit, [row.id])[row.id]
    status = validity(life, digest=asked.digest, environment=asked.environment, at=unit.now)
    grant = active_grant(unit, row.id, unit.now) if status is Validity.NOT_ALLOWED else None
    return {
        "decision_id": row.id,
        "status": status.value,
        "valid": status is Validity.VALID,
        "verdict": decision.verdict.value,
        "mode": decision.mode,
        "subject": decision.subject.document(),
        "environment": decision.environment,
        "evaluated_at": rfc3339(row.evaluated_at),
        "valid_until": _text(row.valid_until),
        "revoked_at": _text(life.revoked_at),
        "superseded_at": _text(life.superseded_at),
        "verified_at": rfc3339(unit.now),
        "break_glass": None if grant is None else grant.document(),
    }


def _text(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)
