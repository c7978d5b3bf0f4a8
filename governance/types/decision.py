"""A decision of the gate, complete: what was asked, what was found, under which policy, and until when it holds."""

from datetime import datetime
from typing import ClassVar, Literal

from pydantic import Field, JsonValue

from governance.types.attestation import AttestationUse
from governance.types.policy import PolicyReference
from governance.types.results import CheckResult, CheckStatus, Origin, Reason, Verdict
from governance.types.subject import Subject
from governance.types.value import Digest, Severity, Value


class CheckOutcome(Value):
    """A check as the decision counted it: its result and the evidence under it."""

    id: str
    title: str
    severity: Severity
    reason_planned: str
    result: CheckResult
    params: dict[str, JsonValue] = Field(default_factory=dict)
    measurement_digest: Digest | None = None
    origin: Origin | None = None
    collected_at: datetime | None = None
    signer: str | None = None


class Preview(Value):
    """What another version of a policy would have said of the same evidence. It never changes the verdict.

    Waivers count as they would have. Nobody is asked about it, so ``pending`` says whom the gate would have waited for.
    """

    policy: PolicyReference
    stage: Literal["shadow", "warn"]
    verdict: Verdict
    reasons: tuple[Reason, ...] = ()


class WaiverUse(Value):
    """A waiver that let checks by. ``checks`` maps each of them to the status that it would have without it."""

    id: str
    digest: Digest
    checks: dict[str, CheckStatus]
    reason: str
    ticket: str
    expires_at: datetime
    requested_by: str
    approved_by: tuple[str, ...]


class PersonsAct(Value):
    """What a person said of exactly what was decided on (``approved_digest``): an approval, or a review of warnings.

    ``digest`` is that of the act's own document, which is in the log.
    """

    act: Literal["approval", "review"]
    verdict: Literal["approve", "accept", "reject"]
    by: str
    name: str
    at: datetime
    comment: str = ""
    approved_digest: Digest
    digest: Digest


class Decision(Value):
    """The gate's answer with everything it rests on; a pure function of its inputs and ``evaluated_at``.

    ``origin`` names the instance's log. ``input_digest`` covers the snapshot that was judged (subject, environment,
    policy, measurements, nonce); ``nonce`` is 128 random bits in hexadecimal, so that digests of small data cannot be
    guessed. ``valid_until`` is null unless the verdict is ``allow``; it is no later than the end of a waiver in use.
    """

    kind: Literal["assay.decision/v1"] = "assay.decision/v1"
    decision_id: str
    origin: str
    verdict: Verdict
    mode: Literal["enforce", "dry_run"] = "enforce"
    reasons: tuple[Reason, ...]
    checks: tuple[CheckOutcome, ...]
    subject: Subject
    environment: str
    policy: PolicyReference | None
    engine: str
    evaluated_at: datetime
    valid_until: datetime | None = None
    input_digest: Digest
    manifest_digest: Digest | None = None
    ancestry_digest: Digest | None = None
    nonce: str
    context: dict[str, str] = Field(default_factory=dict)
    previews: tuple[Preview, ...] = ()
    waivers_used: tuple[WaiverUse, ...] = ()
    people: tuple[PersonsAct, ...] = ()
    attestations: tuple[AttestationUse, ...] = ()

    later_fields: ClassVar[frozenset[str]] = frozenset({"previews", "waivers_used", "people", "attestations"})
