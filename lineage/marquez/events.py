"""Stored events in lists: as they were taken, newest or oldest first."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from governance.canonical import read_json
from lineage.event_sight import seen_runs
from lineage.identity import namespace_identity
from lineage.marquez.pages import Keys, Page
from lineage.marquez.sight import seen_part
from lineage.reading import Reader
from lineage.tables import EventRow, PayloadRow


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events: of one job namespace, RunEvents only, at or after ``after`` and before ``before``."""

    namespace: str | None = None
    only_runs: bool = False
    after: datetime | None = None
    before: datetime | None = None
    direction: Literal["asc", "desc"] = "desc"


def event_keys(unit: Reader, wanted: EventFilter, page: Page) -> Keys:
    """The events of a page by their time; at equal times by the order in which they were taken.

    Whoever does not see everything is told of those of runs of jobs that he sees.
    """
    conditions: list[Any] = [] if unit.sight.is_whole else [EventRow.run_identity.in_(seen_runs(unit))]
    if wanted.namespace is not None:
        conditions.append(EventRow.namespace_identity == namespace_identity(wanted.namespace))
    if wanted.only_runs:
        conditions.append(EventRow.kind == "RunEvent")
    if wanted.after is not None:
        conditions.append(EventRow.event_time >= wanted.after)
    if wanted.before is not None:
        conditions.append(EventRow.event_time < wanted.before)
    connection = unit.session.connection()
    count = sa.select(sa.func.count()).select_from(EventRow).where(*conditions)
    total: int = connection.execute(count).scalar_one()
    if page.limit == 0 or page.offset >= total:
        return Keys((), total)
    order = [column.desc() if wanted.direction == "desc" else column for column in (EventRow.event_time, EventRow.id)]
    chosen = sa.select(EventRow.id).where(*conditions).order_by(*order).limit(page.limit).offset(page.offset)
    return Keys(tuple(connection.execute(chosen).scalars()), total)


def event_bodies(unit: Reader, events: Sequence[int]) -> Iterator[bytes]:
    """The bytes of each event, one at a time; of one that was pruned, its residue.

    With ``{"hidden": true}`` in place of each object that names what the unit does not see.
    """
    for number in events:
        body: bytes = unit.session.scalars(sa.select(PayloadRow.body).where(PayloadRow.event_id == number)).one()
        yield body if unit.sight.is_whole else json.dumps(seen_part(read_json(body), unit.sight)).encode("ascii")
