"""The proof of a decision as a file: its envelope, its leaf and a signed checkpoint that covers it."""

from audits import store
from audits.context import GateContext
from governance.bundle import decision_bundle
from governance.canonical import canonical, read_json
from governance.database import Database
from governance.log import journal
from governance.log.publish import latest, publish
from governance.signing.dsse import Envelope


def bundle_of(database: Database, context: GateContext, decision_id: str) -> bytes:
    """The canonical bytes of a decision's Sigstore bundle, under a checkpoint that is signed when none covers it yet.

    Raises:
        NotFound: no decision has this id.
    """
    with database.read_unit() as unit:
        row = store.decision_row(unit, decision_id)
        index, envelope = row.log_index, Envelope.model_validate(read_json(row.envelope))
        checkpoint = latest(unit)
    if checkpoint is None or checkpoint.size <= index:
        checkpoint = publish(database, context.ring, context.origin, context.settings.home / "checkpoint")
    with database.read_unit() as unit:
        leaf = journal.leaf(unit, index)
        proof = journal.inclusion(unit, index, checkpoint.size)
    return canonical(
        decision_bundle(envelope, leaf=leaf, index=index, proof=proof, checkpoint=checkpoint, ring=context.ring)
    )
