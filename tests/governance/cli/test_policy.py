"""``assay policy``: what is printed, and what commands exit with."""

import json
from collections.abc import Iterator
from pathlib import Path
from shutil import copy
from typing import Any

import pytest
import uvicorn
import yaml

from api.app import create_app
from governance.errors import InputRefused, NotFound, NotPermitted, UsageError
from tests.governance.cli.test_schema import _listening, dumped, run
from tests.support.service import key_for, settings_for
from tests.support.story import policy


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[dict[str, str]]:
    """Address and key of a publisher, and the key of an author, of a service that listens on a port."""
    home = tmp_path_factory.mktemp("service")
    copy(sqlite_template, home / "assay.db")
    url = f"sqlite:///{home / 'assay.db'}"
    settings = settings_for(home, url)
    with _listening(uvicorn.Server(uvicorn.Config(create_app(settings), port=0, log_config=None))) as address:
        author = key_for(url, "policy_author", name="Ada")
        yield {"ASSAY_URL": address, "ASSAY_KEY": key_for(url, "ci", "policy_publisher"), "AUTHOR": author}


def strict(**changes: Any) -> dict[str, Any]:
    params = {"metrics": [{"name": "selection_rate_ratio", "limit": "0.9"}]}
    return policy(checks=[{"id": "fairness", "params": params}], **changes)


def test_lint_names_file_line_and_code_and_exits_with_1_on_errors(tmp_path: Path) -> None:
    sound = dumped(tmp_path / "sound.yaml", policy())
    assert run("policy", "lint", sound).return_value == 0
    broken = tmp_path / "broken.yaml"
    broken.write_text("kind: assay.policy/v1\nname: fair\nchecks:\n  - id: fairnes\n")
    result = run("policy", "lint", sound, broken)
    assert result.return_value == 1
    assert f"{broken}:4: error: /checks/0/id: " in result.stdout
    assert "[policy.unknown_check]" in result.stdout


def test_warnings_count_where_that_was_asked(tmp_path: Path) -> None:
    warned = dumped(tmp_path / "warned.yaml", policy(applies={"jurisdictions": ["US"]}))
    assert run("policy", "lint", warned).return_value == 0
    assert run("policy", "lint", warned, "--strict").return_value == 1
    told = json.loads(run("policy", "lint", warned, "--json").stdout)["findings"]
    assert [(one["file"], one["level"], one["code"]) for one in told] == [
        (str(warned), "warning", "policy.undated_law")
    ]


def test_a_file_that_is_not_there_is_a_matter_of_usage(tmp_path: Path) -> None:
    for command in (("lint", tmp_path / "absent.yaml"), ("store", tmp_path / "absent.yaml")):
        assert isinstance(run("policy", *command).exception, UsageError)


def test_diff_says_what_tightens_and_exits_like_diff(tmp_path: Path) -> None:
    old, new = dumped(tmp_path / "old.yaml", policy()), dumped(tmp_path / "new.yaml", strict())
    result = run("policy", "diff", old, new)
    assert result.return_value == 1
    row = next(line for line in result.stdout.splitlines() if "fairness.selection_rate_ratio" in line)
    assert [cell.strip() for cell in row.split("│")[2:5]] == ["0.8", "0.9", "tightens"]
    same = run("policy", "diff", old, dumped(tmp_path / "same.yaml", policy()), "--json")
    assert same.return_value == 0
    assert json.loads(same.stdout)["changes"] == []


def test_packs_are_compared_by_name(tmp_path: Path) -> None:
    assert run("policy", "diff", "baseline", "baseline").return_value == 0
    told = json.loads(run("policy", "diff", "baseline", "eu-gdpr", "--json").stdout)
    assert {"place": "fairness", "before": "required", "after": None, "effect": "loosens"} in told["changes"]
    assert isinstance(run("policy", "diff", "baseline", "../baseline").exception, NotFound)


def test_one_stores_and_another_publishes(service: dict[str, str], tmp_path: Path) -> None:
    file = dumped(tmp_path / "policy.yaml", policy("told"))
    stored = run("policy", "store", file, **{**service, "ASSAY_KEY": service["AUTHOR"]})
    assert (stored.return_value, stored.exception) == (0, None)
    assert stored.stdout.startswith("told@1 sha256:")
    assert stored.stdout.endswith("by Ada\n")
    assert isinstance(run("policy", "store", file, **service).exception, NotPermitted)
    published = run("policy", "publish", "told@1", "--stage", "warn", "--note", "agreed", **service)
    assert published.stdout.endswith(": warn\n")
    listed = run("policy", "list", **service).stdout
    row = next(line for line in listed.splitlines() if "told" in line)
    assert [cell.strip() for cell in row.split("│")[1:5]] == ["told", "-", "1 (warn)", "1"]
    shown = run("policy", "show", "told@1", **service).stdout
    assert yaml.safe_load(shown)["name"] == "told"
    assert "told@1 sha256:" in shown
    versions = json.loads(run("policy", "show", "told", "--json", **service).stdout)["versions"]
    assert [(one["version"], one["stage"], one["author_name"]) for one in versions] == [(1, "warn", "Ada")]
    assert "│ warn" in run("policy", "show", "told", **service).stdout
    assert run("policy", "diff", "told@1", file, **service).return_value == 0


def test_a_pack_is_published_by_name(service: dict[str, str]) -> None:
    made = json.loads(run("policy", "publish", "--pack", "eu-gdpr", "--json", **service).stdout)
    assert (made["policy"]["name"], made["stage"]) == ("eu-gdpr", "enforce")


@pytest.mark.parametrize("arguments", [[], ["told@1", "--pack", "eu-gdpr"], ["told"], ["told@x"], ["@1"]])
def test_what_is_to_be_published_is_named_in_one_way(service: dict[str, str], arguments: list[str]) -> None:
    assert isinstance(run("policy", "publish", *arguments, **service).exception, UsageError)


def test_a_step_back_is_refused_in_the_services_words(service: dict[str, str]) -> None:
    refused = run("policy", "publish", "baseline@1", "--stage", "warn", **service)
    assert isinstance(refused.exception, InputRefused)
    assert "a stage after enforce" in str(refused.exception)


@pytest.mark.parametrize(
    ("text", "fault"), [("- a\n", UsageError), ("name: [\n", UsageError), ("{name: fair, name: fair}", InputRefused)]
)
def test_a_text_that_is_no_policy_is_not_stored(
    service: dict[str, str], tmp_path: Path, text: str, fault: type[Exception]
) -> None:
    (tmp_path / "policy.yaml").write_text(text)
    refused = run("policy", "store", tmp_path / "policy.yaml", **{**service, "ASSAY_KEY": service["AUTHOR"]})
    assert isinstance(refused.exception, fault)
