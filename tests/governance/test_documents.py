"""Manifests and policies in the forms that users write them."""

from typing import Any

import pytest
import yaml

from governance.errors import InputRefused
from governance.types.manifest import Manifest
from governance.types.policy import Policy
from governance.types.value import decimal_text, duration, parse_value

DIGEST = "sha256:" + "9f" * 32
MANIFEST = f"""
kind: assay.evidence/v1
subject: {{namespace: mlflow://models.example, name: credit-line, version: "7", digest: {DIGEST}}}
dataset: {{namespace: s3://risk, name: holdout/2026-10, digest: {DIGEST}}}
predictions: {{uri: artifact:{DIGEST}, format: parquet, join_on: row_id}}
model: {{uri: artifact:{DIGEST}, format: skops}}
columns: {{row_id: row_id, label: defaulted, decision: approved, score: score, weight: null}}
positive: {{label: "no", decision: "yes"}}
threshold: null
sensitive: {{sex: {{groups: [female, male]}}, age: {{bins: [18, 25, 40, 65, 120]}}}}
intersections: [[sex, age]]
features: {{dictionary: artifact:{DIGEST}}}
seed: 20261124
"""
POLICY = """
kind: assay.policy/v1
name: prod-default
applies: {environments: [prod], risk_tiers: [high], jurisdictions: [EU]}
validity: P90D
evidence: {max_age: P30D, least_origin: attested}
checks:
  - {id: fairness, params: {metrics: [{name: selection_rate_ratio, limit: "0.8"}], sensitive: [sex, age]}}
  - {id: explainability, params: {undocumented_share: "0.01"}}
  - {id: gdpr, waivable: false, params: {rules: [R1, R2, R3, R6]}}
on_warn: review
"""


def changed(text: str, **changes: Any) -> dict[str, Any]:
    document: dict[str, Any] = yaml.safe_load(text)
    return document | changes


def test_a_full_manifest_and_a_full_policy_are_taken() -> None:
    manifest = parse_value(Manifest, changed(MANIFEST), what="a manifest")
    assert list(manifest.sensitive["age"].bins or ()) == [18.0, 25.0, 40.0, 65.0, 120.0]
    policy = parse_value(Policy, changed(POLICY), what="a policy")
    assert [check.id for check in policy.checks] == ["fairness", "explainability", "gdpr"]


def test_layout_and_comments_do_not_change_a_policys_digest() -> None:
    again = "# a comment\n" + yaml.safe_dump(yaml.safe_load(POLICY), default_flow_style=False)
    first = parse_value(Policy, yaml.safe_load(POLICY), what="a policy")
    assert first.value_digest() == parse_value(Policy, yaml.safe_load(again), what="a policy").value_digest()


@pytest.mark.parametrize(
    ("text", "changes", "pointer"),
    [
        (MANIFEST, {"kind": "assay.evidence/v2"}, "/kind"),
        (MANIFEST, {"seed": -1}, "/seed"),
        (MANIFEST, {"intersections": [["sex", "height"]]}, "/"),
        (MANIFEST, {"predictions": {"uri": "https://example.com/x", "format": "csv"}}, "/predictions/uri"),
        (MANIFEST, {"model": {"uri": f"artifact:{DIGEST}", "format": "pickle"}}, "/model/format"),
        (MANIFEST, {"surprise": 1}, "/surprise"),
        (POLICY, {"validity": "P3M"}, "/validity"),
        (POLICY, {"validity": "soon"}, "/validity"),
        (POLICY, {"approvals": [{"role": "approver", "count": 0}]}, "/approvals/0/count"),
        (POLICY, {"checks": [{"id": "fairness"}, {"id": "fairness"}]}, "/"),
        (POLICY, {"on_warn": "ignore"}, "/on_warn"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(text: str, changes: dict[str, Any], pointer: str) -> None:
    model: Any = Manifest if text is MANIFEST else Policy
    with pytest.raises(InputRefused) as refused:
        parse_value(model, changed(text, **changes), what="a document")
    assert refused.value.pointer == pointer


def test_numbers_are_printed_so_that_they_read_back_the_same() -> None:
    assert [decimal_text(number) for number in (0.1 + 0.2, 1.0, 5, -0.0, 1e22)] == [
        "0.30000000000000004", "1", "5", "0", "1e+22",
    ]  # fmt: skip
    for number in (float("nan"), float("inf")):
        with pytest.raises(InputRefused):
            decimal_text(number)


def test_durations_are_exact_spans_and_months_are_refused() -> None:
    assert duration("P1DT2H").total_seconds() == 26 * 3600
    assert duration("P2W").days == 14
    for text in ("P1M", "P1Y", "P", "PT", "90 days", ""):
        with pytest.raises(ValueError, match="ISO 8601"):
            duration(text)
