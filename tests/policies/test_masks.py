"""Personal columns are shown by their category."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from audits.measuring import KnownAncestry
from governance.types.ancestry import Ancestry
from governance.types.provenance import ProvenanceFact
from policies.masks import masks_of
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
