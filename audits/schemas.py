"""The registered schemas that policies and manifests name, looked up before anything is measured."""

from audits.references import filled, references
from governance.database import ReadUnit, Unit
from governance.errors import InputRefused, NotFound
from governance.registry.schemas import schema_document
from governance.types.manifest import Manifest
from governance.types.policy import Policy


def with_documents(unit: Unit | ReadUnit, policy: Policy, manifest: Manifest | None) -> Policy:
    """The policy with the documents of the registered schemas that it, or the manifest, names."""
    documents = {}
    for reference in references(policy, manifest):
        try:
            documents[reference] = schema_document(unit, reference)
        except NotFound:
            continue
    return filled(policy, manifest, documents)


def require_registered(unit: Unit | ReadUnit, policy: Policy) -> None:
    """Refuse a policy that names a schema nobody has registered.

    Raises:
        InputRefused: it does.
    """
    for reference in references(policy, None):
        try:
            schema_document(unit, reference)
        except NotFound as fault:
            raise InputRefused(
                expected=fault.expected, found=fault.found, remedy=fault.remedy, pointer="/checks"
            ) from fault
