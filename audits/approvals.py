"""What people say yes to, as a digest: everything that was found, and nothing that changes while nothing was. Pure."""

from collections.abc import Collection, Sequence

from pydantic import JsonValue

from audits.decision import Said
from governance.canonical import digest
from governance.types.attestation import AttestationUse
from governance.types.decision import CheckOutcome, PersonsAct, WaiverUse
from governance.types.subject import Subject


def approval_digest(
    *,
    policy_digest: str,
    subject: Subject,
    environment: str,
    mode: str,
    outcomes: Sequence[CheckOutcome],
    waivers: Sequence[WaiverUse],
    attestations: Sequence[AttestationUse] = (),
    inline: Collection[str] = (),
) -> str:
    """The digest that approvals and reviews are bound to: policy, subject, environment, results, waivers, statements.

    The measurement of an ``inline`` check is that of an instant and differs with each look, so that its results stand
    for it. New evidence gives another digest, and so voids what was said of the old one.
    """
    checks: list[JsonValue] = [_found(outcome, is_inline=outcome.id in inline) for outcome in outcomes]
    return digest(
        {
            "kind": "assay.approved/v1",
            "policy": policy_digest,
            "subject": subject.document(),
            "environment": environment,
            "mode": mode,
            "checks": checks,
            "waivers": [use.digest for use in waivers],
            **({"attestations": [use.digest for use in attestations]} if attestations else {}),
        }
    )


def said(acts: Sequence[PersonsAct], to_approve: str, *, eligible: Collection[str], barred: Collection[str]) -> Said:
    """The acts that count: upon exactly what is asked now, and not by ``barred`` ones, as the requester and owners."""
    counted = [act for act in acts if act.approved_digest == to_approve and act.by not in barred]

    def people(act: str, verdict: str) -> frozenset[str]:
        return frozenset(one.by for one in counted if (one.act, one.verdict) == (act, verdict))

    return Said(
        approved_by=people("approval", "approve"),
        not_approved_by=people("approval", "reject"),
        accepted_by=people("review", "accept"),
        not_accepted_by=people("review", "reject"),
        eligible=frozenset(eligible),
    )


def counting(acts: Sequence[PersonsAct], to_approve: str, barred: Collection[str]) -> tuple[PersonsAct, ...]:
    """The acts that a decision names: those that count, in the order of their time."""
    return tuple(act for act in acts if act.approved_digest == to_approve and act.by not in barred)


def _found(outcome: CheckOutcome, *, is_inline: bool) -> dict[str, JsonValue]:
    result = outcome.result
    return {
        "id": outcome.id,
        "status": result.status.value,
        "reason": result.reason,
        "observed": result.observed,
        "limit": result.limit,
        "n": result.n,
        "params": outcome.params,
        "findings": [*sorted(f"{finding.severity.value} {finding.code}" for finding in result.findings)],
        "measurement": None if is_inline else outcome.measurement_digest,
    }
