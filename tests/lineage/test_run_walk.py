"""Walks over runs: which versions a run read and wrote, who wrote and who read them, as versions were reported."""

from datetime import timedelta
from typing import Any

import pytest

from governance.database import Database
from governance.errors import NotFound
from governance.settings import LineageSettings
from lineage.graph import Bounds, Direction
from lineage.ingest import record_events
from lineage.run_walk import RunGraph, RunQuery, WalkedRun, WalkedVersion, find_run, run_graph
from tests.lineage.material import NOON, bodies, dataset, run_event, run_id, versioned

BOTH: tuple[Direction, ...] = ("upstream", "downstream")


def fill(database: Database, *documents: Any) -> None:
    with database.unit() as unit:
        record_events(unit, bodies(*documents), LineageSettings())


def ask(database: Database, run: int, *directions: Direction, minute: float | None = None, **bounds: int) -> RunGraph:
    as_of = None if minute is None else NOON + timedelta(minutes=minute)
    with database.read_unit() as unit:
        query = RunQuery(directions or BOTH, Bounds(**bounds), as_of)
        return run_graph(unit, find_run(unit, run_id(run), as_of), query)


def label(graph: RunGraph, place: int) -> str:
    node = graph.nodes[place]
    if isinstance(node, WalkedRun):
        return str(int(node.run.run_id[-4:]))
    assert isinstance(node, WalkedVersion)
    return node.name if node.version is None else f"{node.name}@{node.version}"


def distances(graph: RunGraph) -> dict[str, int]:
    return {label(graph, place): node.distance for place, node in enumerate(graph.nodes)}


def edges(graph: RunGraph) -> set[tuple[str, str, str | None]]:
    return {(label(graph, edge.source), label(graph, edge.target), edge.basis) for edge in graph.edges}


def done(number: int, minute: float, **parts: Any) -> list[dict[str, Any]]:
    """A run that starts at the minute and ends half a minute later."""
    named = {"run": run_id(number), "job": parts.pop("job", f"job{number}"), **parts}
    return [run_event("START", minute, **named), run_event("COMPLETE", minute + 0.5, **named)]


def test_what_led_to_a_run_and_what_it_led_to(database: Database) -> None:
    """L18: both ways from one run."""
    fill(
        database,
        *done(1, 1, inputs=["raw"], outputs=["clean"]),
        *done(2, 2, inputs=["clean"], outputs=["model"]),
        *done(3, 3, inputs=["model"], outputs=["scores"]),
        *done(4, 3, inputs=["clean"], outputs=["page"]),
    )
    found = ask(database, 2)
    assert distances(found) == {"2": 0, "clean": 0, "model": 0, "1": 1, "raw": 1, "3": 1, "scores": 1}
    assert edges(found) == {
        ("clean", "2", "time"),
        ("1", "clean", None),
        ("raw", "1", None),
        ("2", "model", None),
        ("model", "3", "time"),
        ("3", "scores", None),
    }
    assert label(found, found.start) == "2"
    assert distances(ask(database, 2, "upstream")) == {"2": 0, "clean": 0, "1": 1, "raw": 1}
    assert distances(ask(database, 2, "downstream")) == {"2": 0, "model": 0, "3": 1, "scores": 1}


def test_a_run_read_the_version_that_it_reported_though_a_later_one_existed(database: Database) -> None:
    """L14."""
    fill(
        database,
        *done(1, 1, outputs=[versioned("a", "v1")]),
        *done(2, 2, outputs=[versioned("a", "v2")]),
        *done(3, 3, inputs=[versioned("a", "v1")], outputs=["b"]),
        *done(4, 3, inputs=["a"]),
    )
    assert edges(ask(database, 3, "upstream")) == {("a@v1", "3", "reported_version"), ("1", "a@v1", None)}
    assert edges(ask(database, 4, "upstream")) == {("a@v2", "4", "time"), ("2", "a@v2", None)}
    assert edges(ask(database, 1, "downstream", depth=1)) == {
        ("1", "a@v1", None), ("a@v1", "3", "reported_version"), ("3", "b", None),
    }  # fmt: skip
    assert edges(ask(database, 2, "downstream")) == {("2", "a@v2", None), ("a@v2", "4", "time")}


def test_a_second_run_on_other_data_leaves_the_first_as_it_was(database: Database) -> None:
    """L8: at run level e1 comes from c1 alone."""
    fill(
        database,
        *done(1, 1, job="load", inputs=["c1"], outputs=["e1"]),
        *done(2, 2, job="load", inputs=["c2"], outputs=["e2"]),
        *done(3, 3, inputs=["e1"]),
    )
    assert set(distances(ask(database, 3, "upstream"))) == {"3", "e1", "1", "c1"}
    assert set(distances(ask(database, 2, "downstream"))) == {"2", "e2"}


def test_readers_by_time_are_those_before_the_next_write_ended(database: Database) -> None:
    fill(
        database,
        *done(1, 1, job="load", outputs=["t"]),
        *done(2, 2, inputs=["t"]),
        *done(3, 3, job="load", outputs=["t"]),
        *done(4, 4, inputs=["t"]),
        run_event("START", 3.2, run=run_id(5), job="early", inputs=["t"]),
    )
    assert set(distances(ask(database, 1, "downstream"))) == {"1", "t", "2", "5"}
    assert set(distances(ask(database, 3, "downstream"))) == {"3", "t", "4"}


