"""Rebuilding everything derived from the event log, and telling when that is due."""

from collections.abc import Iterator

import sqlalchemy as sa

from governance.database import Database, Unit
from governance.errors import StaleProjections
from lineage.actions import apply_actions
from lineage.changes import derive
from lineage.conformance import findings
from lineage.events import read_stored
from lineage.merging import Rules, insert_new
from lineage.residue import residue_findings
from lineage.search_index import index_all
from lineage.store import clear_derived, write, write_findings
from lineage.tables import EventRow, PayloadRow, ProjectionRow

VERSION = 1
"""Of the rules by which the derived tables are filled; when they change, it does, and a rebuild is due."""

PROJECTION = Rules(ProjectionRow, ("id",))
BATCH = 500  # events held in memory at a time


def replay(unit: Unit) -> int:
    """Empty the derived tables and fill them again from the stored events and acts; how many events there were.

    Nothing is logged: the events and their leaves are as they were.
    """
    clear_derived(unit)
    count = 0
    for batch in _batches(unit):
        events = [read_stored(body, row.redaction_version, row.digest) for row, body, _ in batch]
        write(unit, derive((event, row.arrived_at) for event, (row, _, _) in zip(events, batch, strict=True)))
        judges = [findings if pruning is None else residue_findings for _, _, pruning in batch]
        write_findings(unit, [(event, judge(event)) for event, judge in zip(events, judges, strict=True)])
        count += len(events)
    apply_actions(unit)
    index_all(unit)
    _mark(unit)
    return count


def bring_up_to_date(database: Database) -> None:
    """Rebuild the derived tables where they were filled by other rules than this version's."""
    with database.unit() as unit:
        if not _is_current(unit):
            replay(unit)


def require_current(unit: Unit) -> None:
    """Return when the derived tables follow the rules of this version; an empty event log is marked as such.

    Raises:
        StaleProjections: they do not; the message names the command that mends it.
    """
    if _is_current(unit):
        return
    if unit.session.scalar(sa.select(EventRow.id).limit(1)) is not None:
        raise StaleProjections(
            expected=f"lineage derived by version {VERSION} of its rules",
            found="lineage derived by another version, or not yet",
            remedy="Run `assay lineage replay` with this version.",
        )
    _mark(unit)


def _is_current(unit: Unit) -> bool:
    return unit.session.scalar(sa.select(ProjectionRow.version)) == VERSION


def _mark(unit: Unit) -> None:
    unit.session.execute(sa.delete(ProjectionRow))
    row = [{"id": 1, "version": VERSION}]
    # Two servers that start at one moment on an empty database both come here.
    unit.session.connection().execute(insert_new(PROJECTION, unit.dialect), row)


def _batches(unit: Unit) -> Iterator[list[tuple[EventRow, bytes, int | None]]]:
    last = 0
    while True:
        query = (
            sa.select(EventRow, PayloadRow.body, PayloadRow.pruning_id)
            .join(PayloadRow, PayloadRow.event_id == EventRow.id)
            .where(EventRow.id > last)
            .order_by(EventRow.id)
            .limit(BATCH)
        )
        rows = [(row, body, pruning) for row, body, pruning in unit.session.execute(query)]
        if not rows:
            return
        yield rows
        last = rows[-1][0].id
        unit.session.expunge_all()
