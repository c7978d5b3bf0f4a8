"""The check of four fifths and significance: golden vectors through counts and rows, and its further controls."""

from pathlib import Path
from typing import Any

import pytest

from governance.errors import MeasurementRefused
from governance.types.results import CheckResult, CheckStatus
from tests.policies.fairness.law.build import ATTESTED, asked
from tests.support.evidence import write

PASSED, FAILED = CheckStatus.PASSED, CheckStatus.FAILED
INSUFFICIENT = CheckStatus.INSUFFICIENT_EVIDENCE


def pair(
    tmp_path: Path, one: tuple[int, int], two: tuple[int, int], audit: dict[str, Any] | None = None, **params: Any
) -> CheckResult:
    """The check on a category against its reference, each as selected of people."""
    lines = {"group": ["a", "b"], "n": [one[1], two[1]], "selected": [one[0], two[0]]}
    return asked("ugesp", write(tmp_path / "counts.csv", lines), params, audit=audit)


def outcomes(result: CheckResult) -> dict[str, str]:
    """The status of each control."""
    details: Any = result.details
    return {one["id"]: one["status"] for one in details["controls"]}


@pytest.mark.parametrize(
    ("one", "two", "ratio", "significance"),
    [
        ((24, 75), (30, 75), "passed", "insufficient_evidence"),  # V02
        ((23, 75), (30, 75), "failed", "insufficient_evidence"),  # V02
        ((48, 100), (60, 100), "passed", "insufficient_evidence"),  # V03
        ((8500, 10000), (9000, 10000), "passed", "insufficient_evidence"),  # V04
        ((40, 100), (60, 100), "failed", "failed"),  # V05
        ((1, 8), (40, 80), "insufficient_evidence", "insufficient_evidence"),  # V07
        ((45, 100), (60, 100), "failed", "failed"),  # V08
        ((88, 100), (99, 100), "passed", "insufficient_evidence"),  # V20
        ((50, 50), (60, 60), "passed", "passed"),  # V21
        ((0, 50), (0, 70), "insufficient_evidence", "insufficient_evidence"),  # V13
    ],
)
def test_golden_vectors_hold_through_the_check(
    tmp_path: Path, one: tuple[int, int], two: tuple[int, int], ratio: str, significance: str
) -> None:
    found = outcomes(pair(tmp_path, one, two))
    assert (found["UGESP-4D"], found["UGESP-SIG"]) == (ratio, significance)


def test_a_failed_pair_prints_ratio_test_interval_shortfall_and_flip(tmp_path: Path) -> None:  # V05
    result = pair(tmp_path, (40, 100), (60, 100))
    details: Any = result.details
    row = details["tables"]["group"][0]
    assert (row["ratio"], row["z"], row["shortfall"], row["flips_with_one_person"]) == ("0.6667", "-2.8284", 8, False)
    assert [one.data["shortfall"] for one in result.findings if one.code == "ugesp.shortfall"] == [8]
    assert result.limit == "0.8"


def test_rows_give_what_counts_give(tmp_path: Path) -> None:
    rows = {
        "decision": [1] * 40 + [0] * 60 + [1] * 60 + [0] * 40,
        "group": ["a"] * 100 + ["b"] * 100,
    }
    found = asked(
        "ugesp", write(tmp_path / "rows.parquet", rows), columns={"decision": "decision"}, positive={"decision": 1}
    )
    assert found.details["tables"] == pair(tmp_path, (40, 100), (60, 100)).details["tables"]


def test_practical_significance_is_judged_by_a_person(tmp_path: Path) -> None:  # V04
    judged = {"practical_significance": {"a": False}, "attestations": {"UGESP-SIG": ATTESTED}}
    assert outcomes(pair(tmp_path, (8500, 10000), (9000, 10000), judged))["UGESP-SIG"] == "passed"
    unsigned = pair(tmp_path, (8500, 10000), (9000, 10000), {"practical_significance": {"a": False}})
    assert outcomes(unsigned)["UGESP-SIG"] == "insufficient_evidence"
    matters = {"practical_significance": {"a": True}}
    assert outcomes(pair(tmp_path, (8500, 10000), (9000, 10000), matters))["UGESP-SIG"] == "failed"


def test_a_category_under_two_percent_of_the_labour_force_is_exempt(tmp_path: Path) -> None:
    lines = {"group": ["a", "b", "c"], "n": [100, 100, 40], "selected": [58, 60, 4]}
    path = write(tmp_path / "counts.csv", lines)
    assert outcomes(asked("ugesp", path))["UGESP-4D"] == "failed"
    facts = {"labour_force": {"c": "0.019"}, "attestations": {"UGESP-2PCT": ATTESTED}}
    assert outcomes(asked("ugesp", path, audit=facts))["UGESP-4D"] == "passed"
    whole = {"labour_force": {"c": "0.02"}, "attestations": {"UGESP-2PCT": ATTESTED}}
    assert outcomes(asked("ugesp", path, audit=whole))["UGESP-4D"] == "failed"


def test_adverse_impact_asks_for_a_validity_study(tmp_path: Path) -> None:
    assert outcomes(pair(tmp_path, (40, 100), (60, 100)))["UGESP-VAL"] == "insufficient_evidence"
    study = {"validity_study": "Criterion study 2026-04", "attestations": {"UGESP-VAL": ATTESTED}}
    assert outcomes(pair(tmp_path, (40, 100), (60, 100), study))["UGESP-VAL"] == "passed"
    assert outcomes(pair(tmp_path, (60, 100), (60, 100)))["UGESP-VAL"] == "not_applicable"


def test_a_declared_category_without_members_is_insufficient_evidence(tmp_path: Path) -> None:
    lines = {"group": ["a", "b"], "n": [500, 500], "selected": [250, 250]}
    path = write(tmp_path / "counts.csv", lines)
    result = asked("ugesp", path, sensitive={"group": {"groups": ["a", "b", "c"]}})
    assert (result.status, result.reason) == (INSUFFICIENT, "ugesp.no_members")
    assert asked("ugesp", path).status is PASSED


def test_a_question_that_was_not_measured_is_insufficient_evidence_and_weights_are_refused(tmp_path: Path) -> None:
    rows = {"decision": [1, 0] * 40, "group": ["a", "b"] * 40, "w": [1.0] * 80}
    path = write(tmp_path / "rows.parquet", rows)
    with pytest.raises(MeasurementRefused, match="weights"):
        asked("ugesp", path, columns={"decision": "decision", "weight": "w"}, positive={"decision": 1})
    with pytest.raises(MeasurementRefused, match="age"):
        asked("ugesp", path, {"sensitive": ["age"]}, columns={"decision": "decision"}, positive={"decision": 1})
    assert pair(tmp_path, (40, 100), (60, 100)).status is FAILED
