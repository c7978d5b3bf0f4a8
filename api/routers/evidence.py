"""Evidence: uploaded bytes, manifests and signed test results."""

import tempfile
from collections.abc import Iterator
from typing import Annotated, Any, BinaryIO

from fastapi import APIRouter, Request
from fastapi import Path as PathParameter
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import JSONResponse, StreamingResponse

from api import examples
from api.body import chunks_of, read_body
from api.dependencies import DatabaseOf, PrincipalOf, StateOf, WriteUnit, permit
from audits.evidence import no_artifact, require_artifact_seen, submit
from governance.artifacts import CHUNK
from governance.types.manifest import Manifest

router = APIRouter(prefix="/v1", tags=["evidence"])

SHA256 = Annotated[str, PathParameter(pattern="^[0-9a-f]{64}$", description="SHA-256 of the bytes, hexadecimal")]


@router.put(
    "/artifacts/{sha256}",
    summary="Upload bytes under their digest",
    status_code=201,
    dependencies=[permit("evidence.write", scoped=True)],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {"application/octet-stream": {"schema": {"type": "string", "format": "binary"}}},
        }
    },
)
async def upload(request: Request, state: StateOf, sha256: SHA256) -> JSONResponse:
    """Store the body if its SHA-256 is the one in the path. The same bytes may be sent again."""
    limit = state.settings.limits.artifact_bytes
    # The body is spooled first: the store's writes block, and the event loop must not.
    with tempfile.SpooledTemporaryFile(max_size=8 * CHUNK) as spool:
        async for chunk in chunks_of(request, limit):
            await run_in_threadpool(spool.write, chunk)
        digest, size = await run_in_threadpool(_store, state, spool, limit, f"sha256:{sha256}")
    return JSONResponse({"digest": digest, "bytes": size}, 201)


def _store(state: StateOf, spool: BinaryIO | Any, limit: int, expected: str) -> tuple[str, int]:
    spool.seek(0)
    return state.artifacts.put(_read(spool), limit=limit, expected=expected)


def _read(spool: BinaryIO | Any) -> Iterator[bytes]:
    while chunk := spool.read(CHUNK):
        yield chunk


@router.get(
    "/artifacts/{sha256}",
    summary="Bytes by their digest",
    dependencies=[permit("read", scoped=True)],
    response_class=StreamingResponse,
    responses={200: {"content": {"application/octet-stream": {}}}},
)
def download(state: StateOf, database: DatabaseOf, sha256: SHA256) -> StreamingResponse:
    """The stored bytes. They are never shown as a page: the type is opaque and browsers are told to keep to it.

    With scopes, those that evidence of a model within them names.
    """
    digest = f"sha256:{sha256}"
    if not database.sight.is_whole:
        with database.read_unit() as unit:
            require_artifact_seen(unit, digest)
    if not state.artifacts.holds(digest):
        raise no_artifact(digest)
    headers = {"Content-Disposition": f'attachment; filename="{sha256}"'}
    return StreamingResponse(state.artifacts.stream(digest), media_type="application/octet-stream", headers=headers)


@router.post(
    "/evidence",
    summary="Submit a manifest or a signed test result",
    status_code=201,
    dependencies=[permit("evidence.write", scoped=True)],
    openapi_extra=examples.body(Manifest, examples.MANIFEST),
)
def evidence(
    unit: WriteUnit,
    state: StateOf,
    principal: PrincipalOf,
    body: Annotated[bytes, read_body(lambda settings: settings.limits.document_bytes)],
) -> dict[str, Any]:
    """Keep what is to be judged; its digest is what an evaluation names. Sending it again changes nothing."""
    digest, new = submit(unit, state.gate, body, by=principal.id)
    return {"digest": digest, "new": new}
