"""JUnit XML as junitparser reads it, which is not ours."""

from typing import Any

import pytest
from hypothesis import given, settings
from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from governance.formats.junit import junit
from tests.governance.formats.material import EVERY_STATUS, answer, check, hostile_answers


def suites(*answers: dict[str, Any]) -> list[TestSuite]:
    return list(JUnitXml.fromstring(junit(answers).encode("utf-8")))


def outcomes(suite: TestSuite) -> dict[str, list[type]]:
    return {case.name: [type(result) for result in case.result] for case in suite}


def test_failures_errors_and_skips_are_kept_apart() -> None:
    suite = suites(EVERY_STATUS)[0]
    assert outcomes(suite) == {
        "verdict": [Failure], "passed": [], "warned": [], "failed": [Failure], "insufficient_evidence": [Error],
        "error": [Error], "not_run": [Error], "not_applicable": [Skipped], "waived": [Skipped], "new": [Error],
        "policy.reason": [Error],
    }  # fmt: skip
    assert (suite.tests, suite.failures, suite.errors, suite.skipped) == (11, 2, 5, 2)


def test_a_skip_says_why_and_a_failure_what_to_do() -> None:
    cases: dict[str, TestCase] = {case.name: case for case in suites(EVERY_STATUS)[0]}
    assert "w-17" in cases["waived"].result[0].message
    assert "Retrain it." in cases["failed"].result[0].text
    assert "warned says warned" in cases["warned"].system_out


@pytest.mark.parametrize(
    ("verdict", "expected"),
    [("allow", []), ("deny", [Failure]), ("indeterminate", [Error]), ("pending", [Error]), ("tomorrow", [Error])],
)
def test_the_verdict_is_a_case_so_that_no_checks_is_not_a_green_report(verdict: str, expected: list[type]) -> None:
    silent = answer(verdict) | {"checks": []}
    assert outcomes(suites(silent)[0]) == {"verdict": expected}


def test_each_model_is_a_suite_and_the_totals_are_theirs() -> None:
    whole = JUnitXml.fromstring(junit([answer(), answer("deny", check(status="failed"))]).encode())
    assert (whole.tests, whole.failures, whole.errors) == (4, 2, 0)
    assert [suite.name for suite in whole] == ["assay gate: credit-line@7 to prod"] * 2
    assert [kind for case in next(iter(whole)) for kind in case.result] == []


@settings(max_examples=150, deadline=None)
@given(hostile=hostile_answers())
def test_whatever_names_hold_the_report_is_read_and_shows_as_many_cases(hostile: dict[str, Any]) -> None:
    suite = suites(hostile)[0]
    alone = [each for each in hostile["reasons"] if not each["check"]]
    assert suite.tests == len(list(suite)) == 1 + len(hostile["checks"]) + len(alone)
    if hostile["verdict"] != "allow":
        assert suite.failures + suite.errors > 0
