"""The embedded engine: a few threads of this process, and one that sweeps."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock, Thread

from governance.errors import UsageError
from governance.jobs.engine import Task, carry_out, due_keys


class EmbeddedEngine:
    """Works on rows in ``threads`` threads; every ``sweep_seconds`` it looks for rows that nobody rang for."""

    def __init__(self, tasks: Sequence[Task], *, threads: int, sweep_seconds: float) -> None:
        """Know the tasks; nothing runs before ``start``."""
        self._tasks = {task.name: task for task in tasks}
        self._threads = threads
        self._sweep_seconds = sweep_seconds
        self._queued: set[tuple[str, str]] = set()
        self._guard = Lock()
        self._stopping = Event()
        self._pool: ThreadPoolExecutor | None = None
        self._sweeper: Thread | None = None

    def start(self) -> None:
        """Start the threads; the first sweep takes up what an earlier process left behind."""
        self._stopping.clear()
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix="work")
        self._sweeper = Thread(target=self._sweep, name="work-sweep", daemon=True)
        self._sweeper.start()

    def stop(self) -> None:
        """Finish what is being worked on; what is only queued stays a row for the next start."""
        self._stopping.set()
        with self._guard:
            pool, self._pool = self._pool, None
            self._queued.clear()
        if pool is not None:
            pool.shutdown(wait=True, cancel_futures=True)
        if self._sweeper is not None:
            self._sweeper.join()
            self._sweeper = None

    def ring(self, task: str, key: str) -> None:
        """Queue the row, unless it waits in the queue already.

        Raises:
            UsageError: no such task.
        """
        if task not in self._tasks:
            raise unknown_task(task, self._tasks)
        with self._guard:
            # Before start and after stop there is nobody to tell: the next sweep finds the row.
            if self._pool is not None and (task, key) not in self._queued:
                self._queued.add((task, key))
                self._pool.submit(self._run, task, key)

    def _run(self, task: str, key: str) -> None:
        with self._guard:
            # Taken off before the work: a ring that arrives meanwhile may be about something that is new.
            self._queued.discard((task, key))
        carry_out(self._tasks[task], key)

    def _sweep(self) -> None:
        while True:
            for task in self._tasks.values():
                for key in due_keys(task):
                    self.ring(task.name, key)
            if self._stopping.wait(self._sweep_seconds):
                return


def unknown_task(task: str, known: Sequence[str] | dict[str, Task]) -> UsageError:
    """The fault of ringing for a task that the engine was not built with."""
    return UsageError(
        expected=f"one of the tasks {', '.join(sorted(known))}",
        found=repr(task),
        remedy="Give the task to the engine when it is built.",
    )
