"""How stored things look in answers."""

from typing import Any

from audits import store
from audits.tables import DecisionRow, EvaluationRow
from governance.database import ReadUnit
from governance.types.decision import CheckOutcome, Decision


def decided(unit: ReadUnit, row: DecisionRow) -> dict[str, Any]:
    """A decision as the gate answers it; the same bytes whenever it is asked for."""
    decision = store.decision(unit, row)
    base = f"/v1/decisions/{row.id}"
    return {
        "decision_id": row.id,
        "verdict": decision.verdict.value,
        "mode": decision.mode,
        "reasons": [reason.document() for reason in decision.reasons],
        "checks": [_check(outcome) for outcome in decision.checks],
        "subject": decision.subject.document(),
        "environment": decision.environment,
        "policy": decision.policy.document() if decision.policy else None,
        "engine": decision.engine,
        "evaluated_at": decision.document()["evaluated_at"],
        "valid_until": decision.document()["valid_until"],
        "input_digest": decision.input_digest,
        "decision_digest": row.digest,
        "warnings": [preview.document() for preview in decision.previews if preview.stage == "warn"],
        "waivers_used": [],
        "break_glass": None,
        "links": {
            "self": f"/v1/gate/evaluations/{row.evaluation_id}",
            "decision": base,
            "bundle": f"{base}/bundle",
            "tlog_proof": f"{base}/tlog-proof",
        },
        "log": {"index": row.log_index, "origin": decision.origin},
    }


def _check(outcome: CheckOutcome) -> dict[str, Any]:
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
        "waiver_id": None,
    }


def pending(row: EvaluationRow) -> dict[str, Any]:
    """An evaluation that has not ended."""
    waiting = "a review of its warnings" if row.state == "awaiting_review" else "measurements"
    return {
        "evaluation_id": row.id,
        "verdict": "pending",
        "state": row.state,
        "waiting_for": [waiting],
        "deadline": row.deadline.isoformat() if row.deadline else None,
        "links": {"self": f"/v1/gate/evaluations/{row.id}"},
    }


def full(decision: Decision) -> dict[str, Any]:
    """A decision whole, as it was hashed and signed."""
    return dict(decision.document())
