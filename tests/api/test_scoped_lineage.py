"""What a narrowed key is told by the further questions about lineage."""

import csv
import io
from typing import Any

import pytest

from tests.api.test_scopes import FEATURES
from tests.lineage.material import at, bodies, dataset, run_event, run_id
from tests.support.scopes import MODELS, names_nothing, secret_of
from tests.support.service import Service

VAULT = "s3://vault"
CREDIT = {"namespace": MODELS, "name": "credit-line/1"}


def get(service: Service, path: str, header: dict[str, str], **parameters: Any) -> Any:
    answer = service.http.get(path, params=parameters, headers=header)
    assert answer.status_code == 200, answer.text
    assert not header or names_nothing(answer)
    return answer


def hidden_and_unknown_are_alike(service: Service, header: dict[str, str], path: str, **parameters: Any) -> None:
    """The same answer for a name that is hidden and for one that nobody uses, but for the name itself."""
    answers = []
    for name in ("salaries", "nothings"):
        values = {key: value.replace("NAME", name) for key, value in parameters.items()}
        answer = service.http.get(path, params=values, headers=header)
        answers.append((answer.status_code, answer.text.replace(name, "NAME")))
    assert answers[0] == answers[1]
    assert answers[0][0] == 404


def test_impact_lists_what_is_hidden_by_distance_and_kind(told: Service, narrow: dict[str, str]) -> None:
    nodes = get(told, "/v1/lineage/impact", narrow, **FEATURES).json()["nodes"]
    whole = get(told, "/v1/lineage/impact", {}, **FEATURES).json()["nodes"]
    places = [[(node["distance"], node["kind"]) for node in found] for found in (nodes, whole)]
    assert sorted(places[0]) == sorted(places[1])
    hidden = [node for node in nodes if node.get("hidden")]
    assert [set(node) for node in hidden] == [{"distance", "kind", "hidden"}] * 4
    assert [node["name"] for node in nodes if not node.get("hidden")] == ["features", "credit-line/1", "train"]


def test_impact_as_csv_names_nothing_that_is_hidden(told: Service, narrow: dict[str, str]) -> None:
    asked = {**FEATURES, "format": "csv"}
    answer = get(told, "/v1/lineage/impact", narrow, **asked)
    rows = list(csv.DictReader(io.StringIO(answer.text)))
    assert not any(secret in answer.text for secret in ("salaries", "payroll", "hr-export", "board", "vault"))
    assert [bool(row["name"]) for row in rows].count(False) == 4
    assert {tuple(row) for row in rows if not row["name"]} == {tuple(rows[0])}
    for row in rows:
        assert row["name"] or not any(row[key] for key in row if key not in ("distance", "kind"))
    whole = told.http.get("/v1/lineage/impact", params=asked)
    again = told.http.get(
        "/v1/lineage/impact", params=asked, headers={**narrow, "If-None-Match": whole.headers["ETag"]}
    )
    assert again.status_code == 200, "the tag is of another's answer"


def test_a_filter_of_impact_tells_nothing_of_what_is_hidden(told: Service, narrow: dict[str, str]) -> None:
    nodes = get(told, "/v1/lineage/impact", narrow, **FEATURES, tag="secret").json()["nodes"]
    assert [node["name"] for node in nodes] == ["features"]


def test_a_difference_counts_what_is_hidden(told: Service, narrow: dict[str, str]) -> None:
    events = [run_event("COMPLETE", 5, job="hr", run=run_id(5), inputs=[secret_of("payroll")], outputs=["features"])]
    told.http.post("/api/v1/lineage/batch", content=b"[" + b",".join(bodies(*events)) + b"]")
    asked = {**CREDIT, "as_of": at(3), "direction": "upstream"}
    seen, whole = (get(told, "/v1/lineage/diff", header, **asked).json() for header in (narrow, {}))
    # The job hr, payroll, and board, which writes it, with an edge each; board's from features is seen before.
    added = len(whole["nodes_added"]) + len(whole["edges_added"])
    assert added > 3
    assert (seen["nodes_added"], seen["edges_added"], seen["hidden"]) == ([], [], added)
    assert "hidden" not in whole


