"""What serves now and what data is behind it, and what lineage rests on, over HTTP on both databases."""

from typing import Any

from tests.lineage.material import at, bodies, dataset, facet, run_event, run_id, versioned
from tests.support.service import Service

HUB = "mlflow://m"
DIGEST = "sha256:" + "5" * 64
IMAGE = "sha256:" + "7" * 64


def fill(service: Service, *documents: Any) -> None:
    answer = service.http.post("/api/v1/lineage/batch", content=b"[" + b",".join(bodies(*documents)) + b"]")
    assert answer.json()["status"] == "success", answer.text


def ask(service: Service, path: str, **asked: Any) -> Any:
    answer = service.http.get(f"/v1/lineage/{path}", params=asked)
    assert answer.status_code == 200, answer.text
    return answer.json()


def model(name: str, **input_facets: Any) -> dict[str, Any]:
    told = dataset(name, HUB, assay_model={"contentDigest": "sha256:" + name[-1] * 64, "riskTier": "high"})
    return {**told, "inputFacets": {key: facet(**value) for key, value in input_facets.items()}}


def deployed(kind: str, minute: float, run: int, *models: dict[str, Any], **told: Any) -> dict[str, Any]:
    named = {"environment": "prod", "revision": str(run), "decisionId": f"decision-{run}", **told}
    return run_event(
        kind, minute, run=run_id(run), job=f"serve-{run}", run_facets={"assay_deployment": facet(**named)},
        inputs=list(models), outputs=[dataset(f"endpoints/{run}", "k8s://c")],
    )  # fmt: skip


def trainings() -> list[dict[str, Any]]:
    return [
        run_event("COMPLETE", 1, run=run_id(1), job="load", inputs=["raw"], outputs=[versioned("features", "v1")]),
        run_event("COMPLETE", 2, run=run_id(2), job="train", inputs=[versioned("features", "v1")],
                  outputs=[model("m/1")]),
        run_event("COMPLETE", 3, run=run_id(3), job="train", inputs=["features"], outputs=[model("m/2")]),
    ]  # fmt: skip


def test_what_serves_now_is_one_question(service: Service) -> None:
    share = {"assay_traffic": {"percent": 90}}
    fill(service, *trainings(), deployed("START", 4, 10, model("m/1", **share), model("m/2")))
    (found,) = ask(service, "serving", environment="prod")["deployments"]
    assert (found["run_id"], found["state"], found["started_at"]) == (run_id(10), "RUNNING", at(4))
    assert (found["environment"], found["revision"], found["decision_id"]) == ("prod", "10", "decision-10")
    assert found["endpoints"] == [{"namespace": "k8s://c", "name": "endpoints/10"}]
    first, second = found["models"]
    assert (first["name"], first["traffic_percent"], first["decision_id"]) == ("m/1", 90, "decision-10")
    assert (second["name"], second["traffic_percent"], second["risk_tier"]) == ("m/2", None, "high")
    assert [run["run_id"] for run in first["training"]] == [run_id(2)]
    assert [(row["name"], row["version"], row["level"]) for row in first["data"]] == [
        ("features", "v1", "observed"),
        ("raw", None, "linked"),
    ]
    assert [(row["name"], row["version"], row["level"]) for row in second["data"]] == [
        ("features", "v1", "linked"),
        ("raw", None, "linked"),
    ]


def test_only_open_deployments_of_the_environment_serve_and_those_of_then_served_then(service: Service) -> None:
    fill(
        service,
        *trainings(),
        deployed("START", 4, 10, model("m/1")),
        deployed("COMPLETE", 8, 10, model("m/1")),
        deployed("START", 8, 11, model("m/2")),
        deployed("START", 5, 12, model("m/2"), environment="test"),
        deployed("FAIL", 6, 13, model("m/2")),
        run_event("OTHER", 7, run=run_id(14), run_facets={"assay_deployment": facet(environment="prod")}),
    )

    def revisions(**asked: Any) -> list[str]:
        return [deployment["revision"] for deployment in ask(service, "serving", **asked)["deployments"]]

    assert revisions(environment="prod") == ["11"]
    assert revisions() == ["11", "12"]
    assert revisions(environment="prod", as_of=at(7)) == ["10"]
    assert revisions(environment="prod", as_of=at(3)) == []
    assert revisions(environment="none") == []


