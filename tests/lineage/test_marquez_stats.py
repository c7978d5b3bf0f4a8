"""Statistics by hour and by day of a time zone."""

from datetime import UTC, datetime, timedelta

import pytest

from governance.database import Database
from governance.errors import InputRefused
from governance.settings import LineageSettings
from lineage.ingest import record_events
from lineage.marquez.stats import asset_counts, event_counts, intervals
from tests.lineage.material import NOON, bodies, run_event, run_id


def test_a_day_is_the_present_hour_and_the_23_before() -> None:
    now = datetime(2026, 3, 1, 12, 34, 56, 7, tzinfo=UTC)
    spans = intervals("DAY", "UTC", now)
    assert len(spans) == 24
    assert spans[-1] == (datetime(2026, 3, 1, 12, tzinfo=UTC), datetime(2026, 3, 1, 13, tzinfo=UTC))
    assert spans[0][0] == datetime(2026, 2, 28, 13, tzinfo=UTC)
    assert all(end - start == timedelta(hours=1) for start, end in spans)


def test_hours_of_a_half_hour_zone_begin_where_its_clock_says_so() -> None:
    spans = intervals("DAY", "Asia/Kolkata", datetime(2026, 3, 1, 12, 34, tzinfo=UTC))
    assert spans[-1][0] == datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "hours"),
    [
        (datetime(2026, 3, 30, 12, tzinfo=UTC), [24, 24, 24, 24, 24, 23, 24]),  # the clocks go forward on 29 March
        (datetime(2026, 10, 26, 12, tzinfo=UTC), [24, 24, 24, 24, 24, 25, 24]),  # and back on 25 October
        (datetime(2026, 6, 30, 22, 30, tzinfo=UTC), [24] * 7),  # it is July already
    ],
)
def test_a_week_is_seven_days_from_midnight_to_midnight_there(now: datetime, hours: list[int]) -> None:
    spans = intervals("WEEK", "Europe/Berlin", now)
    assert [(end - start) / timedelta(hours=1) for start, end in spans] == hours
    assert [end for _, end in spans[:-1]] == [start for start, _ in spans[1:]]
    assert spans[-1][0] <= now < spans[-1][1]


@pytest.mark.parametrize("zone", ["Mars/Base", "", "/etc/passwd", "../UTC", "UTC\0"])
def test_a_zone_that_does_not_exist_is_refused(zone: str) -> None:
    with pytest.raises(InputRefused):
        intervals("DAY", zone, NOON)


def test_events_and_assets_are_counted_where_they_belong(database_url: str) -> None:
    now = NOON + timedelta(hours=3, minutes=30)
    database = Database(database_url, clock=lambda: now)
    events = [
        run_event("START", -600 * 24, run=run_id(1), job="old", outputs=["old"]),
        run_event("START", -1, run=run_id(2), job="a", outputs=["t"]),
        run_event("COMPLETE", 0, run=run_id(2), job="a"),
        run_event("FAIL", 59, run=run_id(3), job="b"),
        run_event("RUNNING", 60, run=run_id(4), job="b"),
        run_event("ABORT", 200, run=run_id(5), job="c"),
    ]
    with database.unit() as unit:
        record_events(unit, bodies(*events), LineageSettings())
    with database.read_unit() as unit:
        hours = event_counts(unit, "DAY", "UTC")
        shown = {
            row["startInterval"][11:13]: (row["start"], row["complete"], row["fail"], row["abort"]) for row in hours
        }
        assert {hour: counts for hour, counts in shown.items() if any(counts)} == {
            "11": (1, 0, 0, 0),
            "12": (0, 1, 1, 0),
            "15": (0, 0, 0, 1),
        }
        days = event_counts(unit, "WEEK", "UTC")
        assert (days[-1]["start"], days[-1]["fail"], days[0]["start"]) == (1, 1, 0)
        assert [row["count"] for row in asset_counts(unit, "jobs", "DAY", "UTC")][-5:] == [2, 3, 3, 3, 4]
        assert [row["count"] for row in asset_counts(unit, "datasets", "WEEK", "UTC")] == [1] * 6 + [2]
        assert asset_counts(unit, "sources", "WEEK", "UTC")[-1]["count"] == 1
    database.close()
