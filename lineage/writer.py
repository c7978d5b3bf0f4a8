"""Group commit: events that wait for the database are stored together, and each is answered after the commit.

There is no thread of its own. The first to come leads: he stores everything that waits, wakes those whose events are
stored, and hands the lead to one of those that came meanwhile.
"""

import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field

from sqlalchemy.exc import DBAPIError

from governance.database import Database
from governance.errors import Busy, StorageUnavailable
from governance.settings import LineageSettings
from lineage.ingest import Conformance, Recorded, Refused, record_events

GROUP = 200
"""Most events of one commit: enough to make the commit cheap, few enough to keep the first from waiting long."""


@dataclass
class _Waiting:
    """An event that waits, and what became of it. ``woken`` is set when it is done, or when its thread is to lead."""

    body: bytes
    conformance: Conformance
    woken: threading.Event = field(default_factory=threading.Event)
    answer: Recorded | Refused | None = None
    fault: StorageUnavailable | DBAPIError | None = None

    @property
    def is_done(self) -> bool:
        """Whether it has been stored or refused, or could not be."""
        return self.answer is not None or self.fault is not None


class EventWriter:
    """The one place where single events of a process enter its database. Safe to call from many threads."""

    def __init__(self, database: Database, settings: LineageSettings) -> None:
        """Write into ``database``; at most ``settings.queue_events`` events wait."""
        self._database = database
        self._settings = settings
        self._queue: deque[_Waiting] = deque()
        self._lock = threading.Lock()
        self._is_led = False

    @property
    def waiting(self) -> int:
        """How many events wait for a turn."""
        return len(self._queue)

    def record(self, body: bytes, *, conformance: Conformance = "lenient") -> Recorded | Refused:
        """Store one event and return after the commit.

        Raises:
            Busy: too many events wait. StorageUnavailable: the database did not take it; nothing of it was stored.
        """
        waiting = _Waiting(body, conformance)
        if not self._enqueue(waiting):
            waiting.woken.wait()
        if not waiting.is_done:
            self._lead(waiting)
        if waiting.fault is not None:
            raise waiting.fault
        if waiting.answer is None:
            raise RuntimeError("an event that is done has an answer or a fault")
        return waiting.answer

    def _enqueue(self, waiting: _Waiting) -> bool:
        """Whether its thread is the one to lead."""
        with self._lock:
            if self.waiting >= self._settings.queue_events:
                raise Busy(
                    expected=f"at most {self._settings.queue_events} events that wait for the database",
                    found="more",
                    remedy="Send the event again later, or send batches.",
                )
            self._queue.append(waiting)
            leads = not self._is_led
            self._is_led = True
        return leads

    def _lead(self, own: _Waiting) -> None:
        """Store what waits, the leader's own event among it, and hand the lead on."""
        with self._lock:
            group = [self._queue.popleft() for _ in range(min(GROUP, len(self._queue)))]
        try:
            self._store_group(group)
        finally:
            with self._lock:
                # When this thread was interrupted, what it had taken for others waits again for one of them.
                left = [waiting for waiting in group if not waiting.is_done and waiting is not own]
                self._queue.extendleft(reversed(left))
                self._is_led = bool(self._queue)
                woken = [waiting for waiting in group if waiting.is_done] + list(self._queue)[:1]
            for waiting in woken:
                waiting.woken.set()

    def _store_group(self, group: Sequence[_Waiting]) -> None:
        """Store the group; one that fails is stored one by one, so that one event cannot harm the others."""
        try:
            self._store(group)
        except (StorageUnavailable, DBAPIError):
            self._store_each(group)

    def _store(self, group: Sequence[_Waiting]) -> None:
        """Store the events of each conformance in one unit."""
        answers: list[tuple[_Waiting, Recorded | Refused]] = []
        with self._database.unit() as unit:
            for conformance in sorted({waiting.conformance for waiting in group}):
                part = [waiting for waiting in group if waiting.conformance == conformance]
                bodies = [waiting.body for waiting in part]
                recorded = record_events(unit, bodies, self._settings, conformance=conformance)
                answers += zip(part, recorded, strict=True)
        for waiting, answer in answers:
            waiting.answer = answer

    def _store_each(self, group: Sequence[_Waiting]) -> None:
        for waiting in group:
            try:
                self._store([waiting])
            except (StorageUnavailable, DBAPIError) as fault:
                waiting.fault = fault
