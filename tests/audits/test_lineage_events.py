"""What the gate tells lineage: valid events of the standard, whatever was decided about whatever name."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openlineage.client.serde import Serde

from audits.lineage_events import Speaker, fitting, gate_events
from governance.types.decision import CheckOutcome, Decision
from governance.types.manifest import DatasetFile, Manifest
from governance.types.policy import PolicyReference
from governance.types.results import CheckResult, CheckStatus, Figure, Reason, Verdict
from governance.types.subject import Subject
from governance.types.value import Severity
from lineage.conformance import findings, strict_fault
from lineage.identity import name_fault
from lineage.receiving import parse_event
from lineage.transports import client_event

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
DIGEST = "sha256:" + "ab" * 32
SPEAKER = Speaker("assay://gate.example", "assay://gate.example/versions/1.2.3", "https://gate.example:8443/assay")
names = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=40)


def outcome(check: str, status: CheckStatus, *figures: Figure, **parts: Any) -> CheckOutcome:
    result = CheckResult(
        check=check,
        check_version="1",
        status=status,
        reason=f"{check}.{status.value}",
        message=f"{check} ended as {status.value}",
        figures=figures,
        **parts,
    )
    return CheckOutcome(id=check, title=check.title(), severity=Severity.HIGH, reason_planned="policy", result=result)


def decision(*checks: CheckOutcome, subject: Subject | None = None, **parts: Any) -> Decision:
    return Decision.model_validate(
        {
            "decision_id": "01957a38-77c2-7e0f-a1d4-0b9c8d7e6f50",
            "origin": "gate.example/log",
            "verdict": Verdict.DENY,
            "reasons": (Reason(code="fairness.below_limit", check="fairness", message="0.27 is below 0.8"),),
            "checks": checks,
            "subject": subject or Subject(namespace="mlflow://m", name="credit", version="7", digest=DIGEST),
            "environment": "prod",
            "policy": PolicyReference(name="fair", version=3, digest=DIGEST),
            "engine": "assay 1.2.3",
            "evaluated_at": NOON,
            "input_digest": DIGEST,
            "nonce": "00" * 16,
            **parts,
        }
    )


def manifest(of: Decision, dataset: DatasetFile | None) -> Manifest:
    return Manifest(kind="assay.evidence/v1", subject=of.subject, dataset=dataset)


def told(of: Decision, data: DatasetFile | None = None) -> tuple[dict[str, Any], dict[str, Any]]:
    start, end = gate_events(SPEAKER, of, DIGEST, manifest(of, data), requested_at=NOON - timedelta(seconds=9))
    return json.loads(start), json.loads(end)


def test_a_deny_is_a_complete_run_of_the_models_gate_that_reads_model_and_data_and_writes_a_report() -> None:
    denied = decision(outcome("fairness", CheckStatus.FAILED, observed="0.27", limit="0.8", n="400"))
    start, end = told(denied, DatasetFile(namespace="s3://lake", name="holdout"))
    assert (start["eventType"], end["eventType"]) == ("START", "COMPLETE")
    assert (start["eventTime"], end["eventTime"]) == ("2026-03-01T11:59:51Z", "2026-03-01T12:00:00Z")
    assert (end["job"]["namespace"], end["job"]["name"]) == ("assay://gate.example", "gate/credit")
    kind = end["job"]["facets"]["jobType"]
    assert (kind["processingType"], kind["integration"], kind["jobType"]) == ("BATCH", "ASSAY", "GATE")
    assert [(item["namespace"], item["name"]) for item in end["inputs"]] == [
        ("mlflow://m", "credit/7"),
        ("s3://lake", "holdout"),
    ]
    assert [(item["namespace"], item["name"]) for item in end["outputs"]] == [
        ("assay://gate.example", f"reports/credit/7/{denied.decision_id}")
    ]
    assert (start["inputs"], start["outputs"]) == ([], [])


def test_the_mention_of_the_model_says_nothing_about_it() -> None:
    _, end = told(decision(outcome("fairness", CheckStatus.PASSED)))
    assert end["inputs"] == [{"namespace": "mlflow://m", "name": "credit/7", "facets": {}, "inputFacets": {}}]


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (CheckStatus.PASSED, ("pass", "error")),
        (CheckStatus.FAILED, ("fail", "error")),
        (CheckStatus.WARNED, ("fail", "warn")),
        (CheckStatus.WAIVED, ("fail", "warn")),
        (CheckStatus.INSUFFICIENT_EVIDENCE, ("skip", "error")),
        (CheckStatus.ERROR, ("skip", "error")),
        (CheckStatus.NOT_RUN, ("skip", "error")),
        (CheckStatus.NOT_APPLICABLE, ("skip", "warn")),
    ],
)
def test_each_check_is_one_test_in_the_standards_words(status: CheckStatus, expected: tuple[str, str]) -> None:
    _, end = told(decision(outcome("fairness", CheckStatus.PASSED), outcome("gdpr", status, observed="1", limit="0")))
    tests = end["run"]["facets"]["test"]["tests"]
    assert [test["name"] for test in tests] == ["fairness", "gdpr"]
    assert (tests[1]["status"], tests[1]["severity"]) == expected
    assert (tests[1]["actual"], tests[1]["expected"], tests[1]["params"]["status"]) == ("1", "0", status.value)


@pytest.mark.parametrize(
    "checks",
    [
        (),
        (outcome("fairness", CheckStatus.NOT_RUN),),
        (outcome("a", CheckStatus.ERROR), outcome("b", CheckStatus.ERROR)),
    ],
)
def test_a_run_that_could_examine_nothing_fails_and_says_why(checks: tuple[CheckOutcome, ...]) -> None:
    _, end = told(decision(*checks, verdict=Verdict.INDETERMINATE))
    assert end["eventType"] == "FAIL"
    assert end["run"]["facets"]["errorMessage"]["message"] == "0.27 is below 0.8"
    assert end["run"]["facets"]["assay_decision"]["verdict"] == "indeterminate"


def test_one_check_that_was_answered_makes_the_run_complete() -> None:
    _, end = told(decision(outcome("a", CheckStatus.ERROR), outcome("b", CheckStatus.INSUFFICIENT_EVIDENCE)))
    assert end["eventType"] == "COMPLETE"


def test_rules_of_the_schema_check_become_assertions_on_the_evaluation_data() -> None:
    def rule(name: str, failures: str | None, status: CheckStatus) -> Figure:
        group = {"column": "age", "expected": "at least 18"}
        return Figure(name=f"failures of {name}", value=failures, n="50", limit="0", group=group, status=status)

    figures = (rule("in_range", "3", CheckStatus.FAILED), rule("nullable", "0", CheckStatus.PASSED))
    checked = decision(
        outcome("schema", CheckStatus.FAILED, *figures),
        outcome("quality", CheckStatus.NOT_RUN),
        outcome("fairness", CheckStatus.PASSED),
    )
    _, end = told(checked, DatasetFile(namespace="s3://lake", name="holdout"))
    assertions = end["inputs"][1]["inputFacets"]["dataQualityAssertions"]["assertions"]
    assert [(item["assertion"], item["column"], item["success"]) for item in assertions] == [
        ("in_range", "age", False),
        ("not_null", "age", True),
    ]
    assert (assertions[0]["actual"], assertions[0]["expected"]) == ("3", "0")


def test_our_facet_names_its_schema_under_the_instances_own_address() -> None:
    _, end = told(decision(outcome("fairness", CheckStatus.PASSED)))
    facet = end["run"]["facets"]["assay_decision"]
    assert facet["_schemaURL"] == "https://gate.example:8443/assay/spec/facets/1-0-0/AssayDecisionRunFacet.json"
    assert (facet["subjectDigest"], facet["decisionDigest"], facet["policy"]["name"]) == (DIGEST, DIGEST, "fair")
    assert facet["reasons"] == ["fairness.below_limit"]


@given(
    namespace=names,
    name=names | st.text("x/", min_size=2000, max_size=2048),
    version=names | st.text("y", min_size=2000, max_size=2048),
    data=st.none() | st.builds(DatasetFile, namespace=names, name=names, digest=st.sampled_from([None, DIGEST])),
    statuses=st.lists(st.sampled_from(list(CheckStatus)), max_size=4),
    verdict=st.sampled_from([Verdict.ALLOW, Verdict.DENY, Verdict.INDETERMINATE]),
)
def test_every_event_is_valid_and_known_to_the_official_client_by_the_same_bytes(
    *,
    namespace: str,
    name: str,
    version: str,
    data: DatasetFile | None,
    statuses: list[CheckStatus],
    verdict: Verdict,
) -> None:
    subject = Subject(namespace=namespace, name=name, version=version, digest=DIGEST)
    checks = [outcome(f"check-{place}", status) for place, status in enumerate(statuses)]
    decided = decision(*checks, subject=subject, verdict=verdict, valid_until=NOON)
    for body in gate_events(SPEAKER, decided, DIGEST, manifest(decided, data), requested_at=NOON):
        event = parse_event(body)
        assert findings(event) == ()
        assert strict_fault(event) is None
        assert event.body == body
        assert Serde.to_json(client_event(body)).encode() == body


@given(st.text(min_size=1, max_size=3000))
def test_a_name_that_lineage_does_not_take_is_told_apart_by_its_digest(name: str) -> None:
    assert name_fault(fitting(name)) is None
    assert (fitting(name) == name) == (name_fault(name) is None)
    assert name_fault(name) is None or fitting(name) != fitting(name + "x")
