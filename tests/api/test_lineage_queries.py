"""Questions about lineage over HTTP, on both databases: graphs with filters, impact, paths, differences, runs."""

import csv
import io
from typing import Any

import pytest

from tests.lineage.material import at, bodies, dataset, run_event, run_id, versioned
from tests.support.service import Service

LAKE = "s3://lake"
HUB = "mlflow://m"


def fill(service: Service, *documents: Any) -> None:
    content = b"[" + b",".join(bodies(*documents)) + b"]"
    answer = service.http.post("/api/v1/lineage/batch", content=content)
    assert answer.json()["status"] == "success", answer.text


def ask(service: Service, path: str, status: Any = 200, **asked: Any) -> Any:
    answer = service.http.get(f"/v1/lineage/{path}", params=asked)
    assert answer.status_code == status, answer.text
    return answer.json()


def model(name: str, **facets: Any) -> dict[str, Any]:
    return dataset(name, HUB, datasetType={"datasetType": "MODEL", "subType": "MODEL_VERSION"}, **facets)


def story() -> list[dict[str, Any]]:
    """What is raw and =people are joined into features, of which two model versions are trained; one of them serves."""
    owned = {"ownership": {"owners": [{"name": "team:claims", "type": "OWNER"}]}}
    tagged = {"tags": {"tags": [{"key": "pii", "value": "true", "source": "USER"}]}}
    deployment = {"assay_deployment": {"environment": "prod", "revision": "7", "decisionId": "d-1"}}
    for facet in deployment.values():
        facet |= {"_producer": "https://ci.example", "_schemaURL": "https://ci.example/schema"}
    serve = {"run": run_id(4), "job": "serve", "run_facets": deployment, "inputs": [model("m/1")],
             "outputs": [dataset("endpoints/m", "k8s://c")]}  # fmt: skip
    return [
        run_event("COMPLETE", 1, run=run_id(1), job="join",
                  inputs=["raw", dataset("=people", **tagged)], outputs=[versioned("features", "v1", **owned)]),
        run_event("COMPLETE", 2, run=run_id(2), job="train", inputs=[versioned("features", "v1")],
                  outputs=[model("m/1")]),
        run_event("COMPLETE", 5, run=run_id(5), job="join",
                  inputs=["raw", "extra"], outputs=[versioned("features", "v2")]),
        run_event("FAIL", 6, run=run_id(6), job="train", inputs=[versioned("features", "v2")], outputs=[model("m/2")]),
        run_event("START", 7, **serve),
    ]  # fmt: skip


def names(answer: Any) -> list[str]:
    return [node["name"] for node in answer["nodes"]]


def test_filters_choose_from_what_the_walk_reached_and_the_walk_goes_on(service: Service) -> None:
    fill(service, *story())
    start = {"namespace": LAKE, "name": "raw", "direction": "downstream"}
    assert names(ask(service, "graph", **start, type="MODEL")) == ["raw", "m/1", "m/2"]
    assert names(ask(service, "graph", **start, type="model_version")) == ["raw", "m/1", "m/2"]
    assert names(ask(service, "graph", **start, kind="job")) == ["raw", "join", "train", "serve"]
    assert names(ask(service, "graph", **start, owner="team:claims")) == ["raw", "features"]
    assert names(ask(service, "graph", **start, environment="prod")) == ["raw", "m/1", "endpoints/m", "serve"]
    assert names(ask(service, "graph", **start, environment="test")) == ["raw"]
    assert names(ask(service, "graph", node_id="dataset:s3://lake:raw", direction="downstream", namespace=HUB)) == [
        "raw", "m/1", "m/2",
    ]  # fmt: skip
    up = {"namespace": HUB, "name": "m/1", "direction": "upstream"}
    assert names(ask(service, "graph", **up, tag="pii")) == ["m/1", "=people"]
    assert names(ask(service, "graph", **up, tag="pii=true")) == ["m/1", "=people"]
    assert names(ask(service, "graph", **up, tag="pii=no")) == ["m/1"]
    cut = ask(service, "graph", **start, type="MODEL", node_limit=2)
    assert (names(cut), cut["truncated"]) == (["raw", "m/1"], True)


def test_a_name_that_a_filter_cannot_hold_is_refused(service: Service) -> None:
    fill(service, *story())
    for parameter in ("type", "tag", "owner", "environment", "namespace"):
        ask(service, "graph", 422, node_id="dataset:s3://lake:raw", **{parameter: "a\0b"})


