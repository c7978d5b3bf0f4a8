"""Sending Assay's own events on: none lost, each run in its order, refusals kept with their reason."""

import json
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from governance.database import Database
from governance.errors import InputRefused, UsageError
from governance.settings import LineageSettings
from lineage.outbox import (
    LONGEST_WAIT_SECONDS,
    TASK,
    OutboxTask,
    backlog,
    retry_dead,
    store_own_events,
    undelivered,
    wait_seconds,
)
from lineage.record_tables import OutboxRow
from lineage.transports import Refusal, Undelivered, client_event, open_sender
from tests.lineage.material import body, dataset, dataset_event, job_event, run_event, run_id

FORWARDED = LineageSettings(forward_to="environment")


class Clock:
    """An instant that the test moves."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 1, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


class Consumer:
    """Someone else's service: takes events, unless the test says that it is away or will not."""

    def __init__(self) -> None:
        self.taken: list[tuple[str, str]] = []
        self.fault: Exception | None = None

    def send(self, content: bytes) -> None:
        if self.fault is not None:
            raise self.fault
        event = json.loads(content)
        self.taken.append((event["run"]["runId"], event["eventType"]))


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ticking(database_url: str, clock: Clock) -> Any:
    opened = Database(database_url, clock=clock)
    yield opened
    opened.close()


def record(database: Database, *documents: Any, settings: LineageSettings = FORWARDED) -> None:
    with database.unit() as unit:
        store_own_events(unit, [body(document) for document in documents], settings)


def both(number: int = 1) -> tuple[dict[str, Any], dict[str, Any]]:
    return run_event("START", 0, run=run_id(number)), run_event("COMPLETE", 0, run=run_id(number))


def counts(database: Database) -> tuple[int, int, int]:
    with database.read_unit() as unit:
        held = backlog(unit)
    return held.waiting, held.dead, held.delivered


def test_events_arrive_in_the_order_of_their_run(ticking: Database) -> None:
    record(ticking, *both(1), *both(2))
    consumer = Consumer()
    task = OutboxTask(ticking, consumer)
    assert task.due() == [TASK]
    task.run(TASK)
    assert consumer.taken == [(run_id(1), "START"), (run_id(1), "COMPLETE"), (run_id(2), "START"),
                              (run_id(2), "COMPLETE")]  # fmt: skip
    assert counts(ticking) == (0, 0, 4)
    assert task.due() == []


def test_nothing_waits_where_nothing_is_to_be_sent_on(ticking: Database) -> None:
    record(ticking, *both(), settings=LineageSettings())
    assert counts(ticking) == (0, 0, 0)


def test_an_event_of_a_unit_that_fails_is_neither_stored_nor_sent(ticking: Database) -> None:
    with pytest.raises(InputRefused), ticking.unit() as unit:
        store_own_events(unit, [body(both()[0]), b"{}"], FORWARDED)
    assert counts(ticking) == (0, 0, 0)


def test_an_event_recorded_twice_is_sent_once(ticking: Database) -> None:
    record(ticking, *both())
    record(ticking, *both())
    assert counts(ticking) == (2, 0, 0)


def test_an_event_that_cannot_be_placed_is_a_fault_of_its_builder(ticking: Database) -> None:
    with pytest.raises(InputRefused):
        record(ticking, {"run": {}})


def test_while_the_consumer_is_away_nothing_is_lost_and_nothing_overtakes(ticking: Database, clock: Clock) -> None:
    record(ticking, *both())
    consumer = Consumer()
    consumer.fault = Undelivered("the consumer answered 503")
    task = OutboxTask(ticking, consumer)
    task.run(TASK)
    assert counts(ticking) == (2, 0, 0)
    with ticking.read_unit() as unit:
        first, second = undelivered(unit)
    assert (first.fault, first.attempts, second.attempts) == ("the consumer answered 503", 1, 0)
    consumer.fault = None
    assert task.due() == []
    task.run(TASK)
    assert consumer.taken == []
    clock.now += timedelta(seconds=2)
    assert task.due() == [TASK]
    task.run(TASK)
    assert [kind for _, kind in consumer.taken] == ["START", "COMPLETE"]


def test_a_consumer_that_stays_away_is_tried_less_and_less_often(ticking: Database, clock: Clock) -> None:
    record(ticking, *both(1), *both(2))
    consumer = Consumer()
    consumer.fault = Undelivered("away")
    task = OutboxTask(ticking, consumer)
    tries = 0
    for _ in range(600):
        if task.due():
            task.run(TASK)
            tries += 1
        clock.now += timedelta(seconds=1)
    assert 8 <= tries <= 20
    assert counts(ticking) == (4, 0, 0)
    assert wait_seconds(1) == 1
    assert wait_seconds(10_000) == LONGEST_WAIT_SECONDS


def test_what_the_consumer_refuses_is_kept_with_its_reason_and_lets_the_next_by(ticking: Database) -> None:
    record(ticking, *both())
    consumer = Consumer()
    consumer.fault = Refusal("the consumer answered 422")
    task = OutboxTask(ticking, consumer)
    task.run(TASK)
    assert counts(ticking) == (0, 2, 0)
    with ticking.read_unit() as unit:
        assert {(entry.state, entry.fault) for entry in undelivered(unit)} == {("dead", "the consumer answered 422")}
    consumer.fault = None
    with ticking.unit() as unit:
        assert retry_dead(unit) == 2
    task.run(TASK)
    assert [kind for _, kind in consumer.taken] == ["START", "COMPLETE"]


