"""Walks: stored edges against a walk over plain sets, cuts, cycles, aliases, explicit lineage, time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.database import Database
from governance.errors import Conflict, InputRefused, NotFound
from governance.settings import LineageSettings
from lineage.graph import Bounds, Direction, Pairs, walk
from lineage.graph_answer import Graph
from lineage.identity import NodeKind, node_id_splits
from lineage.ingest import record_events
from lineage.neighbourhood import GraphQuery, neighbourhood, resolve
from tests.lineage.material import (
    NOON,
    bodies,
    dataset,
    dataset_event,
    job_event,
    run_event,
    run_id,
)

LAKE = "s3://lake"


@dataclass
class SetLinks:
    """Links over plain sets: jobs are below 100, datasets from 100 on."""

    reads: set[tuple[int, int]] = field(default_factory=set)
    writes: set[tuple[int, int]] = field(default_factory=set)
    links: set[tuple[int, int]] = field(default_factory=set)
    """Direct links, as (source, target): two datasets or two jobs."""
    deleted: set[int] = field(default_factory=set)

    def jobs(self, datasets: Sequence[int], direction: Direction) -> Pairs:
        pairs = self.writes if direction == "upstream" else self.reads
        return [pair for pair in sorted(pairs) if pair[1] in datasets]

    def datasets(self, jobs: Sequence[int], direction: Direction) -> Pairs:
        pairs = self.reads if direction == "upstream" else self.writes
        return [pair for pair in sorted(pairs) if pair[0] in jobs]

    def explicit(self, jobs: Sequence[int]) -> set[int]:
        return {job for job in jobs if job < 0}

    def direct(self, nodes: Sequence[int], direction: Direction) -> Pairs:
        ways = [(far, near) for near, far in self.links] if direction == "upstream" else sorted(self.links)
        return [(near, far) for near, far in sorted(ways) if near in nodes]

    def hidden(self, nodes: Sequence[int]) -> set[int]:
        return self.deleted.intersection(nodes)

    def flows(self, entered: Sequence[tuple[int, int]], direction: Direction) -> Pairs:
        return self.datasets([job for job, _ in entered], direction)

    def canonical(self, datasets: Sequence[int]) -> Mapping[int, int]:
        return {dataset: dataset for dataset in datasets}

    def sort_keys(self, nodes: Sequence[int]) -> Mapping[int, tuple[str, str, str]]:
        return {node: ("job" if node < 100 else "dataset", "", f"{node:03d}") for node in nodes}


def closure(links: SetLinks, start: int, direction: Direction) -> set[int]:
    """Every node reached, by following single steps until nothing is new: the naive walk."""
    into, out = (links.writes, links.reads) if direction == "upstream" else (links.reads, links.writes)
    reached = {start}
    while True:
        jobs = {job for job, dataset in into if dataset in reached}
        datasets = {dataset for job, dataset in out if job in reached}
        linked = {far for near, far in links.direct(sorted(reached), direction)}
        found = (jobs | datasets | linked) - links.deleted
        if found <= reached:
            return reached
        reached |= found


PAIRS = st.sets(st.tuples(st.integers(0, 5), st.integers(100, 106)), max_size=14)
JOBS, DATASETS = st.integers(0, 5), st.integers(100, 106)
DIRECT = st.sets(st.one_of(st.tuples(JOBS, JOBS), st.tuples(DATASETS, DATASETS)), max_size=4)
STARTS = st.one_of(JOBS, DATASETS)
LINKS = st.builds(SetLinks, PAIRS, PAIRS, DIRECT, st.sets(STARTS, max_size=2))
DIRECTIONS: Any = st.sampled_from(["upstream", "downstream"])


@given(LINKS, STARTS, DIRECTIONS)
def test_a_walk_without_bounds_reaches_what_single_steps_reach(links: SetLinks, start: int, way: Direction) -> None:
    found = walk(links, start, start < 100, [way])
    assert set(found.distances) == closure(links, start, way)
    assert not found.is_truncated


@given(LINKS, STARTS)
def test_both_directions_are_the_union_of_the_two_walks(links: SetLinks, start: int) -> None:
    both = walk(links, start, start < 100, ["upstream", "downstream"])
    up, down = (walk(links, start, start < 100, [way]) for way in ("upstream", "downstream"))
    assert set(both.distances) == set(up.distances) | set(down.distances)
    assert both.edges == up.edges | down.edges
    assert both.direct_edges == up.direct_edges | down.direct_edges
    far = 10**6
    assert all(
        distance == min(up.distances.get(node, far), down.distances.get(node, far))
        for node, distance in both.distances.items()
    )


@given(LINKS, STARTS, DIRECTIONS, st.integers(1, 12))
def test_a_cut_walk_holds_the_nearest_nodes_and_says_where_more_is(
    links: SetLinks, start: int, way: Direction, limit: int
) -> None:
    whole = walk(links, start, start < 100, [way])
    cut = walk(links, start, start < 100, [way], Bounds(node_limit=limit))
    assert len(cut.distances) == min(limit, len(whole.distances))
    assert cut.is_truncated == (len(whole.distances) > limit)
    assert all(whole.distances[node] == distance for node, distance in cut.distances.items())
    left_out = [whole.distances[node] for node in whole.distances if node not in cut.distances]
    assert not left_out or max(cut.distances.values()) <= min(left_out)
    assert all(job in cut.distances and dataset in cut.distances for job, dataset, _ in cut.edges)
    assert cut.frontier <= set(cut.distances)


@given(LINKS, STARTS, DIRECTIONS, st.integers(0, 4))
def test_depth_counts_the_jobs_entered(links: SetLinks, start: int, way: Direction, depth: int) -> None:
    whole = walk(links, start, start < 100, [way])
    shallow = walk(links, start, start < 100, [way], Bounds(depth=depth))
    assert shallow.distances == {node: at for node, at in whole.distances.items() if at <= depth}
    assert shallow.is_truncated == (len(shallow.distances) < len(whole.distances))


def test_equal_nodes_are_cut_by_name() -> None:
    links = SetLinks(reads={(1, 104), (1, 102), (1, 103)})
    assert set(walk(links, 1, True, ["upstream"], Bounds(node_limit=3)).distances) == {1, 102, 103}


def fill(database: Database, *documents: Any) -> None:
    with database.unit() as unit:
        record_events(unit, bodies(*documents), LineageSettings())


def ask(database: Database, name: str, kind: NodeKind = "dataset", namespace: str = LAKE, **query: Any) -> Graph:
    with database.read_unit() as unit:
        return neighbourhood(unit, resolve(unit, [(kind, namespace, name)]), GraphQuery(**query))


def names(graph: Graph) -> dict[str, int]:
    return {node.name: node.distance for node in graph.nodes}


def edges(graph: Graph) -> set[tuple[str, str]]:
    return {(graph.nodes[edge.source].name, graph.nodes[edge.target].name) for edge in graph.edges}


@pytest.mark.parametrize("seed", range(3))
def test_stored_edges_are_walked_like_plain_sets(database: Database, seed: int) -> None:
    import random

    source = random.Random(seed)
    links = SetLinks(
        {(source.randrange(8), 100 + source.randrange(9)) for _ in range(14)},
        {(source.randrange(8), 100 + source.randrange(9)) for _ in range(10)},
    )
    used = {job for job, _ in links.reads | links.writes}
    fill(
        database,
        *(
            run_event(
                "COMPLETE",
                job,
                run=run_id(job),
                job=str(job),
                inputs=[str(dataset) for reader, dataset in links.reads if reader == job],
                outputs=[str(dataset) for writer, dataset in links.writes if writer == job],
            )
            for job in used
        ),
    )
    starts = used | {dataset for _, dataset in links.reads | links.writes}
    for start in starts:
        for way in ("upstream", "downstream"):
            namespace, kind = ("batch", "job") if start < 100 else (LAKE, "dataset")
            expected = walk(links, start, start < 100, [way])
            found = ask(database, str(start), kind, namespace, direction=way)  # type: ignore[arg-type] # as above
            assert names(found) == {str(node): distance for node, distance in expected.distances.items()}
            flows = {(str(j), str(d)) if out else (str(d), str(j)) for j, d, out in expected.edges}
            assert edges(found) == flows


CHAIN = [
    run_event("COMPLETE", 1, run=run_id(1), job="load", inputs=["raw"], outputs=["clean"]),
    run_event("COMPLETE", 2, run=run_id(2), job="train", inputs=["clean"], outputs=["model"]),
    run_event("COMPLETE", 3, run=run_id(3), job="report", inputs=["clean"], outputs=["page"]),
]


def test_siblings_that_merely_read_the_same_table_are_not_in_the_answer(database: Database) -> None:
    fill(database, *CHAIN)
    assert names(ask(database, "model")) == {"model": 0, "train": 1, "clean": 1, "load": 2, "raw": 2}


def test_one_hop_is_given_where_one_hop_is_wanted(database: Database) -> None:
    """L22."""
    fill(database, *CHAIN)
    found = ask(database, "raw", direction="downstream", depth=1)
    assert names(found) == {"raw": 0, "load": 1, "clean": 1}
    assert [found.nodes[place].name for place in found.frontier] == ["clean"]
    job = ask(database, "load", "job", "batch", direction="downstream", depth=0)
    assert names(job) == {"load": 0, "clean": 0}


def test_a_cycle_ends_and_each_node_comes_once(database: Database) -> None:
    fill(database, run_event("COMPLETE", 1, job="loop", inputs=["a", "b"], outputs=["a"]))
    found = ask(database, "a")
    assert sorted(names(found)) == ["a", "b", "loop"]
    assert edges(found) == {("a", "loop"), ("b", "loop"), ("loop", "a")}


def test_ever_current_and_as_of_are_separate_questions(database: Database) -> None:
    """L8: run A reads c1 and writes e1; run B of the same job reads c2 and writes e2."""
    fill(
        database,
        run_event("COMPLETE", 1, run=run_id(1), inputs=["c1"], outputs=["e1"]),
        run_event("COMPLETE", 5, run=run_id(2), inputs=["c2"], outputs=["e2"]),
    )
    ever = ask(database, "job", "job", "batch")
    assert edges(ever) == {("c1", "job"), ("c2", "job"), ("job", "e1"), ("job", "e2")}
    assert edges(ask(database, "job", "job", "batch", edges="current")) == {("c2", "job"), ("job", "e2")}
    then = ask(database, "job", "job", "batch", as_of=NOON + timedelta(minutes=2))
    assert edges(then) == {("c1", "job"), ("job", "e1")}
    current_then = ask(database, "e1", as_of=NOON + timedelta(minutes=2), edges="current")
    assert names(current_then) == {"e1": 0, "job": 1, "c1": 1}
    assert edges(ask(database, "e1", edges="current")) == set()


def test_an_edge_tells_when_it_was_seen_and_by_which_run(database: Database) -> None:
    fill(
        database,
        run_event("START", 1, run=run_id(1), inputs=["a"]),
        run_event("COMPLETE", 2, run=run_id(1), inputs=["a"]),
        run_event("COMPLETE", 9, run=run_id(2), inputs=["a"]),
    )
    (edge,) = ask(database, "a").edges
    assert (edge.run_count, edge.latest_run_id) == (2, run_id(2))
    assert (edge.first_seen, edge.last_seen) == (NOON + timedelta(minutes=1), NOON + timedelta(minutes=9))
    (then,) = ask(database, "a", as_of=NOON + timedelta(minutes=5)).edges
    assert (then.run_count, then.latest_run_id, then.last_seen) == (1, run_id(1), NOON + timedelta(minutes=2))


def test_a_job_event_shows_its_edges(database: Database) -> None:
    """L15."""
    fill(database, job_event(1, job="declared", outputs=["out"]))
    (edge,) = ask(database, "out").edges
    assert (edge.run_count, edge.latest_run_id) == (0, None)
    assert names(ask(database, "out", edges="current")) == {"out": 0, "declared": 1}


def linked(name: str, *aliases: str) -> dict[str, Any]:
    listed = [{"namespace": "hive", "name": alias, "type": "TABLE"} for alias in aliases]
    return dataset(name, symlinks={"identifiers": listed})


def test_a_symlink_sent_later_joins_the_graphs_and_withdrawn_parts_them(database: Database) -> None:
    """L13."""
    reader = run_event(
        "COMPLETE", 2, run=run_id(2), job="read", inputs=[{"namespace": "hive", "name": "b"}], outputs=["end"]
    )
    fill(database, run_event("COMPLETE", 1, run=run_id(1), job="write", outputs=["a"]), reader)
    assert names(ask(database, "end")) == {"end": 0, "read": 1, "b": 1}
    fill(database, dataset_event(linked("a", "b"), 3))
    joined = ask(database, "end")
    assert names(joined) == {"end": 0, "read": 1, "a": 1, "write": 2}
    assert next(node for node in joined.nodes if node.name == "a").aliases == (("hive", "b"),)
    assert names(ask(database, "b", namespace="hive")) == names(ask(database, "a"))
    fill(database, dataset_event(dataset("a", symlinks={"_deleted": True}), 4))
    assert names(ask(database, "end")) == {"end": 0, "read": 1, "b": 1}
    between = ask(database, "end", as_of=NOON + timedelta(minutes=3))
    assert "write" in names(between)


def test_a_name_that_only_a_symlink_gave_is_found_through_it_and_is_no_entity(database: Database) -> None:
    fill(database, run_event("COMPLETE", 1, outputs=[linked("a", "only")]))
    assert names(ask(database, "only", namespace="hive")) == {"a": 0, "job": 1}
    fill(database, dataset_event(dataset("a", symlinks={"_deleted": True}), 2))
    with pytest.raises(NotFound):
        ask(database, "only", namespace="hive")


def test_loops_of_symlinks_are_harmless(database: Database) -> None:
    back = dataset("b", symlinks={"identifiers": [{"namespace": LAKE, "name": "a", "type": "X"}]})
    there = dataset("a", symlinks={"identifiers": [{"namespace": LAKE, "name": "b", "type": "X"}]})
    fill(database, dataset_event(back, 1), dataset_event(there, 1), run_event("COMPLETE", 2, outputs=["b"]))
    assert names(ask(database, "b")) == {"a": 0, "job": 1}


def entry(target: str, *sources: str) -> dict[str, Any]:
    inputs = [{"namespace": LAKE, "name": name, "type": "DATASET"} for name in sources]
    return {"namespace": LAKE, "name": target, "type": "DATASET", "inputs": inputs}


def test_a_walk_through_a_job_with_explicit_lineage_goes_only_where_an_entry_leads(database: Database) -> None:
    facets = {"lineage": {"entries": [entry("x", "a"), entry("y", "b")]}}
    fill(
        database,
        run_event("COMPLETE", 1, run=run_id(1), job="load", outputs=["a", "b"]),
        run_event(
            "COMPLETE", 2, run=run_id(2), job="move", inputs=["a", "b", "c"], outputs=["x", "y"], job_facets=facets
        ),
    )
    assert names(ask(database, "x")) == {"x": 0, "move": 1, "a": 1, "load": 2}
    assert names(ask(database, "b", direction="downstream")) == {"b": 0, "move": 1, "y": 1}
    assert set(names(ask(database, "move", "job", "batch", depth=0))) == {"move", "a", "b", "c", "x", "y"}


def test_a_dataset_that_only_a_lineage_facet_names_is_read_all_the_same(database: Database) -> None:
    """L16: an output with columnLineage alone."""
    fields = {"x": {"inputFields": [{"namespace": LAKE, "name": "source", "field": "y"}]}}
    fill(database, run_event("COMPLETE", 1, outputs=[dataset("out", columnLineage={"fields": fields})]))
    assert names(ask(database, "out")) == {"out": 0, "job": 1, "source": 1}


@pytest.mark.parametrize(
    ("node_id", "count"),
    [
        ("dataset:trino://h:1337:20240430_x", 3),
        ("dataset:a:b", 1),
        ("job:a:b:c", 2),
        ("dataset:a:b#0195553c-9a10-7d41-8f6b-3c1de2a40b17", 2),
        ("run:a:b", 0),
        ("dataset:", 0),
        ("dataset:a", 0),
        ("", 0),
    ],
)
def test_a_node_id_stands_for_every_split_of_it(node_id: str, count: int) -> None:
    assert len(node_id_splits(node_id)) == count


def test_a_node_id_is_resolved_against_what_is_stored(database: Database) -> None:
    """L11."""
    fill(
        database,
        dataset_event(dataset("20240430_x", "trino://h:1337")),
        dataset_event(dataset("T", "jdbc:h2:mem:x")),
        dataset_event(dataset("/path", "file")),
        dataset_event(dataset("b:c", "a")),
        dataset_event(dataset("c", "a:b")),
    )
    with database.read_unit() as unit:
        for node_id, name in (
            ("trino://h:1337:20240430_x", "20240430_x"),
            ("jdbc:h2:mem:x:T", "T"),
            ("file:/path", "/path"),
        ):
            assert resolve(unit, node_id_splits(f"dataset:{node_id}")).name == name
        with pytest.raises(Conflict, match="namespace=a name=b:c"):
            resolve(unit, node_id_splits("dataset:a:b:c"))
        with pytest.raises(NotFound):
            resolve(unit, [("dataset", "a", "other")])
        with pytest.raises(InputRefused, match="2,048"):
            resolve(unit, [("dataset", "a", "x" * 2049)])
