"""``assay schema`` and the schema cases through ``assay check``: what is printed and what commands exit with."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shutil import copy
from threading import Thread
from typing import Any

import pytest
import uvicorn
import yaml
from typer.testing import CliRunner, Result

from api.app import create_app
from governance.cli import app
from governance.errors import InputRefused, UsageError
from tests.policies.schema.test_infer import TABLE
from tests.support.evidence import write
from tests.support.neutral import VERDICTS, case_documents, read
from tests.support.service import key_for, settings_for

CASES = {name: folder for name, folder in case_documents().items() if name.startswith("schema-")}
DOCUMENT: dict[str, Any] = {"columns": {"a": {"dtype": "int64", "checks": {"ge": 2}}}}


def run(*arguments: Any, **variables: str) -> Result:
    """The command."""
    return CliRunner().invoke(app, [str(one) for one in arguments], standalone_mode=False, env=variables)


def dumped(path: Path, document: dict[str, Any]) -> Path:
    """The path of a YAML file with the document."""
    path.write_text(yaml.safe_dump(document), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[dict[str, str]]:
    """The variables with which commands reach a service that listens on a port."""
    home = tmp_path_factory.mktemp("service")
    copy(sqlite_template, home / "assay.db")
    url = f"sqlite:///{home / 'assay.db'}"
    settings = settings_for(home, url)
    with _listening(uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_config=None))) as address:
        yield {"ASSAY_URL": address, "ASSAY_KEY": key_for(url, "ci", "policy_publisher")}


@contextmanager
def _listening(server: uvicorn.Server) -> Iterator[str]:
    thread = Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.05)
        assert thread.is_alive(), "the service did not start"
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    thread.join(30)


def test_an_inferred_schema_is_printed_or_written_and_its_file_passes(tmp_path: Path) -> None:
    data = write(tmp_path / "a.parquet", TABLE)
    printed = run("schema", "infer", data)
    assert yaml.safe_load(printed.stdout)["columns"]["age"] == {"dtype": "int64", "checks": {"in_range": [18, 70]}}
    assert run("schema", "infer", data, "--output", tmp_path / "schema.yaml").return_value == 0
    checked = run("schema", "check", data, "--schema", tmp_path / "schema.yaml")
    assert (checked.return_value, "passed" in checked.stdout) == (0, True)


def test_a_file_that_breaks_its_schema_exits_with_1_and_names_the_rule(tmp_path: Path) -> None:
    data = write(tmp_path / "a.csv", {"a": [1, 2]})
    schema = dumped(tmp_path / "schema.yaml", {**DOCUMENT, "row_rules": ["a > 1"], "unique": ["a"]})
    result = run("schema", "check", data, "--schema", schema)
    assert result.return_value == 1
    assert "a: ge (2) is broken in 1 of 2 rows" in result.stdout
    told = json.loads(run("schema", "check", data, "--schema", schema, "--json").stdout)
    assert told["details"]["failing_values"] == ["1"]


def test_what_cannot_be_decided_exits_with_2(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("a\n", encoding="utf-8")
    assert (
        run("schema", "check", tmp_path / "a.csv", "--schema", dumped(tmp_path / "s.yaml", DOCUMENT)).return_value == 2
    )


def test_differences_are_printed_with_their_effect(tmp_path: Path) -> None:
    old = dumped(tmp_path / "old.yaml", DOCUMENT)
    new = dumped(tmp_path / "new.yaml", {"columns": {"a": {"dtype": "int64"}}})
    assert run("schema", "diff", old, old).return_value == 0
    assert "loosens" in run("schema", "diff", old, new).stdout
    told = run("schema", "diff", old, new, "--json")
    expected = {"place": "a.ge", "before": "2", "after": None, "effect": "loosens"}
    assert (told.return_value, json.loads(told.stdout)["changes"]) == (1, [expected])


def test_a_version_is_registered_shown_compared_and_checked_against(tmp_path: Path, service: dict[str, str]) -> None:
    schema = dumped(tmp_path / "schema.yaml", DOCUMENT)
    registered = run("schema", "register", "cli", schema, "--json", **service)
    assert (json.loads(registered.stdout)["name"], json.loads(registered.stdout)["version"]) == ("cli", 1)
    assert yaml.safe_load(run("schema", "show", "cli@1", **service).stdout)["columns"] == DOCUMENT["columns"]
    assert "greater_than_or_equal_to: 2" in run("schema", "show", "cli@1", "--pandera", **service).stdout
    dumped(schema, {"columns": {"a": {"dtype": "int64"}}})
    assert "cli@2" in run("schema", "register", "cli", schema, **service).stdout
    assert run("schema", "diff", "cli@1", "cli@2", **service).return_value == 1
    data = write(tmp_path / "a.parquet", {"a": [1]})
    assert run("schema", "check", data, "--schema", "cli@1", **service).return_value == 1
    assert run("schema", "check", data, "--schema", "cli@2", **service).return_value == 0


def test_code_is_registered_where_no_rule_is_lost(tmp_path: Path, service: dict[str, str]) -> None:
    code = tmp_path / "schemas.py"
    code.write_text(
        "import pandera.polars as pa\n"
        "kept = pa.DataFrameSchema({'a': pa.Column(int, pa.Check.ge(1))})\n"
        "lossy = pa.DataFrameSchema({'a': pa.Column(int, pa.Check(lambda data: data.lazyframe))})\n"
    )
    assert "code@1" in run("schema", "register", "code", f"{code}:kept", **service).stdout
    refused = run("schema", "register", "code", f"{code}:lossy", **service).exception
    assert isinstance(refused, InputRefused)
    assert "a: the check" in refused.found


def test_a_schema_that_is_nowhere_is_a_fault_of_usage(tmp_path: Path) -> None:
    assert isinstance(run("schema", "show", tmp_path / "absent.yaml").exception, UsageError)


def checked(folder: Path, document: dict[str, Any], data: Path, reference: str | None = None, **variables: str) -> Any:
    """What ``assay check`` says of one file under a policy with this document, or with a reference."""
    format_name = data.suffix.removeprefix(".")
    manifest = {
        "kind": "assay.evidence/v1",
        "subject": {"namespace": "n", "name": "m", "version": "1", "digest": f"sha256:{'0' * 64}"},
        "dataset": {"namespace": "n", "name": "d", "file": {"uri": f"file:{data.name}", "format": format_name}},
    }
    copy(data, folder / data.name)
    params = {"schema": reference} if reference else {"document": document}
    policy = {"kind": "assay.policy/v1", "name": "shape", "checks": [{"id": "schema", "params": params}]}
    about, wanted = dumped(folder / "manifest.yaml", manifest), dumped(folder / "policy.yaml", policy)
    result = run("check", about, "--policy", wanted, "--json", **variables)
    return result.return_value, json.loads(result.stdout)


@pytest.mark.parametrize("folder", CASES.values(), ids=CASES)
def test_a_case_has_its_verdict_whole_and_streamed(tmp_path: Path, folder: Path) -> None:
    case = read(folder / "case.json")
    data = folder / case["input_files"][0]
    answers = []
    for pieces in ({}, {"chunk_rows": 2}):
        code, told = checked(tmp_path, {**case["policy"]["schema"], **pieces}, data)
        result = told["checks"][0]
        assert (code, told["verdict"]) == (1, "deny")
        assert VERDICTS[result["status"]] in [case["expect"].get("verdict"), *case["expect"].get("verdict_in", [])]
        expected = case["expect"].get("failure_counts", result["details"]["failure_counts"])
        assert result["details"]["failure_counts"] == expected
        answers.append(result)
    assert answers[0] == answers[1]


def test_a_policy_that_names_a_registered_schema_is_checked_beside_the_data(
    tmp_path: Path, service: dict[str, str]
) -> None:
    run("schema", "register", "beside", dumped(tmp_path / "schema.yaml", DOCUMENT), **service)
    data = write(tmp_path / "rows.csv", {"a": [1, 2]})
    (tmp_path / "work").mkdir()
    code, told = checked(tmp_path / "work", {}, data, "beside@1", **service)
    assert (code, told["checks"][0]["details"]["failing_values"]) == (1, ["1"])
