"""What people complained about in other gates, one test a row: the right behaviour, over HTTP or the command line.

Each test names the complaint that it answers. All run on both databases but for those that need no service.
"""

import contextlib
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from audits import break_glass, deployments, publishing, revocations, waiver_records
from audits.work import EvaluationTask
from governance.access.principal import Principal
from governance.access.roles import Role
from governance.database import Unit
from governance.errors import NotPermitted
from governance.log import journal
from governance.registry import models
from governance.types.break_glass import BreakGlassRequest
from governance.types.deployment import DeploymentEnd, DeploymentRequest
from governance.types.policy import Policy
from governance.types.waiver import WaiverRequest
from tests.api.test_gate import FAILING
from tests.api.test_lineage_serving import fill
from tests.governance.access.test_oidc import KEY, NOW, issuer, opened, speaks_for
from tests.governance.registry.test_models import registration
from tests.lineage.material import dataset, facet, run_event, run_id
from tests.support.issuer import github_claims, jwks, rsa_key, serving_keys, signed
from tests.support.life import DATA, allowed, assay, bearer, deploy, listening, rollout, runs, verify
from tests.support.people import waiver
from tests.support.ready import measured
from tests.support.service import Service, running
from tests.support.story import DIGEST, FAIR, ask, policy, publish, submit

OTHER = "sha256:" + "0" * 64
MODEL = ["credit-line@1", "--namespace", "mlflow://models.test", "--digest", DIGEST]


@contextmanager
def answering(status: int, body: bytes) -> Iterator[list[str]]:
    """A service that answers everything alike, as a broken one or another product would."""

    class Answer(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length", 0)))
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST  # noqa: N815 - the server looks for this name

        def log_message(self, *_: Any) -> None:
            """Nothing: what was asked is of no interest."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Answer)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield ["--url", f"http://127.0.0.1:{server.server_address[1]}", "--key", "k"]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_typo_that_leaves_no_check_is_not_green(service: Service, capsys: pytest.CaptureFixture[str]) -> None:
    """open-policy-agent/conftest#181, runatlantis/atlantis#1550: a typo, zero policies checked, green."""
    publish(service, policy("only-prod", applies={"environments": ["prod"]}))
    retired = service.post_json("/v1/policies/baseline/versions/1/publish", {"stage": "retire"})
    assert retired.is_success, retired.text
    measured(service, FAIR)
    answer = ask(service, policy=None, environment="porduction").json()
    assert (answer["verdict"], answer["reasons"][0]["code"]) == ("indeterminate", "policy.no_applicable_checks")
    with listening(service) as there:
        assert assay("gate", *MODEL, "--env", "porduction", "--wait", "20", *there) == 2
    assert "No check of any policy applies" in capsys.readouterr().out


def test_a_check_that_never_ran_does_not_count_as_passed(service: Service) -> None:
    """MetaMask/metamask-extension#45450: a gated benchmark that never ran counts as pass."""
    wanted = policy()
    publish(service, {**wanted, "checks": [*wanted["checks"], {"id": "gdpr", "params": {"rules": ["R1"]}}]})
    answer = ask(service, evidence=[{"digest": measured(service, FAIR)}]).json()
    assert {check["id"]: check["status"] for check in answer["checks"]} == {
        "fairness": "passed", "gdpr": "insufficient_evidence",
    }  # fmt: skip
    assert answer["verdict"] == "indeterminate"
    nothing = ask(service, key="k2", evidence=[]).json()
    assert [check["id"] for check in nothing["checks"]] == ["fairness", "gdpr"], "the policy says what is required"
    assert nothing["verdict"] == "indeterminate"


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (200, b'{"verdict": "approved"}', 2),
        (200, b'{"verdict": null}', 2),
        (200, b"{}", 2),
        (200, b"", 6),
        (200, b"[]", 6),
        (200, b"<html>", 6),
        (204, b"", 6),
        (302, b"", 6),
        (500, b'{"verdict": "allow"}', 6),
    ],
)
def test_an_answer_that_is_not_understood_opens_nothing(status: int, body: bytes, code: int) -> None:
    """vercel/ai#19978: an unknown decision value opens the gate."""
    with answering(status, body) as there:
        asked = assay("gate", *MODEL, "--env", "prod", "--wait", "0", *there)
        verified = assay("decision", "verify", "d", "--digest", DIGEST, "--env", "prod", *there)
    assert (asked, verified) == (code, code)


