"""What is signed: in-toto statements about a decision and about test results.

A decision's statement is a projection of ``SignedDecision``: the standard's fields are computed from our own, so that
a verifier can compute them again and refuse a statement whose two halves disagree.

Source: in-toto attestation, Statement v1 and the predicates ``verification_summary/v1`` and ``test-result/v0.1``.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, ClassVar, Literal, NamedTuple
from urllib.parse import quote

from pydantic import Field, JsonValue

from governance.canonical import canonical, read_json
from governance.clock import rfc3339
from governance.errors import AssayError, InputRefused, ProofRejected
from governance.signing.dsse import read_envelope, verify
from governance.signing.keys import PublicKey
from governance.types.decision import Decision
from governance.types.manifest import Manifest
from governance.types.policy import PolicyReference
from governance.types.results import CheckResult, CheckStatus, Measurement, Origin, Verdict
from governance.types.subject import Subject
from governance.types.value import DecimalText, Digest, Severity, Value, ValueT, parse_value

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
VERIFICATION_SUMMARY = "https://slsa.dev/verification_summary/v1"
TEST_RESULT = "https://in-toto.io/attestation/test-result/v0.1"
DECISION_FIELD = "urn:assay:decision:v1"
MEASUREMENTS_FIELD = "urn:assay:measurements:v1"

LETS_BY = {CheckStatus.PASSED, CheckStatus.NOT_APPLICABLE, CheckStatus.WAIVED}


class SignedReason(Value):
    """Why the verdict is what it is, as a code; the words for people are in the report."""

    code: str
    check: str | None
    severity: Severity


class SignedCheck(Value):
    """A check's outcome with the numbers it was judged by, as decimal text."""

    id: str
    status: CheckStatus
    reason: str
    severity: Severity
    observed: DecimalText | None
    limit: DecimalText | None
    n: DecimalText | None
    measurement_digest: Digest | None
    origin: Origin | None


class SignedWaiver(Value):
    """A waiver that let checks by: its document's digest, which checks, until when, and whose yes it had."""

    id: str
    digest: Digest
    checks: tuple[str, ...]
    expires_at: datetime
    requested_by: str
    approved_by: tuple[str, ...]


class SignedAct(Value):
    """What a person said of exactly what was decided on; ``digest`` is that of the act's document in the log."""

    act: str
    verdict: str
    by: str
    approved_digest: Digest
    digest: Digest


class SignedDecision(Value):
    """What the signature says: the verdict exactly, what it is bound to, and until when it holds."""

    decision_id: str
    decision_digest: Digest
    verdict: Literal[Verdict.ALLOW, Verdict.DENY, Verdict.INDETERMINATE]
    mode: Literal["enforce", "dry_run"]
    origin: str
    environment: str
    subject: Subject
    policy: PolicyReference | None
    engine: str
    evaluated_at: datetime
    valid_until: datetime | None
    input_digest: Digest
    manifest_digest: Digest | None
    ancestry_digest: Digest | None
    nonce: str
    reasons: tuple[SignedReason, ...]
    checks: tuple[SignedCheck, ...]
    waivers_used: tuple[SignedWaiver, ...] = ()
    people: tuple[SignedAct, ...] = ()

    later_fields: ClassVar[frozenset[str]] = frozenset({"waivers_used", "people"})

    @property
    def allows(self) -> bool:
        """Whether this lets the subject go live: an enforced ``allow``; a dry run never does."""
        return self.verdict is Verdict.ALLOW and self.mode == "enforce"


class AttestedEvidence(NamedTuple):
    """What a signed test result brought: the manifest, its measurements, and the id of the key that vouches."""

    manifest: dict[str, JsonValue]
    measurements: tuple[Measurement, ...]
    signer: str


class _Subject(Value):
    name: str
    digest: dict[str, str]


class _Statement(Value):
    type: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type")
    subject: tuple[_Subject, ...] = Field(min_length=1, max_length=1)
    predicate_type: str = Field(alias="predicateType")
    predicate: dict[str, JsonValue]


