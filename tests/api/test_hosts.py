"""GitHub's deployment protection rules and GitLab's status checks, against stubs of their documented contracts."""

import hashlib
import hmac
import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc import jwt
from joserfc.jwk import RSAKey

from tests.support.ready import measured
from tests.support.receiver import Received, Receiver, receiving
from tests.support.service import Service, running
from tests.support.story import FAIR, UNFAIR, ask, policy, publish

SECRET = "a secret of the webhook"
COMMIT = "4f0c2e1" + "0" * 33
MODELS = {"models": ("mlflow://models.test/credit-line",), "environments": {"production": "prod"}}


@cache
def app_key() -> str:
    """The private key of a GitHub App."""
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()


@contextmanager
def answered(
    host: Receiver, home: Path, database_url: str, *, wait_seconds: float = 900, **more: Any
) -> Iterator[Service]:
    """A service that answers both hosts at the stub's address."""
    github = {
        "webhook_secret": SECRET, "app_id": "Iv1.8a61f9b3a7aba766", "private_key": app_key(), "api_url": host.url,
        "repositories": {"1296269": MODELS}, "wait_seconds": wait_seconds,
    }  # fmt: skip
    gitlab = {
        "webhook_secret": SECRET, "token": "glpat-1", "api_url": f"{host.url}/api/v4", "projects": {"6": MODELS},
        "wait_seconds": wait_seconds,
    }  # fmt: skip
    sections = {"github": github, "gitlab": gitlab} | more
    with running(home, database_url, **sections) as service:
        yield service


def stub(request: Received) -> tuple[int, bytes]:
    """Both hosts: a token for an App, 204 for an answer to a rule, 201 for a check's status."""
    if request.path == "/app/installations/234/access_tokens":
        claims = jwt.decode(
            request.headers["authorization"].removeprefix("Bearer "), RSAKey.import_key(app_key())
        ).claims
        assert claims["iss"] == "Iv1.8a61f9b3a7aba766"
        assert 0 < claims["exp"] - claims["iat"] <= 600, "GitHub takes no longer assertion"
        return 201, b'{"token": "ghs_16C7e42F292c6912E7710c838347Ae178B4a", "expires_at": "2026-11-25T11:00:00Z"}'
    return (201, b"{}") if request.path.endswith("/status_check_responses") else (204, b"")


@pytest.fixture
def host() -> Iterator[Receiver]:
    with receiving() as started:
        started.answer = stub
        yield started


def rule(host: Receiver, **changes: Any) -> dict[str, Any]:
    """The payload of GitHub's documentation, shortened: "deployment_protection_rule", action "requested"."""
    return {
        "action": "requested", "environment": "production", "event": "push",
        "deployment_callback_url": f"{host.url}/repos/octo-org/hello/actions/runs/30433642/deployment_protection_rule",
        "deployment": {"id": 1, "sha": COMMIT, "ref": "main", "task": "deploy", "environment": "production"},
        "pull_requests": [], "repository": {"id": 1296269, "full_name": "octo-org/hello", "private": True},
        "organization": {"login": "octo-org"}, "installation": {"id": 234, "node_id": "MDIz"},
        "sender": {"login": "octocat"}, **changes,
    }  # fmt: skip


def check() -> dict[str, Any]:
    """The payload of GitLab's documentation, shortened: "Example payload sent to external service"."""
    return {
        "object_kind": "merge_request", "event_type": "merge_request", "user": {"id": 1, "username": "root"},
        "project": {"id": 6, "path_with_namespace": "flightjs/Flight", "web_url": "http://gitlab.example/x"},
        "object_attributes": {
            "iid": 1, "target_branch": "main", "state": "opened", "last_commit": {"id": COMMIT, "message": "x"},
        },
        "labels": [], "changes": {}, "repository": {"name": "Flight"},
        "external_approval_rule": {"id": 7, "name": "assay", "external_url": "https://assay.example/"},
    }  # fmt: skip


