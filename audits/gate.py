"""The gate's path: a request becomes an evaluation, its checks are answered, and a decision is sealed."""

import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

from audits import store
from audits.context import GateContext
from audits.decision import Combined, combine
from audits.evidence import seal
from audits.judging import Case, case_of, outcome, result_digests, to_measure
from audits.plan import Planned
from audits.policies import Place, choose
from audits.previews import judged
from audits.tables import DecisionRow, EvaluationRow
from governance import __version__
from governance.canonical import digest
from governance.clock import rfc3339, uuid7
from governance.database import Unit
from governance.errors import AssayError, Conflict, InputRefused
from governance.jobs.lease import QUEUED
from governance.registry.models import registered
from governance.types.ancestry import Ancestry
from governance.types.decision import CheckOutcome, Decision, Preview
from governance.types.evaluation import EvaluationRequest
from governance.types.manifest import Manifest
from governance.types.policy import PolicyReference
from governance.types.results import Reason, Verdict
from governance.types.subject import Subject
from governance.types.value import duration
from lineage.view import StoredLineage

ENGINE = f"assay {__version__}"


@dataclass(frozen=True, slots=True)
class Accepted:
    """An evaluation that was taken: its id, and whether it answers an earlier request with the same key."""

    id: str
    replayed: bool


def request(
    unit: Unit, context: GateContext, body: EvaluationRequest, *, principal: str, key: str, ring: Callable[[str], None]
) -> Accepted:
    """Take a gate request; when all its evidence is at hand it is decided in this very transaction.

    Raises:
        InputRefused: the key was used for another body, or evidence is of another subject.
        NotFound: the policy or a piece of evidence does not exist. Conflict: several policies or models fit.
    """
    store.require_seen(unit, body.subject)
    body_digest = body.value_digest()
    earlier = store.evaluation_of_key(unit, principal, key)
    if earlier is not None:
        return _replayed(earlier, body_digest)
    evidence = _evidence(unit, body)
    manifest_digest = _manifest_digest(unit, evidence, body)
    ancestry = StoredLineage(unit).ancestry(body.subject)
    choice = choose(unit, name=body.policy, place=_place(unit, body, ancestry))
    policy = choice.policy
    values = {
        "id": str(uuid7(unit.now)),
        "state": QUEUED,
        "attempts": 0,
        "deadline": unit.now + timedelta(seconds=context.settings.gate.deadline_seconds),
        "principal": principal,
        "idempotency_key": key,
        "body_digest": body_digest,
        "request": body.document(),
        "policy_name": policy.name if policy else None,
        "policy_version": policy.version if policy else None,
        "policy_digest": policy.digest if policy else None,
        "policy_gap": choice.gap.document() if choice.gap else None,
        "previews": [tried.document() for tried in choice.tried],
        "manifest_digest": manifest_digest,
        "evidence": evidence,
        "nonce": secrets.token_hex(16),
        "requested_at": unit.now,
        "faults": [],
    }
    row = store.add_evaluation(unit, values)
    if row is None:  # the same request arrived twice at one moment, and the other was first
        return _replayed(_first_of(unit, principal, key), body_digest)
    identifier = row.id  # after the commit the row can no longer be asked
    case, planned = _case(unit, row)
    # What is only tried is left to a worker, which goes on without it where it faults: this request must not fail.
    if choice.tried or (case and to_measure(unit, case, planned, now=unit.now)):
        unit.after_commit(lambda: ring(identifier))
    else:
        _conclude(unit, context, row, case, planned)
    return Accepted(identifier, replayed=False)


def _first_of(unit: Unit, principal: str, key: str) -> EvaluationRow:
    other = store.evaluation_of_key(unit, principal, key)
    if other is None:
        raise Conflict(
            expected="one request with this Idempotency-Key at a time",
            found="another one in flight",
            remedy="Send it again in a moment.",
        )
    return other


def _replayed(earlier: EvaluationRow, body_digest: str) -> Accepted:
    if earlier.body_digest != body_digest:
        raise InputRefused(
            expected="the body that this Idempotency-Key was first sent with",
            found="another body",
            remedy="Use a new key for a new request.",
        )
    return Accepted(earlier.id, replayed=True)


def _evidence(unit: Unit, body: EvaluationRequest) -> list[str]:
    if body.evidence == "latest":
        return store.latest_evidence(unit, body.subject.digest)
    return sorted({reference.digest for reference in body.evidence})


def _manifest_digest(unit: Unit, evidence: list[str], body: EvaluationRequest) -> str | None:
    rows = [store.evidence(unit, name) for name in evidence]
    if any(row.subject_digest != body.subject.digest for row in rows):
        raise InputRefused(
            expected=f"evidence about {body.subject.digest}",
            found="evidence about another model",
            remedy="Submit evidence whose manifest names this subject.",
            pointer="/evidence",
        )
    manifests = {row.manifest_digest for row in rows}
    if len(manifests) > 1:
        raise InputRefused(
            expected="evidence made from one manifest",
            found=f"evidence from {len(manifests)} manifests",
            remedy="Name the test results of one manifest.",
            pointer="/evidence",
        )
    return next(iter(manifests), None)


def _place(unit: Unit, body: EvaluationRequest, ancestry: Ancestry) -> Place:
    """What decides on the policy: what the registry says of the model, else what lineage does."""
    known = registered(unit, body.subject.digest)
    tier = next((node.risk_tier for node in ancestry.datasets if node.key == ancestry.subject), None)
    return Place(
        environment=body.environment,
        at=unit.now,
        risk_tier=known.risk_tier if known else tier,
        jurisdictions=frozenset(known.jurisdictions if known else ()),
    )


