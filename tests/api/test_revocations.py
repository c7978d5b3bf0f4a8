"""Whether a decision holds, and taking one back, over HTTP on both databases."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import sqlalchemy as sa

from audits.fsck import check_all
from governance.bundle import decision_leaf
from governance.canonical import canonical
from governance.errors import ProofRejected
from governance.log import journal
from governance.signing import dsse
from governance.signing.revocation import read_revocation
from tests.support.life import DATA, again, allowed, bearer, denied, revoke, verify
from tests.support.service import Service, running
from tests.support.story import DIGEST, ask, policy, publish

OTHER = "sha256:" + "0" * 64


def test_a_fresh_allow_is_valid_for_its_bytes_and_environment_alone(service: Service) -> None:
    decision = allowed(service)
    found = verify(service, decision["decision_id"])
    assert (found["status"], found["valid"], found["valid_until"]) == ("valid", True, decision["valid_until"])
    assert verify(service, decision["decision_id"], digest=OTHER)["status"] == "wrong_subject"
    elsewhere = verify(service, decision["decision_id"], environment="test")
    assert (elsewhere["status"], elsewhere["valid"]) == ("wrong_environment", False)


def test_a_deny_an_indeterminate_and_a_dry_run_are_never_valid(service: Service) -> None:
    publish(service, policy())
    unknown = ask(service, key="k0").json()["decision_id"]
    refused = denied(service)["decision_id"]
    tried = allowed(service, mode="dry_run")["decision_id"]
    assert {verify(service, each)["status"] for each in (unknown, refused, tried)} == {"not_allowed"}


def test_a_later_no_supersedes_and_a_later_yes_or_a_dry_run_does_not(service: Service) -> None:
    first = allowed(service)["decision_id"]
    second = again(service, "again")
    denied(service, key="dry", mode="dry_run")
    assert {verify(service, each)["status"] for each in (first, second)} == {"valid"}
    later = denied(service)
    found = verify(service, first)
    assert (found["status"], found["superseded_at"]) == ("superseded", later["evaluated_at"])
    assert verify(service, second)["status"] == "superseded"
    newest = again(service, "mended")
    assert verify(service, newest)["status"] == "valid"
    assert verify(service, first)["status"] == "superseded"


def test_a_verdict_that_could_not_tell_supersedes_too(service: Service) -> None:
    first = allowed(service)["decision_id"]
    unknown = ask(service, key="unknown", evidence=[]).json()
    assert unknown["verdict"] == "indeterminate"
    assert verify(service, first)["status"] == "superseded"


def test_a_no_about_another_environment_supersedes_nothing(service: Service) -> None:
    decision = allowed(service)["decision_id"]
    denied(service, environment="test")
    assert verify(service, decision)["status"] == "valid"


def test_an_allow_expires_at_its_instant(database_url: str, tmp_path: Path) -> None:
    instants = [datetime(2026, 11, 2, tzinfo=UTC)]
    with running(tmp_path / "home", database_url, clock=lambda: instants[0]) as service:
        decision = allowed(service)["decision_id"]
        instants[0] += timedelta(days=90) - timedelta(microseconds=1)
        assert verify(service, decision)["status"] == "valid"
        instants[0] += timedelta(microseconds=1)
        assert verify(service, decision)["status"] == "expired"


def test_a_revoked_decision_holds_no_more_and_the_first_revocation_stands(service: Service) -> None:
    decision = allowed(service)
    first = revoke(service, decision["decision_id"])
    again = revoke(service, decision["decision_id"], cause="incident", reason="another")
    assert (first.status_code, again.status_code) == (201, 200)
    assert again.json() == first.json()
    assert first.json()["revoked_by"] == "user:ada"
    found = verify(service, decision["decision_id"])
    assert (found["status"], found["revoked_at"]) == ("revoked", first.json()["revoked_at"])


def test_a_revocation_is_a_later_signed_statement_of_the_same_bytes_that_failed(service: Service) -> None:
    decision = allowed(service)
    told = revoke(service, decision["decision_id"]).json()
    key = service.state.gate.ring.decision.public
    envelope = dsse.read_envelope(canonical(told["envelope"]))
    payload = dsse.verify(envelope, {key.keyid: key})
    signed = read_revocation(payload)
    assert (signed.decision_digest, signed.cause, signed.subject.digest) == (
        decision["decision_digest"], "data_recalled", DIGEST,
    )  # fmt: skip
    assert b'"verificationResult":"FAILED"' in payload
    with service.state.database.read_unit() as unit:
        assert journal.leaf(unit, told["log"]["index"]).body == decision_leaf(envelope, key)
    with pytest.raises(ProofRejected):
        read_revocation(payload.replace(b'"FAILED"', b'"PASSED"'))


def test_only_a_person_who_may_revokes_and_only_what_let_something_live(service: Service) -> None:
    decision = allowed(service)["decision_id"]
    path = f"/v1/decisions/{decision}/revocations"
    assert service.post_json(path, DATA).status_code == 403, "a pipeline's key"
    assert service.post_json(path, DATA, **bearer(service, "auditor")).status_code == 403
    assert revoke(service, "none").status_code == 404
    assert revoke(service, decision, cause="because").json()["pointer"] == "/cause"
    assert revoke(service, decision, reason="").json()["pointer"] == "/reason"
    refused = denied(service)["decision_id"]
    assert revoke(service, refused).status_code == 409
    assert service.http.get("/v1/revocations").json() == {"revocations": [], "next": 0}


def test_a_decision_of_a_model_out_of_sight_answers_like_an_unknown_one(service: Service) -> None:
    decision = allowed(service)["decision_id"]
    narrowed = bearer(service, "approver", scopes=["mlflow://elsewhere/*"])
    revoke(service, decision)
    asked = {"digest": DIGEST, "environment": "prod"}
    assert service.post_json(f"/v1/decisions/{decision}/verify", asked, **narrowed).status_code == 404
    assert service.post_json(f"/v1/decisions/{decision}/revocations", DATA, **narrowed).status_code == 404
    assert service.http.get("/v1/revocations", headers=narrowed).json() == {"revocations": [], "next": 1}


def test_the_feed_has_no_gaps_whoever_revokes_at_one_moment(service: Service) -> None:
    first = allowed(service)["decision_id"]
    decisions = [first, *(again(service, f"n{number}") for number in range(5))]
    headers = bearer(service, "approver", subject="user:ada")

    def send(decision: str) -> Any:
        return service.post_json(f"/v1/decisions/{decision}/revocations", DATA, **headers)

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(send, [*decisions, *decisions]))
    assert {answer.status_code for answer in answers} == {200, 201}
    page = service.http.get("/v1/revocations", params={"limit": 4}).json()
    rest = service.http.get("/v1/revocations", params={"since": page["next"]}).json()
    shown = [*page["revocations"], *rest["revocations"]]
    assert [each["seq"] for each in shown] == list(range(1, 7))
    assert {each["decision_id"] for each in shown} == set(decisions)
    assert service.http.get("/v1/revocations", params={"since": rest["next"]}).json() == {
        "revocations": [], "next": rest["next"],
    }  # fmt: skip


def test_the_feed_is_atom_too_whatever_the_reason_holds(service: Service) -> None:
    decision = allowed(service)["decision_id"]
    revoke(service, decision, reason="<script>&]]> \x01 é")
    answer = service.http.get("/v1/revocations.atom")
    assert answer.headers["content-type"].startswith("application/atom+xml")
    feed = ET.fromstring(answer.content)
    (entry,) = feed.findall("{http://www.w3.org/2005/Atom}entry")
    assert entry.findtext("{http://www.w3.org/2005/Atom}summary") == "<script>&]]>  é"


def test_a_revocation_is_announced_and_cannot_be_changed(service: Service) -> None:
    decision = allowed(service)["decision_id"]
    revoke(service, decision)
    with service.state.database.read_unit() as unit:
        types = unit.session.scalars(sa.text("SELECT type FROM notice ORDER BY seq")).all()
    assert types[-1] == "assay.decision.revoked"
    for statement in ("UPDATE revocation SET reason = 'x'", "DELETE FROM revocation"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), service.state.database.unit() as unit:
            unit.session.execute(sa.text(statement))


def test_fsck_finds_a_revocation_that_was_changed_behind_the_triggers(service: Service) -> None:
    decision = allowed(service)["decision_id"]
    told = revoke(service, decision).json()
    settings, gate = service.settings, service.state.gate
    kept = settings.home / "checkpoint"
    check_all(service.state.database, gate.ring, origin=settings.origin, kept=kept)
    with service.state.database.unit() as unit:
        if unit.dialect == "sqlite":
            unit.session.execute(sa.text("DROP TRIGGER revocation_no_update"))
        else:
            unit.session.execute(sa.text("ALTER TABLE revocation DISABLE TRIGGER ALL"))
        unit.session.execute(sa.text("UPDATE revocation SET reason = 'nothing'"))
    with pytest.raises(ProofRejected) as refused:
        check_all(service.state.database, gate.ring, origin=settings.origin, kept=kept)
    assert refused.value.pointer == str(told["log"]["index"])
