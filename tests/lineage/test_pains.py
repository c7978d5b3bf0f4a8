"""What users suffered elsewhere, one test a row of the table in the specification of lineage (L1-L24).

The links name the reports. Figures are in ``benchmarks/``; here the shape of the work is shown: which statements a
question takes, not how long they take.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import sqlalchemy as sa

from governance.access.roles import Role
from lineage.replay import replay
from tests.lineage.material import body, dataset, dataset_event, facet, job_event, run_event, run_id, versioned
from tests.support.service import Service, key_for, running

LAKE = "s3://lake"


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    """A fresh service on each database, with nobody at work beside the requests, whose statements are counted."""
    with running(tmp_path / "home", database_url, work={"engine": "none"}) as started:
        yield started


def send(service: Service, *documents: Any) -> None:
    for document in documents:
        answer = service.http.post("/api/v1/lineage", content=body(document))
        assert answer.status_code == 201, answer.text


def get(service: Service, path: str, **parameters: Any) -> Any:
    answer = service.http.get(path, params=parameters)
    assert answer.status_code == 200, answer.text
    return answer.json()


def graph(service: Service, name: str, namespace: str = LAKE, **parameters: Any) -> Any:
    return get(service, "/v1/lineage/graph", namespace=namespace, name=name, **parameters)


def names(found: Any, kind: str | None = None) -> set[str]:
    return {node["name"] for node in found["nodes"] if kind in (None, node["kind"])}


def versions(found: Any) -> set[tuple[str, str | None]]:
    """(name, version) of each version of a dataset in an answer about runs."""
    return {(node["name"], node["version"]) for node in found["nodes"] if node["kind"] == "dataset_version"}


def runs(found: Any) -> set[str]:
    """The ids of the runs in an answer about runs."""
    return {node["run_id"] for node in found["nodes"] if node["kind"] == "run"}


def edges(found: Any) -> set[tuple[str, str]]:
    nodes = found["nodes"]
    return {(nodes[edge["from"]]["name"], nodes[edge["to"]]["name"]) for edge in found["edges"]}


def run_of(service: Service, number: int = 1) -> Any:
    return get(service, f"/api/v1/jobs/runs/{run_id(number)}")


def state_digest(service: Service) -> str:
    return str(get(service, "/v1/lineage/digest")["digest"])


@contextmanager
def statements(service: Service) -> Iterator[list[str]]:
    """The statements about lineage that the block sends to the database; those of background work are left out."""
    seen: list[str] = []

    def note(_c: object, _cursor: object, statement: str, *_: object) -> None:
        if "lineage_" in statement and "outbox" not in statement:
            seen.append(statement)

    engine = service.state.database.engine
    sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        sa.event.remove(engine, "before_cursor_execute", note)


def asked(service: Service, path: str, **parameters: Any) -> list[str]:
    with statements(service) as seen:
        get(service, path, **parameters)
    return seen


def test_l1_a_dataset_is_looked_up_by_its_identity(service: Service) -> None:
    """MarquezProject/marquez#3058: the number of statements does not follow the number of jobs."""
    send(service, *(run_event("COMPLETE", n, run=run_id(n), job=f"j{n}", inputs=["hub"]) for n in range(3)))
    few = asked(service, "/v1/lineage/graph", namespace=LAKE, name="hub")
    send(service, *(run_event("COMPLETE", n, run=run_id(n), job=f"j{n}", inputs=["hub"]) for n in range(3, 40)))
    many = asked(service, "/v1/lineage/graph", namespace=LAKE, name="hub")
    assert len(many) == len(few)
    assert any("lineage_node.identity" in statement for statement in many)


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/jobs",  # L2: MarquezProject/marquez#2987
        "/api/v1/namespaces/batch/jobs",  # L3: MarquezProject/marquez#2608
        "/api/v1/namespaces/batch/jobs/j0/runs",  # L4: MarquezProject/marquez#2684
        "/api/v1/namespaces/s3%3A%2F%2Flake/datasets/hub/versions",  # L4: MarquezProject/marquez#2686
        "/api/v1/namespaces/s3%3A%2F%2Flake/datasets",
    ],
)
def test_l2_l3_l4_a_page_takes_the_same_statements_however_long_the_list(service: Service, path: str) -> None:
    """A list reads the page's rows and no event."""
    heavy = {"sql": facet(query="select " + "x" * 1000)}
    for n in range(3):
        hub = versioned("hub", str(n))
        send(service, run_event("COMPLETE", n, run=run_id(n), job=f"j{n}", job_facets=heavy, inputs=[hub]))
    few = asked(service, path, limit=2)
    for n in range(3, 60):
        job = f"j{n % 20}"
        hub = versioned("hub", str(n))
        send(service, run_event("COMPLETE", n, run=run_id(n), job=job, job_facets=heavy, inputs=[hub]))
    many = asked(service, path, limit=2)
    assert len(many) <= len(few)
    assert not any("lineage_payload" in statement for statement in many)


