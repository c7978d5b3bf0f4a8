"""The gate's path: a request becomes an evaluation, its checks are answered, and a decision is sealed."""

import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from pydantic import JsonValue

from audits import store
from audits.answers import check_answer
from audits.context import GateContext
from audits.decision import Combined
from audits.evidence import Sealed, seal
from audits.judging import Case, case_of, result_digests, to_measure
from audits.model_facts import blocked_by, contradictions, require_same_model
from audits.plan import Planned
from audits.policies import Choice, Place, choose
from audits.previews import judged
from audits.room import require_room
from audits.tables import DecisionRow, EvaluationRow
from audits.verdicts import Found, found, missed, nothing_found
from governance import __version__
from governance.access.principal import Principal
from governance.access.roles import Permission
from governance.canonical import digest
from governance.clock import rfc3339, uuid7
from governance.database import Unit
from governance.errors import AssayError, Conflict, InputRefused
from governance.jobs.lease import QUEUED
from governance.notices.outbox import announce
from governance.registry.models import RegisteredModel
from governance.types.ancestry import Ancestry
from governance.types.decision import Decision, Preview
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
    """An evaluation that was taken: its id, and whether it answers an earlier request with the same key.

    ``sealed`` is the decision where it was taken at once; it counts when the transaction is committed.
    """

    id: str
    replayed: bool
    sealed: Sealed | None = None


def request(
    unit: Unit,
    context: GateContext,
    body: EvaluationRequest,
    *,
    principal: Principal,
    key: str,
    ring: Callable[[str], None],
) -> Accepted:
    """Take a gate request; when all its evidence is at hand it is decided in this very transaction.

    Raises:
        NotPermitted: the role does not ask the gate.
        InputRefused: the key was used for another body, or evidence is of another subject.
        NotFound: the policy or a piece of evidence does not exist. Conflict: several policies or models fit.
        Busy: too much waits to be measured; nothing of the request is stored.
    """
    principal.require(Permission.EVALUATE)
    store.require_seen(unit, body.subject)
    body_digest = body.value_digest()
    earlier = store.evaluation_of_key(unit, principal.id, key)
    if earlier is not None:
        return _replayed(earlier, body_digest)
    known = require_same_model(unit, body.subject)
    evidence = _evidence(unit, body)
    choice = choose(unit, name=body.policy, place=_place(unit, body, known))
    values = {
        "id": str(uuid7(unit.now)),
        "deadline": unit.now + timedelta(seconds=context.settings.gate.deadline_seconds),
        "principal": principal.id,
        "idempotency_key": key,
        "body_digest": body_digest,
        "request": body.document(),
        "manifest_digest": _manifest_digest(unit, evidence, body),
        "evidence": evidence,
        **_judged_by(choice),
        **_fresh(unit),
    }
    row = store.add_evaluation(unit, values)
    if row is None:  # the same request arrived twice at one moment, and the other was first
        return _replayed(_first_of(unit, principal.id, key), body_digest)
    identifier = row.id  # after the commit the row can no longer be asked
    case, planned = _case(unit, row)
    # What is only tried is left to a worker, which goes on without it where it faults: this request must not fail.
    if choice.tried or (case and to_measure(unit, case, planned, now=unit.now)):
        require_room(unit, context.settings.work, principal.id)
        unit.after_commit(lambda: ring(identifier))
        return Accepted(identifier, replayed=False)
    return Accepted(identifier, replayed=False, sealed=_conclude(unit, context, row, case, planned))


def _fresh(unit: Unit) -> dict[str, Any]:
    """What every evaluation begins with."""
    nonce = secrets.token_hex(16)
    return {"state": QUEUED, "attempts": 0, "nonce": nonce, "requested_at": unit.now, "faults": []}


def _judged_by(choice: Choice) -> dict[str, Any]:
    """The policy, or why there is none, and what is tried beside it, as the evaluation keeps them."""
    policy = choice.policy
    return {
        "policy_name": policy.name if policy else None,
        "policy_version": policy.version if policy else None,
        "policy_digest": policy.digest if policy else None,
        "policy_gap": choice.gap.document() if choice.gap else None,
        "previews": [tried.document() for tried in choice.tried],
    }


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


def _place(unit: Unit, body: EvaluationRequest, known: RegisteredModel | None) -> Place:
    """What decides on the policy: what the registry says of the model, else what lineage does."""
    ancestry = StoredLineage(unit).ancestry(body.subject, as_of=unit.now)
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
    sealed = _conclude(unit, context, row, *_case(unit, row))
    return sealed.row if sealed is not None else None


def _conclude(
    unit: Unit, context: GateContext, row: EvaluationRow, case: Case | None, planned: list[Planned]
) -> Sealed | None:
    if case is not None:
        said = found(unit, case, planned)
    else:
        said = nothing_found(Reason.model_validate(row.policy_gap) if row.policy_gap is not None else None)
    subject = EvaluationRequest.model_validate(row.request).subject
    against = contradictions(unit, subject, lambda: known_ancestry(unit, subject))
    said = replace(said, combined=blocked_by(said.combined, against))
    if said.combined.verdict is Verdict.PENDING:
        if _waits(unit, context, row):
            _ask_people(unit, row, said)
            return None
        said = missed(said)
    manifest = case.manifest if case else None
    return _end(unit, context, row, said, manifest=manifest, previews=judged(unit, row))


