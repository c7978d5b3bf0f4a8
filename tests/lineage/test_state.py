"""The state of a run by event time."""

from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lineage.state import RunState, gather, run_state
from tests.lineage.material import NOON


def at(minute: int) -> datetime:
    return NOON + timedelta(minutes=minute)


def state(*events: tuple[str | None, int]) -> RunState:
    return run_state(gather((kind, at(minute)) for kind, minute in events))


@pytest.mark.parametrize(
    ("events", "expected"),
    [
        ([("OTHER", 1)], "NEW"),
        ([(None, 1)], "NEW"),
        ([("BOGUS", 1)], "NEW"),
        ([("START", 1)], "RUNNING"),
        ([("RUNNING", 1)], "RUNNING"),
        ([("START", 1), ("COMPLETE", 2)], "COMPLETED"),
        ([("START", 1), ("FAIL", 2)], "FAILED"),
        ([("START", 1), ("ABORT", 2)], "ABORTED"),
        ([("COMPLETE", 2), ("START", 1)], "COMPLETED"),
        ([("COMPLETE", 2), ("START", 9)], "COMPLETED"),
        ([("COMPLETE", 2), ("FAIL", 2)], "FAILED"),
        ([("COMPLETE", 2), ("ABORT", 2)], "ABORTED"),
        ([("ABORT", 2), ("FAIL", 2)], "FAILED"),
        ([("FAIL", 2), ("COMPLETE", 3)], "COMPLETED"),
    ],
)
def test_the_state_follows_the_table(events: list[tuple[str | None, int]], expected: str) -> None:
    assert state(*events).state == expected


def test_a_late_start_leaves_a_finished_run_finished() -> None:
    """L5."""
    found = state(("COMPLETE", 2), ("START", 1))
    assert (found.state, found.started_at, found.ended_at, found.duration_ms) == ("COMPLETED", at(1), at(2), 60_000)


def test_of_several_starts_the_earliest_counts() -> None:
    """L6: START t=1, START t=5, COMPLETE t=9."""
    found = state(("START", 5), ("START", 1), ("COMPLETE", 9))
    assert (found.started_at, found.duration_ms) == (at(1), 8 * 60_000)


def test_a_run_without_a_start_began_with_its_first_running() -> None:
    found = state(("RUNNING", 3), ("RUNNING", 2), ("COMPLETE", 9))
    assert (found.started_at, found.findings) == (at(2), ("run.start_missing",))


def test_a_run_that_only_ended_has_no_start_and_says_so() -> None:
    found = state(("COMPLETE", 9))
    assert (found.started_at, found.duration_ms, found.findings) == (None, None, ("run.start_missing",))


def test_an_event_after_the_end_and_conflicting_ends_are_findings() -> None:
    assert state(("START", 1), ("COMPLETE", 2), ("OTHER", 3)).findings == ("run.event_after_end",)
    assert state(("START", 1), ("COMPLETE", 2), ("FAIL", 2)).findings == ("run.conflicting_end",)
    assert state(("START", 1), ("COMPLETE", 2), ("COMPLETE", 5)).findings == ()


EVENTS = st.lists(
    st.tuples(st.sampled_from(["START", "RUNNING", "COMPLETE", "FAIL", "ABORT", "OTHER", None]), st.integers(0, 5)),
    max_size=8,
)


@given(EVENTS, st.randoms(use_true_random=False))
def test_order_and_repetition_do_not_matter(events: list[tuple[str | None, int]], random: object) -> None:
    shuffled = [*events, *events[: len(events) // 2]]
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis gives a random.Random
    assert state(*shuffled) == state(*events)
