"""What routes ask for: units of work, settings, and proof that the caller may do this."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, Request

from api.state import State
from governance.access.polls import evaluation_of_token, is_poll_token
from governance.access.principal import Principal
from governance.access.roles import Permission
from governance.database import Database, ReadUnit, Unit
from governance.errors import NotAuthenticated, NotFound, ScopeNotSupported
from governance.settings import Settings
from governance.types.sight import WHOLE, Sight


def state_of(request: Request) -> State:
    """What the composition root built for this application."""
    state: State = request.app.state.assay
    return state


# A dependency that is not ``async`` is called in another thread, which costs more than those that ask no database.
async def _state_of(request: Request) -> State:
    return state_of(request)


async def _settings_of(request: Request) -> Settings:
    return state_of(request).settings


StateOf = Annotated[State, Depends(_state_of)]
SettingsOf = Annotated[Settings, Depends(_settings_of)]


def bearer_token(request: Request) -> str:
    """The key that the request carries, whatever it is worth.

    Raises:
        NotAuthenticated: none.
    """
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise NotAuthenticated(
            expected="the header Authorization: Bearer <service key>",
            found="none",
            remedy="Make a key with `assay keys create` and send it.",
        )
    return token.strip()


def principal_of(request: Request) -> Principal:
    """Who asks; it costs one of the requests that whoever asks may send.

    Raises:
        NotAuthenticated: no key or token, or one that is not valid. TooManyRequests: none of them is left.
    """
    token = bearer_token(request)
    state = state_of(request)
    principal = state.identities.principal(state.database, token)
    state.rates.require(principal.id)
    return principal


PrincipalOf = Annotated[Principal, Depends(principal_of)]


async def _database_of(request: Request, principal: PrincipalOf) -> Database:
    return state_of(request).database.within(principal.sight)


DatabaseOf = Annotated[Database, Depends(_database_of)]
"""The database as far as the caller sees it. Routes reach it this way, so that none forgets whose question it is."""


def _open_unit(database: DatabaseOf) -> Iterator[Unit]:
    with database.unit() as unit:
        yield unit


def _open_read_unit(database: DatabaseOf) -> Iterator[ReadUnit]:
    with database.read_unit() as unit:
        yield unit


def _open_read_unit_for_all(request: Request) -> Iterator[ReadUnit]:
    with state_of(request).database.read_unit() as unit:
        yield unit


# The scope matters: a dependency of the usual scope commits after the answer was sent, and a client then reads
# success although the commit failed.
WriteUnit = Annotated[Unit, Depends(_open_unit, scope="function")]
ReadingUnit = Annotated[ReadUnit, Depends(_open_read_unit, scope="function")]
OpenReadingUnit = Annotated[ReadUnit, Depends(_open_read_unit_for_all, scope="function")]
"""For the routes that need no key."""


def permit(permission: Permission | str, *, scoped: bool = False) -> Any:
    """A route dependency that lets in only principals with ``permission``.

    ``scoped`` says that what the route gives and takes is held to the caller's scopes. A route that does not say so
    refuses whoever does not see everything.
    """
    needed = Permission(permission)

    async def check(principal: PrincipalOf) -> None:
        principal.require(needed)
        if not scoped:
            require_whole_sight(principal)

    check.permission, check.scoped = needed, scoped  # type: ignore[attr-defined] # read by the test that walks routes
    return Depends(check)


def require_whole_sight(principal: Principal) -> None:
    """Return when the principal sees everything.

    Raises:
        ScopeNotSupported: it was narrowed to some models and data.
    """
    if not principal.sight.is_whole:
        raise ScopeNotSupported(
            expected="a key that sees everything",
            found=f"one that is narrowed to {len(principal.scopes)} scopes",
            remedy="Use a key without scopes; docs/access.md lists what a narrowed key may ask.",
        )


def permit_poll(permission: Permission | str) -> Any:
    """``permit`` for the route of one evaluation, which its poll token opens as well.

    Raises:
        NotFound: the poll token is another evaluation's.
    """
    needed = Permission(permission)

    def check(request: Request) -> Sight:
        token = bearer_token(request)
        if not is_poll_token(token):
            principal = principal_of(request)
            principal.require(needed)
            return principal.sight
        asked = str(request.path_params["evaluation_id"])
        with state_of(request).database.glance() as unit:
            opened = evaluation_of_token(unit, token)
        if opened != asked:
            raise NotFound(expected="the id of an evaluation", found=repr(asked[:80]), remedy="Check the id.")
        return WHOLE

    check.permission, check.scoped = needed, True  # type: ignore[attr-defined] # read by the test that walks routes
    return Depends(check)
