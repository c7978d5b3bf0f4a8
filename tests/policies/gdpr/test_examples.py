"""The two worked examples of the design, rules R1, R2, R3 and R6, as they are written there."""

from typing import Any

import pytest

from governance.canonical import digest
from governance.types.ancestry import Ancestry
from governance.types.results import CheckResult
from governance.types.subject import Subject
from tests.policies.gdpr.build import (
    ancestry,
    data,
    day,
    edge,
    fact,
    judged,
    model,
    reasons,
    record,
    rule_status,
    run,
    step,
)


@pytest.fixture(scope="module")
def credit() -> CheckResult:
    return judged(credit_lineage())


@pytest.fixture(scope="module")
def premium() -> CheckResult:
    return judged(
        premium_lineage(),
        subject=Subject(namespace="models", name="premium", version="2", digest=digest("premium")),
    )


def credit_lineage() -> Ancestry:
    applications = record(columns=[{"path": "income", "categories": ["user.financial"]}])
    clicks = record(
        lawful_basis="A6-1-a",
        purposes=["marketing"],
        columns=[{"path": "clicks", "categories": ["user.behavior"]}],
        retention={"starts_at": "2026-02-15T00:00:00Z", "duration": "P6M"},
    )
    ethnicity = record(
        purposes=["train_ai_system.bias_evaluation"],
        columns=[{"path": "ethnicity", "categories": ["user.demographic.race_ethnicity"]}],
        use_restriction="bias_evaluation_only",
        art9_conditions=[
            {"condition": "A9-2-g", "purposes": ["train_ai_system.bias_evaluation"], "law_ref": "AI Act 10(5)"}
        ],
        retention={"starts_at": "2026-06-01T00:00:00Z", "duration": "P1Y"},
    )
    return ancestry(
        [
            data("applications", fact(applications)),
            data("web_clicks", fact(clicks)),
            data("ethnicity", fact(ethnicity)),
            data("features"),
            data("report"),
            model(),
        ],
        [run("prep", started_at=day("2026-08-31")), run("train"), run("bias", job_type="BIAS_EVALUATION")],
        [
            *step({"applications": ["income"], "web_clicks": ["clicks"]}, "prep", "features"),
            *step({"features": ["income", "clicks_30d"]}, "train", "m"),
            edge("m", "bias", role="input"),
            *step(["ethnicity"], "bias", "report"),
        ],
    )


def premium_lineage() -> Ancestry:
    common: dict[str, Any] = {
        "lawful_basis": "A6-1-f",
        "purposes": ["decision.insurance", "train_ai_system"],
        "columns": [{"path": "diagnosis", "categories": ["user.health_and_medical"]}],
        "subjects": ["customer"],
        "retention": {"starts_at": "2025-01-01T00:00:00Z", "duration": "P3Y"},
        "source": {"kind": "third_party", "obtained_at": "2025-01-15T00:00:00Z"},
        "art9_conditions": [
            {"condition": "A9-2-a", "purposes": ["decision.insurance"], "valid_to": "2026-10-01T00:00:00Z"},
            {
                "condition": "A9-2-j",
                "purposes": ["analytics"],
                "law_ref": "a law",
                "valid_from": "2026-10-01T00:00:00Z",
            },
        ],
    }
    synth = record(
        purposes=None,
        columns=None,
        subjects=None,
        retention=None,
        source={"kind": "synthetic"},
        protection={"level": "anonymised"},
    )
    own = model(name="premium/2", content_digest=digest("premium"), purposes=("decision.insurance",))
    return ancestry(
        [
            data("claims", fact(record(**common), valid_from="2025-01-15"), row_count=8000),
            data("synth", fact(synth, valid_from="2025-02-01")),
            data("postcode", row_count=2000),
            data("table"),
            own,
        ],
        [run("generate", started_at=day("2025-02-01")), run("prep"), run("train", started_at=day("2026-05-04"))],
        [
            *step(["claims"], "generate", "synth"),
            *step(["synth", "postcode"], "prep", "table"),
            *step(["table"], "train", "m"),
        ],
    )  # fmt: skip


