"""Published tables are reproduced through `assay check` and the service, and on columns that have types."""

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import yaml
from typer.testing import CliRunner

from governance.cli import app
from governance.migration import upgrade
from governance.types.results import CheckResult
from tests.policies.test_references import REFERENCES, wrong_lines
from tests.support.neutral import Task, artifact_uri, ask, read
from tests.support.neutral_lines import Lines
from tests.support.service import Service, running
from tests.support.story import publish, upload

Way = Callable[[Task], CheckResult | None]


def policy_of(task: Task, name: str) -> dict[str, Any]:
    """A policy with the task's check alone; intervals from replicates are no part of the tables."""
    params = task.params | ({"bootstrap_replicates": 0} if task.check == "fairness" else {})
    return {"kind": "assay.policy/v1", "name": name, "checks": [{"id": task.check, "params": params}]}


def placed(task: Task, uris: dict[str, str]) -> dict[str, Any]:
    """The task's manifest with its files under other locations."""
    text = json.dumps(task.manifest)
    for old, new in uris.items():
        text = text.replace(json.dumps(old), json.dumps(new))
    document: dict[str, Any] = json.loads(text)
    return document


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """One service for all tables, on SQLite: what is tested is the way through it, and not the database."""
    home = tmp_path_factory.mktemp("service")
    url = f"sqlite:///{home / 'assay.db'}"
    upgrade(url)
    with running(home / "home", url) as started:
        yield started


def through_check(folder: Path) -> Way:
    """By the command line, on files beside the manifest."""
    numbers = count()

    def asking(task: Task) -> CheckResult:
        own = folder / f"task-{next(numbers)}"
        own.mkdir()
        for path in task.files.values():
            shutil.copy(path, own / path.name)
        manifest = placed(task, {uri: f"file:{path.name}" for uri, path in task.files.items()})
        (own / "manifest.yaml").write_text(yaml.safe_dump(manifest), encoding="utf-8")
        (own / "policy.yaml").write_text(yaml.safe_dump(policy_of(task, "table")), encoding="utf-8")
        words = ["check", str(own / "manifest.yaml"), "--policy", str(own / "policy.yaml"), "--json"]
        said = CliRunner().invoke(app, words, standalone_mode=False)
        assert said.exception is None, said.exception
        (check,) = json.loads(said.stdout)["checks"]
        del check["id"]
        return CheckResult.model_validate(check)

    return asking


def through_service(service: Service, name: str) -> Way:
    """By uploading the files and asking the gate."""
    numbers = count()

    def asking(task: Task) -> CheckResult:
        own = f"{name}-{next(numbers)}".replace("_", "-")
        uris = {uri: upload(service, path.read_bytes()) for uri, path in task.files.items()}
        manifest = placed(task, uris)
        manifest["subject"]["version"] = own
        kept = service.post_json("/v1/evidence", manifest)
        assert kept.status_code == 201, kept.text
        publish(service, policy_of(task, own))
        body = {"subject": manifest["subject"], "environment": "prod", "policy": own}
        body["evidence"] = [{"digest": kept.json()["digest"]}]
        answer = service.post_json("/v1/gate/evaluations", body, **{"Idempotency-Key": own, "Prefer": "wait=60"})
        assert answer.status_code == 200, answer.text
        decision = service.http.get(answer.json()["links"]["decision"])
        return CheckResult.model_validate(decision.json()["checks"][0]["result"])

    return asking


def typed(folder: Path) -> Way:
    """The same rows as Parquet, whose columns have types; counts are published as text."""
    numbers = count()

    def asking(task: Task) -> CheckResult | None:
        if "counts" in task.manifest:
            return ask(task).result
        (source,) = task.files.values()
        path = folder / f"typed-{next(numbers)}.parquet"
        is_typed = source.suffix == ".parquet"
        rows = pl.read_parquet(source) if is_typed else pl.read_csv(source, infer_schema_length=None)
        rows.write_parquet(path)
        predictions = {"uri": artifact_uri(path), "format": "parquet"}
        manifest = {**task.manifest, "predictions": predictions}
        params = policy_of(task, "table")["checks"][0]["params"]
        said = ask(replace(task, manifest=manifest, params=params, files={artifact_uri(path): path}))
        assert said.result is not None, said.fault
        return said.result

    return asking


@pytest.mark.parametrize("way", ["check", "service", "typed"])
@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_a_published_table_is_reproduced_in_every_way(
    name: str, way: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    document = read(REFERENCES[name])
    work = tmp_path / "work"
    work.mkdir()
    ways: dict[str, Callable[[], Way]] = {
        "check": lambda: through_check(tmp_path),
        "service": lambda: through_service(request.getfixturevalue("service"), name),
        "typed": lambda: typed(tmp_path),
    }
    assert wrong_lines(document, Lines(document, work, ways[way]())) == []
