"""What a new version of a schema asks of producers and consumers."""

from typing import Any

import pytest

from policies.schema.changes import changes
from policies.schema.params import SchemaDocument

COLUMN: dict[str, Any] = {"dtype": "int64", "checks": {}}


def document(column: dict[str, Any] | None = None, **whole: Any) -> SchemaDocument:
    """A document of one column, or of several in ``whole``."""
    columns = whole.pop("columns", {"a": {**COLUMN, **(column or {})}})
    return SchemaDocument.model_validate({"columns": columns, **whole})


@pytest.mark.parametrize(
    ("old", "new", "place", "effect"),
    [
        ({"dtype": "int32"}, {"dtype": "int64"}, "a.dtype", "both"),
        ({"dtype": "str"}, {"dtype": None}, "a.dtype", "loosens"),
        ({}, {"nullable": True}, "a.nullable", "loosens"),
        ({}, {"unique": True}, "a.unique", "tightens"),
        ({}, {"required": False}, "a.required", "loosens"),
        ({}, {"checks": {"ge": 1}}, "a.ge", "tightens"),
        ({"checks": {"ge": 1}}, {}, "a.ge", "loosens"),
        ({"checks": {"ge": 1}}, {"checks": {"ge": 2}}, "a.ge", "tightens"),
        ({"checks": {"lt": 1}}, {"checks": {"lt": 2}}, "a.lt", "loosens"),
        ({"checks": {"isin": [1, 2]}}, {"checks": {"isin": [1, 2, 3]}}, "a.isin", "loosens"),
        ({"checks": {"isin": [1, 2]}}, {"checks": {"isin": [1]}}, "a.isin", "tightens"),
        ({"checks": {"isin": [1, 2]}}, {"checks": {"isin": [1, 3]}}, "a.isin", "both"),
        ({"checks": {"notin": [1]}}, {"checks": {"notin": [1, 2]}}, "a.notin", "tightens"),
        ({"checks": {"in_range": [1, 5]}}, {"checks": {"in_range": [1, 4]}}, "a.in_range", "tightens"),
        ({"checks": {"in_range": [1, 5]}}, {"checks": {"in_range": [0, 6]}}, "a.in_range", "loosens"),
        ({"checks": {"in_range": [1, 5]}}, {"checks": {"in_range": [2, 6]}}, "a.in_range", "both"),
        ({"checks": {"eq": 1}}, {"checks": {"eq": 2}}, "a.eq", "both"),
        ({}, {"description": "words"}, "a.description", "none"),
        ({}, {"categories": ["user.name"]}, "a.categories", "none"),
    ],
)
def test_a_changed_rule_tightens_or_loosens(old: Any, new: Any, place: str, effect: str) -> None:
    found = changes(document(old), document(new))
    assert [(change.place, change.effect) for change in found] == [(place, effect)]


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ({"columns": {"a": {}}}, {"columns": {"a": {}, "b": {}}}, ("b", "tightens")),
        ({"columns": {"a": {}, "b": {}}}, {"columns": {"a": {}}}, ("b", "loosens")),
        ({"columns": {"a": {}, "b": {}}, "strict": True}, {"columns": {"a": {}}, "strict": True}, ("b", "both")),
        ({"strict": False}, {"strict": True}, ("strict", "tightens")),
        ({"min_rows": 5}, {"min_rows": 2}, ("min_rows", "loosens")),
        ({}, {"max_rows": 9}, ("max_rows", "tightens")),
        ({"max_rows": 5}, {"max_rows": 9}, ("max_rows", "loosens")),
        ({}, {"row_rules": ["a > 1"]}, ("row_rules", "tightens")),
        ({"unique": ["a"]}, {}, ("unique", "loosens")),
        (
            {"columns": {"a": {}, "b": {}}, "ordered": True},
            {"columns": {"b": {}, "a": {}}, "ordered": True},
            ("order of columns", "both"),
        ),
    ],
)
def test_a_changed_table_tightens_or_loosens(old: Any, new: Any, expected: tuple[str, str]) -> None:
    assert [(change.place, change.effect) for change in changes(document(**old), document(**new))] == [expected]


def test_equal_documents_differ_in_nothing() -> None:
    assert changes(document(), document()) == ()
