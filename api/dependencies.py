"""What routes ask for: units of work, settings, and proof that the caller may do this."""

from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, Request

from api.state import State
from governance.access.keys import authenticate
from governance.access.principal import Principal
from governance.access.roles import Permission
from governance.database import ReadUnit, Unit
from governance.errors import NotAuthenticated
from governance.settings import Settings


def state_of(request: Request) -> State:
    """What the composition root built for this application."""
    state: State = request.app.state.assay
    return state


def _settings_of(request: Request) -> Settings:
    return state_of(request).settings


def _open_unit(request: Request) -> Iterator[Unit]:
    with state_of(request).database.unit() as unit:
        yield unit


def _open_read_unit(request: Request) -> Iterator[ReadUnit]:
    with state_of(request).database.read_unit() as unit:
        yield unit


StateOf = Annotated[State, Depends(state_of)]
SettingsOf = Annotated[Settings, Depends(_settings_of)]

# The scope matters: a dependency of the usual scope commits after the answer was sent, and a client then reads
# success although the commit failed.
WriteUnit = Annotated[Unit, Depends(_open_unit, scope="function")]
ReadingUnit = Annotated[ReadUnit, Depends(_open_read_unit, scope="function")]


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
    """Who asks.

    Raises:
        NotAuthenticated: no key, or one that is not valid.
    """
    token = bearer_token(request)
    with state_of(request).database.read_unit() as unit:
        return authenticate(unit, token)


PrincipalOf = Annotated[Principal, Depends(principal_of)]


def permit(permission: Permission | str) -> Any:
    """A route dependency that lets in only principals with ``permission``."""
    needed = Permission(permission)

    def check(principal: PrincipalOf) -> None:
        principal.require(needed)

    check.permission = needed  # type: ignore[attr-defined] # read by the test that walks every route
    return Depends(check)
