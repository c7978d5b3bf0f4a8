"""Issuing: bytes, leaf and row in one transaction, once per dossier and format, on both databases."""

import contextlib
from pathlib import Path

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from governance.artifacts import ArtifactStore
from governance.canonical import read_json, sha256
from governance.database import Database
from governance.log import journal
from reports.issue import IssuedReport, issue, issued
from reports.render.html import render_html
from reports.render.json import render_json
from tests.reports.build import compiled


@pytest.fixture
def artifacts(tmp_path: Path) -> ArtifactStore:
    return ArtifactStore(f"file://{tmp_path / 'artifacts'}")


def issue_both(database: Database, artifacts: ArtifactStore) -> tuple[IssuedReport, ...]:
    with database.unit() as unit:
        return issue(unit, compiled(), formats=("html", "json"), artifacts=artifacts)


def test_a_report_is_kept_by_digest_and_logged(database: Database, artifacts: ArtifactStore) -> None:
    html, json = issue_both(database, artifacts)
    dossier = compiled()
    assert artifacts.read(html.artifact_digest) == render_html(dossier)
    assert artifacts.read(json.artifact_digest) == render_json(dossier)
    assert json.artifact_digest == dossier.value_digest() == html.dossier_digest
    with database.read_unit() as unit:
        leaf = journal.leaf(unit, html.log_index)
        assert journal.size(unit) == 2
    assert leaf.kind == "report"
    assert read_json(leaf.body) == {
        "kind": "assay.report/v1",
        "decision_id": dossier.decision.decision_id,
        "dossier_digest": dossier.value_digest(),
        "format": "html",
        "artifact_digest": html.artifact_digest,
    }


def test_issuing_again_changes_nothing(database: Database, artifacts: ArtifactStore) -> None:
    first = issue_both(database, artifacts)
    again = issue_both(database, artifacts)
    assert again == first
    with database.read_unit() as unit:
        assert journal.size(unit) == 2


def test_one_unit_that_asks_twice_gets_one_report(database: Database, artifacts: ArtifactStore) -> None:
    with database.unit() as unit:
        first, second = issue(unit, compiled(), formats=("json", "json"), artifacts=artifacts)
    assert first == second


def test_the_dossier_is_kept_with_a_page_alone(database: Database, artifacts: ArtifactStore) -> None:
    with database.unit() as unit:
        (html,) = issue(unit, compiled(), formats=("html",), artifacts=artifacts)
    assert sha256(artifacts.read(html.dossier_digest)) == compiled().value_digest()


def test_the_latest_report_of_a_decision_is_found_by_format(database: Database, artifacts: ArtifactStore) -> None:
    decision_id = compiled().decision.decision_id
    with database.read_unit() as unit:
        assert issued(unit, decision_id, format="html") is None
    with database.unit() as unit:
        (first,) = issue(unit, compiled(), formats=("html",), artifacts=artifacts)
        (second,) = issue(unit, compiled(proof=None), formats=("html",), artifacts=artifacts)
    with database.read_unit() as unit:
        assert issued(unit, decision_id, format="html") == second != first
        assert issued(unit, decision_id, format="json") is None
        assert issued(unit, "another", format="html") is None


def test_nothing_is_recorded_when_the_unit_fails(database: Database, artifacts: ArtifactStore) -> None:
    with contextlib.suppress(ZeroDivisionError), database.unit() as unit:
        issue(unit, compiled(), formats=("html",), artifacts=artifacts)
        raise ZeroDivisionError
    with database.read_unit() as unit:
        assert issued(unit, compiled().decision.decision_id, format="html") is None
        assert journal.size(unit) == 0


@pytest.mark.parametrize("statement", ["UPDATE report SET format = 'x'", "DELETE FROM report"])
def test_issued_reports_cannot_be_changed(database: Database, artifacts: ArtifactStore, statement: str) -> None:
    issue_both(database, artifacts)
    with pytest.raises(DBAPIError, match="report is append-only"), database.unit() as unit:
        unit.session.execute(sa.text(statement))
