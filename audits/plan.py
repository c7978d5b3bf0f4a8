"""Which checks a policy asks for, why, and which evidence may answer each. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol, TypeVar

from audits.catalog import check_of, params_of
from governance.check import Check, Params
from governance.types.policy import EvidenceRules, Policy, PolicyCheck
from governance.types.results import Origin
from governance.types.value import duration

TRUST = {Origin.MEASURED: 2, Origin.ATTESTED: 1, Origin.DECLARED: 0}
"""Evidence of a higher number may stand where a policy asks for a lower one."""


@dataclass(frozen=True, slots=True)
class Planned:
    """One check to answer: the policy's line, the check itself, its validated parameters, and why it applies."""

    line: PolicyCheck
    check: Check[Any]
    params: Params
    reason: str


def plan(policy: Policy, *, environment: str) -> list[Planned]:
    """Every check of the policy in its order; none is left out because evidence is missing."""
    scope = ", ".join(policy.applies.environments) or "any environment"
    reason = f"required by {policy.name} ({scope}) for {environment}"
    return [
        Planned(line=line, check=check_of(line.id), params=params_of(line), reason=reason) for line in policy.checks
    ]


class Stored(Protocol):
    """What the choice of evidence looks at."""

    @property
    def origin(self) -> str:
        """How the measurement came about."""
        ...

    @property
    def collected_at(self) -> datetime:
        """When what was measured was collected."""
        ...

    @property
    def evidence_digest(self) -> str | None:
        """The test result it arrived in, if any."""
        ...


StoredT = TypeVar("StoredT", bound=Stored)


def pick(stored: Sequence[StoredT], rules: EvidenceRules, *, named: Sequence[str], now: datetime) -> StoredT | None:
    """The most trusted, then newest measurement that is trusted and fresh enough; None when there is none.

    A measurement that arrived in a test result counts only where the request names that result.
    """
    oldest = now - duration(rules.max_age)
    fitting = [
        row
        for row in stored
        if TRUST[Origin(row.origin)] >= TRUST[rules.least_origin]
        and row.collected_at >= oldest
        and (row.evidence_digest is None or row.evidence_digest in named)
    ]
    return max(fitting, key=lambda row: (TRUST[Origin(row.origin)], row.collected_at), default=None)