def test_l5_a_late_start_does_not_reopen_a_run(service: Service) -> None:
    """MarquezProject/marquez#2264."""
    send(service, run_event("COMPLETE", 2), run_event("START", 1))
    assert run_of(service)["state"] == "COMPLETED"


def test_l6_a_run_starts_with_its_first_start(service: Service) -> None:
    """MarquezProject/marquez#2408."""
    send(service, run_event("START", 1), run_event("START", 5), run_event("COMPLETE", 9))
    found = run_of(service)
    assert found["startedAt"].startswith("2026-03-01T12:01:00")
    assert found["durationMs"] == 8 * 60 * 1000


def test_l7_edges_and_facets_are_there_from_the_first_event(service: Service) -> None:
    """MarquezProject/marquez#3066, MarquezProject/marquez#2054."""
    told = dataset("b", schema={"fields": [{"name": "x", "type": "int"}]})
    send(service, run_event("START", inputs=["a"], outputs=[told]))
    assert edges(graph(service, "b")) == {("a", "job"), ("job", "b")}
    found = get(service, f"/api/v1/namespaces/{quote(LAKE, safe='')}/datasets/b")
    assert [field["name"] for field in found["fields"]] == ["x"]


def test_l8_an_older_output_keeps_its_producer(service: Service) -> None:
    """MarquezProject/marquez#3093, MarquezProject/marquez#2543, OpenLineage/OpenLineage#1965."""
    send(service, run_event("COMPLETE", 1, run=run_id(1), inputs=["c1"], outputs=["e1"]))
    send(service, run_event("COMPLETE", 5, run=run_id(2), inputs=["c2"], outputs=["e2"]))
    assert ("job", "e1") in edges(graph(service, "e1"))
    ran = get(service, f"/v1/lineage/runs/{run_id(1)}", direction="upstream")
    assert versions(ran) == {("c1", None)}
    assert names(graph(service, "job", "batch", edges="current"), "dataset") == {"c2", "e2"}
    assert names(graph(service, "job", "batch"), "dataset") == {"c1", "c2", "e1", "e2"}
    before = graph(service, "job", "batch", as_of="2026-03-01T12:02:00Z")
    assert names(before, "dataset") == {"c1", "e1"}


def test_l9_the_same_events_again_change_nothing(service: Service) -> None:
    """MarquezProject/marquez#2708."""
    pair = [run_event("START", 1, inputs=["a"], outputs=["b"]), run_event("COMPLETE", 2, inputs=["a"], outputs=["b"])]
    send(service, *pair)
    first = state_digest(service)
    send(service, *pair, *reversed(pair))
    assert state_digest(service) == first


def test_l10_a_missing_parent_makes_no_second_job(service: Service) -> None:
    """MarquezProject/marquez#2122, MarquezProject/marquez#2158, OpenLineage/OpenLineage#1961."""
    parent = facet(run={"runId": run_id(9)}, job={"namespace": "batch", "name": "dag"})
    send(service, run_event("START", 1, job="dag.task", run_facets={"parent": parent}))
    send(service, run_event("COMPLETE", 2, job="dag.task"))
    found = get(service, "/api/v1/namespaces/batch/jobs")
    assert [job["name"] for job in found["jobs"]] == ["dag.task"]
    assert found["totalCount"] == 1


