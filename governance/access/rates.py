"""How many requests each principal may send: a bucket of tokens for each, in the memory of one process."""

import threading
from collections import OrderedDict
from collections.abc import Callable

from governance.errors import TooManyRequests

MOST_BUCKETS = 10_000


class Rates:
    """A bucket for each principal: it holds a minute's requests, each request takes one, and they come back evenly.

    A bucket that has filled up again says what no bucket says, and is forgotten. Where ``most`` principals ask within
    one minute, the one that has been silent for longest is forgotten first, so that memory is bounded.
    """

    def __init__(self, per_minute: int, *, clock: Callable[[], float], most: int = MOST_BUCKETS) -> None:
        """``per_minute`` requests of each principal, 0 for no limit; ``clock`` gives seconds and never goes back."""
        self._per_minute = per_minute
        self._clock = clock
        self._most = most
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()
        """Tokens and the instant they were counted at, by principal, whoever asked last at the end."""
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many buckets are kept."""
        return len(self._buckets)

    def require(self, principal: str) -> None:
        """Take one request of the principal with this id.

        Raises:
            TooManyRequests: none is left; it says after how many seconds there is one.
        """
        if self._per_minute == 0:
            return
        with self._lock:
            left = self._take(principal, self._clock())
        if left < 0:
            raise TooManyRequests(
                expected=f"at most {self._per_minute} requests a minute of one principal",
                found="more",
                remedy="Wait as long as the header Retry-After says; send several events in one batch.",
                retry_after_seconds=-left * 60 / self._per_minute,
            )

    def _take(self, principal: str, now: float) -> float:
        """The tokens left after the request; below zero the request is refused and takes none."""
        held = self._held(principal, now)
        left = round(held - 1, 9)  # whoever waited exactly as long as told is not refused for the last bit of a float
        self._buckets[principal] = (left if left >= 0 else held, now)
        self._buckets.move_to_end(principal)
        self._forget(now)
        return left

    def _held(self, principal: str, now: float) -> float:
        if principal not in self._buckets:
            return self._per_minute
        tokens, counted_at = self._buckets[principal]
        return min(self._per_minute, tokens + (now - counted_at) * self._per_minute / 60)

    def _forget(self, now: float) -> None:
        """Every bucket is full a minute after its last request, so those that are stand at the front."""
        while self._buckets:
            _tokens, counted_at = next(iter(self._buckets.values()))
            if len(self._buckets) <= self._most and now - counted_at < 60:
                return
            self._buckets.popitem(last=False)
