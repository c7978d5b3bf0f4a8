"""Statements: what the standard's fields say of each verdict, and evidence that travels signed."""

import json
from datetime import timedelta
from typing import Any

import pytest

from governance.canonical import canonical, sha256
from governance.errors import InputRefused, ProofRejected
from governance.signing.dsse import sign
from governance.signing.keys import SigningKey
from governance.signing.statement import (
    DECISION_FIELD,
    MEASUREMENTS_FIELD,
    decision_statement,
    read_decision,
    read_test_result,
    test_result_statement,
)
from governance.types.manifest import Manifest
from governance.types.results import CheckResult, CheckStatus, Measurement, Verdict
from governance.types.value import decimal_text
from tests.support.proof import MODEL, NOW, decision

KEY = SigningKey.generate()
TRUSTED = {KEY.keyid: KEY.public}
NONCE = "00112233445566778899aabbccddeeff"
MANIFEST = Manifest(kind="assay.evidence/v1", subject=MODEL, seed=7)
MEASUREMENT = Measurement(check="fairness", check_version="1", seed=7, body={"ratio": 0.1 + 0.2, "one": 1.0, "n": 3})


def statement_of(**changes: object) -> dict[str, Any]:
    taken = decision(**changes)
    return decision_statement(taken, taken.value_digest())


def result(status: CheckStatus) -> CheckResult:
    return CheckResult(check=f"check-{status}", check_version="1", status=status, reason="r", message="m")


def test_an_allow_is_passed_with_the_checks_that_passed() -> None:
    statement = statement_of()
    assert statement["_type"] == "https://in-toto.io/Statement/v1"
    assert statement["predicateType"] == "https://slsa.dev/verification_summary/v1"
    assert statement["subject"] == [
        {"name": "credit-line@7", "digest": {"sha256": MODEL.digest.removeprefix("sha256:")}}
    ]
    predicate = statement["predicate"]
    assert predicate["verificationResult"] == "PASSED"
    assert predicate["verifiedLevels"] == ["ASSAY_FAIRNESS_PASSED"]
    assert predicate["verifier"]["id"] == "urn:assay:assay.example/log"
    assert predicate["timeVerified"] == "2026-03-01T12:00:00Z"
    assert predicate["resourceUri"] == "urn:assay:model:mlflow%3A%2F%2Fmodels.example:credit-line:7"
    assert predicate["policy"] == {
        "uri": "urn:assay:policy:baseline:1",
        "digest": {"sha256": sha256(b"policy").removeprefix("sha256:")},
    }
    assert predicate["inputAttestations"] == [
        {"uri": "urn:assay:measurement:fairness", "digest": {"sha256": sha256(b"measurement").removeprefix("sha256:")}}
    ]


@pytest.mark.parametrize(
    "changes",
    [
        {"verdict": Verdict.DENY, "valid_until": None},
        {"verdict": Verdict.INDETERMINATE, "valid_until": None},
        {"mode": "dry_run"},
    ],
)
def test_all_but_an_enforced_allow_is_failed(changes: dict[str, object]) -> None:
    predicate = statement_of(**changes)["predicate"]
    assert predicate["verificationResult"] == "FAILED"
    assert predicate["verifiedLevels"] == ["FAILED"]


def test_our_field_carries_the_exact_verdict_and_its_bounds() -> None:
    taken = decision(verdict=Verdict.INDETERMINATE)
    own = decision_statement(taken, taken.value_digest())["predicate"][DECISION_FIELD]
    assert own["verdict"] == "indeterminate"
    assert own["decision_digest"] == taken.value_digest()
    assert own["input_digest"] == taken.input_digest
    assert own["nonce"] == taken.nonce
    assert own["environment"] == "prod"
    assert own["origin"] == taken.origin
    assert own["reasons"] == [{"code": "gate.all_passed", "check": None, "severity": "high"}]
    assert own["checks"][0]["observed"] == "0.97"
    assert own["checks"][0]["n"] == "48842"


def test_numbers_of_a_decision_are_text() -> None:
    def numbers(value: object) -> list[object]:
        if isinstance(value, dict):
            return [found for child in value.values() for found in numbers(child)]
        if isinstance(value, list):
            return [found for child in value for found in numbers(child)]
        return [value] if isinstance(value, float) else []

    assert numbers(statement_of()) == []


def test_a_pending_decision_is_never_signed() -> None:
    with pytest.raises(InputRefused, match="pending"):
        statement_of(verdict=Verdict.PENDING)


