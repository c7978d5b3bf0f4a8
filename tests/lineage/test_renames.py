"""RENAME: history under the new name, the old name finds it, as of an instant, in any order of arrival."""

from itertools import permutations
from typing import Any

import pytest

from governance.database import Database
from governance.settings import LineageSettings
from lineage.digest import StateDigest, state_digest
from lineage.graph_answer import Graph
from lineage.ingest import record_events
from lineage.neighbourhood import GraphQuery, neighbourhood, resolve
from lineage.replay import replay
from tests.lineage.material import NOON, bodies, dataset, dataset_event, run_event, run_id
from tests.lineage.test_columns import LAKE, arrows, ask, mapped, step, tagged, tags


def fill(database: Database, *documents: Any) -> None:
    with database.unit() as unit:
        record_events(unit, bodies(*documents), LineageSettings())


def renamed(old: str, new: str, minute: float, **facets: Any) -> dict[str, Any]:
    """An event that says that a dataset is called by a new name."""
    change = {"lifecycleStateChange": "RENAME", "previousIdentifier": {"namespace": LAKE, "name": old}}
    return dataset_event(dataset(new, lifecycleStateChange=change, **facets), minute)


def writes(number: int, source: str, target: str, minute: float) -> dict[str, Any]:
    return run_event("COMPLETE", minute, run=run_id(number), job=f"job{number}", inputs=[source], outputs=[target])


def graph(database: Database, name: str, **query: Any) -> Graph:
    with database.read_unit() as unit:
        return neighbourhood(unit, resolve(unit, [("dataset", LAKE, name)]), GraphQuery(**query))


def names(found: Graph) -> set[str]:
    return {node.name for node in found.nodes if node.kind == "dataset"}


def start_of(found: Graph) -> tuple[str, set[str]]:
    """The start's name and its other names."""
    node = found.nodes[found.start]
    return node.name, {name for _, name in node.aliases}


STORY = [writes(1, "raw", "old", 1), renamed("old", "new", 5), writes(2, "new", "report", 9)]


def test_the_history_is_under_the_new_name_and_the_old_one_finds_it(database: Database) -> None:
    fill(database, *STORY)
    for asked in ("new", "old"):
        found = graph(database, asked)
        assert start_of(found) == ("new", {"old"})
        assert names(found) == {"raw", "new", "report"}
    assert names(graph(database, "raw", direction="downstream")) == {"raw", "new", "report"}


def test_before_the_rename_the_old_name_stands_alone(database: Database) -> None:
    fill(database, *STORY)
    before = NOON.replace(minute=4)
    assert start_of(graph(database, "old", as_of=before)) == ("old", set())
    assert names(graph(database, "raw", direction="downstream", as_of=before)) == {"raw", "old"}
    assert start_of(graph(database, "old", as_of=NOON.replace(minute=5))) == ("new", {"old"})


def test_columns_and_tags_go_on_under_the_new_name(database: Database) -> None:
    fill(database, tagged("raw", 0, x="pii"), step(1, mapped("old", {"x": [("raw", "x")]})), renamed("old", "new", 5),
         step(9, mapped("report", {"x": [("new", "x")]})))  # fmt: skip
    found = ask(database, "report", "x")
    assert arrows(found) == {("raw.x", "new.x"), ("new.x", "report.x")}
    assert tags(found, "report", "x") == {"pii": ("raw", "x")}
    assert arrows(ask(database, "old", "x")) == arrows(found)


def test_a_chain_of_renames_leads_to_the_last_name(database: Database) -> None:
    fill(database, writes(1, "raw", "first", 1), renamed("first", "second", 2), renamed("second", "third", 3),
         writes(2, "third", "report", 4))  # fmt: skip
    for asked in ("first", "second", "third"):
        assert start_of(graph(database, asked)) == ("third", {"first", "second"})
    assert names(graph(database, "first")) == {"raw", "third", "report"}
    assert start_of(graph(database, "first", as_of=NOON.replace(minute=2))) == ("second", {"first"})


def test_a_name_that_is_taken_again_is_another_dataset(database: Database) -> None:
    create = dataset("old", lifecycleStateChange={"lifecycleStateChange": "CREATE"})
    fill(database, *STORY, dataset_event(create, 6))
    assert start_of(graph(database, "old")) == ("old", set())
    assert start_of(graph(database, "new")) == ("new", set())
    assert start_of(graph(database, "old", as_of=NOON.replace(minute=5))) == ("new", {"old"})


def test_two_names_that_are_swapped_stay_two_datasets(database: Database) -> None:
    fill(database, writes(1, "raw_a", "a", 0), writes(2, "raw_b", "b", 0), renamed("a", "spare", 1),
         renamed("b", "a", 2), renamed("spare", "b", 3))  # fmt: skip
    assert start_of(graph(database, "a")) == ("a", set())
    assert start_of(graph(database, "b")) == ("b", {"spare"})
    assert start_of(graph(database, "spare")) == ("b", {"spare"})


def test_a_name_given_back_is_the_last_one_given(database: Database) -> None:
    fill(database, writes(1, "raw", "a", 0), renamed("a", "b", 1), writes(2, "b", "report", 2), renamed("b", "a", 3))
    for asked in ("a", "b"):
        assert start_of(graph(database, asked)) == ("a", {"b"})
        assert names(graph(database, asked)) == {"raw", "a", "report"}


def test_a_rename_to_itself_is_no_rename(database: Database) -> None:
    fill(database, writes(1, "raw", "a", 0), renamed("a", "a", 1))
    assert start_of(graph(database, "a")) == ("a", set())


def digest_of(database: Database) -> StateDigest:
    with database.unit() as unit:
        state = state_digest(unit)
        replay(unit)
        assert state_digest(unit) == state
        return state


@pytest.mark.parametrize("order", list(permutations(range(3)))[1:])
def test_the_order_of_arrival_does_not_show(database: Database, order: tuple[int, ...]) -> None:
    events = [writes(1, "raw", "first", 1), renamed("first", "second", 2), renamed("second", "third", 3)]
    for place in order:
        fill(database, events[place])
    assert start_of(graph(database, "first")) == ("third", {"first", "second"})
    state = digest_of(database)
    fill(database, *events)
    assert digest_of(database) == state


def test_one_digest_for_every_order(database: Database) -> None:
    """The other orders of the same events, each in a state made anew from them alone."""
    events = [writes(1, "raw", "a", 0), renamed("a", "b", 1), renamed("b", "a", 2), writes(2, "a", "report", 4)]
    for event in reversed(events):
        fill(database, event)
    state = digest_of(database)
    assert names(graph(database, "b")) == {"raw", "a", "report"}
    assert state.event_count == len(events)
