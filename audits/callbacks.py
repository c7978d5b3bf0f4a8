"""CI hosts that wait: what they asked is kept, looked at again until there is an answer, and told until it is taken."""

import os
import socket
import threading
import time
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

import sqlalchemy as sa
import structlog

from audits import store
from audits.host_answer import HostAnswer, Say, Standing, answer
from audits.host_tables import CallbackRow, RevisionRow
from audits.hosts import Host, Question
from audits.lives import lives
from audits.validity import validity
from governance.canonical import canonical, sha256
from governance.database import Database, ReadUnit, Unit
from governance.errors import AssayError
from governance.jobs.lease import QUEUED, RUNNING, Claim, LeaseLost, claim, release

log = structlog.get_logger("assay.work")

TASK = "hosts"

DELIVERED = "delivered"
DEAD = "dead"

LOOK_AGAIN_SECONDS = 3.0
"""How often a verdict that is awaited is looked for."""

FIRST_WAIT_SECONDS = 5.0
LONGEST_WAIT_SECONDS = 600.0
MOST_TRIES = 50
"""Tries to tell a host: some seven hours. Afterwards its own time is over as well."""

LEASE_SECONDS = 60.0

TURN_SECONDS = 20.0
"""How long one turn goes on before other work gets the thread; the next sweep takes up what is left."""

NEVER = frozenset({400, 404, 410, 422})
"""The host knows no such run or merge request any more, or takes no answer; another try changes nothing."""


def ask(unit: Unit, question: Question, *, wait_seconds: float) -> str:
    """Keep what a host asked, to be answered by the task; the id of the row.

    The same question again is asked anew: a host sends it again when it wants another answer.
    """
    asked = {"host": question.host, "target": question.target, "revision": question.revision}
    identifier = sha256(canonical(asked))
    row = unit.session.get(CallbackRow, identifier)
    if row is None:
        row = CallbackRow(id=identifier, attempts=0)
        unit.session.add(row)
    row.host, row.repository, row.revision = question.host, question.repository, question.revision
    row.environment, row.models, row.target = question.environment, [*question.models], question.target
    row.state, row.leased_by, row.lease_token, row.leased_until = QUEUED, None, None, None
    row.asked_at = row.not_before = unit.now
    row.deadline = unit.now + timedelta(seconds=wait_seconds)
    row.tries, row.tried_at, row.answer, row.status, row.fault, row.ended_at = 0, None, None, None, None, None
    unit.session.flush()
    return identifier


def standings(unit: ReadUnit, revision: str, environment: str, models: list[str]) -> dict[str, Standing]:
    """By model the newest enforced evaluation that named this revision and environment."""
    rows = unit.session.scalars(
        sa.select(RevisionRow).where(RevisionRow.revision == revision).order_by(RevisionRow.evaluation_id.desc())
    ).all()
    newest: dict[str, str] = {}
    for row in rows:
        if row.environment == environment and row.model in models:
            newest.setdefault(row.model, row.evaluation_id)
    return {model: _standing(unit, evaluation, environment) for model, evaluation in newest.items()}


def _standing(unit: ReadUnit, evaluation_id: str, environment: str) -> Standing:
    row = store.decision_of_evaluation(unit, evaluation_id)
    if row is None:
        return Standing(evaluation_id, None, None)
    life = lives(unit, [row.id])[row.id]
    worth = validity(life, digest=row.subject_digest, environment=environment, at=unit.now)
    return Standing(evaluation_id, row.verdict, worth)


class HostTask:
    """Answers to hosts as work that an engine carries out; there is one key, and one thread of a process at a time."""

    name = TASK

    def __init__(self, database: Database, hosts: Mapping[str, Host]) -> None:
        """Answer what ``database`` holds of these hosts."""
        self._database = database
        self._hosts = hosts
        self._worker = f"{socket.gethostname()}:{os.getpid()}"
        self._turn = threading.Lock()

    def due(self) -> list[str]:
        """The key, when a host may be told now."""
        with self._database.read_unit() as unit:
            return [TASK] if _ready(unit, [*self._hosts], limit=1) else []

    def run(self, key: str) -> None:  # noqa: ARG002 - there is one
        """Look at each question once, and tell the hosts whose answer is there."""
        if not self._turn.acquire(blocking=False):
            return
        until = time.monotonic() + TURN_SECONDS
        try:
            with self._database.read_unit() as unit:
                keys = _ready(unit, [*self._hosts], limit=100)
            for each in keys:
                if time.monotonic() < until:
                    self._look(each)
        finally:
            self._turn.release()

    def _look(self, key: str) -> None:
        with self._database.unit() as unit:
            claims = claim(unit, CallbackRow, worker=self._worker, lease_seconds=LEASE_SECONDS, keys=[key])
            if not claims:
                return
            row = unit.session.get_one(CallbackRow, key)
            host, target = self._hosts[row.host], dict(row.target)
            asked = (row.revision, row.environment, [*row.models])
            late = row.deadline is None or unit.now >= row.deadline
        # The answer is made of what holds now, however often the host could not be told before.
        with self._database.read_unit() as reading:
            said = answer(asked[2], standings(reading, *asked), late=late)
        try:
            if said.say is Say.WAIT:
                self._put_off(claims[0])
            else:
                self._tell(claims[0], host, target, said)
        except LeaseLost as lost:
            log.warning("host.lease_lost", callback=key, found=lost.found)

    def _put_off(self, taken: Claim) -> None:
        with self._database.unit() as unit:
            row = release(unit, CallbackRow, taken.key, taken.token)
            row.not_before = unit.now + timedelta(seconds=LOOK_AGAIN_SECONDS)

    def _tell(self, taken: Claim, host: Host, target: dict[str, Any], said: HostAnswer) -> None:
        status, fault = None, None
        try:
            status = host.tell(target, said, self._database.clock())
            fault = None if 200 <= status < 300 else f"HTTP {status} where 2xx means that it was taken"
        except AssayError as refused:
            fault = refused.message
        with self._database.unit() as unit:
            row = unit.session.get_one(CallbackRow, taken.key)
            dead = fault is not None and (status in NEVER or row.tries + 1 >= MOST_TRIES)
            state = DELIVERED if fault is None else DEAD if dead else QUEUED
            row = release(unit, CallbackRow, taken.key, taken.token, state=state)
            row.tries += 1
            row.not_before = unit.now + timedelta(seconds=wait_seconds(row.tries))
            row.tried_at, row.answer, row.status, row.fault = unit.now, said.say.value, status, fault
            row.ended_at = None if state == QUEUED else unit.now
        if fault is not None:
            log.warning("host.not_told", callback=taken.key, state=state, fault=fault)


def wait_seconds(tries: int) -> float:
    """How long to wait after so many tries, in seconds."""
    return float(min(FIRST_WAIT_SECONDS * 2.0 ** min(max(tries - 1, 0), 30), LONGEST_WAIT_SECONDS))


def _ready(unit: ReadUnit, hosts: list[str], *, limit: int) -> list[str]:
    """Questions that can be looked at now, oldest first."""
    return list(
        unit.session.scalars(
            sa.select(CallbackRow.id)
            .where(CallbackRow.host.in_(hosts), _is_due(unit.now))
            .order_by(CallbackRow.asked_at, CallbackRow.id)
            .limit(limit)
        )
    )


def _is_due(now: datetime) -> sa.ColumnElement[bool]:
    gone = sa.and_(CallbackRow.state == RUNNING, CallbackRow.leased_until <= now)
    return sa.or_(sa.and_(CallbackRow.state == QUEUED, CallbackRow.not_before <= now), gone)
