"""What answers of lineage have in common: an ETag of their content, instants that are asked for, pages of lists."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from governance.errors import InputRefused
from lineage.events import EARLIEST, LATEST
from lineage.marquez.pages import MAX_LIMIT, Page


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


class Paging(BaseModel):
    """Which part of a list is asked for, as Marquez's clients do."""

    limit: Annotated[int, Query(ge=0, description="Rows of the answer; more than 1,000 is served as 1,000.")] = 100
    offset: Annotated[int, Query(ge=0, description="Rows before the first one of the answer.")] = 0

    @property
    def page(self) -> Page:
        """The part, within what is served and what a database can count."""
        return Page(min(self.limit, MAX_LIMIT), min(self.offset, 2**62))


Paged = Annotated[Paging, Query()]


def answer(document: Any, status: int = 200) -> Response:
    """A document of Marquez's API. Text and numbers that only JSON can carry are written as events brought them."""
    try:
        content = msgspec.json.encode(document)
    except (UnicodeEncodeError, OverflowError):  # lone surrogates, integers beyond 64 bits
        content = json.dumps(document, separators=(",", ":")).encode("ascii")
    return Response(content, status, media_type="application/json")
