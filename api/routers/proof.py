"""What a stranger needs to check this instance's decisions, and a monitor to watch its log.

All of it is open: keys are public, and leaves hold digests, signatures and public keys, never what was digested.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi import Path as PathPart
from fastapi.responses import PlainTextResponse, Response
from pydantic import StringConstraints

from api import examples
from api.body import read_body
from api.dependencies import DatabaseOf, OpenReadingUnit, StateOf, WriteUnit, permit
from audits.pack import pack_of
from audits.proof import cosigned_checkpoint, shown_checkpoint
from audits.record import require_all_seen
from governance.bundle import trust_document
from governance.canonical import read_json
from governance.log import journal
from governance.log.cosigning import take
from governance.pack import PACK_TYPE
from governance.signing.dsse import encode
from governance.types.value import Value, parse_value

router = APIRouter(prefix="/v1", tags=["proof"])

MOST_NOTE_BYTES = 64 * 2**10
"""A note with the cosignatures of fifty witnesses is below 10 kB."""


@router.get("/trust", summary="Public keys of this instance")
def trust(state: StateOf) -> dict[str, Any]:
    """The trust file that `assay verify` reads. Pin it once, over a channel you trust; it holds public keys only."""
    return dict(trust_document(state.gate.ring, state.gate.origin))


Cosignatures = Annotated[
    int, Query(ge=0, le=50, description="At least so many known witnesses must have cosigned the checkpoint")
]


@router.get("/log/checkpoint", summary="The log's newest checkpoint", response_class=PlainTextResponse)
def checkpoint(state: StateOf, cosignatures: Cosignatures = 0) -> PlainTextResponse:
    """A signed note (C2SP tlog-checkpoint) over the log as it is now, with the cosignatures it has by now.

    With `cosignatures` it is the newest checkpoint that so many known witnesses cosigned; 404 where there is none.
    """
    if cosignatures:
        return PlainTextResponse(cosigned_checkpoint(state.database, state.gate, cosignatures).note)
    return PlainTextResponse(shown_checkpoint(state.database, state.gate).note)


class Cosigned(Value):
    """A checkpoint of this log with the lines of witnesses behind its own."""

    note: Annotated[str, StringConstraints(min_length=1, max_length=16_384)]


@router.post(
    "/log/cosignatures",
    summary="Hand back cosignatures of witnesses",
    dependencies=[permit("log.cosign")],
    openapi_extra=examples.body(Cosigned, examples.COSIGNED),
)
def cosign(
    unit: WriteUnit, state: StateOf, content: Annotated[bytes, read_body(lambda _: MOST_NOTE_BYTES)]
) -> dict[str, Any]:
    """Take a checkpoint of this log that witnesses cosigned (C2SP tlog-cosignature). Only known witnesses count."""
    given = parse_value(Cosigned, read_json(content), what="a cosigned checkpoint")
    keys = state.gate.ring.own_checkpoint_keys
    return {"taken": take(unit, given.note, keys, state.gate.witnesses, origin=state.gate.origin)}


LARGEST = 2**63 - 1
"""The largest number that the log's tables hold."""

TreeSize = Annotated[int, Query(ge=0, le=LARGEST, description="A tree size, usually that of a checkpoint")]


@router.get("/log/consistency", summary="Proof that the log only grew")
def consistency(unit: OpenReadingUnit, old: TreeSize, new: TreeSize) -> dict[str, Any]:
    """The hashes (base64, RFC 6962) that prove the tree of `new` leaves to begin with the tree of `old` leaves."""
    hashes = journal.consistency(unit, old, new)
    return {"old": old, "new": new, "hashes": [encode(each) for each in hashes]}


@router.get("/log/entries/{index}", summary="One leaf of the log, with its proof")
def entry(
    unit: OpenReadingUnit,
    index: Annotated[int, PathPart(ge=0, le=LARGEST)],
    size: Annotated[int, Query(ge=1, le=LARGEST, description="The tree to prove it in: that of a checkpoint")],
) -> dict[str, Any]:
    """The leaf at `index` and the hashes (base64, RFC 6962) that prove it in the tree of `size` leaves."""
    hashes = journal.inclusion(unit, index, size)
    leaf = journal.leaf(unit, index)
    return {
        "index": index,
        "size": size,
        "kind": leaf.kind,
        "leaf": encode(leaf.body),
        "hashes": [encode(each) for each in hashes],
    }


@router.get(
    "/decisions/{decision_id}/pack",
    summary="A decision's proof with all it rests on",
    dependencies=[permit("read", scoped=True)],
    response_class=Response,
    responses={200: {"content": {PACK_TYPE: {}}}},
)
def pack(state: StateOf, database: DatabaseOf, decision_id: str, cosignatures: Cosignatures = 0) -> Response:
    """An auditor's pack (zip): bundle, log proof, what was measured, the policy, ancestry, keys and instructions.

    `assay audit verify` checks it offline. The same checkpoint gives the same bytes.
    """
    if not database.sight.is_whole:
        with database.read_unit() as unit:
            require_all_seen(unit, decision_id)
    content = pack_of(database, state.gate, decision_id, cosignatures=cosignatures)
    name = f'attachment; filename="{decision_id[:64]}.pack.zip"'
    return Response(content, media_type=PACK_TYPE, headers={"Content-Disposition": name})
