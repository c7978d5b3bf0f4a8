"""Request bodies as bytes, counted while they arrive and while they are unpacked."""

import zlib
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import Depends, Request

from api.dependencies import state_of
from governance.errors import InputRefused, MalformedBody, TooLarge
from governance.settings import Settings

GZIP_WINDOW = 16 + zlib.MAX_WBITS


async def chunks_of(request: Request, limit: int) -> AsyncIterator[bytes]:
    """The body in unpacked chunks.

    Raises:
        TooLarge: more than ``limit`` bytes after unpacking.
        InputRefused: an encoding other than gzip. MalformedBody: it is not gzip, or cut off.
    """
    encoding = request.headers.get("content-encoding", "identity").lower()
    if encoding not in ("identity", "gzip"):
        raise InputRefused(
            expected="Content-Encoding gzip or none",
            found=repr(encoding[:40]),
            remedy="Send the body as it is, or gzip.",
        )
    unpacker = zlib.decompressobj(GZIP_WINDOW) if encoding == "gzip" else None
    size = 0
    async for packed in request.stream():
        pending = packed
        while pending:
            if unpacker is None:
                chunk, pending = pending, b""
            else:
                chunk, pending = _unpack(unpacker, pending)
            size += len(chunk)
            if size > limit:
                raise TooLarge(expected=f"at most {limit} bytes", found="more", remedy="Send less at a time.")
            yield chunk
    if unpacker is not None and not unpacker.eof:
        raise MalformedBody(expected="a whole gzip body", found="one that is cut off", remedy="Send it again.")


def _unpack(unpacker: Any, packed: bytes) -> tuple[bytes, bytes]:
    try:
        chunk: bytes = unpacker.decompress(packed, 2**20)
    except zlib.error as fault:
        raise MalformedBody(
            expected="a gzip body", found=str(fault)[:80], remedy="Send valid gzip, or leave Content-Encoding out."
        ) from fault
    # What follows the end of the first member is not part of the body that was announced.
    return chunk, unpacker.unconsumed_tail if not unpacker.eof else b""


def read_body(limit: Callable[[Settings], int]) -> Any:
    """A route dependency that gives the whole body, at most ``limit(settings)`` bytes after unpacking."""

    async def read(request: Request) -> bytes:
        largest = limit(state_of(request).settings)
        return b"".join([chunk async for chunk in chunks_of(request, largest)])

    return Depends(read)
