"""``assay lineage columns, tagged, search`` as a program, against a service."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner

from governance.cli import app
from governance.client import Client
from tests.lineage.material import bodies
from tests.lineage.test_columns import CHAIN, LAKE, tagged
from tests.support.producers import serving
from tests.support.service import key_for, settings_for


@pytest.fixture(scope="module")
def service(url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """The options that lead to a service with two jobs and a tag."""
    from api.app import create_app

    key = key_for(url, "ci")
    with serving(create_app(settings_for(tmp_path_factory.mktemp("home"), url))) as address:
        with Client(address, key) as client:
            assert client.send_events(bodies(*CHAIN, tagged("a", 0, x="pii")))["status"] == "success"
        yield ["--url", address, "--key", key]


def say(service: list[str], *words: str) -> str:
    result = CliRunner().invoke(app, ["lineage", *words, *service])
    assert result.exit_code == 0, result.output
    return result.output


def read(service: list[str], *words: str) -> Any:
    return json.loads(say(service, *words, "--json"))


def test_columns_are_shown_with_how_they_change_and_what_they_carry(service: list[str]) -> None:
    shown = say(service, "columns", "c", "--namespace", LAKE, "--field", "x")
    for word in ("a.x", "b.x", "c.x", "IDENTITY", "job1", "pii"):
        assert word in shown
    found = read(service, "columns", "b", "--namespace", LAKE, "--field", "y", "--include-indirect")
    assert len(found["edges"]) == 2


def test_fields_that_carry_a_tag_are_listed_with_the_way(service: list[str]) -> None:
    assert "a.x > b.x" in say(service, "tagged", "--tag", "pii")
    assert [row["tag"] for row in read(service, "tagged")["tags"]] == ["pii"]
    assert "pii" in say(service, "tagged")


def test_nodes_are_found_by_words(service: list[str]) -> None:
    assert "job1" in say(service, "search", "job", "--kind", "job")
    found = read(service, "search", "pii")
    assert [row["name"] for row in found["results"]] == ["a"]
    page = read(service, "search", "lake", "--limit", "1", "--sort", "name")
    following = read(service, "search", "lake", "--limit", "1", "--sort", "name", "--cursor", page["next_cursor"])
    assert [row["name"] for row in (*page["results"], *following["results"])] == ["a", "b"]


def test_what_is_hidden_is_shown_as_that(service: list[str], url: str) -> None:
    key = key_for(url, "ci", scopes=[f"{LAKE}/b", f"{LAKE}/c"], name="narrow")
    narrow = [*service[:3], key]
    for words in (("columns", "b", "--namespace", LAKE), ("tagged", "--tag", "pii")):
        shown = say(narrow, *words)
        assert "(hidden)" in shown, words
        assert "a.x" not in shown, words
        assert "job1" not in shown, words
    assert "(hidden)" not in say(service, "columns", "b", "--namespace", LAKE)
