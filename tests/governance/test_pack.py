"""An auditor's pack: what it proves, and that nothing in it can be changed, left out or added."""

import io
import json
import re
import zipfile
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.bundle import Trust
from governance.canonical import canonical, sha256
from governance.database import Database
from governance.errors import ProofRejected
from governance.log.rotation import Place, rotate
from governance.pack import MANIFEST, STEPS, digests_in, document_path, verify_pack
from governance.pack_files import MOST_FILES, pack_bytes, read_pack
from governance.types.results import Verdict
from governance.verify import read_trust
from tests.support.packs import PARTS, changed, pack_of
from tests.support.proof import NOW, ORIGIN, Instance, build_instance, decision


@pytest.fixture(scope="module")
def pack(instance: Instance) -> bytes:
    return pack_of(instance)


def refused_at(pack: bytes, trust: Trust | None = None) -> str | None:
    with pytest.raises(ProofRejected) as caught:
        verify_pack(pack, trust=trust)
    return caught.value.pointer


def test_a_pack_proves_its_decision_and_everything_under_it(pack: bytes, trust: Trust) -> None:
    result = verify_pack(pack, trust=trust, at=NOW + timedelta(days=1))
    assert result.steps == tuple(STEPS)
    assert (result.documents, result.pinned) == (2, True)
    assert result.verified.decision.verdict is Verdict.ALLOW


def test_without_a_trust_file_the_keys_are_said_to_be_its_own(pack: bytes) -> None:
    assert verify_pack(pack).pinned is False


