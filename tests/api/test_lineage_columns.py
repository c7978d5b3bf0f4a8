"""Columns over HTTP, on both databases."""

from typing import Any

import pytest

from tests.lineage.material import bodies, dataset, dataset_event
from tests.lineage.test_column_graph import FILTER
from tests.lineage.test_columns import CHAIN, LAKE, mapped, step, tagged
from tests.support.service import Service

COLUMNS = "/v1/lineage/columns"


def send(service: Service, *documents: Any) -> None:
    answer = service.http.post("/api/v1/lineage/batch", content=b"[" + b",".join(bodies(*documents)) + b"]")
    assert answer.json()["status"] == "success", answer.text


def get(service: Service, path: str = COLUMNS, **parameters: Any) -> Any:
    return service.http.get(path, params=parameters)


def test_edges_carry_transformations_and_the_run(service: Service) -> None:
    send(service, *CHAIN, tagged("a", 0, x="pii"))
    found = get(service, namespace=LAKE, name="b", field="x", direction="upstream").json()
    assert [(node["name"], node["field"], node["distance"]) for node in found["nodes"]] == [
        ("b", "x", 0),
        ("a", "x", 1),
    ]
    (edge,) = found["edges"]
    assert (edge["from"], edge["to"], edge["job"]["name"], edge["masked"]) == (1, 0, "job1", False)
    assert edge["latest_run_id"]
    assert edge["transformations"] == [
        {"type": "DIRECT", "subtype": "IDENTITY", "description": None, "masking": False}
    ]  # fmt: skip
    (tag,) = found["nodes"][0]["tags"]
    origin = {"namespace": LAKE, "name": "a", "field": "x"}
    assert tag == {"tag": "pii", "value": "true", "derived": True, "from": origin}
    assert found["nodes"][1]["tags"] == [{**tag, "derived": False}]


def test_an_answer_has_an_etag(service: Service) -> None:
    send(service, *CHAIN)
    first = get(service, namespace=LAKE, name="b")
    again = service.http.get(
        COLUMNS, params={"namespace": LAKE, "name": "b"}, headers={"If-None-Match": first.headers["etag"]}
    )
    assert (first.status_code, again.status_code) == (200, 304)


def test_a_cut_answer_says_so(service: Service) -> None:
    send(service, *CHAIN)
    cut = get(service, namespace=LAKE, name="b", node_limit=3).json()
    assert (len(cut["nodes"]), cut["truncated"]) == (3, True)
    assert get(service, namespace=LAKE, name="b", depth=0).json()["truncated"] is True
    assert get(service, namespace=LAKE, name="b").json()["truncated"] is False


def test_indirect_edges_are_asked_for(service: Service) -> None:
    send(service, step(1, mapped("b", {"x": [("a", "x", FILTER)]})))
    asked = {"namespace": LAKE, "name": "b", "field": "x"}
    assert get(service, **asked).json()["edges"] == []
    (edge,) = get(service, **asked, include_indirect="true").json()["edges"]
    assert edge["transformations"][0]["type"] == "INDIRECT"


@pytest.mark.parametrize(
    "query",
    [
        "node_id=datasetField:s3://lake:b:x",
        "node_id=datasetField:s3%3A%2F%2Flake:b:x",
        "node_id=datasetField%3As3%3A%2F%2Flake%3Ab%3Ax",
        "node_id=datasetField:s3%3A%2F%2Flake:b:x%2300000000-0000-7000-8000-000000000001",
        "node_id=dataset:s3://lake:b&field=x",
        "namespace=s3://lake&name=b&field=x",
    ],
)
def test_a_field_is_named_in_each_of_the_forms(service: Service, query: str) -> None:
    send(service, *CHAIN)
    found = service.http.get(f"{COLUMNS}?{query}").json()
    assert [found["nodes"][place]["field"] for place in found["starts"]] == ["x"]


def test_a_job_stands_for_the_fields_that_it_writes(service: Service) -> None:
    send(service, *CHAIN)
    found = get(service, node_id="job:batch:job1", direction="upstream").json()
    assert {found["nodes"][place]["name"] for place in found["starts"]} == {"b"}


@pytest.mark.parametrize(
    ("parameters", "status"),
    [
        ({}, 422),
        ({"name": "b"}, 422),
        ({"namespace": LAKE, "name": "b", "node_id": "dataset:a:b"}, 422),
        ({"node_id": "run:b"}, 422),
        ({"node_id": "datasetField:a"}, 404),
        ({"namespace": LAKE, "name": "nowhere"}, 404),
        ({"namespace": LAKE, "name": "b", "field": "nothing"}, 404),
        ({"namespace": LAKE, "name": "b\x00"}, 422),
        ({"namespace": LAKE, "name": "b", "as_of": "0001-01-01T00:00:00+14:00"}, 422),
        ({"namespace": LAKE, "name": "b", "depth": -1}, 422),
    ],
)
def test_what_cannot_be_answered_is_refused(service: Service, parameters: dict[str, Any], status: int) -> None:
    send(service, *CHAIN)
    assert get(service, **parameters).status_code == status


def test_every_field_with_a_tag_comes_with_the_way(service: Service) -> None:
    send(service, *CHAIN, tagged("a", 0, x="pii"))
    found = get(service, "/v1/lineage/tags", tag="pii").json()
    assert [(row["name"], row["derived"], [one["name"] for one in row["way"]]) for row in found["fields"]] == [
        ("a", False, ["a"]), ("b", True, ["a", "b"]), ("c", True, ["a", "b", "c"])
    ]  # fmt: skip
    assert get(service, "/v1/lineage/tags", tag="unknown").json()["fields"] == []
    assert [tag["tag"] for tag in get(service, "/v1/lineage/tags").json()["tags"]] == ["pii"]
    assert get(service, "/v1/lineage/tags", tag="pii", category="health").status_code == 422


def test_categories_are_looked_for_like_tags(service: Service) -> None:
    columns = [{"path": "x", "categories": ["health"]}]
    send(service, *CHAIN, dataset_event(dataset("a", assay_provenance={"columns": columns})))
    found = get(service, "/v1/lineage/tags", category="health").json()
    assert [(row["name"], row["category"]) for row in found["fields"]] == [(name, "health") for name in "abc"]
