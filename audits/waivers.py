"""Which waivers cover which checks. Pure: waivers, judged checks and an instant in, checks and reasons out.

A waiver lets by what was found to be bad, never what could not be found out: ``failed`` and ``warned`` alone.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Literal

from governance.errors import InputRefused
from governance.types.decision import CheckOutcome, WaiverUse
from governance.types.policy import Policy, PolicyCheck
from governance.types.results import CheckResult, CheckStatus, Interval, Reason
from governance.types.subject import Subject
from governance.types.value import Digest, Severity, Value
from governance.types.waiver import Bound, WaivedModel, WaiverRequest, version_key

LONGEST = timedelta(days=90)
"""How far away the end of a waiver may be, both from its beginning and from when it is asked for."""

WAIVABLE = (CheckStatus.FAILED, CheckStatus.WARNED)

Standing = Literal["requested", "approved", "not_yet", "expired", "revoked"]


class Signed(Value):
    """Somebody's part in a waiver: the stable id, the name, when, and what was said."""

    id: str
    name: str
    at: datetime
    comment: str = ""


class Waiver(Value):
    """A waiver with everything that was done about it. ``digest`` is that of its document as it was asked for."""

    id: str
    request: WaiverRequest
    not_before: datetime
    requested: Signed
    digest: Digest
    log_index: int
    approvals: tuple[Signed, ...] = ()
    revoked: Signed | None = None

    def standing(self, at: datetime) -> Standing:
        """How the waiver stands at an instant; only ``approved`` covers anything."""
        if self.revoked is not None:
            return "revoked"
        if at >= self.request.expires_at:
            return "expired"
        if not self.approvals:
            return "requested"
        return "not_yet" if at < self.not_before else "approved"


@dataclass(frozen=True, slots=True)
class Waived:
    """The checks after waivers, which of them were used, and why others that were meant for a check were not."""

    outcomes: tuple[CheckOutcome, ...]
    used: tuple[WaiverUse, ...] = ()
    notes: tuple[Reason, ...] = ()


def require_term(request: WaiverRequest, now: datetime) -> datetime:
    """The instant from which the waiver is to hold, once its term is found to be allowed.

    Raises:
        InputRefused: it ends before it begins, has ended, or ends more than 90 days away.
    """
    start = request.not_before or now
    ends = request.expires_at
    if ends <= start or ends <= now:
        raise InputRefused(
            expected="an end after the beginning, in the future",
            found=ends.isoformat(),
            remedy="Give a later `expires_at`.",
            pointer="/expires_at",
        )
    if ends > min(start, now) + LONGEST:
        raise InputRefused(
            expected=f"an end at most {LONGEST.days} days away",
            found=ends.isoformat(),
            remedy="Give an earlier `expires_at`, and ask again when it has passed.",
            pointer="/expires_at",
        )
    return start


def approvers_needed(severity: Severity) -> int:
    """How many people must approve the waiver of a check of this severity: two for a high one, else one."""
    return 2 if severity is Severity.HIGH else 1


def is_about(model: WaivedModel, subject: Subject, *, registered: Subject | None) -> bool:
    """Whether a waiver is about the subject, which is what its digest says.

    A range covers registered versions alone: a version that is only claimed could be given to any bytes.
    """
    if model.digest is not None:
        return model.digest == subject.digest
    if registered is None or registered.digest != subject.digest:
        return False
    if (registered.namespace, registered.name) != (model.namespace, model.name):
        return False
    keys = [version_key(text or "") for text in (model.first_version, registered.version, model.last_version)]
    first, version, last = keys
    return first is not None and version is not None and last is not None and first <= version <= last


def apply(
    outcomes: Sequence[CheckOutcome],
    policy: Policy,
    waivers: Sequence[Waiver],
    *,
    at: datetime,
    barred: Collection[str] = (),
) -> Waived:
    """The checks with status ``waived`` where an approved waiver covers what failed or warned, figures unchanged.

    ``waivers`` are about this subject and environment. ``barred`` are stable ids whose approval does not count, as
    the owners of the model. Of several waivers that cover a check the one that ends last is used.
    """
    lines = {check.id: check for check in policy.checks}
    after: list[CheckOutcome] = []
    covered: dict[str, dict[str, str]] = {}
    notes: list[Reason] = []
    for outcome in outcomes:
        line = lines.get(outcome.id)
        meant = [one for one in waivers if outcome.id in one.request.checks]
        if line is None or outcome.result.status not in WAIVABLE or not meant:
            after.append(outcome)
            continue
        obstacles = {one.id: obstacle(one, line, outcome.result, at=at, barred=barred) for one in meant}
        fitting = [one for one in meant if obstacles[one.id] is None]
        if not fitting:
            notes += [_note(one, line, obstacles[one.id] or "") for one in meant]
            after.append(outcome)
            continue
        best = max(fitting, key=lambda one: (one.request.expires_at, one.id))
        covered.setdefault(best.id, {})[outcome.id] = outcome.result.status.value
        after.append(_waived(outcome, best))
    used = tuple(_use(one, covered[one.id], barred) for one in sorted(waivers, key=lambda w: w.id) if one.id in covered)
    return Waived(tuple(after), used, tuple(sorted(notes, key=lambda note: (note.check or "", note.message))))