def test_the_same_files_are_the_same_bytes(pack: bytes) -> None:
    files = read_pack(pack)
    assert pack_bytes(dict(reversed(files.items()))) == pack
    with zipfile.ZipFile(io.BytesIO(pack)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == sorted(files)


def test_every_changed_byte_of_a_pack_is_refused(pack: bytes, trust: Trust) -> None:
    for place in range(len(pack)):
        altered = bytearray(pack)
        altered[place] ^= 0x01
        with pytest.raises(ProofRejected):
            verify_pack(bytes(altered), trust=trust)


def test_a_changed_file_is_refused_although_the_manifest_says_the_same(pack: bytes, trust: Trust) -> None:
    steps = {}
    for path, content in read_pack(pack).items():
        if path == MANIFEST:
            continue
        steps[path] = refused_or_told(changed(pack, {path: content[:-2] + b"??"}), trust)
    helpful = {path for path, step in steps.items() if step is None}
    # Only the instructions prove nothing and could be replaced together with their digest.
    assert helpful == {"VERIFY.md"}
    assert steps["decision.sigstore.json"] == "bundle/json"
    assert steps["decision.json"] == "decision"
    assert steps["trust.json"] == "bundle"
    assert {steps[path] for path in steps if path.startswith("documents/")} == {"documents"}
    assert {steps[path] for path in steps if path.startswith("keys/")} == {"proof"}


def refused_or_told(pack: bytes, trust: Trust) -> str | None:
    try:
        verify_pack(pack, trust=trust)
    except ProofRejected as fault:
        return fault.pointer
    return None


def test_a_missing_file_is_refused_whatever_the_manifest_says(pack: bytes, trust: Trust) -> None:
    for path in read_pack(pack):
        assert refused_at(changed(pack, {path: None}, told=False), trust) == "manifest"
        if path != MANIFEST:
            assert refused_at(changed(pack, {path: None}), trust) in {"manifest", "proof", "documents"}


@pytest.mark.parametrize("path", ["more.txt", "documents/more.json", "keys/more.pem", "aaa", "zzz/zzz"])
def test_an_added_file_is_refused_whatever_the_manifest_says(pack: bytes, trust: Trust, path: str) -> None:
    assert refused_at(changed(pack, {path: b"more"}, told=False), trust) == "manifest"
    assert refused_at(changed(pack, {path: b"more"}), trust) in {"proof", "documents"}


def test_a_document_that_the_decision_does_not_name_is_refused_under_its_own_digest(pack: bytes, trust: Trust) -> None:
    other = b'{"kind":"assay.policy/v1"}'
    assert refused_at(changed(pack, {document_path(sha256(other)): other}), trust) == "documents"


def test_another_policy_under_the_digest_of_the_signed_one_is_refused(pack: bytes, trust: Trust) -> None:
    path = document_path(sha256(b"policy"))
    assert refused_at(changed(pack, {path: b"a milder policy"}), trust) == "documents"


def test_the_pack_of_another_instance_is_refused_by_pinned_keys(
    trust: Trust, tmp_path: Path, database: Database
) -> None:
    forged = pack_of(build_instance(database, tmp_path))
    assert verify_pack(forged).pinned is False
    assert refused_at(forged, trust) == "bundle/key"


def test_a_manifest_of_another_decision_is_refused(pack: bytes, instance: Instance, trust: Trust) -> None:
    manifest = json.loads(read_pack(pack)[MANIFEST])
    for name, value in (("decision_id", "other"), ("origin", "other"), ("decision_digest", "sha256:" + "0" * 64)):
        altered = changed(pack, {MANIFEST: canonical({**manifest, name: value})})
        assert refused_at(altered, trust) == "decision"


@pytest.mark.parametrize(
    "change",
    [
        lambda manifest: manifest["files"].reverse(),
        lambda manifest: manifest["files"].append(manifest["files"][0]),
        lambda manifest: manifest["files"][0].update(size=0),
        lambda manifest: manifest["files"][0].update(digest="sha256:" + "0" * 64),
        lambda manifest: manifest.update(kind="assay.pack/v2"),
        lambda manifest: manifest.update(more=1),
        lambda manifest: manifest.pop("files"),
    ],
)
def test_a_manifest_that_is_off_is_refused(pack: bytes, trust: Trust, change: Callable[[object], object]) -> None:
    manifest = json.loads(read_pack(pack)[MANIFEST])
    change(manifest)
    assert refused_at(changed(pack, {MANIFEST: canonical(manifest)}), trust) == "manifest"


def test_a_manifest_in_another_spelling_is_refused(pack: bytes, trust: Trust) -> None:
    spelt = json.dumps(json.loads(read_pack(pack)[MANIFEST]), indent=1).encode()
    assert refused_at(changed(pack, {MANIFEST: spelt}), trust) == "manifest"


def test_a_decision_that_has_ended_is_refused_at_that_time(pack: bytes, trust: Trust) -> None:
    with pytest.raises(ProofRejected) as caught:
        verify_pack(pack, trust=trust, at=NOW + timedelta(days=91))
    assert caught.value.pointer == "bundle/validity"


def test_packs_from_before_and_after_a_rotation_hold(instance: Instance, tmp_path: Path, database: Database) -> None:
    database.clock = lambda: NOW
    fresh = build_instance(database, tmp_path)
    before = pack_of(fresh)
    for purpose in ("decision", "checkpoint"):
        rotate(Place(database, fresh.keys, ORIGIN, tmp_path / "checkpoint"), purpose, actor="operator")
    after = pack_of(fresh, decision(evaluated_at=NOW + timedelta(minutes=1)))
    trust = read_trust(fresh.trust())
    assert verify_pack(before, trust=trust).verified.keyid != verify_pack(after, trust=trust).verified.keyid
    assert len([path for path in read_pack(after) if path.startswith("keys/")]) == 2


def zipped(write: Callable[[zipfile.ZipFile], object]) -> bytes:
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as archive:
        write(archive)
    return output.getvalue()


def flagged(pack: bytes) -> bytes:
    """The pack with its first entry said to be encrypted."""
    content = bytearray(pack)
    content[6] |= 1
    central = content.index(b"PK\x01\x02")
    content[central + 8] |= 1
    return bytes(content)


def many(archive: zipfile.ZipFile) -> None:
    for number in range(MOST_FILES + 1):
        archive.writestr(f"f{number}", b"")


def symlink(archive: zipfile.ZipFile) -> None:
    entry = zipfile.ZipInfo("link", (1980, 1, 1, 0, 0, 0))
    entry.create_system, entry.external_attr = 3, 0o120777 << 16
    archive.writestr(entry, "/etc/passwd")


@pytest.mark.parametrize(
    "path",
    [
        "../evil",
        "/etc/passwd",
        "a/../../b",
        "C:\\evil",
        "a\\b",
        "a//b",
        ".hidden",
        "a/.b",
        "a/",
        "a/b/c/d/e/f",
        "é",
        "a b",
    ],
)
def test_strange_paths_are_refused(path: str) -> None:
    assert refused_at(zipped(lambda archive: archive.writestr(path, b"x"))) == "zip"


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"PK",
        b"noise" * 100,
        b"PK\x05\x06" + b"\0" * 18,
        zipped(symlink),
        zipped(lambda archive: archive.writestr("a", b"0" * 5000, zipfile.ZIP_DEFLATED)),
        zipped(lambda archive: archive.writestr("a", b"0" * 5000, zipfile.ZIP_BZIP2)),
        zipped(lambda archive: archive.mkdir("a")),
        zipped(many),
    ],
    ids=["empty", "cut", "noise", "no files", "symlink", "deflated", "bzip2", "folder", "many"],
)
def test_archives_that_are_no_packs_are_refused(content: bytes) -> None:
    assert refused_at(content) in {"zip", "manifest"}


