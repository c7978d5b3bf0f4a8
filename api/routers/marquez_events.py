"""Stored events in lists, and statistics, as Marquez's clients and web pages read them."""

from collections.abc import Iterator
from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response, StreamingResponse

from api.answers import Paged, Paging, answer, instant
from api.dependencies import DatabaseOf, ReadingUnit, permit
from api.names import NameInPath
from governance.database import Database
from governance.errors import InputRefused
from lineage.events import read_time
from lineage.marquez.events import EventFilter, event_bodies, event_keys
from lineage.marquez.pages import Keys
from lineage.marquez.stats import Asset, Period, asset_counts, event_counts

router = APIRouter(prefix="/api/v1", tags=["marquez"])
READS = [permit("read")]
NARROWED = [permit("read", scoped=True)]
Instant = Annotated[str, Query(max_length=64, description="An instant as in RFC 3339; empty: no limit.")]
Zone = Annotated[str, Query(max_length=80, description="Name of a time zone.")]


class EventsAsked(Paging):
    """Which RunEvents, and in which order of their times."""

    after: Instant = ""
    before: Instant = ""
    sortDirection: Literal["asc", "desc"] = "desc"  # noqa: N815 - as Marquez's clients send it


@router.get("/events/lineage", summary="RunEvents by their time", dependencies=NARROWED)
def run_events(unit: ReadingUnit, database: DatabaseOf, asked: Annotated[EventsAsked, Query()]) -> Response:
    """As they are stored. From `after` on and before `before`; without them there is no limit in time."""
    limits = [_instant(text, name) for name, text in (("after", asked.after), ("before", asked.before))]
    wanted = EventFilter(only_runs=True, after=limits[0], before=limits[1], direction=asked.sortDirection)
    return _events(database, event_keys(unit, wanted, asked.page))


@router.get("/events", summary="All events by their time", dependencies=READS)
def events(unit: ReadingUnit, database: DatabaseOf, paging: Paged) -> Response:
    """As they are stored, the newest first."""
    return _events(database, event_keys(unit, EventFilter(), paging.page))


@router.get("/events/{namespace:path}", summary="The events of one job namespace", dependencies=READS)
def events_of(unit: ReadingUnit, database: DatabaseOf, namespace: NameInPath, paging: Paged) -> Response:
    """As they are stored, the newest first. The namespace is the rest of the path, slashes included."""
    return _events(database, event_keys(unit, EventFilter(namespace), paging.page))


def _events(database: Database, found: Keys) -> Response:
    """The events one by one as they were taken: together they may be larger than memory."""

    def parts() -> Iterator[bytes]:
        yield b'{"events": ['
        with database.read_unit() as unit:
            for place, body in enumerate(event_bodies(unit, found.ids)):
                yield body if place == 0 else b", " + body
        yield b'], "totalCount": %d}' % found.total

    return StreamingResponse(parts(), media_type="application/json")


def _instant(text: str, pointer: str) -> datetime | None:
    if not text:
        return None
    # The web pages do not encode what they send, and an unencoded plus arrives as a space.
    read = read_time(text.replace(" ", "+") if "T" in text else text)
    if read is None:
        raise InputRefused(
            expected="a date and time as in RFC 3339", found=text[:64], remedy="Correct it.", pointer=pointer
        )
    return instant(read[0], pointer)


@router.get("/stats/lineage-events", summary="Events by type over time", dependencies=NARROWED)
def event_statistics(unit: ReadingUnit, period: Period, timezone: Zone = "UTC") -> Response:
    """By hour of the last day, or by day of the last week in the time zone."""
    return answer(event_counts(unit, period, timezone))


@router.get("/stats/{asset}", summary="Jobs, datasets or sources over time", dependencies=NARROWED)
def asset_statistics(unit: ReadingUnit, asset: Asset, period: Period, timezone: Zone = "UTC") -> Response:
    """How many there were at the end of each hour of the last day, or each day of the last week."""
    return answer(asset_counts(unit, asset, period, timezone))
