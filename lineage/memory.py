"""What was found about values that come again and again, by their digests. Holds no values of its own accord."""

from collections.abc import Hashable
from typing import Generic, TypeVar

Found = TypeVar("Found")


class Memory(Generic[Found]):
    """The most recent findings, at least ``most`` and at most twice as many. Safe to use from many threads.

    Keys are digests and not the values themselves, so that its size does not depend on what producers send.
    """

    def __init__(self, most: int) -> None:
        """Empty."""
        self._most = most
        self._young: dict[Hashable, Found] = {}
        self._old: dict[Hashable, Found] = {}

    def get(self, key: Hashable) -> Found | None:
        """What was kept under the key; None where nothing was, or it is forgotten."""
        found = self._young.get(key)
        return self._old.get(key) if found is None else found

    def keep(self, key: Hashable, found: Found) -> None:
        """Remember ``found``. When the young generation is full, the one before it is forgotten."""
        if len(self._young) >= self._most:
            self._old, self._young = self._young, {}
        self._young[key] = found
