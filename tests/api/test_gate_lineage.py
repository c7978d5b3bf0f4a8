"""Verdicts in lineage: each sealed decision is a run of the model's gate, and never evidence for the next answer."""

from typing import Any

import sqlalchemy as sa

from governance.database import Database
from governance.types.subject import Subject
from lineage.digest import state_digest
from lineage.replay import replay
from lineage.tables import EventRow
from lineage.view import StoredLineage
from tests.lineage.material import body, dataset, facet, run_event, run_id
from tests.support.service import Service, running
from tests.support.story import DIGEST, FAIR, UNFAIR, ask, policy, publish, subject, submit

GATE = {"namespace": "assay://assay.test", "name": "gate/credit-line"}


def graph(service: Service, **asked: Any) -> dict[str, Any]:
    answer = service.http.get("/v1/lineage/graph", params=asked)
    assert answer.status_code == 200, answer.text
    document: dict[str, Any] = answer.json()
    return document


def named(found: dict[str, Any]) -> list[tuple[str, str, str]]:
    return [(node["kind"], node["namespace"], node["name"]) for node in found["nodes"]]


def edges(found: dict[str, Any]) -> set[tuple[str, str]]:
    return {(found["nodes"][edge["from"]]["name"], found["nodes"][edge["to"]]["name"]) for edge in found["edges"]}


def send(service: Service, document: Any) -> None:
    assert service.http.post("/api/v1/lineage", content=body(document)).status_code == 201


def train(service: Service, digest: str | None = DIGEST) -> None:
    facets = {"assay_model": facet(contentDigest=digest)} if digest else {}
    model = {"namespace": "mlflow://models.test", "name": "credit-line/1", "facets": facets}
    send(service, run_event(run=run_id(9), job="train", inputs=["features"], outputs=[model]))


def events(database: Database) -> list[str | None]:
    with database.read_unit() as unit:
        return sorted(unit.session.scalars(sa.select(EventRow.event_type)), key=str)


def known(database: Database, **changes: str) -> Any:
    with database.read_unit() as unit:
        return StoredLineage(unit).ancestry(Subject(**{**subject(), **changes}))


def test_a_verdict_is_a_run_of_the_gate_that_read_model_and_data_and_wrote_a_report(service: Service) -> None:
    publish(service, policy())
    submit(service, UNFAIR, dataset={"namespace": "s3://lake", "name": "holdout"})
    answer = ask(service).json()
    assert answer["verdict"] == "deny"
    found = graph(service, **GATE)
    report = f"reports/credit-line/1/{answer['decision_id']}"
    assert edges(found) == {("credit-line/1", "gate/credit-line"), ("holdout", "gate/credit-line"),
                            ("gate/credit-line", report)}  # fmt: skip
    job = next(node for node in found["nodes"] if node["kind"] == "job")
    assert (job["type"], job["subtype"]) == ("BATCH", "GATE")
    assert [node["subtype"] for node in found["nodes"] if node["name"] == report] == ["GATE"]
    assert found["edges"][0]["latest_run_id"] == answer["decision_id"]


def test_there_is_no_way_back_from_the_gate_to_the_model(service: Service) -> None:
    publish(service, policy())
    train(service)
    submit(service, FAIR)
    ask(service)
    up = graph(service, namespace="mlflow://models.test", name="credit-line/1", direction="upstream")
    assert sorted(named(up)) == [
        ("dataset", "mlflow://models.test", "credit-line/1"),
        ("dataset", "s3://lake", "features"),
        ("job", "batch", "train"),
    ]


def test_the_event_is_stored_without_findings_and_says_what_the_decision_says(service: Service) -> None:
    publish(service, policy())
    submit(service, UNFAIR)
    answer = ask(service).json()
    with service.state.database.read_unit() as unit:
        query = sa.select(EventRow.digest).where(EventRow.event_type == "COMPLETE")
        digest = unit.session.scalars(query).one().hex()
    stored = service.http.get(f"/v1/lineage/events/sha256:{digest}").json()
    assert stored["findings"] == []
    facets = stored["event"]["run"]["facets"]
    assert facets["assay_decision"]["decisionDigest"] == answer["decision_digest"]
    assert facets["assay_decision"]["verdict"] == "deny"
    [test] = facets["test"]["tests"]
    assert (test["name"], test["status"], test["actual"]) == ("fairness", "fail", answer["checks"][0]["observed"])


def test_a_repeated_request_adds_no_event_and_a_replay_changes_nothing(service: Service) -> None:
    publish(service, policy())
    submit(service, FAIR)
    assert ask(service).json()["decision_id"] == ask(service).json()["decision_id"]
    database = service.state.database
    assert events(database) == ["COMPLETE", "START"]
    with database.unit() as unit:
        before = state_digest(unit)
        assert replay(unit) == 2
        assert state_digest(unit) == before


def test_what_could_not_be_examined_is_a_failed_run(service: Service) -> None:
    publish(service, policy())
    assert ask(service).json()["verdict"] == "indeterminate"
    assert events(service.state.database) == ["FAIL", "START"]


def test_a_model_that_only_gates_asked_about_stays_unknown(service: Service) -> None:
    """Else the second question would find a model without ancestors, on which nothing can be wrong."""
    publish(service, policy())
    ask(service)
    assert known(service.state.database).subject is None
    ask(service, key="again", subject=subject(digest="sha256:" + "0b" * 32))
    assert known(service.state.database).subject is None
    train(service, digest=None)
    assert known(service.state.database).subject is not None


def test_asking_about_a_model_with_another_digest_leaves_its_ancestry_as_it_was(service: Service) -> None:
    publish(service, policy())
    train(service)
    before = known(service.state.database)
    ask(service, subject=subject(digest="sha256:" + "0b" * 32))
    ask(service, key="k2")
    assert known(service.state.database) == before
    assert known(service.state.database, digest="sha256:" + "0b" * 32).subject is None


def test_a_gate_that_looks_at_data_after_they_were_dropped_does_not_bring_them_back(service: Service) -> None:
    publish(service, policy())
    train(service)
    dropped = dataset("features", lifecycleStateChange={"lifecycleStateChange": "DROP"})
    send(service, {**run_event(run=run_id(8), job="clean", minute=5), "inputs": [], "outputs": [dropped]})
    features = [item for item in known(service.state.database).datasets if item.name == "features"]
    submit(service, FAIR, dataset={"namespace": "s3://lake", "name": "features"})
    ask(service)
    assert [item for item in known(service.state.database).datasets if item.name == "features"] == features


def test_a_limit_on_events_of_others_does_not_keep_the_gate_from_answering(database_url: str, tmp_path: Any) -> None:
    tight = {"max_event_bytes": 10, "conformance": "strict"}
    with running(tmp_path / "home", database_url, lineage=tight) as service:
        publish(service, policy())
        submit(service, FAIR)
        assert ask(service).json()["verdict"] == "allow"
        assert events(service.state.database) == ["COMPLETE", "START"]


def test_the_name_of_the_instance_is_the_operators(database_url: str, tmp_path: Any) -> None:
    with running(tmp_path / "home", database_url, instance="eu.example/one") as service:
        publish(service, policy())
        ask(service)
        found = graph(service, namespace="assay://eu.example/one", name="gate/credit-line")
        assert ("job", "assay://eu.example/one", "gate/credit-line") in named(found)
