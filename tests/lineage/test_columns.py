"""Column lineage in the database: the walk against a naive one, tags and categories, time, aliases, nesting."""

from collections.abc import Iterable, Mapping
from itertools import product
from typing import Any

import pytest
import sqlalchemy as sa

from governance.database import Database
from governance.errors import Conflict, NotFound
from governance.settings import LineageSettings
from lineage import columns
from lineage.column_answer import (
    ColumnGraph,
    ColumnNode,
    ColumnQuery,
    FieldName,
    column_graph,
    find_field,
    starts_of,
)
from lineage.column_graph import Hop
from lineage.columns import StoredFields
from lineage.graph import Direction
from lineage.ingest import record_events
from lineage.mapping import ColumnPair, Transformation
from lineage.paths import field_id_splits
from lineage.reading import find_node
from lineage.tagging import carriers_of
from tests.lineage.material import NOON, bodies, dataset, dataset_event, facet, run_event, run_id
from tests.lineage.test_column_graph import FILTER, IDENTITY, MASKED, reached_from

LAKE = "s3://lake"
# --- stored ----------------------------------------------------------------------------------------------------------


def fill(database: Database, *documents: Any) -> None:
    with database.unit() as unit:
        record_events(unit, bodies(*documents), LineageSettings())


def mapped(name: str, fields: Mapping[str, Iterable[tuple[Any, ...]]], /, **facets: Any) -> dict[str, Any]:
    """An output whose ``columnLineage`` says from which (dataset, field, *transformations) each field comes."""
    of = {
        target: {"inputFields": [
            {"namespace": LAKE, "name": source, "field": column, **({"transformations": parts} if parts else {})}
            for source, column, *parts in sources
        ]}
        for target, sources in fields.items()
    }  # fmt: skip
    return dataset(name, columnLineage={"fields": of}, **facets)


def step(number: int, output: dict[str, Any], minute: float | None = None, **parts: Any) -> dict[str, Any]:
    """A run of ``job{number}`` that writes the output."""
    given_parts = {"run": run_id(number), "job": f"job{number}", "outputs": [output], **parts}
    return run_event("COMPLETE", number if minute is None else minute, **given_parts)


def ask(database: Database, name: str, path: str | None = None, **query: Any) -> ColumnGraph:
    with database.read_unit() as unit:
        asked = ColumnQuery(**query)
        stored = StoredFields(unit, asked.as_of, asked.edges)
        node = find_node(unit, "dataset", LAKE, name)
        assert node is not None
        return column_graph(stored, starts_of(stored, node, path), asked)


def shown(found: ColumnGraph) -> set[str]:
    return {f"{node.names.name}.{node.names.path}" for node in found.nodes}


def arrows(found: ColumnGraph) -> set[tuple[str, str]]:
    names = [f"{node.names.name}.{node.names.path}" for node in found.nodes]
    return {(names[edge.source], names[edge.target]) for edge in found.edges}


def node_of(found: ColumnGraph, name: str, path: str) -> ColumnNode:
    return next(node for node in found.nodes if (node.names.name, node.names.path) == (name, path))


def tags(found: ColumnGraph, name: str, path: str) -> dict[str, tuple[str, str]]:
    """Each tag of the field, with the field it came from."""
    marks = node_of(found, name, path).marks
    return {mark.key: (mark.way[0].name, mark.way[0].path) for mark in marks if mark.kind == "tag"}


CHAIN = [
    step(1, mapped("b", {"x": [("a", "x", IDENTITY)], "y": [("a", "y", IDENTITY), ("a", "z", FILTER)]})),
    step(2, mapped("c", {"x": [("b", "x", IDENTITY)]})),
]


def test_a_field_is_followed_both_ways_and_never_turned_round(database: Database) -> None:
    fill(database, *CHAIN)
    assert arrows(ask(database, "b", "x")) == {("a.x", "b.x"), ("b.x", "c.x")}
    assert arrows(ask(database, "b", "x", direction="upstream")) == {("a.x", "b.x")}
    assert arrows(ask(database, "c", "x", direction="downstream")) == set()


def test_without_a_field_every_field_of_the_dataset_is_a_start(database: Database) -> None:
    fill(database, *CHAIN)
    found = ask(database, "b", direction="upstream")
    assert {found.nodes[place].names.path for place in found.starts} == {"x", "y"}
    assert shown(found) == {"b.x", "b.y", "a.x", "a.y"}


def test_indirect_edges_come_only_when_they_are_asked_for(database: Database) -> None:
    fill(database, *CHAIN)
    assert arrows(ask(database, "b", "y")) == {("a.y", "b.y")}
    assert arrows(ask(database, "b", "y", include_indirect=True)) == {("a.y", "b.y"), ("a.z", "b.y")}


