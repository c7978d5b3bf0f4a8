"""People at the command line, against a real service process: waivers, approvals, and breaking the glass."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from tests.support.people import waiver
from tests.support.shell import Shell, evidence, gate, publish, serving
from tests.support.story import FAIR, UNFAIR, subject


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A service, and what a user of it has in the environment."""
    with serving(tmp_path_factory.mktemp("people")) as started:
        yield started


def holder(shell: Shell, name: str, role: str) -> str:
    """A key that somebody holds."""
    made = shell.run("keys", "create", "--name", name, "--subject", name, "--role", role, "--json")
    assert made.returncode == 0, made.stderr
    return str(json.loads(made.stdout)["key"])


def test_a_denied_model_goes_live_by_a_waiver_of_two(shell: Shell) -> None:
    model, about, digest = evidence(shell, "waived", UNFAIR)
    publish(shell, "waived")
    assert gate(shell, "waived", model, "--evidence", str(about)).returncode == 1
    owner = holder(shell, "ines", "model_owner")
    asked = waiver(
        subject=subject(name="waived", digest=digest),
        expires_at=(datetime.now(UTC) + timedelta(days=5)).isoformat(),
    )
    Path(shell.folder / "waiver.yaml").write_text(yaml.safe_dump(asked))
    made = shell.run("waiver", "request", "waiver.yaml", "--json", ASSAY_KEY=owner)
    assert made.returncode == 0, made.stderr
    identifier = json.loads(made.stdout)["id"]
    own = shell.run("waiver", "approve", identifier, "--yes", ASSAY_KEY=holder(shell, "ines", "approver"))
    assert own.returncode == 5, own.stdout + own.stderr
    for name in ("ana", "bo"):
        said = shell.run("waiver", "approve", identifier, "--yes", ASSAY_KEY=holder(shell, name, "approver"))
        assert said.returncode == 0, said.stderr
    assert "approved by ana, bo" in shell.run("waiver", "show", identifier).stdout
    assert identifier in shell.run("waiver", "list", "--env", "prod").stdout
    done = gate(shell, "waived", model)
    assert done.returncode == 0, done.stdout + done.stderr
    revoked = shell.run("waiver", "revoke", identifier, "--reason", "mended", ASSAY_KEY=owner)
    assert (revoked.returncode, " revoked: " in revoked.stdout) == (0, True), revoked.stderr
    assert gate(shell, "waived", model).returncode == 1


def test_an_approval_is_waited_for_listed_and_given(shell: Shell) -> None:
    model, about, _ = evidence(shell, "approved", FAIR)
    file = shell.folder / "approved" / "policy.yaml"
    file.write_text(yaml.safe_dump({**yaml.safe_load(file.read_text()), "approvals": [{"role": "approver"}]}))
    cleo = holder(shell, "cleo", "approver")
    publish(shell, "approved")
    waits = gate(shell, "approved", model, "--evidence", str(about), "--wait", "20", "--json")
    assert waits.returncode == 3, waits.stdout + waits.stderr
    identifier = json.loads(waits.stdout)["evaluation_id"]
    assert identifier in shell.run("waiting").stdout
    wrong = shell.run("approve", identifier, "--yes", "--digest", "sha256:" + "0" * 64, ASSAY_KEY=cleo)
    assert wrong.returncode == 4, wrong.stdout
    assert shell.run("review", identifier, "--yes", ASSAY_KEY=cleo).returncode == 4, "no warning waits"
    said = shell.run("approve", identifier, "--yes", "--comment", "fine", ASSAY_KEY=cleo)
    assert said.returncode == 0, said.stderr
    assert "cleo: approval approve" in said.stdout


def test_the_glass_is_broken_and_somebody_else_closes_the_review(shell: Shell) -> None:
    model, about, _ = evidence(shell, "broken", UNFAIR)
    publish(shell, "broken")
    denied = json.loads(gate(shell, "broken", model, "--evidence", str(about), "--json").stdout)
    why = ("--reason", "production is down", "--incident", "INC-1")
    rita = holder(shell, "rita", "incident_responder")
    made = shell.run("break-glass", denied["decision_id"], *why, "--hours", "1", "--json", ASSAY_KEY=rita)
    assert made.returncode == 0, made.stderr
    grant = json.loads(made.stdout)
    assert shell.run("break-glass", denied["decision_id"], *why).returncode == 5, "CI breaks no glass"
    closed = shell.run("close-review", grant["id"], "--justified", ASSAY_KEY=holder(shell, "dora", "approver"))
    assert (closed.returncode, "found justified by dora" in closed.stdout) == (0, True), closed.stderr
