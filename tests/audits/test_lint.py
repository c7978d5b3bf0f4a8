"""What is wrong with the text of a policy is named with its line, and no text brings the reader down."""

import json
from datetime import date
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from audits.catalog import pack, read_policy
from audits.lint import lint
from governance.errors import AssayError, MalformedBody

TODAY = date(2026, 11, 25)
TEXT = """\
kind: assay.policy/v1
name: fair
checks:
  - id: fairness
    params:
      metrics: [{name: selection_rate_ratio, limit: "0.8"}]
"""


def told(text: str | bytes) -> list[tuple[str, str, int | None]]:
    found = lint(text if isinstance(text, bytes) else text.encode(), today=TODAY)
    return [(one.code, one.pointer, one.line) for one in found]


def written(**changes: Any) -> str:
    return yaml.safe_dump({**yaml.safe_load(TEXT), **changes}, sort_keys=False)


def test_a_sound_policy_has_no_findings() -> None:
    assert told(TEXT) == []


def test_every_fault_is_named_with_its_line() -> None:
    text = TEXT.replace('"0.8"', '"1.5"').replace("name: fair", "name: Fair\nnaem: fair")
    found = told(text)
    assert ("policy.form", "/name", 2) in found
    assert ("policy.form", "/naem", 3) in found
    assert ("policy.params", "/checks/0/params/metrics/0", 6) in told(TEXT.replace('"0.8"', '"1.5"'))


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        (TEXT.replace("id: fairness", "id: fairnes"), "policy.unknown_check", 4),
        (TEXT.replace("      metrics", "      metircs"), "policy.params", 6),
        (TEXT + "name: other\n", "policy.doubled_key", 7),
        ("kind: assay.policy/v1\nname: fair\nchecks: []\n", "policy.no_checks", 3),
        ("kind: assay.policy/v1\nname: [fair\n", "policy.syntax", 3),
        ("a: 2026-13-45\n", "policy.syntax", None),
        ("", "policy.form", None),
        (TEXT + "validity: P0D\n", "policy.never_passes", 7),
        (TEXT + "validity: P1M\n", "policy.form", 7),
        (TEXT + "applies: {environments: ['prod ']}\n", "policy.unreachable", 7),
    ],
)
def test_an_error_refuses(text: str, code: str, line: int | None) -> None:
    found = lint(text.encode(), today=TODAY)
    assert (code, line) in [(one.code, one.line) for one in found if one.level == "error"], found


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        (
            {"checks": [{"id": "fairness", "params": {"metrics": [{"name": "selection_rate_ratio", "limit": "1"}]}}]},
            "policy.never_passes",
        ),
        (
            {
                "checks": [
                    {"id": "fairness", "params": {"metrics": [{"name": "selection_rate_difference", "limit": "1"}]}}
                ]
            },
            "policy.never_fails",
        ),
        (
            {
                "checks": [
                    {"id": "fairness", "params": {"metrics": [{"name": "selection_rate_difference", "limit": "0"}]}}
                ]
            },
            "policy.never_passes",
        ),
        ({"checks": [{"id": "performance", "params": {"at_least": "1.0"}}]}, "policy.never_passes"),
        ({"checks": [{"id": "explainability", "params": {"gap_share": "1"}}]}, "policy.never_fails"),
        (
            {
                "checks": [
                    {
                        "id": "explainability",
                        "params": dict.fromkeys(("sensitive_share", "gap_share", "undocumented_share")),
                    }
                ]
            },
            "policy.never_fails",
        ),
        ({"applies": {"environments": ["prod", "prod"]}}, "policy.doubled_place"),
        (
            {"applies": {"jurisdictions": ["US", "US-NY-NYC"]}, "effective": {"law": "x", "confirmed": True}},
            "policy.doubled_place",
        ),
        ({"applies": {"jurisdictions": ["US"]}}, "policy.undated_law"),
        ({"effective": {"until": date(2026, 11, 25), "law": "x", "confirmed": True}}, "policy.past_law"),
        ({"effective": {"from": date(2026, 11, 26), "law": "x", "confirmed": True}}, "policy.future_law"),
        ({"effective": {"from": date(2026, 1, 1), "law": "x"}}, "policy.unconfirmed_law"),
        ({"effective": {"from": date(2026, 1, 1), "confirmed": True}}, "policy.unnamed_law"),
        ({"evidence": {"max_age": "P3000D"}}, "policy.old_evidence"),
    ],
)
def test_a_warning_names_what_will_surprise(changes: dict[str, Any], code: str) -> None:
    found = lint(written(**changes).encode(), today=TODAY)
    assert [(one.level, one.code) for one in found] == [("warning", code)]


@pytest.mark.parametrize("name", ["baseline", "eu-gdpr", "us-ecoa-regb", "us-eeoc-ugesp", "us-nyc-ll144"])
def test_packs_that_ship_have_no_errors_and_say_that_nobody_here_confirmed_them(name: str) -> None:
    found = {(one.level, one.code) for one in lint(pack(name), today=TODAY)}
    assert found <= {("warning", "policy.unconfirmed_law")}
    assert bool(found) == (name != "baseline")


def test_a_key_that_stands_twice_is_refused_and_not_only_named() -> None:
    with pytest.raises(MalformedBody) as refused:
        read_policy(TEXT.replace("    params", "    params: {}\n    params").encode())
    assert "/checks/0/params" in refused.value.found


def test_aliases_may_neither_multiply_nor_hold_themselves() -> None:
    bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n"
    for name, inner in zip("bcdefghij", "abcdefghi", strict=True):
        bomb += f"{name}: &{name} [{', '.join([f'*{inner}'] * 10)}]\n"
    for text in (bomb, "a: &a [*a]\n"):
        with pytest.raises(MalformedBody):
            read_policy(text.encode())
        assert [code for code, _, _ in told(text)] == ["policy.syntax"]
    shared = TEXT.replace("params:", "params: &p").encode()
    assert read_policy(shared) == read_policy(TEXT.encode())


@settings(deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(lambda text: text.encode("utf-8", "replace"))))
def test_no_bytes_bring_it_down(text: bytes) -> None:
    assert any(one.level == "error" for one in lint(text, today=TODAY))


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["kind", "name", "checks", "applies", "validity", "evidence", "effective", "approvals"]),
        st.recursive(
            st.one_of(st.none(), st.booleans(), st.integers(), st.text(max_size=8)),
            lambda inner: st.one_of(
                st.lists(inner, max_size=3), st.dictionaries(st.text(max_size=8), inner, max_size=3)
            ),
            max_leaves=8,
        ),
    )
)
def test_what_has_no_errors_can_be_read_and_what_cannot_be_read_has_some(changes: dict[str, Any]) -> None:
    text = json.dumps({**yaml.safe_load(TEXT), **changes}).encode()
    refused = any(one.level == "error" for one in lint(text, today=TODAY))
    try:
        read_policy(text)
    except AssayError:
        assert refused