class _Measured(Value):
    manifest: Manifest
    measurements: tuple[Measurement, ...]
    nonce: str


def decision_statement(decision: Decision, decision_digest: str) -> dict[str, Any]:
    """The statement of a decision: SLSA's verification summary, and our own field with the exact verdict.

    ``verificationResult`` is ``PASSED`` for an enforced ``allow`` alone.

    Raises:
        InputRefused: the decision is still pending.
    """
    if decision.verdict is Verdict.PENDING:
        raise InputRefused(
            expected="a decision that was taken",
            found="a pending one",
            remedy="Wait for the verdict before signing it.",
        )
    reasons = [{"code": each.code, "check": each.check, "severity": each.severity} for each in decision.reasons]
    checks = [
        {
            "id": each.id,
            "status": each.result.status,
            "reason": each.result.reason,
            "severity": each.severity,
            "observed": each.result.observed,
            "limit": each.result.limit,
            "n": each.result.n,
            "measurement_digest": each.measurement_digest,
            "origin": each.origin,
        }
        for each in decision.checks
    ]
    waivers = [
        {**use.model_dump(include=set(SignedWaiver.model_fields) - {"checks"}), "checks": sorted(use.checks)}
        for use in decision.waivers_used
    ]
    people = [act.model_dump(include=set(SignedAct.model_fields)) for act in decision.people]
    own = {"reasons": reasons, "checks": checks, "waivers_used": waivers, "people": people}
    shared = decision.model_dump(include=set(SignedDecision.model_fields) - set(own))
    signed = {**shared, **own, "decision_digest": decision_digest}
    return statement_of(parse_value(SignedDecision, signed, what="a decision"))


def statement_of(signed: SignedDecision) -> dict[str, Any]:
    """The in-toto statement that ``signed`` gives; every field of the standard follows from it."""
    subject = signed.subject
    measured = [
        {"uri": f"urn:assay:measurement:{quote(each.id, safe='')}", "digest": _digest_set(each.measurement_digest)}
        for each in signed.checks
        if each.measurement_digest is not None
    ]
    levels = [f"ASSAY_{each.id.upper()}_PASSED" for each in signed.checks if each.status is CheckStatus.PASSED]
    parts = (subject.namespace, subject.name, subject.version)
    return _statement(
        subject,
        VERIFICATION_SUMMARY,
        {
            "verifier": {"id": f"urn:assay:{signed.origin}", "version": {"assay": signed.engine}},
            "timeVerified": rfc3339(signed.evaluated_at),
            "resourceUri": "urn:assay:model:" + ":".join(quote(part, safe="") for part in parts),
            "policy": _policy(signed.policy),
            "inputAttestations": measured,
            "verificationResult": "PASSED" if signed.allows else "FAILED",
            "verifiedLevels": levels if signed.allows else ["FAILED"],
            DECISION_FIELD: signed.document(),
        },
    )


def read_decision(payload: bytes) -> SignedDecision:
    """The decision in a verified payload.

    Raises:
        ProofRejected: it is not a decision's statement, or its standard fields disagree with our own.
    """
    statement = _read(payload, VERIFICATION_SUMMARY, "a decision")
    signed = _parse(SignedDecision, statement.predicate.get(DECISION_FIELD), f"the field {DECISION_FIELD}")
    if canonical(statement_of(signed)) != payload:
        raise ProofRejected(
            expected="a statement whose standard fields follow from its decision",
            found="fields that contradict it",
            remedy="Do not trust this statement.",
        )
    return signed


