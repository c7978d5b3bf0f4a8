"""Dates of Local Law 144: the golden vector, month ends, and years whose holidays nobody listed."""

from datetime import date

import pytest

from governance.types.results import CheckStatus
from policies.fairness.law.dates import a_year_later, audit_age, earliest_use, notice_given

THANKSGIVING = date(2026, 11, 26)
NOTICE = date(2026, 11, 13)


@pytest.mark.parametrize(
    ("use", "outcome"),
    [
        (date(2027, 2, 28), CheckStatus.PASSED),  # V15
        (date(2027, 3, 1), CheckStatus.FAILED),  # V15
        (date(2026, 2, 28), CheckStatus.PASSED),
        (date(2026, 2, 27), CheckStatus.FAILED),
    ],
)
def test_an_audit_serves_for_a_year(use: date, outcome: CheckStatus) -> None:
    assert audit_age(date(2026, 2, 28), use)[0] is outcome


def test_a_year_after_a_leap_day_is_the_end_of_february() -> None:
    assert a_year_later(date(2024, 2, 29)) == date(2025, 2, 28)


def test_the_tenth_business_day_leaves_weekends_and_holidays_out() -> None:  # V15
    assert earliest_use(NOTICE, holidays=[THANKSGIVING], listed_years=[2026]) == date(2026, 11, 30)
    assert earliest_use(NOTICE, holidays=[], listed_years=[2026]) == date(2026, 11, 27)


@pytest.mark.parametrize(("day", "outcome"), [(29, CheckStatus.FAILED), (30, CheckStatus.PASSED)])
def test_a_notice_is_in_time_from_the_tenth_business_day_on(day: int, outcome: CheckStatus) -> None:
    found = notice_given(NOTICE, date(2026, 11, day), holidays=[THANKSGIVING], listed_years=[2026])
    assert found[0] is outcome


def test_a_year_without_a_list_of_holidays_is_insufficient_evidence() -> None:
    found = notice_given(date(2026, 12, 28), date(2027, 3, 1), holidays=[], listed_years=[2026])
    assert found == (CheckStatus.INSUFFICIENT_EVIDENCE, "ll144.holidays_unknown")


def test_the_end_of_the_calendar_is_no_error() -> None:
    assert a_year_later(date.max) == date.max
    assert earliest_use(date.max, holidays=[], listed_years=[date.max.year]) is None
