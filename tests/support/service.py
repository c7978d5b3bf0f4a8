"""A service for tests: settings, keys and a client, on any database."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from fastapi import FastAPI
from fastapi.testclient import TestClient

from api.app import create_app
from api.state import State
from governance.access.keys import KeyRequest, create_key
from governance.access.principal import OPERATOR
from governance.access.roles import Role
from governance.clock import Clock, system_clock
from governance.database import Database
from governance.settings import Settings
from governance.signing.rings import create_ring
from governance.types.sight import EVERYTHING

ALL_ROLES = [Role.CI, Role.POLICY_PUBLISHER]


def settings_for(home: Path, database_url: str, **sections: Any) -> Settings:
    """Settings of a service in ``home``, with signing keys made there."""
    create_ring(home / "keys")
    work = {"engine": "embedded", "sweep_seconds": 0.2, "threads": 1, **sections.pop("work", {})}
    return Settings(
        home=home, database_url=database_url, origin="assay.test/log", allowed_hosts=("*",), work=work, **sections
    )


def key_for(
    database_url: str, *roles: str, subject: str | None = None, scopes: Sequence[str] = EVERYTHING, name: str = "test"
) -> str:
    """A service key with these roles."""
    database = Database(database_url)
    with database.unit() as unit:
        wanted = KeyRequest(name=name, roles=tuple(map(Role, roles)), subject=subject, scopes=tuple(scopes))
        token = create_key(unit, wanted, by=OPERATOR).token
    database.close()
    assert token is not None
    return token


@dataclass(frozen=True)
class Service:
    """A running application and a client with a key that may do what CI and publishers may."""

    app: FastAPI
    http: TestClient
    settings: Settings
    url: str

    @property
    def state(self) -> State:
        """What the composition root built."""
        state: State = self.app.state.assay
        return state

    def post_json(self, path: str, body: Any, **headers: str) -> Any:
        """POST a JSON body."""
        return self.http.post(path, content=json.dumps(body), headers=headers)


@contextmanager
def running(home: Path, database_url: str, *, clock: Clock = system_clock, **sections: Any) -> Iterator[Service]:
    """An application with its engine running, in this process."""
    settings = settings_for(home, database_url, **sections)
    app = create_app(settings, clock=clock)
    headers = {"Authorization": f"Bearer {key_for(database_url, *ALL_ROLES)}"}
    with TestClient(app, headers=headers, raise_server_exceptions=False) as http:
        yield Service(app, http, settings, database_url)
