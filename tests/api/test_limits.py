"""Limits that keep one caller or one question from taking the service away from all others."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from api.dependencies import ReadingUnit
from tests.support.service import running


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
