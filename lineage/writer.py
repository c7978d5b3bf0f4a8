"""Group commit: events that wait for the database are stored together, and each is answered after the commit.

One thread of its own stores; it is there while something waits. Callers read and judge their events before they queue
them, so that one group is read while another is stored. A transaction costs as much as some twenty events, so while
many send at once the thread waits for half of them, and no longer than ``PATIENCE_SECONDS``.
"""

import asyncio
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import partial

from sqlalchemy.exc import DBAPIError

from governance.database import Database, Unit
from governance.errors import AssayError, Busy, StorageUnavailable
from governance.settings import LineageSettings
from governance.types.sight import WHOLE, Sight
from lineage.holding import held
from lineage.ingest import Conformance, Read, Recorded, Refused, read_events, record_read

GROUP = 400
"""Most events of one commit: enough to make the commit cheap, few enough to keep the first from waiting long."""

PATIENCE_SECONDS = 0.005
"""How long after a commit the next group may wait for calls that are on their way: an answer takes longer anyway."""

SMALL_BYTES = 64 * 1024

Answers = list[Recorded | Refused]
Admit = Callable[[Unit, str], Sight | AssayError]
"""What whoever sent the token may write about, or why he may not write now."""


@dataclass(eq=False)
class _Waiting:
    """The events of one call, and what became of them. ``tell`` is called once, when one of the two is set."""

    events: Sequence[Read | Refused]
    token: str | None
    tell: Callable[[], None]
    loop: asyncio.AbstractEventLoop | None = None
    answers: Answers = field(default_factory=list)
    fault: BaseException | None = None
    is_done: bool = False

    def result(self) -> Answers:
        """One answer an event; raises what kept them from being stored."""
        if self.fault is not None:
            raise self.fault
        return self.answers


