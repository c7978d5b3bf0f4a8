"""From judged checks to a verdict: a pure truth table that fails closed."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, assert_never

from governance.types.approval import ApprovalRule
from governance.types.policy import Policy, PolicyCheck
from governance.types.results import CheckResult, CheckStatus, Reason, Verdict

REVIEWER = "approver"
"""The role that reviews warnings."""


@dataclass(frozen=True, slots=True)
class Waiting:
    """What people must still do: so many of a role an ``approval``, or one of them a ``review`` of the ``checks``."""

    act: Literal["approval", "review"]
    role: str
    missing: int
    checks: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Combined:
    """A verdict and why; ``waiting_for`` names what people must still do when it is ``pending``."""

    verdict: Verdict
    reasons: tuple[Reason, ...]
    waiting_for: tuple[Waiting, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """Stable ids of who said what of exactly what is judged; ``eligible`` are those who may approve it."""

    approved_by: frozenset[str] = frozenset()
    not_approved_by: frozenset[str] = frozenset()
    accepted_by: frozenset[str] = frozenset()
    not_accepted_by: frozenset[str] = frozenset()
    eligible: frozenset[str] = frozenset()


NOTHING_SAID = Said()


@dataclass(frozen=True, slots=True)
class _Vote:
    """What one check, or what people say: let by, must be looked at, stands in the way, or is not known."""

    verdict: Verdict
    reason: Reason | None = None
    waiting: Waiting | None = None


def combine(policy: Policy | None, results: Mapping[str, CheckResult], said: Said = NOTHING_SAID) -> Combined:
    """The verdict of ``policy`` over ``results`` by check id; results it does not name do not count.

    A failed check or somebody's no denies; failing that, a check that is absent, undecided or broken is indeterminate;
    failing that, one that warns is pending where the policy asks for a review that nobody did, and so is an approval
    that is missing; else the gate allows. An approval that nobody could give is indeterminate. No policy, or one
    without checks, is indeterminate. The order of checks does not matter, and a further failed check never opens the
    gate.
    """
    if policy is None or not policy.checks:
        return Combined(Verdict.INDETERMINATE, (_no_checks(policy),))
    votes = [_vote(check, results.get(check.id), policy, said) for check in policy.checks]
    votes += _refusals(said)
    if _gravest(votes) in (Verdict.ALLOW, Verdict.PENDING):
        votes += [_approval(rule, said) for rule in policy.approvals]
    reasons = sorted(
        (vote.reason for vote in votes if vote.reason), key=lambda reason: (reason.check or "", reason.code)
    )
    verdict = _gravest(votes)
    waiting = [vote.waiting for vote in votes if vote.waiting] if verdict is Verdict.PENDING else []
    return Combined(verdict, tuple(reasons), _joined(waiting))


def _gravest(votes: Sequence[_Vote]) -> Verdict:
    for verdict in (Verdict.DENY, Verdict.INDETERMINATE, Verdict.PENDING):
        if any(vote.verdict is verdict for vote in votes):
            return verdict
    return Verdict.ALLOW


def _joined(waiting: Sequence[Waiting]) -> tuple[Waiting, ...]:
    """One review of all checks that wait for one, and the approvals."""
    reviewed = tuple(sorted(check for one in waiting if one.act == "review" for check in one.checks))
    reviews = [Waiting("review", REVIEWER, 1, reviewed)] if reviewed else []
    return (*reviews, *(one for one in waiting if one.act == "approval"))


def _refusals(said: Said) -> list[_Vote]:
    """A no of a person denies, whatever was found."""
    noes = (("approval.rejected", "approve", said.not_approved_by), ("review.rejected", "accept", said.not_accepted_by))
    return [
        _Vote(
            Verdict.DENY,
            Reason(
                code=code,
                message=f"{', '.join(sorted(people))} did not {verb} what was found.",
                remediation="Speak with them; new evidence or another version is judged anew.",
            ),
        )
        for code, verb, people in noes
        if people
    ]


def _approval(rule: ApprovalRule, said: Said) -> _Vote:
    missing = rule.count - len(said.approved_by)
    if missing <= 0:
        return _Vote(Verdict.ALLOW)
    if len(said.eligible - said.approved_by) < missing:
        return _Vote(
            Verdict.INDETERMINATE,
            Reason(
                code="approval.nobody_eligible",
                message=f"The policy asks for {rule.count} approvals by the role {rule.role}; {missing} are missing, "
                "and not as many people could give one: none who asked, and none who owns the model.",
                remediation="Give the role to somebody who neither asked nor owns the model, then ask again.",
            ),
        )
    return _Vote(Verdict.PENDING, waiting=Waiting("approval", rule.role, missing))


def _no_checks(policy: Policy | None) -> Reason:
    name = f"the policy {policy.name!r}" if policy else "any policy"
    return Reason(
        code="policy.no_applicable_checks",
        message=f"No check of {name} applies to this request, so nothing was examined.",
        remediation="Publish a policy whose `applies` covers this environment, or name one in the request.",
    )


def _vote(check: PolicyCheck, result: CheckResult | None, policy: Policy, said: Said) -> _Vote:
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
            if policy.on_warn == "allow" or said.accepted_by:
                return _Vote(Verdict.ALLOW, reason)
            return _Vote(Verdict.PENDING, reason, Waiting("review", REVIEWER, 1, (check.id,)))
        case CheckStatus.FAILED:
            return _Vote(Verdict.DENY, reason)
        case CheckStatus.INSUFFICIENT_EVIDENCE | CheckStatus.ERROR | CheckStatus.NOT_RUN:
            return _Vote(Verdict.INDETERMINATE, reason)
        case _:
            assert_never(result.status)
