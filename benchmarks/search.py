"""Search over HTTP at 20,000 jobs, as many datasets and 60,000 runs, against one statement that matches the index.

The questions are those of a person who looks for something: one word of a name, the beginning of a word, two words that
few nodes have both, a word that a tenth of all nodes has, a field, a tag with a kind, and a page in the middle.
"""

import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from benchmarks.databases import as_delivered, on_both
from benchmarks.report import Row
from governance.database import Database
from governance.migration import upgrade
from lineage.changes import derive
from lineage.receiving import parse_event
from lineage.replay import require_current
from lineage.search_index import index_changes
from lineage.store import insert_events, write
from tests.lineage.material import body, dataset, run_event, run_id
from tests.support.service import Service

JOBS = 20_000
RUNS_A_JOB = 3
AREAS = ("orders", "billing", "claims", "ledger", "shipping", "returns", "pricing", "support", "credit", "fraud")
STEPS = ("extract", "clean", "join", "score", "report")
PAGE = 20
ROUNDS = 10


@dataclass(frozen=True)
class Question:
    """What is asked, in words for people and as parameters, and what the index is asked for the same."""

    name: str
    asked: dict[str, Any]
    words: tuple[str, ...]


QUESTIONS = (
    Question("one name", {"q": "billing_join_4321"}, ("billing", "join", "4321")),
    Question("the beginning of a word", {"q": "ship"}, ("ship",)),
    Question("two words", {"q": "fraud 1229"}, ("fraud", "1229")),
    Question("a word of a tenth of all nodes", {"q": "credit"}, ("credit",)),
    Question("a field", {"q": "amount_17"}, ("amount", "17")),
    Question("a tag and a kind", {"q": "ledger", "tag": "pii", "kind": "dataset"}, ("ledger",)),
    Question("by name, the jobs of an area", {"q": "returns", "kind": "job", "sort": "name"}, ("returns",)),
)


def run() -> list[Row]:
    """A row for each question and database."""
    return on_both(_rows)


def _rows(name: str, url: str, folder: Path) -> list[Row]:
    upgrade(url)
    database = Database(url)
    with database.unit() as unit:
        require_current(unit)
    _fill(database)
    with as_delivered(folder / "home", url) as service:
        rows = [_row(service, database, question, name) for question in QUESTIONS]
    database.close()
    return rows


def _row(service: Service, database: Database, question: Question, name: str) -> Row:
    found, answered = _p95(lambda: _asked(service, question))
    _, matched = _p95(lambda: _matched(database, question))
    return Row(
        name=f"search for {question.name}, {found:,} found, {name}",
        measured=f"p95 {answered * 1000:.1f} ms, first and second page with their count",
        floor=f"p95 {matched * 1000:.1f} ms, counting the matches of the index",
        ratio=0.05 / answered,
        bar="p95 below 50 ms: ratio (of 50 ms) at least 1",
    )


def _asked(service: Service, question: Question) -> Iterator[tuple[int, float]]:
    """How many are found, and the seconds of the first page and of the one after it."""
    cursor: dict[str, str] = {}
    for _ in range(2):
        began = time.perf_counter()
        answer = service.http.get("/v1/lineage/search", params={**question.asked, **cursor, "limit": PAGE})
        taken = time.perf_counter() - began
        page = answer.raise_for_status().json()
        if not page["results"]:
            raise RuntimeError(f"nothing was found for {question.name}")
        yield page["total_count"], taken
        if page["next_cursor"] is None:
            return
        cursor = {"cursor": page["next_cursor"]}


_FLOOR = {
    "sqlite": "SELECT count(*) FROM lineage_search_words WHERE lineage_search_words MATCH :asked",
    "postgresql": "SELECT count(*) FROM lineage_search_words WHERE words @@ CAST(:asked AS tsquery)",
}


def _matched(database: Database, question: Question) -> Iterator[tuple[int, float]]:
    is_sqlite = database.dialect == "sqlite"
    asked = " AND ".join(f'"{word}" *' for word in question.words)
    if not is_sqlite:
        asked = " & ".join(f"'{word}':*" for word in question.words)
    with database.read_unit() as unit:
        began = time.perf_counter()
        found: int = unit.session.execute(sa.text(_FLOOR[database.dialect]), {"asked": asked}).scalar_one()
        yield found, time.perf_counter() - began


def _p95(ask: Callable[[], Iterator[tuple[int, float]]]) -> tuple[int, float]:
    """What was found, and the 95th percentile of the seconds, after one round to warm up."""
    found, taken = 0, []
    for place in range(ROUNDS + 1):
        for number, seconds in ask():
            found = number
            taken += [seconds] if place else []
    return found, statistics.quantiles(taken, n=20)[-1]


def _fill(database: Database) -> None:
    """Take the events on the path that all events take, but for the log."""
    bodies = _bodies()
    while chunk := list(islice(bodies, 1_000)):
        events = [parse_event(content) for content in chunk]
        with database.unit() as unit:
            insert_events(unit, events)
            changes = derive((event, unit.now) for event in events)
            index_changes(unit, changes, write(unit, changes))
    with database.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.execute(sa.text("VACUUM ANALYZE" if database.dialect == "postgresql" else "ANALYZE"))


def _bodies() -> Iterator[bytes]:
    for number in range(JOBS * RUNS_A_JOB):
        job = number % JOBS
        output = dataset(
            f"{_name(job)}_out",
            schema={"fields": [{"name": f"amount_{job % 97}", "type": "int"}, {"name": "customer_id", "type": "int"}]},
            documentation={"description": f"What the {STEPS[job % 5]} of {AREAS[job % 10]} leaves for others."},
            tags={"tags": [{"key": "pii" if job % 3 else "public", "value": "true"}]},
        )
        inputs = [f"{_name((job + step) % JOBS)}_out" for step in (1, 2)]
        yield body(run_event("COMPLETE", number, run=run_id(number), job=_name(job), inputs=inputs, outputs=[output]))


def _name(job: int) -> str:
    return f"{AREAS[job % 10]}_{STEPS[job // 10 % 5]}_{job}"
