"""Dates of New York City's Local Law 144, as calendar dates there. Pure; no clock is asked.

Source: 6 RCNY 5-301 and 5-304 (final rule, April 2023; confirm that they are current).
"""

import calendar
from collections.abc import Collection
from datetime import date, timedelta

from governance.types.results import CheckStatus

NOTICE_BUSINESS_DAYS = 10
_SATURDAY = 5


def a_year_later(day: date) -> date:
    """The date a year on, clipped to the last day of its month: 2024-02-29 gives 2025-02-28.

    The last year of the calendar has none after it, and gives its own last day.
    """
    if day.year == date.max.year:
        return date.max
    last = calendar.monthrange(day.year + 1, day.month)[1]
    return date(day.year + 1, day.month, min(day.day, last))


def audit_age(audit: date, use: date) -> tuple[CheckStatus, str]:
    """Whether an audit is at most a year old when the tool is used. An audit after the use is no audit of it."""
    if audit > use:
        return CheckStatus.FAILED, "ll144.audit_after_use"
    if use <= a_year_later(audit):
        return CheckStatus.PASSED, "ll144.audit_current"
    return CheckStatus.FAILED, "ll144.audit_older_than_a_year"


def earliest_use(notice: date, *, holidays: Collection[date], listed_years: Collection[int]) -> date | None:
    """The tenth business day after the notice: Monday to Friday without ``holidays``.

    Null where a year that is passed through is none of ``listed_years``, whose holidays are known.
    """
    day, left = notice, NOTICE_BUSINESS_DAYS
    while left:
        if day == date.max:
            return None
        day += timedelta(days=1)
        if day.year not in listed_years:
            return None
        left -= day.weekday() < _SATURDAY and day not in holidays
    return day


def notice_given(
    notice: date, use: date, *, holidays: Collection[date], listed_years: Collection[int]
) -> tuple[CheckStatus, str]:
    """Whether the use is on or after the tenth business day after the notice."""
    earliest = earliest_use(notice, holidays=holidays, listed_years=listed_years)
    if earliest is None:
        return CheckStatus.INSUFFICIENT_EVIDENCE, "ll144.holidays_unknown"
    if use >= earliest:
        return CheckStatus.PASSED, "ll144.notice_in_time"
    return CheckStatus.FAILED, "ll144.notice_too_late"
