"""Policies: publishing a version, and reading what is in force."""

from typing import Annotated, Any

from fastapi import APIRouter

from api import examples
from api.body import read_body
from api.dependencies import PrincipalOf, ReadingUnit, WriteUnit, permit
from audits import store
from audits.catalog import read_policy
from audits.policies import publish
from governance.errors import InputRefused, NotFound
from governance.types.policy import Policy, PolicyName

router = APIRouter(prefix="/v1/policies", tags=["policies"])


@router.get("", summary="Policies in force", dependencies=[permit("read")])
def policies(unit: ReadingUnit) -> dict[str, Any]:
    """The newest version of every policy."""
    return {"policies": [reference.document() for reference in store.latest_policies(unit)]}


@router.post(
    "/{name}/versions",
    summary="Publish a version of a policy",
    status_code=201,
    dependencies=[permit("policy.write")],
    openapi_extra=examples.body(Policy, examples.POLICY, media="application/yaml"),
)
def publish_version(
    unit: WriteUnit,
    principal: PrincipalOf,
    name: PolicyName,
    body: Annotated[bytes, read_body(lambda settings: settings.limits.document_bytes)],
) -> dict[str, Any]:
    """Validate a YAML or JSON policy with every check's parameters and put it in force from now on."""
    policy = read_policy(body)
    if policy.name != name:
        raise InputRefused(
            expected=f"a policy named {name!r}, as in the path", found=repr(policy.name), remedy="Make the names agree."
        )
    return publish(unit, policy, by=principal.id).document()


@router.get("/{name}/versions/{version}", summary="One version of a policy", dependencies=[permit("read")])
def policy_version(unit: ReadingUnit, name: PolicyName, version: int) -> dict[str, Any]:
    """The policy with its digest."""
    reference = store.policy_version(unit, name, version) if abs(version) < 2**31 else None
    if reference is None:
        raise NotFound(expected="a published version", found=f"{name}@{version}", remedy="List them: GET /v1/policies.")
    return {**reference.document(), "policy": store.policy(unit, reference.digest).document()}
