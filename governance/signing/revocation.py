"""What is signed when a decision is taken back: a later statement about the same bytes, which says FAILED.

Like a decision's statement it is a projection of our own field, so that a verifier can compute it again.

Source: in-toto attestation, Statement v1 and the predicate ``verification_summary/v1``.
"""

from datetime import datetime
from typing import Any, Literal
from urllib.parse import quote

from governance.canonical import canonical, read_json
from governance.clock import rfc3339
from governance.errors import AssayError, ProofRejected
from governance.signing.statement import STATEMENT_TYPE, VERIFICATION_SUMMARY
from governance.types.policy import PolicyReference
from governance.types.subject import Subject
from governance.types.value import Digest, Name, Prose, Value, parse_value

REVOCATION_FIELD = "urn:assay:revocation:v1"

Cause = Literal[
    "consent_withdrawn", "erasure_asked", "retention_passed", "data_recalled", "policy_changed", "evidence_invalid",
    "monitoring_limit", "key_compromised", "incident", "other",
]  # fmt: skip
"""What made somebody take a decision back."""


class SignedRevocation(Value):
    """What the signature says: which decision does not hold any more, since when, why, and who says so.

    ``seq`` is its place in the instance's feed, which has no gaps; ``nonce`` is 128 random bits in hexadecimal.
    """

    seq: int
    decision_id: str
    decision_digest: Digest
    origin: str
    environment: Name
    subject: Subject
    policy: PolicyReference | None
    engine: str
    cause: Cause
    reason: Prose
    revoked_at: datetime
    revoked_by: str
    nonce: str


def revocation_statement(signed: SignedRevocation) -> dict[str, Any]:
    """The in-toto statement that ``signed`` gives; every field of the standard follows from it."""
    subject, policy = signed.subject, signed.policy
    parts = (subject.namespace, subject.name, subject.version)
    judged: dict[str, Any] = {"uri": "urn:assay:policy:none"}
    if policy is not None:
        uri = f"urn:assay:policy:{quote(policy.name, safe='')}:{policy.version}"
        judged = {"uri": uri, "digest": _digest_set(policy.digest)}
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": subject.label, "digest": _digest_set(subject.digest)}],
        "predicateType": VERIFICATION_SUMMARY,
        "predicate": {
            "verifier": {"id": f"urn:assay:{signed.origin}", "version": {"assay": signed.engine}},
            "timeVerified": rfc3339(signed.revoked_at),
            "resourceUri": "urn:assay:model:" + ":".join(quote(part, safe="") for part in parts),
            "policy": judged,
            "inputAttestations": [
                {"uri": f"urn:assay:decision:{signed.decision_id}", "digest": _digest_set(signed.decision_digest)}
            ],
            "verificationResult": "FAILED",
            "verifiedLevels": ["FAILED"],
            REVOCATION_FIELD: signed.document(),
        },
    }


def read_revocation(payload: bytes) -> SignedRevocation:
    """The revocation in a verified payload.

    Raises:
        ProofRejected: it is not a revocation's statement, or its standard fields disagree with our own.
    """
    try:
        raw = read_json(payload)
        predicate = raw.get("predicate") if isinstance(raw, dict) else None
        told = predicate.get(REVOCATION_FIELD) if isinstance(predicate, dict) else None
        signed = parse_value(SignedRevocation, told, what=f"the field {REVOCATION_FIELD}")
        exact = canonical(revocation_statement(signed)) == payload
    except AssayError as fault:
        raise ProofRejected(
            expected=fault.expected, found=fault.found, remedy="Send the statement as it was signed."
        ) from fault
    if not exact:
        raise ProofRejected(
            expected="a statement whose standard fields follow from its revocation",
            found="fields that contradict it",
            remedy="Do not trust this statement.",
        )
    return signed


def _digest_set(digest: str) -> dict[str, str]:
    return {"sha256": digest.removeprefix("sha256:")}