def _case(unit: Unit, row: EvaluationRow) -> tuple[Case | None, list[Planned]]:
    """What the evaluation judges, and its plan; no case when no policy applies."""
    if row.policy_digest is None:
        return None, []
    return case_of(unit, row, row.policy_digest)


def missing(unit: Unit, row: EvaluationRow) -> list[Planned]:
    """Checks that have yet to be measured for this evaluation."""
    case, planned = _case(unit, row)
    return to_measure(unit, case, planned, now=unit.now) if case else []


def conclude(unit: Unit, context: GateContext, row: EvaluationRow) -> DecisionRow | None:
    """Judge what there is and seal the decision; None when it still waits for a person.

    Past the deadline nothing is waited for: what is missing then makes the verdict indeterminate.
    """
    return _conclude(unit, context, row, *_case(unit, row))


def _conclude(
    unit: Unit, context: GateContext, row: EvaluationRow, case: Case | None, planned: list[Planned]
) -> DecisionRow | None:
    outcomes = [outcome(unit, case, check, now=unit.now) for check in planned] if case else []
    combined = combine(case.policy if case else None, {item.id: item.result for item in outcomes})
    if case is None and row.policy_gap is not None:
        combined = Combined(Verdict.INDETERMINATE, (Reason.model_validate(row.policy_gap),))
    if combined.verdict is Verdict.PENDING:
        if row.deadline is None or unit.now < row.deadline:
            row.state = "awaiting_review"
            unit.session.flush()
            return None
        combined = _review_missed(combined)
    manifest = case.manifest if case else None
    return _end(unit, context, row, outcomes, combined, manifest=manifest, previews=judged(unit, row))


def _end(
    unit: Unit,
    context: GateContext,
    row: EvaluationRow,
    outcomes: list[CheckOutcome],
    combined: Combined,
    *,
    manifest: Manifest | None,
    previews: tuple[Preview, ...] = (),
) -> DecisionRow:
    decision = _decision(unit, context, row, outcomes, combined, previews=previews)
    sealed = seal(unit, context, decision, evaluation=row, manifest=manifest)
    row.state = "done"
    unit.session.flush()
    return sealed


def _review_missed(combined: Combined) -> Combined:
    reason = Reason(
        code="review.missing",
        message=f"Nobody did the {' and the '.join(combined.waiting_for)} before the deadline.",
        remediation="Look at the warnings and mend them, or publish a policy with `on_warn: allow`.",
    )
    return Combined(Verdict.INDETERMINATE, (*combined.reasons, reason))


def _decision(
    unit: Unit,
    context: GateContext,
    row: EvaluationRow,
    outcomes: list[CheckOutcome],
    combined: Combined,
    *,
    previews: tuple[Preview, ...],
) -> Decision:
    body = EvaluationRequest.model_validate(row.request)
    policy = _reference(row)
    ancestry = known_ancestry(unit, body.subject)
    ancestry_digest = store.keep(unit, "ancestry", ancestry) if ancestry else None
    under = result_digests(outcomes)
    reasons = tuple(
        reason.model_copy(update={"evidence_digest": under.get(reason.check or "")}) for reason in combined.reasons
    )
    snapshot = {
        "request": row.body_digest,
        "policy": row.policy_digest,
        "manifest": row.manifest_digest,
        "measurements": dict(under),
        "faults": row.faults,
        "ancestry": ancestry_digest,
        "nonce": row.nonce,
        "engine": ENGINE,
        "evaluated_at": rfc3339(unit.now),
        **({"previews": row.previews} if row.previews else {}),
    }
    allowed = combined.verdict is Verdict.ALLOW and row.policy_digest is not None
    validity = store.policy(unit, row.policy_digest).validity if allowed and row.policy_digest else None
    return Decision(
        decision_id=row.id,
        origin=context.origin,
        verdict=combined.verdict,
        mode=body.mode,
        reasons=reasons,
        checks=tuple(outcomes),
        subject=body.subject,
        environment=body.environment,
        policy=policy,
        engine=ENGINE,
        evaluated_at=unit.now,
        valid_until=unit.now + duration(validity) if validity else None,
        input_digest=digest(snapshot),
        manifest_digest=row.manifest_digest,
        ancestry_digest=ancestry_digest,
        nonce=row.nonce,
        context=body.context,
        previews=previews,
    )


def known_ancestry(unit: Unit, subject: Subject) -> Ancestry | None:
    """The subject's ancestry as of now; None where lineage contradicts itself, which checks that need it report."""
    try:
        return StoredLineage(unit).ancestry(subject, as_of=unit.now)
    except AssayError:
        return None


def abandon(unit: Unit, context: GateContext, row: EvaluationRow) -> DecisionRow:
    """Seal an indeterminate decision on an evaluation that faulted again and again: it must end, and it must block."""
    reason = Reason(
        code="engine.fault",
        message="The service met a fault of its own in each of its attempts; nothing was decided.",
        remediation="Ask the operator to look at the service's log, then ask the gate again.",
    )
    return _end(unit, context, row, [], Combined(Verdict.INDETERMINATE, (reason,)), manifest=None)


def _reference(row: EvaluationRow) -> PolicyReference | None:
    if row.policy_name is None or row.policy_version is None or row.policy_digest is None:
        return None
    return PolicyReference(name=row.policy_name, version=row.policy_version, digest=row.policy_digest)