def test_a_policy_that_is_not_defined_is_404_and_every_answer_names_its_policy(service: Service) -> None:
    """open-policy-agent/opa#3125: an empty answer for an undefined policy."""
    undefined = ask(service, policy="undefined")
    assert undefined.status_code == 404
    assert undefined.headers["content-type"] == "application/problem+json"
    answer = allowed(service, key="k2")
    reference = answer["policy"]
    stored = service.http.get(f"/v1/policies/{reference['name']}/versions/{reference['version']}").json()
    assert (stored["name"], stored["digest"]) == ("fair", reference["digest"])


def test_a_verdict_that_cannot_be_logged_is_not_given(service: Service) -> None:
    """open-policy-agent/opa#8123: decision logs dropped under load."""
    publish(service, policy())
    evidence = measured(service, FAIR)
    with service.state.database.unit() as unit:
        before = journal.size(unit)
        for statement in FAILING[unit.dialect]:
            unit.session.execute(sa.text(statement.replace("policy_version", "log_entry")))
    answer = ask(service, evidence=[{"digest": evidence}])
    assert answer.status_code == 503, answer.text
    assert "verdict" not in answer.json()
    with service.state.database.read_unit() as read:
        assert journal.size(read) == before
        for table in ("decision", "evaluation"):
            assert read.session.scalar(sa.text(f"SELECT count(*) FROM {table}")) == 0


def test_whoever_waits_gets_the_verdict_without_any_webhook(database_url: str, tmp_path: Path) -> None:
    """RedHatInsights/rhsm-subscriptions#145: webhook delivered, job still waits."""
    with running(tmp_path / "home", database_url, work={"engine": "none"}) as service:
        publish(service, policy())
        accepted = ask(service, wait=0, evidence=[{"digest": submit(service, FAIR)}])
        assert accepted.status_code == 202
        with ThreadPoolExecutor(1) as pool:
            path = accepted.headers["Location"]
            waiting = pool.submit(lambda: service.http.get(path, params={"wait": 25}))
            measured(service, FAIR)
            EvaluationTask(service.state.database, service.state.gate).run(path.rpartition("/")[2])
            ended = waiting.result(30)
        assert (ended.status_code, ended.json()["verdict"]) == (200, "allow")
        with service.state.database.read_unit() as unit:
            assert unit.session.scalar(sa.text("SELECT count(*) FROM webhook_delivery")) == 0


def test_nobody_calls_a_model_live_without_a_decision_and_a_role(service: Service) -> None:
    """mlflow/mlflow#7762, #24742, #11497: anybody can call a model production."""
    decision = allowed(service)["decision_id"]
    body = rollout(decision)
    for role in ("auditor", "approver", "model_owner", "policy_author", "admin"):
        headers = {"Idempotency-Key": role, **bearer(service, role)}
        assert service.post_json("/v1/deployments", body, **headers).status_code == 403, role
    undecided = {name: value for name, value in body.items() if name != "decision_id"}
    assert service.post_json("/v1/deployments", undecided, **{"Idempotency-Key": "none"}).status_code == 422
    assert deploy(service, "made up", key="made up").status_code == 404
    alias = run_event(
        "START", 2, run=run_id(9), job="serve", run_facets={"assay_deployment": facet(environment="prod")},
        inputs=[dataset("credit-line/production", "mlflow://models.test")],
    )  # fmt: skip
    fill(service, alias)
    (found,) = runs(service)
    assert (found["undecided"], found["running_with"]) == (True, "none"), "what was told anyway is seen and flagged"