def test_result_statement(
    manifest: Manifest, measurements: Sequence[Measurement], results: Sequence[CheckResult], *, nonce: str
) -> dict[str, Any]:
    """The statement of checks that were run beside the data, with the measurements for the gate to judge again.

    ``nonce`` is 128 random bits in hexadecimal, so that digests of small data cannot be guessed. ``result`` is
    ``PASSED`` when a check passed and none did otherwise; no results at all are ``FAILED``.
    """
    by_status = {status: [each.check for each in results if each.status is status] for status in CheckStatus}
    warned = by_status[CheckStatus.WARNED]
    failed = [each.check for each in results if each.status not in LETS_BY | {CheckStatus.WARNED}]
    proved = bool(by_status[CheckStatus.PASSED] or warned) and not failed
    return _statement(
        manifest.subject,
        TEST_RESULT,
        {
            "result": ("WARNED" if warned else "PASSED") if proved else "FAILED",
            "configuration": [{"name": "manifest", "digest": _digest_set(manifest.value_digest())}],
            "passedTests": by_status[CheckStatus.PASSED],
            "warnedTests": warned,
            "failedTests": failed,
            MEASUREMENTS_FIELD: {
                "manifest": manifest.document(),
                "measurements": [each.document() for each in measurements],
                "nonce": nonce,
            },
        },
    )


# pytest would collect a function of this name wherever a test imports it.
test_result_statement.__test__ = False  # type: ignore[attr-defined]  # functions take attributes


def read_test_result(envelope: bytes, trusted: Mapping[str, PublicKey]) -> AttestedEvidence:
    """The evidence in a signed test result, for the gate to store and judge by its own policy.

    The signer's own verdict is not read: it was given under parameters that the gate does not know.

    Raises:
        ProofRejected: the envelope, its signature or its statement does not hold, the key is not among ``trusted``, or
            the subject is not the manifest's.
    """
    opened = read_envelope(envelope)
    statement = _read(verify(opened, trusted), TEST_RESULT, "a test result")
    found = _parse(_Measured, statement.predicate.get(MEASUREMENTS_FIELD), f"the field {MEASUREMENTS_FIELD}")
    if statement.subject[0].digest != _digest_set(found.manifest.subject.digest):
        raise ProofRejected(
            expected="measurements of the statement's subject",
            found="a manifest of another model",
            remedy="Sign the test result of the model that was measured.",
        )
    return AttestedEvidence(found.manifest.document(), found.measurements, opened.signatures[0].keyid)


def _statement(subject: Subject, predicate_type: str, predicate: dict[str, Any]) -> dict[str, Any]:
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": subject.label, "digest": _digest_set(subject.digest)}],
        "predicateType": predicate_type,
        "predicate": predicate,
    }


def _policy(policy: PolicyReference | None) -> dict[str, Any]:
    """The policy as a resource; where none applied, which the gate answers with ``indeterminate``, a name for that."""
    if policy is None:
        return {"uri": "urn:assay:policy:none"}
    return {
        "uri": f"urn:assay:policy:{quote(policy.name, safe='')}:{policy.version}",
        "digest": _digest_set(policy.digest),
    }


def _digest_set(digest: str) -> dict[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}


def _read(payload: bytes, predicate_type: str, what: str) -> _Statement:
    try:
        raw = read_json(payload)
        exact = canonical(raw) == payload
    except AssayError as fault:
        raise _relabelled(fault) from fault
    if not exact:
        raise ProofRejected(
            expected="the payload in its RFC 8785 form",
            found="another spelling",
            remedy="Sign the canonical bytes of the statement.",
        )
    statement = _parse(_Statement, raw, f"an in-toto statement about {what}")
    if statement.predicate_type != predicate_type:
        raise ProofRejected(
            expected=f"{what} ({predicate_type})",
            found=statement.predicate_type[:120],
            remedy="Send a statement of the expected kind.",
        )
    return statement


def _parse(model: type[ValueT], raw: Any, what: str) -> ValueT:
    try:
        return parse_value(model, raw, what=what)
    except AssayError as fault:
        raise _relabelled(fault) from fault


def _relabelled(fault: AssayError) -> ProofRejected:
    return ProofRejected(
        expected=fault.expected, found=fault.found, remedy="Send the statement as it was signed.", pointer=fault.pointer
    )