def test_a_reader_of_a_stream_that_never_ends_is_found_from_it(database: Database) -> None:
    fill(
        database,
        run_event("START", 1, run=run_id(1), job="stream", outputs=["t"]),
        *done(2, 5, inputs=["t"]),
    )
    assert edges(ask(database, 1)) == {("1", "t", None), ("t", "2", "time")}
    assert edges(ask(database, 2)) == edges(ask(database, 1))


def test_a_version_that_only_its_reader_reported_is_what_the_silent_writer_wrote(database: Database) -> None:
    fill(database, *done(1, 1, outputs=["t"]), *done(2, 2, inputs=[versioned("t", "7")]))
    assert edges(ask(database, 2)) == {("1", "t@7", None), ("t@7", "2", "time")}
    assert edges(ask(database, 1)) == edges(ask(database, 2))


def test_depth_counts_the_runs_entered_and_the_frontier_says_where_more_is(database: Database) -> None:
    fill(database, *(event for number in range(1, 6) for event in done(number, number, inputs=[f"t{number}"],
                                                                     outputs=[f"t{number + 1}"])))  # fmt: skip
    own = ask(database, 3, depth=0)
    assert distances(own) == {"3": 0, "t3": 0, "t4": 0}
    assert own.is_truncated
    assert sorted(label(own, place) for place in own.frontier) == ["t3", "t4"]
    whole = ask(database, 3)
    assert not whole.is_truncated
    assert len(whole.nodes) == 5 + 6


@pytest.mark.parametrize("limit", range(1, 13))
def test_a_cut_answer_holds_the_nearest_and_says_that_it_was_cut(database: Database, limit: int) -> None:
    fill(database, *(event for number in range(1, 6) for event in done(number, number, inputs=[f"t{number}", "x"],
                                                                     outputs=[f"t{number + 1}"])))  # fmt: skip
    whole, cut = ask(database, 3), ask(database, 3, node_limit=limit)
    assert len(cut.nodes) == min(limit, len(whole.nodes))
    assert cut.is_truncated == (limit < len(whole.nodes))
    assert set(cut.nodes) <= set(whole.nodes)
    left_out = [node.distance for node in whole.nodes if node not in cut.nodes]
    assert not left_out or max(node.distance for node in cut.nodes) <= min(left_out)
    assert edges(cut) <= edges(whole)


def test_a_run_with_explicit_lineage_is_left_only_where_an_entry_leads(database: Database) -> None:
    def entry(target: str, source: str) -> dict[str, Any]:
        ends = {"namespace": "s3://lake", "type": "DATASET"}
        return {**ends, "name": target, "inputs": [{**ends, "name": source}]}

    facets = {"lineage": {"entries": [entry("x", "a"), entry("y", "b")]}}
    fill(
        database,
        *done(1, 1, outputs=["a"]),
        *done(2, 1, outputs=["b"]),
        *done(3, 2, inputs=["a", "b"], outputs=["x", "y"], job_facets=facets),
        *done(4, 3, inputs=["x"]),
        *done(5, 3, inputs=["y"]),
    )
    assert set(distances(ask(database, 4, "upstream"))) == {"4", "x", "3", "a", "1"}
    assert set(distances(ask(database, 2, "downstream"))) == {"2", "b", "3", "y", "5"}
    assert set(distances(ask(database, 3))) == {"3", "a", "b", "x", "y", "1", "2", "4", "5"}


def test_names_that_are_one_dataset_are_one_at_run_level(database: Database) -> None:
    alias = {"identifiers": [{"namespace": "s3://lake", "name": "two", "type": "TABLE"}]}
    fill(database, *done(1, 1, outputs=[dataset("one", symlinks=alias)]), *done(2, 2, inputs=["two"]))
    assert edges(ask(database, 2)) == {("1", "one", None), ("one", "2", "time")}
    assert edges(ask(database, 1)) == edges(ask(database, 2))


def test_the_answer_is_as_it_stood(database: Database) -> None:
    fill(database, *done(1, 1, outputs=["t"]), *done(2, 2, inputs=["t"]), *done(3, 3, inputs=["t"]))
    then = ask(database, 1, minute=2.2)
    assert distances(then) == {"1": 0, "t": 0, "2": 1}
    states = {node.run.run_id: node.run.state for node in then.nodes if isinstance(node, WalkedRun)}
    assert states == {run_id(1): "COMPLETED", run_id(2): "RUNNING"}
    with pytest.raises(NotFound):
        ask(database, 3, minute=2.2)


def test_the_inputs_of_a_run_name_the_runs_that_wrote_them(database: Database) -> None:
    fill(
        database,
        *done(1, 1, outputs=[versioned("a", "v1")]),
        *done(2, 2, outputs=[versioned("a", "v1")]),
        *done(3, 3, inputs=[versioned("a", "v1"), "root"]),
    )
    found = ask(database, 3, "upstream")
    rows = [(version.name, writer and writer.run_id) for version, writer in found.inputs_of(found.start)]
    assert sorted(rows, key=str) == [("a", run_id(1)), ("a", run_id(2)), ("root", None)]


def test_a_run_that_no_event_named_is_not_found(database: Database) -> None:
    with pytest.raises(NotFound):
        ask(database, 9)
