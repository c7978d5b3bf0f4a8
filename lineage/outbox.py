"""Assay's own events: recorded like any others, and sent on to another consumer of OpenLineage where one is set.

What is to be sent is a row, written in the transaction of the event itself, so that no event is lost and none is sent
that was not stored. Each is sent at least once. The events of a run keep their order; a consumer that is away is tried
again for as long as it takes, and an event that the consumer refuses is kept as ``dead``, with the reason.
"""

import os
import socket
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from sqlalchemy.orm import aliased

from governance.database import Database, Unit
from governance.jobs.lease import QUEUED, RUNNING, Claim, LeaseLost, claim, held, release
from governance.log.journal import Leaf
from governance.settings import LineageSettings
from lineage.ingest import Recorded, store_events
from lineage.reading import Reader
from lineage.record_tables import OutboxRow
from lineage.tables import EventRow, PayloadRow
from lineage.transports import Refusal, Sender, Undelivered

log = structlog.get_logger("assay.work")

TASK = "lineage.outbox"
DELIVERED = "delivered"
DEAD = "dead"

FIRST_WAIT_SECONDS = 1.0
LONGEST_WAIT_SECONDS = 300.0
"""A try that failed is repeated after one second, then two, four and so on, at most every five minutes."""

LEASE_SECONDS = 120.0
"""Longer than a transport takes for one event; that of HTTP gives up after six tries of five seconds and pauses."""


def store_own_events(unit: Unit, bodies: Sequence[bytes], settings: LineageSettings) -> list[Leaf]:
    """Store events that Assay itself wrote, and put them in the outbox where they are to be sent on; their leaves.

    The caller appends the leaves to the log together with its own, last of all. The limits and the strictness that
    hold for others' events do not: these must be stored whatever is set.

    Raises:
        InputRefused: an event cannot be placed; a fault of whoever built it.
    """
    answers, leaves = store_events(unit, bodies, LineageSettings())
    digests = []
    for answer in answers:
        if not isinstance(answer, Recorded):
            raise answer.fault
        digests.append(answer.digest)
    if settings.forward_to is not None:
        _enqueue(unit, digests)
    return leaves


def _enqueue(unit: Unit, digests: Sequence[str]) -> None:
    """One row for each event that has none, in the order given; equal events are one."""
    order = {bytes.fromhex(digest.removeprefix("sha256:")): place for place, digest in enumerate(digests)}
    sent = sa.select(OutboxRow.event_id).where(OutboxRow.event_id == EventRow.id)
    rows = unit.session.scalars(sa.select(EventRow).where(EventRow.digest.in_(order), ~sent.exists()))
    for row in rows.all():
        lane = row.digest if row.run_identity is None else row.run_identity
        unit.session.add(
            OutboxRow(
                id=f"{unit.now:%Y%m%d%H%M%S%f}-{order[row.digest]:04d}-{row.id}",
                event_id=row.id,
                lane=lane.hex(),
                state=QUEUED,
                attempts=0,
                enqueued_at=unit.now,
                not_before=unit.now,
            )
        )
    unit.session.flush()


@dataclass(frozen=True, slots=True)
class Backlog:
    """How many events wait, how many were refused for good, and since when the oldest waits."""

    waiting: int
    dead: int
    delivered: int
    oldest: datetime | None


def backlog(unit: Reader) -> Backlog:
    """What the outbox holds."""
    query = sa.select(OutboxRow.state, sa.func.count(), sa.func.min(OutboxRow.enqueued_at)).group_by(OutboxRow.state)
    found = {state: (count, oldest) for state, count, oldest in unit.session.execute(query)}
    waiting = [found[state] for state in (QUEUED, RUNNING) if state in found]
    none = (0, None)
    return Backlog(
        waiting=sum(count for count, _ in waiting),
        dead=found.get(DEAD, none)[0],
        delivered=found.get(DELIVERED, none)[0],
        oldest=min((oldest for _, oldest in waiting), default=None),
    )


@dataclass(frozen=True, slots=True)
class Entry:
    """An event in the outbox that has not been delivered."""

    digest: str
    state: str
    attempts: int
    enqueued_at: datetime
    not_before: datetime
    fault: str | None


def undelivered(unit: Reader, *, limit: int = 100) -> list[Entry]:
    """Events that wait or were refused, oldest first."""
    query = (
        sa.select(OutboxRow, EventRow.digest)
        .join(EventRow, EventRow.id == OutboxRow.event_id)
        .where(OutboxRow.state != DELIVERED)
        .order_by(OutboxRow.id)
        .limit(limit)
    )
    return [
        Entry(f"sha256:{digest.hex()}", row.state, row.attempts, row.enqueued_at, row.not_before, row.fault)
        for row, digest in unit.session.execute(query)
    ]


