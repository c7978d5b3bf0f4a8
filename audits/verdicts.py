"""From an evaluation's case to its verdict: checks judged, waivers applied, people heard, all combined."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from audits.approval_records import acts_upon
from audits.approvals import approval_digest, counting, said
from audits.attestation_records import stated_about
from audits.attestations import counted
from audits.decision import Combined, combine
from audits.eligible import eligible_approvers, owners
from audits.judging import Case, outcome
from audits.model_facts import blocked_by
from audits.plan import Planned
from audits.waiver_records import waivers_about
from audits.waivers import apply
from governance.database import Unit
from governance.types.attestation import AttestationUse
from governance.types.decision import CheckOutcome, PersonsAct, WaiverUse
from governance.types.evaluation import EvaluationRequest
from governance.types.results import CheckStatus, Reason, Verdict


@dataclass(frozen=True, slots=True)
class Found:
    """A verdict with everything that it came from. ``to_approve`` is null where no policy applied."""

    combined: Combined
    outcomes: tuple[CheckOutcome, ...] = ()
    waivers_used: tuple[WaiverUse, ...] = ()
    people: tuple[PersonsAct, ...] = ()
    to_approve: str | None = None
    asks: tuple[str, ...] = ()
    attestations: tuple[AttestationUse, ...] = ()


def found(unit: Unit, case: Case, planned: Sequence[Planned]) -> Found:
    """The verdict on a case as things stand now."""
    row, policy = case.row, case.policy
    body = EvaluationRequest.model_validate(row.request)
    judged = [outcome(unit, case, check, now=unit.now) for check in planned]
    waivers = waivers_about(unit, body.subject, body.environment)
    acts = acts_upon(unit, row.id) if row.awaiting is not None else ()  # nobody says anything before being asked
    whose = owners(unit, body.subject) if waivers or acts or policy.approvals else frozenset()
    waived = apply(judged, policy, waivers, at=unit.now, barred=whose)
    known = stated_about(unit, body.subject.digest) if policy.attestations else []
    stated = counted(policy.attestations, known, at=unit.now)
    to_approve = approval_digest(
        # Nobody was shown what is only tried, so no approval is bound to it.
        policy_digest=case.tried or row.policy_digest or "",
        subject=body.subject,
        environment=body.environment,
        mode=body.mode,
        outcomes=waived.outcomes,
        waivers=waived.used,
        attestations=stated.used,
        inline={check.check.id for check in planned if check.check.place == "inline"},
    )
    barred = whose | {row.principal}
    may = eligible_approvers(unit, excluding=barred, subject=body.subject) if policy.approvals else frozenset()
    heard = said(acts, to_approve, eligible=may, barred=barred)
    combined = combine(policy, {item.id: item.result for item in waived.outcomes}, heard)
    warned = any(item.result.status is CheckStatus.WARNED for item in waived.outcomes)
    asks = [
        *(["review"] if warned and policy.on_warn == "review" else []),
        *(["approval"] if policy.approvals else []),
    ]
    return Found(
        combined=blocked_by(_noted(combined, waived.notes), stated.missing),
        outcomes=waived.outcomes,
        waivers_used=waived.used,
        people=counting(acts, to_approve, barred),
        to_approve=to_approve,
        asks=tuple(asks),
        attestations=stated.used,
    )


def nothing_found(gap: Reason | None) -> Found:
    """The verdict where no policy applies; ``gap`` is the particular reason for that, if there is one."""
    return Found(Combined(Verdict.INDETERMINATE, (gap,)) if gap is not None else combine(None, {}))


def missed(found: Found) -> Found:
    """What it comes to when the people it waits for did not come before the deadline."""
    reasons = []
    for waiting in found.combined.waiting_for:
        if waiting.act == "review":
            message = f"Nobody reviewed the warnings of {', '.join(waiting.checks)} before the deadline."
            remedy = "Look at the warnings and mend them, or publish a policy with `on_warn: allow`."
        else:
            message = f"{waiting.missing} approvals by the role {waiting.role} were missing at the deadline."
            remedy = "Ask the gate again, and have it approved in time: ASSAY_GATE__PEOPLE_SECONDS."
        reasons.append(Reason(code=f"{waiting.act}.missing", message=message, remediation=remedy))
    combined = Combined(Verdict.INDETERMINATE, (*found.combined.reasons, *reasons))
    return replace(found, combined=combined)


def _noted(combined: Combined, notes: Sequence[Reason]) -> Combined:
    """Why waivers did not help is said where something stands in the way, after what does."""
    if not notes or combined.verdict is Verdict.ALLOW:
        return combined
    return Combined(combined.verdict, (*combined.reasons, *notes), combined.waiting_for)
