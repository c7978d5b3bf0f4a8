"""SARIF held to the schema of the standard."""

import json
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import unquote

from hypothesis import given, settings
from jsonschema import Draft4Validator

from governance.formats import sarif as module
from governance.formats.sarif import MOST_BYTES, MOST_RESULTS, sarif
from tests.governance.formats.material import EVERY_STATUS, answer, check, hostile_answers

SCHEMA = Path(__file__).parents[2] / "support" / "schemas" / "sarif-2.1.0.json"


@cache
def validator() -> Draft4Validator:
    """The schema of SARIF 2.1.0, as OASIS and SchemaStore publish it."""
    return Draft4Validator(json.loads(SCHEMA.read_text()), format_checker=Draft4Validator.FORMAT_CHECKER)


def run_of(*answers: dict[str, Any], location: str = "model") -> dict[str, Any]:
    log = json.loads(sarif(answers, version="0.1.0", location=location))
    validator().validate(log)
    run: dict[str, Any] = log["runs"][0]
    return run


def test_what_blocks_or_warns_is_a_result_and_what_passed_is_none() -> None:
    run = run_of(EVERY_STATUS)
    levels = {result["ruleId"]: result["level"] for result in run["results"]}
    assert levels == {
        "gate.deny": "error", "warned.warned": "warning", "failed.failed": "error", "error.error": "error",
        "insufficient_evidence.insufficient_evidence": "error", "not_run.not_run": "error", "waived.waived": "error",
        "new.a status of tomorrow": "error", "policy.reason": "error",
    }  # fmt: skip
    for result in run["results"]:
        assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == result["ruleId"]


def test_a_waiver_is_a_suppression_and_nothing_else_is() -> None:
    suppressed = [result for result in run_of(EVERY_STATUS)["results"] if "suppressions" in result]
    assert [result["ruleId"] for result in suppressed] == ["waived.waived"]
    assert "w-17" in suppressed[0]["suppressions"][0]["justification"]


def test_an_allow_without_warnings_is_an_empty_run() -> None:
    assert run_of(answer())["results"] == []


def test_fingerprints_stay_from_run_to_run_and_differ_within_one() -> None:
    first, again = (
        [each["partialFingerprints"]["assayItem/v1"] for each in run_of(one)["results"]]
        for one in (EVERY_STATUS, EVERY_STATUS | {"decision_id": "another"})
    )
    assert first == again
    assert len(set(first)) == len(first)


def test_the_place_is_a_uri() -> None:
    run = run_of(EVERY_STATUS, location="models/ä b#1.skops")
    uri = run["results"][0]["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
    assert (unquote(uri), "#" in uri, " " in uri) == ("models/ä b#1.skops", False, False)


def test_at_most_five_thousand_results_are_written_and_the_rest_is_counted() -> None:
    many = answer("deny", *(check(f"c{number}", "failed") for number in range(MOST_RESULTS + 9)))
    run = run_of(many, answer("deny", check("gone", "error")))
    assert len(run["results"]) == MOST_RESULTS
    assert "12 more results" in run["invocations"][0]["toolExecutionNotifications"][0]["message"]["text"]
    assert run["results"][0]["ruleId"] == "gone.error", "what could not be shown at all comes first"


def test_long_texts_keep_the_log_within_ten_megabytes() -> None:
    wordy = answer("deny", *(check(f"c{number}", "failed", message="ä" * 9_000) for number in range(4_000)))
    text = sarif([wordy], version="0.1.0")
    assert len(text.encode()) <= MOST_BYTES
    assert 0 < len(json.loads(text)["runs"][0]["results"]) < 4_000
    assert module.LONGEST_TEXT < 9_000


@settings(max_examples=60, deadline=None)
@given(hostile=hostile_answers())
def test_whatever_names_hold_the_log_is_valid(hostile: dict[str, Any]) -> None:
    run = run_of(hostile)
    assert run["results"] or hostile["verdict"] == "allow"
