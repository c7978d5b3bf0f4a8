"""The policy document: which checks a deployment needs, with which parameters."""

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, ClassVar, Literal, Self

from pydantic import ConfigDict, Field, JsonValue, StringConstraints, model_validator

from governance.types.approval import ApprovalRule
from governance.types.attestation import AttestationRule
from governance.types.results import Origin
from governance.types.value import DurationText, Name, Remark, Severity, Value

PolicyName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Applicability(Value):
    """Where the policy holds. An empty tuple means any."""

    environments: tuple[Name, ...] = ()
    risk_tiers: tuple[Name, ...] = ()
    jurisdictions: tuple[Name, ...] = ()


class EvidenceRules(Value):
    """How old evidence may be and how far it must be trusted."""

    max_age: DurationText = "P30D"
    least_origin: Origin = Origin.MEASURED


class PolicyCheck(Value):
    """One required check. ``params`` are validated by the check itself when the policy is stored."""

    id: str
    severity: Severity = Severity.HIGH
    waivable: bool = True
    params: dict[str, JsonValue] = Field(default_factory=dict)


class Stage(StrEnum):
    """How far a version of a policy has come. Only ``enforce`` decides; ``retire`` takes back what was published."""

    SHADOW = "shadow"
    WARN = "warn"
    ENFORCE = "enforce"
    RETIRE = "retire"


class Effective(Value):
    """The days on which the law behind a policy reads as the policy says, and where that was read.

    ``from`` is the first day and ``until`` the day after the last (null: open), both in UTC. ``confirmed`` says that a
    person of the operator has checked text and dates.
    """

    model_config = ConfigDict(populate_by_name=True)

    from_: date | None = Field(default=None, alias="from")
    until: date | None = None
    law: Remark = ""
    source: Remark = ""
    confirmed: bool = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.from_ is not None and self.until is not None and self.until <= self.from_:
            raise ValueError("`until` is the day after the last, and lies after `from`")
        return self

    def holds(self, instant: datetime) -> bool:
        """Whether the day of ``instant`` (aware) in UTC lies in [from, until)."""
        day = instant.astimezone(UTC).date()
        return (self.from_ is None or self.from_ <= day) and (self.until is None or day < self.until)

    @property
    def days(self) -> str:
        """The days in words."""
        start = f"from {self.from_.isoformat()}" if self.from_ else ""
        end = f"until {self.until.isoformat()} (exclusive)" if self.until else ""
        return " ".join(part for part in (start, end) if part) or "on every day"


class Policy(Value):
    """What must hold before a model goes live. Its digest is that of its RFC 8785 form, layout aside."""

    kind: Literal["assay.policy/v1"]
    name: PolicyName
    title: Remark = ""
    applies: Applicability = Applicability()
    validity: DurationText = "P90D"
    evidence: EvidenceRules = EvidenceRules()
    checks: tuple[PolicyCheck, ...]
    on_warn: Literal["review", "allow"] = "review"
    effective: Effective | None = None
    approvals: tuple[ApprovalRule, ...] = ()
    attestations: tuple[AttestationRule, ...] = Field((), max_length=32)

    later_fields: ClassVar[frozenset[str]] = frozenset({"effective", "approvals", "attestations"})

    @model_validator(mode="after")
    def _each_check_once(self) -> Self:
        names = [check.id for check in self.checks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"each check is named once; twice: {', '.join(twice)}")
        roles = [rule.role for rule in self.approvals]
        if len(set(roles)) != len(roles):
            raise ValueError("each role is named once in `approvals`, with its count")
        kinds = [rule.kind for rule in self.attestations]
        if len(set(kinds)) != len(kinds):
            raise ValueError("each kind is named once in `attestations`")
        return self


class PolicyReference(Value):
    """The policy a decision was made under."""

    name: str
    version: int
    digest: str


class PublicationRequest(Value):
    """The stage a version is to come to, and why."""

    stage: Stage
    note: Remark = ""
