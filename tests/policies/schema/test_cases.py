"""The schema cases from public reports, each by its expectations."""

from pathlib import Path
from typing import Any

import pytest

from governance.canonical import canonical
from tests.policies.schema.build import judged
from tests.support.neutral import VERDICTS, case_documents, read

CASES = {name: folder for name, folder in case_documents().items() if name.startswith("schema-")}


@pytest.mark.parametrize("folder", CASES.values(), ids=CASES)
@pytest.mark.parametrize("pieces", [{}, {"chunk_rows": 2}], ids=["whole", "streamed"])
def test_a_case_has_the_verdict_and_the_failures_that_a_user_expects(folder: Path, pieces: dict[str, int]) -> None:
    case = read(folder / "case.json")
    result = judged(folder / case["input_files"][0], {**case["policy"]["schema"], **pieces})
    expect, details = case["expect"], dict[str, Any](result.details)
    assert VERDICTS[result.status] in [expect.get("verdict"), *expect.get("verdict_in", [])]
    assert details["missing_columns"] == expect.get("missing_columns", [])
    assert set(expect.get("failing_values", [])) <= set(details["failing_values"])
    assert set(expect.get("must_name_columns", [])) <= set(details["failure_counts"])
    if "failing_rows" in expect:
        assert details["failing_rows"] == expect["failing_rows"]
    if "failing_rows_any_of" in expect:
        assert details["failing_rows"] in expect["failing_rows_any_of"]
    if "failure_counts" in expect:
        assert details["failure_counts"] == expect["failure_counts"]
    assert len(canonical(result.document())) <= expect.get("max_report_bytes", 1_000_000)
    listed: list[Any] = [finding.data.get("examples", []) for finding in result.findings]
    assert max((len(examples) for examples in listed), default=0) <= expect.get("max_examples_per_check", 10)
