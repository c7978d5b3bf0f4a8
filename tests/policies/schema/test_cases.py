"""The schema cases from public reports, each by its expectations."""

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from typer.testing import CliRunner

from governance.canonical import canonical
from governance.cli import app
from governance.types.results import CheckResult
from tests.policies.schema.build import judged
from tests.support.neutral import VERDICTS, case_documents, read

CASES = {name: folder for name, folder in case_documents().items() if name.startswith("schema-")}


@pytest.mark.parametrize("folder", CASES.values(), ids=CASES)
@pytest.mark.parametrize("pieces", [{}, {"chunk_rows": 2}], ids=["whole", "streamed"])
def test_a_case_has_the_verdict_and_the_failures_that_a_user_expects(folder: Path, pieces: dict[str, int]) -> None:
    case = read(folder / "case.json")
    hold(case["expect"], judged(folder / case["input_files"][0], {**case["policy"]["schema"], **pieces}))


@pytest.mark.parametrize("folder", CASES.values(), ids=CASES)
@pytest.mark.parametrize("pieces", [{}, {"chunk_rows": 2}], ids=["whole", "streamed"])
def test_a_case_has_its_answer_through_assay_check(folder: Path, pieces: dict[str, int], tmp_path: Path) -> None:
    case = read(folder / "case.json")
    name = case["input_files"][0]
    shutil.copy(folder / name, tmp_path)
    subject = {"namespace": "tests", "name": "data", "version": "1", "digest": f"sha256:{'0' * 64}"}
    file = {"uri": f"file:{name}", "format": name.rpartition(".")[2]}
    dataset = {"namespace": "tests", "name": "data", "file": file}
    manifest = {"kind": "assay.evidence/v1", "subject": subject, "dataset": dataset}
    check = {"id": "schema", "params": {"document": {**case["policy"]["schema"], **pieces}}}
    policy = {"kind": "assay.policy/v1", "name": "case", "checks": [check]}
    for title, document in (("manifest", manifest), ("policy", policy)):
        (tmp_path / f"{title}.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    words = ["check", str(tmp_path / "manifest.yaml"), "--policy", str(tmp_path / "policy.yaml"), "--json"]
    said = CliRunner().invoke(app, words, standalone_mode=False)
    assert said.exception is None, said.exception
    (found,) = json.loads(said.stdout)["checks"]
    del found["id"]
    hold(case["expect"], CheckResult.model_validate(found))


def hold(expect: Mapping[str, Any], result: CheckResult) -> None:
    """The result is what a user expects."""
    details = dict[str, Any](result.details)
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
