"""Acts that were refused to a person: the refusal outlives the transaction that it ended."""

from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

import sqlalchemy as sa

from audits import store
from audits.acts import AnyUnit, Signature, document_of, page, sign, signature_of
from audits.people_tables import BreakGlassRow, GateRefusalRow, WaiverRow
from governance.access.principal import Principal
from governance.database import Database, Unit
from governance.errors import NotFound, NotPermitted
from governance.types.value import Value

T = TypeVar("T")

MOST_UPON = 200
"""Characters that are kept of what was acted upon."""


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
            content = {"act": act, "object": upon[:MOST_UPON], "code": fault.code, "message": fault.message[:2000]}
            signed = sign(unit, principal, "refusal.gate/v1", {**content})
            unit.session.add(GateRefusalRow(act=act, object=upon[:MOST_UPON], code=fault.code, **signed))
            unit.session.flush()
        raise


def listed(unit: AnyUnit, *, after: int = -1, limit: int = 100) -> tuple[list[Refusal], int | None]:
    """Refused acts that the unit sees, and the leaf after which the next page begins; None at the end.

    An act is seen where the model is that it was about. Acts upon policies, which name no models, are seen by all.
    """
    if unit.sight.is_whole:
        found = refusals(unit, after=after, limit=limit + 1)
        return found[:limit], found[limit - 1].log_index if len(found) > limit else None
    return page(
        lambda start: refusals(unit, after=start, limit=limit + 1),
        lambda one: one.log_index,
        lambda one: _is_seen(unit, one),
        after=after,
        limit=limit,
    )


def _is_seen(unit: AnyUnit, refusal: Refusal) -> bool:
    """Whether the unit sees the model; of an act that is not known here it is not."""
    of, _, act = refusal.act.partition(".")
    if of == "policy":
        return True
    if refusal.act == "waiver.request":
        # What was cut off could have decided it.
        namespace, _, name = refusal.object.partition("/")
        return len(refusal.object) < MOST_UPON and unit.sight.sees(namespace, name)
    if of == "waiver":
        waiver = unit.session.get(WaiverRow, refusal.object)
        return waiver is not None and unit.sight.sees(waiver.namespace, waiver.name)
    try:
        if of == "break_glass":
            grant = unit.session.get(BreakGlassRow, refusal.object) if act == "review" else None
            store.decision_row(unit, refusal.object if grant is None else grant.decision_id)
        else:
            store.evaluation(unit, refusal.object)
    except NotFound:
        return False
    return True


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
