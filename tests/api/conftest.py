"""A service on each database, and one that holds what a narrowed key does not see."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lineage.material import bodies, dataset, run_event, run_id
from tests.support.scopes import MODELS, SCOPES, secret_of
from tests.support.service import Service, key_for, running


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    """A fresh service with an embedded engine."""
    with running(tmp_path / "home", database_url) as started:
        yield started


@pytest.fixture
def told(service: Service) -> Service:
    """A service that knows salaries -> hr-export -> features -> train -> credit-line, and who reads them."""
    events = [
        run_event(job="hr-export", run=run_id(1), inputs=[secret_of("salaries")], outputs=["features"]),
        run_event(
            "COMPLETE", 1, job="train", run=run_id(2), inputs=["features"], outputs=[dataset("credit-line/1", MODELS)]
        ),
        run_event("COMPLETE", 2, job="board", run=run_id(3), inputs=["features"], outputs=[secret_of("payroll")]),
    ]
    answer = service.http.post("/api/v1/lineage/batch", content=b"[" + b",".join(bodies(*events)) + b"]")
    assert answer.json()["status"] == "success", answer.text
    return service


@pytest.fixture
def narrow(told: Service) -> dict[str, str]:
    """The header of a key that sees the lake, the job that trains and the models of credit."""
    return {"Authorization": f"Bearer {key_for(told.url, 'ci', 'model_owner', scopes=SCOPES)}"}
