"""The contract of evaluations as a client meets it: keys, waiting, polling, and where evidence comes from."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.life import allowed, bearer
from tests.support.ready import measured
from tests.support.service import Service, running
from tests.support.story import FAIR, UNFAIR, ask, policy, publish, subject, submit

BODY = {"subject": subject(), "environment": "prod", "policy": "fair"}


def test_a_key_belongs_to_its_principal_and_its_route(service: Service) -> None:
    first = allowed(service, key="shared")
    other = bearer(service, "ci", subject="ci:other")
    body = {**BODY, "evidence": [{"digest": measured(service, FAIR)}]}
    theirs = service.post_json("/v1/gate/evaluations", body, **{"Idempotency-Key": "shared", **other})
    assert theirs.status_code == 200
    assert theirs.json()["decision_id"] != first["decision_id"], "another principal's key is another key"
    rollout = {
        "decision_id": first["decision_id"], "digest": subject()["digest"], "environment": "prod",
        "platform_namespace": "k8s://b", "endpoint": "e", "revision": "1",
    }  # fmt: skip
    deployed = service.post_json("/v1/deployments", rollout, **{"Idempotency-Key": "shared"})
    assert deployed.status_code == 201, "the same key on another route is another key"


def test_two_keys_of_one_holder_share_their_idempotency(service: Service) -> None:
    publish(service, policy())
    body = {**BODY, "evidence": [{"digest": measured(service, FAIR)}]}
    first, second = (bearer(service, "ci", subject="ci:pipeline") for _ in range(2))
    one = service.post_json("/v1/gate/evaluations", body, **{"Idempotency-Key": "run-1", **first})
    two = service.post_json("/v1/gate/evaluations", body, **{"Idempotency-Key": "run-1", **second})
    assert two.content == one.content
    assert two.headers["Idempotent-Replayed"] == "true"


def test_the_body_counts_as_what_it_says_and_not_as_it_is_spelt(service: Service) -> None:
    first = allowed(service)
    body = {**BODY, "evidence": [{"digest": measured(service, FAIR)}]}
    spelt = service.http.post(
        "/v1/gate/evaluations",
        content=str({key: body[key] for key in reversed(body)}).replace("'", '"'),
        headers={"Idempotency-Key": "k1"},
    )
    assert spelt.json() == first
    assert spelt.headers["Idempotent-Replayed"] == "true"


def test_a_request_without_a_key_is_refused_and_says_so(service: Service) -> None:
    refused = service.post_json("/v1/gate/evaluations", BODY)
    assert refused.status_code == 422
    assert "idempotency-key" in refused.json()["pointer"]


def test_202_says_where_and_when_to_ask_again_and_a_poll_waits_no_longer_than_it_was_told(
    database_url: str, tmp_path: Path
) -> None:
    with running(tmp_path / "home", database_url, work={"engine": "none"}) as service:
        publish(service, policy())
        submit(service, FAIR)
        accepted = ask(service, wait=0)
        assert accepted.status_code == 202
        assert int(accepted.headers["Retry-After"]) >= 1
        assert accepted.headers["Location"] == accepted.json()["links"]["self"]
        began = datetime.now(UTC)
        waited = service.http.get(accepted.headers["Location"], params={"wait": 0.5})
        assert (waited.status_code, waited.json()["verdict"]) == (202, "pending")
        assert timedelta(seconds=0.4) < datetime.now(UTC) - began < timedelta(seconds=20)
        replayed = ask(service, wait=0)
        assert (replayed.status_code, replayed.headers["Idempotent-Replayed"]) == (202, "true")


@pytest.mark.parametrize("prefer", ["", "wait", "wait=-1", "wait=x", "respond-async", "wait=1e9", "wait=99999999"])
def test_a_preference_that_is_not_understood_is_not_kept_to(service: Service, prefer: str) -> None:
    publish(service, policy())
    body = {**BODY, "evidence": [{"digest": measured(service, FAIR)}]}
    answer = service.post_json("/v1/gate/evaluations", body, **{"Idempotency-Key": "k", "Prefer": prefer})
    assert (answer.status_code, answer.json()["verdict"]) == (200, "allow")


@pytest.mark.parametrize(("groups", "verdict"), [(FAIR, "allow"), (UNFAIR, "deny")])
def test_a_verdict_that_is_given_at_once_is_to_the_byte_what_is_read_later(
    service: Service, groups: dict[str, tuple[int, int]], verdict: str
) -> None:
    publish(service, policy())
    body = {**BODY, "evidence": [{"digest": measured(service, groups)}], "context": {"commit": "c" * 40}}
    given = service.post_json("/v1/gate/evaluations", body, **{"Idempotency-Key": "k1"})
    assert (given.status_code, given.json()["verdict"]) == (200, verdict)
    read = service.http.get(given.headers["Location"])
    assert read.content == given.content
    assert read.headers["ETag"] == given.headers["ETag"]


def test_a_verdict_has_an_etag_and_is_not_sent_twice(service: Service) -> None:
    answer = allowed(service)
    path = answer["links"]["self"]
    whole = service.http.get(path)
    assert whole.json() == answer
    again = service.http.get(path, headers={"If-None-Match": whole.headers["ETag"]})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", whole.headers["ETag"])
    assert service.http.get(path, headers={"If-None-Match": '"other"'}).status_code == 200


def test_evidence_older_than_the_policy_takes_is_not_acceptable(database_url: str, tmp_path: Path) -> None:
    instants = [datetime(2026, 11, 2, tzinfo=UTC)]
    with running(tmp_path / "home", database_url, clock=lambda: instants[0]) as service:
        publish(service, policy(evidence={"max_age": "P7D"}))
        evidence: list[dict[str, Any]] = [{"digest": measured(service, FAIR)}]
        assert ask(service, evidence=evidence).json()["verdict"] == "allow"
        instants[0] += timedelta(days=7)
        assert ask(service, key="edge", evidence=evidence).json()["verdict"] == "allow"
        instants[0] += timedelta(seconds=1)
        stale = ask(service, key="stale", evidence=evidence).json()
        assert (stale["verdict"], stale["reasons"][0]["code"]) == ("indeterminate", "evidence.not_acceptable")


def test_a_dry_run_is_answered_signed_and_without_effect(service: Service) -> None:
    answer = allowed(service, mode="dry_run")
    assert (answer["mode"], answer["verdict"]) == ("dry_run", "allow")
    enforced = ask(service, key="real", evidence=[{"digest": measured(service, FAIR)}]).json()
    assert enforced["decision_id"] != answer["decision_id"]
