"""``assay verify`` as a program: what it prints and what it exits with."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from governance.canonical import sha256
from governance.cli.verify import verify
from governance.database import Database
from governance.errors import ProofRejected, UsageError
from governance.types.results import Verdict
from tests.support.proof import MODEL, NOW, Instance, build_instance, decision

DAY = (NOW + timedelta(days=1)).isoformat()

app = typer.Typer()
app.command()(verify)


@pytest.fixture
def instance(sqlite_template: Path, tmp_path: Path) -> Iterator[Instance]:
    shutil.copy(sqlite_template, tmp_path / "assay.db")
    database = Database(f"sqlite:///{tmp_path / 'assay.db'}")
    yield build_instance(database, tmp_path / "home")
    database.close()


@pytest.fixture
def folder(instance: Instance, tmp_path: Path) -> Path:
    """A folder with a trust file, the model and a bundle of each verdict."""
    (tmp_path / "trust.json").write_bytes(instance.trust())
    (tmp_path / "model.skops").write_bytes(b"the model")
    for verdict in (Verdict.DENY, Verdict.INDETERMINATE):
        (tmp_path / f"{verdict}.json").write_bytes(instance.bundle(decision(verdict=verdict, valid_until=None)))
    (tmp_path / "allow.json").write_bytes(instance.bundle(decision()))
    (tmp_path / "dry.json").write_bytes(instance.bundle(decision(mode="dry_run")))
    return tmp_path


def run(folder: Path, name: str, *options: str) -> tuple[int, str]:
    """Exit code and standard output; a fault of the product is raised, as ``main`` would receive it."""
    arguments = [str(folder / name), "--trust", str(folder / "trust.json"), "--at", DAY, *options]
    answer = CliRunner().invoke(app, arguments)
    if answer.exception is not None and not isinstance(answer.exception, SystemExit):
        raise answer.exception
    return answer.exit_code, answer.stdout


def test_a_proof_that_holds_exits_0_and_says_the_verdict(folder: Path) -> None:
    for name, verdict in (("allow.json", "allow"), ("deny.json", "deny"), ("indeterminate.json", "indeterminate")):
        code, output = run(folder, name)
        assert code == 0
        assert f"credit-line@7 for prod: {verdict}" in output
        assert "inclusion" in output


@pytest.mark.parametrize(("name", "code"), [("allow", 0), ("deny", 1), ("indeterminate", 2), ("dry", 2)])
def test_require_allow_exits_by_the_verdict_and_no_dry_run_counts(folder: Path, name: str, code: int) -> None:
    assert run(folder, f"{name}.json", "--require-allow")[0] == code


def test_json_carries_the_decision_and_the_steps(folder: Path) -> None:
    document = json.loads(run(folder, "allow.json", "--json", "--env", "prod", "--digest", MODEL.digest)[1])
    assert document["holds"] is True
    assert document["allows"] is True
    assert document["decision"]["verdict"] == "allow"
    assert document["steps"][-3:] == ["subject", "environment", "validity"]


def test_the_model_may_be_named_by_its_file(folder: Path) -> None:
    assert run(folder, "allow.json", "--digest", str(folder / "model.skops"))[0] == 0
    (folder / "model.skops").write_bytes(b"another model")
    with pytest.raises(ProofRejected) as caught:
        run(folder, "allow.json", "--digest", str(folder / "model.skops"))
    assert caught.value.pointer == "subject"


@pytest.mark.parametrize(
    ("options", "step"),
    [
        (["--digest", sha256(b"other")], "subject"),
        (["--env", "staging"], "environment"),
        (["--at", (NOW + timedelta(days=91)).isoformat()], "validity"),
    ],
)
def test_what_the_decision_does_not_cover_is_refused(folder: Path, options: list[str], step: str) -> None:
    with pytest.raises(ProofRejected) as caught:
        run(folder, "allow.json", *options)
    assert caught.value.pointer == step
    assert caught.value.exit_code == 7


@pytest.mark.parametrize(
    "options",
    [["--at", "yesterday"], ["--at", "2026-03-01T12:00:00"], ["--digest", "nowhere/model"], ["--digest", "sha256:12"]],
)
def test_options_that_make_no_sense_are_usage_faults(folder: Path, options: list[str]) -> None:
    with pytest.raises(UsageError):
        run(folder, "allow.json", *options)


def test_a_missing_file_is_a_usage_fault(folder: Path) -> None:
    with pytest.raises(UsageError, match="Check the path"):
        run(folder, "absent.json")


def test_the_default_time_is_now(folder: Path) -> None:
    answer = CliRunner().invoke(app, [str(folder / "deny.json"), "--trust", str(folder / "trust.json")])
    assert answer.exit_code == 0
    assert "validity" in answer.stdout


def test_verifiers_and_witnesses_need_neither_database_nor_web_libraries() -> None:
    code = (
        "import sys, governance.verify, governance.pack, governance.tlog, governance.log.witness\n"
        "heavy = {'sqlalchemy', 'alembic', 'fastapi', 'httpx', 'polars', 'sklearn', 'structlog'}\n"
        "sys.exit(', '.join(heavy & {name.partition('.')[0] for name in sys.modules}) or 0)\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
