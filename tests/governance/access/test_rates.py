"""A principal's requests: a minute's worth at once, then evenly; nobody pays for another; memory is bounded."""

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.access.rates import Rates
from governance.errors import TooManyRequests


@dataclass
class Hands:
    """A clock that is moved by hand."""

    now: float = 1000.0

    def __call__(self) -> float:
        """Seconds."""
        return self.now


def wait(rates: Rates, principal: str = "ines") -> int:
    """Seconds to wait before the next request; 0 where one was taken."""
    try:
        rates.require(principal)
    except TooManyRequests as refused:
        return refused.retry_after_seconds
    return 0


def test_a_minutes_requests_may_come_at_once_and_then_one_by_one() -> None:
    clock = Hands()
    rates = Rates(6, clock=clock)
    assert [wait(rates) for _ in range(8)] == [0] * 6 + [10, 10]
    clock.now += 9
    assert wait(rates) == 1
    clock.now += 1
    assert [wait(rates), wait(rates)] == [0, 10]


def test_nobody_pays_for_what_another_sent() -> None:
    rates = Rates(1, clock=Hands())
    assert [wait(rates), wait(rates), wait(rates, "olga")] == [0, 60, 0]


def test_zero_sets_no_limit_and_keeps_nothing() -> None:
    rates = Rates(0, clock=Hands())
    assert [wait(rates) for _ in range(100)] == [0] * 100
    assert len(rates) == 0


@given(per_minute=st.integers(1, 100), gaps=st.lists(st.floats(0, 90, allow_subnormal=False), min_size=1, max_size=300))
def test_no_minute_lets_more_through_than_two_minutes_worth(per_minute: int, gaps: list[float]) -> None:
    """A full bucket and what comes back within the minute, whatever the caller does; who waits as told gets through."""
    clock = Hands()
    rates = Rates(per_minute, clock=clock)
    taken: list[float] = []
    for gap in gaps:
        clock.now += gap
        if not wait(rates):
            taken.append(clock.now)
    for start in taken:
        assert sum(start <= instant < start + 60 for instant in taken) <= 2 * per_minute
    told = wait(rates)
    clock.now += told
    assert told == 0 or wait(rates) == 0


def test_a_bucket_that_has_filled_up_again_is_forgotten() -> None:
    clock = Hands()
    rates = Rates(100, clock=clock)
    for number in range(50):
        wait(rates, f"pipeline:{number}")
    clock.now += 30
    wait(rates, "pipeline:7")
    clock.now += 30
    wait(rates, "ines")
    assert len(rates) == 2  # the one that asked half a minute ago, and the one that asks
    clock.now += 60
    wait(rates, "olga")
    assert len(rates) == 1


def test_memory_is_bounded_and_whoever_was_silent_longest_is_forgotten_first() -> None:
    rates = Rates(1, clock=Hands(), most=3)
    for name in ("a", "b", "c", "a", "d"):  # the second request of a is refused, and makes it the latest but one
        wait(rates, name)
    assert len(rates) == 3
    assert [wait(rates, name) for name in ("a", "c", "d")] == [60, 60, 60]
    assert wait(rates, "b") == 0


def test_what_is_refused_says_what_to_do() -> None:
    rates = Rates(2, clock=Hands())
    wait(rates)
    wait(rates)
    with pytest.raises(TooManyRequests, match="at most 2 requests a minute of one principal") as refused:
        rates.require("ines")
    assert (refused.value.status, refused.value.code, refused.value.retry_after_seconds) == (429, "limits.requests", 30)
