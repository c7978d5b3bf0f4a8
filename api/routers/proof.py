"""What a stranger needs to check this instance's decisions, and a monitor to watch its log.

All of it is open: keys are public, and leaves hold digests, signatures and public keys, never what was digested.
"""

from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi import Path as PathPart
from fastapi.responses import PlainTextResponse

from api.dependencies import OpenReadingUnit, StateOf
from audits.proof import signed_checkpoint
from governance.bundle import trust_document
from governance.log import journal
from governance.signing.dsse import encode

router = APIRouter(prefix="/v1", tags=["proof"])


@router.get("/trust", summary="Public keys of this instance")
def trust(state: StateOf) -> dict[str, Any]:
    """The trust file that `assay verify` reads. Pin it once, over a channel you trust; it holds public keys only."""
    return dict(trust_document(state.gate.ring, state.gate.origin))


@router.get("/log/checkpoint", summary="The log's newest checkpoint", response_class=PlainTextResponse)
def checkpoint(state: StateOf) -> PlainTextResponse:
    """A signed note (C2SP tlog-checkpoint) over the log as it is now."""
    return PlainTextResponse(signed_checkpoint(state.database, state.gate).note)


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
