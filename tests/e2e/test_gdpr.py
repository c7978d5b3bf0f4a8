"""The rules over lineage as events tell it: a bank's records, a split, a training run, and the corrected record."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from governance.check import Facts
from governance.types.results import CheckResult
from governance.types.subject import Subject
from lineage.view import FileLineage
from policies.gdpr.check import CHECK
from policies.gdpr.params import GDPRParams
from tests.policies.gdpr.build import reasons, record, rule_status

LAKE = "s3://bank-lake"
COLUMNS = [
    {"path": "age", "categories": ["user.demographic.age_range"]},
    {"path": "race", "categories": ["user.demographic.race_ethnicity"]},
    {"path": "income", "categories": ["user.financial"]},
]


def digest(text: str) -> str:
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def dataset(name: str, namespace: str = LAKE, version: str | None = None, **facets: Any) -> dict[str, Any]:
    frame = {"_producer": "https://bank.example", "_schemaURL": "https://bank.example/facet.json"}
    said = {"version": {"datasetVersion": digest(version or name)}, **facets}
    return {"namespace": namespace, "name": name, "facets": {key: {**frame, **facet} for key, facet in said.items()}}


def made_from(source: str, **pairs: str) -> dict[str, Any]:
    fields = {
        field: {"inputFields": [{"namespace": LAKE, "name": source, "field": column}]}
        for field, column in pairs.items()
    }
    return {"fields": fields}


def run(number: int, job: str, day: str, inputs: list[Any], outputs: list[Any]) -> list[dict[str, Any]]:
    common = {
        "run": {"runId": f"0193e0aa-0000-7000-8000-00000000000{number}"},
        "job": {"namespace": "airflow", "name": job},
        "producer": "https://bank.example",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
    }
    return [
        {**common, "eventType": "START", "eventTime": f"{day}T00:00:00Z", "inputs": inputs},
        {**common, "eventType": "COMPLETE", "eventTime": f"{day}T01:00:00Z", "outputs": outputs},
    ]


def story(
    purposes: list[str], used: Mapping[str, str] | None, *, record_day: str = "2026-02-01"
) -> list[dict[str, Any]]:
    """A record, a split that keeps every column, and a training run that names the columns it ``used``, or none."""
    content = record(purposes=purposes, columns=COLUMNS, controller={"name": "Bank"}, rowCount=48842)
    content["retention"] = {"startsAt": "2026-01-01T00:00:00Z", "duration": "P5Y"}
    content["lawfulBasis"] = content.pop("lawful_basis")
    recorded = {
        "eventTime": f"{record_day}T00:00:00Z",
        "producer": "https://bank.example",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetEvent",
        "dataset": dataset("adult", assay_provenance=content),
    }
    kept = made_from("adult", age="age", race="race", income="income")
    described = {"contentDigest": digest("model"), "purposes": ["decision.credit"], "riskTier": "high"}
    said = {"columnLineage": made_from("adult/train", **used)} if used is not None else {}
    trained = dataset("credit-line/1", "mlflow://models", "model", assay_model=described, **said)
    return [
        recorded,
        *run(1, "split", "2026-03-01", [dataset("adult")], [dataset("adult/train", columnLineage=kept)]),
        *run(2, "train", "2026-03-02", [dataset("adult/train")], [trained]),
    ]


def judged(folder: Path, events: list[dict[str, Any]], *, at: str = "2026-04-01") -> CheckResult:
    file = folder / "events.json"
    file.write_text("\n".join(json.dumps(event) for event in events))
    facts = Facts(
        subject=Subject(namespace="mlflow://models", name="credit-line", version="1", digest=digest("model")),
        environment="prod",
        evaluated_at=datetime.fromisoformat(at).replace(tzinfo=UTC),
        lineage=FileLineage([file]),
    )
    return CHECK.judge(CHECK.measure(facts, GDPRParams()), GDPRParams())


WITHOUT_RACE = {"age": "age", "prediction": "income"}
COVERED = ["decision.credit", "train_ai_system"]


def test_purposes_that_do_not_cover_a_credit_decision_fail_the_first_rule(tmp_path: Path) -> None:
    result = judged(tmp_path, story(["analytics.reporting", "train_ai_system"], WITHOUT_RACE))
    assert (result.status, result.reason) == ("failed", "gdpr.R1.purpose_not_covered")
    assert result.message.startswith(
        "The recorded purposes of the data set adult (analytics.reporting, train_ai_system) do not cover "
        "decision.credit, which the model credit-line@1 needs."
    )


def test_the_corrected_record_passes_and_race_is_shown_not_to_reach_the_model(tmp_path: Path) -> None:
    result = judged(tmp_path, story(COVERED, WITHOUT_RACE))
    assert result.status == "passed"
    assert [rule_status(result, rule) for rule in ("R1", "R2", "R3", "R6")] == [
        "passed", "not_applicable", "passed", "passed",
    ]  # fmt: skip
    assert reasons(result, "R2") == ["not_reached"]


@pytest.mark.parametrize("used", [None, {**WITHOUT_RACE, "origin": "race"}])
def test_race_reaches_the_model_where_columns_are_not_named_or_name_it(
    tmp_path: Path, used: dict[str, str] | None
) -> None:
    result = judged(tmp_path, story(COVERED, used))
    assert (result.status, result.reason) == ("failed", "gdpr.R2.condition_missing")


def test_a_record_from_after_the_training_does_not_cure_it(tmp_path: Path) -> None:
    result = judged(tmp_path, story(COVERED, WITHOUT_RACE, record_day="2026-03-15"))
    assert (result.status, result.reason) == ("insufficient_evidence", "gdpr.R1.record_missing")


def test_facts_from_after_the_evaluation_are_not_seen(tmp_path: Path) -> None:
    result = judged(tmp_path, story(COVERED, WITHOUT_RACE), at="2026-02-15")
    assert (result.status, result.reason) == ("insufficient_evidence", "gdpr.unknown_subject")
