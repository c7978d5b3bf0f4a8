"""``assay lineage prune``, ``prunings`` and ``outbox`` on the local database."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from governance.cli import app
from governance.database import Database
from governance.errors import NotFound, UsageError
from governance.settings import LineageSettings
from lineage.ingest import record_events
from lineage.outbox import store_own_events
from tests.lineage.material import bodies, dataset, run_event

OWNED = dataset("people", ownership={"owners": [{"name": "user:ann"}]})


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["lineage", *arguments], catch_exceptions=False, standalone_mode=False)


def output(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


@pytest.fixture
def url(sqlite_template: Path, tmp_path: Path) -> str:
    shutil.copy(sqlite_template, tmp_path / "assay.db")
    found = f"sqlite:///{tmp_path / 'assay.db'}"
    database = Database(found)
    with database.unit() as unit:
        record_events(unit, bodies(run_event("START", inputs=[OWNED])), LineageSettings())
        store_own_events(unit, bodies(run_event("COMPLETE", 1)), LineageSettings(forward_to="environment"))
    database.close()
    return found


def test_an_entity_is_pruned_and_the_record_is_listed(url: str) -> None:
    named = ("--entity", "dataset", "--namespace", "s3://lake", "--name", "people", "--facet", "ownership")
    made = output("prune", *named, "--reason", "request 7", "--database-url", url)["prunings"]
    assert [(item["event_count"], item["rule"]) for item in made] == [(1, "request")]
    assert made[0]["by"].startswith("operator:")
    assert output("prunings", "--database-url", url)["prunings"] == made
    assert "request 7" in run("prunings", "--database-url", url).stdout


def test_events_recorded_before_an_instant_are_pruned(url: str) -> None:
    asked = ("prune", "--before", "2100-01-01T00:00:00Z", "--reason", "old", "--database-url", url)
    assert run(*asked).stdout == "0 events were pruned.\n"


@pytest.mark.parametrize(
    "arguments",
    [
        (),
        ("--before", "2100-01-01T00:00:00Z", "--digest", "x"),
        ("--before", "yesterday"),
        ("--before", "2100-01-01T00:00:00Z", "--facet", "sql"),
        ("--entity", "dataset", "--name", "people"),
        ("--entity", "table", "--namespace", "n", "--name", "people"),
    ],
)
def test_what_is_to_go_is_named_one_way(url: str, arguments: tuple[str, ...]) -> None:
    with pytest.raises(UsageError):
        run("prune", *arguments, "--reason", "r", "--database-url", url)


def test_an_unknown_event_is_told(url: str) -> None:
    with pytest.raises(NotFound):
        run("prune", "--digest", "sha256:" + "0" * 64, "--reason", "r", "--database-url", url)


def test_the_outbox_says_what_waits(url: str) -> None:
    held = output("outbox", "--database-url", url)
    assert (held["waiting"], held["dead"], held["delivered"]) == (1, 0, 0)
    assert held["events"][0]["state"] == "queued"
    assert "1 wait" in run("outbox", "--retry", "--database-url", url).stdout
