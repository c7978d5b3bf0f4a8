"""Personal columns are shown by their category."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audits.measuring import KnownAncestry
from governance.types.ancestry import Ancestry
from governance.types.provenance import ProvenanceFact
from governance.types.results import CheckResult, CheckStatus, Finding
from governance.types.value import Severity
from policies.masks import masked, masks_of, shows_values
from tests.support.evidence import facts, write


def ancestry(columns: list[dict[str, Any]]) -> Ancestry:
    """One upstream dataset with these columns."""
    fact = ProvenanceFact.model_validate(
        {
            "record": {"columns": columns},
            "record_digest": f"sha256:{'0' * 64}",
            "valid_from": datetime(2026, 1, 1, tzinfo=UTC),
            "recorded_at": datetime(2026, 1, 1, tzinfo=UTC),
        }
    )
    node = {"key": "k", "namespace": "n", "name": "d", "provenance": [fact]}
    return Ancestry.model_validate({"subject": None, "datasets": [node]})


def test_categories_come_from_the_document_and_from_lineage(tmp_path: Path) -> None:
    columns = [
        {"path": "email", "categories": ["user.contact.email"]},
        {"path": "load", "categories": ["system.operations"]},
        {"path": "plain", "categories": []},
    ]
    known = replace(facts(write(tmp_path / "a.csv", {"a": [1]})), lineage=KnownAncestry(ancestry(columns)))
    declared = {"email": ("user.unique_id",), "name": ("user.name",), "made": ("own.words",)}
    assert masks_of(known, declared) == {
        "email": "[user.contact.email, user.unique_id]",
        "name": "[user.name]",
        "made": "[own.words]",
    }


def test_without_lineage_only_what_is_declared_is_masked(tmp_path: Path) -> None:
    assert masks_of(facts(write(tmp_path / "a.csv", {"a": [1]})), {}) == {}


def finding(**data: Any) -> Finding:
    return Finding(code="schema.isin", severity=Severity.HIGH, message="two rows", data=data)


def result(*findings: Finding, **details: Any) -> CheckResult:
    return CheckResult(
        check="schema", check_version="1", status=CheckStatus.FAILED, reason="schema.broken", message="broken",
        findings=findings, details=details,
    )  # fmt: skip


def test_values_of_a_judged_result_give_way_to_categories_wherever_they_stand() -> None:
    names = finding(columns=["name", "age"], examples=[{"row": 3, "value": "name=Ada, age=36"}])
    ages = finding(columns=["age"], examples=[{"row": 4, "value": "99"}])
    shown = result(names, ages, failing_values=["99", "name=Ada, age=36"], masked={}, failing_rows=[3, 4])
    hidden = masked(shown, {"name": "[user.name]", "other": "[user]"})
    assert hidden.findings[0].data["examples"] == [{"row": 3, "value": "[user.name]"}]
    assert hidden.findings[1] == ages
    assert hidden.details == {
        "failing_values": ["99", "[user.name]"],
        "masked": {"name": "[user.name]"},
        "failing_rows": [3, 4],
    }
    assert masked(hidden, {"name": "[user.name]"}) == hidden


def test_a_result_that_shows_no_masked_column_stays_as_it_is() -> None:
    shown = result(finding(columns=["age"], examples=[{"row": 4, "value": "99"}]), finding(paths=[]))
    assert masked(shown, {"name": "[user.name]"}) is shown
    assert shows_values(shown)
    assert not shows_values(result(finding(columns=["age"], examples=[])))