@pytest.mark.parametrize(
    ("namespace", "name"),
    [("trino://h:1337", "20240430_x"), ("jdbc:h2:mem:x", "T"), ("file", "/path"), ("a:b:c", "d:e#f")],
)
def test_l11_names_hold_colons_and_slashes(service: Service, namespace: str, name: str) -> None:
    """MarquezProject/marquez#2806, MarquezProject/marquez#1761, MarquezProject/marquez#1744."""
    send(service, run_event(inputs=[dataset(name, namespace)], outputs=["out"]))
    by_names = get(service, "/api/v1/lineage", namespace=namespace, name=name)
    by_id = get(service, "/api/v1/lineage", nodeId=f"dataset:{namespace}:{name}")
    assert by_names == by_id
    path = f"/api/v1/namespaces/{quote(namespace, safe='')}/datasets/{quote(name, safe='')}"
    assert get(service, path)["id"] == {"namespace": namespace, "name": name}


def test_l12_long_names_are_kept_and_too_long_ones_refused(service: Service) -> None:
    """MarquezProject/marquez#1758, MarquezProject/marquez#1738, MarquezProject/marquez#2120."""
    send(service, run_event(inputs=[dataset("d" * 2048, "n" * 70)]))
    assert names(graph(service, "d" * 2048, "n" * 70), "job") == {"job"}
    answer = service.http.post("/api/v1/lineage", content=body(run_event(inputs=[dataset("d" * 2049)])))
    assert answer.status_code == 422
    assert "2,048" in answer.text


def test_l13_a_symlink_joins_two_graphs_and_its_end_parts_them(service: Service) -> None:
    """MarquezProject/marquez#2738, MarquezProject/marquez#2776, MarquezProject/marquez#2645."""
    send(service, run_event("COMPLETE", 1, run=run_id(1), job="w", outputs=["A"]))
    send(service, run_event("COMPLETE", 2, run=run_id(2), job="r", inputs=[dataset("B", "hive")]))
    apart = get(service, "/api/v1/namespaces")
    link = {"identifiers": [{"namespace": "hive", "name": "B", "type": "TABLE"}]}
    send(service, dataset_event(dataset("A", symlinks=link), 3))
    assert names(graph(service, "A"), "job") == {"w", "r"}
    assert names(graph(service, "B", "hive"), "job") == {"w", "r"}
    send(service, dataset_event(dataset("A", symlinks={"_deleted": True}), 4))
    assert names(graph(service, "A"), "job") == {"w"}
    assert names(graph(service, "B", "hive"), "job") == {"r"}
    assert names(graph(service, "A", as_of="2026-03-01T12:03:30Z"), "job") == {"w", "r"}
    assert [item["name"] for item in get(service, "/api/v1/namespaces")["namespaces"]] == [
        item["name"] for item in apart["namespaces"]
    ]


def test_l14_a_run_read_the_version_that_it_reported(service: Service) -> None:
    """MarquezProject/marquez#2733."""
    send(service, run_event("COMPLETE", 1, run=run_id(1), job="w1", outputs=[versioned("d", "1")]))
    send(service, run_event("COMPLETE", 2, run=run_id(2), job="w2", outputs=[versioned("d", "2")]))
    send(service, run_event("COMPLETE", 3, run=run_id(3), job="r", inputs=[versioned("d", "1")]))
    found = get(service, f"/v1/lineage/runs/{run_id(3)}", direction="upstream")
    assert versions(found) == {("d", "1")}
    assert runs(found) == {run_id(1), run_id(3)}


