"""Generated requests over the whole OpenAPI document: no request that can be parsed gets a 500."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings

from tests.support.service import Service, running


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


def test_no_generated_request_gets_a_server_error(fuzzed: Service) -> None:
    key, walked = fuzzed.http.headers["Authorization"], 0
    for found in schemathesis.openapi.from_asgi("/openapi.json", fuzzed.app).get_all_operations():
        operation = found.ok()  # type: ignore[union-attr] # a route it cannot read ends the test

        @LIMITS
        @given(case=operation.as_strategy())
        def send(case: Any) -> None:
            answer = case.call(headers={"Authorization": key})
            assert answer.status_code < 500, (case.method, case.path, answer.text)
            if answer.status_code >= 400:
                assert answer.json(), "a refusal says why"

        send()
        walked += 1
    assert walked > 15
