"""Checkpoints are signed after commit, and never tell two stories."""

import shutil
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import sqlalchemy as sa

from governance.database import Database
from governance.errors import ProofRejected, StorageUnavailable
from governance.log import journal
from governance.log.checkpoint import Checkpoint, open_checkpoint
from governance.log.merkle import verify_consistency
from governance.log.publish import latest, publish
from governance.log.tables import LogCheckpointRow
from governance.signing.rings import create_ring
from governance.signing.stores import FolderKeys
from tests.governance.log.test_journal import fill, tamper
from tests.support.proof import ORIGIN, Instance, build_instance


@pytest.fixture
def instance(database: Database, tmp_path: Path) -> Instance:
    return build_instance(database, tmp_path / "home")


def signed(instance: Instance) -> Checkpoint:
    return publish(instance.database, instance.keys, origin=ORIGIN, kept=instance.home / "checkpoint")


def stored(instance: Instance) -> int:
    with instance.database.read_unit() as unit:
        return unit.session.scalar(sa.select(sa.func.count()).select_from(LogCheckpointRow)) or 0


def test_a_checkpoint_says_size_and_root_of_what_is_committed(instance: Instance) -> None:
    fill(instance.database, 5)
    checkpoint = signed(instance)
    with instance.database.read_unit() as unit:
        assert checkpoint.root == journal.root(unit, 5)
        assert latest(unit, instance.ring.checkpoint_keys, origin=ORIGIN) == checkpoint
    assert open_checkpoint(checkpoint.note, ORIGIN, instance.ring.checkpoint_keys).size == 5
    assert (instance.home / "checkpoint").read_text() == checkpoint.note


def test_a_log_that_did_not_grow_gives_the_same_checkpoint(instance: Instance) -> None:
    fill(instance.database, 2)
    assert signed(instance) == signed(instance)
    assert stored(instance) == 1


def test_an_empty_log_has_a_checkpoint_that_every_later_one_extends(instance: Instance) -> None:
    assert signed(instance).size == 0
    fill(instance.database, 3)
    assert signed(instance).size == 3


def test_each_checkpoint_extends_the_one_before(instance: Instance) -> None:
    before = None
    for count in (1, 4, 2):
        fill(instance.database, count)
        after = signed(instance)
        if before is not None:
            with instance.database.read_unit() as unit:
                path = journal.consistency(unit, before.size, after.size)
            assert verify_consistency(before.size, after.size, path, before.root, after.root)
        before = after


def test_many_publishers_sign_one_story(instance: Instance) -> None:
    def work(number: int) -> Checkpoint:
        instance.log(b"%d" % number)
        return signed(instance)

    with ThreadPoolExecutor(8) as pool:
        checkpoints = list(pool.map(work, range(24)))
    roots = {(checkpoint.size, checkpoint.root) for checkpoint in checkpoints}
    assert len(roots) == len({size for size, _ in roots})
    assert (instance.home / "checkpoint").read_text() == max(checkpoints, key=lambda each: each.size).note


@pytest.mark.parametrize("statement", ["DELETE FROM log_entry WHERE leaf_index >= 3", "DELETE FROM log_entry"])
def test_a_log_that_shrank_is_not_signed(instance: Instance, statement: str) -> None:
    fill(instance.database, 5)
    signed(instance)
    tamper(instance.database, statement)
    with pytest.raises(ProofRejected, match="shorter"):
        signed(instance)
    assert stored(instance) == 1


def test_a_log_with_other_leaves_is_not_signed(instance: Instance) -> None:
    fill(instance.database, 4)
    signed(instance)
    fill(instance.database, 1)
    tamper(instance.database, "UPDATE log_node SET hash = :zero WHERE level = 2", zero=b"\0" * 32)
    with pytest.raises(ProofRejected, match="other leaves"):
        signed(instance)
    assert stored(instance) == 1


def test_a_log_with_a_missing_node_is_not_signed(instance: Instance) -> None:
    fill(instance.database, 4)
    signed(instance)
    fill(instance.database, 1)
    tamper(instance.database, "DELETE FROM log_node WHERE level = 2")
    with pytest.raises(ProofRejected, match="other leaves"):
        signed(instance)


def test_a_database_put_back_from_a_backup_is_not_signed(tmp_path: Path, sqlite_template: Path) -> None:
    """The backup knows nothing of the later checkpoint; the file outside the database does."""
    path = tmp_path / "assay.db"
    shutil.copy(sqlite_template, path)
    live = build_instance(Database(f"sqlite:///{path}"), tmp_path / "home")
    fill(live.database, 3)
    signed(live)
    live.database.close()
    shutil.copy(path, tmp_path / "backup.db")
    fill(live.database, 2)
    last = signed(live)
    live.database.close()
    shutil.copy(tmp_path / "backup.db", path)

    restored = Instance(Database(f"sqlite:///{path}"), live.keys, live.home)
    with pytest.raises(ProofRejected, match="5 leaves that was signed before"):
        signed(restored)
    fill(restored.database, 2)
    assert signed(restored) == Checkpoint(ORIGIN, 5, last.root, last.note)
    restored.database.close()


def test_a_restored_log_that_grew_another_way_is_not_signed(tmp_path: Path, sqlite_template: Path) -> None:
    path = tmp_path / "assay.db"
    shutil.copy(sqlite_template, path)
    live = build_instance(Database(f"sqlite:///{path}"), tmp_path / "home")
    fill(live.database, 3)
    signed(live)
    live.database.close()
    shutil.copy(sqlite_template, path)
    live.log(b"another", b"story", b"of", b"events")
    with pytest.raises(ProofRejected, match="other leaves"):
        signed(live)
    live.database.close()


@pytest.mark.parametrize("content", ["", "noise", "\u2014 half a no"])
def test_a_file_that_is_no_checkpoint_stops_the_signing(instance: Instance, content: str) -> None:
    fill(instance.database, 1)
    (instance.home / "checkpoint").write_text(content)
    with pytest.raises(ProofRejected, match="belong together"):
        signed(instance)


def test_a_file_of_other_keys_stops_the_signing(instance: Instance, tmp_path: Path) -> None:
    fill(instance.database, 1)
    signed(instance)
    fill(instance.database, 1)
    create_ring(tmp_path / "other")
    other = FolderKeys(tmp_path / "other")
    with pytest.raises(ProofRejected, match="another key"):
        publish(instance.database, other, origin=ORIGIN, kept=instance.home / "checkpoint")


def test_a_file_that_cannot_be_written_stops_the_signing(instance: Instance) -> None:
    fill(instance.database, 1)
    (instance.home / "checkpoint").mkdir()
    with pytest.raises(StorageUnavailable, match="permissions or space"):
        signed(instance)
    assert stored(instance) == 0


def test_a_new_home_without_the_file_goes_on_from_the_database(instance: Instance) -> None:
    fill(instance.database, 2)
    first = signed(instance)
    (instance.home / "checkpoint").unlink()
    assert signed(instance) == first
    assert (instance.home / "checkpoint").read_text() == first.note


def test_no_temporary_file_is_left_behind(instance: Instance) -> None:
    fill(instance.database, 1)
    signed(instance)
    assert sorted(path.name for path in instance.home.iterdir()) == ["checkpoint", "keys"]