def test_deployments_come_in_pages_and_the_facet_is_that_of_then(service: Service) -> None:
    fill(service, *trainings(), *(deployed("START", 4, run, model("m/1")) for run in range(10, 15)))
    fill(service, deployed("RUNNING", 9, 12, model("m/1"), decisionId="later"))
    first = ask(service, "serving", limit=2)
    second = ask(service, "serving", limit=2, cursor=first["next_cursor"])
    third = ask(service, "serving", limit=2, cursor=second["next_cursor"])
    shown = [row["run_id"] for page in (first, second, third) for row in page["deployments"]]
    assert sorted(shown) == [run_id(run) for run in range(10, 15)]
    assert [len(page["deployments"]) for page in (first, second, third)] == [2, 2, 1]
    assert third["next_cursor"] is None
    by_run = {row["run_id"]: row["decision_id"] for row in ask(service, "serving")["deployments"]}
    assert (by_run[run_id(12)], by_run[run_id(11)]) == ("later", "decision-11")
    then = {row["run_id"]: row["decision_id"] for row in ask(service, "serving", as_of=at(5))["deployments"]}
    assert then[run_id(12)] == "decision-12"


def test_the_level_of_a_model_is_that_of_its_weakest_link_and_says_why(service: Service) -> None:
    fill(service, *trainings())
    found = ask(service, "evidence", namespace=HUB, name="m/1")
    assert found["level"] == "linked"
    weakest = found["weakest_path"]
    assert [link["from"].rpartition(":")[2].partition("#")[0] for link in weakest] == [
        "raw", run_id(1), "features", run_id(2),
    ]  # fmt: skip
    assert (weakest[0]["level"], weakest[0]["reason"]) == ("linked", "no version was reported")
    assert {link["level"] for link in weakest[1:]} == {"observed"}
    assert ask(service, "evidence", namespace=HUB, name="m", version="1")["subject"] == found["subject"]
    inferred = ask(service, "evidence", namespace=HUB, name="m/2")["links"]
    assert any(link["version_inferred"] and link["level"] == "linked" for link in inferred)
    unknown = ask(service, "evidence", namespace="s3://lake", name="raw")
    assert (unknown["level"], unknown["weakest_path"]) == (None, [])


def test_snapshot_code_and_environment_make_lineage_reproducible(service: Service) -> None:
    code = {"sourceCodeLocation": facet(type="git", url="https://git.example/train", version="4f0c2e1d")}
    environment = {"assay_environment": facet(imageDigest=IMAGE)}
    stored = {"storage": {"storageLayer": "iceberg", "fileFormat": "parquet"}}
    produced = dataset("m/" + "5" * 64, HUB, assay_model={"contentDigest": DIGEST})
    named = {"run": run_id(2), "job": "train", "job_facets": code, "run_facets": environment}
    fill(service, run_event("COMPLETE", 2, **named, inputs=[versioned("t", "771", **stored)], outputs=[produced]))
    asked = {"namespace": HUB, "name": "m/" + "5" * 64}
    found = ask(service, "evidence", **asked)
    assert found["level"] == "reproducible", found
    without = {**named, "run_facets": {}, "run": run_id(3)}
    fill(service, run_event("COMPLETE", 3, **without, inputs=[versioned("t", "771", **stored)], outputs=[produced]))
    assert ask(service, "evidence", **asked)["level"] == "observed"
    reasons = {link["reason"] for link in ask(service, "evidence", **asked)["links"] if link["level"] == "observed"}
    assert reasons == {"the run names no pinned environment"}
    assert ask(service, "evidence", **asked, as_of=at(2))["level"] == "reproducible"
