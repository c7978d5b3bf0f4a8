"""The questions of ``assay lineage`` as a program, against a service."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from governance.cli import app
from governance.client import Client
from tests.lineage.material import at, bodies, dataset, facet, run_event, run_id, versioned
from tests.support.producers import serving
from tests.support.service import key_for, settings_for


@pytest.fixture(scope="module")
def service(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The options that lead to a service with two trainings and a deployment."""
    from api.app import create_app

    deployment = {"assay_deployment": facet(environment="prod", revision="1", decisionId="d-1")}
    tagged = dataset("raw", tags={"tags": [{"key": "pii", "value": "true", "source": "USER"}]})
    events = [
        run_event("COMPLETE", 1, run=run_id(1), job="train", inputs=[tagged], outputs=[versioned("model", "1")]),
        run_event("COMPLETE", 2, run=run_id(2), job="train", inputs=["raw", "more"], outputs=["other"]),
        run_event("START", 3, run=run_id(3), job="serve", run_facets=deployment, inputs=["model"]),
    ]
    key = key_for(url, "ci")
    # Nothing works beside the commands: what a task logs in this process would stand among what they print.
    with serving(create_app(settings_for(tmp_path_factory.mktemp("home"), url, work={"engine": "none"}))) as address:
        with Client(address, key) as client:
            assert client.send_events(bodies(*events))["status"] == "success"
        yield ["--url", address, "--key", key]


@pytest.fixture(scope="module")
def narrow(service: list[str], url: str) -> list[str]:
    """The options of a key that sees the data of the same service, and none of its jobs."""
    key = key_for(url, "ci", scopes=["s3://lake/raw", "s3://lake/model"], name="narrow")
    return [*service[:3], key]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["lineage", *arguments], catch_exceptions=False, standalone_mode=False)


def answer(*arguments: str) -> Any:
    return json.loads(run(*arguments, "--json").stdout)


LAKE = ("--namespace", "s3://lake")


def test_impact_is_listed_and_written_as_csv(service: list[str], tmp_path: Path) -> None:
    found = answer("impact", "raw", *LAKE, "--kind", "dataset", *service)
    assert [node["name"] for node in found["nodes"]] == ["raw", "model", "other"]
    assert [node["name"] for node in answer("impact", "raw", *LAKE, "--tag", "pii", *service)["nodes"]] == ["raw"]
    file = tmp_path / "impact.csv"
    assert run("impact", "raw", *LAKE, "--csv", str(file), *service).stdout == f"written: {file}\n"
    assert file.read_text("utf-8").splitlines()[0].startswith("distance,kind,type,namespace,name,owners,tags")
    assert "serve" in run("impact", "raw", *LAKE, *service).stdout


def test_paths_differences_and_runs_are_shown(service: list[str]) -> None:
    to = ("--to-name", "serve", "--to-namespace", "batch")
    assert len(answer("paths", "raw", *LAKE, *to, *service)["paths"]) == 1
    assert "raw > train > model > serve" in run("paths", "raw", *LAKE, *to, *service).stdout
    changed = run("diff", "train", "--namespace", "batch", "--as-of", "2026-03-01T12:01:30Z", *service).stdout
    assert "+ node" in changed
    assert "dataset s3://lake more" in changed
    of_run = run("runs", run_id(1), *service).stdout
    assert f"run {run_id(3)} of serve (RUNNING)" in of_run


def test_what_serves_its_evidence_and_findings_are_shown(service: list[str]) -> None:
    shown = run("serving", "--environment", "prod", *service).stdout
    assert "d-1" in shown
    assert "s3://lake raw" in shown
    assert run("evidence", "model", *LAKE, *service).stdout.startswith("level: linked")
    assert [item["code"] for item in answer("findings", "--code", "run.start_missing", *service)["findings"]] == [
        "run.start_missing",
        "run.start_missing",
    ]
    page = run("findings", "--limit", "1", "--code", "run.start_missing", *service)
    assert "--cursor" in page.stderr


def test_a_cut_answer_says_so(service: list[str]) -> None:
    cut = run("paths", "raw", *LAKE, "--to-name", "serve", "--to-namespace", "batch", "--depth", "1", *service)
    assert "cut" in cut.stderr


def test_what_is_hidden_is_shown_as_that(service: list[str], narrow: list[str]) -> None:
    of_raw = ("raw", *LAKE)
    for words in (
        ("impact", *of_raw),
        ("graph", *of_raw),
        ("paths", *of_raw, "--to-name", "model", "--to-namespace", "s3://lake"),
        ("diff", *of_raw, "--as-of", at(0), "--direction", "downstream"),
        ("evidence", "model", *LAKE),
    ):
        shown, whole = (run(*words, *options).stdout for options in (narrow, service))
        assert "hidden" in shown, words
        assert "train" not in shown, words
        assert "hidden" not in whole, words
    assert (
        run("diff", *of_raw, "--as-of", at(0), "--direction", "downstream", *narrow).stdout.count("more are hidden")
        == 1
    )
