"""Deployments bound to decisions, and those that others tell lineage of, over HTTP on both databases."""

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from audits.fsck import check_all
from audits.running import judge
from lineage.conformance import findings
from lineage.receiving import parse_event
from tests.api.test_lineage_serving import DIGEST as SERVED
from tests.api.test_lineage_serving import deployed, fill
from tests.lineage.material import dataset, facet, run_event, run_id
from tests.support.life import again, allowed, bearer, denied, deploy, revoke, rollout, runs, verify
from tests.support.service import Service, running
from tests.support.story import DIGEST, policy, publish, subject

OTHER = "sha256:" + "0" * 64


def test_a_valid_decision_lets_a_model_go_live_and_lineage_knows(service: Service) -> None:
    decision = allowed(service)["decision_id"]
    answer = deploy(service, decision, traffic_percent=25)
    assert answer.status_code == 201, answer.text
    told = answer.json()
    (found,) = runs(service, environment="prod")
    assert (found["run_id"], found["deployment_id"]) == (told["deployment_id"], told["deployment_id"])
    assert (found["decision_id"], found["revision"], found["state"]) == (decision, "7", "RUNNING")
    assert (found["undecided"], found["began_with"], found["running_with"]) == (False, "valid", "valid")
    assert found["endpoints"] == [{"namespace": "k8s://b/claims", "name": "endpoints/triage"}]
    (model,) = found["models"]
    assert (model["name"], model["traffic_percent"]) == ("credit-line/1", 25)
    assert service.http.get(answer.headers["Location"]).json() == told
    (served,) = service.http.get("/v1/lineage/serving").json()["deployments"]
    assert (served["undecided"], served["running_with"]) == (False, "valid")


def test_the_event_that_is_told_conforms_to_the_standard_and_to_our_facets(service: Service) -> None:
    deploy(service, allowed(service)["decision_id"])
    with service.state.database.read_unit() as unit:
        bodies = unit.session.scalars(sa.text("SELECT body FROM lineage_payload ORDER BY event_id")).all()
    (event,) = [body for body in bodies if b"assay_deployment" in body]
    assert findings(parse_event(event)) == ()
    told = json.loads(event)
    assert told["job"]["facets"]["jobType"]["processingType"] == "SERVICE"
    assert told["job"]["facets"]["jobType"]["jobType"] == "MODEL_DEPLOYMENT"


@pytest.mark.parametrize(
    ("changes", "found"),
    [({"digest": OTHER}, "wrong subject"), ({"environment": "test"}, "wrong environment")],
)
def test_other_bytes_or_another_environment_are_409(service: Service, changes: dict[str, Any], found: str) -> None:
    refused = deploy(service, allowed(service)["decision_id"], **changes)
    assert refused.status_code == 409
    assert found in refused.json()["found"]
    assert (refused.json()["pointer"], runs(service)) == ("/decision_id", [])


def test_a_decision_that_holds_no_more_or_never_did_is_409(service: Service) -> None:
    decision = allowed(service)["decision_id"]
    refused = denied(service)["decision_id"]
    assert "superseded" in deploy(service, decision).json()["found"]
    assert "not allowed" in deploy(service, refused).json()["found"]
    newest = again(service, "newest")
    revoke(service, newest)
    assert "revoked" in deploy(service, newest).json()["found"]
    assert deploy(service, "none").status_code == 404
    with service.state.database.read_unit() as unit:
        assert unit.session.scalar(sa.text("SELECT count(*) FROM deployment")) == 0


def test_an_expired_decision_is_409_and_what_runs_with_it_shows(database_url: str, tmp_path: Path) -> None:
    instants = [datetime(2026, 11, 2, tzinfo=UTC)]
    with running(tmp_path / "home", database_url, clock=lambda: instants[0]) as service:
        decision = allowed(service)["decision_id"]
        assert deploy(service, decision).status_code == 201
        instants[0] += timedelta(days=90)
        assert "expired" in deploy(service, decision, key="late").json()["found"]
        (found,) = runs(service)
        assert (found["running_with"], found["began_with"], found["undecided"]) == ("expired", "valid", False)
        (then,) = runs(service, as_of="2026-11-03T00:00:00Z")
        assert then["running_with"] == "valid"


def test_what_runs_with_a_revoked_decision_shows_from_the_revocation_on(service: Service) -> None:
    decision = allowed(service)["decision_id"]
    deploy(service, decision)
    before = datetime.now(UTC).isoformat()
    revoke(service, decision)
    assert [each["running_with"] for each in runs(service)] == ["revoked"]
    assert [each["running_with"] for each in runs(service, as_of=before)] == ["valid"]
    assert runs(service, undecided=True) == []


