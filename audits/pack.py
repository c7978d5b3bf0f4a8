"""The auditor's pack of a decision, put together from what is stored with it."""

from audits import store
from audits.context import GateContext
from audits.proof import bundle_of
from governance.bundle import trust_of
from governance.canonical import read_json
from governance.database import Database, ReadUnit
from governance.errors import NotFound
from governance.pack import digests_in, named_by, pack_files
from governance.pack_files import pack_bytes
from governance.types.decision import Decision
from governance.verify import verify_bundle


def pack_of(database: Database, context: GateContext, decision_id: str, *, cosignatures: int = 0) -> bytes:
    """The bytes of a decision's pack: the same ones as long as the checkpoint and the keys are the same.

    It holds every stored document whose digest the decision names; the bundle in it was verified before it is given.

    Raises:
        NotFound: no decision has this id, or no checkpoint with so many cosignatures covers it.
        ProofRejected: what is stored does not prove the decision any more.
    """
    trust = trust_of(context.ring, context.origin)
    bundle = bundle_of(database, context, decision_id, cosignatures=cosignatures)
    proved = verify_bundle(bundle, trust, witnesses=context.witnesses, cosignatures=cosignatures)
    with database.read_unit() as unit:
        decision = store.decision(unit, store.decision_row(unit, decision_id))
        documents = _documents(unit, decision)
        missing = named_by(proved.decision) - set(documents)
    if missing:
        raise NotFound(
            expected="every document that the decision rests on",
            found=f"none under {', '.join(sorted(missing))}",
            remedy="Put back the newest copy of the database.",
        )
    return pack_bytes(pack_files(bundle, trust, proved, documents))


def _documents(unit: ReadUnit, decision: Decision) -> dict[str, bytes]:
    """Digest to bytes, of the decision and of every stored document that it names."""
    own = decision.value_digest()
    content = store.body_of(unit, own)
    named = store.bodies_of(unit, digests_in(read_json(content)))
    return named | {own: content}
