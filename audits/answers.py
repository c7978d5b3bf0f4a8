"""How stored things look in answers."""

from collections.abc import Sequence
from typing import Any

from audits import store
from audits.approval_records import acts_upon
from audits.eligible import eligible_approvers
from audits.tables import DecisionRow, EvaluationRow
from governance.database import ReadUnit
from governance.types.decision import CheckOutcome, Decision, WaiverUse
from governance.types.evaluation import EvaluationRequest

MANY = 20
"""People that a pending answer names; of more it says how many they are."""


def decided(unit: ReadUnit, row: DecisionRow) -> dict[str, Any]:
    """A stored decision as the gate answers it; the same bytes whenever it is asked for."""
    return decision_answer(row, store.decision(unit, row))


def decision_answer(row: DecisionRow, decision: Decision) -> dict[str, Any]:
    """A decision as the gate answers it, from its row and its value."""
    told = decision.model_dump(mode="json", include={"evaluated_at", "valid_until"})
    base, own = f"/v1/decisions/{row.id}", f"/v1/gate/evaluations/{row.evaluation_id}"
    return {
        "decision_id": row.id,
        "verdict": decision.verdict.value,
        "mode": decision.mode,
        "reasons": [reason.document() for reason in decision.reasons],
        "checks": [check_answer(outcome, decision.waivers_used) for outcome in decision.checks],
        "subject": decision.subject.document(),
        "environment": decision.environment,
        "policy": decision.policy.document() if decision.policy else None,
        "engine": decision.engine,
        "evaluated_at": told["evaluated_at"],
        "valid_until": told["valid_until"],
        "input_digest": decision.input_digest,
        "decision_digest": row.digest,
        "warnings": [preview.document() for preview in decision.previews if preview.stage == "warn"],
        "waivers_used": [use.document() for use in decision.waivers_used],
        "people": [act.document() for act in decision.people],
        "attestations": [use.document() for use in decision.attestations],
        # What may stand beside a decision comes after it, and this answer never changes.
        "break_glass": {"grants": f"{base}/grants"},
        "links": {
            "self": own,
            "decision": base,
            "bundle": f"{base}/bundle",
            "tlog_proof": f"{base}/tlog-proof",
            "junit": f"{own}/junit",
            "sarif": f"{own}/sarif",
            "markdown": f"{own}/markdown",
        },
        "log": {"index": row.log_index, "origin": decision.origin},
    }


def check_answer(outcome: CheckOutcome, waivers_used: Sequence[WaiverUse]) -> dict[str, Any]:
    """A check as answers show it: one that was waived with its real figures, and by which waiver."""
    result = outcome.result
    return {
        "id": outcome.id,
        "required": True,
        "status": result.status.value,
        "reason": result.reason,
        "message": result.message,
        "observed": result.observed,
        "interval": result.interval.document() if result.interval else None,
        "limit": result.limit,
        "n": result.n,
        "severity": outcome.severity.value,
        "evidence": outcome.measurement_digest,
        "origin": outcome.origin.value if outcome.origin else None,
        "waiver_id": next((use.id for use in waivers_used if outcome.id in use.checks), None),
    }


def pending(unit: ReadUnit, row: EvaluationRow) -> dict[str, Any]:
    """An evaluation that has not ended: what is waited for, and of people how many, and who they could be.

    ``to_approve`` is the digest that an approval or a review names; it stays while nothing new is found.
    """
    answer: dict[str, Any] = {
        "evaluation_id": row.id,
        "verdict": "pending",
        "state": row.state,
        "waiting_for": [{"what": "measurements"}],
        "deadline": row.deadline.isoformat() if row.deadline else None,
        "links": {"self": f"/v1/gate/evaluations/{row.id}"},
    }
    asked: dict[str, Any] | None = row.awaiting
    if asked is None:
        return answer
    if row.state in store.AWAITING:
        subject = EvaluationRequest.model_validate(row.request).subject
        who = sorted(eligible_approvers(unit, excluding={row.principal}, subject=subject))
        answer["waiting_for"] = [_waiting(one, who) for one in asked["waiting_for"]]
    base = f"/v1/evaluations/{row.id}"
    links = {**answer["links"], "approvals": f"{base}/approvals", "reviews": f"{base}/reviews"}
    shown = {key: asked[key] for key in ("to_approve", "checks", "reasons")}
    people = [act.document() for act in acts_upon(unit, row.id)]
    return {**answer, **shown, "people": people, "links": links}


def _waiting(one: dict[str, Any], who: Sequence[str]) -> dict[str, Any]:
    """Whom a pending answer names: everybody who may, where they are not many."""
    return {
        "what": one["act"],
        "role": one["role"],
        "missing": one["missing"],
        "checks": one["checks"],
        "eligible_count": len(who),
        "eligible": list(who) if len(who) <= MANY else [],
    }


def full(decision: Decision) -> dict[str, Any]:
    """A decision whole, as it was hashed and signed."""
    return dict(decision.document())
