"""Policies as the gate keeps them: versioned, and picked for a request."""

from audits import store
from audits.catalog import pack, read_policy
from audits.schemas import require_registered
from governance.database import ReadUnit, Unit
from governance.errors import Conflict, NotFound
from governance.types.policy import Policy, PolicyReference

SHIPPED = ("baseline",)
"""Packs that every instance holds from its first start."""


def publish(unit: Unit, policy: Policy, *, by: str) -> PolicyReference:
    """Keep a new version; publishing what is already in force gives the version it has.

    Raises:
        InputRefused: it names a schema that is not registered.
    """
    require_registered(unit, policy)
    latest = store.latest_policy(unit, policy.name)
    if latest is not None and latest.digest == policy.value_digest():
        return latest
    return store.add_policy(unit, policy, version=latest.version + 1 if latest else 1, by=by)


def install_packs(unit: Unit) -> None:
    """Publish the packs that ship and are not in force yet."""
    for name in SHIPPED:
        publish(unit, read_policy(pack(name)), by="assay")


def choose(
    unit: Unit | ReadUnit, *, name: str | None, environment: str, risk_tier: str | None
) -> PolicyReference | None:
    """The policy a request is judged by: the one it names, else the most specific one that applies, else None.

    A policy that names risk tiers applies where the tier is among them or not known, so that an unrecorded tier never
    escapes the stricter rules.

    Raises:
        NotFound: the named policy is not in force.
        Conflict: the named policy does not cover the environment, or several apply and none is more specific.
    """
    if name is not None:
        named = store.latest_policy(unit, name)
        if named is None:
            raise NotFound(expected="a published policy", found=repr(name), remedy="Publish it, or name another.")
        if not _covers(store.policy(unit, named.digest), environment, risk_tier):
            raise Conflict(
                expected=f"a policy that applies to {environment!r}",
                found=f"{name!r}, which does not",
                remedy="Name another policy, or leave it out to have one chosen.",
            )
        return named
    covering = [
        (_specificity(policy), reference)
        for reference in store.latest_policies(unit)
        if _covers(policy := store.policy(unit, reference.digest), environment, risk_tier)
    ]
    if not covering:
        return None
    best = max(rank for rank, _ in covering)
    chosen = [reference for rank, reference in covering if rank == best]
    if len(chosen) > 1:
        raise Conflict(
            expected="one policy that applies",
            found=", ".join(sorted(reference.name for reference in chosen)),
            remedy="Name one of them in the request.",
        )
    return chosen[0]


def _covers(policy: Policy, environment: str, risk_tier: str | None) -> bool:
    applies = policy.applies
    in_environment = not applies.environments or environment in applies.environments
    in_tier = not applies.risk_tiers or risk_tier is None or risk_tier in applies.risk_tiers
    return in_environment and in_tier


def _specificity(policy: Policy) -> int:
    return bool(policy.applies.environments) + bool(policy.applies.risk_tiers) + bool(policy.applies.jurisdictions)