def test_l15_job_events_and_broken_parents_are_no_faults_of_the_service(service: Service) -> None:
    """MarquezProject/marquez#2925, MarquezProject/marquez#2263."""
    send(service, job_event(0, job="declared", outputs=["out"]))
    assert edges(graph(service, "out")) == {("declared", "out")}
    broken = run_event(run_facets={"parent": facet(run={}, job={"namespace": "n", "name": "p"})})
    answer = service.http.post("/api/v1/lineage", content=body(broken))
    stored = get(service, f"/v1/lineage/events/{answer.headers['Assay-Event-Digest']}")
    assert {(item["code"], item["pointer"]) for item in stored["findings"]} == {
        ("facet.invalid", "/run/facets/parent/run")
    }


def columns(*sources: dict[str, Any], **members: Any) -> dict[str, Any]:
    """A columnLineage facet for the one field ``total``."""
    return {"fields": {"total": {"inputFields": list(sources), **members}}}


def source(field: str, *transformations: dict[str, Any], name: str = "a") -> dict[str, Any]:
    return {"namespace": LAKE, "name": name, "field": field, "transformations": list(transformations)}


def test_l16_columns_need_no_schema(service: Service) -> None:
    """MarquezProject/marquez#2998."""
    send(service, run_event(inputs=["a"], outputs=[dataset("b", columnLineage=columns(source("x")))]))
    found = get(service, "/v1/lineage/columns", namespace=LAKE, name="b", field="total")
    assert {(item["name"], item["field"]) for item in found["nodes"]} == {("a", "x"), ("b", "total")}


def test_l17_transformations_are_kept_and_served(service: Service) -> None:
    """MarquezProject/marquez#2851."""
    how = {"type": "DIRECT", "subtype": "TRANSFORMATION", "masking": True}
    send(service, run_event(inputs=["a"], outputs=[dataset("b", columnLineage=columns(source("x", how)))]))
    (edge,) = get(service, "/v1/lineage/columns", namespace=LAKE, name="b", field="total")["edges"]
    assert edge["transformations"] == [
        {"type": "DIRECT", "subtype": "TRANSFORMATION", "description": None, "masking": True}
    ]


def test_l18_lineage_as_of_a_time_and_for_one_run(service: Service) -> None:
    """MarquezProject/marquez#1519, MarquezProject/marquez#3065, MarquezProject/marquez#2060."""
    send(service, run_event("COMPLETE", 1, run=run_id(1), job="w", inputs=["raw"], outputs=[versioned("d", "1")]))
    send(service, run_event("COMPLETE", 2, run=run_id(2), job="w", inputs=["raw2"], outputs=[versioned("d", "2")]))
    send(service, run_event("COMPLETE", 3, run=run_id(3), job="r", inputs=[versioned("d", "1")], outputs=["end"]))
    back = get(service, f"/v1/lineage/runs/{run_id(3)}", direction="upstream")
    assert versions(back) == {("d", "1"), ("raw", None)}
    on = get(service, f"/v1/lineage/runs/{run_id(1)}", direction="downstream")
    assert ("end", None) in versions(on)
    assert runs(on) == {run_id(1), run_id(3)}
    assert names(graph(service, "d", as_of="2026-03-01T12:01:30Z"), "dataset") == {"raw", "d"}


def test_l19_a_batch_answers_for_each_event(service: Service) -> None:
    """MarquezProject/marquez#2918."""
    documents = [run_event("COMPLETE", n, run=run_id(n)) for n in range(500)]
    documents[7] = {"run": {}}
    answer = service.http.post("/api/v1/lineage/batch", content=body(documents)).json()
    assert answer["summary"] == {
        "received": 500, "successful": 499, "failed": 1, "retriable": 0, "non_retriable": 1,
    }  # fmt: skip
    assert [item["index"] for item in answer["failed_events"]] == [7]


def test_l20_runs_that_change_nothing_make_no_version(service: Service) -> None:
    """MarquezProject/marquez#3112, MarquezProject/marquez#3082."""
    told = dataset("b", schema={"fields": [{"name": "x", "type": "int"}]})
    send(service, *(run_event("COMPLETE", 60 * n, run=run_id(n), outputs=[told]) for n in range(24)))
    found = get(service, f"/api/v1/namespaces/{quote(LAKE, safe='')}/datasets/b/versions")
    assert found["totalCount"] == 1


