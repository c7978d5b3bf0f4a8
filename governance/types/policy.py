"""The policy document: which checks a deployment needs, with which parameters."""

from typing import Annotated, Literal, Self

from pydantic import Field, JsonValue, StringConstraints, model_validator

from governance.types.results import Origin
from governance.types.value import DurationText, Severity, Value

PolicyName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")]


class Applicability(Value):
    """Where the policy holds. An empty tuple means any."""

    environments: tuple[str, ...] = ()
    risk_tiers: tuple[str, ...] = ()
    jurisdictions: tuple[str, ...] = ()


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


class Policy(Value):
    """What must hold before a model goes live. Its digest is that of its RFC 8785 form, layout aside."""

    kind: Literal["assay.policy/v1"]
    name: PolicyName
    title: str = ""
    applies: Applicability = Applicability()
    validity: DurationText = "P90D"
    evidence: EvidenceRules = EvidenceRules()
    checks: tuple[PolicyCheck, ...]
    on_warn: Literal["review", "allow"] = "review"

    @model_validator(mode="after")
    def _each_check_once(self) -> Self:
        names = [check.id for check in self.checks]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"each check is named once; twice: {', '.join(twice)}")
        return self


class PolicyReference(Value):
    """The policy a decision was made under."""

    name: str
    version: int
    digest: str