def test_what_affects_every_row_reaches_each_field_indirectly(database: Database) -> None:
    output = mapped("b", {"x": [("a", "x", IDENTITY)], "y": [("a", "y")]})
    output["facets"]["columnLineage"]["dataset"] = [
        {"namespace": LAKE, "name": "a", "field": "day", "transformations": [FILTER]}
    ]
    fill(database, step(1, output))
    assert arrows(ask(database, "a", "day", direction="downstream")) == set()
    found = ask(database, "a", "day", direction="downstream", include_indirect=True)
    assert arrows(found) == {("a.day", "b.x"), ("a.day", "b.y")}
    upward = ask(database, "b", "x", direction="upstream", include_indirect=True)
    assert arrows(upward) == {("a.x", "b.x"), ("a.day", "b.x")}


def test_an_edge_names_its_transformations_job_and_latest_run(database: Database) -> None:
    fill(database, step(1, mapped("b", {"x": [("a", "x", MASKED)]})),
         step(3, mapped("b", {"x": [("a", "x", MASKED)]}), job="job1"))  # fmt: skip
    (edge,) = ask(database, "b", "x").edges
    assert edge.transformations == (Transformation("DIRECT", "TRANSFORMATION", None, True),)
    assert (edge.is_masked, edge.job, edge.latest_run_id) == (True, ("batch", "job1"), run_id(3))
    assert (edge.first_seen, edge.last_seen) == (NOON.replace(minute=1), NOON.replace(minute=3))


def test_as_of_an_instant_the_run_behind_an_edge_is_the_latest_by_then(database: Database) -> None:
    output = mapped("b", {"x": [("a", "x")]})
    fill(database, step(1, output), step(3, output, job="job1"))
    (edge,) = ask(database, "b", "x", as_of=NOON.replace(minute=2)).edges
    assert edge.latest_run_id == run_id(1)
    assert ask(database, "b", "x", as_of=NOON.replace(minute=1)).edges
    with pytest.raises(NotFound):
        ask(database, "b", "x", as_of=NOON)


def test_current_edges_are_those_of_the_latest_run(database: Database) -> None:
    fill(database, step(1, mapped("b", {"x": [("a", "x")]})), step(2, mapped("b", {"x": [("n", "x")]}), job="job1"))
    assert arrows(ask(database, "b", "x")) == {("a.x", "b.x"), ("n.x", "b.x")}
    assert arrows(ask(database, "b", "x", edges="current")) == {("n.x", "b.x")}


def test_the_run_is_per_flow_where_other_columns_changed(database: Database) -> None:
    fill(database, step(1, mapped("b", {"x": [("a", "x")]})),
         step(2, mapped("b", {"x": [("a", "x")], "y": [("a", "y")]}), job="job1"))  # fmt: skip
    (edge,) = ask(database, "b", "x").edges
    assert (edge.latest_run_id, edge.first_seen.minute, edge.last_seen.minute) == (run_id(2), 1, 2)


def test_types_come_from_the_newest_schema_and_unknown_fields_exist_too(database: Database) -> None:
    schema = {"fields": [{"name": "x", "type": "int"}, {"name": "lonely", "type": "text"}]}
    fill(database, step(1, mapped("b", {"x": [("a", "x")], "new": [("a", "y")]}, schema=schema)))
    found = ask(database, "b")
    assert {(node.names.path, node.type) for node in found.nodes if node.names.name == "b"} == {
        ("x", "int"), ("lonely", "text"), ("new", None)
    }  # fmt: skip
    assert shown(ask(database, "a", "y")) == {"a.y", "b.new"}


def test_a_struct_and_its_members_share_what_flows(database: Database) -> None:
    fill(database, step(1, mapped("b", {"home": [("a", "address")], "`o.k`": [("a", "flag")]})),
         step(2, mapped("c", {"zip": [("b", "home.zip")], "flag": [("b", "`o.k`")]})))  # fmt: skip
    assert arrows(ask(database, "c", "zip", direction="upstream")) == {
        ("a.address", "b.home.zip"),
        ("b.home.zip", "c.zip"),
    }
    assert arrows(ask(database, "a", "address", direction="downstream")) == {
        ("a.address", "b.home"),
        ("b.home", "c.zip"),
    }
    assert arrows(ask(database, "c", "flag", direction="upstream")) == {("a.flag", "b.`o.k`"), ("b.`o.k`", "c.flag")}


