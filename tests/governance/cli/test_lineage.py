"""``assay lineage`` as a program: on the local database, and against a service."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from governance.cli.lineage import app
from governance.database import Database
from governance.errors import InputRefused, WrongRevision
from governance.settings import LineageSettings
from lineage.ingest import record_events
from tests.lineage.material import bodies, body, run_event
from tests.support.producers import serving
from tests.support.service import key_for, settings_for


def output(*arguments: str) -> Any:
    result = CliRunner().invoke(app, [*arguments, "--json"], catch_exceptions=False, standalone_mode=False)
    return json.loads(result.stdout)


@pytest.fixture
def url(sqlite_template: Path, tmp_path: Path) -> str:
    shutil.copy(sqlite_template, tmp_path / "assay.db")
    return f"sqlite:///{tmp_path / 'assay.db'}"


def fill(url: str) -> None:
    database = Database(url)
    with database.unit() as unit:
        record_events(unit, bodies(run_event("START", inputs=["a"]), run_event("COMPLETE", 1)), LineageSettings())
    database.close()


def test_digest_and_replay_agree(url: str) -> None:
    fill(url)
    before = output("digest", "--database-url", url)
    assert before["event_count"] == 2
    assert output("replay", "--database-url", url) == before
    shown = CliRunner().invoke(app, ["digest", "--database-url", url]).stdout
    assert shown == f"{before['digest']}  2 events\n"


def test_a_database_at_another_revision_is_refused(tmp_path: Path) -> None:
    with pytest.raises(WrongRevision):
        output("digest", "--database-url", f"sqlite:///{tmp_path / 'empty.db'}")


def test_a_missing_database_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(tmp_path / "nowhere"))
    with pytest.raises(InputRefused, match="ASSAY_HOME"):
        output("digest")
    assert not (tmp_path / "nowhere").exists()


def test_files_are_sent_and_the_graph_is_shown(url: str, tmp_path: Path) -> None:
    from api.app import create_app

    (tmp_path / "one.json").write_bytes(body(run_event("START", inputs=["a"])))
    (tmp_path / "lines.jsonl").write_bytes(body(run_event("COMPLETE", 1, outputs=["b"])) + b"\n{}\n")
    key = key_for(url, "ci")
    with serving(create_app(settings_for(tmp_path / "home", url))) as address:
        service = ["--url", address, "--key", key]
        sent = output("send", str(tmp_path / "one.json"), str(tmp_path / "lines.jsonl"), *service)
        assert (sent["received"], sent["successful"]) == (3, 2)
        assert [Path(item["file"]).name for item in sent["failed"]] == ["lines.jsonl"]
        found = output("graph", "b", "--namespace", "s3://lake", "--direction", "upstream", *service)
        assert [node["name"] for node in found["nodes"]] == ["b", "a", "job"]
        shown = CliRunner().invoke(app, ["graph", "b", "--namespace", "s3://lake", *service]).stdout
    assert "dataset s3://lake a" in shown