def test_an_event_whose_worker_ended_in_the_middle_is_sent_by_the_next(ticking: Database, clock: Clock) -> None:
    record(ticking, *both())

    class Killed(BaseException):
        """Ends the thread where it stands."""

    class Deadly:
        def send(self, _content: bytes) -> None:
            raise Killed

    with pytest.raises(Killed):
        OutboxTask(ticking, Deadly()).run(TASK)
    consumer = Consumer()
    task = OutboxTask(ticking, consumer)
    assert task.due() == []
    with ticking.read_unit() as unit:
        assert "the worker ended" in str(undelivered(unit)[0].fault)
    clock.now += timedelta(seconds=200)
    task.run(TASK)
    assert [kind for _, kind in consumer.taken] == ["START", "COMPLETE"]


def test_two_workers_send_each_event_once_and_no_run_out_of_order(ticking: Database) -> None:
    record(ticking, *(event for number in range(1, 9) for event in both(number)))
    consumer = Consumer()
    workers = [threading.Thread(target=OutboxTask(ticking, consumer).run, args=(TASK,)) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    # One that found a run held by the other ends early; a sweep would ring again.
    OutboxTask(ticking, consumer).run(TASK)
    assert sorted(consumer.taken) == sorted(set(consumer.taken))
    assert len(consumer.taken) == 16
    for number in range(1, 9):
        assert [kind for run, kind in consumer.taken if run == run_id(number)] == ["START", "COMPLETE"]


def test_the_age_of_the_oldest_that_waits_is_told(ticking: Database, clock: Clock) -> None:
    record(ticking, *both())
    with ticking.read_unit() as unit:
        assert backlog(unit).oldest == clock.now
        assert unit.session.query(OutboxRow).count() == 2


@pytest.mark.parametrize("document", [both()[0], job_event(), dataset_event(dataset("d"))])
def test_every_kind_of_event_becomes_the_official_clients(document: dict[str, Any]) -> None:
    assert type(client_event(body(document))).__name__ == document["schemaURL"].rpartition("/")[2]


@pytest.mark.parametrize(
    ("content", "found"),
    [
        (None, "FileNotFoundError"),
        ("", "no `transport`"),
        ("[1]", "no `transport`"),
        ("transport: {url: x}", "no `transport`"),
        ("{", "when it was read"),
        ("transport: {type: http}", "url"),
        ("transport: {type: http, url: nonsense}", "nonsense"),
        ("transport: {type: no.such.Transport}", "no.such"),
        ("transport: {type: noop}", "does not say whether"),
        ("transport: {type: async_http, url: 'http://127.0.0.1:1'}", "does not say whether"),
    ],
)
def test_a_transport_that_cannot_be_used_is_refused_at_the_start(
    tmp_path: Path, content: str | None, found: str
) -> None:
    path = tmp_path / "openlineage.yml"
    if content is not None:
        path.write_text(content)
    with pytest.raises(UsageError) as fault:
        open_sender(str(path))
    assert found in fault.value.found


def test_the_environment_must_say_where_to(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    # The client spells its variables anew in the environment, so that other tests leave some behind.
    for name in [name for name in os.environ if name.startswith("OPENLINEAGE")]:
        monkeypatch.delenv(name)
    with pytest.raises(UsageError, match="neither its variables nor a file"):
        open_sender("environment")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__URL", "http://localhost:1")
    with pytest.raises(UsageError, match="neither its variables nor a file"):
        open_sender("environment")
    monkeypatch.setenv("OPENLINEAGE_DISABLED", "true")
    monkeypatch.setenv("OPENLINEAGE__TRANSPORT__TYPE", "console")
    with pytest.raises(UsageError, match="noop"):
        open_sender("environment")


def test_a_file_of_openlineage_python_takes_the_events_as_they_are_stored(tmp_path: Path) -> None:
    log = tmp_path / "events.jsonl"
    config = tmp_path / "openlineage.yml"
    config.write_text(f"transport: {{type: file, log_file_path: {log}, append: true}}")
    content = json.dumps(both()[0], sort_keys=True).encode()
    open_sender(str(config)).send(content)
    assert json.loads(log.read_text()) == both()[0]


def test_the_console_transport_takes_them_too(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    config = tmp_path / "openlineage.yml"
    config.write_text("transport: {type: console}")
    with caplog.at_level("INFO"):
        open_sender(str(config)).send(body(both()[0]))
    assert any(run_id(1) in message for message in caplog.messages)


def test_a_consumer_that_cannot_be_reached_has_not_got_the_event(tmp_path: Path) -> None:
    config = tmp_path / "openlineage.yml"
    config.write_text("transport: {type: http, url: 'http://user:hidden@127.0.0.1:1', retry: {total: 0}}")
    with pytest.raises(Undelivered) as fault:
        open_sender(str(config)).send(body(both()[0]))
    assert "hidden" not in str(fault.value)


@pytest.mark.parametrize(
    ("status", "kind"),
    [(201, None), (400, Refusal), (413, Refusal), (422, Refusal), (401, Undelivered), (404, Undelivered),
     (429, Undelivered), (503, Undelivered)],
)  # fmt: skip
def test_only_an_answer_about_the_event_itself_is_a_refusal(
    tmp_path: Path, status: int, kind: type[Exception] | None
) -> None:
    config = tmp_path / "openlineage.yml"
    with answering(status) as address:
        config.write_text(f"transport: {{type: http, url: '{address}', retry: {{total: 0}}}}")
        sender = open_sender(str(config))
        if kind is None:
            sender.send(body(both()[0]))
            return
        with pytest.raises(Undelivered) as fault:
            sender.send(body(both()[0]))
    assert type(fault.value) is kind


@contextmanager
def answering(status: int) -> Iterator[str]:
    """A server that answers every POST alike; its address."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_arguments: object) -> None:
            """Keep the tests' output clean."""

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()
