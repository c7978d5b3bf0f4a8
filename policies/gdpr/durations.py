"""Calendar arithmetic of retention periods: years and months by the calendar, month ends clipped."""

import re
from calendar import monthrange
from datetime import UTC, datetime, timedelta, tzinfo

_DURATION = re.compile(
    r"P(?=[0-9T])(?:(\d{1,4})Y)?(?:(\d{1,5})M)?(?:(\d{1,5})W)?(?:(\d{1,6})D)?(?:T(?=\d)(?:(\d{1,7})H)?(?:(\d{1,9})M)?(?:(\d{1,9})S)?)?"
)


def add_duration(start: datetime, text: str, zone: tzinfo) -> datetime | None:
    """The instant ``text`` (ISO 8601: ``P5Y``, ``P6M``, ``P1Y2M10DT2H``) after ``start``; null if it is no duration.

    Years and months move the date in ``zone`` and keep the time of day; a day that the month lacks becomes its last
    (31 January plus ``P1M`` is 28 or 29 February). Weeks and days move the date too; hours, minutes and seconds are
    exact. An end beyond the year 9999 is null.
    """
    match = _DURATION.fullmatch(text)
    if match is None:
        return None
    years, months, weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    local = start.astimezone(zone)
    month_index = local.year * 12 + local.month - 1 + years * 12 + months
    year, month = divmod(month_index, 12)
    if not 1 <= year <= 9998:
        return None
    day = min(local.day, monthrange(year, month + 1)[1])
    try:
        moved = local.replace(year=year, month=month + 1, day=day) + timedelta(weeks=weeks, days=days)
        return moved.astimezone(UTC) + timedelta(hours=hours, minutes=minutes, seconds=seconds)
    except OverflowError:
        return None


def aware(instant: datetime, zone: tzinfo) -> datetime:
    """The instant with its zone; one that was written without is read in ``zone``."""
    return instant.replace(tzinfo=zone) if instant.tzinfo is None else instant


def holds(at: datetime, valid_from: datetime | None, valid_to: datetime | None, zone: tzinfo) -> bool:
    """Whether ``at`` lies in the half-open interval ``[valid_from, valid_to)``; an open side is null."""
    begun = valid_from is None or aware(valid_from, zone) <= at
    return begun and (valid_to is None or at < aware(valid_to, zone))


def instant_text(instant: datetime) -> str:
    """The instant in UTC as RFC 3339 text with a ``Z``."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")
