"""The facets of jobs, datasets and runs: the latest value of each key, whatever the order of arrival."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest

from governance.database import Database
from lineage.facet_values import FacetValues, facets_of
from lineage.fact_tables import DATASET_FACETS, JOB_FACETS, RUN_FACETS
from lineage.reading import find_node
from tests.lineage.material import NOON, body, dataset, dataset_event, facet, run_event
from tests.lineage.test_ingest import take


def of_dataset(database: Database, name: str, minutes: int | None = None) -> FacetValues:
    as_of = None if minutes is None else NOON + timedelta(minutes=minutes)
    with database.read_unit() as unit:
        node = find_node(unit, "dataset", "s3://lake", name)
        assert node is not None
        return facets_of(unit, DATASET_FACETS, {node.id: node.id}, as_of)[node.id]


def said(value: Any) -> Any:
    return value["says"]


EVENTS = (
    dataset_event(dataset("d", one={"says": 1}, two={"says": 1}), 0),
    dataset_event(dataset("d", one={"says": 2}), 1),
    dataset_event(dataset("d", two={"_deleted": True}), 2),
)


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_latest_value_of_each_key_holds_and_a_deletion_ends_it(database: Database, order: tuple[int, ...]) -> None:
    take(database, *(body(EVENTS[number]) for number in order))
    now = of_dataset(database, "d")
    assert {key: said(value) for key, value in now.facets.items()} == {"one": 2}


def test_facets_are_told_as_of_an_instant(database: Database) -> None:
    take(database, *(body(event) for event in EVENTS))
    then = of_dataset(database, "d", 1)
    assert {key: said(value) for key, value in then.facets.items()} == {"one": 2, "two": 1}
    assert of_dataset(database, "d", -1) == FacetValues()


def test_a_facet_of_a_role_is_apart(database: Database) -> None:
    read = {**dataset("d"), "inputFacets": {"dataQualityMetrics": facet(rowCount=3)}}
    take(database, body(run_event(inputs=[read])))
    found = of_dataset(database, "d")
    assert found.facets == {}
    assert found.role_facets["dataQualityMetrics"]["rowCount"] == 3


def test_a_run_and_its_job_keep_what_each_event_added(database: Database) -> None:
    start = run_event("START", 0, run_facets={"a": facet(says=1)}, job_facets={"sql": facet(query="select 1")})
    take(database, body(start), body(run_event("COMPLETE", 1, run_facets={"b": facet(says=2)})))
    with database.read_unit() as unit:
        job = find_node(unit, "job", start["job"]["namespace"], start["job"]["name"])
        assert job is not None
        of_run = facets_of(unit, RUN_FACETS, {1: 1})[1]
        of_job = facets_of(unit, JOB_FACETS, {job.id: job.id})[job.id]
    assert {key: said(value) for key, value in of_run.facets.items()} == {"a": 1, "b": 2}
    assert of_job.facets["sql"]["query"] == "select 1"
