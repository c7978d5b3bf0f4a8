"""Published tables, reproduced through the product's own checks within their tolerance, every line of them."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.neutral import NotServed, read, reference_documents
from tests.support.neutral_lines import Lines

REFERENCES = reference_documents()


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_each_line_of_a_published_table_is_reproduced_within_its_tolerance(name: str, tmp_path: Path) -> None:
    document = read(REFERENCES[name])
    assert wrong_lines(document, Lines(document, tmp_path)) == []
    assert document["checks"]


def wrong_lines(document: dict[str, Any], lines: Lines) -> list[tuple[Any, ...]]:
    """The lines that are not reproduced, and why."""
    wrong = []
    for check in document["checks"]:
        try:
            found = lines.value(check)
        except NotServed as reason:
            wrong.append((check["metric"], check["group"], f"not served: {reason}"))
            continue
        if not _fits(found, check["expected"], check["tolerance"]):
            wrong.append((check["metric"], check["group"], f"{found} in place of {check['expected']}"))
    return wrong


def _fits(found: Any, expected: Any, tolerance: float) -> bool:
    if isinstance(expected, bool) or expected is None or found is None:
        return bool(found is expected)
    # The published number is a double, and a distance of exactly the tolerance must not depend on its last bit.
    return bool(abs(float(found) - expected) <= tolerance + 1e-12)
