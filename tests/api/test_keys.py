"""Service keys and ID tokens over HTTP: making, listing and revoking, last use, and the poll token of an evaluation."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from audits.tables import EvaluationRow
from governance.access.tables import PollTokenRow
from tests.lineage.material import bodies, run_event
from tests.support.issuer import AUDIENCE, GITHUB, github_claims, jwks, rsa_key, serving_keys, signed
from tests.support.service import Service, key_for, running
from tests.support.story import FAIR, ask, policy, publish, subject, submit

KEY = rsa_key("first")
WANTED = {"name": "release", "roles": ["ci"], "subject": "pipeline:7", "scopes": ["mlflow://*"]}


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@pytest.fixture
def admin(service: Service) -> dict[str, str]:
    """The header of an administrator."""
    return bearer(key_for(service.url, "admin"))


def make(service: Service, admin: dict[str, str], **changes: Any) -> Any:
    return service.post_json("/v1/keys", {**WANTED, **changes}, **admin)


def test_a_key_is_shown_once_and_works_until_it_is_revoked(service: Service, admin: dict[str, str]) -> None:
    made = make(service, admin)
    assert (made.status_code, made.headers["Cache-Control"]) == (201, "no-store")
    token, identifier = made.json()["key"], made.json()["id"]
    assert service.http.get("/v1/decisions/x", headers=bearer(token)).status_code == 404
    listed = service.http.get("/v1/keys", headers=admin)
    assert token not in listed.text
    assert [key["subject"] for key in listed.json()["keys"]][-1] == "pipeline:7"
    for _ in range(2):
        assert service.http.delete(f"/v1/keys/{identifier}", headers=admin).status_code == 204
    assert service.http.get("/v1/decisions/x", headers=bearer(token)).status_code == 401


def test_a_repeated_request_gives_the_same_key_without_its_text(service: Service, admin: dict[str, str]) -> None:
    first, again = (make(service, {**admin, "Idempotency-Key": "r1"}) for _ in range(2))
    assert (again.status_code, again.json()["key"], again.headers["Idempotent-Replayed"]) == (200, None, "true")
    assert again.json()["id"] == first.json()["id"]
    assert make(service, {**admin, "Idempotency-Key": "r1"}, name="other").status_code == 422


def test_keys_are_listed_in_pages(service: Service, admin: dict[str, str]) -> None:
    made = {make(service, admin).json()["id"] for _ in range(3)}
    seen: set[str] = set()
    parameters: dict[str, Any] = {"limit": 2}
    while parameters.get("after", "") is not None:
        page = service.http.get("/v1/keys", params=parameters, headers=admin).json()
        seen |= {key["id"] for key in page["keys"]}
        parameters["after"] = page["next"]
    assert made < seen


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({"roles": []}, 422),
        ({"roles": ["root"]}, 422),
        ({"roles": ["admin", "approver"]}, 403),
        ({"subject": "oidc:github:repository_id/74"}, 422),
        ({"scopes": []}, 422),
        ({"scopes": ["a\u0000b"]}, 422),
        ({"name": "line\nbreak"}, 422),
        ({"expires_at": "2001-01-01T00:00:00Z"}, 422),
        ({"expires_at": "9999-12-31T23:59:59-23:00"}, 422),
        ({"expires_at": "2030-01-01T00:00:00"}, 422),
        ({"secret": "mine"}, 422),
    ],
)
def test_a_key_that_must_not_be_is_refused(
    service: Service, admin: dict[str, str], changes: dict[str, Any], status: int
) -> None:
    answer = make(service, admin, **changes)
    assert (answer.status_code, "pointer" in answer.json()) == (status, True)


def test_when_a_key_was_used_is_written_down_to_the_minute_and_in_no_requests_way(
    service: Service, admin: dict[str, str]
) -> None:
    made = make(service, admin).json()
    for _ in range(3):
        service.http.get("/v1/decisions/x", headers=bearer(made["key"]))

    def last_use() -> str | None:
        keys = service.http.get("/v1/keys", headers=admin).json()["keys"]
        found: str | None = next(key["last_used_at"] for key in keys if key["id"] == made["id"])
        return found

    assert last_use() is None
    assert service.state.identities.write_uses(service.state.database) >= 1
    used = datetime.fromisoformat(last_use() or "")
    assert (used.second, used.microsecond) == (0, 0)
    assert abs(datetime.now(UTC) - used) < timedelta(minutes=2)


# --- poll tokens -----------------------------------------------------------------------------------------------------


ISSUER: dict[str, Any] = {
    "host": "github",
    "issuer": GITHUB,
    "audience": AUDIENCE,
    "private": True,
    "bindings": [{"claims": {"repository_id": "74"}, "scopes": [f"{subject()['namespace']}/*"]}],
}


@pytest.fixture
def idle(database_url: str, tmp_path: Path) -> Iterator[Service]:
    """A service whose evaluations wait, on which CI's tokens of a host on loopback are taken."""
    with serving_keys(jwks(KEY)) as keys:
        oidc = {"issuers": [{**ISSUER, "jwks_url": keys.url}]}
        with running(tmp_path / "home", database_url, work={"engine": "none"}, oidc=oidc) as started:
            yield started


