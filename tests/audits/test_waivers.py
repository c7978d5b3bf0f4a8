"""Which waivers cover which checks: rules over values, without a database."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from audits.decision import combine
from audits.waivers import Signed, Waiver, apply, is_about, obstacle, require_term
from governance.errors import InputRefused
from governance.types.decision import CheckOutcome
from governance.types.policy import Policy, PolicyCheck
from governance.types.results import CheckResult, CheckStatus, Figure, Interval, Verdict
from governance.types.subject import Subject
from governance.types.value import Severity, parse_value
from governance.types.waiver import WaivedModel, WaiverRequest
from tests.support.people import NOW, waiver

DAY = timedelta(days=1)
BARE = [{"metric": "observed", "at_least": "0.6"}]


def request(**changes: Any) -> WaiverRequest:
    """A waiver of fairness that ends thirty days after NOW, with a bound on the headline value."""
    body = waiver(**{"expires_at": (NOW + 30 * DAY).isoformat(), "bounds": {"fairness": BARE}, **changes})
    return parse_value(WaiverRequest, body, what="a waiver")


def held(*approvers: str, revoked: bool = False, **changes: Any) -> Waiver:
    """A waiver that ines asked for and that these people approved."""
    asked = request(**changes)
    return Waiver(
        id=changes.get("ticket", "w1"),
        request=asked,
        not_before=asked.not_before or NOW,
        requested=Signed(id="ines", name="Ines", at=NOW),
        digest="sha256:" + "1" * 64,
        log_index=0,
        approvals=tuple(Signed(id=name, name=name, at=NOW) for name in approvers),
        revoked=Signed(id="x", name="x", at=NOW) if revoked else None,
    )


def result(status: CheckStatus = CheckStatus.FAILED, observed: str | None = "0.7", **changes: Any) -> CheckResult:
    """A judged check."""
    return CheckResult(
        check="fairness", check_version="1", status=status, reason="r", message="m", observed=observed, **changes
    )


def outcome(name: str, status: CheckStatus, observed: str | None = "0.7") -> CheckOutcome:
    """A check as a decision counts it."""
    judged = result(status, observed).model_copy(update={"check": name})
    return CheckOutcome(id=name, title=name, severity=Severity.MEDIUM, reason_planned="asked", result=judged)


def line(severity: Severity = Severity.MEDIUM, *, waivable: bool = True) -> PolicyCheck:
    """A check that a policy asks for."""
    return PolicyCheck(id="fairness", severity=severity, waivable=waivable)


def policy(names: list[str], **changes: Any) -> Policy:
    """A policy over checks of medium severity."""
    checks = [{"id": name, "severity": "medium"} for name in names]
    return Policy.model_validate({"kind": "assay.policy/v1", "name": "p", "checks": checks, **changes})


def test_an_approved_waiver_within_its_bound_covers_a_failed_check() -> None:
    assert obstacle(held("ana"), line(), result(), at=NOW) is None


def test_a_worse_model_is_not_covered() -> None:
    why = obstacle(held("ana"), line(), result(observed="0.59"), at=NOW)
    assert why == "observed is 0.59, and the waiver covers it down to 0.6"


def test_a_bound_from_above_holds_too() -> None:
    bounds = {"fairness": [{"metric": "observed", "at_most": "12"}]}
    assert obstacle(held("ana", bounds=bounds), line(), result(observed="12"), at=NOW) is None
    assert obstacle(held("ana", bounds=bounds), line(), result(observed="12.01"), at=NOW) is not None


def test_a_bound_on_the_whole_interval_is_broken_by_either_end() -> None:
    bounds = {"fairness": [{"metric": "observed", "at_least": "0.6", "whole_interval": True}]}
    wide = Interval(lower="0.55", upper="0.9", method="m")
    narrow = Interval(lower="0.62", upper="0.9", method="m")
    assert obstacle(held("ana", bounds=bounds), line(), result(interval=wide), at=NOW) is not None
    assert obstacle(held("ana", bounds=bounds), line(), result(interval=narrow), at=NOW) is None
    assert obstacle(held("ana", bounds=bounds), line(), result(), at=NOW) is not None, "no interval at all"


def test_every_figure_that_failed_needs_a_bound_of_its_own() -> None:
    failed = [Figure(name=name, value="0.7", status=CheckStatus.FAILED) for name in ("ratio", "difference")]
    bounds = {"fairness": [{"metric": "ratio", "at_least": "0.6"}]}
    one = result(figures=tuple(failed[:1]))
    assert obstacle(held("ana", bounds=bounds), line(), one, at=NOW) is None
    both = result(figures=tuple(failed))
    assert obstacle(held("ana", bounds=bounds), line(), both, at=NOW) == "it has no bound for difference"


def test_a_headline_that_is_no_failed_figure_needs_a_bound_too() -> None:
    """Structure that is broken besides is in the sum of failures and in no figure."""
    figures = (Figure(name="failures of in_range", value="3", status=CheckStatus.FAILED),)
    bounds = {"fairness": [{"metric": "failures of in_range", "at_most": "3"}]}
    why = obstacle(held("ana", bounds=bounds), line(), result(observed="5", figures=figures), at=NOW)
    assert why == "it has no bound for observed"


def test_a_check_without_any_measured_value_is_not_covered() -> None:
    assert obstacle(held("ana"), line(), result(observed=None), at=NOW) is not None


def test_a_check_of_high_severity_needs_two_approvers() -> None:
    assert obstacle(held("ana"), line(Severity.HIGH), result(), at=NOW) is not None
    assert obstacle(held("ana", "bo"), line(Severity.HIGH), result(), at=NOW) is None


def test_the_requester_and_owners_do_not_count_as_approvers() -> None:
    assert obstacle(held("ines"), line(), result(), at=NOW) is not None
    assert obstacle(held("ana"), line(), result(), at=NOW, barred={"ana"}) is not None
    assert obstacle(held("ana", "bo"), line(Severity.HIGH), result(), at=NOW, barred={"bo"}) is not None


def test_what_the_policy_lets_nobody_waive_is_never_waived() -> None:
    assert obstacle(held("ana", "bo"), line(waivable=False), result(), at=NOW) is not None


def test_a_waiver_holds_from_its_beginning_until_just_before_its_end() -> None:
    one = held("ana", not_before=(NOW + DAY).isoformat())
    assert one.standing(NOW) == "not_yet"
    assert one.standing(NOW + DAY) == "approved"
    assert one.standing(NOW + 30 * DAY - timedelta(microseconds=1)) == "approved"
    assert one.standing(NOW + 30 * DAY) == "expired"
    assert obstacle(one, line(), result(), at=NOW) == "it does not hold yet"
    assert obstacle(one, line(), result(), at=NOW + 30 * DAY) == "it has expired"


def test_a_revoked_waiver_covers_nothing() -> None:
    assert obstacle(held("ana", revoked=True), line(), result(), at=NOW) == "it was revoked"


@pytest.mark.parametrize(
    ("start", "end", "allowed"),
    [
        (None, NOW + 90 * DAY, True),
        (None, NOW + 90 * DAY + timedelta(seconds=1), False),
        (None, NOW, False),
        (NOW + 2 * DAY, NOW + DAY, False),
        (NOW + 30 * DAY, NOW + 91 * DAY, False),
        (NOW - 10 * DAY, NOW + 80 * DAY, True),
        (NOW - 10 * DAY, NOW + 81 * DAY, False),
    ],
)
def test_a_term_ends_in_the_future_and_at_most_ninety_days_away(start: Any, end: Any, allowed: bool) -> None:
    wanted = request(expires_at=end.isoformat(), **({"not_before": start.isoformat()} if start else {}))
    if allowed:
        assert require_term(wanted, NOW) == (start or NOW)
        return
    with pytest.raises(InputRefused) as refused:
        require_term(wanted, NOW)
    assert refused.value.pointer == "/expires_at"


@pytest.mark.parametrize(
    "unreadable",
    [None, "", "soon", "2026-12-01", "2026-12-01T00:00:00", 1796083200, "1796083200", "2026-13-01T00:00:00Z",
     "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+14:00", "2026-12-01 00:00:00Z"],
)  # fmt: skip
def test_an_unreadable_date_refuses_the_waiver(unreadable: Any) -> None:
    with pytest.raises(InputRefused) as refused:
        parse_value(WaiverRequest, waiver(expires_at=unreadable), what="a waiver")
    assert refused.value.pointer == "/expires_at"


@pytest.mark.parametrize(
    "changes",
    [
        {"checks": []},
        {"checks": ["fair*"], "bounds": {"fair*": BARE}},
        {"checks": ["fairness", "fairness"]},
        {"checks": ["fairness", "gdpr"]},
        {"bounds": {"fairness": [{"metric": "observed"}]}},
        {"bounds": {"fairness": [{"at_least": "1e5"}]}},
        {"bounds": {"fairness": []}},
        {"bounds": {}},
        {"reason": ""},
        {"ticket": ""},
        {"subject": {"namespace": "n", "name": "m"}},
        {"subject": {"namespace": "n", "name": "m", "version": "1", "first_version": "1"}},
        {"subject": {"namespace": "n", "name": "m", "first_version": "2", "last_version": "1.9"}},
        {"subject": {"namespace": "n", "name": "m", "first_version": "*", "last_version": "2"}},
    ],
)
def test_a_waiver_that_does_not_say_exactly_what_it_covers_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputRefused):
        parse_value(WaiverRequest, waiver(**changes), what="a waiver")


def test_the_waiver_of_the_documentation_can_be_asked_for() -> None:
    page = (Path(__file__).parents[2] / "docs" / "approvals.md").read_text(encoding="utf-8")
    example = yaml.safe_load(page.split("```yaml\n")[1].split("```")[0])
    assert parse_value(WaiverRequest, example, what="a waiver").ticket == "RISK-1412"


def test_a_digest_is_what_a_waiver_is_about_and_names_are_labels() -> None:
    asked = request().subject
    own = Subject.model_validate(waiver()["subject"])
    assert is_about(asked, own.model_copy(update={"name": "renamed"}), registered=None)
    assert not is_about(asked, own.model_copy(update={"digest": "sha256:" + "9" * 64}), registered=None)


@pytest.mark.parametrize(
    ("version", "covered"),
    [("1.9", True), ("1.10", True), ("2", True), ("2.0.1", False), ("1.8", False), ("2b", False)],
)
def test_a_range_covers_registered_versions_between_its_ends(version: str, covered: bool) -> None:
    span = WaivedModel(namespace="n", name="m", first_version="1.9", last_version="2.0")
    found = Subject(namespace="n", name="m", version=version, digest="sha256:" + "2" * 64)
    assert is_about(span, found, registered=found) is covered
    assert not is_about(span, found, registered=None), "a version that is only claimed"
    elsewhere = found.model_copy(update={"name": "other"})
    assert not is_about(span, found, registered=elsewhere)


def test_a_waived_check_keeps_its_figures_and_says_by_which_waiver() -> None:
    after = apply([outcome("fairness", CheckStatus.FAILED)], policy(["fairness"]), [held("ana")], at=NOW)
    (waived,) = after.outcomes
    assert (waived.result.status, waived.result.observed) == (CheckStatus.WAIVED, "0.7")
    assert "w1" not in waived.result.reason
    (use,) = after.used
    assert (use.checks, use.approved_by, use.requested_by) == ({"fairness": CheckStatus.FAILED}, ("ana",), "ines")


def test_of_two_waivers_the_one_that_ends_last_is_used() -> None:
    short = held("ana", ticket="w0", expires_at=(NOW + DAY).isoformat())
    after = apply([outcome("fairness", CheckStatus.FAILED)], policy(["fairness"]), [short, held("ana")], at=NOW)
    assert [use.expires_at for use in after.used] == [NOW + 30 * DAY]


def test_a_waiver_that_does_not_cover_says_why() -> None:
    after = apply([outcome("fairness", CheckStatus.FAILED, "0.1")], policy(["fairness"]), [held("ana")], at=NOW)
    assert (after.outcomes[0].result.status, after.used) == (CheckStatus.FAILED, ())
    assert "down to 0.6" in after.notes[0].message


CANNOT_TELL = [CheckStatus.ERROR, CheckStatus.NOT_RUN, CheckStatus.INSUFFICIENT_EVIDENCE]
NAMES = ["fairness", "gdpr", "schema"]


@given(st.dictionaries(st.sampled_from(NAMES), st.sampled_from(list(CheckStatus)), min_size=1))
def test_a_waiver_never_turns_cannot_tell_into_allow(statuses: dict[str, CheckStatus]) -> None:
    everything = held("ana", "bo", checks=NAMES, bounds=dict.fromkeys(NAMES, BARE))
    judged = [outcome(name, status) for name, status in statuses.items()]
    after = apply(judged, policy(list(statuses)), [everything], at=NOW)
    verdict = combine(policy(list(statuses)), {one.id: one.result for one in after.outcomes}).verdict
    untold = any(status in CANNOT_TELL for status in statuses.values())
    assert (verdict is Verdict.ALLOW) is not untold
    assert [one.result.status for one in after.outcomes if statuses[one.id] in CANNOT_TELL] == [
        status for status in statuses.values() if status in CANNOT_TELL
    ]


@given(st.permutations(NAMES), st.lists(st.sampled_from(list(CheckStatus)), min_size=3, max_size=3))
def test_the_order_of_checks_and_waivers_does_not_matter(names: list[str], statuses: list[CheckStatus]) -> None:
    waivers = [held("ana", ticket=f"w-{name}", checks=[name], bounds={name: BARE}) for name in NAMES]
    by_name = dict(zip(NAMES, statuses, strict=True))
    first = apply([outcome(name, by_name[name]) for name in NAMES], policy(NAMES), waivers, at=NOW)
    second = apply([outcome(name, by_name[name]) for name in names], policy(names), waivers[::-1], at=NOW)
    assert {one.id: one for one in first.outcomes} == {one.id: one for one in second.outcomes}
    assert first.used == second.used
