"""The explainability cases from public reports, each by its expectations."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from audits.sandbox.session import SandboxedModel
from governance.check import Facts
from governance.errors import MeasurementRefused
from governance.types.manifest import Manifest
from governance.types.results import CheckResult
from governance.types.value import parse_value
from policies.explainability.check import CHECK
from tests.policies.explainability.build import case_manifest, case_params
from tests.support.neutral import VERDICTS, case_documents, read

CASES = {name: folder for name, folder in case_documents().items() if name.startswith("xai-")}


def answer(case: dict[str, Any], folder: Path, work: Path) -> CheckResult | None:
    """The result of a case; null where its input is refused."""
    manifest = parse_value(Manifest, case_manifest(case, folder, work), what="a manifest")
    params = parse_value(CHECK.params, case_params(case), what="the parameters")
    assert manifest.predictions is not None
    assert manifest.model is not None
    given = Facts(
        subject=manifest.subject,
        environment="test",
        evaluated_at=datetime(2026, 1, 1, tzinfo=UTC),
        manifest=manifest,
        files={manifest.predictions.uri: folder / case["input_files"][-1]},
    )
    with SandboxedModel(work / "model.skops", manifest.model.digest, "skops") as session:
        try:
            return CHECK.judge(CHECK.measure(replace(given, model=session), params), params)
        except MeasurementRefused:
            return None


@pytest.mark.parametrize("folder", CASES.values(), ids=CASES)
def test_a_case_has_the_verdict_and_the_numbers_that_a_user_expects(folder: Path, tmp_path: Path) -> None:
    case = read(folder / "case.json")
    result = answer(case, folder, tmp_path)
    expect: dict[str, Any] = case["expect"]
    verdict = "error" if result is None else VERDICTS[result.status]
    assert verdict in expect.get("verdict_in", ["pass"])
    if result is None:
        return
    details = dict[str, Any](result.details)
    shares = {name: float(share) for name, share in details["importance_share"].items()}
    assert shares == pytest.approx(expect.get("importance_share", shares), abs=1e-6)
    if "explained_class" in expect:
        assert details["explained_class"] == expect["explained_class"]
        assert details["scale"] == "probability"
    if "shape" in expect:
        assert details["shape"] == expect["shape"]
    if "sign_of_corr_x1_attr" in expect:
        assert float(details["direction"]["x1"]) * expect["sign_of_corr_x1_attr"] >= expect["corr_min"]


@pytest.mark.parametrize("folder", CASES.values(), ids=CASES)
def test_a_feature_that_the_data_lack_is_an_error(folder: Path, tmp_path: Path) -> None:
    case = read(folder / "case.json")
    source = folder / case["input_files"][-1]
    header, _, rest = source.read_text().partition("\n")
    (tmp_path / source.name).write_text(header.replace(case["policy"]["model"]["features"][0], "other") + "\n" + rest)
    manifest = case_manifest(case, folder, tmp_path)
    lacking = parse_value(Manifest, manifest, what="a manifest")
    assert lacking.predictions is not None
    given = Facts(
        subject=lacking.subject,
        environment="test",
        evaluated_at=datetime(2026, 1, 1, tzinfo=UTC),
        manifest=lacking,
        files={lacking.predictions.uri: tmp_path / source.name},
    )
    with SandboxedModel(tmp_path / "model.skops", lacking.subject.digest, "skops") as session:
        params = parse_value(CHECK.params, case_params(case), what="the parameters")
        with pytest.raises(MeasurementRefused, match=r"the columns"):
            CHECK.measure(replace(given, model=session), params)
