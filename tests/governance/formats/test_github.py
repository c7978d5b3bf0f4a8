"""Annotations and outputs, read as the runner reads them.

The reader below follows actions/runner ``ActionCommand.cs`` (``TryParseV2``) and ``FileCommandManager.cs``
(``EnvFileKeyValuePairs``): lines end at CR and LF, a command begins with ``::`` after white space, properties are
separated by commas, and escapes are undone last.
"""

import io
from typing import Any, NamedTuple

from hypothesis import given, settings
from hypothesis import strategies as st

from governance.formats.github import MOST_ANNOTATIONS, annotations, command, outputs
from tests.governance.formats.material import EVERY_STATUS, HOSTILE, answer, check, hostile_answers


class Command(NamedTuple):
    name: str
    properties: dict[str, str]
    message: str


def unescaped(text: str, *more: tuple[str, str]) -> str:
    for sign, code in (*more, ("\r", "%0D"), ("\n", "%0A"), ("%", "%25")):
        text = text.replace(code, sign)
    return text


def runner_reads(output: str) -> list[Command]:
    """Every command that a runner finds in a step's output."""
    found = []
    for line in io.StringIO(output, newline=None):
        text = line.strip("\n").lstrip()
        if "##[" in text and not text.startswith("::"):
            found.append(Command("v1", {}, text))
        if not text.startswith("::") or (end := text.find("::", 2)) < 0:
            continue
        name, _, rest = text[2:end].partition(" ")
        pairs = [part.split("=", 1) for part in rest.split(",") if part.strip() and "=" in part]
        properties = {key.strip(): unescaped(value, (":", "%3A"), (",", "%2C")) for key, value in pairs}
        found.append(Command(name, properties, unescaped(text[end + 2 :])))
    return found


def runner_sets(file: str) -> dict[str, str]:
    """The outputs that a runner takes from the file of a step."""
    lines, values = file.split("\n"), {}
    while lines:
        line = lines.pop(0)
        if not line:
            continue
        equals, heredoc = line.find("="), line.find("<<")
        if equals >= 0 and (heredoc < 0 or equals < heredoc):
            name, _, value = line.partition("=")
            values[name] = value
            continue
        assert heredoc >= 0, f"the runner refuses the file at {line!r}"
        name, _, delimiter = line.partition("<<")
        taken = []
        while (line := lines.pop(0)) != delimiter:
            taken.append(line)
        values[name] = "\n".join(taken)
    return values


def test_what_blocks_is_an_error_and_what_warns_a_warning() -> None:
    read = runner_reads("\n".join(annotations([EVERY_STATUS])))
    kinds = [each.name for each in read]
    assert (kinds.count("error"), kinds.count("warning"), len(kinds)) == (7, 1, 8)
    assert read[0].properties["title"] == "Assay: credit-line@7 to prod: verdict"


def test_an_allow_says_nothing() -> None:
    assert annotations([answer()]) == []


def test_beyond_ten_the_rest_is_counted_where_it_is_shown() -> None:
    many = answer("deny", *(check(f"c{number}", "failed") for number in range(14)))
    read = runner_reads("\n".join(annotations([many])))
    assert [each.name for each in read] == ["error"] * MOST_ANNOTATIONS + ["notice"]
    assert read[-1].message.startswith("5 more errors")


@settings(max_examples=150, deadline=None)
@given(hostile=hostile_answers())
def test_no_name_becomes_a_command_of_its_own(hostile: dict[str, Any]) -> None:
    lines = annotations([hostile])
    read = runner_reads("\n".join(lines))
    assert len(read) == len(lines)
    assert {each.name for each in read} <= {"error", "warning", "notice"}
    assert all(set(each.properties) <= {"title"} for each in read)


@given(message=st.text(st.characters(codec="utf-8")), title=st.text(st.characters(codec="utf-8")))
def test_texts_come_back_whole(message: str, title: str) -> None:
    (read,) = runner_reads(command("error", message, title=title))
    assert (read.message, read.properties.get("title", "")) == (message, title)


@given(values=st.dictionaries(st.sampled_from(["verdict", "decision_id", "reason"]), HOSTILE))
def test_no_value_sets_an_output_beside_its_own(values: dict[str, str]) -> None:
    read = runner_sets(outputs(values, delimiter="d-4f0c2e1"))
    assert set(read) == set(values)
    assert all(read[name] == value for name, value in values.items() if value.isprintable())