def test_a_path_that_stands_there_twice_is_refused(pack: bytes) -> None:
    def write(archive: zipfile.ZipFile) -> None:
        for content in (b"one", b"two"):
            archive.writestr(zipfile.ZipInfo("a", (1980, 1, 1, 0, 0, 0)), content)

    with pytest.warns(UserWarning, match="Duplicate"):
        doubled = zipped(write)
    assert refused_at(doubled) == "zip"


@pytest.mark.parametrize("spelling", ["before", "behind", "comment", "time", "encrypted", "order"])
def test_another_spelling_of_the_archive_is_refused(pack: bytes, trust: Trust, spelling: str) -> None:
    files = read_pack(pack)

    def commented(archive: zipfile.ZipFile) -> None:
        for path in sorted(files):
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), files[path])
        archive.comment = b"hello"

    def dated(archive: zipfile.ZipFile) -> None:
        for path in sorted(files):
            archive.writestr(zipfile.ZipInfo(path, (2026, 1, 1, 0, 0, 0)), files[path])

    def shuffled(archive: zipfile.ZipFile) -> None:
        for path in sorted(files, reverse=True):
            archive.writestr(zipfile.ZipInfo(path, (1980, 1, 1, 0, 0, 0)), files[path])

    content = {
        "before": lambda: b"#!/bin/sh\n" + pack,
        "behind": lambda: pack + b"\0",
        "comment": lambda: zipped(commented),
        "time": lambda: zipped(dated),
        "encrypted": lambda: flagged(pack),
        "order": lambda: zipped(shuffled),
    }[spelling]()
    assert refused_at(content, trust) == "zip"


@settings(max_examples=200)
@given(st.binary(max_size=200) | st.binary(max_size=60).map(lambda noise: b"PK\x03\x04" + noise))
def test_noise_is_refused_and_nothing_else_is_raised(noise: bytes) -> None:
    assert refused_at(noise) == "zip"


@settings(max_examples=300)
@given(data=st.data())
def test_a_pack_with_a_run_of_other_bytes_is_refused(pack: bytes, trust: Trust, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(pack) - 1))
    length = data.draw(st.integers(1, min(64, len(pack) - start)))
    other = data.draw(st.binary(max_size=64))
    altered = pack[:start] + other + pack[start + length :]
    if altered == pack:
        return
    with pytest.raises(ProofRejected):
        verify_pack(altered, trust=trust)


def test_digests_are_found_wherever_they_stand() -> None:
    one, two = sha256(b"1"), sha256(b"2")
    assert digests_in({"a": [one, {"b": two}], "c": f"text {one}", one: None, "d": 1}) == {one, two}
    assert set(PARTS) <= digests_in(decision().document())


def test_the_steps_on_the_page_are_those_of_the_code() -> None:
    page = (Path(__file__).resolve().parents[2] / "docs" / "packs.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", page, re.MULTILINE)
    assert rows == list(STEPS.items())
