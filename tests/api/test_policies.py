"""Policies over HTTP: authors and publishers, stages, packs, looking over, and what is tried beside a verdict."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
import sqlalchemy as sa

from governance.migration import upgrade
from tests.support.scopes import MODELS, refusals_seen
from tests.support.service import Service, key_for, running
from tests.support.story import FAIR, UNFAIR, ask, author, policy, publish, submit


def strict(limit: str = "0.999", **changes: Any) -> dict[str, Any]:
    """A policy that ``FAIR`` does not meet."""
    params = {"metrics": [{"name": "selection_rate_ratio", "limit": limit}], "mode": "as_written"}
    return policy(checks=[{"id": "fairness", "params": params}], **changes)


def key(service: Service, *roles: str, subject: str | None = None) -> dict[str, str]:
    return {"Authorization": f"Bearer {key_for(service.url, *roles, subject=subject)}"}


def test_a_version_decides_once_somebody_else_has_published_it(service: Service) -> None:
    submit(service, FAIR)
    stored = service.post_json("/v1/policies/fair/versions", policy(), **author(service))
    assert stored.status_code == 201, stored.text
    assert (stored.json()["version"], stored.json()["author"]) == (1, "the author")
    before = ask(service).json()
    assert (before["verdict"], before["reasons"][0]["code"]) == ("indeterminate", "policy.not_in_force")
    published = service.post_json("/v1/policies/fair/versions/1/publish", {"stage": "enforce", "note": "agreed"})
    assert published.status_code == 201, published.text
    assert ask(service, key="k2").json()["verdict"] == "allow"
    again = service.post_json("/v1/policies/fair/versions/1/publish", {"stage": "enforce"})
    assert (again.status_code, again.json()) == (200, published.json())


def test_whoever_holds_both_roles_does_not_publish_what_they_wrote_and_the_attempt_is_kept(service: Service) -> None:
    writing = key(service, "policy_author", subject="user:1")
    publishing = key(service, "policy_publisher", subject="user:1")
    assert service.post_json("/v1/policies/fair/versions", policy(), **writing).status_code == 201
    refused = service.post_json("/v1/policies/fair/versions/1/publish", {"stage": "enforce"}, **publishing)
    assert (refused.status_code, refused.json()["code"]) == (403, "access.duties_not_separate")
    assert refused.headers["content-type"] == "application/problem+json"
    (kept,) = service.http.get("/v1/gate/refusals").json()["refusals"]
    assert (kept["act"], kept["object"], kept["by"]["id"]) == ("policy.publish", "fair@1", "user:1")
    assert refusals_seen(service, f"{MODELS}/fraud") == ["policy.publish"], "policies are shown to everybody"
    assert service.http.get("/v1/policies/fair/publications").json() == {"publications": []}


@pytest.mark.parametrize("role", ["ci", "policy_publisher", "approver", "auditor", "admin", "model_owner"])
def test_only_authors_write(service: Service, role: str) -> None:
    assert service.post_json("/v1/policies/fair/versions", policy(), **key(service, role)).status_code == 403


@pytest.mark.parametrize("role", ["ci", "policy_author", "approver", "auditor", "admin", "model_owner"])
def test_only_publishers_publish(service: Service, role: str) -> None:
    service.post_json("/v1/policies/fair/versions", policy(), **author(service))
    for path in ("/v1/policies/fair/versions/1/publish", "/v1/policy-packs/baseline/publish"):
        assert service.post_json(path, {"stage": "enforce"}, **key(service, role)).status_code == 403


def test_a_publisher_alone_publishes_a_pack(service: Service) -> None:
    made = service.post_json("/v1/policy-packs/us-eeoc-ugesp/publish", {"stage": "shadow"})
    assert made.status_code == 201, made.text
    assert made.json()["policy"]["name"] == "us-eeoc-ugesp"
    version = service.http.get("/v1/policies/us-eeoc-ugesp/versions/1").json()
    assert version["author_name"] == "the pack us-eeoc-ugesp"
    assert service.post_json("/v1/policy-packs/nothing/publish", {"stage": "shadow"}).status_code == 404


def test_what_is_tried_is_recorded_and_never_changes_the_verdict(service: Service) -> None:
    """One version in warning and one in shadow deny what the policy in force allows."""
    publish(service, policy())
    warned = publish(service, strict(title="next"), stage="warn")
    silent = publish(service, strict("0.9999", title="later"), stage="shadow")
    submit(service, FAIR)
    answer = ask(service).json()
    assert answer["verdict"] == "allow"
    (warning,) = answer["warnings"]
    assert (warning["policy"], warning["verdict"]) == (warned, "deny")
    assert warning["reasons"][0]["check"] == "fairness"
    assert warning["reasons"][0]["evidence_digest"]
    whole = service.http.get(answer["links"]["decision"]).json()
    told = [(one["policy"], one["stage"], one["verdict"]) for one in whole["previews"]]
    assert told == [(warned, "warn", "deny"), (silent, "shadow", "deny")]
    assert whole["policy"]["version"] == 1
    assert service.http.get(answer["links"]["bundle"]).is_success


def test_what_would_allow_does_not_open_the_gate_either(service: Service) -> None:
    publish(service, policy())
    lax = {"metrics": [{"name": "selection_rate_ratio", "limit": "0.1"}]}
    publish(service, policy(checks=[{"id": "fairness", "params": lax}]), stage="warn")
    submit(service, UNFAIR)
    answer = ask(service).json()
    assert (answer["verdict"], answer["warnings"][0]["verdict"]) == ("deny", "allow")


def test_a_check_that_only_a_tried_version_asks_for_is_measured_for_it(service: Service) -> None:
    publish(service, policy())
    added = policy(checks=[*policy()["checks"], {"id": "performance", "params": {"metric": "accuracy"}}])
    publish(service, added, stage="warn")
    submit(service, FAIR)
    answer = ask(service).json()
    assert (answer["verdict"], answer["warnings"][0]["verdict"]) == ("allow", "allow")
    assert [check["id"] for check in answer["checks"]] == ["fairness"]


def test_a_check_that_cannot_be_measured_for_a_tried_version_leaves_the_verdict_alone(service: Service) -> None:
    """The manifest names no model, so attributions cannot be had."""
    publish(service, policy())
    publish(service, policy(checks=[*policy()["checks"], {"id": "explainability"}]), stage="warn")
    submit(service, FAIR)
    answer = ask(service).json()
    assert answer["verdict"] == "allow"
    assert answer["warnings"][0]["verdict"] == "indeterminate"
    assert answer["warnings"][0]["reasons"][0]["check"] == "explainability"


def test_approvals_of_a_tried_version_are_asked_of_nobody(service: Service) -> None:
    key_for(service.url, "approver", subject="user:1")
    publish(service, policy())
    publish(service, policy(approvals=[{"role": "approver", "count": 1}]), stage="warn")
    submit(service, FAIR)
    answer = ask(service).json()
    assert (answer["verdict"], answer["warnings"][0]["verdict"]) == ("allow", "pending")


def test_a_version_that_may_be_what_faults_is_left_out(service: Service) -> None:
    publish(service, policy())
    publish(service, strict(), stage="warn")
    submit(service, FAIR)
    service.state.engine.stop()
    accepted = ask(service, wait=0)
    with service.state.database.unit() as unit:
        unit.session.execute(sa.text("UPDATE evaluation SET attempts = 2"))
    service.state.engine.start()
    answer = service.http.get(accepted.headers["Location"], params={"wait": 25}).json()
    assert (answer["verdict"], answer["warnings"][0]["verdict"]) == ("allow", "indeterminate")
    assert answer["warnings"][0]["reasons"][0]["code"] == "preview.not_judged"


def test_a_policy_that_is_only_tried_decides_nothing(service: Service) -> None:
    publish(service, policy(), stage="shadow")
    submit(service, FAIR)
    answer = ask(service).json()
    assert (answer["verdict"], answer["reasons"][0]["code"]) == ("indeterminate", "policy.not_in_force")
    (preview,) = service.http.get(answer["links"]["decision"]).json()["previews"]
    assert (preview["stage"], preview["verdict"]) == ("shadow", "allow")


def test_a_retired_policy_decides_nothing(service: Service) -> None:
    publish(service, policy())
    submit(service, FAIR)
    assert service.post_json("/v1/policies/fair/versions/1/publish", {"stage": "retire"}).status_code == 201
    answer = ask(service).json()
    assert (answer["verdict"], answer["reasons"][0]["code"]) == ("indeterminate", "policy.not_in_force")
    assert service.post_json("/v1/policies/fair/versions/1/publish", {"stage": "enforce"}).status_code == 409


def test_the_day_picks_the_version_and_outside_all_nothing_applies(tmp_path: Any) -> None:
    url = f"sqlite:///{tmp_path / 'assay.db'}"
    upgrade(url)
    clock = [datetime(2026, 11, 2, 12, tzinfo=UTC)]
    with running(tmp_path / "home", url, clock=lambda: clock[0]) as service:
        publish(service, policy(effective={"from": "2026-01-01", "until": "2026-11-10", "law": "old"}))
        publish(service, strict(effective={"from": "2026-11-10", "until": "2026-11-20", "law": "new"}))
        submit(service, FAIR)
        found = []
        for number, day in enumerate((2, 9, 10, 19, 20)):
            clock[0] = datetime(2026, 11, day, 12, tzinfo=UTC)
            answer = ask(service, key=f"k{number}").json()
            version = answer["policy"]["version"] if answer["policy"] else None
            found.append((day, answer["verdict"], version))
        assert found == [
            (2, "allow", 1),
            (9, "allow", 1),
            (10, "deny", 2),
            (19, "deny", 2),
            (20, "indeterminate", None),
        ]
        assert answer["reasons"][0]["code"] == "policy.not_effective"
        assert "fair@2 holds from 2026-11-10 until 2026-11-20" in answer["reasons"][0]["message"]


def test_looking_over_stores_nothing_and_says_what_is_wrong(service: Service) -> None:
    path, who = "/v1/policies/fair/versions", author(service)
    sound = service.http.post(path, params={"dry_run": True}, content=json.dumps(policy()), headers=who)
    assert (sound.status_code, sound.json()["findings"]) == (200, [])
    assert sound.json()["digest"].startswith("sha256:")
    for document, code in [
        (policy(checks=[{"id": "unknown"}]), "policy.unknown_check"),
        (policy("other"), "policy.other_name"),
        (policy(checks=[{"id": "schema", "params": {"schema": "holdout@1"}}]), "policy.cannot_be_met"),
        (policy(approvals=[{"role": "approver", "count": 2}]), "policy.cannot_be_met"),
    ]:
        told = service.http.post(path, params={"dry_run": True}, content=json.dumps(document), headers=who).json()
        assert code in [finding["code"] for finding in told["findings"]], told
    assert service.http.get(path).json() == {"versions": []}


def test_approvals_that_nobody_could_give_are_refused_when_published(service: Service) -> None:
    document = policy(approvals=[{"role": "approver", "count": 2}])
    assert service.post_json("/v1/policies/fair/versions", document, **author(service)).status_code == 201
    key_for(service.url, "approver", subject="user:1")
    key_for(service.url, "approver", subject="user:1")
    refused = service.post_json("/v1/policies/fair/versions/1/publish", {"stage": "shadow"})
    assert (refused.status_code, refused.json()["pointer"], refused.json()["found"]) == (422, "/approvals/0", "1")
    key_for(service.url, "approver", subject="user:2")
    assert service.post_json("/v1/policies/fair/versions/1/publish", {"stage": "shadow"}).status_code == 201


def test_what_stands_and_what_changed_can_be_read(service: Service) -> None:
    publish(service, policy())
    publish(service, strict(), stage="warn")
    stands = {one["name"]: one for one in service.http.get("/v1/policies").json()["policies"]}
    assert stands["fair"]["enforced"]["version"] == 1
    assert [(one["version"], one["stage"]) for one in stands["fair"]["tried"]] == [(2, "warn")]
    assert (stands["fair"]["newest_version"], stands["baseline"]["enforced"]["version"]) == (2, 1)
    stages = [one["stage"] for one in service.http.get("/v1/policies/fair/versions").json()["versions"]]
    assert stages == ["enforce", "warn"]
    changes = service.http.get("/v1/policies/fair/versions/2/changes").json()["changes"]
    assert ("fairness.selection_rate_ratio", "tightens") in [(one["place"], one["effect"]) for one in changes]
    assert service.http.get("/v1/policies/fair/versions/1/changes").status_code == 404
    (publication,) = service.http.get("/v1/policies/fair/versions/1").json()["publications"]
    assert publication["stage"] == "enforce"


@pytest.mark.parametrize(
    "body",
    [{}, {"stage": "live"}, {"stage": "enforce", "note": "x" * 9000}, {"stage": "enforce", "note": "\x00"}, []],
)
def test_a_publication_that_cannot_be_read_is_refused(service: Service, body: Any) -> None:
    publish(service, policy())
    answer = service.post_json("/v1/policies/fair/versions/1/publish", body)
    assert answer.status_code == 422, answer.text
    assert answer.json()["pointer"] is not None


@pytest.mark.parametrize("version", ["0", "-1", str(2**31), str(2**70)])
def test_a_version_that_was_never_stored_is_not_found(service: Service, version: str) -> None:
    publish(service, policy())
    assert service.http.get(f"/v1/policies/fair/versions/{version}").status_code == 404
    path = f"/v1/policies/fair/versions/{version}/publish"
    assert service.post_json(path, {"stage": "enforce"}).status_code == 404
