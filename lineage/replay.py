"""Rebuilding everything derived from the event log."""

from collections.abc import Iterator

import sqlalchemy as sa

from governance.database import Unit
from lineage.changes import derive
from lineage.conformance import findings
from lineage.events import read_stored
from lineage.store import clear_derived, write, write_findings
from lineage.tables import EventRow

BATCH = 500  # events held in memory at a time


def replay(unit: Unit) -> int:
    """Empty the derived tables and fill them again from the stored events; how many there were.

    Nothing is logged: the events and their leaves are as they were.
    """
    clear_derived(unit)
    count = 0
    for rows in _batches(unit):
        events = [(read_stored(row.body, row.redaction_version), row.arrived_at) for row in rows]
        write(unit, derive(events))
        write_findings(unit, {event.digest_bytes: findings(event) for event, _ in events})
        count += len(events)
    return count


def _batches(unit: Unit) -> Iterator[list[EventRow]]:
    last = 0
    while True:
        query = sa.select(EventRow).where(EventRow.id > last).order_by(EventRow.id).limit(BATCH)
        rows = list(unit.session.scalars(query))
        if not rows:
            return
        yield rows
        last = rows[-1].id
        unit.session.expunge_all()
