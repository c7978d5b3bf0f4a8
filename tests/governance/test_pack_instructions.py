"""``VERIFY.md`` of a pack is true: its commands are run as they stand there, on the pack unpacked into a folder."""

import json
import re
import shutil
import subprocess
import zipfile
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest

from governance.canonical import sha256
from governance.database import Database
from governance.log.rotation import Place, rotate
from governance.pack import INSTRUCTIONS, document_path, instructions
from tests.support.foreign import install
from tests.support.packs import pack_of
from tests.support.proof import NOW, ORIGIN, build_instance, decision
from tests.support.sumdb import environment, require_go


def blocks(language: str) -> list[str]:
    """The code in a language, as it stands in the instructions."""
    found: list[str] = re.findall(rf"^```{language}\n(.*?)^```", instructions(), re.MULTILINE | re.DOTALL)
    return found


@pytest.fixture
def folder(sqlite_template: Path, tmp_path: Path) -> Iterator[Path]:
    """A pack, unpacked by Python's own reader of archives, of an instance whose keys were rotated before and after."""
    shutil.copy(sqlite_template, tmp_path / "assay.db")
    database = Database(f"sqlite:///{tmp_path / 'assay.db'}", clock=lambda: NOW)
    instance = build_instance(database, tmp_path / "home")
    place = Place(database, instance.keys, ORIGIN, tmp_path / "home" / "checkpoint")
    rotate(place, "decision", actor="operator")
    rotate(place, "checkpoint", actor="operator")
    pack = pack_of(instance)
    with zipfile.ZipFile(BytesIO(pack)) as archive:
        archive.extractall(tmp_path / "pack")
    yield tmp_path / "pack"
    database.close()


def run(folder: Path, program: list[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(program, cwd=folder, capture_output=True, text=True, check=False, timeout=240)


def shell(folder: Path, block: str) -> int:
    return run(folder, ["bash", "-euo", "pipefail", "-c", block]).returncode


def flip(path: Path, place: int) -> None:
    content = bytearray(path.read_bytes())
    content[place % len(content)] ^= 0x01
    path.write_bytes(bytes(content))


def test_the_instructions_are_in_the_pack_and_name_every_file(folder: Path) -> None:
    text = (folder / INSTRUCTIONS).read_text()
    assert text == instructions()
    for path in folder.iterdir():
        assert f"`{path.name}{'/' if path.is_dir() else ''}`" in text or path.name == INSTRUCTIONS, path.name


def test_the_openssl_command_accepts_the_signature_and_refuses_changes(folder: Path) -> None:
    command = blocks("bash")[0]
    assert shell(folder, command) == 0
    for name in ("decision.dsse", "decision.sig"):
        kept = (folder / name).read_bytes()
        for place in range(0, len(kept), 41):
            flip(folder / name, place)
            assert shell(folder, command) != 0, (name, place)
            (folder / name).write_bytes(kept)


def test_the_commands_for_documents_accept_them_and_refuse_changes(folder: Path) -> None:
    commands = blocks("bash")[1]
    assert shell(folder, commands) == 0
    for name in ("decision.json", *(str(path.relative_to(folder)) for path in (folder / "documents").iterdir())):
        kept = (folder / name).read_bytes()
        flip(folder / name, len(kept) // 2)
        assert shell(folder, commands) != 0, name
        (folder / name).write_bytes(kept)
    other = b"a document that the decision does not name"
    (folder / document_path(sha256(other))).write_bytes(other)
    assert shell(folder, commands) != 0


def test_the_node_program_accepts_a_pack_and_refuses_changes(folder: Path) -> None:
    verifier = install(folder)
    (folder / "verify.cjs").write_text(blocks("js")[0])
    program = [verifier.node, "verify.cjs"]
    done = run(folder, program)
    assert json.loads(done.stdout)["predicate"]["verificationResult"] == "PASSED", done.stderr
    trust = json.loads((folder / "trust.json").read_text())
    key = next(each for each in trust["decision_keys"] if each["pem"] == (folder / "decision.pem").read_text())
    for change in (
        {"valid_from": "2026-03-01T12:00:01Z"},
        {"valid_until": "2026-03-01T12:00:00Z"},
        {"compromised_since": "2026-03-01T11:59:00Z"},
        {"leaves": 3},
    ):
        altered = [each | change if each["keyid"] == key["keyid"] else each for each in trust["decision_keys"]]
        (folder / "trust.json").write_text(json.dumps(trust | {"decision_keys": altered}))
        assert run(folder, program).returncode != 0, change
    (folder / "trust.json").write_text(json.dumps(trust))
    bundle = json.loads((folder / "decision.sigstore.json").read_text())
    payload = bundle["dsseEnvelope"]["payload"]
    bundle["dsseEnvelope"]["payload"] = payload.replace(payload[40], "A" if payload[40] != "A" else "B", 1)
    (folder / "decision.sigstore.json").write_text(json.dumps(bundle))
    assert run(folder, program).returncode != 0


def test_the_versions_in_the_instructions_are_the_pinned_ones() -> None:
    pinned = json.loads((Path(__file__).resolve().parents[1] / "support" / "sigstore" / "package.json").read_text())
    for name, version in pinned["dependencies"].items():
        assert f"{name}@{version}" in instructions()


def test_the_go_program_accepts_a_pack_and_refuses_changes(folder: Path, tmp_path: Path) -> None:
    go, source = require_go(), tmp_path / "verify.go"
    source.write_text(blocks("go")[0])
    assert "GO111MODULE=off GOPATH=/usr/share/gocode go run verify.go" in instructions()
    built = subprocess.run(
        [go, "build", "-o", str(tmp_path / "verify"), str(source)],
        cwd=tmp_path, env=environment(tmp_path), capture_output=True, text=True, check=False, timeout=240,
    )  # fmt: skip
    assert built.returncode == 0, built.stderr
    program = [str(tmp_path / "verify")]
    done = run(folder, program)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("leaf ")
    assert done.stdout.endswith(f" is in {decision().origin}\n")
    note = (folder / "decision.tlog-proof").read_bytes().index(b"\n\n")
    for name, places in (("decision.leaf", range(0, 500, 50)), ("decision.tlog-proof", range(0, note, 9))):
        kept = (folder / name).read_bytes()
        for place in places:
            flip(folder / name, place)
            assert run(folder, program).returncode != 0, (name, place)
            (folder / name).write_bytes(kept)
    (folder / "log.vkeys").write_text("".join((folder / "log.vkeys").read_text().splitlines(keepends=True)[:1]))
    assert run(folder, program).returncode != 0
