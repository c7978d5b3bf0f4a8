"""Approvals and reviews over HTTP, on both databases: what is asked, who may say it, and what it is bound to."""

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from governance.access.roles import Role
from governance.registry.models import register
from governance.types.model import ModelRegistration
from governance.verify import read_trust, verify_bundle
from tests.support.callers import asked, ended, headers
from tests.support.people import SUBJECT, person
from tests.support.ready import FAILING, PASSING, WARNING, measured
from tests.support.scopes import MODELS, refusals_seen
from tests.support.service import Service, running
from tests.support.story import policy, publish


def approved_by(count: int) -> dict[str, Any]:
    """A policy that wants so many approvals."""
    return policy(approvals=[{"role": "approver", "count": count}])


def approve(service: Service, pending: dict[str, Any], name: str, **changes: Any) -> Any:
    """What somebody says of what was found."""
    body = {"approved_digest": pending["to_approve"], "verdict": "approve", **changes}
    return service.post_json(pending["links"]["approvals"], body, **headers(service, name, "approver"))


def review(service: Service, pending: dict[str, Any], name: str, **changes: Any) -> Any:
    """What somebody says of warnings."""
    body = {"reviewed_digest": pending["to_approve"], "verdict": "accept", **changes}
    return service.post_json(pending["links"]["reviews"], body, **headers(service, name, "approver"))


def settled(service: Service, answer: Any, *, unlike: str = "") -> dict[str, Any]:
    """The pending answer once nobody works on the evaluation any more, and asks of another digest than ``unlike``."""
    until = time.monotonic() + 60
    while True:
        found: dict[str, Any] = service.http.get(answer.headers["Location"]).json()
        if str(found.get("state")).startswith("awaiting") and found["to_approve"] != unlike:
            return found
        assert time.monotonic() < until, found
        time.sleep(0.05)


@pytest.fixture
def staffed(service: Service) -> Service:
    """A service with two approvers."""
    for name in ("ana", "bo"):
        headers(service, name, "approver")
    return service


def test_a_pending_answer_names_who_may_approve_and_how_many_are_missing(staffed: Service) -> None:
    publish(staffed, approved_by(2))
    measured(staffed, PASSING)
    answer = asked(staffed)
    assert (answer.status_code, answer.json()["verdict"]) == (202, "pending")
    assert answer.json()["state"] == "awaiting_approval"
    (waiting,) = answer.json()["waiting_for"]
    assert (waiting["what"], waiting["role"], waiting["missing"]) == ("approval", "approver", 2)
    assert waiting["eligible"] == ["ana", "bo"]
    assert answer.json()["checks"][0]["status"] == "passed"
    again = staffed.http.get(answer.headers["Location"])
    assert again.json()["to_approve"] == answer.json()["to_approve"], "stays while nothing is new"


def test_the_last_approval_allows_and_the_decision_names_the_approvers(staffed: Service) -> None:
    publish(staffed, approved_by(2))
    measured(staffed, PASSING)
    answer = asked(staffed)
    assert approve(staffed, answer.json(), "ana", comment="fine").status_code == 201
    assert settled(staffed, answer)["waiting_for"][0]["missing"] == 1
    assert approve(staffed, answer.json(), "bo").status_code == 201
    allowed = ended(staffed, answer)
    assert (allowed["verdict"], [act["by"] for act in allowed["people"]]) == ("allow", ["ana", "bo"])
    trust = read_trust(staffed.http.get("/v1/trust").content)
    signed = verify_bundle(staffed.http.get(allowed["links"]["bundle"]).content, trust).decision
    assert [(act.by, act.approved_digest) for act in signed.people] == [
        (name, answer.json()["to_approve"]) for name in ("ana", "bo")
    ]


def test_two_approvers_at_one_moment_both_count(staffed: Service) -> None:
    publish(staffed, approved_by(2))
    measured(staffed, PASSING)
    answer = asked(staffed)
    with ThreadPoolExecutor(2) as pool:
        said = list(pool.map(lambda name: approve(staffed, answer.json(), name).status_code, ("ana", "bo")))
    assert said == [201, 201]
    assert ended(staffed, answer)["verdict"] == "allow"


