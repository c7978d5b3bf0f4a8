"""The Procrastinate engine: servers ring through PostgreSQL, and workers on any number of machines do the work.

Its jobs are doorbells, not truth. They lie in a schema of their own, are deleted when done, and may be lost: the
periodic sweep of any worker rings again for every row that nobody works on.
"""

import asyncio
import contextlib
from collections.abc import Sequence
from importlib.metadata import version
from threading import Event
from typing import Any

import procrastinate
import psycopg
import sqlalchemy as sa
import structlog
from procrastinate import exceptions
from procrastinate.schema import SchemaManager

from governance.errors import UsageError
from governance.jobs.embedded import unknown_task
from governance.jobs.engine import Task, carry_out, due_keys
from governance.settings import WorkSettings

log = structlog.get_logger("assay.work")

SCHEMA = "procrastinate"
QUEUE = "assay"
SWEEP = "assay.sweep"

INSTALLING = 0x70726F63
"""Advisory lock of whoever installs the schema; any number that nothing else in the database uses."""


class ProcrastinateEngine:
    """Rings workers through PostgreSQL; does no work in this process."""

    def __init__(self, url: str, tasks: Sequence[Task]) -> None:
        """Know the database and the tasks; nothing is opened before ``start``."""
        self._tasks = {task.name: task for task in tasks}
        self._app = _app(procrastinate.SyncPsycopgConnector(**_connection(url)), tasks)

    def start(self) -> None:
        """Open the connections: a synchronous connector must be open before the first ring."""
        self._app.open()

    def stop(self) -> None:
        """Close the connections; workers go on by themselves."""
        self._app.close()

    def ring(self, task: str, key: str) -> None:
        """Queue the row for the workers, unless it waits in the queue already.

        It is called after commit, so a queue that cannot be reached is no fault of the caller's: the sweep finds the
        row.

        Raises:
            UsageError: no such task.
        """
        if task not in self._tasks:
            raise unknown_task(task, self._tasks)
        try:
            _doorbell(self._app, task, key).defer(key=key)
        except exceptions.AlreadyEnqueued:
            return
        except (exceptions.ConnectorException, exceptions.AppNotOpen) as fault:
            log.warning("work.ring_lost", task=task, key=key, fault=type(fault).__name__)


def worker(url: str, tasks: Sequence[Task], *, stop: Event, work: WorkSettings) -> None:
    """Work on rows in this process until ``stop`` is set, then finish what is being worked on and return.

    A database that goes away is tried again every ``work.sweep_seconds``.
    """
    asyncio.run(_work(url, tasks, stop, work))


def install_schema(url: str) -> None:
    """Make Procrastinate's tables and functions in their schema; doing it twice changes nothing.

    Those of another version are replaced, not migrated: what is lost are doorbells, which the sweep rings again.

    Raises:
        UsageError: the database is not PostgreSQL, or the schema belongs to somebody else.
    """
    ours = f"Doorbells of Assay, made by procrastinate {version('procrastinate')}"
    with psycopg.connect(**_parameters(url)) as connection:
        connection.execute("SELECT pg_advisory_xact_lock(%s)", [INSTALLING])
        row = connection.execute(
            "SELECT coalesce(obj_description(oid, 'pg_namespace'), '') FROM pg_namespace WHERE nspname = %s", [SCHEMA]
        ).fetchone()
        if row is not None and row[0] == ours:
            return
        if row is not None and not row[0].startswith("Doorbells of Assay"):
            raise UsageError(
                expected=f"the schema {SCHEMA} to be absent or Assay's",
                found="one that something else made",
                remedy="Give Assay a database of its own.",
            )
        connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
        connection.execute(f"CREATE SCHEMA {SCHEMA}")
        connection.execute(SchemaManager.get_schema())
        connection.execute(f"COMMENT ON SCHEMA {SCHEMA} IS '{ours}'")


async def _work(url: str, tasks: Sequence[Task], stop: Event, work: WorkSettings) -> None:
    while not stop.is_set():
        try:
            await _work_while_connected(url, tasks, stop, work)
        except exceptions.ConnectorException as fault:
            log.warning("work.database_away", fault=str(fault.__cause__ or fault))
            await asyncio.to_thread(stop.wait, work.sweep_seconds)


async def _work_while_connected(url: str, tasks: Sequence[Task], stop: Event, work: WorkSettings) -> None:
    app = _app(procrastinate.PsycopgConnector(**_connection(url)), tasks)
    # Cron's seconds field cannot say more than a minute or less than a second.
    seconds = min(max(round(work.sweep_seconds), 1), 59)

    async def sweep(timestamp: int) -> None:  # noqa: ARG001 - Procrastinate passes it by name
        await _forget_stalled(app)
        await _ring_for_waiting(app, tasks)

    swept = app.task(name=SWEEP, queue=QUEUE)(sweep)
    app.periodic(cron=f"* * * * * */{seconds}", queueing_lock=SWEEP)(swept)
    async with app.open_async():
        await _ring_for_waiting(app, tasks)
        running = asyncio.create_task(
            app.run_worker_async(
                queues=[QUEUE],
                concurrency=work.threads,
                fetch_job_polling_interval=work.sweep_seconds,
                delete_jobs="always",
                install_signal_handlers=False,
            )
        )
        while not stop.is_set() and not running.done():
            await asyncio.sleep(0.05)
        # Procrastinate takes a cancelled worker as asked to stop: it finishes what runs and fetches nothing more.
        running.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await running


async def _ring_for_waiting(app: Any, tasks: Sequence[Task]) -> None:
    for task in tasks:
        for key in await asyncio.to_thread(due_keys, task):
            with contextlib.suppress(exceptions.AlreadyEnqueued):
                await _doorbell(app, task.name, key).defer_async(key=key)


async def _forget_stalled(app: Any) -> None:
    """Delete jobs of workers that died: their rows' leases run out, and the sweep rings anew."""
    for job in await app.job_manager.get_stalled_jobs():
        await app.job_manager.finish_job(job=job, status=procrastinate.jobs.Status.FAILED, delete_job=True)


def _app(connector: Any, tasks: Sequence[Task]) -> Any:
    app = procrastinate.App(connector=connector)
    for task in tasks:
        app.task(name=task.name, queue=QUEUE)(_runner(task))
    return app


def _runner(task: Task) -> Any:
    def run(key: str) -> None:
        carry_out(task, key)

    return run


def _doorbell(app: Any, task: str, key: str) -> Any:
    return app.configure_task(task, queue=QUEUE, queueing_lock=f"{task}:{key}")


def _connection(url: str) -> dict[str, Any]:
    return {"conninfo": "", "kwargs": _parameters(url), "min_size": 1, "max_size": 4}


def _parameters(url: str) -> dict[str, Any]:
    """Parameters of psycopg for a SQLAlchemy URL, with the schema as the only place that names are looked up in."""
    parsed = sa.make_url(url)
    if parsed.get_backend_name() != "postgresql":
        raise UsageError(
            expected="a PostgreSQL database for ASSAY_WORK__ENGINE=procrastinate",
            found=parsed.get_backend_name(),
            remedy="Set ASSAY_DATABASE_URL, or use the embedded engine.",
        )
    parameters = parsed.translate_connect_args(username="user", database="dbname")
    query = dict(parsed.query)
    options = f"{query.pop('options', '')} -c search_path={SCHEMA}".strip()
    return {**parameters, **query, "options": options}
