"""Statements of people as evidence, over HTTP on both databases."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from audits.fsck import check_all
from tests.support.life import bearer
from tests.support.ready import measured
from tests.support.service import Service, running
from tests.support.story import DIGEST, FAIR, ask, policy, publish, subject

NEEDED: dict[str, Any] = {"attestations": [{"kind": "dpia", "max_age": "P30D"}]}


def statement(**changes: Any) -> dict[str, Any]:
    expires_at = (datetime.now(UTC) + timedelta(days=60)).isoformat()
    return {"subject": subject(), "kind": "dpia", "text": "It was made.", "expires_at": expires_at, **changes}


def attest(service: Service, **changes: Any) -> Any:
    headers = bearer(service, "model_owner", subject="user:ines")
    return service.post_json("/v1/attestations", statement(**changes), **headers)


def verdict(service: Service, key: str) -> tuple[str, list[str]]:
    answer = ask(service, key=key, evidence=[{"digest": measured(service, FAIR)}]).json()
    return answer["verdict"], [reason["code"] for reason in answer["reasons"]]


def test_what_a_policy_asks_people_to_state_is_indeterminate_until_somebody_does(service: Service) -> None:
    publish(service, policy(**NEEDED))
    assert verdict(service, "k1") == ("indeterminate", ["attestation.missing"])
    told = attest(service, reference="https://records.example/41")
    assert told.status_code == 201, told.text
    answer = ask(service, key="k2", evidence=[{"digest": measured(service, FAIR)}]).json()
    assert answer["verdict"] == "allow"
    (used,) = answer["attestations"]
    assert (used["by"], used["digest"], used["reference"]) == (
        "user:ines", told.json()["digest"], "https://records.example/41",
    )  # fmt: skip


def test_a_statement_that_is_taken_back_counts_no_more_and_stays_on_record(service: Service) -> None:
    publish(service, policy(**NEEDED))
    attest(service)
    assert verdict(service, "k1") == ("allow", [])
    attest(service, holds=False, text="The measures were not in place.")
    assert verdict(service, "k2") == ("indeterminate", ["attestation.missing"])
    shown = service.http.get("/v1/attestations", params={"digest": DIGEST}).json()["attestations"]
    assert [each["stated"]["holds"] for each in shown] == [True, False]
    settings = service.settings
    ring = service.state.gate.ring
    check_all(service.state.database, ring, origin=settings.origin, kept=settings.home / "checkpoint")


def test_a_statement_about_other_bytes_or_of_another_kind_does_not_count(service: Service) -> None:
    publish(service, policy(**NEEDED))
    attest(service, subject=subject(version="2", digest="sha256:" + "0" * 64))
    attest(service, kind="documentation")
    assert verdict(service, "k1") == ("indeterminate", ["attestation.missing"])


def test_an_old_statement_and_one_that_expired_count_no_more(database_url: str, tmp_path: Path) -> None:
    instants = [datetime(2026, 11, 2, tzinfo=UTC)]
    with running(tmp_path / "home", database_url, clock=lambda: instants[0]) as service:
        publish(service, policy(evidence={"max_age": "P365D"}, **NEEDED))
        attest(service, expires_at="2026-11-12T00:00:00Z")
        assert verdict(service, "k1")[0] == "allow"
        instants[0] += timedelta(days=10)
        assert verdict(service, "k2") == ("indeterminate", ["attestation.missing"])
        attest(service, expires_at="2027-11-12T00:00:00Z")
        assert verdict(service, "k3")[0] == "allow"
        instants[0] += timedelta(days=31)
        assert verdict(service, "k4") == ("indeterminate", ["attestation.missing"])


def test_only_people_who_may_state_and_only_what_can_be_kept(service: Service) -> None:
    assert service.post_json("/v1/attestations", statement()).status_code == 403, "a pipeline's key"
    for changes in ({"kind": "DPIA!"}, {"text": ""}, {"expires_at": "2026-01-01"}, {"expires_at": "soon"}):
        refused = attest(service, **changes)
        assert (refused.status_code, refused.json()["pointer"]) == (422, f"/{next(iter(changes))}")
    past = attest(service, expires_at="2020-01-01T00:00:00Z")
    assert (past.status_code, past.json()["pointer"]) == (422, "/expires_at")
    narrowed = bearer(service, "model_owner", scopes=["mlflow://elsewhere/*"])
    assert service.post_json("/v1/attestations", statement(), **narrowed).status_code == 403


def test_a_policy_that_asks_for_no_statement_keeps_its_digest(service: Service) -> None:
    plain = publish(service, policy())
    again = service.post_json("/v1/policies/fair/versions", policy(attestations=[]), **bearer(service, "policy_author"))
    assert again.json()["digest"] == plain["digest"]
    twice = policy(attestations=[{"kind": "dpia"}, {"kind": "dpia"}])
    assert service.post_json("/v1/policies/fair/versions", twice, **bearer(service, "policy_author")).status_code == 422
