"""What mentions say is remembered, and an event that comes later changes nothing of it."""

import copy
from datetime import timedelta
from typing import Any

from governance.settings import LineageSettings
from lineage import sayings
from lineage.changes import Changes, derive
from lineage.events import Event
from lineage.ingest import Read, read_events
from lineage.memory import Memory
from lineage.receiving import parse_event
from lineage.rules import LABELS, NODES, TEXTS, VERSIONS
from tests.lineage.material import NOON, body, dataset, real_bodies, run_event, run_id


def mentioning(minute: float, **facets: Any) -> Event:
    """An event whose one output has the facets."""
    return parse_event(body(run_event("COMPLETE", minute, run=run_id(1), outputs=[dataset("out", **facets)])))


def rows(changes: Changes) -> dict[str, dict[Any, dict[str, Any]]]:
    """Every row of a batch, by table and key."""
    return {rules.table.__tablename__: found for rules, found in changes.rows.items()}


SCHEMA = {"fields": [{"name": "a", "type": "int", "description": "of a"}]}


def test_what_is_remembered_of_real_events_gives_the_rows_that_reading_them_anew_gives(monkeypatch: Any) -> None:
    read = read_events(list(real_bodies().values()), LineageSettings())
    events = [item.event for item in read if isinstance(item, Read)]
    found = [rows(derive((event, NOON) for event in events)) for _ in range(2)]
    monkeypatch.setattr(sayings, "_SAYINGS", Memory(1))
    monkeypatch.setattr(sayings, "_RUNS", Memory(1))
    monkeypatch.setattr(sayings, "MOST_BYTES", -1)
    anew = rows(derive((event, NOON) for event in events))
    assert found[0] == found[1] == anew


def test_a_mention_that_says_the_same_is_read_once() -> None:
    first, second = (mentioning(minute, schema=SCHEMA).outputs[0] for minute in (1, 2))
    assert sayings.dataset_saying(first) is sayings.dataset_saying(second)


def test_what_a_later_event_says_is_not_told_of_an_earlier_one() -> None:
    early, late = mentioning(1, schema=SCHEMA), mentioning(5, schema=SCHEMA)
    kept = copy.deepcopy(sayings.dataset_saying(early.outputs[0]))
    derive([(early, NOON), (late, NOON)])
    assert sayings.dataset_saying(early.outputs[0]) == kept
    (version,) = derive([(early, NOON)]).of(VERSIONS)
    assert version["last_stamp"] == early.stamp
    node = next(row for row in derive([(late, NOON)]).of(NODES) if row["kind"] == "dataset")
    assert (node["first_seen"], node["schema_stamp"]) == (NOON + timedelta(minutes=5), late.stamp)


def test_mentions_that_differ_in_a_facet_say_different_things() -> None:
    told = [mentioning(1, documentation={"description": text}) for text in ("one", "two")]
    contents = [row["content"] for event in told for row in derive([(event, NOON)]).of(TEXTS)]
    assert contents == [b'{"description":"one"}', b'{"description":"two"}']


def test_a_facet_that_is_taken_away_again_is_told_as_such() -> None:
    (label,) = derive([(mentioning(1, documentation={"_deleted": True}), NOON)]).of(LABELS)
    assert (label["key"], label["text_id"]) == ("documentation", None)


def test_what_says_much_is_not_remembered() -> None:
    fields = {"fields": [{"name": f"column_{place}" * 20, "type": "int"} for place in range(100)]}
    first, second = (mentioning(minute, schema=fields).outputs[0] for minute in (1, 2))
    assert sayings.dataset_saying(first) is not sayings.dataset_saying(second)
    assert sayings.dataset_saying(first) == sayings.dataset_saying(second)