class EventWriter:
    """The one place where events of a process enter its database, from threads and from coroutines."""

    def __init__(
        self,
        database: Database,
        settings: LineageSettings,
        admit: Admit = lambda _unit, _token: WHOLE,
        *,
        patience_seconds: float = PATIENCE_SECONDS,
    ) -> None:
        """Write into ``database``; while ``settings.queue_events`` events or more wait, no more are taken.

        ``admit`` is asked in the transaction, once for each token of a group.
        """
        self.waiting = 0
        """How many events wait for a turn."""
        self._database = database
        self._settings = settings
        self._admit = admit
        self._patience_seconds = patience_seconds
        self._queue: deque[_Waiting] = deque()
        self._lock = threading.Lock()
        self._enough = threading.Condition(self._lock)
        self._wanted = 0
        """Half of the calls that were under way at the last commit."""
        self._wanted_until = 0.0
        self._is_storing = False
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="lineage-writer")

    def close(self) -> None:
        """Return when everything that waits is stored; nothing is taken any more."""
        self._thread.shutdown()

    def record(self, body: bytes, *, conformance: Conformance = "lenient") -> Recorded | Refused:
        """Store one event and return after the commit.

        Raises:
            Busy: too much waits. StorageUnavailable: the database did not take it; nothing of it was stored.
        """
        events = read_events([body], self._settings, conformance=conformance)
        told = threading.Event()
        waiting = _Waiting(events, None, told.set)
        self._enqueue(waiting)
        told.wait()
        return waiting.result()[0]

    async def take(self, bodies: Sequence[bytes], token: str, *, conformance: Conformance = "lenient") -> Answers:
        """Store the events of one call, if ``token`` may write; one answer an event, after the commit.

        Raises:
            AssayError: as ``record``, and what keeps the token from writing.
        """
        self._require_room()
        read = partial(read_events, bodies, self._settings, conformance=conformance)
        # Handing a small event to another thread costs more than reading it.
        is_small = sum(map(len, bodies)) <= SMALL_BYTES
        events = read() if is_small else await asyncio.to_thread(read)
        loop = asyncio.get_running_loop()
        told: asyncio.Future[None] = loop.create_future()
        waiting = _Waiting(events, token, lambda: None if told.done() else told.set_result(None), loop)
        self._enqueue(waiting)
        await told
        return waiting.result()

    def _require_room(self) -> None:
        if self.waiting >= self._settings.queue_events:
            raise Busy(
                expected=f"at most {self._settings.queue_events} events that wait for the database",
                found="more",
                remedy="Send the event again later, or send batches.",
            )

    def _enqueue(self, waiting: _Waiting) -> None:
        with self._lock:
            self._require_room()
            self._queue.append(waiting)
            self.waiting += len(waiting.events)
            self._start()
            if self._is_group():
                self._enough.notify()

    def _start(self) -> None:
        """Have the thread store what waits, unless it does; the lock is held."""
        if self._queue and not self._is_storing:
            self._is_storing = True
            self._thread.submit(self._store_all)

    def _store_all(self) -> None:
        """Store group by group until nothing waits."""
        try:
            while group := self._next_group():
                self._store_and_tell(group)
                self._expect(len(group))
        finally:
            with self._lock:
                self._is_storing = False
                self._start()

    def _next_group(self) -> list[_Waiting]:
        """Calls that wait, in order, as many as make up a group; none when nothing waits."""
        with self._lock:
            patience = self._wanted_until - time.monotonic()
            if patience > 0:
                self._enough.wait_for(self._is_group, patience)
            group: list[_Waiting] = []
            count = 0
            while self._queue and (not group or count + len(self._queue[0].events) <= GROUP):
                group.append(self._queue.popleft())
                count += len(group[-1].events)
            self.waiting -= count
            return group

    def _is_group(self) -> bool:
        """Whether enough waits for the next commit; the lock is held."""
        return len(self._queue) >= self._wanted or self.waiting >= GROUP

    def _expect(self, told: int) -> None:
        """Note how many calls are under way, now that ``told`` were told: they are likely to send again."""
        with self._lock:
            self._wanted = (told + len(self._queue)) // 2
            # One or two that send in turn would wait for one another in vain.
            self._wanted_until = time.monotonic() + self._patience_seconds if self._wanted > 1 else 0.0

    def _store_and_tell(self, group: Sequence[_Waiting]) -> None:
        """Store the group; whatever happens, each of its calls is told."""
        try:
            self._store_group(group)
        finally:
            # When this thread is interrupted, so is everybody whose events it had taken.
            interruption = sys.exc_info()[1]
            by_loop: dict[asyncio.AbstractEventLoop | None, list[_Waiting]] = {}
            for waiting in group:
                waiting.fault = waiting.fault if waiting.is_done else interruption
                by_loop.setdefault(waiting.loop, []).append(waiting)
            for loop, told in by_loop.items():
                if loop is None:
                    _tell(told)
                elif not loop.is_closed():
                    loop.call_soon_threadsafe(_tell, told)

    def _store_group(self, group: Sequence[_Waiting]) -> None:
        """Store the group; one that fails is stored call by call, so that one event cannot harm the others."""
        try:
            self._store(group)
        except (StorageUnavailable, DBAPIError):
            for waiting in group:
                self._store_one(waiting)

    def _store_one(self, waiting: _Waiting) -> None:
        try:
            self._store([waiting])
        except (StorageUnavailable, DBAPIError) as fault:
            waiting.fault, waiting.is_done = fault, True

    def _store(self, group: Sequence[_Waiting]) -> None:
        """Store the events of all calls that may write, in one unit."""
        with self._database.unit() as unit:
            tokens = {waiting.token for waiting in group if waiting.token is not None}
            told = {token: self._admit(unit, token) for token in tokens}
            sights = [WHOLE if waiting.token is None else told[waiting.token] for waiting in group]
            admitted = [(s, waiting.events) for s, waiting in zip(sights, group, strict=True) if isinstance(s, Sight)]
            answers = iter(record_read(unit, [event for events in held(unit, admitted) for event in events]))
        for sight, waiting in zip(sights, group, strict=True):
            waiting.fault = None if isinstance(sight, Sight) else sight
            if waiting.fault is None:
                waiting.answers = [next(answers) for _ in waiting.events]
            waiting.is_done = True


def _tell(group: Sequence[_Waiting]) -> None:
    for waiting in group:
        waiting.tell()
