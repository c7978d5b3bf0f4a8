"""What a stranger needs to check this instance's decisions: its public keys and its log's newest checkpoint."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import PlainTextResponse

from api.dependencies import StateOf
from audits.proof import signed_checkpoint
from governance.bundle import trust_document

router = APIRouter(prefix="/v1", tags=["proof"])


@router.get("/trust", summary="Public keys of this instance")
def trust(state: StateOf) -> dict[str, Any]:
    """The trust file that `assay verify` reads. Pin it once, over a channel you trust; it holds public keys only."""
    return dict(trust_document(state.gate.ring, state.gate.origin))


@router.get("/log/checkpoint", summary="The log's newest checkpoint", response_class=PlainTextResponse)
def checkpoint(state: StateOf) -> PlainTextResponse:
    """A signed note (C2SP tlog-checkpoint) over the log as it is now."""
    return PlainTextResponse(signed_checkpoint(state.database, state.gate).note)
