"""Examples of what people send to the gate, for the OpenAPI document; tests send them, so that they stay true."""

from typing import Any

from api.examples import SUBJECT

SHA256 = "sha256:" + "3c" * 32
DECISION_ID = "0199c2a4-7e1b-7c3d-9f00-5a5a5a5a5a5a"

WAIVER: dict[str, Any] = {
    "checks": ["fairness"],
    "subject": SUBJECT,
    "environment": "prod",
    "bounds": {"fairness": [{"metric": "selection_rate_ratio", "at_least": "0.72"}]},
    "reason": "The gap comes from the pilot region; the corrected sampling lands with version 8.",
    "ticket": "RISK-1412",
    "expires_at": "2026-12-20T00:00:00Z",
}
WAIVER_APPROVAL: dict[str, Any] = {"comment": "Agreed until version 8."}
WAIVER_REVOCATION: dict[str, Any] = {"reason": "Version 8 is out."}
APPROVAL: dict[str, Any] = {"approved_digest": SHA256, "verdict": "approve", "comment": "Checked with the risk team."}
REVIEW: dict[str, Any] = {"reviewed_digest": SHA256, "verdict": "accept", "comment": "Chance explains the gap."}
BREAK_GLASS: dict[str, Any] = {
    "decision_id": DECISION_ID,
    "reason": "The model in production answers with errors; this version is the only one that loads.",
    "incident_id": "INC-2026-1124",
    "hours": 2,
}
BREAK_GLASS_REVIEW: dict[str, Any] = {"verdict": "justified", "comment": "The incident left no other way."}

SAID: dict[int | str, dict[str, Any]] = {200: {"description": "It was said before, and stays as it is"}}
