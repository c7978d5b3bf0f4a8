"""What a narrowed key is told by the further questions about lineage."""

import csv
import io
from typing import Any

import pytest

from tests.api.test_scopes import FEATURES
from tests.lineage.material import at, bodies, run_event, run_id
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
