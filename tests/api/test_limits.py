"""Limits that keep one caller or one question from taking the service away from all others."""

import json
from pathlib import Path

import pytest
import sqlalchemy as sa

from api.dependencies import ReadingUnit
from lineage.tables import EventRow
from tests.lineage.material import run_event, run_id
from tests.support.service import key_for, running


def test_a_question_that_takes_too_long_is_a_problem_of_storage(database_url: str, tmp_path: Path) -> None:
    with running(tmp_path / "home", database_url, database={"statement_seconds": 0.5}) as service:
        if service.state.database.dialect != "postgresql":
            pytest.skip("SQLite has no limit of statements")

        def slow(unit: ReadingUnit) -> None:
            unit.session.execute(sa.text("SELECT pg_sleep(20)"))

        service.app.add_api_route("/v1/slow", slow)
        answer = service.http.get("/v1/slow")
        assert (answer.status_code, answer.headers["content-type"]) == (503, "application/problem+json")
        assert (answer.json()["code"], answer.headers["retry-after"]) == ("storage.unavailable", "1")
        assert "STATEMENT_SECONDS" in answer.json()["expected"]
        assert service.http.get("/v1/policies").status_code == 200


def test_one_request_too_many_of_a_principal_is_told_when_to_come_again(database_url: str, tmp_path: Path) -> None:
    """Two keys of one holder share the requests; another holder has its own, and the routes without a key have none."""
    with running(tmp_path / "home", database_url, limits={"requests_per_minute": 3}) as service:
        tokens = [key_for(database_url, "ci", subject="pipeline:a", name=name) for name in ("one", "two")]
        other = key_for(database_url, "ci", subject="pipeline:b", name="three")

        def ask(token: str, path: str = "/v1/policies") -> int:
            return service.http.get(path, headers={"Authorization": f"Bearer {token}"}).status_code

        assert [ask(tokens[0]), ask(tokens[1], "/v1/deployments"), ask(tokens[0])] == [200, 200, 200]
        refused = service.http.get("/v1/policies", headers={"Authorization": f"Bearer {tokens[1]}"})
        assert (refused.status_code, refused.json()["code"]) == (429, "limits.requests")
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        assert [ask(other), ask("assay_none_none"), service.http.get("/healthz").status_code] == [200, 401, 200]


def test_events_are_counted_by_request_and_nothing_of_a_refused_one_is_kept(database_url: str, tmp_path: Path) -> None:
    with running(tmp_path / "home", database_url, limits={"requests_per_minute": 3}) as service:
        batch = json.dumps([run_event(run=run_id(number)) for number in range(20)])
        sent = [service.http.post("/api/v1/lineage/batch", content=batch).status_code for _ in range(2)]
        sent += [service.post_json("/api/v1/lineage", run_event(run=run_id(30))).status_code]
        refused = service.post_json("/api/v1/lineage", run_event(run=run_id(31)))
        assert (sent, refused.status_code, refused.json()["code"]) == ([200, 200, 201], 429, 429)
        assert 1 <= int(refused.headers["retry-after"]) <= 20
        with service.state.database.read_unit() as unit:
            assert unit.session.scalar(sa.select(sa.func.count()).select_from(EventRow)) == 21


def test_no_limit_is_no_limit(database_url: str, tmp_path: Path) -> None:
    with running(tmp_path / "home", database_url, limits={"requests_per_minute": 0}) as service:
        assert {service.http.get("/v1/policies").status_code for _ in range(10)} == {200}
