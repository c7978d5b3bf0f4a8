"""The engine that the settings ask for."""

from collections.abc import Sequence
from threading import Event
from typing import assert_never

from governance.errors import UsageError
from governance.jobs.embedded import EmbeddedEngine
from governance.jobs.engine import Engine, Task
from governance.settings import Settings


class Idle:
    """No engine: rows wait for a worker of another process, which finds them by its sweep."""

    def start(self) -> None:
        """Nothing to start."""

    def stop(self) -> None:
        """Nothing to stop."""

    def ring(self, task: str, key: str) -> None:
        """Nobody hears it here; the sweep of a worker will find the row."""


def prepare(settings: Settings) -> None:
    """Make what the engine keeps in the database, where it keeps anything; doing it twice changes nothing."""
    if settings.work.engine == "procrastinate":
        from governance.jobs.procrastinate import install_schema

        install_schema(settings.resolved_database_url)


def run_worker(settings: Settings, tasks: Sequence[Task], stop: Event) -> None:
    """Carry out work in this process until ``stop`` is set.

    Raises:
        UsageError: `procrastinate` without PostgreSQL.
    """
    if settings.work.engine == "procrastinate":
        from governance.jobs.procrastinate import worker

        worker(settings.resolved_database_url, tasks, stop=stop, work=settings.work)
        return
    engine = EmbeddedEngine(tasks, threads=settings.work.threads, sweep_seconds=settings.work.sweep_seconds)
    engine.start()
    stop.wait()
    engine.stop()


def build_engine(settings: Settings, tasks: Sequence[Task]) -> Engine:
    """The engine of a server with these settings, not yet started.

    Raises:
        UsageError: `procrastinate` without PostgreSQL.
    """
    work = settings.work
    match work.engine:
        case "embedded":
            return EmbeddedEngine(tasks, threads=work.threads, sweep_seconds=work.sweep_seconds)
        case "procrastinate":
            if not settings.resolved_database_url.startswith("postgresql"):
                raise UsageError(
                    expected="a PostgreSQL database for ASSAY_WORK__ENGINE=procrastinate",
                    found="another database",
                    remedy="Set ASSAY_DATABASE_URL, or use the embedded engine.",
                )
            from governance.jobs.procrastinate import ProcrastinateEngine

            return ProcrastinateEngine(settings.resolved_database_url, tasks)
        case "none":
            return Idle()
        case _:
            assert_never(work.engine)
