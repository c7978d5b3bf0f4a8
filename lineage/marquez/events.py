"""Stored events in lists: as they were taken, newest or oldest first."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from governance.clock import rfc3339
from lineage.identity import namespace_identity
from lineage.marquez.pages import Keys, Page
from lineage.reading import Reader
from lineage.tables import EventRow, NodeRow, PayloadRow, RunRow


@dataclass(frozen=True, slots=True)
class EventFilter:
    """Which events: of one job namespace, RunEvents only, at or after ``after`` and before ``before``."""

    namespace: str | None = None
    only_runs: bool = False
    after: datetime | None = None
    before: datetime | None = None
    direction: Literal["asc", "desc"] = "desc"


def event_keys(unit: Reader, wanted: EventFilter, page: Page) -> Keys:
    """The events of a page by their time; at equal times by the order in which they were taken."""
    conditions: list[Any] = []
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
    """The bytes of each event; of one whose bytes were pruned, what is still known of it."""
    query = sa.select(PayloadRow.body)
    for number in events:
        body: bytes | None = unit.session.scalar(query.where(PayloadRow.event_id == number))
        yield _remainder(unit, number) if body is None else body


def _remainder(unit: Reader, number: int) -> bytes:
    """An event without its bytes: its kind and time, and the run and job that it was of."""
    event = unit.session.get_one(EventRow, number)
    known: dict[str, Any] = {
        "eventTime": rfc3339(event.event_time),
        "producer": "",
        "schemaURL": "",
        "inputs": [],
        "outputs": [],
        "pruned": {"digest": "sha256:" + event.digest.hex()},
    }
    if event.event_type is not None:
        known["eventType"] = event.event_type
    query = sa.select(RunRow.run_id, NodeRow.namespace, NodeRow.name).join(NodeRow, NodeRow.id == RunRow.job_id)
    row = unit.session.execute(query.where(RunRow.identity == event.run_identity)).first()
    if row is not None:
        known["run"] = {"runId": row.run_id, "facets": {}}
        known["job"] = {"namespace": row.namespace, "name": row.name, "facets": {}}
    return json.dumps(known).encode("ascii")
