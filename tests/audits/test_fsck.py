"""The whole log is computed again, and a change behind its back is named by the first index it touches."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa
from typer.testing import CliRunner

from audits.fsck import Checked, check_all
from governance.cli.log import app
from governance.errors import ProofRejected
from governance.log import journal
from governance.log.checkpoint import sign_checkpoint
from governance.log.journal import Leaf
from governance.signing.rings import open_ring
from tests.support.service import Service, running
from tests.support.story import ask, policy, publish


@dataclass(frozen=True)
class Log:
    """A service with two decisions in its log, and a checkpoint over both."""

    service: Service
    indexes: tuple[int, int]

    @property
    def kept(self) -> Path:
        return self.service.settings.home / "checkpoint"

    def check(self) -> Checked:
        ring = open_ring(self.service.settings.home / "keys")
        return check_all(self.service.state.database, ring, origin=self.service.settings.origin, kept=self.kept)

    def change(self, table: str, statement: str, **values: object) -> None:
        """Change a table behind its triggers' back, as somebody with the database's password can."""
        database = self.service.state.database
        with database.unit() as unit:
            if database.dialect == "sqlite":
                for verb in ("update", "delete"):
                    unit.session.execute(sa.text(f"DROP TRIGGER IF EXISTS {table}_no_{verb}"))
            else:
                unit.session.execute(sa.text(f"ALTER TABLE {table} DISABLE TRIGGER ALL"))
            unit.session.execute(sa.text(statement), values)

    def refusal(self) -> ProofRejected:
        with pytest.raises(ProofRejected) as caught:
            self.check()
        return caught.value


@pytest.fixture
def log(database_url: str, tmp_path: Path) -> Iterator[Log]:
    with running(tmp_path / "home", database_url) as service:
        publish(service, policy())
        with service.state.database.unit() as unit:
            journal.append(unit, [Leaf("event", b"earlier 0"), Leaf("event", b"earlier 1")])
        first, second = ask(service).json(), ask(service, key="k2").json()
        assert service.http.get("/v1/log/checkpoint").status_code == 200
        yield Log(service, (first["log"]["index"], second["log"]["index"]))


def test_a_log_as_it_was_written_holds_and_is_counted(log: Log) -> None:
    checked = log.check()
    with log.service.state.database.read_unit() as unit:
        assert (checked.size, checked.root) == (journal.size(unit), journal.root(unit, journal.size(unit)))
    assert checked.decisions == 2


def test_what_was_appended_after_the_last_checkpoint_is_no_fault(log: Log) -> None:
    before = log.check().size
    with log.service.state.database.unit() as unit:
        journal.append(unit, [Leaf("event", b"later")])
    assert log.check().size == before + 1


def test_a_changed_leaf_is_named_by_its_index(log: Log) -> None:
    changed = log.indexes[1]
    log.change("log_entry", "UPDATE log_entry SET leaf = :leaf WHERE leaf_index = :at", leaf=b"other", at=changed)
    assert log.refusal().pointer == str(changed)


def test_a_changed_hash_is_named_by_the_leaf_that_made_it(log: Log) -> None:
    level = log.check().size.bit_length() - 1  # the largest complete subtree, which the root is folded from
    assert level > 0
    log.change("log_node", "UPDATE log_node SET hash = :hash WHERE level = :level", hash=b"h" * 32, level=level)
    assert log.refusal().pointer == str(2**level - 1)


@pytest.mark.parametrize(
    ("column", "value"), [("verdict", "allow"), ("environment", "test"), ("subject_digest", "sha256:" + "00" * 32)]
)
def test_a_decision_row_that_says_another_thing_than_was_signed_is_named(log: Log, column: str, value: str) -> None:
    changed = log.indexes[1]
    log.change("decision", f"UPDATE decision SET {column} = :value WHERE log_index = :at", value=value, at=changed)
    refusal = log.refusal()
    assert refusal.pointer == str(changed)
    assert "a row that says something else" in refusal.found


def test_an_envelope_exchanged_for_another_is_named(log: Log) -> None:
    first, second = log.indexes
    log.change(
        "decision",
        "UPDATE decision SET envelope = (SELECT envelope FROM decision WHERE log_index = :other) WHERE log_index = :at",
        other=second,
        at=first,
    )
    refusal = log.refusal()
    assert refusal.pointer == str(first)
    assert "another leaf" in refusal.found


def test_a_decision_whose_content_was_changed_is_named(log: Log) -> None:
    first = log.indexes[0]
    log.change(
        "document",
        "UPDATE document SET body = :body WHERE digest = (SELECT digest FROM decision WHERE log_index = :at)",
        body=b"{}",
        at=first,
    )
    assert log.refusal().pointer == str(first)


def test_a_decision_that_was_taken_out_is_named_by_its_leaf(log: Log) -> None:
    first = log.indexes[0]
    log.change("decision", "DELETE FROM decision WHERE log_index = :at", at=first)
    refusal = log.refusal()
    assert refusal.pointer == str(first)
    assert "the log holds a decision that the database does not" in refusal.found


def test_a_decision_whose_leaf_is_called_something_else_is_named(log: Log) -> None:
    last = log.indexes[1]
    log.change("log_entry", "UPDATE log_entry SET kind = 'event' WHERE leaf_index = :at", at=last)
    refusal = log.refusal()
    assert refusal.pointer == str(last)
    assert "has no leaf in the log" in refusal.found


def test_a_log_behind_the_checkpoint_kept_outside_is_named_where_it_ends(log: Log) -> None:
    size = log.check().size
    settings = log.service.settings
    key = open_ring(settings.home / "keys").checkpoint
    log.kept.write_text(sign_checkpoint(settings.origin, size + 3, b"r" * 32, key).note, encoding="utf-8")
    assert log.refusal().pointer == str(size)


def test_another_story_about_the_same_leaves_is_refused(log: Log) -> None:
    settings = log.service.settings
    key = open_ring(settings.home / "keys").checkpoint
    log.kept.write_text(sign_checkpoint(settings.origin, log.check().size, b"r" * 32, key).note, encoding="utf-8")
    assert "are not those signed outside the database" in log.refusal().found


def test_a_missing_checkpoint_file_is_a_fault_since_a_cut_tail_would_not_show(log: Log) -> None:
    size = log.check().size
    log.kept.unlink()
    refusal = log.refusal()
    assert refusal.pointer == str(size)
    assert "is missing" in refusal.found


def test_a_stored_checkpoint_that_nobody_signed_is_refused(log: Log) -> None:
    log.change("log_checkpoint", "UPDATE log_checkpoint SET note = replace(note, 'assay.test', 'assay.fake')")
    assert "expected a checkpoint of the log assay.test/log" in log.refusal().found


def test_the_command_counts_what_holds_and_refuses_what_does_not(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSAY_HOME", str(log.service.settings.home))
    monkeypatch.setenv("ASSAY_DATABASE_URL", log.service.url)
    monkeypatch.setenv("ASSAY_ORIGIN", log.service.settings.origin)
    shown = CliRunner().invoke(app, ["fsck", "--json"], catch_exceptions=False)
    assert json.loads(shown.stdout) == {
        "holds": True,
        "size": log.check().size,
        "root": log.check().root.hex(),
        "decisions": 2,
    }
    assert "2 of them decisions" in CliRunner().invoke(app, ["fsck"], catch_exceptions=False).stdout
    log.kept.unlink()
    with pytest.raises(ProofRejected) as caught:
        CliRunner().invoke(app, ["fsck"], catch_exceptions=False)
    assert caught.value.exit_code == 7