def test_both_names_of_a_dataset_are_one(database: Database) -> None:
    alias = dataset("b", symlinks={"identifiers": [{"namespace": LAKE, "name": "b_other", "type": "TABLE"}]})
    fill(database, step(1, mapped("b", {"x": [("a", "x")]})), step(2, mapped("c", {"x": [("b_other", "x")]})),
         dataset_event(alias, 5))  # fmt: skip
    found = ask(database, "b_other", "x")
    assert arrows(found) == {("a.x", "b.x"), ("b.x", "c.x")}
    assert node_of(found, "b", "x").aliases == ((LAKE, "b_other"),)


def test_a_field_in_a_loop_is_walked_once(database: Database) -> None:
    fill(database, step(1, mapped("b", {"x": [("a", "x")]})), step(2, mapped("a", {"x": [("b", "x"), ("a", "x")]})))
    assert arrows(ask(database, "a", "x")) == {("a.x", "b.x"), ("b.x", "a.x"), ("a.x", "a.x")}


def test_an_unknown_field_is_not_found(database: Database) -> None:
    fill(database, *CHAIN)
    with pytest.raises(NotFound):
        ask(database, "b", "nothing")


def test_a_field_id_that_fits_two_fields_is_a_conflict(database: Database) -> None:
    one = {"namespace": "a:b", "name": "c", "facets": {"schema": facet(fields=[{"name": "d"}])}}
    other = {"namespace": "a", "name": "b:c", "facets": {"schema": facet(fields=[{"name": "d"}])}}
    fill(database, dataset_event(one), dataset_event(other))
    with database.read_unit() as unit:
        stored = StoredFields(unit)
        with pytest.raises(Conflict):
            find_field(stored, [FieldName(*names) for names in field_id_splits("datasetField:a:b:c:d")])
        assert find_field(stored, [FieldName("a", "b:c", "d"), FieldName("no", "b", "d")])
        with pytest.raises(NotFound):
            find_field(stored, [FieldName("no", "b", "d"), FieldName("\x00", "b", "d")])


# --- tags and categories ---------------------------------------------------------------------------------------------


def tagged(name: str, minute: float, /, **keys: str) -> dict[str, Any]:
    """An event that says which fields of a dataset have which tag."""
    listed = [{"key": key, "value": "true", "field": path} for path, key in keys.items()]
    return dataset_event(dataset(name, tags={"tags": listed}), minute)


def test_a_tag_travels_downstream_and_says_where_it_came_from(database: Database) -> None:
    fill(database, *CHAIN, tagged("a", 0, x="pii"))
    found = ask(database, "c", "x")
    assert {name: tags(found, name, "x") for name in "abc"} == {name: {"pii": ("a", "x")} for name in "abc"}
    (mark,) = node_of(found, "c", "x").marks
    assert [one.name for one in mark.way] == ["a", "b", "c"]
    assert len(node_of(found, "a", "x").marks[0].way) == 1


def test_derived_tags_go_when_the_tag_of_the_source_goes(database: Database) -> None:
    fill(database, *CHAIN, tagged("a", 0, x="pii"))
    assert tags(ask(database, "c", "x"), "c", "x")
    fill(database, tagged("a", 9))
    assert not tags(ask(database, "c", "x"), "c", "x")
    assert tags(ask(database, "c", "x", as_of=NOON.replace(minute=8)), "c", "x") == {"pii": ("a", "x")}


@pytest.mark.parametrize(
    ("parts", "goes_on"),
    [
        ((), True),
        ((IDENTITY,), True),
        ((MASKED,), False),
        ((MASKED, IDENTITY), True),
        ((MASKED, MASKED), False),
        ((FILTER,), False),
    ],
)
def test_a_hop_is_masked_only_when_every_transformation_on_it_is(
    database: Database, parts: tuple[Any, ...], goes_on: bool
) -> None:
    fill(database, step(1, mapped("b", {"x": [("a", "x", *parts)]})), tagged("a", 0, x="pii"))
    found = ask(database, "b", "x", include_indirect=True)
    assert bool(tags(found, "b", "x")) == goes_on
    assert tags(found, "a", "x")


def test_one_unmasked_path_keeps_the_tag(database: Database) -> None:
    fill(database, tagged("a", 0, x="pii"), step(1, mapped("b", {"x": [("a", "x", MASKED)]})),
         step(2, mapped("c", {"x": [("b", "x")]})))  # fmt: skip
    assert not tags(ask(database, "c", "x"), "c", "x")
    fill(database, step(3, mapped("m", {"x": [("a", "x")]})), step(4, mapped("c", {"x": [("m", "x")]})))
    assert tags(ask(database, "c", "x"), "c", "x") == {"pii": ("a", "x")}


