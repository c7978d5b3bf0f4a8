"""Whether the statements that a policy asks for were made, are young enough and still hold. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from governance.types.attestation import AttestationRule, AttestationUse
from governance.types.results import Reason
from governance.types.value import duration

MISSING = "attestation.missing"


@dataclass(frozen=True, slots=True)
class Stated:
    """A statement on record, newest last among its kind; ``holds`` is false where it takes an earlier one back."""

    use: AttestationUse
    holds: bool


@dataclass(frozen=True, slots=True)
class Counted:
    """The statements that count, in the order of the policy's lines, and why others are missing."""

    used: tuple[AttestationUse, ...] = ()
    missing: tuple[Reason, ...] = ()


def counted(rules: Sequence[AttestationRule], stated: Sequence[Stated], *, at: datetime) -> Counted:
    """What the rules find at ``at``: of each kind the newest statement alone counts.

    It counts when it holds, is at most ``max_age`` old, and ``at`` lies before its end. ``stated`` is in the order in
    which the statements were made.
    """
    newest = {each.use.kind: each for each in stated if each.use.stated_at <= at}
    used, missing = [], []
    for rule in rules:
        fault = _fault(rule, newest.get(rule.kind), at)
        if fault is None:
            used.append(newest[rule.kind].use)
        else:
            missing.append(fault)
    return Counted(tuple(used), tuple(missing))


def _fault(rule: AttestationRule, found: Stated | None, at: datetime) -> Reason | None:
    if found is None:
        return _reason(rule, "nobody stated it")
    if not found.holds:
        return _reason(rule, f"{found.use.name} took it back")
    if at >= found.use.expires_at:
        return _reason(rule, "the statement has expired")
    if found.use.stated_at < at - duration(rule.max_age):
        return _reason(rule, f"the statement is older than {rule.max_age}")
    return None


def _reason(rule: AttestationRule, why: str) -> Reason:
    return Reason(
        code=MISSING,
        message=f"The policy asks for a statement of the kind {rule.kind!r} about this model, and {why}."[:2000],
        remediation="Have somebody who answers for it state it: POST /v1/attestations, or `assay model attest`.",
    )