def test_the_same_key_answers_the_first_deployment_and_another_body_is_refused(service: Service) -> None:
    decision = allowed(service)["decision_id"]
    first, repeated = deploy(service, decision), deploy(service, decision)
    assert repeated.json() == first.json()
    assert repeated.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert deploy(service, decision, revision="8").status_code == 422
    other = bearer(service, "ci", subject="ci:other")
    sent = service.post_json("/v1/deployments", rollout(decision), **{"Idempotency-Key": "rollout"}, **other)
    assert sent.json()["deployment_id"] != first.json()["deployment_id"]
    assert service.post_json("/v1/deployments", rollout(decision)).status_code == 422


def test_the_same_request_at_one_moment_is_one_deployment(service: Service) -> None:
    decision = allowed(service)["decision_id"]
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda _: deploy(service, decision), range(6)))
    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.json()["deployment_id"] for answer in answers if answer.status_code == 201}) == 1
    assert len(runs(service)) == 1


def test_a_rollout_with_all_the_traffic_replaces_what_served_there(service: Service) -> None:
    decision = allowed(service)["decision_id"]
    first = deploy(service, decision).json()
    deploy(service, decision, key="shadow", revision="s", kind="shadow")
    deploy(service, decision, key="canary", revision="8", traffic_percent=10)
    deploy(service, decision, key="elsewhere", endpoint="other")
    during = datetime.now(UTC).isoformat()
    assert len(runs(service)) == 4
    deploy(service, decision, key="whole", revision="9")
    assert sorted(each["revision"] for each in runs(service)) == ["7", "9", "s"], "7 is the other endpoint's"
    assert len(runs(service, as_of=during)) == 4
    ended = service.http.get(f"/v1/deployments/{first['deployment_id']}").json()["ended"]
    assert ended["how"] == "replaced"


def test_a_deployment_ends_once_as_it_is_told(service: Service) -> None:
    told = deploy(service, allowed(service)["decision_id"]).json()
    path = f"/v1/deployments/{told['deployment_id']}/end"
    first = service.post_json(path, {"how": "rolled_back"})
    assert (first.status_code, first.json()["ended"]["how"]) == (200, "rolled_back")
    assert service.post_json(path, {"how": "rolled_back"}).json() == first.json()
    assert service.post_json(path, {"how": "retired"}).status_code == 409
    assert service.post_json("/v1/deployments/none/end", {"how": "retired"}).status_code == 404
    assert runs(service) == []
    nodes = service.http.get(f"/v1/lineage/runs/{told['deployment_id']}").json()["nodes"]
    assert [node["state"] for node in nodes if node["kind"] == "run"] == ["ABORTED"]


def test_only_who_may_deploy_does_and_bad_names_are_refused_with_their_place(service: Service) -> None:
    decision = allowed(service)["decision_id"]
    headers = {"Idempotency-Key": "k", **bearer(service, "approver")}
    assert service.post_json("/v1/deployments", rollout(decision), **headers).status_code == 403
    for changes in ({"endpoint": ""}, {"traffic_percent": 101}, {"kind": "blue"}, {"platform_namespace": "a\x00"}):
        refused = deploy(service, decision, key="bad", **changes)
        assert (refused.status_code, refused.json()["pointer"]) == (422, f"/{next(iter(changes))}")


def test_broken_glass_lets_a_denied_model_go_live_and_is_shown_for_what_it_is(
    database_url: str, tmp_path: Path
) -> None:
    instants = [datetime(2026, 11, 2, tzinfo=UTC)]
    with running(tmp_path / "home", database_url, clock=lambda: instants[0]) as service:
        publish(service, policy())
        refused = denied(service)["decision_id"]
        assert deploy(service, refused, key="before").status_code == 409
        grant = {"decision_id": refused, "reason": "Payments stand still.", "incident_id": "INC-7", "hours": 2}
        responder = bearer(service, "incident_responder", subject="user:ines")
        granted = service.post_json("/v1/break-glass", grant, **responder)
        assert granted.status_code == 201, granted.text
        told = deploy(service, refused)
        assert (told.status_code, told.json()["grant_id"]) == (201, granted.json()["id"])
        found = verify(service, refused)
        assert (found["status"], found["valid"]) == ("not_allowed", False), "the verdict stays what it was"
        assert found["break_glass"]["id"] == granted.json()["id"]
        (shown,) = runs(service)
        assert (shown["undecided"], shown["running_with"]) == (False, "not_allowed")
        assert shown["break_glass"] == granted.json()["id"]
        assert deploy(service, refused, key="other bytes", digest=OTHER).status_code == 409
        instants[0] += timedelta(hours=2)
        assert deploy(service, refused, key="too late").status_code == 409
        assert verify(service, refused)["break_glass"] is None


