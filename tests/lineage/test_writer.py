"""Group commit: many wait, one stores, each gets his own answer after the commit."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
import sqlalchemy as sa

from governance.database import Database
from governance.errors import Busy, StorageUnavailable
from governance.log.tables import LogEntryRow
from governance.settings import LineageSettings
from lineage.ingest import Recorded, Refused
from lineage.tables import EventRow
from lineage.writer import EventWriter
from tests.lineage.material import bodies, body, run_event, run_id


def test_each_of_many_writers_gets_his_own_answer(database: Database) -> None:
    writer = EventWriter(database, LineageSettings())
    contents = bodies(*(run_event("START", number, run=run_id(number)) for number in range(60)))
    with ThreadPoolExecutor(20) as pool:
        answers = list(pool.map(writer.record, [*contents, b"{", *contents]))
    assert isinstance(answers[60], Refused)
    recorded = [answer for answer in answers if isinstance(answer, Recorded)]
    assert [answer.digest for answer in recorded[:60]] == [answer.digest for answer in recorded[60:]]
    assert sum(not answer.duplicate for answer in recorded) == 60
    with database.read_unit() as unit:
        assert unit.session.scalar(sa.select(sa.func.count()).select_from(EventRow)) == 60
        indexes = unit.session.scalars(sa.select(LogEntryRow.index).order_by(LogEntryRow.index)).all()
        units = unit.session.scalars(sa.select(sa.func.count(sa.distinct(EventRow.arrived_at)))).one()
    assert list(indexes) == list(range(60))
    assert units < 60, "some of the events shared a commit"


def test_lenient_and_strict_events_may_wait_together(database: Database) -> None:
    writer = EventWriter(database, LineageSettings())
    content = body({**run_event(), "producer": "no uri"})
    assert isinstance(writer.record(content, conformance="strict"), Refused)
    assert isinstance(writer.record(content), Recorded)


def test_a_transaction_that_fails_is_told_and_stores_nothing(database: Database) -> None:
    writer = EventWriter(database, LineageSettings())

    def fail(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if "INSERT INTO log_node" in statement:  # the last statement: everything else was written by then
            raise sa.exc.OperationalError(statement, {}, Exception("disk full"))

    sa.event.listen(database.engine, "before_cursor_execute", fail)
    with pytest.raises(StorageUnavailable):
        writer.record(body(run_event()))
    sa.event.remove(database.engine, "before_cursor_execute", fail)
    answer = writer.record(body(run_event()))
    assert isinstance(answer, Recorded)
    assert not answer.duplicate


def test_one_event_that_the_database_does_not_take_harms_no_other(database: Database) -> None:
    """The whole group fails first; then each is stored by itself."""
    writer = EventWriter(database, LineageSettings())
    good = [body(run_event("START", number, run=run_id(number))) for number in range(4)]
    poison = body(run_event("START", 99, run=run_id(99)))

    def refuse(_c: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "lineage_payload" in statement and poison in _flat(parameters):
            raise sa.exc.OperationalError(statement, {}, Exception("no room"))

    sa.event.listen(database.engine, "before_cursor_execute", refuse)
    gate = threading.Barrier(5)

    def send(content: bytes) -> Recorded | Refused | StorageUnavailable:
        gate.wait()
        try:
            return writer.record(content)
        except StorageUnavailable as fault:
            return fault

    with ThreadPoolExecutor(5) as pool:
        answers = list(pool.map(send, [*good, poison]))
    assert [type(answer) for answer in answers] == [Recorded] * 4 + [StorageUnavailable]


def test_a_leader_that_is_interrupted_leaves_the_lead_to_another(database: Database) -> None:
    writer = EventWriter(database, LineageSettings())
    poison, good = body(run_event("START")), body(run_event("COMPLETE", 1))
    entered, leave = threading.Event(), threading.Event()

    def interrupt(_c: object, _cursor: object, statement: str, parameters: object, *_: object) -> None:
        if "lineage_payload" in statement and poison in _flat(parameters):
            entered.set()
            leave.wait(30)
            raise KeyboardInterrupt

    sa.event.listen(database.engine, "before_cursor_execute", interrupt)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(writer.record, poison)
        assert entered.wait(30)
        second = pool.submit(writer.record, good)
        while not writer.waiting:
            pass
        leave.set()
        assert isinstance(second.result(30), Recorded)
        with pytest.raises(KeyboardInterrupt):
            first.result(30)


def test_while_many_send_the_next_commit_waits_for_half_of_them(database: Database) -> None:
    writer = EventWriter(database, LineageSettings(), patience_seconds=60)
    contents = bodies(*(run_event("START", number, run=run_id(number)) for number in range(11)))
    held, release = threading.Event(), threading.Event()

    def hold(_connection: object) -> None:
        held.set()
        release.wait(30)

    sa.event.listen(database.engine, "commit", hold)
    with ThreadPoolExecutor(11) as pool:
        calls = [pool.submit(writer.record, contents[0])]
        assert held.wait(30)
        calls += [pool.submit(writer.record, content) for content in contents[1:8]]
        _wait_for(lambda: writer.waiting == 7)
        release.set()
        assert all(call.result(30) for call in calls), "half of eight and more wait already"
        late = [pool.submit(writer.record, content) for content in contents[8:10]]
        time.sleep(0.1)
        assert not any(call.done() for call in late), "seven were told together, and two are less than half of them"
        late.append(pool.submit(writer.record, contents[10]))
        assert all(call.result(30) for call in late)
    with database.read_unit() as unit:
        groups = unit.session.scalars(sa.select(sa.func.count(EventRow.id)).group_by(EventRow.arrived_at)).all()
    assert sorted(groups) == [1, 3, 7]


def test_nobody_waits_longer_than_the_patience_for_those_who_send_no_more(database: Database) -> None:
    writer = EventWriter(database, LineageSettings(), patience_seconds=0.3)
    contents = bodies(*(run_event("START", number, run=run_id(number)) for number in range(9)))
    with ThreadPoolExecutor(8) as pool:
        assert all(isinstance(answer, Recorded) for answer in pool.map(writer.record, contents[:8]))
    began = time.monotonic()
    assert isinstance(writer.record(contents[8]), Recorded)
    assert time.monotonic() - began < 10


def test_one_who_sends_alone_is_never_kept_waiting(database: Database) -> None:
    writer = EventWriter(database, LineageSettings(), patience_seconds=60)
    for content in bodies(*(run_event("START", number, run=run_id(number)) for number in range(5))):
        assert isinstance(writer.record(content), Recorded)
    writer.close()


def _wait_for(holds: Callable[[], bool]) -> None:
    until = time.monotonic() + 30
    while not holds():
        assert time.monotonic() < until
        time.sleep(0.001)


def _flat(parameters: object) -> bytes:
    """Every value of a statement's parameters that is bytes, one after another."""
    if isinstance(parameters, (bytes, memoryview)):
        return bytes(parameters)
    if isinstance(parameters, dict):
        return b"".join(_flat(value) for value in parameters.values())
    if isinstance(parameters, (list, tuple)):
        return b"".join(_flat(value) for value in parameters)
    wrapped = getattr(parameters, "obj", None)  # psycopg's mark for binary values
    return b"" if wrapped is None else _flat(wrapped)


def test_a_full_queue_is_told(database: Database) -> None:
    writer = EventWriter(database, LineageSettings(queue_events=1))
    entered, leave = threading.Event(), threading.Event()

    def hold(_connection: object) -> None:
        entered.set()
        leave.wait(30)

    sa.event.listen(database.engine, "commit", hold)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(writer.record, body(run_event("START")))
        assert entered.wait(30)
        second = pool.submit(writer.record, body(run_event("COMPLETE", 1)))
        while not writer.waiting:
            pass
        with pytest.raises(Busy):
            writer.record(body(run_event("OTHER", 2)))
        leave.set()
        assert isinstance(first.result(), Recorded)
        assert isinstance(second.result(), Recorded)
