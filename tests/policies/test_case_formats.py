"""Every fairness case has the same answer in every format, and through `assay check` and the service."""

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from governance.cli import app
from governance.migration import upgrade
from tests.support.neutral import VERDICTS, Task, artifact_uri, ask, case_documents, read
from tests.support.neutral_cases import map_case
from tests.support.service import Service, running
from tests.support.story import publish, upload

CASES = {name: folder for name, folder in case_documents().items() if read(folder / "case.json")["area"] == "fairness"}

WORDS = {status.value: word for status, word in VERDICTS.items()}


def task_of(name: str, work: Path) -> Task:
    """The task of a case."""
    return map_case(read(CASES[name] / "case.json"), CASES[name], work)


def holds(verdict: str, expect: Mapping[str, Any]) -> bool:
    """Whether a verdict is what a user expects."""
    allowed = expect.get("verdict_in", [expect["verdict"]] if "verdict" in expect else [verdict])
    return verdict in allowed and verdict not in expect.get("verdict_not", [])


def rewritten(task: Task, path: Path) -> Task:
    """The task on the same rows in the format of a path's suffix; numbers of a CSV become numbers where all are."""
    (source,) = task.files.values()
    frame = pl.read_csv(source, infer_schema_length=None)
    writers: dict[str, Any] = {
        ".parquet": frame.write_parquet,
        ".jsonl": frame.write_ndjson,
        ".arrow": frame.write_ipc,
    }
    writers[path.suffix](path)
    uri = artifact_uri(path)
    predictions = {"uri": uri, "format": path.suffix.removeprefix(".")}
    return replace(task, manifest={**task.manifest, "predictions": predictions}, files={uri: path})


@pytest.mark.parametrize("suffix", ["parquet", "jsonl", "arrow"])
@pytest.mark.parametrize("name", sorted(CASES))
def test_a_case_has_the_same_answer_in_every_format(name: str, suffix: str, tmp_path: Path) -> None:
    plain = task_of(name, tmp_path)
    of_csv, of_other = ask(plain), ask(rewritten(plain, tmp_path / f"data.{suffix}"))
    assert of_other.verdict == of_csv.verdict
    if of_csv.result is not None and of_other.result is not None:
        assert of_other.result.details == of_csv.result.details


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_case_has_its_answer_through_assay_check(name: str, tmp_path: Path) -> None:
    task = task_of(name, tmp_path)
    (source,) = task.files.values()
    (tmp_path / "data.csv").write_bytes(source.read_bytes())
    document = {**task.manifest, "predictions": {"uri": "file:data.csv", "format": "csv"}}
    (tmp_path / "manifest.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy_of(task, "case")), encoding="utf-8")
    words = ["check", str(tmp_path / "manifest.yaml"), "--policy", str(tmp_path / "policy.yaml"), "--json"]
    result = CliRunner().invoke(app, words, standalone_mode=False)
    assert result.exception is None, result.exception
    (check,) = json.loads(result.stdout)["checks"]
    assert holds(WORDS[check["status"]], read(CASES[name] / "case.json")["expect"]), check["message"]


def policy_of(task: Task, name: str) -> dict[str, Any]:
    """A policy with the task's check alone."""
    return {"kind": "assay.policy/v1", "name": name, "checks": [{"id": task.check, "params": task.params}]}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """One service for all cases, on SQLite: what is tested is the way through it, and not the database."""
    home = tmp_path_factory.mktemp("service")
    url = f"sqlite:///{home / 'assay.db'}"
    upgrade(url)
    with running(home / "home", url) as started:
        yield started


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_case_has_its_answer_through_the_service(name: str, service: Service, tmp_path: Path) -> None:
    task = task_of(name, tmp_path)
    (source,) = task.files.values()
    uri = upload(service, source.read_bytes())
    subject = {**task.manifest["subject"], "version": name}
    manifest = {**task.manifest, "subject": subject, "predictions": {"uri": uri, "format": "csv"}}
    kept = service.post_json("/v1/evidence", manifest)
    assert kept.status_code == 201, kept.text
    publish(service, policy_of(task, name))
    body = {
        "subject": subject,
        "environment": "prod",
        "policy": name,
        "evidence": [{"digest": kept.json()["digest"]}],
    }
    headers = {"Idempotency-Key": name, "Prefer": "wait=25"}
    answer = service.post_json("/v1/gate/evaluations", body, **headers)
    assert answer.status_code == 200, answer.text
    (check,) = answer.json()["checks"]
    assert holds(WORDS[check["status"]], read(CASES[name] / "case.json")["expect"]), check


def test_the_cases_are_there_and_hold_rows() -> None:
    if not CASES:
        pytest.skip("the cases are not beside the checkout")
    for folder in CASES.values():
        rows = list(csv.reader(io.StringIO((folder / "data.csv").read_text(encoding="utf-8"))))
        assert len(rows) > 1
