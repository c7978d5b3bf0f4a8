"""Findings of events, and those of runs that all their events together show, by code, producer and time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from lineage.conformance import Finding
from lineage.descriptions import evidence_of
from lineage.event_sight import may_be_seen, seen_events
from lineage.identity import stamp_time
from lineage.reading import Reader, nodes_by_id, seen
from lineage.state import run_state
from lineage.tables import EventRow, FindingRow, NodeRow, RunRow

RUN_FINDINGS = ("run.start_missing", "run.event_after_end", "run.conflicting_end")
"""Codes of findings that belong to runs. They follow from the stored events, whatever the order these came in."""

_EXPECTED = {
    "run.start_missing": "a START, or a RUNNING that begins the run",
    "run.event_after_end": "no event after the terminal one",
    "run.conflicting_end": "terminal events of one type",
}
_YEAR_ONE = 62_135_596_800
"""Seconds from the first instant of year 1, where stamps begin, to that of 1970."""

Cursor = tuple[str, int, int, str]
"""Where a page ended: of events or of runs, the row's id, the position in it, and the event's time."""


@dataclass(frozen=True, slots=True)
class FindingQuery:
    """Which findings: one of the codes and one of the producers where any are given, between two instants."""

    codes: tuple[str, ...] = ()
    producers: tuple[str, ...] = ()
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class FoundInEvent:
    """A finding of an event. ``pointer`` is the place in it."""

    finding: Finding
    event_digest: str
    event_time: datetime
    producer: str | None


@dataclass(frozen=True, slots=True)
class FoundInRun:
    """A finding of a run; ``run_time`` is that of its last event."""

    finding: Finding
    run_id: str
    job_namespace: str
    job_name: str
    run_time: datetime


@dataclass(frozen=True, slots=True)
class Page:
    """Findings of events, newest first, then those of runs, those recorded last first; where the next page begins."""

    found: tuple[FoundInEvent | FoundInRun, ...]
    following: Cursor | None


def findings_page(unit: Reader, asked: FindingQuery, after: Cursor | None, limit: int) -> Page:
    """At most ``limit`` findings that come after the cursor.

    A finding of a run has no producer of its own: where producers are asked for, only events are looked at.
    """
    found: list[tuple[Cursor, FoundInEvent | FoundInRun]] = []
    if (after is None or after[0] == "event") and not _only(asked.codes, RUN_FINDINGS):
        found += _of_events(unit, asked, after, limit + 1)
    if len(found) <= limit and not asked.producers and (not asked.codes or set(asked.codes) & set(RUN_FINDINGS)):
        found += _of_runs(unit, asked, after if after is not None and after[0] == "run" else None, limit + 1)
    page = found[:limit]
    return Page(tuple(item for _, item in page), page[-1][0] if len(found) > limit and page else None)


def _only(codes: Sequence[str], among: Sequence[str]) -> bool:
    return bool(codes) and set(codes) <= set(among)


def _of_events(
    unit: Reader, asked: FindingQuery, after: Cursor | None, limit: int
) -> list[tuple[Cursor, FoundInEvent]]:
    """Those of events that the unit sees; of many that it does not see, page after page is looked through."""
    found: list[tuple[Cursor, FoundInEvent]] = []
    while len(found) < limit:
        batch = list(_stored(unit, asked, after, limit))
        shown = seen_events(unit, {cursor[1] for cursor, _ in batch})
        found += [item for item in batch if item[0][1] in shown]
        if unit.sight.is_whole or len(batch) < limit:
            break
        after = batch[-1][0]
    return found[:limit]


def _stored(
    unit: Reader, asked: FindingQuery, after: Cursor | None, limit: int
) -> Iterator[tuple[Cursor, FoundInEvent]]:
    event, finding = EventRow, FindingRow
    query = (
        sa.select(finding, event.digest, event.event_time)
        .join(event, event.id == finding.event_id)
        .order_by(event.event_time.desc(), event.id.desc(), finding.position)
        .limit(limit)
    )
    if asked.codes:
        query = query.where(finding.code.in_(asked.codes))
    if asked.producers:
        query = query.where(finding.producer.in_(asked.producers))
    query = query.where(*_between(event.event_time, asked), *may_be_seen(unit))
    if after is not None:
        _, number, position, last = after
        instant = datetime.fromisoformat(last)
        query = query.where(
            event.event_time <= instant,
            sa.or_(
                event.event_time < instant,
                event.id < number,
                sa.and_(event.id == number, finding.position > position),
            ),
        )
    for row, digest, time in unit.session.execute(query):
        item = Finding(row.pointer, row.code, row.expected, row.found)
        cursor = ("event", row.event_id, row.position, time.isoformat())
        yield cursor, FoundInEvent(item, "sha256:" + digest.hex(), time, row.producer)


def _of_runs(
    unit: Reader, asked: FindingQuery, after: Cursor | None, limit: int
) -> Iterator[tuple[Cursor, FoundInRun]]:
    """Runs with findings, the latest row first; a run has one for each code that holds of it."""
    conditions = _conditions(unit.dialect)
    wanted = [code for code in RUN_FINDINGS if not asked.codes or code in asked.codes]
    query = (
        sa.select(RunRow)
        .where(sa.or_(*(conditions[code] for code in wanted)), *_between(RunRow.last_event, asked))
        .order_by(RunRow.id.desc())
        .limit(limit)
    )
    if not unit.sight.is_whole:
        query = query.join(NodeRow, NodeRow.id == RunRow.job_id).where(*seen(unit))
    if after is not None:
        query = query.where(RunRow.id <= after[1])
    rows = unit.session.scalars(query).all()
    jobs = nodes_by_id(unit, sorted({row.job_id for row in rows}))
    for row in rows:
        job = jobs[row.job_id]
        for position, code in enumerate(run_state(evidence_of(row)).findings):
            is_passed = after is not None and row.id == after[1] and position <= after[2]
            if code in wanted and not is_passed:
                item = Finding("", code, _EXPECTED[code], _found(code, row))
                cursor = ("run", row.id, position, "")
                yield cursor, FoundInRun(item, row.run_id, job.namespace, job.name, row.last_event)


def _between(column: Any, asked: FindingQuery) -> list[sa.ColumnElement[bool]]:
    since = [] if asked.since is None else [column >= asked.since]
    return since if asked.until is None else [*since, column <= asked.until]


def _conditions(dialect: str) -> dict[str, sa.ColumnElement[bool]]:
    """When each finding holds of a row: what ``lineage.state.run_state`` says, in SQL."""
    started = sa.or_(RunRow.first_running.is_not(None), RunRow.end_stamp.is_not(None))
    return {
        "run.start_missing": sa.and_(RunRow.first_start.is_(None), started),
        "run.event_after_end": sa.and_(RunRow.end_stamp.is_not(None), _is_after_end(dialect)),
        # One bit is one type of terminal event (``lineage.state.RANKS``).
        "run.conflicting_end": RunRow.end_kinds.not_in([0, 2, 4, 8]),
    }


def _is_after_end(dialect: str) -> sa.ColumnElement[bool]:
    """The last event is later than the end. A stamp begins with the microseconds since year 1, highest byte first."""
    if dialect == "postgresql":
        since_1970: Any = sa.extract("epoch", RunRow.last_event)
        spelled = sa.func.int8send(sa.cast(since_1970 * 1_000_000, sa.BigInteger) + _YEAR_ONE * 1_000_000)
        return spelled > sa.func.substr(RunRow.end_stamp, 1, 8)
    text = sa.type_coerce(RunRow.last_event, sa.Text)
    seconds = sa.cast(sa.func.strftime("%s", sa.func.substr(text, 1, 19)), sa.BigInteger) + _YEAR_ONE
    microseconds = seconds * 1_000_000 + sa.cast(sa.func.substr(text, 21, 6), sa.BigInteger)
    return sa.func.printf("%016X", microseconds) > sa.func.hex(sa.func.substr(RunRow.end_stamp, 1, 8))


def _found(code: str, row: RunRow) -> str:
    if code == "run.start_missing":
        return "none"
    if code == "run.conflicting_end":
        types = {1: "COMPLETE", 2: "ABORT", 3: "FAIL"}
        return " and ".join(types[rank] for rank in types if row.end_kinds >> rank & 1)
    ended = "" if row.end_stamp is None else stamp_time(row.end_stamp).isoformat()
    return f"the end at {ended} and an event at {row.last_event.isoformat()}"
