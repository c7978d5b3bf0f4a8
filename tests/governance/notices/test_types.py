"""The types of events: what is announced is listed, and what is listed is announced and documented."""

import ast
import re

from governance.notices.types import TYPES
from tests.architecture.sources import ROOT, sources

MADE_WHEN_ANNOUNCED = {"assay.approval.given", "assay.review.given"}
"""Types whose name is put together of the act."""


def announced() -> set[str]:
    """Every type that a call of ``announce`` in the product names."""
    calls = [
        node
        for source in sources()
        if source.path.startswith(("governance/", "audits/", "lineage/", "reports/", "api/"))
        for node in ast.walk(source.tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "announce"
    ]
    return {str(node.args[1].value) for node in calls if isinstance(node.args[1], ast.Constant)}


def test_what_is_announced_is_listed() -> None:
    assert announced() | MADE_WHEN_ANNOUNCED == set(TYPES)


def test_what_is_listed_is_documented_with_its_meaning() -> None:
    page = (ROOT / "docs" / "ci.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(assay\.[a-z_.]+)` \| (.+) \|$", page, re.MULTILINE))
    assert rows == TYPES
