"""What differs between two policies, and what each difference does to a model that must meet them."""

from typing import Any

import pytest

from audits.catalog import read_policy
from audits.policy_changes import policy_changes
from governance.canonical import canonical


def changed(before: dict[str, Any], after: dict[str, Any]) -> list[tuple[str, str | None, str | None, str]]:
    documents = (
        {"kind": "assay.policy/v1", "name": "p", "checks": [{"id": "fairness"}], **one} for one in (before, after)
    )
    old, new = (read_policy(canonical(one)) for one in documents)
    return [(one.place, one.before, one.after, one.effect) for one in policy_changes(old, new)]


def fairness(**params: Any) -> dict[str, Any]:
    return {"checks": [{"id": "fairness", "params": params}]}


def line(check: str, **fields: Any) -> dict[str, Any]:
    return {"checks": [{"id": check, **fields}]}


def limit(name: str, value: str) -> dict[str, Any]:
    return fairness(metrics=[{"name": name, "limit": value}])


@pytest.mark.parametrize(
    ("before", "after", "place", "effect"),
    [
        ({}, {"checks": [{"id": "fairness"}, {"id": "gdpr"}]}, "gdpr", "tightens"),
        ({"checks": [{"id": "fairness"}, {"id": "gdpr"}]}, {}, "gdpr", "loosens"),
        (
            limit("selection_rate_ratio", "0.8"),
            limit("selection_rate_ratio", "0.9"),
            "fairness.selection_rate_ratio",
            "tightens",
        ),
        (
            limit("selection_rate_ratio", "0.8"),
            limit("selection_rate_ratio", "0.70"),
            "fairness.selection_rate_ratio",
            "loosens",
        ),
        (
            limit("selection_rate_difference", "0.1"),
            limit("selection_rate_difference", "0.2"),
            "fairness.selection_rate_difference",
            "loosens",
        ),
        (fairness(sensitive=["sex"]), fairness(), "fairness.sensitive", "tightens"),
        (fairness(), fairness(sensitive=["sex"]), "fairness.sensitive", "loosens"),
        (fairness(sensitive=["sex"]), fairness(sensitive=["sex", "race"]), "fairness.sensitive", "tightens"),
        (fairness(sensitive=["sex"]), fairness(sensitive=["race"]), "fairness.sensitive", "both"),
        (fairness(), fairness(mode="as_written"), "fairness.mode", "both"),
        (fairness(), fairness(inconclusive="warn"), "fairness.inconclusive", "loosens"),
        (
            line("performance", params={"at_least": "0.8"}),
            line("performance", params={}),
            "performance.at_least",
            "loosens",
        ),
        (
            line("performance", params={"min_rows": 30}),
            line("performance", params={"min_rows": 100}),
            "performance.min_rows",
            "tightens",
        ),
        (
            line("explainability"),
            line("explainability", params={"gap_share": None}),
            "explainability.gap_share",
            "loosens",
        ),
        (
            line("explainability"),
            line("explainability", params={"gap_share": "0.1"}),
            "explainability.gap_share",
            "tightens",
        ),
        (
            line("explainability"),
            line("explainability", params={"forbidden": ["sex"]}),
            "explainability.forbidden",
            "tightens",
        ),
        (line("gdpr"), line("gdpr", params={"rules": ["R1"]}), "gdpr.rules", "loosens"),
        (line("gdpr"), line("gdpr", waivable=False), "gdpr.waivable", "tightens"),
        (line("gdpr"), line("gdpr", severity="medium"), "gdpr.severity", "loosens"),
        ({"validity": "P90D"}, {"validity": "P30D"}, "validity", "tightens"),
        ({"evidence": {"max_age": "P30D"}}, {"evidence": {"max_age": "P5W"}}, "evidence.max_age", "loosens"),
        (
            {"evidence": {"least_origin": "attested"}},
            {"evidence": {"least_origin": "measured"}},
            "evidence.least_origin",
            "tightens",
        ),
        ({"on_warn": "review"}, {"on_warn": "allow"}, "on_warn", "loosens"),
        ({}, {"approvals": [{"role": "approver", "count": 2}]}, "approvals.approver", "tightens"),
        ({}, {"attestations": [{"kind": "dpia"}]}, "attestations.dpia", "tightens"),
        (
            {"attestations": [{"kind": "dpia", "max_age": "P30D"}]},
            {"attestations": [{"kind": "dpia"}]},
            "attestations.dpia",
            "loosens",
        ),
        ({"applies": {"environments": ["prod"]}}, {}, "applies.environments", "both"),
        ({}, {"effective": {"from": "2026-12-01"}}, "effective.from", "both"),
        ({}, {"title": "Other"}, "title", "none"),
    ],
)
def test_each_difference_is_named_with_its_effect(
    before: dict[str, Any], after: dict[str, Any], place: str, effect: str
) -> None:
    assert [(found[0], found[3]) for found in changed(before, after) if found[0] == place] == [(place, effect)]


def test_the_same_policy_in_other_words_does_not_differ() -> None:
    written = {
        "checks": [{"id": "fairness", "severity": "high", "params": {"mode": "statistical"}}],
        "on_warn": "review",
    }
    assert changed({}, written) == []


def test_before_and_after_are_said() -> None:
    assert changed({"validity": "P90D"}, {"validity": "P30D"}) == [("validity", "P90D", "P30D", "tightens")]
    found = changed(limit("selection_rate_ratio", "0.8"), limit("selection_rate_difference", "0.1"))
    assert found == [
        ("fairness.selection_rate_difference", None, "0.1", "tightens"),
        ("fairness.selection_rate_ratio", "0.8", None, "loosens"),
    ]
