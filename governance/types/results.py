"""Measurements, results and verdicts: what checks give and what the gate answers."""

from enum import StrEnum
from typing import Self

from pydantic import Field, JsonValue, model_validator

from governance.types.value import DecimalText, Digest, Severity, Value


class CheckStatus(StrEnum):
    """The outcome of a check. Only ``passed``, ``not_applicable``, ``waived`` and an allowed ``warned`` let it by."""

    PASSED = "passed"
    WARNED = "warned"
    FAILED = "failed"
    INSUFFICIENT_EVIDENCE = "insufficient_evidence"
    ERROR = "error"
    NOT_RUN = "not_run"
    NOT_APPLICABLE = "not_applicable"
    WAIVED = "waived"


class Verdict(StrEnum):
    """The gate's answer. Everything but ``allow`` blocks."""

    ALLOW = "allow"
    DENY = "deny"
    INDETERMINATE = "indeterminate"
    PENDING = "pending"


class Origin(StrEnum):
    """Where evidence comes from, in falling order of trust."""

    MEASURED = "measured"
    ATTESTED = "attested"
    DECLARED = "declared"


class Interval(Value):
    """An interval of confidence. A bound is null where it cannot be estimated; ``level`` lies in (0, 1)."""

    lower: DecimalText | None
    upper: DecimalText | None
    level: DecimalText = "0.95"
    method: str


class Figure(Value):
    """One number as reports print it, with its count, its interval and its limit.

    ``value`` is null where the number does not exist (a zero denominator), and ``note`` then says why. ``n`` counts
    rows (or sums weights, as text). ``group`` maps each attribute to the level the number belongs to, empty for the
    whole. ``flags`` are machine words such as ``reference``, ``small_group``, ``absent``.
    """

    name: str
    value: DecimalText | None
    n: DecimalText | None = None
    numerator: DecimalText | None = None
    denominator: DecimalText | None = None
    interval: Interval | None = None
    limit: DecimalText | None = None
    group: dict[str, str] = Field(default_factory=dict)
    status: CheckStatus | None = None
    flags: tuple[str, ...] = ()
    note: str = ""


class Finding(Value):
    """Something a person should know: what, how grave, and what to do. ``data`` explains it to machines."""

    code: str
    severity: Severity
    message: str
    remediation: str = ""
    data: dict[str, JsonValue] = Field(default_factory=dict)


class Input(Value):
    """One thing that was measured: its role (``predictions``, ``model``, ``schema``, ``lineage``) and its digest."""

    role: str
    digest: Digest
    rows: int | None = None


class Measurement(Value):
    """Numbers taken from data or a model, kept so that they can be judged again under another policy.

    ``measured_with`` holds the parameters that shaped the measurement; others only shape the judgement. ``body`` is
    the check's own form, JSON without NaN. ``tools`` maps distributions to versions.
    """

    check: str
    check_version: str
    measured_with: dict[str, JsonValue] = Field(default_factory=dict)
    inputs: tuple[Input, ...] = ()
    tools: dict[str, str] = Field(default_factory=dict)
    seed: int | None = None
    sandbox_level: int | None = None
    body: dict[str, JsonValue]


class CheckResult(Value):
    """A judged measurement. ``observed``, ``interval``, ``limit`` and ``n`` are those of the worst place.

    ``reason`` is a stable code (``fairness.below_limit``), ``message`` says it to people. ``not_checked`` names what
    this check does not look at.
    """

    check: str
    check_version: str
    status: CheckStatus
    reason: str
    message: str
    observed: DecimalText | None = None
    interval: Interval | None = None
    limit: DecimalText | None = None
    n: DecimalText | None = None
    figures: tuple[Figure, ...] = ()
    findings: tuple[Finding, ...] = ()
    not_checked: tuple[str, ...] = ()
    details: dict[str, JsonValue] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _pass_needs_a_count(self) -> Self:
        """A pass that rests on no rows is a contradiction; checks that count nothing leave ``n`` out."""
        if self.status is CheckStatus.PASSED and self.n is not None and float(self.n) <= 0:
            raise ValueError("a check cannot pass on zero rows")
        return self


class Reason(Value):
    """Why a verdict is what it is: one line a person acts on."""

    code: str
    check: str | None = None
    message: str
    severity: Severity = Severity.HIGH
    evidence_digest: Digest | None = None
    remediation: str = ""