def test_a_difference_names_what_is_seen(told: Service, narrow: dict[str, str]) -> None:
    before = get(told, "/v1/lineage/diff", narrow, **FEATURES, as_of=at(0.5), direction="downstream").json()
    assert [node["name"] for node in before["nodes_added"]] == ["credit-line/1", "train"]
    assert len(before["edges_added"]) == 2
    assert before["hidden"] == 4


@pytest.mark.parametrize("path", ["/v1/lineage/impact", "/v1/lineage/diff"])
def test_a_hidden_start_is_answered_like_an_unknown_one(told: Service, narrow: dict[str, str], path: str) -> None:
    more = {"as_of": at(1)} if path.endswith("diff") else {}
    hidden_and_unknown_are_alike(told, narrow, path, namespace=VAULT, name="NAME", **more)


def columns_of(*sources: tuple[str, str, str], tags: Any = None) -> dict[str, Any]:
    """Facets of an output whose field x comes from fields of others, and which may have tags."""
    fields = [{"namespace": namespace, "name": name, "field": field} for namespace, name, field in sources]
    lineage = {"columnLineage": {"fields": {"x": {"inputFields": fields}}}}
    return lineage if tags is None else {**lineage, "tags": {"tags": tags}}


@pytest.fixture
def mapped(told: Service) -> Service:
    """salaries.amount -> features.x -> credit-line/1.x, through hr-export and train; features.x -> payroll.x."""
    tag = [{"key": "pii", "value": "true", "field": "amount"}, {"key": "vaulted", "value": "true", "field": "amount"}]
    salaries = dataset("salaries", VAULT, tags={"tags": tag}, schema={"fields": [{"name": "amount"}]})
    features = dataset("features", **columns_of((VAULT, "salaries", "amount")))
    credit = dataset("credit-line/1", MODELS, **columns_of(("s3://lake", "features", "x")))
    payroll = dataset("payroll", VAULT, **columns_of(("s3://lake", "features", "x"), tags=[{"key": "board-only"}]))
    events = [
        run_event("COMPLETE", 6, job="hr-export", run=run_id(6), inputs=[salaries], outputs=[features]),
        run_event("COMPLETE", 7, job="train", run=run_id(7), inputs=["features"], outputs=[credit]),
        run_event("COMPLETE", 8, job="board", run=run_id(8), inputs=["features"], outputs=[payroll]),
    ]
    answer = told.http.post("/api/v1/lineage/batch", content=b"[" + b",".join(bodies(*events)) + b"]")
    assert answer.json()["status"] == "success", answer.text
    return told


COLUMNS = "/v1/lineage/columns"


def test_columns_show_what_is_hidden_without_a_name(mapped: Service, narrow: dict[str, str]) -> None:
    asked = {**FEATURES, "field": "x"}
    seen, whole = (get(mapped, COLUMNS, header, **asked).json() for header in (narrow, {}))
    assert (len(seen["nodes"]), len(seen["edges"])) == (len(whole["nodes"]), len(whole["edges"])) == (4, 3)
    assert [node.get("name") for node in seen["nodes"]] == ["features", "credit-line/1", None, None]
    assert [node for node in seen["nodes"] if node.get("hidden")] == [
        {"index": 2, "distance": 1, "hidden": True},
        {"index": 3, "distance": 1, "hidden": True},
    ]
    hidden = [edge for edge in seen["edges"] if edge.get("hidden")]
    assert [set(edge) for edge in hidden] == [{"from", "to", "hidden"}] * 2
    (shown,) = [edge for edge in seen["edges"] if not edge.get("hidden")]
    assert (shown["from"], shown["to"], shown["job"]["name"]) == (0, 1, "train")
    tags = {tag["tag"]: tag["from"] for tag in seen["nodes"][0]["tags"]}
    assert tags == {"pii": {"hidden": True}, "vaulted": {"hidden": True}}


