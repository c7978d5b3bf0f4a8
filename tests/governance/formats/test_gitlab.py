"""GitLab's code quality report: each field that its documentation requires, with a value that it names."""

import json
from typing import Any

from hypothesis import given, settings

from governance.formats.gitlab import code_quality
from tests.governance.formats.material import EVERY_STATUS, answer, hostile_answers

SEVERITIES = {"info", "minor", "major", "critical", "blocker"}


def report(*answers: dict[str, Any]) -> list[dict[str, Any]]:
    """The report, held to "Code Quality report format" of GitLab's documentation."""
    text = code_quality(answers, location="models/credit.skops")
    assert not text.startswith("\ufeff"), "GitLab does not take a byte order mark"
    entries: list[dict[str, Any]] = json.loads(text)
    for entry in entries:
        assert isinstance(entry["description"], str)
        assert entry["description"]
        assert entry["check_name"]
        assert entry["severity"] in SEVERITIES
        assert not entry["location"]["path"].startswith("./")
        assert entry["location"]["lines"]["begin"] == 1
    assert len({entry["fingerprint"] for entry in entries}) == len(entries)
    return entries


def test_what_blocks_weighs_more_than_what_warns() -> None:
    found = {entry["check_name"]: entry["severity"] for entry in report(EVERY_STATUS)}
    assert found["assay/failed"] == found["assay/verdict"] == "blocker"
    assert found["assay/warned"] == "minor"
    assert not {"assay/passed", "assay/waived", "assay/not_applicable"} & set(found)


def test_an_allow_without_warnings_is_an_empty_report() -> None:
    assert report(answer()) == []


def test_the_same_answer_twice_has_fingerprints_of_its_own() -> None:
    assert len(report(EVERY_STATUS, EVERY_STATUS)) == 2 * len(report(EVERY_STATUS))


def test_a_new_version_of_a_model_keeps_the_fingerprints() -> None:
    newer = EVERY_STATUS | {"subject": EVERY_STATUS["subject"] | {"version": "8"}}
    assert [each["fingerprint"] for each in report(EVERY_STATUS)] == [each["fingerprint"] for each in report(newer)]


@settings(max_examples=150, deadline=None)
@given(hostile=hostile_answers())
def test_whatever_names_hold_the_report_is_whole(hostile: dict[str, Any]) -> None:
    entries = report(hostile)
    assert entries or hostile["verdict"] == "allow"
    assert all("\n" not in entry["description"] for entry in entries)
