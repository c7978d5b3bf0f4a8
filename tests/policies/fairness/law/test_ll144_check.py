"""The check of Local Law 144: golden vectors through rows and counts, and every control that can fail."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from governance.errors import MeasurementRefused
from governance.types.results import CheckResult, CheckStatus
from policies.fairness.law.ll144_params import LL144Params
from tests.policies.fairness.law.build import audit, fourteen_rows, ll144, people
from tests.policies.fairness.law.test_ll144 import FOURTEEN, ISLANDER, NATIVE
from tests.support.evidence import write

PASSED, FAILED = CheckStatus.PASSED, CheckStatus.FAILED
INSUFFICIENT = CheckStatus.INSUFFICIENT_EVIDENCE

EXCLUDED = [
    {"table": "sex*race_ethnicity", "category": list(category), "justification": "under 2 % of the people"}
    for category in (("Male", ISLANDER), ("Male", NATIVE), ("Female", NATIVE))
]


def table(result: CheckResult, name: str, *, unknowns: str = "per_table", rate: str = "selection") -> Any:
    """One printed table."""
    details: Any = result.details
    found = [
        one for one in details["tables"]
        if (one["table"], one["unknowns"], one["rate"]) == (name, unknowns, rate)
    ]  # fmt: skip
    assert len(found) == 1
    return found[0]


def control(result: CheckResult, name: str) -> tuple[str, str]:
    """Status and reason of a control."""
    details: Any = result.details
    (found,) = [one for one in details["controls"] if one["id"] == name]
    return found["status"], found["reason"]


@pytest.mark.parametrize("suffix", ["parquet", "csv", "jsonl", "arrow"])
def test_fourteen_cells_stand_both_ways(tmp_path: Path, suffix: str) -> None:  # V14
    result = ll144(people(tmp_path, suffix=suffix), audit=audit(excluded=EXCLUDED))
    assert (result.status, result.reason) == (PASSED, "ll144.audit_current")
    rows = {tuple(row["category"]): row for row in table(result, "sex*race_ethnicity")["rows"]}
    assert len(rows) == 14
    assert rows["Male", "Asian"]["ratio"] == "1.0000"
    assert rows["Female", "White"]["ratio"] == "0.8182"
    assert rows["Female", "White"]["ratio_without_exclusion"] == "0.4500"
    assert (rows["Female", NATIVE]["ratio"], rows["Female", NATIVE]["ratio_without_exclusion"]) == (None, "1.0000")
    assert (rows["Female", NATIVE]["n"], rows["Female", NATIVE]["rate"]) == (8, "1.0000")
    assert rows["Female", ISLANDER]["rate"] is None
    sexes = table(result, "sex")["rows"]
    assert [(row["n"], row["selected"], row["ratio"]) for row in sexes] == [(676, 314, "1.0000"), (668, 269, "0.8669")]
    assert len(table(result, "race_ethnicity")["rows"]) == 7


def test_counts_give_what_the_people_give(tmp_path: Path) -> None:
    lines: dict[str, list[Any]] = {"sex": [], "race_ethnicity": [], "n": [], "selected": []}
    for race, both in FOURTEEN.items():
        for sex, (n, selected) in zip(("Male", "Female"), both, strict=True):
            for name, value in (("sex", sex), ("race_ethnicity", race), ("n", n), ("selected", selected)):
                lines[name].append(value)
    counted = ll144(write(tmp_path / "counts.csv", lines))
    of_people = ll144(people(tmp_path))
    assert counted.details["tables"] == of_people.details["tables"]
    assert counted.status is of_people.status is PASSED


def test_scores_are_held_against_the_median_of_everybody(tmp_path: Path) -> None:  # V12
    rows: dict[str, list[Any]] = {
        "sex": ["Male"] * 3 + ["Female"] * 2 + [None] * 3,
        "race_ethnicity": ["White", "Asian", "White", "White", "Asian", "White", "Asian", "White"],
        "score": [10, 20, 30, 40, 50, 60, 70, 80],
    }
    result = ll144(
        people(tmp_path, rows), columns={"score": "score"}, positive={}, audit=audit(tool=["scores"])
    )  # fmt: skip
    details: Any = result.details
    assert (details["median"]["printed"], details["median"]["ties"]) == ("45", 0)
    found = table(result, "sex", rate="scoring")
    assert [(row["selected"], row["n"], row["ratio"]) for row in found["rows"]] == [(0, 3, "0.0000"), (1, 2, "1.0000")]
    assert found["unknown"]["sex"] == 3
    assert control(result, "LL144-02") == ("not_applicable", "ll144.scores_only")
    assert control(result, "LL144-03")[0] == "passed"


def test_above_the_median_is_strictly_above(tmp_path: Path) -> None:  # V11
    rows = {"sex": ["Male"] * 7, "race_ethnicity": ["White"] * 7, "score": ["1", "2", "3", "3", "3", "4", "5"]}
    result = ll144(people(tmp_path, rows, "csv"), columns={"score": "score"}, positive={}, audit=audit(tool=["scores"]))
    details: Any = result.details
    assert details["median"] == {"printed": "3", "lower": "3", "ties": 3, "scores": 7}
    assert table(result, "sex", rate="scoring")["rows"][0]["rate"] == "0.2857"
    assert control(result, "LL144-04") == ("insufficient_evidence", "ll144.single_category")


def test_a_missing_score_leaves_the_scored_sample_and_is_counted(tmp_path: Path) -> None:
    rows: dict[str, list[Any]] = {
        "sex": ["Male", "Female"] * 3,
        "race_ethnicity": ["White", "Asian"] * 3,
        "score": [1.5, None, 2.5, 0.5, None, 3],
    }
    result = ll144(people(tmp_path, rows), columns={"score": "score"}, positive={}, audit=audit(tool=["scores"]))
    assert result.details["not_scored"] == 2
    assert sum(row["n"] for row in table(result, "sex", rate="scoring")["rows"]) == 4


def test_scores_of_more_digits_than_doubles_keep_are_refused(tmp_path: Path) -> None:
    rows = {"sex": ["Male"], "race_ethnicity": ["White"], "score": ["0.12345678901234567"]}
    with pytest.raises(MeasurementRefused, match="15 digits"):
        ll144(people(tmp_path, rows, "csv"), columns={"score": "score"}, positive={}, audit=audit(tool=["scores"]))


def test_a_tool_that_assigns_groups_gets_three_tables_for_each(tmp_path: Path) -> None:
    rows = fourteen_rows()
    rows["group"] = ["leader" if number % 2 else "expert" for number in rows["id"]]
    result = ll144(people(tmp_path, rows), audit=audit(assigned_group="group"))
    details: Any = result.details
    assert {one["assigned_group"] for one in details["tables"]} == {"leader", "expert"}
    assert len(details["tables"]) == 2 * 2 * 3
    assert control(result, "LL144-06")[0] == "passed"


def test_unknown_people_are_counted_both_ways(tmp_path: Path) -> None:
    rows = fourteen_rows()
    rows["sex"][:10] = [None] * 10
    rows["race_ethnicity"][5:25] = ["", " "] * 10
    result = ll144(people(tmp_path, rows))
    assert table(result, "sex")["unknown"] == {"sex": 10, "race_ethnicity": 20, "either": 25}
    assert table(result, "sex")["people"] == 1334
    assert table(result, "sex", unknowns="complete_case")["people"] == 1319


def test_a_value_beyond_the_categories_is_told_and_counted_as_unknown(tmp_path: Path) -> None:
    rows = fourteen_rows()
    rows["race_ethnicity"][:3] = ["Martian"] * 3
    found = table(ll144(people(tmp_path, rows)), "race_ethnicity")
    assert (found["outside"], found["unknown"]["race_ethnicity"]) == ({"Martian": 3}, 3)


@pytest.mark.parametrize(
    ("fields", "name", "status", "reason"),
    [
        ({"use_date": "2027-06-02"}, "LL144-01", "failed", "ll144.audit_older_than_a_year"),
        ({"audit_date": None}, "LL144-01", "insufficient_evidence", "ll144.dates_missing"),
        ({"category_source": "imputed"}, "LL144-05", "failed", "ll144.categories_imputed"),
        ({"category_source": "unknown"}, "LL144-05", "insufficient_evidence", "ll144.category_source_unknown"),
        (
            {"excluded": [{**EXCLUDED[0], "category": ["Male", "White"]}]},
            "LL144-08",
            "failed",
            "ll144.exclusion_not_under_2_percent",
        ),
        (
            {"excluded": [{**EXCLUDED[0], "justification": " "}]},
            "LL144-08",
            "failed",
            "ll144.exclusion_not_justified",
        ),
        ({"data_kind": "test"}, "LL144-09", "failed", "ll144.test_data_unexplained"),
        ({"summary_url": ""}, "LL144-10", "failed", "ll144.summary_absent"),
        ({"notice_date": "2026-12-10"}, "LL144-11", "failed", "ll144.notice_too_late"),
        ({"use_date": "2027-01-20", "notice_date": "2026-12-28"}, "LL144-11", "insufficient_evidence",
         "ll144.holidays_unknown"),
    ],
)  # fmt: skip
def test_a_step_that_was_not_done_is_named(
    tmp_path: Path, fields: dict[str, Any], name: str, status: str, reason: str
) -> None:
    result = ll144(people(tmp_path), audit=audit(**fields))
    assert control(result, name) == (status, reason)
    assert result.status.value == status
    assert [one.code for one in result.findings] == [reason]


def test_a_step_with_a_human_part_waits_for_its_attestation(tmp_path: Path) -> None:
    result = ll144(people(tmp_path), audit=audit("LL144-10"))
    assert (result.status, result.reason) == (INSUFFICIENT, "law.attestation_needed")
    assert control(result, "LL144-10") == ("insufficient_evidence", "law.attestation_needed")


def test_counts_cannot_prove_a_median(tmp_path: Path) -> None:
    lines = {"sex": ["Male", "Female"] * 2, "race_ethnicity": ["White", "White", "Asian", "Asian"]}
    path = write(tmp_path / "counts.csv", {**lines, "n": [50] * 4, "selected": [20, 25, 22, 30]})
    without = ll144(path, audit=audit("LL144-03", tool=["scores"]))
    assert control(without, "LL144-03") == ("insufficient_evidence", "ll144.counts_without_median")
    stated = ll144(path, audit=audit(tool=["scores"]))
    assert control(stated, "LL144-03")[0] == "passed"
    assert stated.status is PASSED


def test_rates_of_zero_prove_nothing(tmp_path: Path) -> None:  # V13
    rows: dict[str, list[Any]] = {
        "sex": ["Male"] * 50 + ["Female"] * 70, "race_ethnicity": ["White", "Asian"] * 60, "selected": [0] * 120,
    }  # fmt: skip
    result = ll144(people(tmp_path, rows))
    assert control(result, "LL144-04") == ("insufficient_evidence", "ll144.highest_rate_is_zero")
    assert result.status is INSUFFICIENT


def test_the_rule_sets_no_threshold_and_an_own_one_decides_nothing(tmp_path: Path) -> None:
    plain = ll144(people(tmp_path))
    own = ll144(people(tmp_path), {"own_threshold": "0.8"})
    assert plain.status is own.status is PASSED
    assert all(figure.limit is None and figure.status is None for figure in own.figures)
    assert {row["is_below_own_threshold"] for row in table(own, "sex")["rows"]} == {False}
    assert any("own policy, no part of the law" in figure.note for figure in own.figures)


def test_out_of_scope_needs_its_reason(tmp_path: Path) -> None:
    reasoned = ll144(people(tmp_path), audit=audit(is_in_scope=False, scope_reason="no candidate lives in the city"))
    assert reasoned.status is CheckStatus.NOT_APPLICABLE
    assert ll144(people(tmp_path), audit=audit(is_in_scope=False)).status is INSUFFICIENT


@pytest.mark.parametrize(
    ("fields", "found"),
    [
        ({"audit": None}, "without audit"),
        ({"columns": {"score": "selected"}, "positive": {}}, "none in the manifest"),
        ({"audit": audit(tool=["selects", "scores"])}, "none in the manifest"),
        ({"audit": audit(race_ethnicity="origin")}, "only"),
        ({"positive": {}}, "none named"),
    ],
)
def test_what_cannot_be_measured_is_refused(tmp_path: Path, fields: dict[str, Any], found: str) -> None:
    with pytest.raises(MeasurementRefused) as fault:
        ll144(people(tmp_path), **fields)
    assert found in fault.value.found


def test_a_category_in_two_lines_of_counts_is_refused(tmp_path: Path) -> None:
    lines = {"sex": ["Male", "Male"], "race_ethnicity": ["White"] * 2, "n": [5, 5], "selected": [1, 1]}
    with pytest.raises(MeasurementRefused, match="more than once"):
        ll144(write(tmp_path / "counts.csv", lines))


def test_an_unnamed_column_of_a_missing_table_stays_insufficient(tmp_path: Path) -> None:
    lines = {"table": ["sex"] * 2, "sex": ["Male", "Female"], "race_ethnicity": ["", ""], "n": [50] * 2}
    result = ll144(write(tmp_path / "counts.csv", {**lines, "selected": [20, 25]}))
    assert result.status is INSUFFICIENT
    assert control(result, "LL144-05")[1] == "ll144.nobody_known"
    assert FAILED not in {result.status}


@pytest.mark.parametrize(
    "params",
    [{"controls": ["LL144-99"]}, {"own_threshold": "0"}, {"own_threshold": "1.1"}, {"own_threshold": "1e999999999"}],
)
def test_parameters_that_mean_nothing_are_refused(params: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        LL144Params.model_validate(params)


def test_only_the_controls_that_a_policy_names_must_hold(tmp_path: Path) -> None:
    result = ll144(people(tmp_path), {"controls": ["LL144-04", "LL144-07"]}, audit=audit(summary_url=""))
    assert result.status is PASSED
    details: Any = result.details
    assert [one["id"] for one in details["controls"]] == ["LL144-04", "LL144-07"]
