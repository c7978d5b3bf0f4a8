"""Registered schemas as policies and manifests name them, and their documents put in their places. Pure.

Finding the documents is the caller's part: the gate asks its registry, `assay check` asks the service.
"""

from collections.abc import Mapping
from typing import Any

from governance.types.manifest import Manifest
from governance.types.policy import Policy, PolicyCheck

CHECK = "schema"
"""The check whose parameters may name a registered schema in place of a document."""


def references(policy: Policy, manifest: Manifest | None) -> list[str]:
    """The registered schemas that the policy's checks are measured by."""
    found = (_reference(check, manifest) for check in policy.checks)
    return [reference for reference in found if reference is not None]


def filled(policy: Policy, manifest: Manifest | None, documents: Mapping[str, Mapping[str, Any]]) -> Policy:
    """The policy with the documents of the schemas that are named.

    One that is not among the documents is left to the check, which refuses to measure without.
    """
    return policy.model_copy(update={"checks": tuple(_filled(check, manifest, documents) for check in policy.checks)})


def _reference(check: PolicyCheck, manifest: Manifest | None) -> str | None:
    """The registered schema that a line of a policy is measured by, of its own or as the manifest names it."""
    if check.id != CHECK or check.params.get("document") is not None:
        return None
    own = check.params.get("schema")
    if own is not None:
        return str(own)
    dataset = manifest.dataset if manifest is not None else None
    return dataset.registered_schema if dataset is not None else None


def _filled(check: PolicyCheck, manifest: Manifest | None, documents: Mapping[str, Mapping[str, Any]]) -> PolicyCheck:
    reference = _reference(check, manifest)
    if reference is None:
        return check
    params = {**check.params, "schema": reference}
    params |= {"document": dict(documents[reference])} if reference in documents else {}
    return check.model_copy(update={"params": params})
