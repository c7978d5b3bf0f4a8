"""Words, numbers and names of the English report. Pure."""

import re
from datetime import UTC, datetime

from governance.types.decision import Decision
from governance.types.results import CheckStatus, Interval, Verdict
from reports.charts import short

_HIDDEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u070f\u115f\u1160\u17b4\u17b5\u180e\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
)
"""Control, bidirectional, invisible and unpaired surrogate characters, by code point: Python's own tables change with
its version, and the report's bytes must not."""

STATUS_WORDS: dict[CheckStatus, str] = {
    CheckStatus.PASSED: "passed",
    CheckStatus.WARNED: "needs a look",
    CheckStatus.FAILED: "failed",
    CheckStatus.INSUFFICIENT_EVIDENCE: "not enough evidence",
    CheckStatus.ERROR: "could not be measured",
    CheckStatus.NOT_RUN: "was not run",
    CheckStatus.NOT_APPLICABLE: "does not apply",
    CheckStatus.WAIVED: "waived",
}

STATUS_SIGNS: dict[CheckStatus, str] = {
    CheckStatus.PASSED: "✓",
    CheckStatus.WARNED: "!",
    CheckStatus.FAILED: "✗",
    CheckStatus.INSUFFICIENT_EVIDENCE: "?",
    CheckStatus.ERROR: "?",
    CheckStatus.NOT_RUN: "?",
    CheckStatus.NOT_APPLICABLE: "–",
    CheckStatus.WAIVED: "!",
}

VERDICT_ANSWERS: dict[Verdict, str] = {
    Verdict.ALLOW: "Yes",
    Verdict.DENY: "No",
    Verdict.INDETERMINATE: "Not on this evidence",
    Verdict.PENDING: "Not yet",
}


def visible(text: str) -> str:
    """The text with control, bidirectional and invisible characters written out as ``⟨U+202E⟩``."""
    return _HIDDEN.sub(lambda found: f"⟨U+{ord(found[0]):04X}⟩", text)


def instant(moment: datetime) -> str:
    """The instant in UTC to the second, whatever zone it was written in."""
    return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


def verdict_sentence(decision: Decision) -> str:
    """What the verdict means for whoever wants to use the model; what people did about it is not left out."""
    where = f"for the environment {decision.environment}"
    codes = {reason.code for reason in decision.reasons}
    match decision.verdict:
        case Verdict.ALLOW:
            until = f", until {instant(decision.valid_until)}" if decision.valid_until else ""
            waived = sorted(name for use in decision.waivers_used for name in use.checks)
            by_waiver = f", {' and '.join(waived)} by a waiver" if waived else ""
            return f"The model may be used {where}{until}: every required check lets it by{by_waiver}."
        case Verdict.DENY:
            by_people = not codes.isdisjoint(("approval.rejected", "review.rejected"))
            why = "somebody who was asked rejected it" if by_people else "at least one required check failed"
            return f"The model may not be used {where}: {why}."
        case Verdict.INDETERMINATE:
            unsaid = not codes.isdisjoint(("approval.missing", "review.missing", "approval.nobody_eligible"))
            why = "an approval or review was missing" if unsaid else "at least one required check could not be decided"
            return f"The model may not be used {where}: {why}."
        case Verdict.PENDING:
            return f"The model may not be used {where} yet: a person must decide first."


def interval_text(interval: Interval | None) -> str:
    """``0.29 to 0.32 (95 %, Wilson)``, or why there is none."""
    if interval is None:
        return ""
    if interval.lower is None and interval.upper is None:
        return f"cannot be estimated ({interval.method})"
    lower = "no lower bound" if interval.lower is None else short(interval.lower)
    upper = "no upper bound" if interval.upper is None else short(interval.upper)
    return f"{lower} to {upper} ({float(interval.level) * 100:g} %, {interval.method})"


def measure_name(name: str) -> str:
    """``selection_rate`` as people write it."""
    return name.replace("_", " ")
