"""Which policy a request is judged by, and which versions are tried beside it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from audits import store
from audits.policy_records import by_name, newest, publications
from audits.standing import Standing, standing
from governance.database import ReadUnit, Unit
from governance.errors import Conflict, NotFound
from governance.types.policy import Policy, PolicyReference
from governance.types.results import Reason
from governance.types.value import Value


@dataclass(frozen=True, slots=True)
class Place:
    """Where a model is to go and what is recorded of it; ``at`` is the instant (aware) whose rules are asked for.

    ``risk_tier`` is null and ``jurisdictions`` empty where nobody has recorded them.
    """

    environment: str
    at: datetime
    risk_tier: str | None = None
    jurisdictions: frozenset[str] = frozenset()


class Tried(Value):
    """A version in shadow or warning that is judged beside the policy."""

    policy: PolicyReference
    stage: Literal["shadow", "warn"]


@dataclass(frozen=True, slots=True)
class Choice:
    """The policy that decides, or None and, where it is a particular one, the reason; and what is tried beside it."""

    policy: PolicyReference | None
    tried: tuple[Tried, ...] = ()
    gap: Reason | None = None


def choose(unit: Unit | ReadUnit, *, name: str | None, place: Place) -> Choice:
    """The policy a request is judged by: the one it names, else the most specific one that applies, else none.

    A policy that names risk tiers or jurisdictions applies where the model's are among them or not known, so that what
    nobody recorded never escapes the stricter rules. Of a policy's versions that one decides that was enforced last
    among those whose law holds on the day of ``place.at``.

    Raises:
        NotFound: no version of the named policy was ever stored.
        Conflict: the named policy does not cover the place, or several apply and none is more specific.
    """
    stands = {key: standing(found) for key, found in by_name(publications(unit, name, by=place.at)).items()}
    if name is not None:
        return _named(unit, name, stands.get(name), place)
    covering: list[tuple[Policy, PolicyReference]] = []
    lapsed: list[tuple[Policy, PolicyReference]] = []
    for each in stands.values():
        if not each.enforced:
            continue
        reference, policy = _in_force(unit, each, place)
        if covers(policy, place):
            (covering if _holds(policy, place) else lapsed).append((policy, reference))
    chosen = _most_specific(covering)
    rank = specificity(chosen[0]) if chosen else 0
    own = chosen[1].name if chosen else None
    # A policy that is new is tried where it would decide once it is enforced.
    tried = [
        one
        for key, each in stands.items()
        if key == own or not each.enforced
        for one in _tried(unit, each, place, at_least=0 if key == own else rank)
    ]
    gap = _not_effective(lapsed, place) if lapsed and not chosen else None
    return Choice(chosen[1] if chosen else None, tuple(tried), gap)


def covers(policy: Policy, place: Place) -> bool:
    """Whether the policy's ``applies`` takes in the place, whatever the day."""
    applies = policy.applies
    in_environment = not applies.environments or place.environment in applies.environments
    in_tier = not applies.risk_tiers or place.risk_tier is None or place.risk_tier in applies.risk_tiers
    in_jurisdiction = (
        not applies.jurisdictions
        or not place.jurisdictions
        or any(_within(own, wider) for own in place.jurisdictions for wider in applies.jurisdictions)
    )
    return in_environment and in_tier and in_jurisdiction


def specificity(policy: Policy) -> int:
    """How many of environment, risk tier and jurisdiction the policy names, 0 to 3."""
    return bool(policy.applies.environments) + bool(policy.applies.risk_tiers) + bool(policy.applies.jurisdictions)


def _within(place: str, wider: str) -> bool:
    """Whether a jurisdiction is another one or part of it: ``US-NY-NYC`` lies within ``US``."""
    return place == wider or place.startswith(f"{wider}-")


def _named(unit: Unit | ReadUnit, name: str, found: Standing | None, place: Place) -> Choice:
    if found is None or not found.enforced:
        if found is None and newest(unit, name) is None:
            raise NotFound(expected="a stored policy", found=repr(name), remedy="Publish it, or name another.")
        gap = Reason(
            code="policy.not_in_force",
            message=f"No version of the policy {name!r} is enforced: none was, or it was retired.",
            remediation="Publish a version at the stage `enforce`, or name another policy.",
        )
        return Choice(None, _tried(unit, found, place) if found else (), gap)
    reference, policy = _in_force(unit, found, place)
    if not covers(policy, place):
        raise Conflict(
            expected=f"a policy that applies to {place.environment!r}",
            found=f"{name!r}, which does not",
            remedy="Name another policy, or leave it out to have one chosen.",
        )
    tried = _tried(unit, found, place)
    if not _holds(policy, place):
        return Choice(None, tried, _not_effective([(policy, reference)], place))
    return Choice(reference, tried)


def _in_force(unit: Unit | ReadUnit, found: Standing, place: Place) -> tuple[PolicyReference, Policy]:
    """The version that was enforced last among those whose law holds that day; where none does, the last of all."""
    for reference in found.enforced:
        policy = store.policy(unit, reference.digest)
        if _holds(policy, place):
            return reference, policy
    return found.enforced[0], store.policy(unit, found.enforced[0].digest)


def _holds(policy: Policy, place: Place) -> bool:
    return policy.effective is None or policy.effective.holds(place.at)


def _tried(unit: Unit | ReadUnit, found: Standing, place: Place, *, at_least: int = 0) -> tuple[Tried, ...]:
    """Versions in shadow or warning that cover the place; that their law holds only later is why they are tried."""
    return tuple(
        Tried(policy=reference, stage=stage)
        for reference, stage in found.tried
        if covers(policy := store.policy(unit, reference.digest), place) and specificity(policy) >= at_least
    )


def _most_specific(covering: Sequence[tuple[Policy, PolicyReference]]) -> tuple[Policy, PolicyReference] | None:
    if not covering:
        return None
    best = max(specificity(policy) for policy, _ in covering)
    chosen = [pair for pair in covering if specificity(pair[0]) == best]
    if len(chosen) > 1:
        raise Conflict(
            expected="one policy that applies",
            found=", ".join(sorted(reference.name for _, reference in chosen)),
            remedy="Name one of them in the request.",
        )
    return chosen[0]


def _not_effective(lapsed: Sequence[tuple[Policy, PolicyReference]], place: Place) -> Reason:
    spans = "; ".join(
        f"{reference.name}@{reference.version} holds {policy.effective.days}"
        for policy, reference in lapsed
        if policy.effective is not None
    )
    return Reason(
        code="policy.not_effective",
        message=f"No policy that applies holds on {place.at.date().isoformat()}: {spans}.",
        remediation="Publish a version with the text that holds on this day, or name another policy.",
    )