def retry_dead(unit: Unit) -> int:
    """Let every event that was refused be tried again; how many there were."""
    revived = (
        sa.update(OutboxRow)
        .where(OutboxRow.state == DEAD)
        .values(state=QUEUED, not_before=unit.now, attempts=0, ended_at=None)
        .returning(OutboxRow.id)
    )
    return len(unit.session.scalars(revived, execution_options={"synchronize_session": False}).all())


class OutboxTask:
    """Sending on as work that an engine carries out; there is one key.

    One thread of a process sends at a time, so that a slow consumer keeps no other work from its turn. While the
    consumer is away it is tried less and less often.
    """

    name = TASK

    def __init__(self, database: Database, sender: Sender, *, lease_seconds: float = LEASE_SECONDS) -> None:
        """Send what is in ``database`` with ``sender``; after the lease another worker may take an event over."""
        self._database = database
        self._lease_seconds = lease_seconds
        self._sender = sender
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._turn = threading.Lock()
        self._failures = 0
        self._quiet_until: datetime | None = None

    def due(self) -> list[str]:
        """The key, when an event can be tried now."""
        with self._database.read_unit() as unit:
            if self._quiet_until is not None and unit.now < self._quiet_until:
                return []
            return [TASK] if unit.session.scalar(_next(unit.now)) is not None else []

    def run(self, key: str) -> None:  # noqa: ARG002 - there is one
        """Send what can be sent now, until one is not delivered; another thread that is at it suffices."""
        if not self._turn.acquire(blocking=False):
            return
        try:
            while (taken := self._take()) is not None and self._send(*taken):
                self._failures = 0
        finally:
            self._turn.release()

    def _take(self) -> tuple[Claim, bytes] | None:
        """The event to send next, leased, and its bytes; None when there is none that can be tried now."""
        with self._database.unit() as unit:
            wanted = unit.session.scalar(_next(unit.now))
            claims = claim(
                unit,
                OutboxRow,
                worker=self._worker,
                lease_seconds=self._lease_seconds,
                keys=[] if wanted is None else [wanted],
            )
            if not claims:
                return None
            row = unit.session.get_one(OutboxRow, claims[0].key)
            # Before the try, so that one which takes the worker down with it waits for its next turn too.
            row.not_before = unit.now + timedelta(seconds=wait_seconds(row.attempts))
            row.fault = "the worker ended before it was known whether the event had arrived"
            body = unit.session.scalars(sa.select(PayloadRow.body).where(PayloadRow.event_id == row.event_id)).one()
        return claims[0], body

    def _send(self, taken: Claim, body: bytes) -> bool:
        """Whether sending goes on: the consumer took the event, or refused it for good."""
        state, fault = DELIVERED, None
        try:
            self._sender.send(body)
        except Refusal as refusal:
            state, fault = DEAD, str(refusal)
        except Undelivered as failure:
            state, fault = QUEUED, str(failure)
        try:
            with self._database.unit() as unit:
                held(unit, OutboxRow, taken.key, taken.token).fault = fault
                row = release(unit, OutboxRow, taken.key, taken.token, state=state)
                row.ended_at = None if state == QUEUED else unit.now
        except LeaseLost as lost:
            log.warning("outbox.lease_lost", entry=taken.key, found=lost.found)
            return False
        if fault is not None:
            log.warning("outbox.not_delivered", entry=taken.key, state=state, fault=fault)
        if state == QUEUED:
            self._failures += 1
            self._quiet_until = self._database.clock() + timedelta(seconds=wait_seconds(self._failures))
        return state != QUEUED


def wait_seconds(attempts: int) -> float:
    """How long to wait after so many tries, in seconds."""
    return float(min(FIRST_WAIT_SECONDS * 2.0 ** min(max(attempts - 1, 0), 30), LONGEST_WAIT_SECONDS))


def _next(now: datetime) -> sa.Select[str]:
    """The first event that can be tried now and is not behind another of its lane."""
    return sa.select(OutboxRow.id).where(_is_due(now), ~_behind_another()).order_by(OutboxRow.id).limit(1)


def _is_due(now: datetime) -> sa.ColumnElement[bool]:
    """Whether a row can be tried: it waits and its time has come, or the worker that had it is gone."""
    gone = sa.and_(OutboxRow.state == RUNNING, OutboxRow.leased_until <= now)
    return sa.or_(sa.and_(OutboxRow.state == QUEUED, OutboxRow.not_before <= now), gone)


def _behind_another() -> sa.ColumnElement[bool]:
    """Whether an earlier event of the row's lane has yet to be delivered."""
    other = aliased(OutboxRow)
    earlier = sa.select(other.id).where(
        other.lane == OutboxRow.lane, other.id < OutboxRow.id, other.state.in_((QUEUED, RUNNING))
    )
    return earlier.exists()
