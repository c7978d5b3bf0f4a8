"""Delivering: each webhook is told of its events in their order, again and again until it takes them or it is too late.

A delivery is made at least once; its id stays the same, so that a receiver can tell a repetition. A receiver that is
away holds up nobody but itself.
"""

import os
import socket
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog
from pydantic import JsonValue, SecretStr

from governance import __version__
from governance.canonical import canonical
from governance.clock import uuid7
from governance.database import Database, Unit
from governance.egress import EgressRefused, Guard, ReceiverAway, exchange
from governance.jobs.lease import QUEUED, RUNNING, Claim, LeaseLost, claim, release
from governance.notices.outbox import cloud_event
from governance.notices.signature import sign
from governance.notices.tables import DeliveryRow, NoticeRow, WebhookRow
from governance.notices.webhooks import DEAD, DELIVERED, Target
from governance.settings import WebhookSettings

log = structlog.get_logger("assay.work")

TASK = "webhooks"

FIRST_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 3600.0
"""A try that failed is repeated after five seconds, then ten, twenty and so on, at least every hour."""

TURN_SECONDS = 20.0
"""How long one turn goes on before other work gets the thread; the next sweep takes up what is left."""

GONE = 410
"""The receiver's word for "never again"."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a try went: whether it arrived, the status that was answered, and what was wrong."""

    delivered: bool
    status: int | None = None
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class _Taken:
    claim: Claim
    url: str
    secret: SecretStr
    event_id: str
    event: dict[str, JsonValue]
    announced_at: datetime


def send(url: str, secret: str, event: dict[str, JsonValue], settings: WebhookSettings, *, now: datetime) -> Outcome:
    """One try to deliver ``event``, signed at ``now``. Nothing of the answer but its status is read or told."""
    body = canonical(event)
    headers = {
        "Content-Type": "application/cloudevents+json",
        "User-Agent": f"assay/{__version__}",
        **sign(secret, message_id=str(event["id"]), timestamp=int(now.timestamp()), body=body),
    }
    guard = Guard(settings.allowed_hosts)
    try:
        answer = exchange("POST", url, guard, headers=headers, content=body, timeout_seconds=settings.timeout_seconds)
    except EgressRefused:
        # Which address it was is not told: names of inner hosts would be mapped that way.
        return Outcome(False, fault="the address is not one that the service connects to")
    except ReceiverAway as away:
        return Outcome(False, fault=f"no answer: {away.found}")
    if 200 <= answer.status < 300:
        return Outcome(True, answer.status)
    return Outcome(False, answer.status, f"HTTP {answer.status} where 2xx means that it was taken")


def try_out(target: Target, settings: WebhookSettings, *, source: str, now: datetime) -> Outcome:
    """Send a test event, which tells of nothing and is not kept, by the same way as any other, once."""
    notice = NoticeRow(
        id=str(uuid7(now)), type="assay.webhook.test", subject=f"webhooks/{target.id}", data={}, announced_at=now
    )
    return send(target.url, target.secret.get_secret_value(), cloud_event(notice, source), settings, now=now)


