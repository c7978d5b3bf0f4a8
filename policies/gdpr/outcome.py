"""What a rule gives: marks on nodes, gathered into one verdict. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal

from pydantic import JsonValue

from governance.types.provenance import ProvenanceFact
from governance.types.results import CheckStatus, Figure
from policies.gdpr.params import RuleName
from policies.gdpr.walk import OVER_APPROXIMATE

MarkKind = Literal["violation", "unknown", "review", "warning", "info"]

REMEDIES: dict[str, str] = {
    "add_record": "Record or correct the provenance of the data set (docs/provenance.md), then evaluate again.",
    "assess_compatibility": "Assess whether the purpose is compatible (Art. 6(4)) and record it, or correct the "
    "recorded purposes, then train again.",
    "remove_columns": "Train again without these columns, or record a condition that covers the purpose.",
    "retrain": "Train again on data that may still be used.",
    "delete_copy": "Delete the stored copies and let the deletion be reported (a DROP or TRUNCATE event).",
    "add_safeguard": "Record the missing condition, law or authority.",
    "send_column_lineage": "Send column lineage for the runs on the path, so that it is known what flows.",
    "attest": "Let a person look at this and attest it.",
    "restore_digest": "Find out which bytes were read, and train again on the recorded version.",
    "record_model": "Record the model's training run and its purposes (facet assay_model), then evaluate again.",
}
"""What to do, one sentence a code."""


def listed(names: Iterable[str], *, most: int = 10) -> str:
    """The names, each once and in order, and how many there are beyond ``most``."""
    once = sorted(set(names))
    more = f" and {len(once) - most} more" if len(once) > most else ""
    return ", ".join(once[:most]) + more


@dataclass(frozen=True, slots=True)
class FactUsed:
    """A fact that a mark rests on: a field of a record, as it was recorded, and whether that came late."""

    field: str
    value: JsonValue
    fact: ProvenanceFact | None = None
    recorded_late: bool = False


@dataclass(frozen=True, slots=True)
class Mark:
    """Something a rule says about a node (or about the whole, where ``node`` is null).

    ``level`` is the level of the best path that it rests on; ``when`` names the instants at which it holds.
    """

    kind: MarkKind
    reason: str
    message: str
    remedy: str
    node: str | None = None
    level: int | None = None
    columns: tuple[str, ...] = ()
    when: tuple[str, ...] = ()
    facts: tuple[FactUsed, ...] = ()
    data: Mapping[str, JsonValue] = field(default_factory=dict)
    goal: str | None = None


@dataclass(frozen=True, slots=True)
class RuleOutcome:
    """A rule's verdict and what it rests on. ``in_scope`` counts the nodes that the rule looked at.

    ``effect`` is ``block`` where a failed or undecided rule blocks, else ``warn``.
    """

    rule: RuleName
    title: str
    articles: tuple[str, ...]
    controls: tuple[str, ...]
    in_scope: int
    marks: tuple[Mark, ...]
    status: CheckStatus
    summary: str
    effect: Literal["block", "warn"] = "block"
    figures: tuple[Figure, ...] = ()

    @property
    def counted(self) -> CheckStatus:
        """The status that the check counts: a rule that only warns never blocks."""
        blocked = self.status in {CheckStatus.FAILED, CheckStatus.INSUFFICIENT_EVIDENCE}
        return CheckStatus.WARNED if blocked and self.effect == "warn" else self.status


def settle(marks: list[Mark]) -> tuple[Mark, ...]:
    """The marks, where a violation that rests on over-approximate paths alone is turned into an unknown."""
    return tuple(_softened(mark) for mark in marks)


def _softened(mark: Mark) -> Mark:
    if mark.kind != "violation" or mark.level != OVER_APPROXIMATE:
        return mark
    return replace(
        mark,
        kind="unknown",
        reason=f"{mark.reason}_over_approximate",
        message=f"{mark.message} This rests on over-approximate lineage, so it is not proven.",
        remedy="send_column_lineage",
    )


def verdict(marks: tuple[Mark, ...], *, in_scope: int, can_be_empty: bool = True) -> CheckStatus:
    """The verdict of a rule.

    ``failed`` if a violation is proven; else ``insufficient_evidence`` if anything is unknown; else ``not_applicable``
    if nothing is in scope and the rule can have an empty scope; else ``warned`` if a person must look; else ``passed``.
    """
    kinds = {mark.kind for mark in marks}
    if "violation" in kinds:
        return CheckStatus.FAILED
    if "unknown" in kinds:
        return CheckStatus.INSUFFICIENT_EVIDENCE
    if not in_scope and can_be_empty:
        return CheckStatus.NOT_APPLICABLE
    return CheckStatus.WARNED if "review" in kinds else CheckStatus.PASSED
