"""Both engines pass the same tests: rung or not, rows are worked on; a killed worker's row is taken over."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from alembic import command

from governance.database import Database
from governance.errors import UsageError
from governance.jobs.embedded import EmbeddedEngine
from governance.jobs.engine import Engine, Task
from governance.jobs.procrastinate import ProcrastinateEngine, install_schema, worker
from governance.migration import configuration
from governance.settings import WorkSettings
from tests.support.toywork import ToyTask, create_tables, queue, results, state_of, wait_until_done

ROOT = Path(__file__).resolve().parents[3]
WORK = WorkSettings(threads=2, sweep_seconds=1)


@pytest.fixture(params=["embedded-sqlite", "embedded-postgresql", "procrastinate-postgresql"])
def kind(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


@pytest.fixture
def toys(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Database]:
    """A database of the engine's kind with the toy's tables."""
    dialect = kind.partition("-")[2]
    if dialect == "sqlite":
        url = f"sqlite:///{tmp_path / 'toys.db'}"
    else:
        server = request.getfixturevalue("postgres_server")
        name = f"toys_{os.getpid()}_{time.monotonic_ns()}"
        server.execute(f"CREATE DATABASE {name} TEMPLATE template0")
        url = server.url(name)
    database = Database(url)
    create_tables(database)
    if kind.startswith("procrastinate"):
        install_schema(url)
    yield database
    database.close()


def url_of(database: Database) -> str:
    return database.url.render_as_string(hide_password=False)


@contextlib.contextmanager
def working(kind: str, database: Database, tasks: Sequence[Task]) -> Iterator[Engine]:
    """An engine that is started, with a worker where it needs one; stopped at the end."""
    if kind.startswith("embedded"):
        embedded = EmbeddedEngine(tasks, threads=2, sweep_seconds=0.2)
        embedded.start()
        yield embedded
        embedded.stop()
        return
    stop = threading.Event()
    thread = threading.Thread(target=worker, args=(url_of(database), tasks), kwargs={"stop": stop, "work": WORK})
    engine = ProcrastinateEngine(url_of(database), tasks)
    engine.start()
    thread.start()
    yield engine
    engine.stop()
    stop.set()
    thread.join(30)
    assert not thread.is_alive()


class Failing(ToyTask):
    """Raises at the first two tries of every row."""

    tries = 0

    def run(self, key: str) -> None:
        self.tries += 1
        if self.tries <= 2:
            raise ZeroDivisionError(key)
        super().run(key)


def test_a_rung_row_is_worked_on(kind: str, toys: Database) -> None:
    with working(kind, toys, [ToyTask(toys, "w")]) as engine:
        queue(toys, "1")
        engine.ring("toy", "1")
        wait_until_done(toys, "1")
    assert results(toys) == [("1", "w")]


def test_a_lost_ring_is_found_by_the_sweep(kind: str, toys: Database) -> None:
    with working(kind, toys, [ToyTask(toys, "w")]):
        time.sleep(0.3)
        queue(toys, "1", "2")
        wait_until_done(toys, "1", "2")
    assert results(toys) == [("1", "w"), ("2", "w")]


def test_what_an_earlier_process_left_is_taken_up_at_the_start(kind: str, toys: Database) -> None:
    queue(toys, "1")
    with working(kind, toys, [ToyTask(toys, "w")]):
        wait_until_done(toys, "1")


def test_ringing_many_times_records_once(kind: str, toys: Database) -> None:
    with working(kind, toys, [ToyTask(toys, "w", seconds=0.1)]) as engine:
        queue(toys, "1")
        for _ in range(20):
            engine.ring("toy", "1")
        wait_until_done(toys, "1")
    assert results(toys) == [("1", "w")]


def test_a_task_that_raises_is_tried_again_by_the_sweep(kind: str, toys: Database) -> None:
    task = Failing(toys, "w")
    with working(kind, toys, [task]) as engine:
        queue(toys, "1")
        engine.ring("toy", "1")
        wait_until_done(toys, "1")
    assert task.tries >= 3
    assert results(toys) == [("1", "w")]


def test_a_sweep_that_raises_does_not_end_the_sweeping(kind: str, toys: Database) -> None:
    class Blind(ToyTask):
        asked = 0

        def due(self) -> list[str]:
            self.asked += 1
            if self.asked <= 2:
                raise ZeroDivisionError
            return super().due()

    task = Blind(toys, "w")
    with working(kind, toys, [task]):
        queue(toys, "1")
        wait_until_done(toys, "1")
    assert task.asked >= 3


def test_stopping_finishes_what_is_being_worked_on(kind: str, toys: Database) -> None:
    with working(kind, toys, [ToyTask(toys, "w", seconds=0.8)]) as engine:
        queue(toys, "1")
        engine.ring("toy", "1")
        until = time.monotonic() + 15
        while state_of(toys, "1") == "queued":
            assert time.monotonic() < until
            time.sleep(0.01)
        assert state_of(toys, "1") == "running"
    assert state_of(toys, "1") == "done"


def test_rows_are_worked_on_at_once_by_as_many_threads_as_set(kind: str, toys: Database) -> None:
    busy, most, guard = [0], [0], threading.Lock()

    class Counting(ToyTask):
        def record(self, key: str, token: str) -> None:
            with guard:
                busy[0] -= 1
            super().record(key, token)

        def run(self, key: str) -> None:
            with guard:
                busy[0] += 1
                most[0] = max(most[0], busy[0])
            super().run(key)

    with working(kind, toys, [Counting(toys, "w", seconds=0.3)]):
        queue(toys, "1", "2", "3", "4")
        wait_until_done(toys, "1", "2", "3", "4")
    assert most[0] == 2


def test_a_ring_before_the_start_or_after_the_stop_is_no_fault(kind: str, toys: Database) -> None:
    if kind.startswith("embedded"):
        engine: Engine = EmbeddedEngine([ToyTask(toys, "w")], threads=1, sweep_seconds=60)
    else:
        engine = ProcrastinateEngine(url_of(toys), [ToyTask(toys, "w")])
    queue(toys, "1")
    engine.ring("toy", "1")
    engine.start()
    engine.stop()
    engine.ring("toy", "1")


def test_ringing_for_an_unknown_task_is_a_fault(kind: str, toys: Database) -> None:
    with working(kind, toys, [ToyTask(toys, "w")]) as engine, pytest.raises(UsageError, match="toy"):
        engine.ring("other", "1")


@contextlib.contextmanager
def worker_process(kind: str, database: Database, seconds: float) -> Iterator[subprocess.Popen[str]]:
    arguments = [url_of(database), kind.partition("-")[0], str(seconds)]
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.support.toywork", *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with process:
        yield process
        process.kill()


def wait_for_line(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdout is not None
    for read in process.stdout:
        if read.strip() == line:
            return
    raise AssertionError(f"the worker ended without {line!r}")


def test_the_row_of_a_killed_worker_is_taken_over_and_recorded_once(kind: str, toys: Database) -> None:
    queue(toys, "1")
    with worker_process(kind, toys, 60) as first:
        wait_for_line(first, "took 1")
        first.send_signal(signal.SIGKILL)
        first.wait(10)
    assert state_of(toys, "1") == "running"
    assert results(toys) == []
    with worker_process(kind, toys, 0):
        wait_until_done(toys, "1", seconds=30)
    time.sleep(0.3)
    assert results(toys) == [("1", f"{kind.partition('-')[0]}-worker")]


def test_a_worker_that_slept_through_its_lease_does_not_record(kind: str, toys: Database) -> None:
    slow = ToyTask(toys, "slow", seconds=1.5, lease_seconds=0.2)
    queue(toys, "1")
    thread = threading.Thread(target=slow.run, args=("1",))
    thread.start()
    time.sleep(0.5)
    with working(kind, toys, [ToyTask(toys, "quick")]):
        wait_until_done(toys, "1")
    thread.join()
    assert results(toys) == [("1", "quick")]


@pytest.fixture
def postgresql_url(database_url: str) -> str:
    if not database_url.startswith("postgresql"):
        pytest.skip("Procrastinate needs PostgreSQL")
    return database_url


def procrastinate_relations(url: str) -> list[tuple[Any, ...]]:
    query = (
        "SELECT nspname, relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace "
        "WHERE relname LIKE 'procrastinate%' ORDER BY 1, 2"
    )
    database = Database(url)
    with database.read_unit() as unit:
        found = [tuple(row) for row in unit.session.execute(sa.text(query))]
    database.close()
    return found


def test_procrastinates_tables_lie_in_a_schema_of_their_own(postgresql_url: str) -> None:
    install_schema(postgresql_url)
    found = procrastinate_relations(postgresql_url)
    assert ("procrastinate", "procrastinate_jobs") in found
    assert {schema for schema, _ in found} == {"procrastinate"}


def test_installing_the_schema_twice_changes_nothing(postgresql_url: str) -> None:
    install_schema(postgresql_url)
    before = procrastinate_relations(postgresql_url)
    engine = ProcrastinateEngine(postgresql_url, [ToyTask(Database(postgresql_url), "w")])
    engine.start()
    engine.ring("toy", "1")
    engine.stop()
    install_schema(postgresql_url)
    assert procrastinate_relations(postgresql_url) == before
    database = Database(postgresql_url)
    with database.read_unit() as unit:
        count = unit.session.scalar(sa.text("SELECT count(*) FROM procrastinate.procrastinate_jobs"))
    database.close()
    assert count == 1


def test_the_schema_of_another_version_is_replaced(postgresql_url: str) -> None:
    install_schema(postgresql_url)
    database = Database(postgresql_url)
    with database.unit() as unit:
        unit.session.execute(
            sa.text("COMMENT ON SCHEMA procrastinate IS 'Doorbells of Assay, made by procrastinate 1.0'")
        )
        unit.session.execute(sa.text("DROP TABLE procrastinate.procrastinate_events"))
    database.close()
    install_schema(postgresql_url)
    assert ("procrastinate", "procrastinate_events") in procrastinate_relations(postgresql_url)


def test_a_schema_of_somebody_else_is_left_alone(postgresql_url: str) -> None:
    database = Database(postgresql_url)
    with database.unit() as unit:
        unit.session.execute(sa.text("CREATE SCHEMA procrastinate CREATE TABLE theirs (id int)"))
    with pytest.raises(UsageError, match="a database of its own"):
        install_schema(postgresql_url)
    with database.read_unit() as read:
        assert read.session.scalar(sa.text("SELECT count(*) FROM procrastinate.theirs")) == 0
    database.close()


def test_alembic_finds_no_difference_with_the_schema_installed(postgresql_url: str) -> None:
    install_schema(postgresql_url)
    command.check(configuration(postgresql_url))


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:////tmp/x.db"])
def test_procrastinate_without_postgresql_is_a_clear_fault(url: str) -> None:
    with pytest.raises(UsageError, match="PostgreSQL"):
        install_schema(url)
    with pytest.raises(UsageError, match="ASSAY_DATABASE_URL"):
        ProcrastinateEngine(url, [])