class WebhookTask:
    """Deliveries as work that an engine carries out; there is one key, and one thread of a process at a time."""

    name = TASK

    def __init__(self, database: Database, settings: WebhookSettings, *, source: str) -> None:
        """Deliver what ``database`` holds; ``source`` names this instance in the events.

        Raises:
            EgressRefused: an entry of the allowed hosts is none.
        """
        Guard(settings.allowed_hosts)
        self._database = database
        self._settings = settings
        self._source = source
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._turn = threading.Lock()

    def due(self) -> list[str]:
        """The key, when a delivery can be tried now."""
        with self._database.read_unit() as unit:
            return [TASK] if unit.session.execute(_heads(unit.now).limit(1)).first() is not None else []

    def run(self, key: str) -> None:  # noqa: ARG002 - there is one
        """Tell every webhook what it can be told now, each in order, for a while."""
        if not self._turn.acquire(blocking=False):
            return
        until = time.monotonic() + TURN_SECONDS
        try:
            for webhook_id in self._waiting():
                while time.monotonic() < until and self._deliver_next(webhook_id):
                    pass
        finally:
            self._turn.release()

    def _waiting(self) -> list[str]:
        with self._database.read_unit() as unit:
            return [row.webhook_id for row in unit.session.execute(_heads(unit.now))]

    def _deliver_next(self, webhook_id: str) -> bool:
        """Whether the first delivery that waits for this webhook was made, so that the next may be tried."""
        taken = self._take(webhook_id)
        if taken is None:
            return False
        now = self._database.clock()
        outcome = send(taken.url, taken.secret.get_secret_value(), taken.event, self._settings, now=now)
        late = now - taken.announced_at >= timedelta(days=self._settings.give_up_days)
        dead = not outcome.delivered and (late or outcome.status == GONE)
        state = DELIVERED if outcome.delivered else DEAD if dead else QUEUED
        try:
            with self._database.unit() as unit:
                row = release(unit, DeliveryRow, taken.claim.key, taken.claim.token, state=state)
                row.status, row.fault = outcome.status, outcome.fault
                row.ended_at = None if state == QUEUED else unit.now
        except LeaseLost as lost:
            log.warning("webhook.lease_lost", delivery=taken.claim.key, found=lost.found)
            return False
        if not outcome.delivered:
            log.warning("webhook.not_delivered", webhook=webhook_id, event_id=taken.event_id, state=state)
        return state != QUEUED

    def _take(self, webhook_id: str) -> _Taken | None:
        """The webhook's first open delivery, leased; None when it cannot be tried now."""
        with self._database.unit() as unit:
            head = unit.session.execute(_heads(unit.now).where(DeliveryRow.webhook_id == webhook_id)).first()
            lease = 4 * self._settings.timeout_seconds
            claims = claim(
                unit, DeliveryRow, worker=self._worker, lease_seconds=lease, keys=[] if head is None else [head.id]
            )
            if not claims:
                return None
            row = unit.session.get_one(DeliveryRow, claims[0].key)
            # Before the try, so that one which takes the worker down with it waits for its next turn too.
            row.not_before = unit.now + timedelta(seconds=wait_seconds(row.attempts))
            row.tried_at = unit.now
            row.fault = "the worker ended before it was known whether the event had arrived"
            return _taken(unit, row, claims[0], self._source)


def _taken(unit: Unit, row: DeliveryRow, claimed: Claim, source: str) -> _Taken:
    notice = unit.session.get_one(NoticeRow, row.notice_seq)
    hook = unit.session.get_one(WebhookRow, row.webhook_id)
    return _Taken(
        claimed, hook.url, SecretStr(hook.secret), notice.id, cloud_event(notice, source), notice.announced_at
    )


def wait_seconds(attempts: int) -> float:
    """How long to wait after so many tries, in seconds."""
    return float(min(FIRST_WAIT_SECONDS * 2.0 ** min(max(attempts - 1, 0), 30), LONGEST_WAIT_SECONDS))


def _heads(now: datetime) -> sa.Select[str, str]:
    """Of each webhook the first delivery that is not ended, where it can be tried now."""
    first = (
        sa.select(sa.func.min(DeliveryRow.id))
        .where(DeliveryRow.state.in_((QUEUED, RUNNING)))
        .group_by(DeliveryRow.webhook_id)
    )
    gone = sa.and_(DeliveryRow.state == RUNNING, DeliveryRow.leased_until <= now)
    ready = sa.and_(DeliveryRow.state == QUEUED, DeliveryRow.not_before <= now)
    return (
        sa.select(DeliveryRow.id, DeliveryRow.webhook_id)
        .where(DeliveryRow.id.in_(first), sa.or_(gone, ready))
        .order_by(DeliveryRow.id)
    )
