"""The grammar of row rules, and what a policy may not write into a document."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import InputRefused
from policies.schema.rules import RowRule, parse_rule
from tests.policies.schema.build import params


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("low <= high", ("low", "<=", "high", True)),
        ("age >= 18", ("age", ">=", 18, False)),
        ("rate<0.5", ("rate", "<", 0.5, False)),
        ("change > -3", ("change", ">", -3, False)),
        ("`Net pay` < gross", ("Net pay", "<", "gross", True)),
        ("state != 'closed'", ("state", "!=", "closed", False)),
    ],
)
def test_a_rule_is_a_comparison_of_a_column_with_a_column_or_a_literal(text: str, rule: Any) -> None:
    assert parse_rule(text) == RowRule(text, rule[0], rule[1], rule[2], right_is_column=rule[3])


@pytest.mark.parametrize(
    "text",
    ["", "low", "low <= high + 1", "__import__('os') == 1", "1 < age", "a <= b <= c", "a = b", "a <= b; c", "a.b < 2"],
)
def test_a_rule_of_any_other_form_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"no comparison|must begin with a column"):
        parse_rule(text)


@given(st.text(max_size=60))
def test_no_text_breaks_the_parser(text: str) -> None:
    try:
        assert parse_rule(text).columns
    except ValueError:
        return


@pytest.mark.parametrize(
    ("document", "says"),
    [
        ({"columns": {"a": {"dtype": "int64", "checks": {"str_matches": "x"}}}}, "needs a column of text"),
        ({"columns": {"a": {"dtype": "str", "checks": {"str_matches": "("}}}}, "no regular expression"),
        ({"columns": {"a": {"dtype": "int64", "checks": {"ge": "2"}}}}, "not comparable"),
        ({"columns": {"a": {"dtype": "int64", "checks": {"ge": True}}}}, "not comparable"),
        ({"columns": {"a": {"dtype": "date", "checks": {"ge": "soon"}}}}, "Invalid isoformat"),
        ({"columns": {"a": {"dtype": "int64", "checks": {"in_range": [20, 5]}}}}, "wrong way round"),
        ({"columns": {"a": {"dtype": "int64", "checks": {"isin": []}}}}, "takes a list"),
        ({"columns": {"a": {"dtype": "int64", "checks": {"lambda": 1}}}}, "none of the checks"),
        ({"columns": {"a": {"dtype": "complex"}}}, "Input should be"),
        ({"columns": {"a": {}}, "strict": "filter"}, "valid boolean"),
        ({"columns": {"a": {}}, "surprise": 1}, "not permitted"),
        ({"columns": {}}, "at least 1"),
        ({"columns": {"a": {"dtype": "int64"}}, "row_rules": ["a <= b"]}, "does not declare"),
        ({"columns": {"a": {"dtype": "int64"}, "b": {"dtype": "str"}}, "row_rules": ["a <= b"]}, "compares"),
        ({"columns": {"a": {"dtype": "int64"}}, "row_rules": ["a <= 'x'"]}, "not comparable"),
        ({"columns": {"a": {}}, "unique": ["a", "b"]}, "does not declare"),
    ],
)
def test_a_document_that_cannot_hold_is_refused_when_the_policy_is_stored(document: Any, says: str) -> None:
    with pytest.raises(InputRefused, match=says):
        params(document)


def test_the_usual_spellings_of_types_are_taken() -> None:
    columns = {"a": {"dtype": "int"}, "b": {"dtype": "String"}, "c": {"dtype": "boolean"}}
    document = params({"columns": columns}).resolved()
    assert [rules.dtype for rules in document.columns.values()] == ["int64", "str", "bool"]


def test_a_document_keeps_its_digest_through_its_json_form() -> None:
    first = params({"columns": {"a": {"dtype": "int64", "checks": {"in_range": [1, 2]}}}, "unique": ["a"]})
    again = type(first).model_validate(first.document())
    assert again.value_digest() == first.value_digest()
