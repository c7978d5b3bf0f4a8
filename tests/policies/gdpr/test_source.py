"""R6: full records of all sources, and digests that match along the edges."""

from typing import Any

import pytest

from governance.canonical import digest
from governance.types.subject import Subject
from tests.policies.gdpr.build import ancestry, data, edge, fact, judged, model, reasons, record, run, simple, step


def test_a_full_record_and_matching_digests_pass() -> None:
    assert judged(simple(fact(record())), "R6").status == "passed"


@pytest.mark.parametrize(
    "field", ["controller", "purposes", "columns", "subjects", "retention", "location", "source", "lawful_basis"]
)
def test_each_field_of_a_full_record_is_needed(field: str) -> None:
    result = judged(simple(fact(record(**{field: None}))), "R6")
    assert (result.status, result.reason) == ("insufficient_evidence", "gdpr.R6.record_incomplete")
    assert result.findings[0].data["missing"] == [field]


def test_data_that_is_not_about_people_needs_no_basis() -> None:
    plain = record(columns=[], subjects=[], lawful_basis=None)
    assert judged(simple(fact(plain)), "R6").status == "passed"


def test_a_source_declared_unknown_fails() -> None:
    assert judged(simple(fact(record(source={"kind": "unknown"}))), "R6").reason == "gdpr.R6.source_unknown"


def test_bytes_read_that_differ_from_those_recorded_fail() -> None:
    edges = [edge("d", "t", role="input", read_digest=digest("others")), edge("t", "m", role="output")]
    result = judged(ancestry([data("d", fact(record())), model()], [run("t")], edges), "R6")
    assert (result.status, result.reason) == ("failed", "gdpr.R6.digest_differs")


def test_an_inferred_version_needs_a_look() -> None:
    edges = [edge("d", "t", role="input", version_inferred=True), edge("t", "m", role="output")]
    result = judged(ancestry([data("d", fact(record())), model()], [run("t")], edges), "R6")
    assert (result.status, reasons(result, "R6")) == ("warned", ["version_inferred"])


def test_a_version_without_a_digest_cannot_be_decided() -> None:
    assert judged(simple(fact(record()), digest=None), "R6").reason == "gdpr.R6.digest_unknown"


def test_a_model_known_under_another_digest_fails() -> None:
    other = Subject(namespace="models", name="credit", version="3", digest=digest("other"))
    assert judged(simple(fact(record())), "R6", subject=other).reason == "gdpr.R6.model_digest_differs"


@pytest.mark.parametrize(
    ("tier", "status"),
    [
        ("limited", "warned"),
        ("Minimal", "warned"),
        ("high", "insufficient_evidence"),
        (None, "insufficient_evidence"),
        ("hihg", "insufficient_evidence"),
    ],
)
def test_the_rule_blocks_unless_the_model_is_known_not_to_be_high_risk(tier: str | None, status: str) -> None:
    found = ancestry([data("d"), model(risk_tier=tier)], [run("t")], step(["d"], "t", "m"))
    result = judged(found, "R6")
    rules: Any = result.details["rules"]
    assert (result.status, rules["R6"]["status"]) == (status, "insufficient_evidence")


def test_the_policy_can_say_whether_the_model_is_high_risk() -> None:
    found = ancestry([data("d"), model(risk_tier="limited")], [run("t")], step(["d"], "t", "m"))
    assert judged(found, "R6", high_risk=True).status == "insufficient_evidence"
    assert judged(simple(), "R6", high_risk=False).status == "warned"


def test_rows_that_are_not_recorded_leave_the_score_undefined() -> None:
    result = judged(simple(fact(record()), row_count=None), "R6")
    score = next(figure for figure in result.figures if figure.name == "R6.score")
    assert (result.status, score.value, score.note) == ("passed", None, "rows not recorded: d")


def test_a_source_without_rows_weighs_nothing_and_still_needs_a_record() -> None:
    found = ancestry(
        [data("d", fact(record())), data("e", row_count=0), model()], [run("t")], step(["d", "e"], "t", "m")
    )
    result = judged(found, "R6")
    score = next(figure for figure in result.figures if figure.name == "R6.score")
    assert (result.status, score.value) == ("insufficient_evidence", "1")


def test_a_run_that_names_no_input_makes_its_output_a_source() -> None:
    found = ancestry(
        [data("d"), model()], [run("p"), run("t")], [edge("p", "d", role="output"), *step(["d"], "t", "m")]
    )
    assert judged(found, "R6").reason == "gdpr.R6.record_missing"


def test_a_cycle_without_a_way_in_needs_records_of_its_own() -> None:
    found = ancestry(
        [data("a"), data("b"), model()],
        [run("p"), run("q"), run("t")],
        [*step(["a"], "p", "b"), *step(["b"], "q", "a"), *step(["b"], "t", "m")],
    )
    assert reasons(judged(found, "R6"), "R6") == ["record_missing", "record_missing"]
