"""From a decision and what it rests on to a dossier. Pure: everything is handed in, nothing is looked up."""

from collections import Counter
from collections.abc import Iterable, Mapping
from datetime import datetime

from governance.errors import InputRefused
from governance.plugins import BUILT_IN
from governance.types.ancestry import Ancestry
from governance.types.decision import CheckOutcome, Decision
from governance.types.policy import Policy
from governance.types.results import CheckStatus, Measurement
from governance.types.value import Digest
from reports.dossier import (
    Dossier,
    EvidenceEntry,
    Identity,
    NotChecked,
    Proof,
    ProofSummary,
    Reproduction,
    Times,
)

_UNDECIDED = (CheckStatus.INSUFFICIENT_EVIDENCE, CheckStatus.ERROR, CheckStatus.NOT_RUN)

_NEVER_EXAMINED = (
    NotChecked(
        area="laws",
        what="which laws apply to this use, and whether they are complied with",
        reason="No law was examined; the report shows what was measured against the policy named in it.",
    ),
    NotChecked(
        area="operation",
        what="how the model behaves after it goes live",
        reason="The report describes one decision of the gate and the facts recorded by then.",
    ),
    NotChecked(
        area="changes",
        what="the difference from earlier versions of the model",
        reason="No earlier version was compared.",
    ),
)


def dossier(
    decision: Decision,
    *,
    ancestry: Ancestry | None,
    measurements: Mapping[Digest, Measurement],
    policy: Policy | None,
    proof: ProofSummary | None,
    compiled_at: datetime,
) -> Dossier:
    """The dossier of a decision.

    ``ancestry`` is the one the decision names by digest; ``measurements`` are found by the digests that the checks
    name; ``policy`` is the one it was made under. What is not at hand is null and listed as not checked.

    Raises:
        InputRefused: a part is not the one that the decision names, so that the report would show something else.
    """
    _same("ancestry", decision.ancestry_digest, ancestry.value_digest() if ancestry else None)
    _same("policy", decision.policy.digest if decision.policy else None, policy.value_digest() if policy else None)
    for name, found in sorted(measurements.items()):
        _same("measurement", name, found.value_digest())
    evidence = tuple(_evidence(outcome, measurements) for outcome in decision.checks)
    model = next((node for node in ancestry.datasets if node.key == ancestry.subject), None) if ancestry else None
    return Dossier(
        identity=Identity(
            subject=decision.subject,
            environment=decision.environment,
            origin=decision.origin,
            purposes=model.purposes if model else None,
            risk_tier=model.risk_tier if model else None,
            intended_use=model.intended_use if model else None,
        ),
        times=Times(as_of=decision.evaluated_at, known_at=decision.evaluated_at, compiled_at=compiled_at),
        decision=decision,
        counts=dict(sorted(Counter(outcome.result.status.value for outcome in decision.checks).items())),
        policy=policy,
        evidence=evidence,
        lineage=ancestry,
        not_checked=tuple(_not_checked(decision, ancestry, measurements, policy, proof)),
        proof=Proof(summary=proof, commands=_commands(decision, proof)) if proof else None,
        reproduction=_reproduction(decision, evidence),
    )


def _same(what: str, named: str | None, found: str | None) -> None:
    """A part at hand has the digest that the decision names; a decision that names none vouches for none."""
    if found is not None and found != named:
        raise InputRefused(
            expected=f"the {what} that the decision names ({named})",
            found=f"one with digest {found}",
            remedy="Compile the report from what is stored with the decision.",
        )


def _evidence(outcome: CheckOutcome, measurements: Mapping[Digest, Measurement]) -> EvidenceEntry:
    found = measurements.get(outcome.measurement_digest) if outcome.measurement_digest else None
    return EvidenceEntry(
        check=outcome.id,
        check_version=outcome.result.check_version,
        measurement_digest=outcome.measurement_digest,
        origin=outcome.origin,
        collected_at=outcome.collected_at,
        signer=outcome.signer,
        inputs=found.inputs if found else (),
        tools=dict(sorted(found.tools.items())) if found else {},
        seed=found.seed if found else None,
        sandbox_level=found.sandbox_level if found else None,
    )


def _reproduction(decision: Decision, evidence: Iterable[EvidenceEntry]) -> Reproduction:
    entries = list(evidence)
    tools = {f"{entry.check}: {name}": version for entry in entries for name, version in entry.tools.items()}
    return Reproduction(
        engine=decision.engine,
        input_digest=decision.input_digest,
        policy_digest=decision.policy.digest if decision.policy else None,
        manifest_digest=decision.manifest_digest,
        ancestry_digest=decision.ancestry_digest,
        seeds={entry.check: entry.seed for entry in entries if entry.seed is not None},
        tools=dict(sorted(tools.items())),
    )


def _commands(decision: Decision, proof: ProofSummary) -> tuple[str, ...]:
    subject = decision.subject.digest
    return (
        f"assay verify {proof.bundle_file} --trust {proof.trust_file} --digest {subject}",
        "sha256sum MODEL_FILE",
    )


def _not_checked(
    decision: Decision,
    ancestry: Ancestry | None,
    measurements: Mapping[Digest, Measurement],
    policy: Policy | None,
    proof: ProofSummary | None,
) -> Iterable[NotChecked]:
    for outcome in decision.checks:
        if outcome.result.status in _UNDECIDED:
            yield NotChecked(area=outcome.id, what="the check as a whole", reason=outcome.result.message)
    named = {outcome.id for outcome in decision.checks}
    for check in sorted(set(BUILT_IN) - named):
        yield NotChecked(area=check, what=f"the check {check}", reason="The policy does not ask for it.")
    for outcome in decision.checks:
        for what in outcome.result.not_checked:
            yield NotChecked(area=outcome.id, what=what, reason="The check does not look at it.")
        digest = outcome.measurement_digest
        if digest is not None and digest not in measurements:
            reason = "The measurement was not at hand when the report was compiled."
            yield NotChecked(area=outcome.id, what="what the numbers were taken from", reason=reason)
    if ancestry is None or ancestry.subject is None:
        yield NotChecked(area="lineage", what="where the model came from", reason="Lineage does not know the model.")
    elif ancestry.truncated:
        yield NotChecked(area="lineage", what="ancestors beyond those shown", reason="The ancestry was cut.")
    if policy is None:
        reason = "No policy was at hand." if decision.policy else "No policy applied to the request."
        yield NotChecked(area="policy", what="the text of the policy", reason=reason)
    if proof is None:
        yield NotChecked(area="proof", what="the decision's place in the log", reason="No proof was at hand.")
    yield from _NEVER_EXAMINED
