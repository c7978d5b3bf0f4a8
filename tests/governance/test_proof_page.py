"""``docs/proof.md`` is true: its commands are run as they stand there, and its list of steps is the code's."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from governance.database import Database
from governance.verify import STEPS
from tests.support.foreign import install
from tests.support.proof import build_instance, decision

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "proof.md").read_text(encoding="utf-8")


def block(language: str) -> str:
    """The page's one block of code in a language."""
    (found,) = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    text: str = found
    return text


@pytest.fixture
def folder(sqlite_template: Path, tmp_path: Path) -> Iterator[Path]:
    """A folder with the two files that the page starts from."""
    shutil.copy(sqlite_template, tmp_path / "assay.db")
    database = Database(f"sqlite:///{tmp_path / 'assay.db'}")
    instance = build_instance(database, tmp_path / "home")
    (tmp_path / "decision.sigstore.json").write_bytes(instance.bundle(decision()))
    (tmp_path / "trust.json").write_bytes(instance.trust())
    yield tmp_path
    database.close()


def tamper(folder: Path) -> None:
    """Turn the verdict in the signed payload."""
    path = folder / "decision.sigstore.json"
    document = json.loads(path.read_text())
    payload = document["dsseEnvelope"]["payload"]
    document["dsseEnvelope"]["payload"] = payload.replace(payload[40], "A" if payload[40] != "A" else "B", 1)
    path.write_text(json.dumps(document))


def test_the_steps_on_the_page_are_those_of_the_code() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", PAGE, re.MULTILINE)
    assert dict(rows) == STEPS
    assert [name for name, _ in rows] == list(STEPS)


def test_the_openssl_commands_accept_a_decision_and_refuse_a_changed_one(folder: Path) -> None:
    program = ["bash", "-euo", "pipefail", "-c", block("bash")]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=True)
    assert "Signature Verified Successfully" in done.stdout + done.stderr
    assert json.loads((folder / "statement.json").read_text())["predicate"]["verificationResult"] == "PASSED"
    tamper(folder)
    assert subprocess.run(program, cwd=folder, capture_output=True, check=False).returncode != 0


def test_the_node_program_accepts_a_decision_and_refuses_a_changed_one(folder: Path) -> None:
    verifier = install(folder)
    (folder / "page.cjs").write_text(block("js"))
    program = [verifier.node, "page.cjs"]
    done = subprocess.run(program, cwd=folder, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["predicate"]["verificationResult"] == "PASSED"
    tamper(folder)
    assert subprocess.run(program, cwd=folder, capture_output=True, check=False).returncode != 0


def test_the_versions_on_the_page_are_the_pinned_ones() -> None:
    pinned = json.loads((Path(__file__).resolve().parents[1] / "support" / "sigstore" / "package.json").read_text())
    for name, version in pinned["dependencies"].items():
        assert f"{name}@{version}" in PAGE