def obstacle(
    waiver: Waiver, line: PolicyCheck, result: CheckResult, *, at: datetime, barred: Collection[str] = ()
) -> str | None:
    """Why the waiver does not cover the check, in words; None when it does."""
    standing = waiver.standing(at)
    if not line.waivable:
        return "the policy lets nobody waive this check"
    if standing in ("revoked", "expired", "not_yet"):
        return {"revoked": "it was revoked", "expired": "it has expired", "not_yet": "it does not hold yet"}[standing]
    counted = _approvers(waiver, barred)
    needed = approvers_needed(line.severity)
    if len(counted) < needed:
        return f"it needs {needed} approvers for a check of severity {line.severity.value} and has {len(counted)}"
    return _beyond(waiver.request.bounds.get(line.id, ()), result)


def _approvers(waiver: Waiver, barred: Collection[str]) -> list[str]:
    kept = {one.id for one in waiver.approvals} - set(barred) - {waiver.requested.id}
    return sorted(kept)


def _beyond(bounds: Sequence[Bound], result: CheckResult) -> str | None:
    """What of the result lies outside the bounds: every figure that failed or warned must be bounded, and within.

    The headline value must be bounded too, unless it is that of such a figure.
    """
    by_metric = {bound.metric: bound for bound in bounds}
    judged = [figure for figure in result.figures if figure.status in WAIVABLE]
    for figure in judged:
        fault = _outside(by_metric.get(figure.name), figure.name, figure.value, figure.interval)
        if fault is not None:
            return fault
    is_among_them = result.observed is not None and any(figure.value == result.observed for figure in judged)
    if "observed" in by_metric or not (is_among_them or (judged and result.observed is None)):
        return _outside(by_metric.get("observed"), "observed", result.observed, result.interval)
    return None


def _outside(bound: Bound | None, name: str, value: str | None, interval: Interval | None) -> str | None:
    if bound is None:
        return f"it has no bound for {name}"
    if value is None:
        return f"{name} has no value that a bound could hold"
    ends = [value]
    if bound.whole_interval:
        if interval is None or interval.lower is None or interval.upper is None:
            return f"{name} has no interval that the bound could hold"
        ends += [interval.lower, interval.upper]
    numbers = [Decimal(end) for end in ends]
    if bound.at_least is not None and min(numbers) < Decimal(bound.at_least):
        return f"{name} is {min(numbers)}, and the waiver covers it down to {bound.at_least}"
    if bound.at_most is not None and max(numbers) > Decimal(bound.at_most):
        return f"{name} is {max(numbers)}, and the waiver covers it up to {bound.at_most}"
    return None


def _waived(outcome: CheckOutcome, waiver: Waiver) -> CheckOutcome:
    result = outcome.result
    message = f"{result.message} Waived until {waiver.request.expires_at.isoformat()} by waiver {waiver.id}."
    return outcome.model_copy(
        update={"result": result.model_copy(update={"status": CheckStatus.WAIVED, "message": message})}
    )


def _use(waiver: Waiver, checks: Mapping[str, str], barred: Collection[str]) -> WaiverUse:
    return WaiverUse(
        id=waiver.id,
        digest=waiver.digest,
        checks={name: CheckStatus(status) for name, status in checks.items()},
        reason=waiver.request.reason,
        ticket=waiver.request.ticket,
        expires_at=waiver.request.expires_at,
        requested_by=waiver.requested.id,
        approved_by=tuple(_approvers(waiver, barred)),
    )


def _note(waiver: Waiver, line: PolicyCheck, why: str) -> Reason:
    return Reason(
        code="waiver.not_covering",
        check=line.id,
        message=f"The waiver {waiver.id} does not cover {line.id}: {why}.",
        severity=Severity.INFO,
        remediation="Mend the model, or ask for a waiver that covers what was found.",
    )
