"""Four fifths and significance of the Uniform Guidelines as a set of metrics. Pure; integers decide.

Source: 29 CFR 1607.4(D), 1978 (confirm its present standing). A small category can fail here if its gap is
significant, since the guideline's exception needs both small numbers and no significance.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction

from governance.types.results import CheckStatus
from policies.fairness.law.ll144 import highest
from policies.fairness.law.pairs import (
    Significance,
    Tally,
    flips_with_one_person,
    has_small_cell,
    impact_ratio,
    is_below_four_fifths,
    ratio_interval,
    shortfall,
    significance,
)
from policies.fairness.law.sample import Category
from policies.statistics.comparison import fisher_p, holm
from policies.statistics.intervals import Bounds

MIN_GROUP_SIZE = 30

_PASSED, _FAILED = CheckStatus.PASSED, CheckStatus.FAILED
_INSUFFICIENT = CheckStatus.INSUFFICIENT_EVIDENCE


@dataclass(frozen=True, slots=True)
class Finding:
    """One category's outcomes of the ratio (UGESP-4D) and of significance (UGESP-SIG), with one reason for both."""

    four_fifths: CheckStatus
    significance: CheckStatus
    reason: str


@dataclass(frozen=True, slots=True)
class Assessed:
    """A category with all that its outcomes rest on. ``test`` and ``interval`` are null where nothing was compared.

    ``ratio_to_small`` is the ratio against a smaller category with a higher rate, where there is one.
    ``holm_p`` is p adjusted over the table's comparisons; the raw p decides. ``fisher_p`` is that of Fisher's exact
    test, for reading where z decides.
    """

    category: Category
    tally: Tally
    finding: Finding
    ratio: Fraction | None = None
    ratio_to_small: Fraction | None = None
    test: Significance | None = None
    holm_p: float | None = None
    fisher_p: float | None = None
    interval: Bounds | None = None
    shortfall: int | None = None
    flips: bool = False


def judge_pair(
    category: Tally,
    reference: Tally,
    *,
    min_group_size: int = MIN_GROUP_SIZE,
    is_practically_significant: bool | None = None,
) -> Finding:
    """The outcomes of a category against a reference whose rate is above zero; the first row that fits decides.

    ``is_practically_significant`` is what a person judged of a significant gap above four fifths; null until then.
    """
    if category.n == 0:
        return Finding(_INSUFFICIENT, _INSUFFICIENT, "ugesp.no_members")
    is_significant = significance(category, reference).is_significant
    if is_below_four_fifths(category, reference):
        is_small = _has_small_numbers(category, reference, min_group_size)
        return _below(is_significant=is_significant, is_small=is_small)
    if category.n < min_group_size:
        return Finding(_INSUFFICIENT, _INSUFFICIENT, "ugesp.small_category")
    if category.selected == category.n and reference.selected == reference.n:
        return Finding(_PASSED, _PASSED, "ugesp.no_gap")
    if is_significant:
        judged = {None: _INSUFFICIENT, True: _FAILED, False: _PASSED}
        return Finding(_PASSED, judged[is_practically_significant], "ugesp.significant_above_four_fifths")
    bounds = ratio_interval(category, reference)
    if bounds is not None and bounds.lower >= 0.8:
        return Finding(_PASSED, _PASSED, "ugesp.surely_above_four_fifths")
    return Finding(_PASSED, _INSUFFICIENT, "ugesp.interval_reaches_below")


def assess(
    counts: Mapping[Category, Tally],
    *,
    excluded: Collection[Category] = (),
    exempt: Collection[Category] = (),
    min_group_size: int = MIN_GROUP_SIZE,
    practically_significant: Mapping[str, bool] | None = None,
) -> tuple[Assessed, ...]:
    """Every category of a table against the highest rate among those that are large enough and not ``excluded``.

    ``exempt`` are the categories under 2 % of the labour force; without its figures nobody is. Without a reference
    (none large enough, or nobody selected) every category is insufficient evidence. The reference itself passes.
    ``practically_significant`` holds what a person judged of categories by their names (``Male / White``).
    """
    kept = {category: tally for category, tally in counts.items() if category not in excluded}
    references = highest({category: tally for category, tally in kept.items() if tally.n >= min_group_size})
    top = highest(kept)
    small = counts[top[0]] if top and counts[top[0]].n < min_group_size else None
    if not references:
        none = Finding(_INSUFFICIENT, _INSUFFICIENT, "ugesp.no_reference")
        return tuple(Assessed(category, tally, none) for category, tally in counts.items())
    reference = counts[references[0]]
    compared = [one for one, tally in kept.items() if tally.n and one not in exempt and one != references[0]]
    adjusted = dict(zip(compared, holm([significance(counts[one], reference).p for one in compared]), strict=True))
    found = []
    for category, tally in counts.items():
        finding = _unjudged(category, excluded=excluded, exempt=exempt, reference=references[0])
        found.append(
            Assessed(
                category=category,
                tally=tally,
                finding=finding
                or judge_pair(
                    tally,
                    reference,
                    min_group_size=min_group_size,
                    is_practically_significant=(practically_significant or {}).get(" / ".join(category)),
                ),
                ratio=None if category in excluded else impact_ratio(tally, reference),
                ratio_to_small=None if small is None or category in excluded else impact_ratio(tally, small),
                test=significance(tally, reference) if category in adjusted else None,
                holm_p=adjusted.get(category),
                fisher_p=_fisher(tally, reference) if category in adjusted else None,
                interval=ratio_interval(tally, reference) if category in adjusted else None,
                shortfall=shortfall(tally, reference) if category in adjusted else None,
                flips=category in adjusted and flips_with_one_person(tally, reference),
            )
        )
    return tuple(found)


def _fisher(category: Tally, reference: Tally) -> float:
    return fisher_p(category.selected, category.n, count_reference=reference.selected, reference=reference.n)


def _below(*, is_significant: bool, is_small: bool) -> Finding:
    if is_significant:
        return Finding(_FAILED, _FAILED, "ugesp.below_and_significant")
    if is_small:
        return Finding(_INSUFFICIENT, _INSUFFICIENT, "ugesp.below_with_small_numbers")
    return Finding(_FAILED, _INSUFFICIENT, "ugesp.below_not_significant")


def _has_small_numbers(category: Tally, reference: Tally, min_group_size: int) -> bool:
    return (
        min(category.n, reference.n) < min_group_size
        or has_small_cell(category, reference)
        or flips_with_one_person(category, reference)
    )


def _unjudged(
    category: Category, *, excluded: Collection[Category], exempt: Collection[Category], reference: Category
) -> Finding | None:
    """The outcome of a category that is not compared, null where it is."""
    if category in excluded:
        return Finding(CheckStatus.NOT_APPLICABLE, CheckStatus.NOT_APPLICABLE, "ugesp.excluded")
    if category in exempt:
        return Finding(CheckStatus.NOT_APPLICABLE, CheckStatus.NOT_APPLICABLE, "ugesp.under_2_percent_of_labour_force")
    return Finding(_PASSED, _PASSED, "ugesp.reference") if category == reference else None
