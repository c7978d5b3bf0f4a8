"""Lineage as checks see it: of the database, or of a file of OpenLineage events."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

import msgspec

from governance.database import Database, ReadUnit, Row, Unit
from governance.errors import InputRefused, MalformedBody
from governance.types.ancestry import Ancestry
from governance.types.subject import Subject
from lineage.ancestry import trace
from lineage.changes import derive
from lineage.events import Event, parse_event
from lineage.store import write
from lineage.tables import DERIVED


class StoredLineage:
    """The lineage in the database, read in one unit. Implements ``governance.check.LineageView``."""

    def __init__(self, unit: ReadUnit | Unit) -> None:
        """Read in ``unit``."""
        self._unit = unit

    def ancestry(self, subject: Subject, *, as_of: datetime | None = None) -> Ancestry:
        """Everything upstream of the subject, as of an instant or now.

        Raises:
            Conflict: two different model versions have the subject's content digest.
        """
        return trace(self._unit, subject, as_of)


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
            Row.metadata.create_all(database.engine, [Row.metadata.tables[row.__tablename__] for row in DERIVED])
            with database.unit() as unit:
                write(unit, derive((event, event.time) for event in events))
            yield database
        finally:
            database.close()


def _events(paths: Sequence[Path]) -> Iterator[Event]:
    found = False
    for path in paths:
        for file in sorted(path.rglob("*.json*")) if path.is_dir() else [path]:
            for body in _bodies(file):
                found = True
                yield parse_event(body)
    if not found:
        raise InputRefused(
            expected="OpenLineage events as JSON or JSON lines",
            found="none in " + ", ".join(str(path) for path in paths)[:200],
            remedy="Name the file or folder that the events were written to.",
        )


def _bodies(file: Path) -> list[bytes]:
    """The events in one file: one object, an array of them, or one a line."""
    try:
        content = file.read_bytes()
    except OSError as fault:
        raise InputRefused(
            expected="a readable file of events", found=f"{file}: {fault.strerror}", remedy="Check the path."
        ) from fault
    if not content.strip():
        return []
    try:
        if content.lstrip()[:1] == b"[":
            return [bytes(item) for item in msgspec.json.decode(content, type=list[msgspec.Raw])]
        return [bytes(item) for item in _objects(content)]
    except msgspec.DecodeError as fault:
        raise MalformedBody(
            expected="events as JSON or JSON lines", found=f"{file}: {fault}"[:200], remedy="Correct the file."
        ) from fault


def _objects(content: bytes) -> list[msgspec.Raw]:
    """One value that may span lines, or else one value a line."""
    try:
        return [msgspec.json.decode(content, type=msgspec.Raw)]
    except msgspec.DecodeError:
        return msgspec.json.Decoder(msgspec.Raw).decode_lines(content)