def _waits(unit: Unit, context: GateContext, row: EvaluationRow) -> bool:
    """Whether people still have time; theirs begins when everything that machines do is done."""
    if row.awaiting is None:
        row.deadline = unit.now + timedelta(seconds=context.settings.gate.people_seconds)
    return row.deadline is None or unit.now < row.deadline


def _ask_people(unit: Unit, row: EvaluationRow, said: Found) -> None:
    """Say in the row what they are asked, and tell whoever listens when that is new."""
    waiting = said.combined.waiting_for
    earlier = row.awaiting or {}
    row.state = "awaiting_review" if waiting[0].act == "review" else "awaiting_approval"
    row.awaiting = {
        "to_approve": said.to_approve,
        "asks": list(said.asks),
        "waiting_for": [asdict(one) for one in waiting],
        "checks": [check_answer(outcome, said.waivers_used) for outcome in said.outcomes],
        "reasons": [reason.document() for reason in said.combined.reasons],
    }
    if earlier.get("to_approve") != said.to_approve:
        told: dict[str, JsonValue] = {"to_approve": said.to_approve, "waiting_for": [one.act for one in waiting]}
        announce(unit, "assay.approval.asked", subject=f"evaluations/{row.id}", data=told)
    unit.session.flush()


def renew_evidence(unit: Unit, row: EvaluationRow) -> None:
    """Take up what was submitted since people were asked, where the request was for the latest evidence.

    What they said before was said of other evidence and does not count for the new.
    """
    body = EvaluationRequest.model_validate(row.request)
    if row.awaiting is None or body.evidence != "latest":
        return
    latest = store.latest_evidence(unit, body.subject.digest)
    if latest != row.evidence:
        row.evidence, row.faults = latest, []
        row.manifest_digest = _manifest_digest(unit, latest, body)
        unit.session.flush()


def _end(
    unit: Unit,
    context: GateContext,
    row: EvaluationRow,
    said: Found,
    *,
    manifest: Manifest | None,
    previews: tuple[Preview, ...] = (),
) -> Sealed:
    ancestry = known_ancestry(unit, EvaluationRequest.model_validate(row.request).subject)
    ancestry_digest = ancestry.value_digest() if ancestry else None
    decision = _decision(unit, context, row, said, ancestry_digest=ancestry_digest, previews=previews)
    store.end_evaluation(unit, row)
    return seal(unit, context, decision, evaluation=row, manifest=manifest, ancestry=ancestry)


def _decision(
    unit: Unit,
    context: GateContext,
    row: EvaluationRow,
    said: Found,
    *,
    ancestry_digest: str | None,
    previews: tuple[Preview, ...],
) -> Decision:
    body = EvaluationRequest.model_validate(row.request)
    under = result_digests(said.outcomes)
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
        **({"waivers": [use.digest for use in said.waivers_used]} if said.waivers_used else {}),
        **({"people": [act.digest for act in said.people]} if said.people else {}),
        **({"attestations": [use.digest for use in said.attestations]} if said.attestations else {}),
    }
    return Decision(
        decision_id=row.id,
        origin=context.origin,
        verdict=said.combined.verdict,
        mode=body.mode,
        reasons=_reasons(said, under),
        checks=said.outcomes,
        subject=body.subject,
        environment=body.environment,
        policy=_reference(row),
        engine=ENGINE,
        evaluated_at=unit.now,
        valid_until=_valid_until(unit, row, said),
        input_digest=digest(snapshot),
        manifest_digest=row.manifest_digest,
        ancestry_digest=ancestry_digest,
        nonce=row.nonce,
        context=body.context,
        previews=previews,
        waivers_used=said.waivers_used,
        people=said.people,
        attestations=said.attestations,
    )


def _reasons(said: Found, under: Mapping[str, str | None]) -> tuple[Reason, ...]:
    """The reasons, each with the digest of the measurement of its check."""
    return tuple(
        each.model_copy(update={"evidence_digest": under.get(each.check or "")}) for each in said.combined.reasons
    )


def _valid_until(unit: Unit, row: EvaluationRow, said: Found) -> datetime | None:
    """When an allow ends: after the policy's validity, or with the first waiver that it rests on."""
    if said.combined.verdict is not Verdict.ALLOW or row.policy_digest is None:
        return None
    ends = unit.now + duration(store.policy(unit, row.policy_digest).validity)
    return min([ends, *(use.expires_at for use in said.waivers_used)])


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
    return _end(unit, context, row, Found(Combined(Verdict.INDETERMINATE, (reason,))), manifest=None).row


def _reference(row: EvaluationRow) -> PolicyReference | None:
    if row.policy_name is None or row.policy_version is None or row.policy_digest is None:
        return None
    return PolicyReference(name=row.policy_name, version=row.policy_version, digest=row.policy_digest)