def poll(service: Service, answer: Any, token: str) -> Any:
    return service.http.get(answer.json()["links"]["self"], headers=bearer(token))


def test_a_job_asks_with_its_token_and_reads_the_answer_with_the_poll_token_of_the_202(idle: Service) -> None:
    publish(idle, policy())
    submit(idle, FAIR)
    token = signed(github_claims(datetime.now(UTC)), KEY)
    body = {"subject": subject(), "environment": "prod", "policy": "fair"}
    accepted = idle.post_json("/v1/gate/evaluations", body, **{"Idempotency-Key": "k", **bearer(token)})
    assert (accepted.status_code, accepted.headers["Cache-Control"]) == (202, "no-store")
    opened = poll(idle, accepted, accepted.json()["poll_token"])
    assert (opened.status_code, opened.json()["verdict"]) == (202, "pending")
    assert "poll_token" not in opened.json()
    with idle.state.database.read_unit() as unit:
        assert unit.session.scalars(sa.select(EvaluationRow.principal)).one() == "oidc:github:repository_id/74"


def test_a_poll_token_opens_its_evaluation_and_nothing_else(idle: Service) -> None:
    publish(idle, policy())
    submit(idle, FAIR)
    first, second = ask(idle, wait=0), ask(idle, wait=0, key="k2")
    token = first.json()["poll_token"]
    assert poll(idle, second, token).status_code == 404
    for method, path in (("GET", "/v1/policies"), ("POST", "/v1/gate/evaluations"), ("GET", "/v1/keys")):
        assert idle.http.request(method, path, headers=bearer(token)).status_code == 401


def test_a_poll_token_ends_with_the_deadline_and_is_kept_as_a_hash(idle: Service) -> None:
    publish(idle, policy())
    submit(idle, FAIR)
    accepted = ask(idle, wait=0)
    token = accepted.json()["poll_token"]
    with idle.state.database.unit() as unit:
        row = unit.session.scalars(sa.select(PollTokenRow)).one()
        assert token.encode() not in row.secret_hash
        assert token not in repr(row.__dict__)
        assert row.expires_at == unit.session.scalars(sa.select(EvaluationRow.deadline)).one()
        row.expires_at = unit.now
    assert poll(idle, accepted, token).status_code == 401
    assert poll(idle, accepted, "assaypoll_" + "x" * 43).status_code == 401


def test_a_repeated_request_gets_a_token_of_its_own(idle: Service) -> None:
    publish(idle, policy())
    submit(idle, FAIR)
    tokens = [ask(idle, wait=0).json()["poll_token"] for _ in range(2)]
    assert tokens[0] != tokens[1]
    assert [poll(idle, ask(idle, wait=0), token).status_code for token in tokens] == [202, 202]


def test_a_job_that_no_binding_fits_and_a_token_that_is_not_true_get_nothing(idle: Service) -> None:
    now = datetime.now(UTC)
    other = signed(github_claims(now, repository_id="75"), KEY)
    forged = signed(github_claims(now), rsa_key("first"))
    for path, body in (("/v1/gate/evaluations", b"{}"), ("/api/v1/lineage", b"{}"), ("/v1/evidence", b"{}")):
        headers = {"Idempotency-Key": "k"}
        assert idle.http.post(path, content=body, headers={**headers, **bearer(other)}).status_code == 403, path
        refused = idle.http.post(path, content=body, headers={**headers, **bearer(forged)})
        assert (refused.status_code, forged in refused.text) == (401, False), path


def test_a_job_that_sees_everything_sends_its_events(database_url: str, tmp_path: Path) -> None:
    with serving_keys(jwks(KEY)) as keys:
        issuer = {**ISSUER, "jwks_url": keys.url, "bindings": [{"claims": {"repository_id": "74"}, "scopes": ["*"]}]}
        with running(tmp_path / "home", database_url, oidc={"issuers": [issuer]}) as service:
            token = signed(github_claims(datetime.now(UTC)), KEY)
            (body,) = bodies(run_event())
            assert service.http.post("/api/v1/lineage", content=body, headers=bearer(token)).status_code == 201
