"""Markdown as markdown-it reads it: one table, as many cells as there are, and nothing that a name brought in."""

from typing import Any

from hypothesis import given, settings
from markdown_it import MarkdownIt
from markdown_it.token import Token

from governance.formats.markdown import MOST_BYTES, escaped, markdown
from tests.governance.formats.material import EVERY_STATUS, HOSTILE, answer, check, hostile_answers

FOREIGN = {"link_open", "image", "html_block", "code_inline", "em_open", "s_open", "fence", "code_block"}
"""Kinds of tokens that our own text never makes."""


def tokens(text: str) -> list[Token]:
    """Every token of the text, those inside lines too, as GitHub and GitLab would read them."""
    reader = MarkdownIt("commonmark", {"html": True, "linkify": False}).enable(["table", "strikethrough"])
    outer = reader.parse(text)
    return [inner for token in outer for inner in (token, *(token.children or ()))]


def count(found: list[Token], kind: str) -> int:
    return sum(token.type == kind for token in found)


def test_an_answer_is_a_heading_a_table_and_what_to_do() -> None:
    found = tokens(markdown([EVERY_STATUS]))
    assert (count(found, "heading_open"), count(found, "table_open")) == (1, 1)
    assert count(found, "tr_open") == 1 + 9
    text = " ".join(token.content for token in found if token.type == "text")
    for words in ("deny for credit-line@", "Retrain it.", "Nobody approved it.", "w-17", "0.91"):
        assert words in text


def test_several_answers_follow_each_other() -> None:
    found = tokens(markdown([answer(), EVERY_STATUS]))
    assert (count(found, "heading_open"), count(found, "table_open")) == (2, 2)


def test_a_dry_run_says_that_it_has_no_effect() -> None:
    assert "without effect" in markdown([answer(mode="dry_run")])


def test_what_is_too_long_for_a_summary_is_cut_at_a_line() -> None:
    text = markdown([answer("deny", *(check(f"c{number}", "failed", message="x" * 599) for number in range(2_000)))])
    assert len(text.encode()) < MOST_BYTES + 100
    assert text.endswith("The rest is left out: ask the gate for the decision.\n")


def test_nobody_is_mentioned_and_no_issue_is_referred_to() -> None:
    text = markdown([answer("deny", check("@security-team", "failed", message="see #17 and @ada"))])
    for reference in ("@security", "#17", "@ada"):
        assert reference not in text


@settings(max_examples=150, deadline=None)
@given(hostile=hostile_answers())
def test_nothing_in_a_name_becomes_markup(hostile: dict[str, Any]) -> None:
    found = tokens(markdown([hostile]))
    assert not {token.type for token in found} & FOREIGN
    assert count(found, "heading_open") == 1
    html_parts = {token.content for token in found if token.type == "html_inline"}
    assert html_parts <= {"<sub>", "</sub>"}
    if hostile["checks"]:
        assert count(found, "table_open") == 1
        assert count(found, "td_open") == 7 * len(hostile["checks"])


@settings(max_examples=300, deadline=None)
@given(text=HOSTILE)
def test_an_escaped_text_shows_as_it_is(text: str) -> None:
    shown = "".join(token.content for token in tokens("x" + escaped(text)) if token.type in ("text", "text_special"))
    expected = "x" + " ".join(
        "".join(c if c.isprintable() else " " for c in text.encode("utf-8", "replace").decode()).split()
    )
    assert shown.replace("\u200b", "") == expected.replace("\u200b", "")
