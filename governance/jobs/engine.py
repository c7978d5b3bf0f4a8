"""What every engine does: it is rung for a task and a key, and calls the task somewhere, at least once."""

from typing import Protocol

import structlog

log = structlog.get_logger("assay.work")


class Task(Protocol):
    """A kind of work over rows of its own.

    ``run`` takes the row by ``lease.claim`` and returns at once when there is nothing to take: it may be called twice,
    late, or by several workers at the same moment. ``due`` gives the keys that a sweep should ring for.
    """

    @property
    def name(self) -> str:
        """The name that ``Engine.ring`` knows it by."""
        ...

    def run(self, key: str) -> None:
        """Work on the row called ``key``, if it can be claimed."""
        ...

    def due(self) -> list[str]:
        """Keys of rows that nobody works on."""
        ...


class Engine(Protocol):
    """Carries out tasks, here or elsewhere."""

    def start(self) -> None:
        """Be ready to be rung."""
        ...

    def stop(self) -> None:
        """Take no more work, finish what is being done, and return."""
        ...

    def ring(self, task: str, key: str) -> None:
        """Say that there is something to do; called after commit. A ring that gets lost is found by the sweep."""
        ...


def carry_out(task: Task, key: str) -> None:
    """Run the task on one row; a fault is logged, and the sweep tries the row again when its lease ran out."""
    try:
        task.run(key)
    except Exception:
        log.exception("work.failed", task=task.name, key=key)


def due_keys(task: Task) -> list[str]:
    """What the sweep should ring for; nothing, with a record in the log, when that cannot be found out."""
    try:
        return task.due()
    except Exception:
        log.exception("work.sweep_failed", task=task.name)
        return []
