"""The rule of the fairness check, row by row, and that nothing passes which was not shown."""

import random
import subprocess
import sys
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from governance.errors import InputRefused
from governance.types.results import CheckResult, CheckStatus, Measurement
from policies.fairness.judge import judge
from policies.fairness.metrics import METRICS
from policies.fairness.params import FairnessParams
from tests.policies.fairness.build import group, measurement, selection, table, verdict

FAILED, WARNED = CheckStatus.FAILED, CheckStatus.WARNED
PASSED, INSUFFICIENT = CheckStatus.PASSED, CheckStatus.INSUFFICIENT_EVIDENCE


@pytest.mark.parametrize(
    ("one", "two", "status", "reason"),
    [
        # Far below four fifths: the upper bound of the ratio is below 0.8.
        ((109, 1000), (363, 1000), FAILED, "fairness.below_limit"),
        # 0.75 of 60 %: below, different (chi-square p = 0.034), and the bound reaches 0.8.
        ((45, 100), (60, 100), WARNED, "fairness.possibly_outside"),
        # 0.767: below, and chance explains it.
        ((23, 75), (30, 75), INSUFFICIENT, "fairness.inconclusive"),
        # Exactly four fifths.
        ((24, 75), (30, 75), PASSED, "fairness.within_limit"),
        ((72, 100), (90, 100), PASSED, "fairness.within_limit"),
        ((500, 1000), (520, 1000), PASSED, "fairness.within_limit"),
        # Nobody of one group: the ratio is 0 and surely so.
        ((0, 500), (100, 500), FAILED, "fairness.below_limit"),
        ((0, 40), (0, 40), INSUFFICIENT, "fairness.nobody_selected"),
    ],
)
def test_a_ratio_is_judged_by_the_first_row_that_fits(
    one: tuple[int, int], two: tuple[int, int], status: CheckStatus, reason: str
) -> None:
    result = verdict(selection("a", *one), selection("b", *two))
    assert (result.status, result.reason) == (status, reason)


@pytest.mark.parametrize(
    ("one", "two", "status", "reason"),
    [
        ((300, 1000), (500, 1000), FAILED, "fairness.above_limit"),
        ((350, 1000), (480, 1000), WARNED, "fairness.possibly_outside"),
        ((18, 40), (23, 40), INSUFFICIENT, "fairness.inconclusive"),
        ((40, 100), (50, 100), PASSED, "fairness.within_limit"),
        ((0, 40), (0, 40), INSUFFICIENT, "fairness.nobody_selected"),
    ],
)
def test_a_difference_is_judged_by_the_first_row_that_fits(
    one: tuple[int, int], two: tuple[int, int], status: CheckStatus, reason: str
) -> None:
    limits = [("demographic_parity_difference", "0.1")]
    result = verdict(selection("a", *one), selection("b", *two), limits=limits)
    assert (result.status, result.reason) == (status, reason)


def test_an_inconclusive_gap_warns_where_the_policy_says_so_and_tells_the_rows_it_takes() -> None:
    groups = (selection("a", 23, 75), selection("b", 30, 75))
    assert verdict(*groups, inconclusive="warn").status is WARNED
    (needed,) = [one for one in verdict(*groups).findings if one.code == "fairness.rows_needed"]
    # Two-sided test of 23/75 against 30/75: 1.96**2 * (0.2126 + 0.24) / 0.0933**2, rounded up.
    assert needed.data["rows_per_group"] == 200


def test_as_written_the_point_ratio_alone_decides_in_whole_numbers() -> None:
    """24/75 over 30/75 is four fifths exactly, and its double is below that of 0.8."""
    assert (24 / 75) / (30 / 75) < 0.8
    exact = verdict(selection("a", 24, 75), selection("b", 30, 75), mode="as_written")
    less = verdict(selection("a", 23, 75), selection("b", 30, 75), mode="as_written")
    assert (exact.status, less.status) == (PASSED, FAILED)
    assert exact.observed == "0.8"
    assert exact.interval is not None


def test_a_group_below_the_minimum_is_shown_flagged_and_judged_by_nobody() -> None:
    groups = (selection("a", 50, 100), selection("b", 48, 100), selection("c", 0, 1))
    result = verdict(*groups)
    assert (result.status, result.observed) == (PASSED, "0.96")
    (small,) = [one for one in result.figures if one.name == "selection_rate_ratio" and one.group == {"group": "c"}]
    assert (small.value, small.status, small.flags, small.n) == (None, None, ("small_group",), "1")
    (needed,) = [one for one in result.findings if one.code == "fairness.rows_needed"]
    assert needed.data["more_rows"] == 29


