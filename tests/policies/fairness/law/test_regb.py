"""Regulation B: golden vectors of reasons, accuracy, proxies and dates, and its check on given attributions."""

from datetime import date
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import roc_auc_score

from governance.errors import MeasurementRefused
from governance.types.credit_audit import ReasonFeature
from governance.types.results import CheckResult, CheckStatus
from policies.fairness.law.regb import (
    is_locally_accurate,
    is_notice_in_time,
    is_retained,
    months_later,
    proxy_area,
    reasons,
)
from tests.policies.fairness.law.build import ATTESTED, asked
from tests.support.evidence import write

DECLARED = ["income", "debt_ratio", "file_age", "region_north", "region_south", "savings", "late_payments"]
PARENTS = {"region_north": "region", "region_south": "region"}
FEATURES = tuple(
    ReasonFeature(column=name, parent=PARENTS.get(name, ""), text=f"Reason of {PARENTS.get(name, name)}")
    for name in DECLARED
)
V16 = dict(zip(DECLARED, ["-0.42", "-0.15", "-0.15", "-0.05", "-0.04", "0.10", "-0.30"], strict=True))


def test_reasons_are_the_largest_pushes_with_ties_in_the_declared_order() -> None:  # V16
    contributions = {name: Fraction(value) for name, value in V16.items()}
    expected = ("income", "late_payments", "debt_ratio", "file_age")
    assert reasons(FEATURES, contributions, higher_is_better=True) == expected
    turned = {name: -value for name, value in contributions.items()}
    assert reasons(FEATURES, turned, higher_is_better=False) == expected


def test_one_hot_columns_count_for_their_parent_and_zero_is_no_reason() -> None:
    contributions = dict.fromkeys(DECLARED, Fraction(0)) | {"region_north": Fraction(-2), "region_south": Fraction(1)}
    assert reasons(FEATURES, contributions, higher_is_better=True) == ("region",)


def test_a_distance_equal_to_the_tolerance_is_too_far() -> None:  # V17
    base, parts = Fraction("0.2000"), [Fraction("0.1"), Fraction("0.2")]
    assert is_locally_accurate(base, parts, Fraction("0.50005"))
    assert not is_locally_accurate(base, parts, Fraction("0.5001"))


def test_the_area_of_a_proxy_counts_ties_half() -> None:  # V18
    area = proxy_area([Fraction("0.9"), Fraction("0.4")], [Fraction("0.4"), Fraction("0.1")])
    assert area == Fraction(7, 8)
    assert proxy_area([], [Fraction(1)]) is None


@given(st.lists(st.integers(0, 6), min_size=1, max_size=20), st.lists(st.integers(0, 6), min_size=1, max_size=20))
def test_the_area_of_a_proxy_is_scikit_learns(ups: list[int], downs: list[int]) -> None:
    area = proxy_area([Fraction(one) for one in ups], [Fraction(one) for one in downs])
    assert area is not None
    labels = [1] * len(ups) + [0] * len(downs)
    assert float(area) == pytest.approx(roc_auc_score(labels, [*ups, *downs]))


def test_a_notice_has_thirty_days() -> None:  # V19
    completed = date(2026, 1, 31)
    assert is_notice_in_time(completed, date(2026, 3, 2))
    assert not is_notice_in_time(completed, date(2026, 3, 3))


def test_records_are_kept_in_calendar_months() -> None:
    assert months_later(date(2026, 1, 31), 25) == date(2028, 2, 29)
    assert months_later(date(9999, 1, 31), 25) == date.max
    assert [is_retained(24, "consumer"), is_retained(25, "consumer"), is_retained(12, "business")] == [
        False, True, True,
    ]  # fmt: skip


CREDIT: dict[str, Any] = {
    "features": [feature.document() for feature in FEATURES],
    "model_inputs": [*DECLARED, "region"],
    "prohibited": ["race", "sex"],
    "background": {"kind": "all_applicants", "id": "applicants-2026", "digest": f"sha256:{'a' * 64}"},
    "clock": "completed_application",
    "clock_start": "completed",
    "notice": "notified",
    "retention_months": 25,
    "attestations": dict.fromkeys(("REGB-9B", "REGB-9BASE", "REGB-9SCORED", "REGB-6"), ATTESTED),
}


def denied(**columns: Any) -> dict[str, list[Any]]:
    """Two denied decisions, of which one is that of V16."""
    rows: dict[str, list[Any]] = {name: [value, "-0.1"] for name, value in V16.items()}
    rows |= {"id": ["A", "B"], "base": ["0.9", "0.9"], "output": ["-0.11", "0.2"]}
    return rows | {"completed": ["2026-01-31"] * 2, "notified": ["2026-03-02"] * 2, **columns}


