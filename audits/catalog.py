"""Policy documents and the checks they name, without a database: what the gate and `assay check` share."""

from functools import lru_cache
from typing import Any

from audits.policy_text import load, places
from governance._siblings import home
from governance.check import Check, Params
from governance.errors import InputRefused, MalformedBody, NotFound
from governance.plugins import load_check
from governance.types.policy import Policy, PolicyCheck
from governance.types.value import parse_value


@lru_cache
def check_of(name: str) -> Check[Any]:
    """The check called ``name``, loaded once."""
    return load_check(name)


def params_of(check: PolicyCheck) -> Params:
    """The parameters a policy sets for a check, validated by the check.

    Raises:
        InputRefused: a parameter is unknown or out of range.
        NotFound: the check does not exist.
    """
    params: Params = parse_value(check_of(check.id).params, check.params, what=f"parameters of the check {check.id}")
    return params


def read_policy(text: bytes) -> Policy:
    """A policy document in YAML or JSON, with every check known and every parameter valid.

    Raises:
        MalformedBody: not YAML, or a key stands twice. InputRefused: not a policy. NotFound: an unknown check.
    """
    raw = read_document(text)
    return validate(parse_value(Policy, raw, what="a policy of kind assay.policy/v1"))


def read_document(text: bytes) -> Any:
    """What one YAML or JSON document says, where no key stands twice.

    Raises:
        MalformedBody: it is neither, or a key stands twice, so that one of two rules would be ignored.
    """
    doubled = places(text).doubled
    if doubled:
        raise MalformedBody(
            expected="each key once in its mapping",
            found=f"{doubled[0]} twice",
            remedy="Leave one of them.",
            pointer=doubled[0],
        )
    return load(text)


def validate(policy: Policy) -> Policy:
    """The same policy, once each of its checks has taken its parameters."""
    if not policy.checks:
        raise InputRefused(
            expected="one check or more", found="none", remedy="Name the checks that must pass.", pointer="/checks"
        )
    for check in policy.checks:
        params_of(check)
    return policy


def pack(name: str) -> bytes:
    """The text of a policy pack that ships.

    Raises:
        NotFound: no pack has this name.
    """
    folder = home() / "policies" / "packs"
    names = sorted(path.stem for path in folder.glob("*.yaml"))
    if name not in names:
        raise NotFound(expected=f"one of the packs {', '.join(names)}", found=repr(name), remedy="Name one of them.")
    return (folder / f"{name}.yaml").read_bytes()