def test_a_small_group_blocks_where_the_policy_says_so() -> None:
    result = verdict(selection("a", 50, 100), selection("b", 48, 100), selection("c", 0, 1), small_groups="block")
    assert (result.status, result.reason) == (INSUFFICIENT, "fairness.small_group")


@pytest.mark.parametrize("mode", ["statistical", "as_written"])
def test_a_declared_group_without_rows_is_insufficient_evidence(mode: str) -> None:
    result = verdict(
        selection("a", 50, 100), selection("b", 50, 100), selection("c", 0, 0, is_expected=True), mode=mode
    )
    assert (result.status, result.reason) == (INSUFFICIENT, "fairness.group_absent")
    details: Any = result.details
    assert details["tables"]["group"]["absent_groups"] == ["c"]


@pytest.mark.parametrize("mode", ["statistical", "as_written"])
def test_a_group_whose_rate_does_not_exist_is_insufficient_evidence_and_not_zero(mode: str) -> None:
    groups = (
        group("a", tp=40, fn=40, fp=10, tn=10),
        group("b", tp=40, fn=40, fp=10, tn=10),
        group("c", fp=50, tn=50),
    )
    result = verdict(*groups, limits=[("true_positive_rate_difference", "0.1")], mode=mode)
    assert (result.status, result.reason) == (INSUFFICIENT, "fairness.zero_denominator")
    assert "positive labels" in result.message


@pytest.mark.parametrize(
    ("groups", "settings", "reason"),
    [
        ((selection("a", 50, 100),), {}, "fairness.too_few_groups"),
        ((selection("a", 50, 100), selection("b", 5, 10)), {}, "fairness.too_few_groups"),
        ((selection("a", 50, 100), selection("b", 50, 100), selection("c", 5, 10)), {"reference": "c"}, None),
    ],
)
def test_without_two_groups_to_compare_nothing_is_decided(
    groups: Any, settings: dict[str, Any], reason: str | None
) -> None:
    result = verdict(*groups, **settings)
    assert (result.status, result.reason) == (INSUFFICIENT, reason or "fairness.reference_not_judged")


def test_rows_beyond_the_declared_groups_keep_a_pass_from_being_one() -> None:
    groups = (selection("a", 50, 100), selection("b", 50, 100))
    result = verdict(*groups, outside={"x": 40})
    assert (result.status, result.reason) == (WARNED, "fairness.undeclared_groups")
    failed = verdict(selection("a", 5, 100), selection("b", 50, 100), outside={"x": 40})
    assert failed.status is FAILED


def test_unknown_rows_are_told_and_the_known_groups_judged() -> None:
    result = verdict(selection("a", 50, 100), selection("b", 50, 100), unknown=7)
    assert result.status is PASSED
    assert [one.data["rows"] for one in result.findings if one.code == "fairness.unknown_group"] == [7]
    assert [one.value for one in result.figures if one.name == "unknown_rows"] == ["7"]


def test_opposite_errors_never_cancel() -> None:
    """TPR 0.75 and 0.25, FPR 0.25 and 0.75: the signed average is 0, the absolute 0.5."""
    groups = (group("a", tp=300, fn=100, fp=100, tn=300), group("b", tp=100, fn=300, fp=300, tn=100))
    for metric in ("average_absolute_odds_difference", "equalized_odds_difference"):
        result = verdict(*groups, limits=[(metric, "0.1")])
        assert (result.status, result.observed) == (FAILED, "0.5")


def test_hundreds_of_groups_are_judged_on_every_metric_in_seconds() -> None:
    draw = random.Random(3)
    groups = [
        group(str(number), tp=draw.randint(30, 90), fp=draw.randint(30, 90), fn=draw.randint(30, 90), tn=60)
        for number in range(300)
    ]
    started = time.perf_counter()
    result = verdict(*groups, limits=[(name, "0.1") for name, metric in METRICS.items() if metric.is_of_rates])
    assert time.perf_counter() - started < 60  # quadratic work would take many minutes
    assert result.status is FAILED


def test_a_table_in_which_nobody_has_a_group_is_insufficient_evidence() -> None:
    for groups in ((), (selection("a", 0, 0), selection("b", 0, 0))):
        result = verdict(*groups, unknown=50)
        assert (result.status, result.reason) == (INSUFFICIENT, "fairness.too_few_groups")


def test_no_rows_at_all_are_insufficient_evidence() -> None:
    result = verdict()
    assert (result.status, result.reason) == (INSUFFICIENT, "fairness.not_measured")


def test_a_gap_in_only_one_of_two_odds_is_found() -> None:
    groups = (group("a", tp=300, fn=100, fp=200, tn=200), group("b", tp=300, fn=100, fp=20, tn=380))
    result = verdict(*groups, limits=[("equalized_odds_difference", "0.1")])
    assert (result.status, result.observed) == (FAILED, "0.45")
    assert "false positive rate" in result.message


