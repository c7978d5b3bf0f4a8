"""Reasons, dates and proxies of Regulation B, from attributions that are given. Pure.

Source: 12 CFR 1002.6, 1002.9, 1002.12 and their official comments (confirm that they are current; the effects test left
the regulation on 2026-07-21, its rules on adverse action stayed).
"""

import calendar
from collections.abc import Mapping, Sequence
from datetime import date, timedelta
from fractions import Fraction

from governance.types.credit_audit import ReasonFeature

NOTICE_DAYS = 30
MAX_REASONS = 4
"""More reasons than four are unlikely to help an applicant (comment 9(b)(2)-1)."""

TOLERANCE = Fraction(1, 10_000)
"""How far base and contributions may miss the output; a distance equal to it is too far."""

RETENTION_MONTHS = {"consumer": 25, "business": 12}

PROXY_AREA = Fraction(7, 10)
"""From this area on a feature that predicts a prohibited basis is for a person to look at."""


def parents(features: Sequence[ReasonFeature], contributions: Mapping[str, Fraction]) -> dict[str, Fraction]:
    """The contributions of the model's inputs in the declared order; one-hot columns are summed into their parent."""
    sums: dict[str, Fraction] = {}
    for feature in features:
        sums[feature.name] = sums.get(feature.name, Fraction(0)) + contributions[feature.column]
    return sums


def reasons(
    features: Sequence[ReasonFeature], contributions: Mapping[str, Fraction], *, higher_is_better: bool
) -> tuple[str, ...]:
    """The inputs that push towards denial, the largest first, at most four; ties stand in the declared order.

    A zero contribution is never a reason.
    """
    sums = parents(features, contributions)
    sign = -1 if higher_is_better else 1
    pushing = [(name, sign * value) for name, value in sums.items() if sign * value > 0]
    # Sorting is stable, so that ties keep their order.
    return tuple(name for name, _ in sorted(pushing, key=lambda pair: -pair[1])[:MAX_REASONS])


def is_locally_accurate(base: Fraction, contributions: Sequence[Fraction], output: Fraction) -> bool:
    """Whether ``|base + sum - output| < 0.0001``, strictly and exactly."""
    return abs(base + sum(contributions, Fraction(0)) - output) < TOLERANCE


def is_notice_in_time(start: date, notice: date) -> bool:
    """Whether the notice was given within 30 calendar days of the start of the clock."""
    return notice <= start + timedelta(days=NOTICE_DAYS)


def months_later(day: date, months: int) -> date:
    """The date some calendar months on, clipped to the end of its month; at most the last day of the calendar."""
    month = day.month - 1 + months
    year = day.year + month // 12
    if year > date.max.year:
        return date.max
    last = calendar.monthrange(year, month % 12 + 1)[1]
    return date(year, month % 12 + 1, min(day.day, last))


def is_retained(months: int, credit: str) -> bool:
    """Whether records are kept for 25 months, or 12 for business credit."""
    return months >= RETENTION_MONTHS[credit]


def proxy_area(positives: Sequence[Fraction], negatives: Sequence[Fraction]) -> Fraction | None:
    """``(2 * wins + ties) / (2 * n1 * n0)``; null where a class is empty."""
    if not positives or not negatives:
        return None
    values = sorted(set(positives) | set(negatives))
    doubled, below = 0, 0
    ups, downs = _counts(positives), _counts(negatives)
    for value in values:
        doubled += ups.get(value, 0) * (2 * below + downs.get(value, 0))
        below += downs.get(value, 0)
    return Fraction(doubled, 2 * len(positives) * len(negatives))


def _counts(values: Sequence[Fraction]) -> dict[Fraction, int]:
    found: dict[Fraction, int] = {}
    for value in values:
        found[value] = found.get(value, 0) + 1
    return found
