"""The command line against a real service process: exit codes, files, and errors that say what to do."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from governance.signing.keys import PublicKey
from tests.support.shell import Shell, evidence, gate, publish, serving
from tests.support.story import FAIR, UNFAIR, policy


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """A service, and what a user of it has in the environment."""
    with serving(tmp_path_factory.mktemp("cli")) as started:
        yield started


def test_a_fair_model_exits_with_0_and_its_proof_was_verified(shell: Shell) -> None:
    model, about, _ = evidence(shell, "fair", FAIR)
    publish(shell, "fair")
    done = gate(shell, "fair", model, "--evidence", str(about), "--bundle", "fair.sigstore.json")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Verdict: allow (signature verified)" in done.stdout
    verified = shell.run(
        "verify", "fair.sigstore.json", "--trust", "trust.json", "--digest", str(model), "--require-allow"
    )
    assert verified.returncode == 0, verified.stderr


def test_an_unfair_model_exits_with_1_and_a_dry_run_of_it_with_0(shell: Shell) -> None:
    model, about, _ = evidence(shell, "unfair", UNFAIR)
    publish(shell, "unfair")
    done = gate(shell, "unfair", model, "--evidence", str(about), "--json")
    assert done.returncode == 1, done.stdout + done.stderr
    answer = json.loads(done.stdout)
    assert (answer["verdict"], answer["verified"]) == ("deny", True)
    assert gate(shell, "unfair", model, "--dry-run").returncode == 0


def test_a_version_in_warning_is_printed_and_changes_nothing(shell: Shell) -> None:
    model, about, _ = evidence(shell, "warned", FAIR)
    publish(shell, "warned")
    params = {"metrics": [{"name": "selection_rate_ratio", "limit": "0.999"}], "mode": "as_written"}
    stricter = policy("policy-warned", checks=[{"id": "fairness", "params": params}])
    (shell.folder / "warned" / "policy.yaml").write_text(yaml.safe_dump(stricter))
    publish(shell, "warned", stage="warn")
    done = gate(shell, "warned", model, "--evidence", str(about))
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Warning: policy-warned@2, not in force yet, says deny" in done.stdout
    assert gate(shell, "warned", model, "--fail-on", "warn").returncode == 1


def test_no_evidence_exits_with_2_and_no_time_with_3(shell: Shell) -> None:
    model, about, _ = evidence(shell, "late", FAIR)
    publish(shell, "late")
    assert gate(shell, "late", model).returncode == 2
    pending = gate(shell, "late", model, "--evidence", str(about), "--wait", "0")
    assert pending.returncode == 3, pending.stdout


def test_usage_keys_and_absent_services_have_codes_of_their_own(shell: Shell) -> None:
    model, _, _ = evidence(shell, "codes", FAIR)
    publish(shell, "codes")
    assert gate(shell, "codes", model, "--context", "nonsense").returncode == 4
    assert shell.run("gate", "codes").returncode == 4
    assert gate(shell, "codes", shell.folder / "absent").returncode == 4
    assert gate(shell, "codes", model, ASSAY_KEY="assay_wrong").returncode == 5
    away = gate(shell, "codes", model, ASSAY_URL="http://127.0.0.1:9")
    assert away.returncode == 6
    assert "to do" in away.stderr


def test_an_answer_of_another_instance_exits_with_7(shell: Shell, tmp_path: Path) -> None:
    model, about, _ = evidence(shell, "other", FAIR)
    publish(shell, "other")
    other = shell.run("keys", "init", ASSAY_HOME=str(tmp_path))
    assert other.returncode == 0, other.stderr
    shell.run("keys", "trust", "--output", "foreign.json", ASSAY_HOME=str(tmp_path))
    done = gate(shell, "other", model, "--evidence", str(about), "--trust", "foreign.json")
    assert done.returncode == 7, done.stdout + done.stderr


def test_checks_beside_the_data_give_the_same_verdict_and_can_be_submitted(shell: Shell) -> None:
    model, about, digest = evidence(shell, "beside", FAIR)
    publish(shell, "beside")
    pem = shell.run("keys", "signer", "signer.pem")
    (shell.folder / "signer.pub").write_text(pem.stdout)
    assert shell.run("keys", "trust-signer", "signer.pub", "--name", "nightly").returncode == 0
    done = shell.run(
        "check", str(about), "--policy", str(about.parent / "policy.yaml"), "--sign", "signer.pem", "--submit"
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "The gate would answer: allow" in done.stdout
    (about.parent / "policy.yaml").write_text(
        yaml.safe_dump(policy("policy-beside", evidence={"least_origin": "attested"}))
    )
    publish(shell, "beside")
    allowed = gate(shell, "beside", model, "--json")
    assert allowed.returncode == 0, allowed.stdout + allowed.stderr
    assert json.loads(allowed.stdout)["checks"][0]["origin"] == "attested"
    assert json.loads(allowed.stdout)["subject"]["digest"] == digest
    keyid = PublicKey.from_pem(pem.stdout).keyid
    assert shell.run("keys", "distrust-signer", keyid).returncode == 0
    refused = shell.run(
        "check", str(about), "--policy", str(about.parent / "policy.yaml"), "--sign", "signer.pem", "--submit"
    )
    assert refused.returncode != 0, "a signer that is not trusted any more is refused"


def test_a_check_that_would_be_denied_exits_with_1(shell: Shell) -> None:
    _, about, _ = evidence(shell, "beside-unfair", UNFAIR)
    done = shell.run("check", str(about), "--policy", str(about.parent / "policy.yaml"), "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["checks"][0]["status"] == "failed"


def test_a_report_is_written_for_a_decision(shell: Shell) -> None:
    model, about, _ = evidence(shell, "reported", FAIR)
    publish(shell, "reported")
    answer = json.loads(gate(shell, "reported", model, "--evidence", str(about), "--json").stdout)
    assert shell.run("report", answer["decision_id"], "--output", "r.html").returncode == 0
    assert "Evidence, not legal advice" in (shell.folder / "r.html").read_text()
    assert shell.run("report", "no-such-decision").returncode == 4


def test_a_revoked_key_opens_nothing(shell: Shell) -> None:
    made = json.loads(shell.run("keys", "create", "--name", "short", "--role", "ci", "--json").stdout)["key"]
    assert "short" in shell.run("keys", "list").stdout
    assert shell.run("keys", "revoke", made.split("_")[1]).returncode == 0
    model, _, _ = evidence(shell, "revoked", FAIR)
    publish(shell, "revoked")
    assert gate(shell, "revoked", model, ASSAY_KEY=made).returncode == 5


def test_an_unknown_role_is_refused_with_those_there_are(shell: Shell) -> None:
    refused = shell.run("keys", "create", "--name", "x", "--role", "emperor")
    assert refused.returncode == 4
    assert "auditor" in refused.stderr


def test_an_error_is_json_where_that_was_asked(shell: Shell) -> None:
    refused = shell.run("keys", "create", "--name", "x", "--role", "emperor", "--json")
    assert json.loads(refused.stderr)["error"]["code"] == "input.refused"


def test_serving_an_older_database_is_refused_with_the_command_that_mends_it(shell: Shell, tmp_path: Path) -> None:
    refused = shell.run("serve", "--port", "0", ASSAY_HOME=str(tmp_path))
    assert refused.returncode == 6
    assert "assay db upgrade" in refused.stderr
