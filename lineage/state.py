"""The state of a run by event time: a function of the set of its events, whatever their order. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

State = Literal["NEW", "RUNNING", "COMPLETED", "FAILED", "ABORTED"]

RANKS = {"COMPLETE": 1, "ABORT": 2, "FAIL": 3}
"""Terminal event types; at equal times the higher rank wins."""

_STATES: dict[int, State] = {1: "COMPLETED", 2: "ABORTED", 3: "FAILED"}


@dataclass(frozen=True, slots=True)
class RunEvidence:
    """What a run's events say about its state.

    ``end`` is the winning terminal event's time and rank; ``end_kinds`` has the bit ``1 << rank`` of every terminal
    type seen; ``last_event`` is the latest time of any event.
    """

    first_start: datetime | None = None
    first_running: datetime | None = None
    end: tuple[datetime, int] | None = None
    end_kinds: int = 0
    last_event: datetime | None = None


@dataclass(frozen=True, slots=True)
class RunState:
    """State, times and findings of a run; ``duration_ms`` is null unless it started and ended."""

    state: State
    started_at: datetime | None
    ended_at: datetime | None
    duration_ms: int | None
    findings: tuple[str, ...]


def gather(events: Iterable[tuple[str | None, datetime]]) -> RunEvidence:
    """The evidence in (event type, event time) pairs; an unknown or missing type counts as OTHER."""
    first_start = first_running = last_event = None
    end: tuple[datetime, int] | None = None
    end_kinds = 0
    for event_type, time in events:
        last_event = time if last_event is None else max(last_event, time)
        if event_type == "START":
            first_start = time if first_start is None else min(first_start, time)
        elif event_type == "RUNNING":
            first_running = time if first_running is None else min(first_running, time)
        elif event_type in RANKS:
            rank = RANKS[event_type]
            end_kinds |= 1 << rank
            end = (time, rank) if end is None else max(end, (time, rank))
    return RunEvidence(first_start, first_running, end, end_kinds, last_event)


def run_state(evidence: RunEvidence) -> RunState:
    """The state the evidence amounts to.

    A terminal event wins over every other whatever their times; of several the latest, at equal times FAIL over ABORT
    over COMPLETE. The start is the earliest START, else the earliest RUNNING.
    """
    started = evidence.first_start if evidence.first_start is not None else evidence.first_running
    ended, rank = evidence.end if evidence.end is not None else (None, 0)
    state: State = _STATES[rank] if rank else ("NEW" if started is None else "RUNNING")
    found = []
    if evidence.first_start is None and (started is not None or ended is not None):
        found.append("run.start_missing")
    if ended is not None and evidence.last_event is not None and evidence.last_event > ended:
        found.append("run.event_after_end")
    if evidence.end_kinds.bit_count() > 1:
        found.append("run.conflicting_end")
    duration = None
    if started is not None and ended is not None:
        duration = round((ended - started).total_seconds() * 1000)
    return RunState(state, started, ended, duration, tuple(found))
