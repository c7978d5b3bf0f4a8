"""Generated requests over the whole OpenAPI document: no request that can be parsed gets a 500."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from tests.api.test_access import ROUTES, documented, table
from tests.support.service import Service, key_for, running

HOLDERS: tuple[tuple[str, ...], ...] = (
    ("ci", "model_owner", "data_steward", "policy_author", "policy_publisher"),
    ("approver", "incident_responder", "auditor"),
    ("admin",),
)
"""Roles that go together; between them they may do everything."""

SCOPES = (("*",), ("*://*/m*", "x/*"))


@pytest.fixture(scope="module")
def fuzzed(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all requests; what they leave behind makes later ones more interesting."""
    folder = tmp_path_factory.mktemp("fuzz")
    shutil.copy(sqlite_template, folder / "assay.db")
    with running(folder / "home", f"sqlite:///{folder / 'assay.db'}") as service:
        yield service


LIMITS = settings(
    max_examples=10, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)


def holder_of(method: str, path: str) -> tuple[str, ...]:
    """The roles that a route lets in, so that what is generated reaches what is behind it."""
    permission, given_by = table()[(method, path)], documented()
    if permission == "-":
        return HOLDERS[0]
    return next(roles for roles in HOLDERS if any(permission in given_by[role] for role in roles))


def assail(operation: Any, key: str) -> None:
    """Send what is generated for one route."""

    @LIMITS
    @given(case=operation.as_strategy())
    def send(case: Any) -> None:
        answer = case.call(headers={"Authorization": key})
        assert answer.status_code < 500, (case.method, case.path, answer.text)
        if answer.status_code >= 400:
            assert answer.json(), "a refusal says why"

    send()


@pytest.mark.parametrize("scopes", SCOPES, ids=["whole", "narrowed"])
def test_no_generated_request_gets_a_server_error(fuzzed: Service, scopes: tuple[str, ...]) -> None:
    keys = {roles: f"Bearer {key_for(fuzzed.url, *roles, scopes=scopes, name=roles[0])}" for roles in HOLDERS}
    walked = 0
    for found in schemathesis.openapi.from_asgi("/openapi.json", fuzzed.app).get_all_operations():
        operation = found.ok()  # type: ignore[union-attr] # a route it cannot read ends the test
        assail(operation, keys[holder_of(operation.method.upper(), operation.path)])
        walked += 1
    assert walked == len(ROUTES.strip().splitlines())
