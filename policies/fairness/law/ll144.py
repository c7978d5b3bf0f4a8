"""Impact ratios as New York City's Local Law 144 prescribes, and whether the step was done. Pure; no threshold exists.

Source: 6 RCNY 5-301 (final rule, April 2023; confirm that it is current). A pass says that the table was made as the
rule prescribes, never that its ratios are good.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from fractions import Fraction

from governance.types.results import CheckStatus
from policies.fairness.law.pairs import Tally, impact_ratio, is_under_two_percent
from policies.fairness.law.sample import Category

MIN_REFERENCE = 30
"""A reference of fewer people is kept, since the rule knows no minimum, and marked."""


@dataclass(frozen=True, slots=True)
class Row:
    """One category as it is published. A ratio is null where it is excluded, has no members, or no reference exists.

    ``ratio`` holds the exclusions, ``ratio_without_exclusion`` none; ``ratio_to_large`` is against the highest rate
    among categories that are large enough, and set only where the reference is small.
    """

    category: Category
    tally: Tally
    is_excluded: bool
    may_be_excluded: bool
    ratio: Fraction | None
    ratio_without_exclusion: Fraction | None
    ratio_to_large: Fraction | None


@dataclass(frozen=True, slots=True)
class ImpactTable:
    """A table with its people and its references: several where rates tie, none where no rate is above zero.

    ``status`` and ``reason`` say whether the table could be made as the rule prescribes.
    """

    people: int
    rows: tuple[Row, ...]
    references: tuple[Category, ...]
    has_small_reference: bool
    status: CheckStatus
    reason: str


def impact_table(
    counts: Mapping[Category, Tally],
    *,
    excluded: Mapping[Category, str] | None = None,
    min_reference: int = MIN_REFERENCE,
) -> ImpactTable:
    """The impact ratios of one table against its own highest rate.

    ``excluded`` maps the categories whose exclusion the auditor asks for to its justification; it is allowed under 2 %
    of the table's people (confirm that the table is the base). An excluded category keeps its row, n and rate.
    """
    asked = dict(excluded or {})
    people = sum(tally.n for tally in counts.values())
    kept = {category: tally for category, tally in counts.items() if category not in asked}
    references, every = highest(kept), highest(counts)
    is_small = any(counts[category].n < min_reference for category in references)
    large = highest({category: tally for category, tally in kept.items() if tally.n >= min_reference})
    rows = tuple(
        Row(
            category=category,
            tally=tally,
            is_excluded=category in asked,
            may_be_excluded=is_under_two_percent(tally.n, people),
            ratio=None if category in asked else _ratio(tally, counts, references),
            ratio_without_exclusion=_ratio(tally, counts, every),
            ratio_to_large=_ratio(tally, counts, large) if is_small and category not in asked else None,
        )
        for category, tally in counts.items()
    )
    status, reason = _outcome(counts, asked, people)
    return ImpactTable(people, rows, references, is_small, status, reason)


def highest(counts: Mapping[Category, Tally]) -> tuple[Category, ...]:
    """The categories with the highest rate; none where nobody is selected. Ties share the place."""
    rates = {category: tally.rate for category, tally in counts.items()}
    top = max((rate for rate in rates.values() if rate is not None), default=Fraction(0))
    return tuple(category for category, rate in rates.items() if rate == top) if top else ()


def _ratio(tally: Tally, counts: Mapping[Category, Tally], references: Collection[Category]) -> Fraction | None:
    return next((impact_ratio(tally, counts[reference]) for reference in references), None)


def _outcome(counts: Mapping[Category, Tally], asked: Mapping[Category, str], people: int) -> tuple[CheckStatus, str]:
    """Whether the step was done as prescribed; a fault of the auditor's goes before what the data cannot tell."""
    if any(category not in counts for category in asked):
        return CheckStatus.FAILED, "ll144.excluded_row_hidden"
    if any(not is_under_two_percent(counts[category].n, people) for category in asked):
        return CheckStatus.FAILED, "ll144.exclusion_not_under_2_percent"
    if any(not justification.strip() for justification in asked.values()):
        return CheckStatus.FAILED, "ll144.exclusion_not_justified"
    kept = [tally for category, tally in counts.items() if category not in asked and tally.n]
    if not kept:
        return CheckStatus.INSUFFICIENT_EVIDENCE, "ll144.nobody_known"
    if len(kept) == 1:
        return CheckStatus.INSUFFICIENT_EVIDENCE, "ll144.single_category"
    if not any(tally.selected for tally in kept):
        return CheckStatus.INSUFFICIENT_EVIDENCE, "ll144.highest_rate_is_zero"
    return CheckStatus.PASSED, "ll144.tables_made"