def signature(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


def github(service: Service, payload: Any, *, event: str = "deployment_protection_rule", secret: str = SECRET) -> Any:
    body = json.dumps(payload).encode()
    headers = {
        "Authorization": "", "X-GitHub-Event": event, "X-Hub-Signature-256": f"sha256={signature(body, secret)}",
        "X-GitHub-Delivery": "72d3162e-cc78-11e3-81ab-4c9367dc0958", "Content-Type": "application/json",
    }  # fmt: skip
    return service.http.post("/v1/integrations/github/deployment-protection", content=body, headers=headers)


def gitlab(service: Service, payload: Any, *, secret: str = SECRET) -> Any:
    body = json.dumps(payload).encode()
    headers = {"Authorization": "", "X-Gitlab-Signature": signature(body, secret)}
    return service.http.post("/v1/integrations/gitlab/status-check", content=body, headers=headers)


def told(host: Receiver, end: str, *, seconds: float = 20) -> Received:
    """The request that the host got at an address that ends so."""
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        for request in list(host.received):
            if request.path.endswith(end):
                return request
        time.sleep(0.05)
    raise AssertionError(f"the host was not told; it got {[request.path for request in host.received]}")


def decide(service: Service, groups: dict[str, tuple[int, int]], key: str = "k1") -> dict[str, Any]:
    """A decision about the commit."""
    evidence = measured(service, groups)
    context = {"commit": COMMIT, "repository": "octo-org/hello"}
    answer: dict[str, Any] = ask(service, key=key, evidence=[{"digest": evidence}], context=context).json()
    return answer


def test_a_deployment_of_a_commit_that_is_allowed_is_approved(
    host: Receiver, database_url: str, tmp_path: Path
) -> None:
    with answered(host, tmp_path / "home", database_url) as service:
        publish(service, policy())
        allowed = decide(service, FAIR)
        assert allowed["verdict"] == "allow"
        assert github(service, rule(host)).status_code == 202
        request = told(host, "/actions/runs/30433642/deployment_protection_rule")
    said = json.loads(request.body)
    assert (said["environment_name"], said["state"]) == ("production", "approved")
    assert allowed["decision_id"] in said["comment"]
    assert request.headers["authorization"] == "Bearer ghs_16C7e42F292c6912E7710c838347Ae178B4a"
    assert request.headers["accept"] == "application/vnd.github+json"
    assert request.headers["x-github-api-version"] == "2022-11-28"


def test_a_merge_request_of_a_commit_that_is_allowed_passes_and_one_that_is_denied_fails(
    host: Receiver, database_url: str, tmp_path: Path
) -> None:
    with answered(host, tmp_path / "home", database_url) as service:
        publish(service, policy())
        decide(service, FAIR)
        assert gitlab(service, check()).status_code == 202
        request = told(host, "/api/v4/projects/6/merge_requests/1/status_check_responses")
        assert json.loads(request.body) == {"sha": COMMIT, "external_status_check_id": 7, "status": "passed"}
        assert request.headers["private-token"] == "glpat-1"
        host.received.clear()
        decide(service, UNFAIR, key="k2")
        assert gitlab(service, check()).status_code == 202, "the same question is asked anew"
        assert json.loads(told(host, "/status_check_responses").body)["status"] == "failed"


def test_a_revoked_decision_and_a_denied_one_are_rejected(
    host: Receiver, sqlite_template: Path, tmp_path: Path
) -> None:
    with answered(host, tmp_path / "home", fresh(sqlite_template, tmp_path)) as service:
        publish(service, policy())
        decide(service, UNFAIR)
        github(service, rule(host))
        said = json.loads(told(host, "/deployment_protection_rule").body)
        assert said["state"] == "rejected"
        assert "deny" in said["comment"]


def test_a_verdict_that_comes_later_is_waited_for(host: Receiver, sqlite_template: Path, tmp_path: Path) -> None:
    with answered(host, tmp_path / "home", fresh(sqlite_template, tmp_path)) as service:
        publish(service, policy())
        github(service, rule(host))
        time.sleep(1)
        assert host.received == []
        decide(service, FAIR)
        assert json.loads(told(host, "/deployment_protection_rule").body)["state"] == "approved"


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"deployment": {"sha": "9" * 40}}, "was not asked"),
        ({"environment": "staging"}, "was not asked"),
        ({"repository": {"id": 5, "full_name": "octo-org/hello"}}, "knows no models"),
    ],
)
def test_what_the_gate_knows_nothing_of_is_rejected(
    host: Receiver, sqlite_template: Path, tmp_path: Path, changes: dict[str, Any], reason: str
) -> None:
    with answered(host, tmp_path / "home", fresh(sqlite_template, tmp_path), wait_seconds=0.1) as service:
        publish(service, policy())
        decide(service, FAIR)
        github(service, rule(host, **changes))
        said = json.loads(told(host, "/deployment_protection_rule").body)
    assert said["state"] == "rejected"
    assert reason in said["comment"]