def test_masking_told_the_old_way_counts(database: Database) -> None:
    output = mapped("b", {"x": [("a", "x")]})
    output["facets"]["columnLineage"]["fields"]["x"]["transformationType"] = "MASKED"
    fill(database, step(1, output), tagged("a", 0, x="pii"))
    assert not tags(ask(database, "b", "x"), "b", "x")


def test_a_tag_on_a_member_of_a_struct_travels_with_the_struct(database: Database) -> None:
    fill(database, tagged("a", 0, **{"address.zip": "pii"}), step(1, mapped("b", {"home": [("a", "address")]})),
         step(2, mapped("c", {"zip": [("b", "home.zip")]})))  # fmt: skip
    assert tags(ask(database, "c", "zip"), "c", "zip") == {"pii": ("a", "address.zip")}


def test_categories_of_a_provenance_record_travel_like_tags(database: Database) -> None:
    columns = [{"path": "x", "categories": ["health"]}]
    fill(database, *CHAIN, dataset_event(dataset("a", assay_provenance={"columns": columns}), 0))
    (mark,) = node_of(ask(database, "c", "x"), "c", "x").marks
    assert (mark.kind, mark.key, mark.way[0].name) == ("category", "health", "a")


def test_every_field_that_carries_a_tag_is_listed_with_its_way(database: Database) -> None:
    fill(database, *CHAIN, tagged("a", 0, x="pii", y="other"))
    with database.read_unit() as unit:
        stored = StoredFields(unit)
        ways, is_cut = carriers_of(stored, "pii", "tag")
        names = {stored.nodes([one[0]])[one[0]].name: len(way) for one, held in ways.items() for way in held.values()}
    assert names == {"a": 1, "b": 2, "c": 3}
    assert not is_cut


@pytest.mark.parametrize("direction", ["upstream", "downstream"])
def test_the_stored_walk_reaches_what_a_naive_one_reaches(database: Database, direction: Direction) -> None:
    """Eight layers in which every third pair of fields is missing, walked over the events themselves."""
    pairs = [
        (f"t{layer}", left, f"t{layer + 1}", right)
        for layer, (left, right) in product(range(8), product("pqr", "pqr"))
        if (layer + ord(left) * 2 + ord(right)) % 3
    ]
    fill(
        database,
        *(
            step(layer + 1, mapped(f"t{layer + 1}", {
                right: [(source, left) for source, left, target, end in pairs
                        if (target, end) == (f"t{layer + 1}", right)]
                for right in "pqr"
            }))
            for layer in range(8)
        ),
    )  # fmt: skip
    hops = [
        Hop((int(source[1:]), left), (int(target[1:]), right), ColumnPair(left, right))
        for source, left, target, right in pairs
    ]
    for start in [(4, "p"), (0, "q"), (8, "r")]:
        expected = {f"t{layer}.{path}" for layer, path in reached_from(hops, start, direction)}
        assert shown(ask(database, f"t{start[0]}", start[1], direction=direction)) == expected


def chain(layers: int) -> list[dict[str, Any]]:
    """A field through as many layers, and beside it in each layer one that only the table of the next has."""
    return [
        step(
            number,
            mapped(f"t{number}", {"a": [(f"t{number - 1}", "a", IDENTITY)], "b": [(f"side{number}", "x", IDENTITY)]}),
        )
        for number in range(1, layers + 1)
    ]


@pytest.mark.parametrize("direction", ["upstream", "downstream"])
def test_a_deep_chain_takes_a_few_statements(database: Database, direction: Direction) -> None:
    asked: list[int] = []
    for layers in (20, 40):
        fill(database, *chain(layers))
        seen: list[str] = []

        def count(_connection: object, _cursor: object, statement: str, *_rest: object, seen: list[str] = seen) -> None:
            seen.append(statement)

        sa.event.listen(database.engine, "before_cursor_execute", count)
        found = ask(database, f"t{layers}" if direction == "upstream" else "t0", "a", direction=direction)
        sa.event.remove(database.engine, "before_cursor_execute", count)
        assert len(found.nodes) == layers + 1
        asked.append(len(seen))
    assert max(asked) < 25


@pytest.mark.parametrize("direction", ["upstream", "downstream", "both"])
@pytest.mark.parametrize(("ahead", "rows"), [(1, 2_000), (1, 1), (64, 3)])
def test_however_much_is_read_ahead_the_answer_is_the_same(
    database: Database, monkeypatch: pytest.MonkeyPatch, direction: Any, ahead: int, rows: int
) -> None:
    fill(database, *chain(9))
    whole = ask(database, "t5", "a", direction=direction)
    monkeypatch.setattr(columns, "AHEAD", ahead)
    monkeypatch.setattr(columns, "AHEAD_ROWS", rows)
    assert ask(database, "t5", "a", direction=direction) == whole
