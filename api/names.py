"""Names in paths: one percent-encoded segment each, decoded once, whatever characters they hold.

An ASGI server hands over the path decoded, so that a slash inside a name (``%2F``) looks like one between names.
``EncodedNames`` therefore makes the path anew from ``raw_path`` before routing: each segment is decoded and then only
its own ``%`` and ``/`` are encoded again. The types below take that back, so a route says only::

    @router.get("/api/v1/namespaces/{namespace}/jobs/{job}")
    def job(namespace: NameInPath, job: NameInPath) -> ...:

and gets both names as their producer wrote them. Every path parameter below ``/api/v1`` has one of these types
(``tests/api/test_names.py`` walks the routes). A name that no event can have is refused with 422. A slash at the end
of a path is ignored, as Marquez ignores it; its web pages send some.
"""

from typing import Annotated
from urllib.parse import unquote_to_bytes

from fastapi import Path
from pydantic import AfterValidator, BeforeValidator
from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from api.errors import refusal
from governance.errors import InputRefused
from lineage.identity import MAX_NAME, name_fault

PREFIXES = ("/api/v1/", "/api/v2beta/")
_EVENTS = "/api/v1/events/"
"""Below it the rest of the path is one namespace, which may end in a slash."""


class EncodedNames:
    """Middleware that keeps the boundaries of names in the paths of Marquez's API."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before ``app``."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on the request with its path made from ``raw_path``; refuse a path that is no UTF-8."""
        if scope["type"] == "http" and scope["path"].startswith(PREFIXES) and scope.get("raw_path"):
            path = kept_path(scope["raw_path"])
            if path is None:
                fault = InputRefused(
                    expected="names in UTF-8", found="other bytes in the path", remedy="Encode names as UTF-8."
                )
                await refusal(Request(scope), fault)(scope, receive, send)
                return
            scope = {**scope, "path": path}
        await self._app(scope, receive, send)


def kept_path(raw_path: bytes) -> str | None:
    """The path with each segment decoded, but for ``%`` and ``/`` inside it; None where it is no UTF-8.

    >>> kept_path(b"/api/v1/namespaces/s3:%2F%2Flake%25/jobs/%E8%A1%A8")
    '/api/v1/namespaces/s3:%2F%2Flake%25/jobs/表'
    """
    try:
        decoded = [unquote_to_bytes(segment).decode() for segment in raw_path.partition(b"?")[0].split(b"/")]
    except UnicodeDecodeError:
        return None
    path = "/".join(segment.replace("%", "%25").replace("/", "%2F") for segment in decoded)
    return path if path.startswith(_EVENTS) else path.rstrip("/")


def _name(kept: object) -> object:
    """The name that a segment, or the rest of a path, stands for."""
    return kept.replace("%2F", "/").replace("%25", "%") if isinstance(kept, str) else kept


def _usable(name: str) -> str:
    fault = name_fault(name)
    if fault is not None:
        raise ValueError(f"a name of 1 to {MAX_NAME} characters is expected, and {fault} was found")
    return name


NameInPath = Annotated[str, BeforeValidator(_name), AfterValidator(_usable), Path(min_length=1, max_length=MAX_NAME)]
"""A namespace, dataset, job, field path, source or tag as one segment of the path, as it is stored."""
