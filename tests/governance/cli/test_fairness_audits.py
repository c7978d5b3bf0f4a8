"""``assay fairness judge`` and ``assay fairness ll144-page`` as commands."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from sklearn.linear_model import LogisticRegression
from typer.testing import CliRunner, Result

from governance.cli import app
from governance.errors import InputRefused, UsageError
from tests.audits.sandbox.models import saved
from tests.policies.fairness.law.build import audit, fourteen_rows
from tests.policies.fairness.law.test_ll144_check import EXCLUDED
from tests.policies.fairness.test_predicted import sample
from tests.support.evidence import write

POLICY = """
kind: assay.policy/v1
name: own
checks:
  - {id: fairness, params: {metrics: [{name: selection_rate_ratio, limit: "0.8"}], bootstrap_replicates: 50}}
"""


def run(*words: str | Path) -> Result:
    """A command, with its faults raised."""
    return CliRunner().invoke(app, ["fairness", *map(str, words)], standalone_mode=False)


def manifest(folder: Path, **fields: Any) -> Path:
    """A manifest beside its file of people, those of the golden vector V14."""
    write(folder / "people.csv", fourteen_rows())
    document = {
        "kind": "assay.evidence/v1",
        "subject": {"namespace": "hr", "name": "ranker", "version": "3", "digest": f"sha256:{'3' * 64}"},
        "predictions": {"uri": "file:people.csv", "format": "csv"},
        "columns": {"decision": "selected"},
        "positive": {"decision": 1},
        "sensitive": {"sex": {}},
        **fields,
    }
    path = folder / "manifest.yaml"
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """The signed test result of a fairness check, with the data gone."""
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    runner = CliRunner()
    key = tmp_path / "signer.pem"
    assert runner.invoke(app, ["keys", "signer", str(key)], standalone_mode=False).exception is None
    result = runner.invoke(
        app,
        ["check", str(manifest(tmp_path)), "--policy", str(tmp_path / "policy.yaml"), "--sign", str(key), "--output",
         str(tmp_path / "result.json")],
        standalone_mode=False,
    )  # fmt: skip
    assert result.return_value == 0, result.output
    (tmp_path / "people.csv").unlink()
    return tmp_path / "result.json"


def test_a_stored_audit_is_judged_again_from_its_cells_alone(stored: Path) -> None:
    policy = stored.parent / "stricter.yaml"
    policy.write_text(POLICY.replace('"0.8"', '"0.98"').replace("metrics:", "mode: as_written, metrics:"))
    again = run("judge", stored, "--policy", stored.parent / "policy.yaml", "--json")
    strict = run("judge", stored, "--policy", policy, "--json")
    assert (again.return_value, strict.return_value) == (0, 1)
    (check,) = json.loads(strict.output)["checks"]
    assert (check["status"], check["limit"], check["reason"]) == ("failed", "0.98", "fairness.below_limit")


def test_a_question_that_was_not_measured_is_not_allowed(stored: Path) -> None:
    policy = stored.parent / "other.yaml"
    policy.write_text(POLICY.replace("selection_rate_ratio", "equalized_odds_ratio"))
    assert run("judge", stored, "--policy", policy).return_value == 2
    assert run("judge", stored, "--policy", "us-eeoc-ugesp").return_value == 2


@pytest.mark.parametrize(
    "content", ["{}", "[]", "no json", '{"payload": "AA==", "payloadType": "x", "signatures": []}']
)
def test_a_file_that_holds_no_measurement_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "file.json").write_text(content)
    result = run("judge", tmp_path / "file.json")
    assert result.exception is not None
    assert not isinstance(result.exception, KeyError | ValueError)


def test_the_public_page_shows_every_table_both_ways_and_no_verdict(tmp_path: Path) -> None:
    path = manifest(tmp_path, audit=audit(excluded=EXCLUDED, auditor="Independent & Co <ltd>"))
    result = run("ll144-page", path, "-o", tmp_path / "page.html")
    assert result.exception is None
    page = (tmp_path / "page.html").read_text(encoding="utf-8")
    assert page.count("<table>") == 6
    for text in ("0.8182", "0.4500", "no members", "excluded, under 2 % of the table", "2026-06-01", "2026-01-05"):
        assert text in page
    assert "Independent &amp; Co &lt;ltd&gt;" in page
    assert not any(word in page.casefold() for word in ("four fifths", "0.8000", "passed", "failed", "compliant"))
    run("ll144-page", path, "-o", tmp_path / "again.html")
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == page


def test_an_own_threshold_is_shown_as_the_operators(tmp_path: Path) -> None:
    policy = tmp_path / "own.yaml"
    policy.write_text("{kind: assay.policy/v1, name: own, checks: [{id: ll144, params: {own_threshold: '0.8'}}]}")
    run("ll144-page", manifest(tmp_path, audit=audit()), "-o", tmp_path / "p.html", "--policy", policy)
    page = (tmp_path / "p.html").read_text(encoding="utf-8")
    assert "Own policy of the operator" in page
    assert "no part of Local Law 144" in page


def test_a_page_without_an_audit_or_with_another_policy_is_refused(tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert isinstance(run("ll144-page", manifest(tmp_path), "-o", page).exception, InputRefused)
    other = run("ll144-page", manifest(tmp_path, audit=audit()), "-o", page, "--policy", "baseline")
    assert isinstance(other.exception, UsageError)
    assert not page.exists()


def test_a_model_is_audited_from_its_file_alone(tmp_path: Path) -> None:
    rows = sample(300)
    model, digest = saved(LogisticRegression().fit(rows[["income", "age"]], rows["label"]), tmp_path / "model.skops")
    write(tmp_path / "people.csv", pl.from_pandas(rows))
    document = {
        "kind": "assay.evidence/v1",
        "subject": {"namespace": "hr", "name": "credit", "version": "1", "digest": digest},
        "dataset": {"namespace": "s3://lake", "name": "people", "file": {"uri": "file:people.csv", "format": "csv"}},
        "model": {"uri": f"file:{model.name}", "format": "skops"},
        "columns": {"label": "label", "features": ["income", "age"]},
        "positive": {"label": 1},
        "threshold": "0.5",
        "sensitive": {"group": {}},
    }
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    (tmp_path / "policy.yaml").write_text(POLICY, encoding="utf-8")
    words = ["check", str(tmp_path / "manifest.yaml"), "--policy", str(tmp_path / "policy.yaml"), "--json"]
    result = CliRunner().invoke(app, words, standalone_mode=False)
    assert result.exception is None
    (check,) = json.loads(result.stdout)["checks"]
    assert check["status"] not in ("error", "not_run"), check["message"]
    assert check["details"]["tables"]["group"]["groups"][0]["auc"] is not None
