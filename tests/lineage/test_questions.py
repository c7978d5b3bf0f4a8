"""Questions to the database against plain sets: walks, paths, impact; filters, hidden nodes, differences."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from itertools import count, pairwise
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from governance.database import Database
from governance.errors import InputRefused
from governance.settings import LineageSettings
from lineage.actions import Target, delete_namespace, delete_node
from lineage.connections import Connections, connections
from lineage.differences import Side, differences
from lineage.filters import NodeFilter
from lineage.graph import Direction
from lineage.graph_answer import Graph
from lineage.impact import impacted
from lineage.ingest import record_events
from lineage.neighbourhood import GraphQuery, neighbourhood, reach, resolve
from tests.lineage.material import NOON, bodies, dataset, job_event, run_event, run_id

LAKE = "s3://lake"
ONCE = count(1)
EXAMPLES = settings(
    max_examples=12, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def fill(database: Database, *documents: Any) -> None:
    with database.unit() as unit:
        record_events(unit, bodies(*documents), LineageSettings())


def node(name: str) -> Any:
    return ("job", "batch", name) if name.startswith("j") else ("dataset", LAKE, name)


def ask(database: Database, name: str, **query: Any) -> Graph:
    with database.read_unit() as unit:
        return neighbourhood(unit, resolve(unit, [node(name)]), GraphQuery(**query))


def shown(graph: Graph | Connections) -> list[str]:
    return [found.name for found in graph.nodes]


@dataclass(frozen=True)
class Flows:
    """Which jobs read and write what; nodes are ``j0`` and ``d0`` with a prefix of the example after them."""

    reads: frozenset[tuple[int, int]]
    writes: frozenset[tuple[int, int]]

    def stored(self, database: Database) -> str:
        """Store them under new names; what is put after each."""
        mark = f"-{next(ONCE)}"
        jobs = {job for job, _ in self.reads | self.writes}
        documents = [
            run_event(
                "COMPLETE",
                run=f"{job}{mark}",
                job=f"j{job}{mark}",
                inputs=[f"d{end}{mark}" for reader, end in self.reads if reader == job],
                outputs=[f"d{end}{mark}" for writer, end in self.writes if writer == job],
            )
            for job in jobs
        ]
        fill(database, *documents)
        return mark

    def steps(self, direction: Direction) -> dict[str, set[str]]:
        """Where each node leads."""
        flows = [(f"d{end}", f"j{job}") for job, end in self.reads] + [
            (f"j{job}", f"d{end}") for job, end in self.writes
        ]
        found: dict[str, set[str]] = {}
        for source, target in flows:
            near, far = (source, target) if direction == "downstream" else (target, source)
            found.setdefault(near, set()).add(far)
        return found

    def distances(self, start: str, direction: Direction) -> dict[str, int]:
        """How many jobs were entered when each node was first reached, counted step by step."""
        steps, found, front = self.steps(direction), {start: 0}, [start]
        for depth in range(1, 20):
            datasets = [far for near in front if near[0] == "j" for far in steps.get(near, ()) if far not in found]
            found.update(dict.fromkeys(datasets, depth - 1))
            near = [name for name in front if name[0] == "d"] + datasets
            front = list(dict.fromkeys(far for name in near for far in steps.get(name, ()) if far not in found))
            found.update(dict.fromkeys(front, depth))
        return found


ENDS = st.frozensets(st.tuples(st.integers(0, 4), st.integers(0, 5)), min_size=1, max_size=9)
FLOWS = st.builds(Flows, ENDS, ENDS)
WAYS: Any = st.sampled_from(["upstream", "downstream"])


def every_path(steps: dict[str, set[str]], path: list[str], end: str) -> Iterator[list[str]]:
    if path[-1] == end:
        yield path
        return
    for far in steps.get(path[-1], ()):
        if far not in path:
            yield from every_path(steps, [*path, far], end)


@EXAMPLES
@given(FLOWS, WAYS, st.integers(1, 9))
def test_impact_lists_what_single_steps_reach_in_the_order_of_distance_and_name(
    database: Database, flows: Flows, way: Direction, limit: int
) -> None:
    mark, start = flows.stored(database), f"j{min(flows.reads)[0]}"
    expected = sorted(
        (distance, "job" if name[0] == "j" else "dataset", f"{name}{mark}")
        for name, distance in flows.distances(start, way).items()
    )
    with database.read_unit() as unit:
        row = resolve(unit, [node(f"{start}{mark}")])
        whole = reach(unit, row, GraphQuery(way, node_limit=None))
        assert [(item.distance, item.kind, item.name) for item in impacted(unit, whole)] == expected
        cut = reach(unit, row, GraphQuery(way, node_limit=limit))
        listed = [(item.distance, item.kind, item.name) for item in impacted(unit, cut)]
    assert set(listed) <= set(expected)
    assert [at for at, _, _ in listed] == [at for at, _, _ in expected[: len(listed)]]
    assert cut.is_truncated == (limit < len(expected))


@EXAMPLES
@given(FLOWS, WAYS)
def test_paths_are_all_that_single_steps_find_the_shortest_first(
    database: Database, flows: Flows, way: Direction
) -> None:
    mark = flows.stored(database)
    start, end = f"d{min(flows.reads)[1]}", f"j{max(flows.writes)[0]}"
    expected = sorted(every_path(flows.steps(way), [start], end), key=len)
    with database.read_unit() as unit:
        start_row, end_row = (resolve(unit, [node(f"{name}{mark}")]) for name in (start, end))
        found = connections(unit, start_row, end_row, GraphQuery(way), 1_000)
        few = connections(unit, start_row, end_row, GraphQuery(way), 2)
    paths = [[found.nodes[place].name.removesuffix(mark) for place in path.nodes] for path in found.paths]
    assert sorted(paths) == sorted(expected)
    assert [len(path) for path in paths] == [len(path) for path in expected]
    assert len(few.paths) == min(2, len(expected))
    assert few.is_truncated == (len(expected) > 2)
    passed = {(found.nodes[edge.source].name, found.nodes[edge.target].name) for edge in found.edges}
    steps = {(near, far) for path in paths for near, far in pairwise(path)}
    flows_passed = steps if way == "downstream" else {(far, near) for near, far in steps}
    assert passed == {(f"{source}{mark}", f"{target}{mark}") for source, target in flows_passed}


@EXAMPLES
@given(FLOWS, WAYS, st.integers(1, 8))
def test_a_filter_leaves_out_what_does_not_match_of_what_the_whole_walk_reached(
    database: Database, flows: Flows, way: Direction, limit: int
) -> None:
    mark, start = flows.stored(database), f"j{min(flows.reads)[0]}"
    everything = ask(database, f"{start}{mark}", direction=way, node_limit=None)
    kept = [found for found in everything.nodes if found.kind == "dataset" or found.name == f"{start}{mark}"]
    filtered = ask(database, f"{start}{mark}", direction=way, node_limit=limit, chosen=NodeFilter(kinds=("dataset",)))
    assert len(filtered.nodes) == min(limit, len(kept))
    assert filtered.is_truncated == (limit < len(kept))
    assert f"{start}{mark}" in shown(filtered)
    assert set(shown(filtered)) <= {found.name for found in kept}


CHAIN = [
    run_event("COMPLETE", 1, run=run_id(1), job="j1", inputs=["a"], outputs=["b"]),
    run_event("COMPLETE", 2, run=run_id(2), job="j2", inputs=["b"], outputs=["c"]),
]


def test_what_an_operator_deleted_is_left_out_and_not_walked_through_until_it_is_named_again(
    database: Database,
) -> None:
    fill(database, *CHAIN)
    with database.unit() as unit:
        delete_node(unit, Target("job", "batch", "j2"), "operator")
    assert shown(ask(database, "c")) == ["c"]
    assert shown(ask(database, "a")) == ["a", "b", "j1"]
    assert ask(database, "a").is_truncated is False
    fill(database, run_event("COMPLETE", 3, run=run_id(3), job="j2", inputs=["b"], outputs=["c"]))
    assert shown(ask(database, "c")) == ["c", "b", "j2", "a", "j1"]
    with database.unit() as unit:
        delete_namespace(unit, "batch", "operator")
    assert shown(ask(database, "b")) == ["b"]


def test_a_direct_link_between_datasets_is_an_edge_with_its_times(database: Database) -> None:
    fields = {"x": {"inputFields": [{"namespace": LAKE, "name": "source", "field": "y"}]}}
    told = {
        "eventTime": (NOON + timedelta(minutes=3)).isoformat(), "producer": "https://p.example",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetEvent",
        "dataset": dataset("view", columnLineage={"fields": fields}),
    }  # fmt: skip
    fill(database, told, run_event("COMPLETE", 1, job="j1", inputs=["a"], outputs=["source"]))
    found = ask(database, "view")
    assert shown(found) == ["source", "view", "a", "j1"]
    direct = next(edge for edge in found.edges if found.nodes[edge.target].name == "view")
    assert (found.nodes[direct.source].name, direct.first_seen, direct.run_count, direct.latest_run_id) == (
        "source", NOON + timedelta(minutes=3), 0, None,
    )  # fmt: skip
    with database.read_unit() as unit:
        start_row, end_row = (resolve(unit, [node(name)]) for name in ("a", "view"))
        (path,) = connections(unit, start_row, end_row, GraphQuery(), 10).paths
        assert len(path.nodes) == 4
    assert shown(ask(database, "view", as_of=NOON + timedelta(minutes=2))) == ["view"]


def test_a_path_leads_through_an_explicit_job_only_where_an_entry_does(database: Database) -> None:
    def entry(target: str, source: str) -> dict[str, Any]:
        ends = {"namespace": LAKE, "type": "DATASET"}
        return {**ends, "name": target, "inputs": [{**ends, "name": source}]}

    facets = {"lineage": {"entries": [entry("x", "a"), entry("y", "b")]}}
    fill(database, run_event("COMPLETE", 1, job="j1", inputs=["a", "b"], outputs=["x", "y"], job_facets=facets))
    with database.read_unit() as unit:
        rows = {name: resolve(unit, [node(name)]) for name in ("a", "x", "y", "j1")}
        paths = {
            (start, end): len(connections(unit, rows[start], rows[end], GraphQuery("downstream"), 10).paths)
            for start, end in (("a", "x"), ("a", "y"), ("a", "j1"), ("j1", "y"), ("x", "a"))
        }
        with pytest.raises(InputRefused):
            connections(unit, rows["a"], rows["a"], GraphQuery(), 10)
    assert paths == {("a", "x"): 1, ("a", "y"): 0, ("a", "j1"): 1, ("j1", "y"): 1, ("x", "a"): 0}


def test_an_answer_of_paths_passes_no_more_nodes_than_the_limit(database: Database) -> None:
    fill(database, *(job_event(1, job=f"j{number}", inputs=["a"], outputs=["z"]) for number in range(6)))
    with database.read_unit() as unit:
        start_row, end_row = (resolve(unit, [node(name)]) for name in ("a", "z"))
        found = connections(unit, start_row, end_row, GraphQuery(node_limit=4), 100)
    assert (len(found.paths), len(found.nodes), found.is_truncated) == (2, 4, True)


def test_a_difference_is_empty_between_equal_sides_and_turns_round_with_them(database: Database) -> None:
    fill(database, *CHAIN)
    with database.read_unit() as unit:
        row = resolve(unit, [node("c")])
        then, now = Side(row, NOON + timedelta(minutes=1)), Side(row, None)
        same = differences(unit, now, now, GraphQuery())
        forth, back = differences(unit, then, now, GraphQuery()), differences(unit, now, then, GraphQuery())
        cut = differences(unit, then, now, GraphQuery(node_limit=1))
    assert (same.nodes_added, same.nodes_removed, same.edges_added, same.edges_removed) == ((), (), (), ())
    assert {name for _, _, name in forth.nodes_added} == {"a", "b", "j1", "j2"}
    assert (back.nodes_removed, back.edges_removed) == (forth.nodes_added, forth.edges_added)
    assert (len(cut.nodes_added), cut.is_truncated, forth.is_truncated) == (1, True, False)
