"""``assay keys rotate`` and ``compromise``, ``assay audit`` and ``assay log verify`` as programs, by exit codes."""

import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from governance.database import Database
from governance.pack_files import read_pack
from governance.signing.rings import open_ring
from governance.signing.stores import FolderKeys
from governance.types.results import Verdict
from tests.support.packs import changed, pack_of
from tests.support.proof import ORIGIN, Instance, decision
from tests.support.shell import Shell

ROOT = Path(__file__).parents[3]


class Place(Shell):
    """A folder with a home, and the variables that commands run with."""

    def done(self, *arguments: str, **more: str) -> str:
        answer = self.run(*arguments, **more)
        assert answer.returncode == 0, answer.stderr
        return answer.stdout


@pytest.fixture
def place(tmp_path: Path, sqlite_template: Path) -> Place:
    (tmp_path / "home").mkdir()
    shutil.copy(sqlite_template, tmp_path / "home" / "assay.db")
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    environment |= {"ASSAY_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), "ASSAY_ORIGIN": ORIGIN}
    made = Place(tmp_path, environment)
    made.done("keys", "init")
    return made


@pytest.fixture
def instance(place: Place) -> Iterator[Instance]:
    """The same home, in this process."""
    database = Database(f"sqlite:///{place.folder / 'home' / 'assay.db'}")
    yield Instance(database, FolderKeys(place.folder / "home" / "keys"), place.folder / "home")
    database.close()


def test_keys_are_rotated_and_what_was_signed_before_still_verifies(place: Place, instance: Instance) -> None:
    now = instance.ring.valid_from
    taken = decision(evaluated_at=now, valid_until=None, verdict=Verdict.DENY)
    (place.folder / "old.json").write_bytes(instance.bundle(taken))
    for option in ("--decision", "--checkpoint"):
        assert "follows" in place.done("keys", "rotate", option)
    assert (len(instance.ring.decision_keys), len(instance.ring.checkpoint_keys)) == (2, 2)
    place.done("keys", "trust")
    place.done("verify", "old.json", "--trust", "trust.json")


def test_a_compromised_key_is_followed_by_another_and_its_signatures_are_refused(
    place: Place, instance: Instance
) -> None:
    now = instance.ring.valid_from
    taken = decision(evaluated_at=now, valid_until=None, verdict=Verdict.DENY)
    keyid = instance.ring.decision.keyid
    (place.folder / "old.json").write_bytes(instance.bundle(taken))
    said = place.done("keys", "compromise", keyid, "--since", now.isoformat())
    assert f"{keyid} is trusted for the first 0 leaves" in said
    assert instance.ring.decision.keyid != keyid
    place.done("keys", "trust")
    refused = place.run("verify", "old.json", "--trust", "trust.json")
    assert refused.returncode == 7
    assert "origin" in refused.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["rotate"],
        ["rotate", "--decision", "--checkpoint"],
        ["compromise", "0" * 64, "--since", "2026-01-01T00:00:00Z"],
        ["compromise", "0" * 64, "--since", "yesterday"],
        ["compromise", "0" * 64, "--since", "2999-01-01T00:00:00Z"],
    ],
)
def test_acts_that_make_no_sense_change_nothing(place: Place, arguments: list[str]) -> None:
    before = (place.folder / "home" / "keys" / "ring.json").read_bytes()
    answer = place.run("keys", *arguments)
    assert answer.returncode == 4
    assert "to do" in answer.stderr
    assert (place.folder / "home" / "keys" / "ring.json").read_bytes() == before


def test_keys_in_the_environment_are_rotated_into_a_new_folder(place: Place) -> None:
    keys = place.folder / "home" / "keys"
    store = {
        "ASSAY_KEYS__STORE": "env",
        "ASSAY_KEYS__DECISION": (keys / "decision.pem").read_text(),
        "ASSAY_KEYS__CHECKPOINT_FILE": str(keys / "checkpoint.pem"),
        "ASSAY_KEYS__RING": (keys / "ring.json").read_text(),
    }
    refused = place.run("keys", "rotate", "--checkpoint", **store)
    assert refused.returncode == 4
    assert "--output" in refused.stderr
    secret = store["ASSAY_KEYS__DECISION"].splitlines()[1]
    said = place.run("keys", "rotate", "--checkpoint", "--output", "new", **store)
    assert said.returncode == 0, said.stderr
    assert secret not in said.stdout + said.stderr + refused.stdout + refused.stderr
    assert len(open_ring(place.folder / "new").checkpoint_keys) == 2
    # A process with the earlier key notices that it was followed, and signs nothing.
    stale = place.run("keys", "rotate", "--checkpoint", "--output", "newer", **store)
    assert stale.returncode == 7
    assert "the last one that was made" in stale.stderr
    fresh = store | {
        "ASSAY_KEYS__CHECKPOINT_FILE": "new/checkpoint.pem",
        "ASSAY_KEYS__RING": (place.folder / "new" / "ring.json").read_text(),
    }
    assert "The log holds: 1 leaves" in place.done("log", "fsck", **fresh)


def test_a_pack_is_checked_by_exit_code(place: Place, instance: Instance) -> None:
    now = instance.ring.valid_from
    pack = pack_of(instance, decision(evaluated_at=now))
    (place.folder / "trust.json").write_bytes(instance.trust())
    (place.folder / "whole.zip").write_bytes(pack)
    (place.folder / "changed.zip").write_bytes(changed(pack, {"decision.json": b"{}"}))
    said = place.done("audit", "verify", "whole.zip", "--trust", "trust.json")
    assert "The pack holds. credit-line@7 for prod: allow" in said
    assert "The keys are the pack's own" not in said
    assert "The keys are the pack's own" in place.done("audit", "verify", "whole.zip")
    document = json.loads(place.done("audit", "verify", "whole.zip", "--trust", "trust.json", "--json"))
    assert (document["holds"], document["pinned"], document["documents"]) == (True, True, 2)
    refused = place.run("audit", "verify", "changed.zip", "--json")
    assert refused.returncode == 7
    assert json.loads(refused.stderr)["error"]["code"] == "proof.rejected"
    for name, content in read_pack(pack).items():
        (place.folder / Path(name).name).write_bytes(content)
    proof = ("log", "verify", "decision.tlog-proof", "--leaf", "decision.leaf", "--trust", "trust.json")
    assert "leaf 3 of 6" in place.done(*proof)
    (place.folder / "decision.leaf").write_bytes(b"{}")
    assert place.run(*proof).returncode == 7