def test_a_decision_without_a_policy_names_none() -> None:
    predicate = statement_of(policy=None, verdict=Verdict.INDETERMINATE, valid_until=None)["predicate"]
    assert predicate["policy"] == {"uri": "urn:assay:policy:none"}


def test_a_statement_reads_back_to_its_decision() -> None:
    taken = decision(evaluated_at=NOW + timedelta(microseconds=5))
    signed = read_decision(canonical(decision_statement(taken, taken.value_digest())))
    assert signed.decision_digest == taken.value_digest()
    assert signed.subject == taken.subject
    assert signed.evaluated_at == taken.evaluated_at
    assert signed.valid_until == taken.valid_until
    assert signed.allows


def test_another_kind_of_statement_is_no_decision() -> None:
    statement = test_result_statement(MANIFEST, [MEASUREMENT], [], nonce=NONCE)
    with pytest.raises(ProofRejected, match="verification_summary"):
        read_decision(canonical(statement))


@pytest.mark.parametrize("content", [b"", b"{}", b"[]", b"null", b"\xff"])
def test_a_payload_of_another_shape_is_no_decision(content: bytes) -> None:
    with pytest.raises(ProofRejected):
        read_decision(content)


def test_a_payload_in_another_spelling_is_refused() -> None:
    with pytest.raises(ProofRejected, match="RFC 8785"):
        read_decision(json.dumps(statement_of()).encode())


@pytest.mark.parametrize(
    ("statuses", "expected"),
    [
        ([], "FAILED"),
        (["passed"], "PASSED"),
        (["passed", "not_applicable"], "PASSED"),
        (["not_applicable"], "FAILED"),
        (["passed", "warned"], "WARNED"),
        (["warned"], "WARNED"),
        (["passed", "failed"], "FAILED"),
        (["passed", "error"], "FAILED"),
        (["passed", "not_run"], "FAILED"),
        (["passed", "warned", "insufficient_evidence"], "FAILED"),
    ],
)
def test_a_test_result_passes_only_when_something_passed_and_nothing_did_otherwise(
    statuses: list[str], expected: str
) -> None:
    results = [result(CheckStatus(status)) for status in statuses]
    predicate = test_result_statement(MANIFEST, [MEASUREMENT], results, nonce=NONCE)["predicate"]
    assert predicate["result"] == expected
    listed = predicate["passedTests"] + predicate["warnedTests"] + predicate["failedTests"]
    assert len(listed) == len([status for status in statuses if status != "not_applicable"])


def test_signed_evidence_reads_back_to_the_same_measurements() -> None:
    statement = test_result_statement(MANIFEST, [MEASUREMENT], [result(CheckStatus.PASSED)], nonce=NONCE)
    found = read_test_result(sign(canonical(statement), KEY).content(), TRUSTED)
    assert found.signer == KEY.keyid
    assert Manifest.model_validate(found.manifest) == MANIFEST
    (measurement,) = found.measurements
    assert measurement.body["ratio"] == 0.1 + 0.2
    assert decimal_text(0.1 + 0.2) == "0.30000000000000004"
    assert measurement.value_digest() == MEASUREMENT.value_digest()


def test_evidence_of_an_untrusted_signer_is_refused() -> None:
    statement = test_result_statement(MANIFEST, [MEASUREMENT], [], nonce=NONCE)
    with pytest.raises(ProofRejected, match="0 trusted keys"):
        read_test_result(sign(canonical(statement), KEY).content(), {})


def test_evidence_about_another_model_than_its_manifests_is_refused() -> None:
    statement = test_result_statement(MANIFEST, [MEASUREMENT], [], nonce=NONCE)
    statement["subject"][0]["digest"]["sha256"] = "0" * 64
    with pytest.raises(ProofRejected, match="another model"):
        read_test_result(sign(canonical(statement), KEY).content(), TRUSTED)


@pytest.mark.parametrize("change", [{"manifest": {}}, {"measurements": [{}]}, {"measurements": None}, {"more": 1}])
def test_evidence_of_another_shape_is_refused(change: dict[str, object]) -> None:
    statement = test_result_statement(MANIFEST, [MEASUREMENT], [], nonce=NONCE)
    statement["predicate"][MEASUREMENTS_FIELD].update(change)
    with pytest.raises(ProofRejected, match=MEASUREMENTS_FIELD):
        read_test_result(sign(canonical(statement), KEY).content(), TRUSTED)


def test_a_decision_is_no_evidence() -> None:
    with pytest.raises(ProofRejected, match="test-result"):
        read_test_result(sign(canonical(statement_of()), KEY).content(), TRUSTED)
