"""Routes that take events: the same declaration as any other, without the work that each request need not repeat.

A route of ``IntakeRoute`` is declared, documented and tested like its neighbours. Its request does not pass through the
resolution of dependencies, and its key is not looked up in a transaction of its own: the writer asks about it in the
transaction that stores the events, once for all events that wait. Who sends a key that this process has not let in
before is turned away before his body is read. ``Intake`` hands it the requests whose path is spelled as declared before
the application looks for their route; finding it there takes longer than all else that is done about a request.
"""

import hashlib
from collections.abc import Iterable
from typing import Any, get_args
from urllib.parse import parse_qs

import anyio.to_thread
from fastapi import Request
from fastapi.responses import Response
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute
from starlette.types import ASGIApp, Receive, Scope, Send

from api.dependencies import bearer_token, state_of
from api.errors import refusal
from governance.access.identities import Identities
from governance.access.rates import Rates
from governance.access.roles import Permission
from governance.database import ReadUnit, Unit
from governance.errors import AssayError, InputRefused, IssuerUnavailable, NotAuthenticated, NotPermitted
from governance.types.sight import Sight
from lineage.ingest import Conformance

NEEDED = Permission.LINEAGE_WRITE
MOST_KEYS = 10_000


class Admission:
    """Which keys this process has let in, and whose they are; of a key only its digest is kept."""

    def __init__(self, identities: Identities, rates: Rates) -> None:
        """Nobody yet."""
        self._identities = identities
        self._rates = rates
        self._known: dict[bytes, str] = {}

    def admit(self, unit: Unit | ReadUnit, token: str) -> Sight | AssayError:
        """What the key may write about, or why it may not write, as the unit sees it."""
        known = hashlib.sha256(token.encode()).digest()
        try:
            principal = self._identities.holder(unit, token)
            principal.require(NEEDED)
        except (NotAuthenticated, NotPermitted, IssuerUnavailable) as fault:
            self._known.pop(known, None)
            return fault
        if len(self._known) >= MOST_KEYS:
            self._known.clear()
        self._known[known] = principal.id
        return principal.sight

    async def require(self, request: Request, token: str) -> None:
        """Return when the key was let in before, or is now, and its holder has a request left.

        Raises:
            NotAuthenticated: it is not valid. NotPermitted: its roles do not let it write. TooManyRequests: none is
            left.
        """
        holder = self._known.get(hashlib.sha256(token.encode()).digest())
        if holder is None:
            holder = await anyio.to_thread.run_sync(self._ask, request, token)
        self._rates.require(holder)

    def _ask(self, request: Request, token: str) -> str:
        """The id of the holder of a key that may write."""
        database = state_of(request).database
        # An issuer is asked for its keys here, where no transaction waits for it.
        principal = self._identities.principal(database, token)
        with database.read_unit() as unit:
            told = self.admit(unit, token)
        if not isinstance(told, Sight):
            raise told
        return principal.id


class IntakeRoute(APIRoute):
    """A route whose endpoint takes the request, the body and the conformance that was asked for."""

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request; another method than the route's goes the usual way."""
        if scope["method"] not in (self.methods or ()):
            await super().handle(scope, receive, send)
            return
        response = await self.answer(Request(scope, receive))
        await response(scope, receive, send)

    async def answer(self, request: Request) -> Response:
        """What the endpoint answers to whoever is let in.

        Raises:
            AssayError: whoever asks is not let in, or his request is refused.
        """
        admission: Admission = request.state.lineage_admission
        await admission.require(request, bearer_token(request))
        conformance = _conformance(request.scope["query_string"])
        response: Response = await self.endpoint(request, body=await self._body(request), conformance=conformance)
        return response

    async def _body(self, request: Request) -> bytes:
        """The body, read as the endpoint's declaration says."""
        (declared,) = [dependency for dependency in self.dependant.dependencies if dependency.name == "body"]
        read: Any = declared.call
        body: bytes = await read(request)
        return body


class Intake:
    """Middleware that answers by a route of ``IntakeRoute`` at once.

    Only a POST to the path as it is declared is answered here; every other spelling of it, and every other method, is
    answered by the same route when the application has found it.
    """

    def __init__(self, app: ASGIApp, routes: Iterable[BaseRoute]) -> None:
        """Stand before ``app``, which has the ``routes``; those of other classes are left to it."""
        self._app = app
        self._routes = {
            route.path.encode(): route
            for route in routes
            if isinstance(route, IntakeRoute) and route.methods == {"POST"} and not route.param_convertors
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer the request, or hand it on."""
        is_posted = scope["type"] == "http" and scope["method"] == "POST"
        route = self._routes.get(scope.get("raw_path") or b"") if is_posted else None
        if route is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await route.answer(request)
        except AssayError as fault:
            response = refusal(request, fault)
        await response(scope, receive, send)


def _conformance(query: bytes) -> Conformance:
    if not query:
        return "lenient"
    asked = parse_qs(query.decode("latin-1"), keep_blank_values=True).get("conformance", ["lenient"])[-1]
    if asked == "lenient":
        return "lenient"
    if asked == "strict":
        return "strict"
    raise InputRefused(
        expected=" or ".join(get_args(Conformance)),
        found=repr(asked[:40]),
        remedy="Correct the parameter, or leave it out.",
        pointer="query/conformance",
    )
