"""A decision with everything it rests on, read back from what was stored with it."""

from collections.abc import Mapping
from dataclasses import dataclass

from audits import store
from audits.context import GateContext
from audits.proof import covering_checkpoint
from governance.database import Database, ReadUnit
from governance.errors import ScopeNotSupported
from governance.log.checkpoint import Checkpoint
from governance.signing.dsse import read_envelope
from governance.types.ancestry import Ancestry
from governance.types.decision import Decision
from governance.types.policy import Policy
from governance.types.results import Measurement


@dataclass(frozen=True, slots=True)
class Record:
    """A sealed decision, its parts by the digests it names, and a checkpoint that covers it."""

    decision: Decision
    ancestry: Ancestry | None
    measurements: Mapping[str, Measurement]
    policy: Policy | None
    log_index: int
    keyid: str
    checkpoint: Checkpoint


def record_of(database: Database, context: GateContext, decision_id: str) -> Record:
    """The record of a decision.

    Raises:
        NotFound: no decision has this id.
    """
    with database.read_unit() as unit:
        row = store.decision_row(unit, decision_id)
        decision = store.decision(unit, row)
        digests = {outcome.measurement_digest for outcome in decision.checks} - {None}
        measurements = {name: store.fetch(unit, name, Measurement) for name in sorted(filter(None, digests))}
        policy = store.policy(unit, decision.policy.digest) if decision.policy else None
        ancestry = store.fetch(unit, decision.ancestry_digest, Ancestry) if decision.ancestry_digest else None
        index, keyid = row.log_index, read_envelope(row.envelope).signatures[0].keyid
    checkpoint = covering_checkpoint(database, context, index)
    return Record(decision, ancestry, measurements, policy, index, keyid, checkpoint)


def require_all_seen(unit: ReadUnit, decision_id: str) -> None:
    """Return when the unit sees all that a report or pack names: it is one document and cannot be given in part.

    Raises:
        NotFound: the unit does not see the model. ScopeNotSupported: nor all of the data behind it.
    """
    decision = store.decision(unit, store.decision_row(unit, decision_id))
    if unit.sight.is_whole or decision.ancestry_digest is None:
        return
    behind = store.fetch(unit, decision.ancestry_digest, Ancestry)
    named = [(node.namespace, node.name) for node in behind.datasets]
    named += [(run.job_namespace, run.job_name) for run in behind.runs]
    if not all(unit.sight.sees(*name) for name in named):
        raise ScopeNotSupported(
            expected="a key that sees the model and all data behind it",
            found="data outside of its scopes",
            remedy="Ask somebody who sees them.",
        )
