"""Whether models, statements, revocations, deployments and findings are those in the log: each leaf again."""

from audits import attestation_records, deployments, revocations, running
from governance.database import ReadUnit
from governance.log.fsck import Fault, kind_fault
from governance.registry import models
from governance.signing.keys import KeyRing


def life_faults(unit: ReadUnit, ring: KeyRing) -> list[Fault]:
    """What does not hold between these rows and the log, at most one fault of each kind; empty when all holds."""
    leaves = {
        models.LEAF_KIND: models.model_leaves(unit),
        attestation_records.LEAF_KIND: attestation_records.attestation_leaves(unit),
        revocations.LEAF_KIND: revocations.revocation_leaves(unit, ring),
        deployments.LEAF_KIND: deployments.deployment_leaves(unit),
        running.LEAF_KIND: running.finding_leaves(unit),
    }
    faults = [kind_fault(unit, kind, expected, called=f"a {kind}") for kind, expected in leaves.items()]
    return [fault for fault in faults if fault is not None]
