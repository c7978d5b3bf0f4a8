"""Whether models, statements, revocations, deployments and findings are those in the log: each leaf again."""

from collections.abc import Iterator

from audits import attestation_records, deployments, revocations, running
from governance.database import ReadUnit
from governance.log import journal
from governance.log.fsck import Fault
from governance.registry import models
from governance.signing.keys import KeyRing

PAGE = 500

Expected = Iterator[tuple[int, bytes | None]]


def life_faults(unit: ReadUnit, ring: KeyRing) -> list[Fault]:
    """What does not hold between these rows and the log, at most one fault of each kind; empty when all holds."""
    faults = [
        _fault(unit, models.LEAF_KIND, models.model_leaves(unit)),
        _fault(unit, attestation_records.LEAF_KIND, attestation_records.attestation_leaves(unit)),
        _fault(unit, revocations.LEAF_KIND, revocations.revocation_leaves(unit, ring)),
        _fault(unit, deployments.LEAF_KIND, deployments.deployment_leaves(unit)),
        _fault(unit, running.LEAF_KIND, running.finding_leaves(unit)),
    ]
    return [fault for fault in faults if fault is not None]


def _fault(unit: ReadUnit, kind: str, expected: Expected) -> Fault | None:
    logged = _leaves(unit, kind)
    bad = []
    for index, body in expected:
        if logged.pop(index, None) != body or body is None:
            bad.append(Fault(index, f"a {kind} is not what its leaf says"))
    bad += [Fault(index, f"the log holds a {kind} that the database does not") for index in logged]
    return min(bad, default=None)


def _leaves(unit: ReadUnit, kind: str) -> dict[int, bytes]:
    found: dict[int, bytes] = {}
    start = 0
    while page := journal.leaves_of_kind(unit, kind, start=start, count=PAGE):
        found.update(page)
        start = page[-1][0] + 1
    return found
