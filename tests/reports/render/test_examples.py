"""Rows that a finding names stand in the report; personal values are shown by their category."""

from pathlib import Path
from typing import Any

from governance.types.results import CheckResult
from reports.render.html import render_html
from tests.policies.gdpr.test_examples import credit_lineage
from tests.policies.quality.build import facts_of
from tests.policies.quality.build import judged as judged_quality
from tests.policies.schema.build import judged_table
from tests.reports.build import compiled, decision, outcome


def page_of(result: CheckResult) -> str:
    """The report of a decision that rests on one result, above which lies the lineage of a credit model."""
    lineage = credit_lineage()
    made = decision(checks=(outcome(result, "Data"),), reasons=(), ancestry_digest=lineage.value_digest())
    return render_html(compiled(made, ancestry=lineage, measurements={})).decode()


def test_failing_rows_are_listed_with_their_values(tmp_path: Path) -> None:
    document: dict[str, Any] = {"columns": {"price": {"dtype": "int64", "checks": {"le": 5}}}}
    page = page_of(judged_table(tmp_path / "a.parquet", {"price": [1, 7, 9]}, document))
    assert "<li>row 1: 7</li>" in page
    assert "<li>row 2: 9</li>" in page


def test_values_of_columns_that_lineage_calls_personal_are_not_shown(tmp_path: Path) -> None:
    document: dict[str, Any] = {"columns": {"ethnicity": {"dtype": "str", "checks": {"isin": ["a"]}}}}
    page = page_of(judged_table(tmp_path / "a.parquet", {"ethnicity": ["a", "secret value"]}, document))
    assert "secret value" not in page
    assert "<li>row 1: [user.demographic.race_ethnicity]</li>" in page
    known = facts_of(tmp_path, {"ethnicity": ["a", "secret value"]})
    page = page_of(judged_quality(known, formats=[{"column": "ethnicity", "pattern": "a"}]))
    assert "secret value" not in page
    assert "<li>row 1: [user.demographic.race_ethnicity]</li>" in page


def test_values_that_people_write_stay_text(tmp_path: Path) -> None:
    document: dict[str, Any] = {"columns": {"note": {"dtype": "str", "checks": {"isin": ["a"]}}}}
    page = page_of(judged_table(tmp_path / "a.parquet", {"note": ["<script>alert(1)</script>"]}, document))
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)" in page
