"""Waivers over HTTP, on both databases: from the request to the decision that rests on one."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from governance.verify import read_trust, verify_bundle
from tests.support.callers import asked, headers
from tests.support.people import waiver
from tests.support.ready import FAILING, WARNING, measured
from tests.support.scopes import MODELS, refusals_seen
from tests.support.service import Service
from tests.support.story import policy, publish


@pytest.fixture
def failing(service: Service) -> Service:
    """A service with a policy and evidence that fails it."""
    publish(service, policy())
    measured(service, FAILING)
    return service


def ask_for(service: Service, **changes: Any) -> dict[str, Any]:
    """A waiver that ines asked for."""
    answer = service.post_json("/v1/waivers", waiver(**changes), **headers(service, "ines", "model_owner"))
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json()
    return body


def say_yes(service: Service, one: dict[str, Any], name: str) -> Any:
    """Somebody's approval."""
    return service.post_json(f"{one['links']['self']}/approve", {}, **headers(service, name, "approver"))


def test_a_failed_check_is_waived_by_two_and_the_decision_says_by_which(failing: Service) -> None:
    assert asked(failing).json()["verdict"] == "deny"
    ends = datetime.now(UTC).replace(microsecond=0) + timedelta(days=10)
    one = ask_for(failing, expires_at=ends.isoformat())
    assert (one["standing"], one["covers_high_severity"]) == ("requested", False)
    assert say_yes(failing, one, "ana").status_code == 201
    denied = asked(failing, key="k2").json()
    assert denied["verdict"] == "deny", "the check is of high severity"
    assert "needs 2 approvers" in denied["reasons"][-1]["message"]
    second = say_yes(failing, one, "bo").json()
    assert (second["standing"], second["covers_high_severity"]) == ("approved", True)
    allowed = asked(failing, key="k3").json()
    (check,) = allowed["checks"]
    assert (allowed["verdict"], check["status"], check["waiver_id"]) == ("allow", "waived", one["id"])
    assert float(check["observed"]) == pytest.approx((30 / 200) / (110 / 200)), "the real figure stays"
    assert allowed["valid_until"] == ends.isoformat().replace("+00:00", "Z"), "no longer than the waiver"
    (use,) = allowed["waivers_used"]
    assert (use["approved_by"], use["requested_by"], use["checks"]) == (["ana", "bo"], "ines", {"fairness": "failed"})


def test_the_signed_statement_names_the_waiver(failing: Service) -> None:
    one = ask_for(failing)
    for name in ("ana", "bo"):
        say_yes(failing, one, name)
    answer = asked(failing).json()
    trust = read_trust(failing.http.get("/v1/trust").content)
    signed = verify_bundle(failing.http.get(answer["links"]["bundle"]).content, trust).decision
    assert [(use.id, use.digest, use.approved_by) for use in signed.waivers_used] == [
        (one["id"], one["digest"], ("ana", "bo"))
    ]
    assert signed.allows


def test_a_waiver_never_covers_what_the_policy_forbids_to_waive(service: Service) -> None:
    checks = [{**policy()["checks"][0], "waivable": False}]
    publish(service, policy(checks=checks))
    measured(service, FAILING)
    one = ask_for(service)
    for name in ("ana", "bo"):
        say_yes(service, one, name)
    answer = asked(service).json()
    assert (answer["verdict"], answer["waivers_used"]) == ("deny", [])


def test_a_waiver_does_not_help_where_nothing_was_measured(service: Service) -> None:
    publish(service, policy())
    one = ask_for(service)
    for name in ("ana", "bo"):
        say_yes(service, one, name)
    assert asked(service).json()["verdict"] == "indeterminate"


def test_a_warning_is_waived_too_and_waits_for_nobody(service: Service) -> None:
    publish(service, policy(checks=[{**policy()["checks"][0], "severity": "medium"}]))
    measured(service, WARNING)
    say_yes(service, ask_for(service), "ana")
    assert asked(service).json()["verdict"] == "allow"


def test_a_revoked_waiver_covers_no_further_decision_and_leaves_the_old_one(failing: Service) -> None:
    one = ask_for(failing)
    for name in ("ana", "bo"):
        say_yes(failing, one, name)
    allowed = asked(failing)
    path = f"{one['links']['self']}/revoke"
    revoked = failing.post_json(path, {"reason": "Mended."}, **headers(failing, "ines", "model_owner"))
    assert (revoked.status_code, revoked.json()["standing"]) == (201, "revoked")
    assert asked(failing, key="k2").json()["verdict"] == "deny"
    assert asked(failing).content == allowed.content


def test_a_self_approval_is_403_with_its_own_code_and_stays_in_the_trail(failing: Service) -> None:
    one = ask_for(failing)
    answer = say_yes(failing, one, "ines")
    assert (answer.status_code, answer.json()["code"]) == (403, "access.duties_not_separate")
    (refused,) = failing.http.get("/v1/gate/refusals").json()["refusals"]
    assert (refused["act"], refused["object"], refused["by"]["id"]) == ("waiver.approve", one["id"], "ines")
    assert refusals_seen(failing, f"{MODELS}/credit-*") == ["waiver.approve"]
    assert refusals_seen(failing, f"{MODELS}/fraud") == []
    assert failing.http.get(one["links"]["self"]).json()["approvals"] == []


def test_an_unreadable_date_is_refused_with_its_place(service: Service) -> None:
    ines = headers(service, "ines", "model_owner")
    for unreadable in ("tomorrow", 20261201, None):
        answer = service.post_json("/v1/waivers", waiver(expires_at=unreadable), **ines)
        assert (answer.status_code, answer.json()["pointer"]) == (422, "/expires_at")
    missing = waiver()
    del missing["expires_at"]
    assert service.post_json("/v1/waivers", missing, **ines).json()["pointer"] == "/expires_at"


def test_waivers_are_listed_and_found_by_those_who_see_the_model(service: Service) -> None:
    one = ask_for(service)
    listed = service.http.get("/v1/waivers", params={"environment": "prod", "limit": 1}).json()
    assert [each["id"] for each in listed["waivers"]] == [one["id"]]
    assert service.http.get("/v1/waivers", params={"environment": "test"}).json()["waivers"] == []
    narrow = headers(service, "cem", "approver", scopes=["s3://other/*"])
    assert service.http.get(one["links"]["self"], headers=narrow).status_code == 404
    assert service.http.get("/v1/waivers", headers=narrow).json()["waivers"] == []