def test_impact_as_csv_has_a_line_a_node_and_no_cell_that_a_spreadsheet_runs(service: Service) -> None:
    fill(service, *story())
    asked = {"namespace": HUB, "name": "m/2", "direction": "upstream", "format": "csv"}
    answer = service.http.get("/v1/lineage/impact", params=asked)
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert answer.content.endswith(b"\r\n")
    header, *rows = csv.reader(io.StringIO(answer.text, newline=""))
    assert ",".join(header) == ("distance,kind,type,namespace,name,owners,tags,latest_run_state,first_seen,last_seen")
    assert rows == [
        ["0", "dataset", "MODEL", HUB, "m/2", "", "", "", at(6), at(6)],
        ["1", "dataset", "", LAKE, "features", "team:claims", "", "", at(1), at(6)],
        ["1", "job", "", "batch", "train", "", "", "FAILED", at(2), at(6)],
        ["2", "dataset", "", LAKE, "'=people", "", "pii", "", at(1), at(1)],
        ["2", "dataset", "", LAKE, "extra", "", "", "", at(5), at(5)],
        ["2", "dataset", "", LAKE, "raw", "", "", "", at(1), at(5)],
        ["2", "job", "", "batch", "join", "", "", "COMPLETED", at(1), at(5)],
    ]
    then = {**asked, "name": "m/1", "as_of": at(4)}
    _, *rows = csv.reader(io.StringIO(service.http.get("/v1/lineage/impact", params=then).text, newline=""))
    assert [row[4:] for row in rows if row[1] == "job"] == [
        ["train", "", "", "COMPLETED", at(2), at(2)],
        ["join", "", "", "COMPLETED", at(1), at(1)],
    ]
    assert rows[-2][9] == at(1), "raw was seen again only later"


def test_impact_is_the_same_list_as_json_and_csv_and_cut_where_asked(service: Service) -> None:
    fill(service, *story())
    asked = {"namespace": LAKE, "name": "raw", "direction": "downstream"}
    whole = ask(service, "impact", **asked)
    as_csv = service.http.get("/v1/lineage/impact", params=asked, headers={"Accept": "text/csv"})
    read = list(csv.DictReader(io.StringIO(as_csv.text, newline="")))
    assert [row["name"] for row in read] == names(whole)
    assert whole["truncated"] is False
    cut = ask(service, "impact", **asked, node_limit=3)
    assert (names(cut), cut["truncated"]) == (names(whole)[:3], True)
    assert (
        service.http.get("/v1/lineage/impact", params={**asked, "node_limit": 3, "format": "csv"}).text.count("\r\n")
        == 4
    )
    assert ask(service, "impact", 404, namespace=LAKE, name="other", format="csv")["code"] == "not_found"


def test_a_streamed_answer_is_known_until_the_log_grows(service: Service) -> None:
    fill(service, *story())
    asked = {"namespace": LAKE, "name": "raw", "format": "csv"}
    tag = service.http.get("/v1/lineage/impact", params=asked).headers["ETag"]
    known = {"If-None-Match": tag}
    assert service.http.get("/v1/lineage/impact", params=asked, headers=known).status_code == 304
    other = {**asked, "direction": "upstream"}
    assert service.http.get("/v1/lineage/impact", params=other, headers=known).status_code == 200
    fill(service, run_event("COMPLETE", 20, run=run_id(20), job="late", inputs=["raw"]))
    assert service.http.get("/v1/lineage/impact", params=asked, headers=known).status_code == 200


def test_paths_are_given_the_shortest_first_with_what_they_pass(service: Service) -> None:
    fill(
        service, *story(), run_event("COMPLETE", 9, run=run_id(9), job="short", inputs=["raw"], outputs=[model("m/1")])
    )
    found = ask(service, "paths", namespace=LAKE, name="raw", to_namespace=HUB, to_name="m/1")
    shown = [[found["nodes"][place]["name"] for place in path["nodes"]] for path in found["paths"]]
    assert shown == [["raw", "short", "m/1"], ["raw", "join", "features", "train", "m/1"]]
    assert {path["direction"] for path in found["paths"]} == {"downstream"}
    assert len(found["edges"]) == 6
    back = ask(service, "paths", namespace=HUB, name="m/1", to_node_id="dataset:s3://lake:raw", limit=1)
    assert [[back["nodes"][place]["name"] for place in path["nodes"]] for path in back["paths"]] == [
        ["m/1", "short", "raw"]
    ]
    assert (back["paths"][0]["direction"], back["truncated"]) == ("upstream", True)
    assert ask(service, "paths", namespace=HUB, name="m/1", to_namespace=LAKE, to_name="raw", depth=1)["paths"] == [
        back["paths"][0]
    ]
    none = ask(service, "paths", namespace=HUB, name="m/1", to_namespace=HUB, to_name="m/2")
    assert (none["paths"], none["truncated"]) == ([], False)
    ask(service, "paths", 422, namespace=HUB, name="m/1", to_namespace=HUB, to_name="m/1")
    ask(service, "paths", 404, namespace=HUB, name="m/1", to_namespace=HUB, to_name="m/9")


