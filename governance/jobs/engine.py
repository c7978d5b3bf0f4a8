"""What every engine does: it is rung for a task and a key, and calls the task somewhere, at least once."""

from typing import Protocol


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
