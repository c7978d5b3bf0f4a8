"""The main job as a new user runs it, and what it leaves behind."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


def assay(*arguments: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("ASSAY_")}
    environment["PYTHONPATH"] = str(Path(__file__).parents[2])
    return subprocess.run(
        [sys.executable, "-m", "governance", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The demo, played twice into the same folder and then moved elsewhere."""
    place = tmp_path_factory.mktemp("demo")
    again = assay("demo", "--folder", "story", cwd=place)
    assert again.returncode == 0, again.stdout + again.stderr
    moved = place / "elsewhere"
    shutil.move(place / "story", moved)
    return moved, again.stdout


def test_the_first_version_is_denied_for_true_reasons_and_the_mended_one_allowed(played: tuple[Path, str]) -> None:
    _, told = played
    first, second = told.split("Two things are mended")
    assert "Verdict: DENY" in first
    assert "because fairness" in first
    assert "because gdpr" in first
    assert "R1" in first
    assert "Verdict: ALLOW" in second


@pytest.mark.parametrize(("version", "verdict"), [("1", "deny"), ("2", "allow")])
def test_both_decisions_verify_after_the_service_is_gone_and_its_folder_moved(
    played: tuple[Path, str], version: str, verdict: str
) -> None:
    folder, _ = played
    proof = folder / f"credit-line-{version}" / "decision.sigstore.json"
    model = folder / f"credit-line-{version}" / "model.skops"
    arguments = ["verify", str(proof), "--trust", str(folder / "trust.json"), "--digest", str(model), "--env", "prod"]
    checked = assay(*arguments, cwd=folder)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert verdict in checked.stdout
    other = assay(*arguments[:-2], "--env", "staging", cwd=folder)
    assert other.returncode == 7
    proof.write_bytes(proof.read_bytes().replace(b"sha2", b"sha3", 1).replace(b'"1"', b'"2"', 1) + b" ")
    assert assay(*arguments, cwd=folder).returncode == 7


def test_the_reports_are_there_and_stand_alone(played: tuple[Path, str]) -> None:
    folder, _ = played
    for version in ("1", "2"):
        page = (folder / f"credit-line-{version}" / "report.html").read_text()
        assert "Evidence, not legal advice" in page
        assert "<script" not in page
        assert "<svg" in page
        assert (folder / f"credit-line-{version}" / "report.json").stat().st_size > 1000


def test_the_demo_refuses_a_folder_that_it_did_not_make(tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    refused = assay("demo", "--folder", "mine", cwd=tmp_path)
    assert refused.returncode == 4
    assert "another folder" in refused.stderr
    assert (tmp_path / "mine" / "thesis.txt").read_text() == "years of work"