def test_a_difference_of_two_instants_names_what_came_and_went(service: Service) -> None:
    fill(service, *story())
    asked = {"namespace": LAKE, "name": "features", "direction": "upstream"}
    found = ask(service, "diff", **asked, as_of=at(4))
    assert [node["name"] for node in found["nodes_added"]] == ["extra"]
    assert [(edge["from"]["name"], edge["to"]["name"]) for edge in found["edges_added"]] == [("extra", "join")]
    assert (found["nodes_removed"], found["edges_removed"], found["truncated"]) == ([], [], False)
    back = ask(service, "diff", **asked, as_of=at(10), to_as_of=at(4))
    assert back["nodes_removed"] == found["nodes_added"]
    current = ask(service, "diff", **asked, as_of=at(4), edges="current")
    assert [node["name"] for node in current["nodes_removed"]] == ["=people"]
    ask(service, "diff", 422, **asked)


def test_a_difference_of_two_model_versions_names_the_dataset_versions_that_changed(service: Service) -> None:
    fill(service, *story())
    found = ask(service, "diff", namespace=HUB, name="m/1", to_namespace=HUB, to_name="m/2", direction="upstream")
    assert found["versions_changed"] == [{"namespace": LAKE, "name": "features", "before": ["v1"], "after": ["v2"]}]
    assert (found["nodes_added"], found["edges_added"]) == ([], [])
    assert (found["before"]["name"], found["after"]["name"]) == ("m/1", "m/2")


def test_a_run_is_asked_for_in_both_directions(service: Service) -> None:
    fill(service, *story())
    found = ask(service, f"runs/{run_id(2)}")
    shown = [node.get("name") or node["job"]["name"] for node in found["nodes"]]
    assert shown == ["m/1", "features", "train", "endpoints/m", "=people", "raw", "join", "serve"]
    read = next(edge for edge in found["edges"] if edge["basis"] == "reported_version")
    assert found["nodes"][read["from"]]["version"] == "v1"
    assert found["nodes"][found["start"]]["run_id"] == run_id(2)
    assert len(ask(service, f"runs/{run_id(2)}", direction="upstream")["nodes"]) == 5
    cut = ask(service, f"runs/{run_id(2)}", node_limit=2)
    assert (len(cut["nodes"]), cut["truncated"]) == (2, True)
    ask(service, f"runs/{run_id(77)}", 404)
    ask(service, "runs/not%20a%20uuid", 404)


@pytest.mark.parametrize(
    "query",
    ["findings?cursor=abc", "findings?cursor=WzFd", "findings?limit=0", "findings?since=yesterday", "serving?limit=0",
     "serving?cursor=x", "evidence?namespace=a", "findings?code=%00", "paths?namespace=a", "impact?format=xml"],
)  # fmt: skip
def test_questions_that_make_no_sense_are_refused(service: Service, query: str) -> None:
    answer = service.http.get(f"/v1/lineage/{query}")
    assert (answer.status_code, answer.headers["Content-Type"]) == (422, "application/problem+json")


def test_findings_come_in_pages(service: Service) -> None:
    document = run_event("COMPLETE", 1)
    del document["schemaURL"], document["producer"]
    fill(service, document)
    first = ask(service, "findings", limit=2)
    assert {item["code"] for item in first["findings"]} == {"event.schema_url_missing", "event.producer_missing"}
    second = ask(service, "findings", limit=2, cursor=first["next_cursor"])
    assert [(item["code"], item["job"]["name"]) for item in second["findings"]] == [("run.start_missing", "job")]
    assert second["next_cursor"] is None
    assert ask(service, "findings", code="run.start_missing")["findings"] == second["findings"]
