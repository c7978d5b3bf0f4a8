"""How much happened and how much there is, by hour of the last day or by day of the last week."""

from bisect import bisect_left
from collections.abc import Sequence
from datetime import UTC, datetime, time, timedelta
from itertools import accumulate, pairwise
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import sqlalchemy as sa

from governance.clock import rfc3339
from governance.errors import InputRefused
from lineage.event_sight import seen_runs
from lineage.identity import NodeKind
from lineage.marquez.pages import is_deleted
from lineage.marquez.places import source_births
from lineage.reading import Reader, seen
from lineage.tables import EventRow, NodeRow

Period = Literal["DAY", "WEEK"]
Asset = Literal["jobs", "datasets", "sources"]
_TYPES = {"FAIL": "fail", "START": "start", "COMPLETE": "complete", "ABORT": "abort"}
_KINDS: dict[str, NodeKind] = {"jobs": "job", "datasets": "dataset"}


def intervals(period: Period, zone: str, now: datetime) -> list[tuple[datetime, datetime]]:
    """(start, end) of the 24 hours up to the present one, or the seven days of the zone up to today, oldest first.

    A day is from midnight to midnight there, so one on which the clocks change has 23 or 25 hours.

    Raises:
        InputRefused: there is no such time zone.
    """
    local = now.astimezone(_zone(zone))
    if period == "DAY":
        # Half-hour zones have their hours at half past in UTC: an hour begins where the local clock says so.
        begun = now - timedelta(minutes=local.minute, seconds=local.second, microseconds=local.microsecond)
        starts = [begun - timedelta(hours=hours) for hours in range(23, -2, -1)]
    else:
        today = local.date()
        days = [today + timedelta(days=offset) for offset in range(-6, 2)]
        starts = [datetime.combine(day, time(), tzinfo=local.tzinfo).astimezone(UTC) for day in days]
    return list(pairwise(starts))


def _zone(name: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as fault:
        raise InputRefused(
            expected="the name of a time zone, as Europe/Berlin or UTC",
            found=repr(name[:80]),
            remedy="Use a name of the IANA database.",
            pointer="timezone",
        ) from fault


def event_counts(unit: Reader, period: Period, zone: str) -> list[dict[str, Any]]:
    """Events of each type by the time they tell, interval by interval."""
    spans = intervals(period, zone, unit.now)
    # Only events of runs have a type.
    of_seen = [] if unit.sight.is_whole else [EventRow.run_identity.in_(seen_runs(unit))]
    counts = [
        sa.select(sa.literal(place), EventRow.event_type, sa.func.count())
        .where(*of_seen, EventRow.event_time >= start, EventRow.event_time < end, EventRow.event_type.in_(_TYPES))
        .group_by(EventRow.event_type)
        for place, (start, end) in enumerate(spans)
    ]
    rows = unit.session.connection().execute(sa.union_all(*counts))
    counted = {(place, _TYPES[event_type or ""]): count for place, event_type, count in rows}
    return [
        {**_span(span), **{name: counted.get((place, name), 0) for name in _TYPES.values()}}
        for place, span in enumerate(spans)
    ]


def asset_counts(unit: Reader, asset: Asset, period: Period, zone: str) -> list[dict[str, Any]]:
    """How many there were at the end of each interval; what was deleted since is not counted."""
    spans = intervals(period, zone, unit.now)
    if asset == "sources":
        born = sorted(source_births(unit))
        counts = [bisect_left(born, end) for _, end in spans]
    else:
        counts = _existing(unit, _KINDS[asset], spans)
    return [{**_span(span), "count": count} for span, count in zip(spans, counts, strict=True)]


def _existing(unit: Reader, kind: NodeKind, spans: Sequence[tuple[datetime, datetime]]) -> list[int]:
    """The nodes that were first named before the end of each span, without those deleted since."""
    counted = sa.select(sa.func.count()).select_from(NodeRow).where(NodeRow.kind == kind, *seen(unit))
    earlier = counted.where(NodeRow.first_seen < spans[0][0])
    added = [counted.where(NodeRow.first_seen >= start, NodeRow.first_seen < end) for start, end in spans]
    row = unit.session.connection().execute(sa.select(*(query.scalar_subquery() for query in (earlier, *added)))).one()
    deleted = sa.select(NodeRow.first_seen).where(NodeRow.kind == kind, is_deleted(), *seen(unit))
    gone = sorted(born for born in unit.session.scalars(deleted) if born is not None)
    return [count - bisect_left(gone, end) for count, (_, end) in zip(list(accumulate(row))[1:], spans, strict=True)]


def _span(span: tuple[datetime, datetime]) -> dict[str, str]:
    return {"startInterval": rfc3339(span[0]), "endInterval": rfc3339(span[1])}
