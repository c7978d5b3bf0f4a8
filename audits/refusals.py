"""Acts that were refused to a person: the refusal outlives the transaction that it ended."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa

from audits.acts import AnyUnit, Signature, document_of, sign, signature_of
from audits.people_tables import GateRefusalRow
from governance.access.principal import Principal
from governance.database import Database, Unit
from governance.errors import NotPermitted
from governance.types.value import Value

T = TypeVar("T")


class Refusal(Value):
    """An act that was refused: what, upon what, by which error, and to whom (holder and key)."""

    act: str
    object: str
    code: str
    message: str
    by: Signature
    recorded_at: datetime
    log_index: int


def done_or_refused(database: Database, principal: Principal, act: str, upon: str, do: Callable[[Unit], T]) -> T:
    """What ``do`` gives, in a transaction of its own; a refusal to this person is kept in another one, and raised.

    ``act`` is such as ``waiver.approve`` and ``upon`` the id of what was acted upon.

    Raises:
        What ``do`` raises.
    """
    try:
        with database.unit() as unit:
            return do(unit)
    except NotPermitted as fault:
        # What was attempted is rolled back by now; that it was attempted must outlive it.
        with database.unit() as unit:
            content = {"act": act, "object": upon[:200], "code": fault.code, "message": fault.message[:2000]}
            signed = sign(unit, principal, "refusal.gate/v1", {**content})
            unit.session.add(GateRefusalRow(act=act, object=upon[:200], code=fault.code, **signed))
            unit.session.flush()
        raise


def refusals(unit: AnyUnit, *, after: int = -1, limit: int = 100) -> list[Refusal]:
    """Refused acts in the order of the log, those after the leaf ``after``."""
    rows = unit.session.scalars(
        sa.select(GateRefusalRow)
        .where(GateRefusalRow.log_index > after)
        .order_by(GateRefusalRow.log_index)
        .limit(limit)
    )
    return [
        Refusal(
            act=row.act,
            object=row.object,
            code=row.code,
            message=document_of(row.body)["message"],
            by=signature_of(row.body),
            recorded_at=row.recorded_at,
            log_index=row.log_index,
        )
        for row in rows
    ]
