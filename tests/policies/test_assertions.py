"""Assertions for lineage are valid by the facet's own schema, and say no more and no less than the result."""

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from governance.types.results import CheckResult, CheckStatus
from policies.assertions import assertions_of
from tests.conftest import shared_path
from tests.policies.quality.build import facts_of
from tests.policies.quality.build import judged as judged_quality
from tests.policies.schema.build import judged_table


@pytest.fixture(scope="module")
def facet() -> Any:
    """The facet's list of assertions, as OpenLineage's own schema has it."""
    path = shared_path("openlineage-spec") / "current" / "facets" / "DataQualityAssertionsDatasetFacet.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    parts = document["$defs"]["DataQualityAssertionsDatasetFacet"]["allOf"][1]
    return jsonschema.Draft202012Validator(parts)


def test_a_schemas_rules_columns_and_rows_are_assertions(facet: Any, tmp_path: Path) -> None:
    document = {
        "columns": {"a": {"dtype": "int64", "unique": True}, "b": {"dtype": "str", "nullable": True}, "c": {}},
        "unique": [["a", "b"]],
        "max_rows": 9,
    }
    result = judged_table(tmp_path / "a.parquet", {"a": [1, None, 1], "b": ["x", "y", "z"]}, document)
    found = assertions_of(result)
    facet.validate({"assertions": found})
    told = {(one["assertion"], one.get("column")): (one["success"], one.get("actual")) for one in found}
    assert told == {
        ("columns", None): (False, None),
        ("row_count", None): (True, "3"),
        ("type", "a"): (True, "0"),
        ("type", "b"): (True, "0"),
        ("not_null", "a"): (False, "1"),
        ("unique", "a"): (False, "2"),
        ("unique", None): (True, "0"),
    }


def test_a_quality_checks_figures_are_assertions(facet: Any, tmp_path: Path) -> None:
    known = facts_of(tmp_path, {"a": [1, None, 3], "at": ["2026-11-24"] * 3}, tables={"training": {"a": [1]}})
    result = judged_quality(
        known,
        missing=[{"column": "a"}],
        freshness=[{"column": "at", "max_age": "P2D"}],
        leakage=[{}],
        outliers=[{"column": "a", "max_share": "1"}],
    )  # fmt: skip
    found = assertions_of(result)
    facet.validate({"assertions": found})
    assert {(one["assertion"], one["success"]) for one in found} >= {
        ("not_null", False),
        ("freshness", True),
        ("share_of_rows_in_both", False),
    }


def test_what_was_not_decided_or_not_measured_did_not_succeed(facet: Any, tmp_path: Path) -> None:
    rules = {"columns": {"a": {"dtype": "int64", "checks": {"ge": 0}}}}
    undecided = assertions_of(judged_table(tmp_path / "a.parquet", {"a": ["x"]}, rules))
    assert [one["success"] for one in undecided if one["assertion"] == "ge"] == [False]
    refused = CheckResult(
        check="schema", check_version="1", status=CheckStatus.ERROR, reason="measurement.refused", message="no file"
    )
    found = assertions_of(refused)
    facet.validate({"assertions": found})
    assert [(one["success"], one["description"]) for one in found] == [(False, "no file")]


def test_values_of_rows_are_not_among_them(tmp_path: Path) -> None:
    rules = {"columns": {"a": {"dtype": "str", "unique": True, "checks": {"str_matches": "^x"}}}}
    result = judged_table(tmp_path / "a.parquet", {"a": ["secret", "secret"]}, rules)
    assert "secret" not in json.dumps(assertions_of(result))