def test_l21_nested_fields_are_paths_everywhere(service: Service) -> None:
    """MarquezProject/marquez#1651, OpenLineage/OpenLineage#2051."""
    fields = [{"name": "address", "type": "struct", "fields": [{"name": "street"}, {"name": "zip"}]}]
    tags = {"tags": [{"key": "pii", "value": "true", "field": "address.zip"}]}
    take = columns(source("address.zip"))
    send(service, run_event(inputs=[dataset("a", schema={"fields": fields}, tags=tags)],
                            outputs=[dataset("b", columnLineage=take)]))  # fmt: skip
    found = get(service, f"/api/v1/namespaces/{quote(LAKE, safe='')}/datasets/a")
    assert {field["name"]: field["tags"] for field in found["fields"]} == {
        "address": [], "address.street": [], "address.zip": ["pii"],
    }  # fmt: skip
    walked = get(service, "/v1/lineage/columns", namespace=LAKE, name="b", field="total")
    assert ("a", "address.zip") in {(item["name"], item["field"]) for item in walked["nodes"]}
    hits = get(service, "/v1/lineage/search", q="zip")
    assert "a" in {hit["name"] for hit in hits["results"]}


def test_l22_one_hop_is_one_hop(service: Service) -> None:
    """MarquezProject/marquez#2014."""
    send(service, *(run_event("COMPLETE", n, run=run_id(n), job=f"j{n}", inputs=[f"d{n}"], outputs=[f"d{n + 1}"])
                    for n in range(6)))  # fmt: skip
    near = graph(service, "d2", direction="downstream", depth=1)
    assert names(near) == {"d2", "j2", "d3"}
    cut = graph(service, "d0", direction="downstream", node_limit=3)
    assert cut["truncated"] is True
    assert cut["frontier"]


def test_l23_a_facet_of_megabytes_is_kept_apart(service: Service) -> None:
    """microsoft/Purview-ADB-Lineage-Solution-Accelerator#192, OpenLineage/OpenLineage#2524."""
    huge = {"spark.logicalPlan": facet(plan="x" * (10 * 2**20))}
    send(service, run_event(run_facets=huge, inputs=["a"], outputs=["b"]))
    for path in ("/api/v1/jobs", "/api/v1/namespaces/batch/jobs", "/api/v1/namespaces/batch/jobs/job/runs"):
        seen = asked(service, path)
        assert not any("lineage_payload" in statement for statement in seen)
    found = get(service, f"/api/v1/jobs/runs/{run_id(1)}/facets", type="run")
    assert len(json.dumps(found["facets"]["spark.logicalPlan"])) > 10 * 2**20


def test_l24_retention_prunes_payloads_and_keeps_edges_and_digests(service: Service) -> None:
    """MarquezProject/marquez#1271, MarquezProject/marquez#2486."""
    send(service, run_event(run_facets={"note": facet(text="long ago")}, inputs=["a"], outputs=["b"]))
    before = state_digest(service), edges(graph(service, "b"))
    steward = {"Authorization": f"Bearer {key_for(service.url, Role.DATA_STEWARD)}"}
    asked_for = {"entity": {"kind": "run", "run_id": run_id(1)}, "reason": "no longer needed"}
    pruned = service.http.post("/v1/lineage/prunings", content=json.dumps(asked_for), headers=steward)
    assert pruned.status_code == 201, pruned.text
    assert (state_digest(service), edges(graph(service, "b"))) == before
    note = get(service, f"/api/v1/jobs/runs/{run_id(1)}/facets", type="run")["facets"]["note"]
    assert "long ago" not in json.dumps(note)
    (record,) = get(service, "/v1/lineage/prunings")["prunings"]
    assert record["reason"] == "no longer needed"
    (event,) = get(service, f"/v1/lineage/prunings/{record['id']}")["events"]
    assert event["digest"].startswith("sha256:")
    with service.state.database.unit() as unit:
        replay(unit)
    assert (state_digest(service), edges(graph(service, "b"))) == before
