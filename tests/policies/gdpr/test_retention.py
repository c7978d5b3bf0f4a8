"""R3: retention ends by the calendar, at training and at the evaluation."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policies.gdpr.durations import add_duration
from tests.policies.gdpr.build import ancestry, data, day, fact, judged, model, reasons, record, run, simple, step


def keeping(**retention: Any) -> dict[str, Any]:
    return record(retention=retention or None)


@pytest.mark.parametrize(
    ("start", "text", "end"),
    [
        ("2026-01-01", "P5Y", "2031-01-01"),
        ("2026-02-15", "P6M", "2026-08-15"),
        ("2025-01-01", "P3Y", "2028-01-01"),
        ("2026-01-31", "P1M", "2026-02-28"),
        ("2024-01-31", "P1M", "2024-02-29"),
        ("2024-02-29", "P1Y", "2025-02-28"),
        ("2024-02-29", "P4Y", "2028-02-29"),
        ("2026-10-31", "P4M", "2027-02-28"),
        ("2026-12-01", "P1M", "2027-01-01"),
        ("2026-01-31", "P1M1D", "2026-03-01"),
        ("2026-01-01", "P2W", "2026-01-15"),
        ("2026-01-01", "P0D", "2026-01-01"),
    ],
)
def test_calendar_durations_clip_month_ends(start: str, text: str, end: str) -> None:
    assert add_duration(day(start), text, UTC) == day(end)


@pytest.mark.parametrize(
    "text", ["", "P", "PT", "P5", "5Y", "P1Y2", "P-1Y", "P1.5Y", "P1YT", "forever", "P9999Y", "p1y"]
)
def test_what_is_no_duration_has_no_end(text: str) -> None:
    assert add_duration(day("2026-01-01"), text, UTC) is None


def test_the_day_is_that_of_the_controllers_time_zone() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 1, 30, 23, 30, tzinfo=UTC)  # 31 January in Berlin
    end = add_duration(start, "P1M", berlin)
    assert end is not None
    assert end.astimezone(berlin) == datetime(2026, 2, 28, 0, 30, tzinfo=berlin)
    summer = add_duration(datetime(2026, 1, 1, tzinfo=berlin), "P6M", berlin)
    assert summer == datetime(2026, 7, 1, tzinfo=berlin)


@given(st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC)), st.integers(0, 400))  # noqa: DTZ001 - bounds are naive by contract
def test_months_move_the_month_and_never_skip_one(start: datetime, months: int) -> None:
    end = add_duration(start, f"P{months}M", UTC)
    assert end is not None
    assert (end.year * 12 + end.month) - (start.year * 12 + start.month) == months
    assert end.day in {start.day, *range(28, start.day)}
    assert end.timetz() == start.timetz()


@given(st.text(max_size=12))
def test_any_text_is_a_duration_or_none(text: str) -> None:
    end = add_duration(day("2026-01-01"), text, UTC)
    assert end is None or end >= day("2026-01-01")


def test_data_within_its_period_passes() -> None:
    assert judged(simple(fact(record())), "R3").status == "passed"


def test_the_end_itself_is_already_outside() -> None:
    ends_at_training = keeping(starts_at="2026-08-01T00:00:00Z", duration="P1M")
    result = judged(simple(fact(ends_at_training), erased_at=day("2026-10-01")), "R3")
    assert reasons(result, "R3") == ["retention_ended_before_training"]
    just_after = keeping(starts_at="2026-08-01T00:00:01Z", duration="P1M")
    assert judged(simple(fact(just_after), erased_at=day("2026-10-01")), "R3").status == "passed"


@pytest.mark.parametrize(
    ("retention", "reason"),
    [
        ({}, "retention_not_stated"),
        ({"duration": "P5Y"}, "retention_malformed"),
        ({"starts_at": "2026-01-01T00:00:00Z", "duration": "five years"}, "retention_malformed"),
        ({"duration": "P5Y", "trigger": "end of contract"}, "retention_trigger_unknown"),
        ({"trigger": "end of contract"}, "retention_trigger_unknown"),
        ({"starts_at": "2026-01-01T00:00:00Z"}, "retention_unlimited"),
    ],
)
def test_retention_that_gives_no_end_cannot_be_decided(retention: dict[str, Any], reason: str) -> None:
    result = judged(simple(fact(keeping(**retention))), "R3")
    assert (result.status, result.reason) == ("insufficient_evidence", f"gdpr.R3.{reason}")


def test_an_exception_lets_data_be_kept_without_limit() -> None:
    assert judged(simple(fact(keeping(exception_ref="Art. 89"))), "R3").status == "passed"


def test_an_end_within_thirty_days_passes_with_a_warning() -> None:
    soon = simple(fact(keeping(starts_at="2025-12-02T00:00:00Z", duration="P1Y")))
    result = judged(soon, "R3")
    assert (result.status, [finding.severity for finding in result.findings]) == ("passed", ["warning"])
    assert judged(soon, "R3", retention_warning_days=29).findings == ()


def test_a_stored_copy_after_the_end_fails_until_its_deletion_is_recorded() -> None:
    ended = fact(keeping(starts_at="2025-10-01T00:00:00Z", duration="P1Y"))

    def chain(**erased: datetime) -> Any:
        return ancestry(
            [data("a", ended, erased_at=erased.get("a")), data("b", erased_at=erased.get("b")), model()],
            [run("p", started_at=day("2026-08-01")), run("t")],
            [*step(["a"], "p", "b"), *step(["b"], "t", "m")],
        )

    assert judged(chain(), "R3").findings[0].message.endswith("no deletion is recorded of: a, b.")
    assert judged(chain(a=day("2026-10-01")), "R3").findings[0].message.endswith("no deletion is recorded of: b.")
    assert judged(chain(a=day("2026-10-01"), b=day("2026-10-02")), "R3").status == "passed"
    assert judged(chain(a=day("2026-10-01"), b=day("2026-12-01")), "R3").status == "failed"


def test_many_stored_copies_are_counted_beyond_ten() -> None:
    ended = fact(keeping(starts_at="2025-10-01T00:00:00Z", duration="P1Y"))
    made = [f"b{number:02}" for number in range(14)]
    edges = [each for name in made for each in step(["a"], f"p{name}", name)]
    found = ancestry(
        [data("a", ended), *(data(name) for name in made), model()],
        [run("t"), *(run(f"p{name}", started_at=day("2026-08-01")) for name in made)],
        [*edges, *step(made, "t", "m")],
    )
    assert judged(found, "R3").findings[0].message.endswith("b07, b08 and 5 more.")


def test_a_time_without_a_zone_is_read_in_the_controllers_zone() -> None:
    naive = keeping(starts_at="2026-08-01T00:00:00", duration="P1M")
    found = simple(fact(naive), erased_at=day("2026-10-01"))
    assert judged(found, "R3", time_zone="Europe/Berlin").status == "failed"
    assert judged(found, "R3", time_zone="America/New_York").status == "passed"


def test_a_later_end_claimed_downstream_is_ignored_and_said() -> None:
    short = fact(keeping(starts_at="2026-01-01T00:00:00Z", duration="P6M"))
    found = ancestry(
        [data("a", short), data("b", fact(record())), model()],
        [run("p"), run("t")],
        [*step(["a"], "p", "b"), *step(["b"], "t", "m")],
    )
    result = judged(found, "R3")
    assert result.status == "failed"
    assert "widened" in reasons(result, "R3")


def test_the_warning_period_is_half_open_at_the_evaluation() -> None:
    ending = simple(fact(keeping(starts_at="2026-01-01T00:00:00Z", duration="P1Y")))
    assert judged(ending, "R3", at=day("2027-01-01") - timedelta(seconds=1)).status == "passed"
    assert judged(ending, "R3", at=day("2027-01-01")).status == "failed"
