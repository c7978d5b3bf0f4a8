"""An answer of the gate as the formats read it: items that block, warn, were waived or passed, in one order.

Whatever is not understood blocks: an unknown verdict or status is shown as an error and never as a pass.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Literal


class Weight(StrEnum):
    """What an item means to whoever reads a CI run."""

    PASSED = "passed"
    SKIPPED = "skipped"
    WAIVED = "waived"
    WARNING = "warning"
    FAILURE = "failure"
    ERROR = "error"


WEIGHTS = {
    "passed": Weight.PASSED,
    "not_applicable": Weight.SKIPPED,
    "waived": Weight.WAIVED,
    "warned": Weight.WARNING,
    "failed": Weight.FAILURE,
}
"""All other statuses (no evidence, an error, not run, one that is not known) are errors: nothing was shown."""

VERDICTS = {"allow": Weight.PASSED, "deny": Weight.FAILURE}
"""All other verdicts are errors."""

BLOCKING = (Weight.FAILURE, Weight.ERROR)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that an answer says: a check, a reason of the gate itself, or the verdict."""

    name: str
    weight: Weight
    status: str
    code: str
    message: str
    severity: str = "high"
    remediation: str = ""
    observed: str | None = None
    limit: str | None = None
    count: str | None = None
    waiver: str | None = None
    kind: Literal["verdict", "check", "reason"] = "check"


@dataclass(frozen=True, slots=True)
class Told:
    """An answer: what it is about, its verdict, its items (the verdict first), and where to read on."""

    namespace: str
    name: str
    version: str
    digest: str
    environment: str
    verdict: str
    mode: str
    decision_id: str
    policy: str
    evaluated_at: str
    valid_until: str
    items: tuple[Item, ...]

    @property
    def title(self) -> str:
        """The model, its version and where it is to go."""
        return f"{self.name}@{self.version} to {self.environment}"

    @property
    def weight(self) -> Weight:
        """What the verdict means."""
        return VERDICTS.get(self.verdict, Weight.ERROR)


def read_answers(answers: Sequence[dict[str, Any]]) -> list[Told]:
    """Each answer of the gate, read; fields that are missing are empty and make nothing pass."""
    return [_read(answer) for answer in answers]


def _read(answer: dict[str, Any]) -> Told:
    subject, policy = _object(answer.get("subject")), _object(answer.get("policy"))
    verdict = _text(answer.get("verdict")) or "none"
    reasons = [_object(each) for each in answer.get("reasons") or ()]
    advice = {_text(each.get("check")): _text(each.get("remediation")) for each in reasons}
    checks = [_check(_object(each), advice) for each in answer.get("checks") or ()]
    alone = [_reason(each, verdict) for each in reasons if not each.get("check")]
    return Told(
        namespace=_text(subject.get("namespace")),
        name=_text(subject.get("name")) or "model",
        version=_text(subject.get("version")) or "?",
        digest=_text(subject.get("digest")),
        environment=_text(answer.get("environment")) or "?",
        verdict=verdict,
        mode=_text(answer.get("mode")) or "enforce",
        decision_id=_text(answer.get("decision_id")),
        policy=f"{_text(policy.get('name'))}@{_text(policy.get('version'))}" if policy else "",
        evaluated_at=_text(answer.get("evaluated_at")),
        valid_until=_text(answer.get("valid_until")),
        items=(_verdict(verdict), *checks, *alone, *_previews(answer)),
    )


def _verdict(verdict: str) -> Item:
    weight = VERDICTS.get(verdict, Weight.ERROR)
    said = {
        "allow": "The gate allows it.",
        "deny": "The gate denies it.",
        "indeterminate": "The gate cannot tell, which blocks.",
        "pending": "There is no verdict yet, which blocks.",
    }
    message = said.get(verdict, f"The verdict {verdict!r} is not one that the gate gives, which blocks.")
    return Item("verdict", weight, verdict, f"gate.{verdict}", message, kind="verdict")


def _check(check: dict[str, Any], advice: dict[str, str]) -> Item:
    name, status = _text(check.get("id")) or "check", _text(check.get("status")) or "none"
    return Item(
        name=name,
        weight=WEIGHTS.get(status, Weight.ERROR),
        status=status,
        code=_text(check.get("reason")) or f"{name}.{status}",
        message=_text(check.get("message")) or status,
        severity=_text(check.get("severity")) or "high",
        remediation=advice.get(name, ""),
        observed=_optional(check.get("observed")),
        limit=_optional(check.get("limit")),
        count=_optional(check.get("n")),
        waiver=_optional(check.get("waiver_id")),
    )


def _reason(reason: dict[str, Any], verdict: str) -> Item:
    """A reason of the gate itself; beside an allow it is a remark."""
    code = _text(reason.get("code")) or "gate"
    return Item(
        name=code,
        weight=Weight.WARNING if verdict == "allow" else Weight.ERROR,
        status="reason",
        kind="reason",
        code=code,
        message=_text(reason.get("message")) or code,
        severity=_text(reason.get("severity")) or "high",
        remediation=_text(reason.get("remediation")),
    )


def _previews(answer: dict[str, Any]) -> list[Item]:
    """What versions of policies that only warn would have said, where that is not an allow."""
    items = []
    for preview in map(_object, answer.get("warnings") or ()):
        verdict, policy = _text(preview.get("verdict")) or "none", _object(preview.get("policy"))
        name = f"policy {_text(policy.get('name'))}@{_text(policy.get('version'))}"
        if verdict != "allow":
            said = f"{name}, which warns only, would say {verdict}."
            items.append(Item(name, Weight.WARNING, "preview", f"policy.{verdict}", said, kind="reason"))
    return items


def _object(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _text(value: Any) -> str:
    return "" if value is None else str(value)


def _optional(value: Any) -> str | None:
    return None if value is None else str(value)


def on_one_line(text: str) -> str:
    """The text with every run of white space and control characters as one space."""
    return " ".join("".join(sign if sign.isprintable() else " " for sign in text).split())