def test_a_job_that_is_hidden_is_not_named_by_columns(mapped: Service, narrow: dict[str, str]) -> None:
    output = dataset("copies", **columns_of(("s3://lake", "features", "x")))
    event = run_event("COMPLETE", 9, job="board", run=run_id(9), inputs=["features"], outputs=[output])
    mapped.http.post("/api/v1/lineage", content=bodies(event)[0])
    asked = {"namespace": "s3://lake", "name": "copies", "direction": "upstream", "depth": 1}
    (edge,) = get(mapped, COLUMNS, narrow, **asked).json()["edges"]
    assert (edge["job"], edge["latest_run_id"]) == ({"hidden": True}, None)


def test_a_hidden_field_is_answered_like_an_unknown_one(mapped: Service, narrow: dict[str, str]) -> None:
    for node_id in ("datasetField:s3%3A%2F%2Fvault:NAME:amount", "dataset:s3%3A%2F%2Fvault:NAME"):
        hidden_and_unknown_are_alike(mapped, narrow, COLUMNS, node_id=node_id)
    hidden_and_unknown_are_alike(mapped, narrow, COLUMNS, namespace=VAULT, name="NAME")


def test_fields_with_a_tag_are_those_that_are_seen(mapped: Service, narrow: dict[str, str]) -> None:
    seen, whole = (get(mapped, "/v1/lineage/tags", header, tag="pii").json()["fields"] for header in (narrow, {}))
    assert {field["name"] for field in whole} == {"salaries", "features", "credit-line/1", "payroll"}
    assert [(field["name"], field["from"]) for field in seen] == [
        ("credit-line/1", {"hidden": True}),
        ("features", {"hidden": True}),
    ]
    assert seen[0]["way"] == [{"hidden": True}, {**FEATURES, "field": "x"}, {**CREDIT, "field": "x"}]


def test_tags_are_those_that_were_said_of_what_is_seen(mapped: Service, narrow: dict[str, str]) -> None:
    path = "/api/v1/namespaces/s3%3A%2F%2Flake/datasets/features/tags/by-hand"
    assert mapped.http.post(path).status_code == 200
    assert mapped.http.put("/api/v1/tags/unused", json={"description": "nothing carries it"}).status_code == 200
    tagged = dataset("features", tags={"tags": [{"key": "gold"}]})
    event = run_event("COMPLETE", 9, job="train", run=run_id(9), outputs=[tagged])
    mapped.http.post("/api/v1/lineage", content=bodies(event)[0])
    seen, whole = (get(mapped, "/v1/lineage/tags", header).json()["tags"] for header in (narrow, {}))
    assert [tag["tag"] for tag in seen] == ["by-hand", "gold"]
    assert {tag["tag"] for tag in whole} == {"by-hand", "gold", "secret", "board-only", "pii", "unused", "vaulted"}


def test_evidence_shows_what_is_hidden_by_a_key_without_a_name(told: Service, narrow: dict[str, str]) -> None:
    seen, whole = (get(told, "/v1/lineage/evidence", header, **CREDIT).json() for header in (narrow, {}))
    assert (seen["subject"], seen["level"]) == (whole["subject"], whole["level"])
    assert [len(seen[part]) for part in ("datasets", "runs", "links")] == [2, 2, 4]
    assert [version.get("name") for version in seen["datasets"]] == ["features", None]
    assert [run.get("run_id") for run in seen["runs"]] == [run_id(2), None]
    for entry in (seen["datasets"][1], seen["runs"][1]):
        assert set(entry) == {"key", "hidden"}
        assert entry["key"].startswith("hidden:")
    assert run_id(1) not in str(seen), "neither by itself nor in the key of what it wrote"
    keys = {entry["key"] for part in ("datasets", "runs") for entry in seen[part]} | {seen["subject"]}
    assert {link[end] for link in seen["links"] for end in ("from", "to")} <= keys
    assert [link.get("hidden", False) for link in seen["links"]].count(True) == 2
    hidden_and_unknown_are_alike(told, narrow, "/v1/lineage/evidence", namespace=VAULT, name="NAME")
    hidden_and_unknown_are_alike(told, narrow, "/v1/lineage/evidence", namespace=VAULT, name="NAME", version="1")
