"""What answers of lineage have in common: an ETag of their content, instants that are asked for, pages of lists."""

import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

import msgspec
from fastapi import Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from governance import __version__
from governance.database import ReadUnit, Unit
from governance.errors import InputRefused
from governance.log.journal import size
from lineage.events import EARLIEST, LATEST
from lineage.identity import name_fault
from lineage.marquez.pages import MAX_LIMIT, Page
from lineage.marquez.runs import time_text
from lineage.replay import VERSION


def tagged(request: Request, document: dict[str, Any]) -> Response:
    """The document with an ETag of its content; 304 where the reader has it already. Instants in it must be in UTC."""
    content = msgspec.json.encode(document)
    tag = f'"{hashlib.sha256(content).hexdigest()}"'
    if is_known(request, tag):
        return Response(status_code=304, headers={"ETag": tag})
    return Response(content, media_type="application/json", headers={"ETag": tag})


def is_known(request: Request, tag: str) -> bool:
    """Whether the reader has the answer with this ETag already. A tag counts whether or not it is a weak one."""
    known = [part.strip().removeprefix("W/") for part in request.headers.get("if-none-match", "").split(",")]
    return tag.removeprefix("W/") in known or known == ["*"]


def state_tag(unit: ReadUnit | Unit, question: str) -> str:
    """An ETag for an answer that is streamed: of the question, and of how much was recorded when it was asked.

    Every event and every act of an operator has a leaf in the log, so an answer changes only when the log grows, or
    when a new version of the product derives other things from it.
    """
    asker = "" if unit.sight.is_whole else json.dumps(unit.sight.scopes)
    basis = f"{__version__} {VERSION} {size(unit)} {question}{asker}"
    return f'W/"{hashlib.sha256(basis.encode()).hexdigest()}"'


def cursor_text(values: Sequence[str | int]) -> str:
    """Where a page ended, as the reader sends it back."""
    return base64.urlsafe_b64encode(json.dumps(list(values)).encode("ascii")).decode().rstrip("=")


def cursor_values(given: str, kinds: Sequence[type[str] | type[int]]) -> tuple[Any, ...]:
    """The values in a cursor, each of its kind.

    Raises:
        InputRefused: it is none that an answer gave.
    """
    try:
        values = json.loads(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)))
    except (ValueError, TypeError, RecursionError):
        values = None
    is_fitting = (
        isinstance(values, list)
        and [type(value) for value in values] == list(kinds)
        and all(name_fault(value) is None for value in values if isinstance(value, str) and value)
        and all(abs(value) < 2**62 for value in values if isinstance(value, int))
    )
    if not is_fitting:
        raise InputRefused(
            expected="the next_cursor of an answer to the same question",
            found=given[:80],
            remedy="Ask for the first page again.",
            pointer="cursor",
        )
    return tuple(values)


def place_in_log(cursor: str | None) -> int:
    """The index in the log after which a page begins, as its cursor says; before the first where there is none.

    Raises:
        InputRefused: it is none that an answer gave.
    """
    index: int = -1 if cursor is None else cursor_values(cursor, (int,))[0]
    return index


def next_cursor(following: str | int | None) -> str | None:
    """The cursor of a page that ends with one value; null where nothing follows."""
    return None if following is None else cursor_text([following])


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
    """A document of Marquez's API. Text and numbers that only JSON can carry are written as events brought them.

    Instants in it are in UTC.
    """
    try:
        content = msgspec.json.encode(document)
    except (UnicodeEncodeError, OverflowError):  # lone surrogates, integers beyond 64 bits
        content = json.dumps(document, separators=(",", ":"), default=time_text).encode("ascii")
    return Response(content, status, media_type="application/json")