def test_one_person_counts_once_also_with_two_keys(staffed: Service) -> None:
    publish(staffed, approved_by(2))
    measured(staffed, PASSING)
    answer = asked(staffed)
    assert approve(staffed, answer.json(), "ana").status_code == 201
    assert approve(staffed, answer.json(), "ana").status_code == 200
    assert approve(staffed, answer.json(), "ana", verdict="reject").status_code == 409
    with staffed.state.database.read_unit() as unit:
        assert unit.session.scalar(sa.text("SELECT count(*) FROM evaluation_act")) == 1
    assert settled(staffed, answer)["waiting_for"][0]["missing"] == 1


def test_a_rejection_denies(staffed: Service) -> None:
    publish(staffed, approved_by(1))
    measured(staffed, PASSING)
    answer = asked(staffed)
    assert approve(staffed, answer.json(), "ana", verdict="reject", comment="not yet").status_code == 201
    denied = ended(staffed, answer)
    assert (denied["verdict"], denied["reasons"][0]["code"]) == ("deny", "approval.rejected")
    assert approve(staffed, answer.json(), "bo").status_code == 409, "it has its verdict"
    assert approve(staffed, answer.json(), "ana", verdict="reject").status_code == 200, "said before"


def test_new_evidence_voids_an_approval(staffed: Service) -> None:
    publish(staffed, approved_by(2))
    measured(staffed, PASSING)
    first = asked(staffed)
    approve(staffed, first.json(), "ana")
    settled(staffed, first)
    measured(staffed, {"f": (101, 99), "m": (102, 98)})
    assert approve(staffed, first.json(), "bo").status_code == 201, "nobody has looked at the new evidence yet"
    pending = settled(staffed, first, unlike=first.json()["to_approve"])
    assert pending["waiting_for"][0]["missing"] == 2
    stale = approve(staffed, first.json(), "cem")
    assert (stale.status_code, stale.json()["pointer"]) == (409, "/approved_digest")
    for name in ("ana", "bo"):
        assert approve(staffed, pending, name).status_code == 201
    assert ended(staffed, first)["verdict"] == "allow"


def test_neither_who_asked_nor_an_owner_approves(service: Service) -> None:
    headers(service, "ana", "approver")
    publish(service, approved_by(1))
    measured(service, PASSING)
    registration = {**SUBJECT, "objective": "o", "risk_tier": "high", "owners": ["olga"]}
    with service.state.database.unit() as unit:
        register(unit, ModelRegistration.model_validate(registration), person("ines", Role.MODEL_OWNER))
    requester = headers(service, "ines", "model_owner")
    body = {"subject": SUBJECT, "environment": "prod", "policy": "fair"}
    answer = service.post_json("/v1/gate/evaluations", body, **requester, **{"Idempotency-Key": "k"})
    for name in ("ines", "olga"):
        refused = approve(service, answer.json(), name)
        assert (refused.status_code, refused.json()["code"]) == (403, "access.duties_not_separate"), name
    assert answer.json()["waiting_for"][0]["eligible"] == ["ana"]
    refusals = service.http.get("/v1/gate/refusals").json()["refusals"]
    assert [refused["by"]["id"] for refused in refusals] == ["ines", "olga"]
    assert refusals_seen(service, f"{MODELS}/{SUBJECT['name']}") == ["approval.approve"] * 2
    assert refusals_seen(service, f"{MODELS}/fraud") == []


def test_nobody_eligible_is_indeterminate_at_once(service: Service) -> None:
    headers(service, "ana", "approver")
    publish(service, approved_by(1))
    measured(service, PASSING)
    with service.state.database.unit() as unit:
        unit.session.execute(sa.text("UPDATE service_key SET expires_at = created_at WHERE subject = 'ana'"))
    answer = asked(service).json()
    assert (answer["verdict"], answer["reasons"][0]["code"]) == ("indeterminate", "approval.nobody_eligible")


def test_what_the_checks_deny_asks_nobody(staffed: Service) -> None:
    publish(staffed, approved_by(1))
    measured(staffed, FAILING)
    assert asked(staffed).json()["verdict"] == "deny"