def judged(tmp_path: Path, rows: dict[str, list[Any]], **credit: Any) -> CheckResult:
    """The check on denied decisions."""
    fields = {"columns": {}, "positive": {}, "sensitive": {}, "credit": {**CREDIT, **credit}}
    return asked("regb", write(tmp_path / "denied.csv", rows), **fields)


def control(result: CheckResult, name: str) -> tuple[str, str]:
    """Status and reason of a control."""
    details: Any = result.details
    (found,) = [one for one in details["controls"] if one["id"] == name]
    return found["status"], found["reason"]


def test_reasons_that_are_in_order_pass_and_are_counted(tmp_path: Path) -> None:
    result = judged(tmp_path, denied())
    assert result.status is CheckStatus.PASSED
    details: Any = result.details
    assert details["reasons"]["income"] == 2
    assert details["decisions_by_number_of_reasons"] == [0, 0, 0, 0, 2]
    assert details["texts"]["region"] == "Reason of region"


@pytest.mark.parametrize(
    ("columns", "credit", "name", "status", "reason"),
    [
        ({"notified": ["2026-03-02", "2026-03-03"]}, {}, "REGB-9A", "failed", "regb.notice_late"),
        ({"notified": ["2026-03-02", ""]}, {}, "REGB-9A", "insufficient_evidence", "regb.dates_missing"),
        ({}, {"clock": "unknown"}, "REGB-9A", "insufficient_evidence", "regb.dates_missing"),
        ({"output": ["-0.1101", "0.2"]}, {}, "REGB-9BASE", "failed", "regb.not_locally_accurate"),
        ({}, {"background": {"kind": "unknown"}}, "REGB-9BASE", "insufficient_evidence", "regb.background_unknown"),
        ({}, {"model_inputs": ["income"]}, "REGB-9SCORED", "failed", "regb.reason_not_scored"),
        ({}, {"prohibited": ["region"]}, "REGB-6", "failed", "regb.prohibited_feature"),
        ({}, {"retention_months": 24}, "REGB-12", "failed", "regb.retention_too_short"),
        ({}, {"retention_months": None}, "REGB-12", "insufficient_evidence", "regb.retention_unknown"),
        ({}, {"attestations": {}}, "REGB-9B", "insufficient_evidence", "law.attestation_needed"),
        (
            {},
            {"features": [{**feature.document(), "text": ""} for feature in FEATURES]},
            "REGB-9B",
            "failed",
            "regb.reason_without_text",
        ),
    ],
)
def test_a_rule_that_is_broken_is_named(
    tmp_path: Path, columns: dict[str, Any], credit: dict[str, Any], *, name: str, status: str, reason: str
) -> None:
    result = judged(tmp_path, denied(**columns), **credit)
    assert control(result, name) == (status, reason)
    assert result.status is not CheckStatus.PASSED


def test_a_decision_without_any_push_towards_denial_is_insufficient_evidence(tmp_path: Path) -> None:
    rows = denied() | {name: [V16[name], "0.1"] for name in DECLARED} | {"output": ["-0.11", "1.6"]}
    assert control(judged(tmp_path, rows), "REGB-9B")[1] == "regb.no_contribution_towards_denial"


def test_reasons_under_the_other_background_are_compared(tmp_path: Path) -> None:
    rows = denied()
    rows |= {f"other_{name}": [value, "0.3" if name == "income" else "-0.1"] for name, value in V16.items()}
    features = [{**feature.document(), "other": f"other_{feature.column}"} for feature in FEATURES]
    details: Any = judged(tmp_path, rows, features=features).details
    assert details["stable_under_other_background"] == {"same": 1, "of": 2}


def test_a_feature_that_predicts_a_prohibited_basis_is_for_a_person(tmp_path: Path) -> None:
    rows = denied(basis=["x", "y"], proxy=["0.9", "0.1"])
    proxy = {"basis": "basis", "basis_value": "x", "proxy_score": "proxy"}
    attested = judged(tmp_path, rows, **proxy)
    assert control(attested, "REGB-6") == ("passed", "regb.proxy_reviewed")
    rest = {name: value for name, value in CREDIT["attestations"].items() if name != "REGB-6"}
    assert control(judged(tmp_path, rows, **proxy, attestations=rest), "REGB-6")[1] == "regb.proxy_for_review"


def test_nothing_denied_needs_no_reasons(tmp_path: Path) -> None:
    rows: dict[str, list[Any]] = {name: [] for name in denied()}
    assert control(judged(tmp_path, rows), "REGB-9B") == ("not_applicable", "regb.nothing_denied")


@pytest.mark.parametrize("columns", [{"income": ["", "-0.1"]}, {"income": ["x", "-0.1"]}, {"notified": ["soon"] * 2}])
def test_what_is_no_number_or_date_is_refused(tmp_path: Path, columns: dict[str, Any]) -> None:
    with pytest.raises(MeasurementRefused):
        judged(tmp_path, denied(**columns))