def told_by_others(decision_id: str | None, run: int, *, digest: str = SERVED, **told: Any) -> list[dict[str, Any]]:
    """A model version with bytes of its own, and its deployment, as a platform tells lineage."""
    name = f"m/{run}"
    model = dataset(name, "mlflow://m", assay_model={"contentDigest": digest})
    named = {} if decision_id is None else {"decisionId": decision_id}
    deployment = {"environment": "prod", "revision": str(run), **named, **told}
    return [
        run_event("COMPLETE", 1, run=run_id(100 + run), job="train", outputs=[model]),
        run_event(
            "START", 2, run=run_id(run), job=f"serve-{run}", run_facets={"assay_deployment": facet(**deployment)},
            inputs=[dataset(name, "mlflow://m")], outputs=[dataset(f"endpoints/{run}", "k8s://c")],
        ),
    ]  # fmt: skip


def judged(service: Service, count: int) -> list[tuple[str, str]]:
    """What the service itself found of deployments, once it looked at so many."""
    until = time.monotonic() + 30
    while True:
        with service.state.database.read_unit() as unit:
            query = "SELECT status, log_index FROM deployment_verdict ORDER BY run_id"
            rows = unit.session.execute(sa.text(query)).all()
        if len(rows) >= count:
            return [(status, "flagged" if index is not None else "fine") for status, index in rows]
        assert time.monotonic() < until, rows
        time.sleep(0.05)


def test_a_deployment_told_without_a_decision_is_kept_flagged_and_announced(service: Service) -> None:
    fill(service, *told_by_others(None, 10))
    fill(service, *told_by_others("no such decision", 11))
    assert judged(service, 2) == [("none", "flagged"), ("none", "flagged")]
    found = runs(service, undecided=True)
    assert [(each["undecided"], each["running_with"]) for each in found] == [(True, "none")] * 2
    with service.state.database.read_unit() as unit:
        types = unit.session.scalars(sa.text("SELECT type FROM notice")).all()
    assert types.count("assay.deployment.undecided") == 2
    settings = service.settings
    ring = service.state.gate.ring
    check_all(service.state.database, ring, origin=settings.origin, kept=settings.home / "checkpoint")


def recent(**said: Any) -> str:
    """An instant a moment ahead, since a platform tells of a rollout after the decision was taken."""
    return (datetime.now(UTC) + timedelta(**said)).isoformat()


def serving_event(decision: str, run: int, name: str) -> dict[str, Any]:
    event = run_event(
        "START", 2, run=run_id(run), job=f"serve-{run}",
        run_facets={"assay_deployment": facet(environment="prod", decisionId=decision)},
        inputs=[dataset(name, "mlflow://models.test")], outputs=[dataset(f"endpoints/{run}", "k8s://c")],
    )  # fmt: skip
    return {**event, "eventTime": recent(milliseconds=1)}


def test_a_deployment_told_with_a_valid_decision_about_its_bytes_is_decided(service: Service) -> None:
    decision = allowed(service)["decision_id"]
    trained = dataset("credit-line/1", "mlflow://models.test", assay_model={"contentDigest": DIGEST})
    fill(service, run_event("COMPLETE", 1, run=run_id(1), job="train", outputs=[trained]))
    fill(service, serving_event(decision, 20, "credit-line/1"))
    assert judged(service, 1) == [("valid", "fine")]
    assert runs(service, undecided=True) == []


def test_the_registry_tells_the_bytes_where_lineage_does_not(service: Service) -> None:
    decision = allowed(service)["decision_id"]
    fill(service, serving_event(decision, 20, "credit-line/1"))
    assert judged(service, 1) == [("wrong_subject", "flagged")], "nobody told which bytes serve"
    model = {**subject(), "objective": "repays", "risk_tier": "high", "owners": ["user:ines"]}
    assert service.post_json("/v1/models", model).status_code == 201
    fill(service, serving_event(decision, 21, "credit-line/1"))
    assert judged(service, 2) == [("wrong_subject", "flagged"), ("valid", "fine")]


def test_a_decision_about_other_bytes_or_revoked_before_does_not_decide(service: Service) -> None:
    decision = allowed(service)["decision_id"]
    fill(service, *told_by_others(decision, 10, digest=OTHER))
    assert judged(service, 1) == [("wrong_subject", "flagged")]
    revoke(service, decision)
    trained = dataset("credit-line/1", "mlflow://models.test", assay_model={"contentDigest": DIGEST})
    fill(service, run_event("COMPLETE", 1, run=run_id(1), job="train", outputs=[trained]))
    fill(service, serving_event(decision, 20, "credit-line/1"))
    assert judged(service, 2) == [("wrong_subject", "flagged"), ("revoked", "flagged")]


def test_a_deployment_is_judged_once_for_the_decision_it_names(service: Service) -> None:
    fill(service, *told_by_others(None, 10))
    judged(service, 1)
    with service.state.database.unit() as unit:
        assert judge(unit, run_id(10)) is None
        assert judge(unit, "no such run") is None
    fill(service, deployed("RUNNING", 5, 10, dataset("m/10", "mlflow://m"), decisionId="later"))
    assert judged(service, 2) == [("none", "flagged"), ("none", "flagged")]