def test_credit_fails_purpose_because_clicks_were_collected_for_marketing(credit: CheckResult) -> None:
    assert rule_status(credit, "R1") == "failed"
    assert reasons(credit, "R1")[0] == "purpose_not_covered"
    finding = credit.findings[0]
    assert finding.message == (
        "The recorded purposes of the data set web_clicks (marketing) do not cover decision.credit, train_ai_system, "
        "which the model credit@3 needs."
    )
    path = finding.data["paths"]
    assert isinstance(path, list)
    assert len(path) == 1
    first: Any = path[0]
    assert first["precision"] == finding.data["precision"] == "column"
    named = [node["name"] if node["kind"] == "dataset" else node["run_id"] for node in first["nodes"]]
    assert named == ["web_clicks", "id-prep", "features", "id-train", "credit/3"]


def test_credit_passes_special_categories_because_only_the_bias_run_reads_ethnicity(credit: CheckResult) -> None:
    assert rule_status(credit, "R2") == "passed"
    assert reasons(credit, "R2") == []


def test_credit_fails_retention_for_the_training_and_for_both_stored_copies(credit: CheckResult) -> None:
    assert rule_status(credit, "R3") == "failed"
    assert reasons(credit, "R3") == ["copy_still_stored", "retention_ended_before_training"]
    messages = [finding.message for finding in credit.findings if finding.code.startswith("gdpr.R3.")]
    assert messages == [
        "The retention of the data set web_clicks ended on 2026-08-15T00:00:00Z, and no deletion is recorded of: "
        "features, web_clicks.",
        "The retention of the data set web_clicks ended on 2026-08-15T00:00:00Z, before the training on "
        "2026-09-01T00:00:00Z.",
    ]


def test_credit_passes_known_sources_with_score_one() -> None:
    upstream = credit_lineage()
    result = judged(upstream, "R6")
    assert rule_status(result, "R6") == "passed"
    assert [figure.value for figure in result.figures if figure.name == "R6.score"] == ["1"]


def test_premium_cannot_decide_purpose_and_retention_for_want_of_a_record(premium: CheckResult) -> None:
    for rule in ("R1", "R3"):
        assert rule_status(premium, rule) == "insufficient_evidence"
        assert reasons(premium, rule) == ["record_missing"]


def test_premium_fails_special_categories_because_the_condition_lapsed(premium: CheckResult) -> None:
    assert rule_status(premium, "R2") == "failed"
    finding = next(each for each in premium.findings if each.code == "gdpr.R2.condition_missing")
    assert finding.data["when"] == ["evaluation 2026-11-02T00:00:00Z"]
    assert finding.data["precision"] == "dataset"
    assert "no condition of Art. 9(2) is recorded that covers decision.insurance" in finding.message
    paths: Any = finding.data["paths"]
    assert [node.get("name", node.get("job")) for node in paths[0]["nodes"]] == [
        "claims", "generate", "synth", "prep", "table", "train", "premium/2",
    ]  # fmt: skip


def test_premium_cannot_decide_its_sources_and_scores_eight_of_ten_thousand_rows(premium: CheckResult) -> None:
    assert rule_status(premium, "R6") == "insufficient_evidence"
    score = next(figure for figure in premium.figures if figure.name == "R6.score")
    assert (score.numerator, score.denominator, score.value) == ("8000", "10000", "0.8")
    rules: Any = premium.details["rules"]
    assert rules["R6"]["effect"] == "block"


def test_the_worst_rule_decides_the_check(credit: CheckResult, premium: CheckResult) -> None:
    assert (credit.status, credit.reason) == ("failed", "gdpr.R1.purpose_not_covered")
    assert (premium.status, premium.reason) == ("failed", "gdpr.R2.condition_missing")
