"""How outcomes are said to people. Pure; the machine's words are the reason codes."""

from fractions import Fraction

from governance.types.results import CheckStatus
from policies.fairness.readings import read, title_of, unit_of
from policies.fairness.verdict import Assessment, GroupOutcome
from policies.statistics.intervals import Bounds


def shown(value: Fraction, limit: Fraction, places: int = 3) -> str:
    """The value rounded half to even, with more digits where rounding would move it onto or across the limit.

    79.96 % against a limit of 0.8 is shown as 0.7996, not as 0.800.
    """
    for digits in range(places, 16):
        rounded = Fraction(round(value * 10**digits), 10**digits)
        if (rounded > limit) - (rounded < limit) == (value > limit) - (value < limit):
            break
    return f"{round(value * 10**digits) / 10**digits:.{digits}f}"


def describe(assessment: Assessment, outcome: GroupOutcome | None) -> str:
    """One sentence on the outcome that decided an assessment, with its number, interval, limit and count."""
    place = f"By {assessment.table.title}, "
    metric = assessment.metric
    if outcome is None or outcome.comparison is None or outcome.comparison.value is None:
        return place + _why_not(assessment, outcome)
    value = shown(outcome.comparison.value, assessment.limit.exact_limit)
    title = " and ".join(map(title_of, metric.rates)) if _is_joint(assessment) else title_of(outcome.rate)
    bounds = f"95 % interval {interval_text(outcome.comparison.interval)}"
    tail = f"({bounds}; limit {assessment.limit.limit}; n = {group_rows(assessment, outcome.levels)})"
    pair = f"{name(outcome.levels)} and {name(outcome.reference or ())}"
    ending = _ending(outcome) + power_text(assessment, outcome)
    if metric.form == "level":
        return f"{place}the {title} of {name(outcome.levels)} is {value} {tail}: {ending}"
    if metric.is_ratio:
        low, high = ordered_names(assessment, outcome)
        return f"{place}the {title} of {low} is {value} times that of {high} {tail}: {ending}"
    return f"{place}the {title} of {pair} differ by {value} {tail}: {ending}"


def power_text(assessment: Assessment, outcome: GroupOutcome) -> str:
    """What these counts could have shown, where the group did not fail; empty where nothing can be said."""
    metric = assessment.metric
    if outcome.status is CheckStatus.FAILED or outcome.comparison is None or outcome.adjusted_p_sure is None:
        return ""
    if outcome.detectable is None:
        says = metric.form in ("ratio", "difference") and assessment.is_statistical
        gap = "ratio, however low," if metric.is_ratio else "difference, however large,"
        return f"; with these counts no true {gap} would have been seen with 80 % probability" if says else ""
    gap = f"ratio below {outcome.detectable:.3g}" if metric.is_ratio else f"difference above {outcome.detectable:.3g}"
    return f"; with these counts a true {gap} would have been seen with 80 % probability"


def name(levels: tuple[str, ...]) -> str:
    """A group's name: its level, or its levels joined."""
    return " / ".join(levels)


def group_rows(assessment: Assessment, levels: tuple[str, ...]) -> int:
    """The rows of a group."""
    return next((group.rows for group in assessment.table.groups if group.levels == levels), 0)


def interval_text(bounds: Bounds | None) -> str:
    """``0.29 to 0.32``, or that there is none."""
    return "not estimable" if bounds is None else f"{bounds.lower:.3f} to {bounds.upper:.3f}"


def ordered_names(assessment: Assessment, outcome: GroupOutcome) -> tuple[str, str]:
    """The group with the lower rate and the one with the higher."""
    groups = {group.levels: group for group in assessment.table.groups}
    both = [outcome.levels, outcome.reference or ()]

    def height(levels: tuple[str, ...]) -> Fraction:
        return read(groups[levels], outcome.rate).value or Fraction(0)

    low, high = (both[0], both[1]) if height(both[0]) <= height(both[1]) else (both[1], both[0])
    return name(low), name(high)


def _is_joint(assessment: Assessment) -> bool:
    return assessment.metric.form in ("average_difference", "balanced_difference")


def _ending(outcome: GroupOutcome) -> str:
    """What the outcome means."""
    if outcome.reference is None:
        return _ending_of_level(outcome)
    needed = f"; about {outcome.rows_needed} rows in each group would tell" if outcome.rows_needed else ""
    endings = {
        "fairness.within_limit": "within the limit",
        "fairness.below_limit": "outside the limit",
        "fairness.above_limit": "outside the limit",
        "fairness.possibly_outside": "beyond the limit, and the groups differ by more than chance, but the interval "
        "still reaches the limit: a person must look",
        "fairness.inconclusive": f"beyond the limit, but chance can explain the difference{needed}",
    }
    return endings[outcome.reason]


def _ending_of_level(outcome: GroupOutcome) -> str:
    return {
        "fairness.within_limit": "within the limit",
        "fairness.above_limit": "outside the limit",
        "fairness.possibly_outside": "beyond the limit, and by more than chance alone makes, but the true value may "
        "lie within: a person must look",
        "fairness.inconclusive": "beyond the limit, but chance can explain it",
    }[outcome.reason]


def _why_not(assessment: Assessment, outcome: GroupOutcome | None) -> str:
    """Why there is no number."""
    reason = assessment.reason if outcome is None else outcome.reason
    group = name(outcome.levels) if outcome is not None else "a group"
    rate = outcome.rate if outcome is not None else assessment.metric.rates[0]
    unit, title = unit_of(rate), title_of(rate)
    texts = {
        "fairness.nobody_selected": "nobody is selected in any group, so that rates of 0 prove nothing",
        "fairness.too_few_groups": f"fewer than two groups have enough {unit} to be compared",
        "fairness.reference_not_judged": "the declared reference group has too few rows to compare others with",
        "fairness.zero_reference": f"the {title} is 0 in both {group} and its reference, and 0/0 is not parity",
        "fairness.group_absent": f"the declared group {group} has no rows",
        "fairness.zero_denominator": f"{group} has no {unit}, so its {title} does not exist",
        "fairness.small_group": f"{group} has fewer {unit} than the minimum",
        "fairness.undeclared_groups": "some rows belong to none of the declared groups",
    }
    return texts[reason]
