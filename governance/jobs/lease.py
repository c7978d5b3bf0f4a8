"""Leases on rows of work: who may write a row's result, and until when nobody else may try.

A lease carries a random token. Taking a row draws a new one, so that a holder who slept through its lease finds at
``held`` that the row is another's now (fencing). ``unit.now`` is the clock: where machines' clocks differ by more than
a lease, work may be done twice, and is still recorded once.
"""

import secrets
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TypeVar

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from governance.database import ReadUnit, Unit
from governance.errors import Conflict

QUEUED = "queued"
RUNNING = "running"


class LeaseLost(Conflict):
    """The row is another worker's, or finished; whatever was found out about it is discarded."""

    code = "work.lease_lost"
    title = "The work was taken over by another worker"


class LeasedRow:
    """Columns of a row that is work. ``state`` is ``queued``, ``running`` or a final word of the table's own.

    ``deadline`` is when its owner stops waiting; ``attempts`` counts how often it was taken.
    """

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    state: Mapped[str] = mapped_column(sa.Text, default=QUEUED)
    deadline: Mapped[datetime | None]
    leased_by: Mapped[str | None] = mapped_column(sa.Text)
    lease_token: Mapped[str | None] = mapped_column(sa.Text)
    leased_until: Mapped[datetime | None]
    attempts: Mapped[int] = mapped_column(sa.Integer, default=0)


LeasedT = TypeVar("LeasedT", bound=LeasedRow)


@dataclass(frozen=True, slots=True)
class Claim:
    """A row that is ours to work on: its key, and the token that proves it."""

    key: str
    token: str


def _claimable(row_type: type[LeasedT], now: datetime) -> sa.ColumnElement[bool]:
    expired = sa.and_(row_type.state == RUNNING, row_type.leased_until <= now)
    return sa.or_(row_type.state == QUEUED, expired)


def waiting(unit: Unit | ReadUnit, row_type: type[LeasedT], *, limit: int = 100) -> list[str]:
    """Keys of rows that nobody works on, oldest key first: what a sweep rings for."""
    statement = sa.select(row_type.id).where(_claimable(row_type, unit.now)).order_by(row_type.id).limit(limit)
    return list(unit.session.scalars(statement))


def claim(
    unit: Unit,
    row_type: type[LeasedT],
    *,
    worker: str,
    lease_seconds: float,
    limit: int = 1,
    keys: Collection[str] | None = None,
) -> list[Claim]:
    """Take up to ``limit`` rows that are queued or whose lease ran out; only those in ``keys``, where given.

    Rows that another transaction is just taking are passed over, not waited for.
    """
    wanted = sa.select(row_type).where(_claimable(row_type, unit.now)).order_by(row_type.id).limit(limit)
    if keys is not None:
        wanted = wanted.where(row_type.id.in_(keys))
    # SQLite ignores FOR UPDATE: a writing unit there is alone already.
    rows = unit.session.scalars(
        wanted.with_for_update(skip_locked=True).execution_options(populate_existing=True)
    ).all()
    claims = []
    for row in rows:
        row.state, row.leased_by, row.lease_token = RUNNING, worker, secrets.token_hex(16)
        row.leased_until = unit.now + timedelta(seconds=lease_seconds)
        row.attempts += 1
        claims.append(Claim(row.id, row.lease_token))
    unit.session.flush()
    return claims


def held(unit: Unit, row_type: type[LeasedT], key: str, token: str) -> LeasedT:
    """The row, locked until the unit ends, if ``token`` is still its lease; asked before a result is written.

    A lease that ran out and that nobody took is still held.

    Raises:
        LeaseLost: another worker took the row, or it is finished, or gone.
    """
    statement = sa.select(row_type).where(row_type.id == key).with_for_update()
    row = unit.session.scalars(statement.execution_options(populate_existing=True)).one_or_none()
    if row is None or row.state != RUNNING or row.lease_token != token:
        raise LeaseLost(
            expected=f"the lease of {key} to be held by this worker",
            found="no such row" if row is None else f"state {row.state}, held by {row.leased_by or 'nobody'}",
            remedy="Nothing: the other worker records the result.",
        )
    return row


def renew(unit: Unit, row_type: type[LeasedT], key: str, token: str, *, lease_seconds: float) -> datetime:
    """Hold the row for another ``lease_seconds`` from now; until when.

    Raises:
        LeaseLost: it is not held any more.
    """
    until = unit.now + timedelta(seconds=lease_seconds)
    held(unit, row_type, key, token).leased_until = until
    unit.session.flush()
    return until


def release(unit: Unit, row_type: type[LeasedT], key: str, token: str, *, state: str = QUEUED) -> LeasedT:
    """Let go of the row: back in the queue, or in a final ``state`` of its table; the row.

    Raises:
        LeaseLost: it is not held any more.
    """
    row = held(unit, row_type, key, token)
    row.state, row.leased_by, row.lease_token, row.leased_until = state, None, None, None
    unit.session.flush()
    return row