def test_a_host_that_is_away_is_told_again(host: Receiver, sqlite_template: Path, tmp_path: Path) -> None:
    failures = iter([503])

    def flaky(request: Received) -> tuple[int, bytes]:
        status = next(failures, None) if request.path.endswith("/status_check_responses") else None
        return stub(request) if status is None else (status, b"away")

    host.answer = flaky
    with answered(host, tmp_path / "home", fresh(sqlite_template, tmp_path), wait_seconds=0.1) as service:
        gitlab(service, check())
        until = time.monotonic() + 40
        while len(host.received) < 2 and time.monotonic() < until:
            time.sleep(0.1)
    assert len(host.received) == 2


BAD: list[Callable[[Receiver], dict[str, Any]]] = [
    lambda host: rule(host, deployment_callback_url="https://evil.example/repos/octo-org/hello/actions/runs/1/x"),
    lambda host: rule(host, deployment_callback_url=f"{host.url}/repos/octo-org/hello/actions/runs/1/../../../x"),
    lambda host: rule(host, deployment_callback_url=f"{host.url}@evil.example/"),
    lambda host: rule(host, deployment_callback_url="http://169.254.169.254/"),
    lambda host: rule(host, deployment={"sha": "main"}),
    lambda host: rule(host, repository={"id": -1, "full_name": "a/b"}),
    lambda host: rule(host, installation=None),
    lambda host: rule(host, environment="\x00"),
]


def test_what_is_not_asked_is_not_answered(host: Receiver, sqlite_template: Path, tmp_path: Path) -> None:
    with answered(host, tmp_path / "home", fresh(sqlite_template, tmp_path)) as service:
        assert github(service, {"zen": "Keep it simple."}, event="ping").json() == {"asked": False}
        assert github(service, rule(host, action="other")).json() == {"asked": False}
        assert github(service, [1]).json() == {"asked": False}
        for bad in BAD:
            refused = github(service, bad(host))
            assert refused.status_code == 422, refused.text
            assert refused.json()["pointer"].startswith("/")
        others: list[Any] = [{}, [], {**check(), "object_kind": "push"}, {**check(), "object_attributes": {"iid": 1}}]
        for payload in others:
            assert gitlab(service, payload).status_code == 422
        assert host.received == []


def test_a_body_that_the_secret_did_not_sign_is_401(host: Receiver, sqlite_template: Path, tmp_path: Path) -> None:
    with answered(host, tmp_path / "home", fresh(sqlite_template, tmp_path)) as service:
        assert github(service, rule(host), secret="another").status_code == 401
        assert gitlab(service, check(), secret="").status_code == 401
        for path in ("github/deployment-protection", "gitlab/status-check"):
            plain = service.http.post(f"/v1/integrations/{path}", content=b"{}")
            assert plain.status_code == 401, "a service key is no signature"


def test_what_is_not_set_up_is_404(service: Service, host: Receiver) -> None:
    assert github(service, rule(host)).status_code == 404
    assert gitlab(service, check()).status_code == 404


def fresh(template: Path, folder: Path) -> str:
    """A database of its own; where the answer does not depend on its kind, one kind is enough."""
    path = folder / "assay.db"
    path.write_bytes(template.read_bytes())
    return f"sqlite:///{path}"