def test_other_bytes_than_those_judged_are_not_deployed(service: Service) -> None:
    """UnitOneAI/SecuritySkills#1377: the evaluated revision is not the deployed one."""
    decision = allowed(service)["decision_id"]
    assert verify(service, decision, digest=OTHER)["status"] == "wrong_subject"
    assert deploy(service, decision, digest=OTHER).status_code == 409
    with listening(service) as there:
        for digest, code in ((DIGEST, 0), (OTHER, 1)):
            asked = ["--digest", digest, "--env", "prod", *there]
            assert assay("decision", "verify", decision, *asked) == code
            place = ["--platform", "k8s://b", "--endpoint", "e", "--revision", "1"]
            assert assay("deployment", "record", decision, *place, *asked) == code


Act = Callable[[Unit, Service, Principal], object]

ACTS: dict[str, Act] = {
    "register a model": lambda unit, _, who: models.register(unit, registration(), who),
    "deploy": lambda unit, service, who: deployments.deploy(
        unit, service.state.gate, DeploymentRequest.model_validate(rollout("d")), who, key="k"
    ),
    "end a deployment": lambda unit, service, who: deployments.end(
        unit, service.state.gate, "d", DeploymentEnd(how="retired"), who
    ),
    "revoke": lambda unit, service, who: revocations.revoke(
        unit, service.state.gate, "d", revocations.RevocationRequest.model_validate(DATA), who
    ),
    "break glass": lambda unit, _, who: break_glass.grant(
        unit, BreakGlassRequest(decision_id="d", reason="r", incident_id="i", hours=1), who
    ),
    "ask for a waiver": lambda unit, _, who: waiver_records.ask(unit, WaiverRequest.model_validate(waiver()), who),
    "store a policy": lambda unit, _, who: publishing.store_version(unit, Policy.model_validate(policy()), who),
}


@pytest.mark.parametrize("act", ACTS)
def test_who_may_not_is_refused_below_every_route(service: Service, act: str) -> None:
    """kyverno/kyverno#17367: an exception is guarded on one API version only."""
    nobody = Principal(id="user:x", name="x", roles=(Role.AUDITOR,))
    with pytest.raises(NotPermitted), service.state.database.unit() as unit:
        ACTS[act](unit, service, nobody)


def test_the_log_moves_with_the_write_alone_and_two_writers_are_one_after_the_other(service: Service) -> None:
    """zeroclaw-labs/zeroclaw#10359, librefang/librefang#7702: state ahead of the write; two writers break the chain."""
    publish(service, policy())
    evidence = [{"digest": measured(service, FAIR)}]
    with service.state.database.read_unit() as read:
        before = journal.size(read)
    with contextlib.suppress(RuntimeError), service.state.database.unit() as unit:
        journal.append(unit, [journal.Leaf("test", b"never written")])
        raise RuntimeError
    with service.state.database.read_unit() as read:
        assert (journal.size(read), journal.check(read)) == (before, None)
    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(lambda number: ask(service, key=f"k{number}", evidence=evidence), range(12)))
    places = [answer.json()["log"]["index"] for answer in answers]
    assert len(set(places)) == 12
    with service.state.database.read_unit() as read:
        indexes = read.session.scalars(sa.text("SELECT leaf_index FROM log_entry ORDER BY leaf_index")).all()
        assert list(indexes) == list(range(len(indexes)))
        assert journal.check(read) is None


def test_a_rotated_key_of_the_ci_host_is_known_at_once_after_one_refetch() -> None:
    """smithersai/smithers#745: 401 for minutes after a key rotation."""
    new = rsa_key("new")
    with serving_keys(jwks(KEY)) as keys:
        issuers = opened(issuer(jwks_url=keys.url, private=True))
        speaks_for(issuers, signed(github_claims(NOW), KEY))
        keys.body = jwks(KEY, new)
        assert speaks_for(issuers, signed(github_claims(NOW), new)).roles == (Role.CI,)
        assert keys.asked == 2
