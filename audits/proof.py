"""The proof of a decision as a file: its envelope, its leaf and a signed checkpoint that covers it."""

from audits import store
from audits.context import GateContext
from governance.bundle import decision_bundle, tlog_proof
from governance.database import Database
from governance.errors import NotFound
from governance.log import journal
from governance.log.checkpoint import Checkpoint, signer_of
from governance.log.cosigning import newest_cosigned, published
from governance.log.publish import latest, publish
from governance.signing.dsse import read_envelope


def bundle_of(database: Database, context: GateContext, decision_id: str, *, cosignatures: int = 0) -> bytes:
    """The canonical bytes of a decision's Sigstore bundle, under a checkpoint that is signed when none covers it yet.

    With ``cosignatures`` it is the newest checkpoint that so many known witnesses cosigned, and their lines are in it.

    Raises:
        NotFound: no decision has this id, or no checkpoint with so many cosignatures covers it.
    """
    with database.read_unit() as unit:
        row = store.decision_row(unit, decision_id)
        index, envelope = row.log_index, read_envelope(row.envelope)
    checkpoint, proof = _proved(database, context, index, cosignatures)
    ring = context.ring
    return decision_bundle(
        envelope,
        ring.decision_key(envelope.signatures[0].keyid),
        index=index,
        inclusion=proof,
        checkpoint=checkpoint,
        checkpoint_key=signer_of(checkpoint, ring.own_checkpoint_keys),
    )


def tlog_proof_of(database: Database, context: GateContext, decision_id: str, *, cosignatures: int = 0) -> bytes:
    """The C2SP ``tlog-proof`` of a decision's leaf, under a checkpoint that is signed when none covers it yet.

    With ``cosignatures`` it is the newest checkpoint that so many known witnesses cosigned, and their lines are in it.

    Raises:
        NotFound: no decision has this id, or no checkpoint with so many cosignatures covers it.
    """
    with database.read_unit() as unit:
        index = store.decision_row(unit, decision_id).log_index
    checkpoint, proof = _proved(database, context, index, cosignatures)
    return tlog_proof(index, proof, checkpoint)


def _proved(database: Database, context: GateContext, index: int, cosignatures: int) -> tuple[Checkpoint, list[bytes]]:
    """A checkpoint that covers the leaf at ``index``, and the leaf's inclusion in its tree."""
    if cosignatures:
        checkpoint = cosigned_checkpoint(database, context, cosignatures, covering=index)
    else:
        checkpoint = covering_checkpoint(database, context, index)
    with database.read_unit() as unit:
        return checkpoint, journal.inclusion(unit, index, checkpoint.size)


def cosigned_checkpoint(
    database: Database, context: GateContext, cosignatures: int, *, covering: int = -1
) -> Checkpoint:
    """The newest checkpoint that so many known witnesses cosigned, with their lines.

    Raises:
        NotFound: there is none, or it does not cover the leaf at ``covering``.
    """
    with database.read_unit() as unit:
        keys = context.ring.checkpoint_keys
        found = newest_cosigned(unit, keys, context.witnesses, cosignatures, origin=context.origin)
    if found is None or found.size <= covering:
        raise NotFound(
            expected=f"a checkpoint of more than {covering} leaves with {cosignatures} cosignatures"
            if covering >= 0
            else f"a checkpoint with {cosignatures} cosignatures",
            found="none" if found is None else f"one of {found.size} leaves",
            remedy="Ask again when the witnesses have looked at the log, or ask for fewer.",
            pointer="/cosignatures",
        )
    return found


def covering_checkpoint(database: Database, context: GateContext, index: int) -> Checkpoint:
    """The newest signed checkpoint if it covers the leaf at ``index``, else a new one."""
    with database.read_unit() as unit:
        newest = latest(unit, context.ring.checkpoint_keys, origin=context.origin)
    return newest if newest is not None and newest.size > index else signed_checkpoint(database, context)


def signed_checkpoint(database: Database, context: GateContext) -> Checkpoint:
    """A signed checkpoint of the log as it is now; the last one is also kept in the home folder."""
    return publish(database, context.keys, origin=context.origin, kept=context.settings.home / "checkpoint")


def shown_checkpoint(database: Database, context: GateContext) -> Checkpoint:
    """A signed checkpoint of the log as it is now, with the cosignatures that witnesses have handed back for it."""
    signed = signed_checkpoint(database, context)
    with database.read_unit() as unit:
        return published(unit, signed, context.witnesses)