def test_a_review_lets_warnings_by_with_the_reviewer_named(staffed: Service) -> None:
    publish(staffed, policy())
    measured(staffed, WARNING)
    answer = asked(staffed)
    (waiting,) = answer.json()["waiting_for"]
    assert (waiting["what"], waiting["checks"], answer.json()["state"]) == ("review", ["fairness"], "awaiting_review")
    assert approve(staffed, answer.json(), "ana").status_code == 409, "no approval is asked for"
    assert review(staffed, answer.json(), "ana", comment="chance").status_code == 201
    allowed = ended(staffed, answer)
    (act,) = allowed["people"]
    assert (allowed["verdict"], allowed["checks"][0]["status"]) == ("allow", "warned")
    assert (act["act"], act["verdict"], act["by"], act["comment"]) == ("review", "accept", "ana", "chance")


def test_a_review_that_does_not_accept_denies(staffed: Service) -> None:
    publish(staffed, policy())
    measured(staffed, WARNING)
    answer = asked(staffed)
    review(staffed, answer.json(), "ana", verdict="reject")
    denied = ended(staffed, answer)
    assert denied["verdict"] == "deny"
    assert {reason["code"] for reason in denied["reasons"]} == {"review.rejected", "fairness.possibly_outside"}


def test_what_waits_is_listed_for_those_who_see_it(staffed: Service) -> None:
    publish(staffed, approved_by(1))
    measured(staffed, PASSING)
    answer = asked(staffed).json()
    inbox = staffed.http.get("/v1/gate/evaluations", params={"state": "awaiting"}).json()["evaluations"]
    assert [(one["evaluation_id"], one["to_approve"], one["subject"]) for one in inbox] == [
        (answer["evaluation_id"], answer["to_approve"], SUBJECT)
    ]
    narrow = headers(staffed, "cem", "approver", scopes=["s3://other/*"])
    assert staffed.http.get("/v1/gate/evaluations", headers=narrow).json()["evaluations"] == []
    hidden = staffed.post_json(
        answer["links"]["approvals"], {"approved_digest": answer["to_approve"], "verdict": "approve"}, **narrow
    )
    assert hidden.status_code == 404


@pytest.fixture
def instants() -> list[datetime]:
    """The clock of ``timed``."""
    return [datetime(2026, 11, 2, tzinfo=UTC)]


@pytest.fixture
def timed(database_url: str, tmp_path: Path, instants: list[datetime]) -> Iterator[Service]:
    """A service whose clock stands where the test sets it."""
    with running(tmp_path / "home", database_url, clock=lambda: instants[0]) as service:
        yield service


def test_approvals_that_are_missing_at_the_deadline_are_indeterminate(timed: Service, instants: list[datetime]) -> None:
    headers(timed, "ana", "approver")
    publish(timed, approved_by(1))
    measured(timed, PASSING)
    answer = asked(timed)
    assert answer.json()["deadline"] == (instants[0] + timedelta(days=3)).isoformat()
    instants[0] += timedelta(days=3)
    late = ended(timed, answer)
    assert (late["verdict"], late["reasons"][-1]["code"]) == ("indeterminate", "approval.missing")


def test_nobody_approves_after_the_deadline(timed: Service, instants: list[datetime]) -> None:
    headers(timed, "ana", "approver")
    publish(timed, approved_by(1))
    measured(timed, PASSING)
    answer = asked(timed)
    timed.state.engine.stop()
    instants[0] += timedelta(days=3)
    assert approve(timed, answer.json(), "ana").status_code == 409
    timed.state.engine.start()
    assert ended(timed, answer)["verdict"] == "indeterminate"


def test_the_database_itself_keeps_who_asked_and_who_approves_apart(staffed: Service) -> None:
    publish(staffed, approved_by(2))
    measured(staffed, PASSING)
    answer = asked(staffed)
    approve(staffed, answer.json(), "ana")
    copy = (
        "INSERT INTO evaluation_act (evaluation_id, act, approved_digest, verdict, digest, body, by_id, by_name, "
        "recorded_at, log_index) SELECT evaluation_id, act, approved_digest, verdict, digest, body, {who}, by_name, "
        "recorded_at, 9999 FROM evaluation_act"
    )
    for who in ("(SELECT principal FROM evaluation)", "'ana'"):
        with pytest.raises(sa.exc.DBAPIError), staffed.state.database.unit() as unit:
            unit.session.execute(sa.text(copy.format(who=who)))
    with staffed.state.database.unit() as unit:
        unit.session.execute(sa.text(copy.format(who="'bo'")))
