"""The proof of a decision as a file: its envelope, its leaf and a signed checkpoint that covers it."""

from audits import store
from audits.context import GateContext
from governance.bundle import decision_bundle, tlog_proof
from governance.database import Database
from governance.log import journal
from governance.log.checkpoint import Checkpoint
from governance.log.publish import latest, publish
from governance.signing.dsse import read_envelope


def bundle_of(database: Database, context: GateContext, decision_id: str) -> bytes:
    """The canonical bytes of a decision's Sigstore bundle, under a checkpoint that is signed when none covers it yet.

    Raises:
        NotFound: no decision has this id.
    """
    with database.read_unit() as unit:
        row = store.decision_row(unit, decision_id)
        index, envelope = row.log_index, read_envelope(row.envelope)
    checkpoint, proof = _proved(database, context, index)
    return decision_bundle(
        envelope,
        context.ring.decision.public,
        index=index,
        inclusion=proof,
        checkpoint=checkpoint,
        checkpoint_key=context.ring.checkpoint.public,
    )


def tlog_proof_of(database: Database, context: GateContext, decision_id: str) -> bytes:
    """The C2SP ``tlog-proof`` of a decision's leaf, under a checkpoint that is signed when none covers it yet.

    Raises:
        NotFound: no decision has this id.
    """
    with database.read_unit() as unit:
        index = store.decision_row(unit, decision_id).log_index
    checkpoint, proof = _proved(database, context, index)
    return tlog_proof(index, proof, checkpoint)


def _proved(database: Database, context: GateContext, index: int) -> tuple[Checkpoint, list[bytes]]:
    """A checkpoint that covers the leaf at ``index``, and the leaf's inclusion in its tree."""
    checkpoint = covering_checkpoint(database, context, index)
    with database.read_unit() as unit:
        return checkpoint, journal.inclusion(unit, index, checkpoint.size)


def covering_checkpoint(database: Database, context: GateContext, index: int) -> Checkpoint:
    """The newest signed checkpoint if it covers the leaf at ``index``, else a new one."""
    with database.read_unit() as unit:
        newest = latest(unit, context.ring.checkpoint.public, origin=context.origin)
    return newest if newest is not None and newest.size > index else signed_checkpoint(database, context)


def signed_checkpoint(database: Database, context: GateContext) -> Checkpoint:
    """A signed checkpoint of the log as it is now; the last one is also kept in the home folder."""
    return publish(database, context.ring, origin=context.origin, kept=context.settings.home / "checkpoint")
