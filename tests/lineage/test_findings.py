"""Findings by code, producer and time, in pages; those of runs as the pure state of a run has them."""

from collections.abc import Iterator
from datetime import timedelta
from itertools import count
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.database import Database
from governance.settings import LineageSettings
from lineage.findings import RUN_FINDINGS, Cursor, FindingQuery, FoundInEvent, FoundInRun, findings_page
from lineage.ingest import record_events
from lineage.state import gather, run_state
from tests.lineage.material import NOON, bodies, run_event, run_id

Found = FoundInEvent | FoundInRun


def fill(database: Database, *documents: Any) -> None:
    with database.unit() as unit:
        record_events(unit, bodies(*documents), LineageSettings())


def pages(database: Database, limit: int, **asked: Any) -> Iterator[list[Found]]:
    after: Cursor | None = None
    while True:
        with database.read_unit() as unit:
            page = findings_page(unit, FindingQuery(**asked), after, limit)
        yield list(page.found)
        if page.following is None:
            return
        after = page.following


def codes(database: Database, **asked: Any) -> list[str]:
    return [item.finding.code for page in pages(database, 100, **asked) for item in page]


def faulty(minute: float, producer: str, **parts: Any) -> dict[str, Any]:
    """An event without a schemaURL, and one more fault."""
    document = {**run_event("COMPLETE", minute, **parts), "producer": producer, "eventType": "ODD"}
    del document["schemaURL"]
    return document


def test_findings_are_found_by_code_producer_and_time(database: Database) -> None:
    fill(database, faulty(1, "https://a.example"), faulty(2, "https://b.example"), run_event("START", 3, run=run_id(2)))
    schema, kind = "event.schema_url_missing", "event.type_unknown"
    assert codes(database) == [kind, schema, kind, schema] or codes(database) == [schema, kind, schema, kind]
    assert codes(database, codes=(schema,)) == [schema, schema]
    with database.read_unit() as unit:
        page = findings_page(unit, FindingQuery(producers=("https://b.example",)), None, 10)
    assert {(item.producer, item.event_time.minute) for item in page.found if isinstance(item, FoundInEvent)} == {
        ("https://b.example", 2)
    }
    assert codes(database, codes=(schema,), since=NOON.replace(minute=2)) == [schema]
    assert codes(database, codes=(schema,), until=NOON.replace(minute=1)) == [schema]
    assert codes(database, codes=("event.core_invalid",)) == []


def test_pages_hold_every_finding_once_whatever_their_size(database: Database) -> None:
    fill(
        database,
        *(faulty(minute % 2, "https://a.example", run=run_id(minute)) for minute in range(4)),
        *(run_event("COMPLETE", 1, run=run_id(minute)) for minute in range(3)),
        *(run_event("FAIL", 2, run=run_id(minute)) for minute in range(3)),
        run_event("OTHER", 3, run=run_id(1)),
    )
    whole = [item for page in pages(database, 1000) for item in page]
    assert len(whole) == 8 + 3 * 2 + 1
    for limit in range(1, 7):
        cut = list(pages(database, limit))
        assert [item for page in cut for item in page] == whole
        assert all(len(page) == limit for page in cut[:-1])


TYPES = st.sampled_from(["START", "RUNNING", "COMPLETE", "FAIL", "ABORT", "OTHER"])
NUMBERS = count(1)
RUNS = st.lists(st.lists(st.tuples(TYPES, st.integers(0, 5)), min_size=1, max_size=4), min_size=1, max_size=5)


@given(RUNS)
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_findings_of_runs_are_those_that_the_pure_state_has(
    database: Database, runs: list[list[tuple[str, int]]]
) -> None:
    """The database is kept between the examples: each draws runs of its own."""
    expected: dict[str, tuple[str, ...]] = {}
    with database.unit() as unit:
        for events in runs:
            name = f"run {next(NUMBERS)}"
            documents = [run_event(kind, minute, run=name) for kind, minute in events]
            record_events(unit, bodies(*documents), LineageSettings())
            at = [(kind, NOON + timedelta(minutes=minute)) for kind, minute in events]
            expected[name] = run_state(gather(at)).findings
        found = findings_page(unit, FindingQuery(codes=RUN_FINDINGS), None, 10**6).found
    of_runs = [(item.run_id, item.finding.code) for item in found if isinstance(item, FoundInRun)]
    assert sorted(pair for pair in of_runs if pair[0] in expected) == sorted(
        (name, code) for name, codes in expected.items() for code in codes
    )


def test_a_finding_of_a_run_says_what_was_found(database: Database) -> None:
    fill(database, run_event("COMPLETE", 1), run_event("ABORT", 2), run_event("OTHER", 3))
    with database.read_unit() as unit:
        found = findings_page(unit, FindingQuery(codes=RUN_FINDINGS), None, 10).found
    assert [(item.finding.code, item.finding.found) for item in found] == [
        ("run.start_missing", "none"),
        ("run.event_after_end", "the end at 2026-03-01T12:02:00+00:00 and an event at 2026-03-01T12:03:00+00:00"),
        ("run.conflicting_end", "COMPLETE and ABORT"),
    ]
    assert all(isinstance(item, FoundInRun) and item.job_name == "job" for item in found)
