"""The gate's truth table and its properties."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from audits.decision import Said, Waiting, combine
from governance.types.policy import Policy, PolicyCheck
from governance.types.results import CheckResult, CheckStatus, Verdict

STATUSES = st.sampled_from(list(CheckStatus))


def policy(names: list[str], on_warn: str = "review") -> Policy:
    checks = tuple(PolicyCheck(id=name) for name in names)
    return Policy.model_validate({"kind": "assay.policy/v1", "name": "p", "checks": checks, "on_warn": on_warn})


def result(name: str, status: CheckStatus) -> CheckResult:
    return CheckResult(check=name, check_version="1", status=status, reason=f"{name}.{status}", message="...")


def verdict(statuses: dict[str, CheckStatus], on_warn: str = "review") -> Verdict:
    results = {name: result(name, status) for name, status in statuses.items()}
    return combine(policy(list(statuses), on_warn), results).verdict


@pytest.mark.parametrize(
    ("status", "on_warn", "expected"),
    [
        (CheckStatus.PASSED, "review", Verdict.ALLOW),
        (CheckStatus.WARNED, "review", Verdict.PENDING),
        (CheckStatus.WARNED, "allow", Verdict.ALLOW),
        (CheckStatus.FAILED, "review", Verdict.DENY),
        (CheckStatus.FAILED, "allow", Verdict.DENY),
        (CheckStatus.INSUFFICIENT_EVIDENCE, "allow", Verdict.INDETERMINATE),
        (CheckStatus.ERROR, "allow", Verdict.INDETERMINATE),
        (CheckStatus.NOT_RUN, "allow", Verdict.INDETERMINATE),
        (CheckStatus.NOT_APPLICABLE, "review", Verdict.ALLOW),
        (CheckStatus.WAIVED, "review", Verdict.ALLOW),
    ],
)
def test_one_check_alone_gives_its_verdict(status: CheckStatus, on_warn: str, expected: Verdict) -> None:
    assert verdict({"a": status}, on_warn) is expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (CheckStatus.FAILED, CheckStatus.ERROR, Verdict.DENY),
        (CheckStatus.FAILED, CheckStatus.WARNED, Verdict.DENY),
        (CheckStatus.ERROR, CheckStatus.WARNED, Verdict.INDETERMINATE),
        (CheckStatus.WARNED, CheckStatus.PASSED, Verdict.PENDING),
        (CheckStatus.PASSED, CheckStatus.WAIVED, Verdict.ALLOW),
    ],
)
def test_the_gravest_check_decides(first: CheckStatus, second: CheckStatus, expected: Verdict) -> None:
    assert verdict({"a": first, "b": second}) is expected
    assert verdict({"a": second, "b": first}) is expected


def test_every_status_has_a_row_in_the_truth_table() -> None:
    for status in CheckStatus:
        assert verdict({"a": status}) in set(Verdict)


def test_no_policy_and_an_empty_policy_are_indeterminate_and_say_so() -> None:
    for absent in (None, policy([])):
        combined = combine(absent, {"a": result("a", CheckStatus.PASSED)})
        assert combined.verdict is Verdict.INDETERMINATE
        assert combined.reasons[0].code == "policy.no_applicable_checks"


def test_a_required_check_without_a_result_is_indeterminate_whatever_else_passed() -> None:
    combined = combine(policy(["a", "b"]), {"a": result("a", CheckStatus.PASSED)})
    assert combined.verdict is Verdict.INDETERMINATE
    assert [(reason.check, reason.code) for reason in combined.reasons] == [("b", "check.not_run")]


def test_a_result_that_the_policy_does_not_name_opens_nothing() -> None:
    assert combine(policy(["a"]), {"b": result("b", CheckStatus.PASSED)}).verdict is Verdict.INDETERMINATE


def test_every_blocking_check_is_among_the_reasons() -> None:
    combined = combine(
        policy(["a", "b", "c"]),
        {
            "a": result("a", CheckStatus.FAILED),
            "b": result("b", CheckStatus.ERROR),
            "c": result("c", CheckStatus.PASSED),
        },
    )
    assert [reason.check for reason in combined.reasons] == ["a", "b"]


@given(st.dictionaries(st.text("abcdef", min_size=1, max_size=2), STATUSES, min_size=1, max_size=6), st.randoms())
def test_the_order_of_checks_does_not_matter(statuses: dict[str, CheckStatus], random: st.DataObject) -> None:
    shuffled = list(statuses.items())
    random.shuffle(shuffled)  # type: ignore[attr-defined] # hypothesis hands in a random.Random
    results = {name: result(name, status) for name, status in statuses.items()}
    assert combine(policy(list(statuses)), results) == combine(policy([name for name, _ in shuffled]), results)


@given(st.dictionaries(st.text("abc", min_size=1, max_size=2), STATUSES, min_size=1, max_size=5), STATUSES)
def test_a_further_check_never_opens_the_gate(statuses: dict[str, CheckStatus], further: CheckStatus) -> None:
    before, after = verdict(statuses), verdict({**statuses, "zz": further})
    if before is not Verdict.ALLOW:
        assert after is not Verdict.ALLOW
    if before is Verdict.DENY or further is CheckStatus.FAILED:
        assert after is Verdict.DENY


def approving(count: int) -> Policy:
    """A policy of one check that wants approvals."""
    asked = {"kind": "assay.policy/v1", "name": "p", "checks": [{"id": "a"}], "approvals": [{"count": count}]}
    return Policy.model_validate(asked)


def people(*names: str) -> frozenset[str]:
    return frozenset(names)


EVERYBODY = people("ana", "bo", "cem", "dora")


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (Said(eligible=EVERYBODY), Verdict.PENDING),
        (Said(approved_by=people("ana"), eligible=EVERYBODY), Verdict.PENDING),
        (Said(approved_by=people("ana", "bo"), eligible=EVERYBODY), Verdict.ALLOW),
        (Said(approved_by=people("ana", "bo"), not_approved_by=people("cem"), eligible=EVERYBODY), Verdict.DENY),
        (Said(eligible=people("ana")), Verdict.INDETERMINATE),
        (Said(approved_by=people("ana"), eligible=people("ana")), Verdict.INDETERMINATE),
        (Said(accepted_by=people("ana", "bo"), eligible=EVERYBODY), Verdict.PENDING),
    ],
)
def test_approvals_are_counted_by_person(said: Said, expected: Verdict) -> None:
    assert combine(approving(2), {"a": result("a", CheckStatus.PASSED)}, said).verdict is expected


def test_a_pending_verdict_names_the_role_and_how_many_are_missing() -> None:
    said = Said(approved_by=people("ana"), eligible=EVERYBODY)
    found = combine(approving(3), {"a": result("a", CheckStatus.PASSED)}, said)
    assert found.waiting_for == (Waiting("approval", "approver", 2),)


def test_an_approval_nobody_could_give_is_indeterminate_and_says_so() -> None:
    found = combine(approving(1), {"a": result("a", CheckStatus.PASSED)}, Said())
    assert [reason.code for reason in found.reasons] == ["approval.nobody_eligible"]


def test_approvals_open_nothing_that_the_checks_close() -> None:
    yes = Said(approved_by=EVERYBODY, accepted_by=EVERYBODY, eligible=EVERYBODY)
    for status in (CheckStatus.FAILED, CheckStatus.ERROR, CheckStatus.NOT_RUN, CheckStatus.INSUFFICIENT_EVIDENCE):
        found = combine(approving(1), {"a": result("a", status)}, yes)
        assert found.verdict in (Verdict.DENY, Verdict.INDETERMINATE)
        assert [reason.code for reason in found.reasons] == [f"a.{status}"]


def test_a_review_lets_warnings_by_and_names_what_waits_for_one() -> None:
    warned = {name: result(name, CheckStatus.WARNED) for name in ("b", "a")}
    waiting = combine(policy(["a", "b"]), warned)
    assert waiting.waiting_for == (Waiting("review", "approver", 1, ("a", "b")),)
    assert combine(policy(["a", "b"]), warned, Said(accepted_by=people("ana"))).verdict is Verdict.ALLOW
    refused = combine(policy(["a", "b"]), warned, Said(accepted_by=people("ana"), not_accepted_by=people("bo")))
    assert (refused.verdict, refused.reasons[0].code) == (Verdict.DENY, "review.rejected")


@given(st.dictionaries(st.text("abc", min_size=1, max_size=2), STATUSES, min_size=1, max_size=4), st.data())
def test_a_further_failed_check_denies_whatever_people_say(
    statuses: dict[str, CheckStatus], data: st.DataObject
) -> None:
    some = st.frozensets(st.sampled_from(sorted(EVERYBODY)))
    said = Said(*(data.draw(some) for _ in range(5)))
    asked = policy([*statuses, "zz"]).model_copy(update={"approvals": approving(2).approvals})
    results = {name: result(name, status) for name, status in statuses.items()}
    assert combine(asked, {**results, "zz": result("zz", CheckStatus.FAILED)}, said).verdict is Verdict.DENY
