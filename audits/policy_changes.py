"""What differs between two policies, and whether it tightens or loosens what a model must show. Pure.

A change *tightens* where a model that was let by may now be stopped, *loosens* where one that was stopped may now be
let by, and does both where neither can be said. Parameters are compared with their defaults filled in.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from fractions import Fraction
from typing import Any, Literal

from audits.catalog import params_of
from governance.types.policy import Policy, PolicyCheck
from governance.types.results import Origin
from governance.types.value import Severity, Value, duration
from policies.fairness.metrics import METRICS

Effect = Literal["tightens", "loosens", "both", "none"]

LESS_IS_STRICTER = frozenset(
    {"sensitive_share", "gap_share", "undocumented_share", "proxy_share", "additivity", "max_rows"}
)
"""Limits that must not be exceeded; null judges nothing."""
MORE_IS_STRICTER = frozenset({"at_least", "min_rows"})
"""Levels that must be reached; null asks for none."""
LISTS_OF_RULES = frozenset({"rules", "forbidden", "controls"})
"""Lists each of whose entries asks for more."""
TRUST = (Origin.DECLARED, Origin.ATTESTED, Origin.MEASURED)
WEIGHT = tuple(Severity)


class PolicyChange(Value):
    """One difference: the place, what was there before and after as text (null for nothing), and its effect."""

    place: str
    before: str | None
    after: str | None
    effect: Effect


def policy_changes(old: Policy, new: Policy) -> tuple[PolicyChange, ...]:
    """Every difference from ``old`` to ``new``; names, titles and notes on laws have no effect."""
    found = [*_of_checks(old, new)]
    for name, places in old.applies.document().items():
        found += _unequal(f"applies.{name}", places, new.applies.document()[name], "both")
    found += _of_span("validity", old.validity, new.validity)
    found += _of_span("evidence.max_age", old.evidence.max_age, new.evidence.max_age)
    before, after = old.evidence.least_origin, new.evidence.least_origin
    more = _rising(TRUST.index(before), TRUST.index(after))
    found += _unequal("evidence.least_origin", before.value, after.value, more)
    found += _of_people(old, new)
    found += _unequal("on_warn", old.on_warn, new.on_warn, "tightens" if new.on_warn == "review" else "loosens")
    found += _of_dates(old, new)
    for name in ("name", "title"):
        found += _unequal(name, getattr(old, name), getattr(new, name), "none")
    return tuple(found)


def _of_people(old: Policy, new: Policy) -> Iterator[PolicyChange]:
    """Approvals and statements that are asked for."""
    asked, wanted = ({rule.role: rule.count for rule in policy.approvals} for policy in (old, new))
    for role in sorted(asked.keys() | wanted.keys()):
        more = _rising(asked.get(role, 0), wanted.get(role, 0))
        yield from _unequal(f"approvals.{role}", asked.get(role), wanted.get(role), more)
    ages, limits = ({rule.kind: rule.max_age for rule in policy.attestations} for policy in (old, new))
    for kind in sorted(ages.keys() | limits.keys()):
        before, after = ages.get(kind), limits.get(kind)
        if before is None or after is None:
            yield from _unequal(f"attestations.{kind}", before, after, "tightens" if before is None else "loosens")
        else:
            yield from _of_span(f"attestations.{kind}", before, after)


def _of_checks(old: Policy, new: Policy) -> Iterator[PolicyChange]:
    before, after = ({check.id: check for check in policy.checks} for policy in (old, new))
    for name in before.keys() - after.keys():
        yield PolicyChange(place=name, before="required", after=None, effect="loosens")
    for name in after.keys() - before.keys():
        yield PolicyChange(place=name, before=None, after="required", effect="tightens")
    for name in sorted(before.keys() & after.keys()):
        yield from _of_check(before[name], after[name])


def _of_check(old: PolicyCheck, new: PolicyCheck) -> Iterator[PolicyChange]:
    weights = _rising(WEIGHT.index(old.severity), WEIGHT.index(new.severity))
    yield from _unequal(f"{old.id}.severity", old.severity.value, new.severity.value, weights)
    effect: Effect = "loosens" if new.waivable else "tightens"
    yield from _unequal(f"{old.id}.waivable", old.waivable, new.waivable, effect)
    before, after = params_of(old).document(), params_of(new).document()
    for name in before:
        if old.id == "fairness" and name == "metrics":
            yield from _of_metrics(before[name], after[name])
        else:
            yield from _unequal(f"{old.id}.{name}", before[name], after[name], _effect(name, before[name], after[name]))


def _of_metrics(before: Any, after: Any) -> Iterator[PolicyChange]:
    old, new = ({metric["name"]: metric["limit"] for metric in metrics} for metrics in (before, after))
    for name in sorted(old.keys() | new.keys()):
        first, second = old.get(name), new.get(name)
        if first is None or second is None:
            effect: Effect = "tightens" if first is None else "loosens"
        else:
            more = _rising(Fraction(first), Fraction(second))
            effect = more if METRICS[name].is_ratio else _opposite(more)
        yield from _unequal(f"fairness.{name}", first, second, effect)


def _effect(name: str, before: Any, after: Any) -> Effect:
    """What a changed parameter does."""
    if name in LISTS_OF_RULES and isinstance(before, list) and isinstance(after, list):
        kept, given = set(map(repr, before)), set(map(repr, after))
        return "tightens" if kept < given else "loosens" if given < kept else "both"
    if name == "sensitive" and isinstance(before, list) and isinstance(after, list):
        return _of_attributes(set(before), set(after))
    if name in LESS_IS_STRICTER | MORE_IS_STRICTER:
        if before is None or after is None:
            return "tightens" if before is None else "loosens"
        more = _rising(Fraction(str(before)), Fraction(str(after)))
        return more if name in MORE_IS_STRICTER else _opposite(more)
    if name in ("at_least_baseline", "high_risk") and isinstance(before, bool) and isinstance(after, bool):
        return "tightens" if after else "loosens"
    if (name, before, after) in (("inconclusive", "block", "warn"), ("small_groups", "block", "note")):
        return "loosens"
    if (name, before, after) in (("inconclusive", "warn", "block"), ("small_groups", "note", "block")):
        return "tightens"
    return "both"


def _of_attributes(before: set[str], after: set[str]) -> Effect:
    """Naming attributes judges no others; naming none judges all that are declared."""
    if not after or (before and before < after):
        return "tightens"
    return "loosens" if not before or after < before else "both"


def _of_dates(old: Policy, new: Policy) -> list[PolicyChange]:
    before, after = ({} if one.effective is None else one.effective.document() for one in (old, new))
    return [
        change
        for name in ("from", "until", "law", "source", "confirmed")
        for change in _unequal(
            f"effective.{name}", before.get(name), after.get(name), "both" if name in ("from", "until") else "none"
        )
    ]


def _of_span(place: str, before: str, after: str) -> list[PolicyChange]:
    """A shorter span asks for fresh evidence, or a fresh decision, sooner."""
    return _unequal(place, before, after, _opposite(_rising(duration(before), duration(after))))


def _rising(before: int | Fraction | timedelta, after: int | Fraction | timedelta) -> Effect:
    if before == after:
        return "none"
    return "tightens" if after > before else "loosens"  # type: ignore[operator]  # both are of one kind


def _opposite(effect: Effect) -> Effect:
    opposites: Mapping[Effect, Effect] = {"tightens": "loosens", "loosens": "tightens"}
    return opposites.get(effect, effect)


def _unequal(place: str, before: Any, after: Any, effect: Effect) -> list[PolicyChange]:
    if before == after and type(before) is type(after):
        return []
    return [PolicyChange(place=place, before=_text(before), after=_text(after), effect=effect)]


def _text(value: Any) -> str | None:
    if value is None:
        return None
    if isinstance(value, list):
        return ", ".join(map(str, value)) or "none named"
    return str(value).lower() if isinstance(value, bool) else str(value)
