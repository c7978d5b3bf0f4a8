"""Lineage as checks see it: of the database, or of a file of OpenLineage events."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from governance.database import Database, ReadUnit, Row, Unit
from governance.errors import InputRefused
from governance.types.ancestry import Ancestry
from governance.types.subject import Subject
from lineage.aliases import Aliases
from lineage.ancestry import trace
from lineage.changes import derive
from lineage.events import Event
from lineage.files import event_bodies
from lineage.marks import marks_of
from lineage.reading import find_node
from lineage.receiving import parse_event
from lineage.rules import DERIVED
from lineage.store import answers, insert_events, write
from lineage.tables import EventRow, PayloadRow


class StoredLineage:
    """The lineage in the database, read in one unit. Implements ``governance.check.LineageView``."""

    def __init__(self, unit: ReadUnit | Unit) -> None:
        """Read in ``unit``."""
        self._unit = unit

    def ancestry(self, subject: Subject, *, as_of: datetime | None = None) -> Ancestry:
        """Everything upstream of the subject, as of an instant or now.

        It is worked out once in a transaction: whoever asks again in it is told the same.

        Raises:
            Conflict: two different model versions have the subject's content digest.
        """
        known, question = answers(self._unit), ("ancestry", self._unit.sight, subject, as_of)
        if question not in known:
            known[question] = trace(self._unit, subject, as_of)
        told: Ancestry = known[question]
        return told

    def owners(self, subject: Subject) -> frozenset[str]:
        """Names in the ownership facets of the model version's dataset, as producers wrote them; empty without any."""
        row = find_node(self._unit, "dataset", subject.namespace, subject.lineage_name)
        if row is None:
            return frozenset()
        aliases = Aliases(self._unit, None)
        node = aliases.canonical([row.id]).get(row.id, row.id)
        return frozenset(name for name, _ in marks_of(self._unit, [node], aliases=aliases)[node].owners)


class FileLineage:
    """The lineage in files of OpenLineage events. Implements ``governance.check.LineageView``.

    The events take the same path as in the service, into a database that is gone when the question is answered.
    """

    def __init__(self, paths: Sequence[Path]) -> None:
        """Read every event in ``paths``: JSON files, JSON lines, or folders of them.

        Raises:
            InputRefused: an event cannot be placed, or there is none. MalformedBody: a file is not JSON.
        """
        self._events = tuple(_events(paths))

    def ancestry(self, subject: Subject, *, as_of: datetime | None = None) -> Ancestry:
        """Everything upstream of the subject, as of an instant or now.

        ``recorded_at`` of a fact is the time of its event, since a file does not say when it was first received.

        Raises:
            Conflict: two different model versions have the subject's content digest.
        """
        with _database_of(self._events) as database, database.read_unit() as unit:
            return trace(unit, subject, as_of)


@contextmanager
def _database_of(events: Sequence[Event]) -> Iterator[Database]:
    with tempfile.TemporaryDirectory(prefix="assay-lineage-") as folder:
        database = Database(f"sqlite:///{folder}/lineage.db")
        try:
            rows: tuple[type[Row], ...] = (EventRow, PayloadRow, *DERIVED)
            Row.metadata.create_all(database.engine, [Row.metadata.tables[row.__tablename__] for row in rows])
            with database.unit() as unit:
                insert_events(unit, events)
                write(unit, derive((event, event.time) for event in events))
            yield database
        finally:
            database.close()


def _events(paths: Sequence[Path]) -> Iterator[Event]:
    found = False
    for path in paths:
        for body in event_bodies(path):
            found = True
            yield parse_event(body)
    if not found:
        raise InputRefused(
            expected="OpenLineage events as JSON or JSON lines",
            found="none in " + ", ".join(str(path) for path in paths)[:200],
            remedy="Name the file or folder that the events were written to.",
        )
