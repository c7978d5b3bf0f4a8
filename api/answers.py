"""What answers of lineage have in common: an ETag of their content, and instants that are asked for."""

import hashlib
from datetime import UTC, datetime
from typing import Any

import msgspec
from fastapi import Request
from fastapi.responses import Response

from governance.errors import InputRefused
from lineage.events import EARLIEST, LATEST


def tagged(request: Request, document: dict[str, Any]) -> Response:
    """The document with an ETag of its content; 304 where the reader has it already. Instants in it must be in UTC."""
    content = msgspec.json.encode(document)
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    if request.headers.get("if-none-match") == tag:
        return Response(status_code=304, headers={"ETag": tag})
    return Response(content, media_type="application/json", headers={"ETag": tag})


def instant(asked: datetime | None, pointer: str = "as_of") -> datetime | None:
    """The instant that was asked for, read as UTC where it names no zone.

    Raises:
        InputRefused: it is outside the calendar.
    """
    moment = None if asked is None else asked.replace(tzinfo=asked.tzinfo or UTC)
    if moment is not None and not EARLIEST < moment < LATEST:
        raise InputRefused(
            expected="an instant inside the calendar", found=moment.isoformat(), remedy="Correct it.", pointer=pointer
        )
    return moment
