"""From judged checks to a verdict: a pure truth table that fails closed."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import assert_never

from governance.types.policy import Policy, PolicyCheck
from governance.types.results import CheckResult, CheckStatus, Reason, Verdict


@dataclass(frozen=True, slots=True)
class Combined:
    """A verdict and why; ``waiting_for`` names what a person must still do when it is ``pending``."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    waiting_for: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Vote:
    """What one check says: let by, must be looked at, stands in the way, or is not known."""

    verdict: Verdict
    reason: Reason | None = None


def combine(policy: Policy | None, results: Mapping[str, CheckResult]) -> Combined:
    """The verdict of ``policy`` over ``results`` by check id; results it does not name do not count.

    A failed check denies; failing that, one that is absent, undecided or broken is indeterminate; failing that, one
    that warns is pending where the policy asks for a review; else the gate allows. No policy, or one without checks,
    is indeterminate. The order of checks does not matter, and a further failed check never opens the gate.
    """
    if policy is None or not policy.checks:
        return Combined(Verdict.INDETERMINATE, (_no_checks(policy),))
    votes = [_vote(check, results.get(check.id), policy) for check in policy.checks]
    for verdict in (Verdict.DENY, Verdict.INDETERMINATE, Verdict.PENDING):
        if any(vote.verdict is verdict for vote in votes):
            break
    else:
        verdict = Verdict.ALLOW
    reasons = sorted(
        (vote.reason for vote in votes if vote.reason), key=lambda reason: (reason.check or "", reason.code)
    )
    waiting = tuple(
        sorted(vote.reason.check or "" for vote in votes if vote.verdict is Verdict.PENDING and vote.reason)
    )
    return Combined(verdict, tuple(reasons), tuple(f"review of {name}" for name in waiting))


def _no_checks(policy: Policy | None) -> Reason:
    name = f"the policy {policy.name!r}" if policy else "any policy"
    return Reason(
        code="policy.no_applicable_checks",
        message=f"No check of {name} applies to this request, so nothing was examined.",
        remediation="Publish a policy whose `applies` covers this environment, or name one in the request.",
    )


def _vote(check: PolicyCheck, result: CheckResult | None, policy: Policy) -> _Vote:
    if result is None:
        return _Vote(
            Verdict.INDETERMINATE,
            Reason(
                code="check.not_run",
                check=check.id,
                message=f"The required check {check.id} was not run: no evidence for it arrived.",
                severity=check.severity,
                remediation="Submit the evidence that this check measures.",
            ),
        )
    reason = Reason(
        code=result.reason,
        check=check.id,
        message=result.message,
        severity=check.severity,
        remediation=next((finding.remediation for finding in result.findings if finding.remediation), ""),
    )
    match result.status:
        case CheckStatus.PASSED | CheckStatus.NOT_APPLICABLE:
            return _Vote(Verdict.ALLOW)
        case CheckStatus.WAIVED:
            return _Vote(Verdict.ALLOW, reason)
        case CheckStatus.WARNED:
            return _Vote(Verdict.ALLOW if policy.on_warn == "allow" else Verdict.PENDING, reason)
        case CheckStatus.FAILED:
            return _Vote(Verdict.DENY, reason)
        case CheckStatus.INSUFFICIENT_EVIDENCE | CheckStatus.ERROR | CheckStatus.NOT_RUN:
            return _Vote(Verdict.INDETERMINATE, reason)
        case _:
            assert_never(result.status)