def test_equal_balanced_accuracy_passes_and_unequal_fails() -> None:
    equal = (group("a", tp=300, fn=100, fp=100, tn=300), group("b", tp=250, fn=150, fp=50, tn=350))
    worse = (group("a", tp=380, fn=20, fp=20, tn=380), group("b", tp=250, fn=150, fp=150, tn=250))
    limits = [("balanced_accuracy_difference", "0.1")]
    assert verdict(*equal, limits=limits).status is PASSED
    assert (verdict(*worse, limits=limits).status, verdict(*worse, limits=limits).observed) == (FAILED, "0.325")


def test_a_declared_reference_cannot_hide_a_gap_in_its_own_disfavour() -> None:
    """Selection of the other group is three times the reference's: the signed ratio would be 3, above any limit."""
    result = verdict(selection("a", 100, 1000), selection("b", 300, 1000), reference="a")
    assert (result.status, result.observed) == (FAILED, "0.3333333333333333")


def test_the_worst_of_several_metrics_decides() -> None:
    groups = (group("a", tp=400, fn=100, fp=100, tn=400), group("b", tp=100, fn=400, fp=400, tn=100))
    limits = [("selection_rate_ratio", "0.8"), ("accuracy_difference", "0.1")]
    result = verdict(*groups, limits=limits)
    assert (result.status, result.limit, result.observed) == (FAILED, "0.1", "0.6")


def test_holm_makes_one_of_many_equal_groups_no_failure() -> None:
    """Alone, 40 of 100 against 60 of 100 differ (p = 0.0047); as the extreme of twelve pairs they do not."""
    pair = (selection("low", 40, 100), selection("high", 60, 100))
    others = [selection(f"g{number}", 55, 100) for number in range(14)]
    assert verdict(*pair).status is WARNED
    assert verdict(*pair, *others).status is INSUFFICIENT


def test_the_message_says_the_numbers_a_manager_asks_for() -> None:
    result = verdict(selection("women", 1090, 10_000), selection("men", 3630, 10_000))
    assert result.message == (
        "By group, the selection rate of women is 0.300 times that of men (95 % interval 0.282 to 0.320; limit 0.8; "
        "n = 10000): outside the limit."
    )
    (missing,) = [one for one in result.findings if one.code == "fairness.shortfall"]
    # (1090 + k) / 10000 >= 0.8 * 0.363, so k = 2904 - 1090.
    assert missing.data["shortfall"] == 1814


def test_the_shown_value_never_rounds_onto_the_limit() -> None:
    result = verdict(selection("a", 79_996, 100_000), selection("b", 100_000, 100_000), mode="as_written")
    assert result.status is FAILED
    assert "is 0.79996 times" in result.message


def test_an_attribute_or_a_label_that_was_not_measured_is_insufficient_evidence() -> None:
    measured = measurement(table(selection("a", 5, 10), selection("b", 5, 10)))
    other = judge(measured, FairnessParams(sensitive=("age",)))
    labels = judge(measured, FairnessParams.model_validate({"metrics": [{"name": "accuracy_ratio", "limit": "0.8"}]}))
    assert (other.status, other.reason) == (INSUFFICIENT, "fairness.not_measured")
    assert (labels.status, labels.reason) == (INSUFFICIENT, "fairness.not_measured")


@pytest.mark.parametrize("body", [{}, {"rows": -1}, {"form": "other"}])
def test_a_body_of_another_form_is_refused(body: dict[str, Any]) -> None:
    with pytest.raises(InputRefused):
        judge(Measurement(check="fairness", check_version="1", body=body), FairnessParams())


