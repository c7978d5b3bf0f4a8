"""Policies: storing a version, publishing it at a stage, packs that ship, and reading what stands."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from api import examples
from api.body import read_body
from api.dependencies import PrincipalOf, ReadingUnit, StateOf, WriteUnit, permit
from audits import policy_records as records
from audits import store
from audits.catalog import read_policy
from audits.lint import lint
from audits.policy_changes import policy_changes
from audits.publishing import Act, publish_or_record, publish_pack, store_version, unmet
from audits.standing import Standing, standing
from governance.canonical import read_json
from governance.database import ReadUnit, Unit
from governance.errors import InputRefused
from governance.types.policy import Policy, PolicyName, PublicationRequest
from governance.types.value import parse_value

router = APIRouter(prefix="/v1", tags=["policies"])

Document = Annotated[bytes, read_body(lambda settings: settings.limits.document_bytes)]
KEPT: dict[int | str, dict[str, Any]] = {200: {"description": "The same is recorded already, and stays as it is"}}


@router.get("/policies", summary="Policies and what stands of them", dependencies=[permit("read", scoped=True)])
def policies(unit: ReadingUnit) -> dict[str, Any]:
    """Every policy: the version that was enforced last, what is tried beside it, and the newest version stored."""
    published = records.by_name(records.publications(unit))
    newest = {version.name: version for version in records.versions(unit)}
    return {
        "policies": [
            _standing(name, standing(published.get(name, [])), version.version) for name, version in newest.items()
        ]
    }


@router.post(
    "/policies/{name}/versions",
    summary="Store a version of a policy",
    status_code=201,
    dependencies=[permit("policy.write")],
    openapi_extra=examples.body(Policy, examples.POLICY, media="application/yaml"),
    responses=KEPT,
)
def store_policy(
    unit: WriteUnit,
    principal: PrincipalOf,
    name: PolicyName,
    body: Document,
    *,
    response: Response,
    dry_run: Annotated[bool, Query(description="Look it over, and store nothing")] = False,
) -> dict[str, Any]:
    """Validate a YAML or JSON policy with every check's parameters and keep it; somebody else publishes it.

    A dry run answers 200 with what `assay policy lint` finds, and with what would keep it from being published here.
    """
    if dry_run:
        response.status_code = 200
        return looked_over(unit, name, body)
    policy = read_policy(body)
    if policy.name != name:
        raise InputRefused(
            expected=f"a policy named {name!r}, as in the path",
            found=repr(policy.name),
            remedy="Make the names agree.",
            pointer="/name",
        )
    version, is_new = store_version(unit, policy, principal)
    response.status_code = 201 if is_new else 200
    return version.document()


@router.get("/policies/{name}/versions", summary="Versions of a policy", dependencies=[permit("read", scoped=True)])
def policy_versions(unit: ReadingUnit, name: PolicyName) -> dict[str, Any]:
    """Every version with its author and its stage, oldest first; null is the stage of one never published."""
    stages = standing(records.publications(unit, name)).stages
    return {
        "versions": [
            {**version.document(), "stage": stages.get(version.version)} for version in records.versions(unit, name)
        ]
    }


@router.get(
    "/policies/{name}/versions/{version}", summary="One version of a policy", dependencies=[permit("read", scoped=True)]
)
def policy_version(unit: ReadingUnit, name: PolicyName, version: int) -> dict[str, Any]:
    """The policy, its digest and author, and every publication of this version."""
    found = records.version_of(unit, name, version)
    published = [one for one in records.publications(unit, name) if one.policy.version == version]
    return {
        **found.document(),
        "policy": store.policy(unit, found.digest).document(),
        "publications": [one.document() for one in published],
    }


@router.get(
    "/policies/{name}/versions/{version}/changes",
    summary="What a version changed",
    dependencies=[permit("read", scoped=True)],
)
def version_changes(unit: ReadingUnit, name: PolicyName, version: int, since: int | None = None) -> dict[str, Any]:
    """The differences from the version `since`, or from the one before, and whether each tightens or loosens."""
    before, after = (
        records.version_of(unit, name, number) for number in (version - 1 if since is None else since, version)
    )
    found = policy_changes(*(store.policy(unit, one.digest) for one in (before, after)))
    return {
        "from": before.reference.document(),
        "to": after.reference.document(),
        "changes": [change.document() for change in found],
    }


@router.post(
    "/policies/{name}/versions/{version}/publish",
    summary="Bring a version to a stage",
    status_code=201,
    dependencies=[permit("policy.publish")],
    openapi_extra=examples.body(PublicationRequest, examples.PUBLICATION),
    responses=KEPT,
)
def publish_version(
    state: StateOf, principal: PrincipalOf, name: PolicyName, version: int, body: Document, *, response: Response
) -> dict[str, Any]:
    """Publish a version that somebody else wrote: shadow, warn, enforce, or retire what was published."""
    wanted = parse_value(PublicationRequest, read_json(body), what="a publication")
    act = Act(name, version, wanted.stage, wanted.note)
    made, is_new = publish_or_record(state.database, act, principal)
    response.status_code = 201 if is_new else 200
    return made.document()


@router.get(
    "/policies/{name}/publications", summary="Publications of a policy", dependencies=[permit("read", scoped=True)]
)
def policy_publications(unit: ReadingUnit, name: PolicyName) -> dict[str, Any]:
    """Every version that came to a stage, by whom and why, oldest first."""
    return {"publications": [made.document() for made in records.publications(unit, name)]}


@router.post(
    "/policy-packs/{pack}/publish",
    summary="Bring a pack that ships to a stage",
    status_code=201,
    dependencies=[permit("policy.publish")],
    openapi_extra=examples.body(PublicationRequest, examples.PUBLICATION),
    responses=KEPT,
)
def publish_shipped_pack(
    unit: WriteUnit, principal: PrincipalOf, pack: PolicyName, body: Document, response: Response
) -> dict[str, Any]:
    """Publish a pack exactly as it ships; its author is the product, so a publisher alone may do it."""
    wanted = parse_value(PublicationRequest, read_json(body), what="a publication")
    made, is_new = publish_pack(unit, pack, wanted.stage, principal, note=wanted.note)
    response.status_code = 201 if is_new else 200
    return made.document()


def looked_over(unit: ReadUnit | Unit, name: str, body: bytes) -> dict[str, Any]:
    """What is found about a document that is to be stored under ``name``, and its digest where it is a policy."""
    found = [finding.document() for finding in lint(body, today=unit.now.date())]
    digest = None
    if not any(finding["level"] == "error" for finding in found):
        policy = read_policy(body)
        digest = policy.value_digest()
        found += [finding.document() for finding in unmet(unit, policy, name)]
    return {"name": name, "digest": digest, "findings": found}


def _standing(name: str, found: Standing, newest: int) -> dict[str, Any]:
    return {
        "name": name,
        "enforced": found.enforced[0].document() if found.enforced else None,
        "tried": [{**reference.document(), "stage": stage} for reference, stage in found.tried],
        "newest_version": newest,
    }