@pytest.mark.parametrize(
    "limit",
    [
        {"name": "selection_rate_ratio", "limit": "0"},
        {"name": "selection_rate_ratio", "limit": "1.2"},
        {"name": "selection_rate_difference", "limit": "-0.1"},
        {"name": "selection_rate_difference", "limit": "1e-999999999"},
        {"name": "selection_rate", "limit": "0.8"},
    ],
)
def test_a_limit_that_means_nothing_is_refused(limit: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        FairnessParams.model_validate({"metrics": [limit]})


counts = st.integers(min_value=0, max_value=80)
groups_of_four = st.lists(st.tuples(counts, counts, counts, counts), min_size=0, max_size=4)


@given(groups_of_four, st.sampled_from(sorted(METRICS)), st.sampled_from(["statistical", "as_written"]))
def test_any_counts_are_judged_and_no_pass_rests_on_a_rate_that_does_not_exist(
    rows: list[tuple[int, int, int, int]], metric: str, mode: str
) -> None:
    groups = [
        group(str(number), is_expected=True, tp=tp, fp=fp, fn=fn, tn=tn) for number, (tp, fp, fn, tn) in enumerate(rows)
    ]
    result: CheckResult = verdict(*groups, limits=[(metric, "0.8")], mode=mode)
    if result.status is PASSED:
        assert result.observed is not None
        assert all(sum(row) > 0 for row in rows)
        assert sum(tp + fp for tp, fp, _, _ in rows) > 0
        assert len(rows) > 1


@given(groups_of_four.filter(lambda rows: len(rows) > 1), st.sampled_from(sorted(METRICS)), st.integers(0, 100))
def test_the_order_of_groups_does_not_change_the_verdict(
    rows: list[tuple[int, int, int, int]], metric: str, seed: int
) -> None:
    groups = [group(str(n), tp=tp, fp=fp, fn=fn, tn=tn) for n, (tp, fp, fn, tn) in enumerate(rows)]
    shuffled = random.Random(seed).sample(groups, len(groups))
    one, two = (verdict(*order, limits=[(metric, "0.8")]) for order in (groups, shuffled))
    assert (one.status, one.observed) == (two.status, two.observed)


def test_judging_loads_no_scientific_library() -> None:
    code = (
        "import sys; import policies.fairness.check, policies.performance.check; "
        "print([name for name in ('polars', 'numpy', 'pandas', 'fairlearn', 'sklearn') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_record_of_the_first_version_is_judged_still() -> None:
    """The body as it was written before scores, classes and predicted numbers were kept."""
    cells = [{"cell": "selected", "rows": 20}, {"cell": "rejected", "rows": 80}]
    more = [{"cell": "selected", "rows": 60}, {"cell": "rejected", "rows": 40}]
    body: dict[str, Any] = {
        "form": "fairness-cells/v1",
        "rows": 200,
        "is_weighted": False,
        "has_label": False,
        "from_counts": False,
        "overall": [{"cell": "selected", "rows": 80}, {"cell": "rejected", "rows": 120}],
        "tables": [
            {
                "attributes": ["group"],
                "reference": None,
                "groups": [
                    {"levels": ["a"], "is_expected": False, "cells": cells},
                    {"levels": ["b"], "is_expected": True, "cells": more},
                ],
                "unknown_rows": 0,
                "outside_rows": {},
                "by_group": {"selection_rate": [0.2, 0.6]},
                "bootstrap": None,
            }
        ],
    }
    result = judge(Measurement(check="fairness", check_version="1.0.0", body=body), FairnessParams())
    assert (result.status, result.observed) == (FAILED, "0.3333333333333333")


def test_a_pass_says_what_its_counts_could_have_shown() -> None:
    few = verdict(selection("a", 5, 40), selection("b", 5, 40))
    many = verdict(selection("a", 500, 1000), selection("b", 500, 1000))
    assert "no true ratio, however low, would have been seen" in few.message
    assert "a true ratio below 0.7" in many.message
    assert "with 80 % probability" in many.message
    as_written = verdict(selection("a", 5, 40), selection("b", 5, 40), mode="as_written")
    assert "probability" not in as_written.message


def test_a_bound_beyond_the_limit_warns_where_the_difference_is_not_sure() -> None:
    """1 of 100 against 8 of 100: the bound is below four fifths and Fisher's p is 0.035, which is not 1 %."""
    result = verdict(selection("a", 1, 100), selection("b", 8, 100))
    assert (result.status, result.reason) == (WARNED, "fairness.possibly_outside")
    details: Any = result.details
    (judged,) = details["tables"]["group"]["judged"]
    assert float(judged["p_beyond"]) < 0.05
    assert 0.01 < float(judged["p_equal"]) < 0.05


@pytest.mark.parametrize(
    ("name", "groups", "words"),
    [
        (
            "true_positive_rate_ratio",
            (group("a", tp=20, fn=80, tn=50), group("b", tp=80, fn=20, tn=50)),
            "44 more positive decisions among 100 positive labels",
        ),
        (
            "false_positive_rate_ratio",
            (group("a", fp=10, tn=90, tp=50), group("b", fp=60, tn=40, tp=50)),
            "48 fewer positive decisions among 100 negative labels",
        ),
        (
            "demographic_parity_difference",
            (selection("a", 20, 100), selection("b", 80, 100)),
            "50 more positive decisions among 100",
        ),
    ],
)
def test_a_failed_group_says_how_many_decisions_are_missing(name: str, groups: Any, words: str) -> None:
    limit = "0.1" if name.endswith("difference") else "0.8"
    result = verdict(*groups, limits=[(name, limit)])
    assert result.status is FAILED
    (missing,) = [one for one in result.findings if one.code == "fairness.shortfall"]
    assert words in missing.message
