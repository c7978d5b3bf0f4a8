"""Announcing: an event is stored with what it tells of, once, in order, and as the standard says."""

import pytest
import sqlalchemy as sa
from cloudevents.core.formats.json import JSONFormat
from cloudevents.core.v1.event import CloudEvent

from governance.canonical import canonical
from governance.database import Database
from governance.errors import Conflict
from governance.notices.outbox import announce, cloud_event
from governance.notices.tables import NoticeRow


def announced(database: Database) -> list[NoticeRow]:
    with database.read_unit() as unit:
        rows = list(unit.session.scalars(sa.select(NoticeRow).order_by(NoticeRow.seq)))
        unit.session.expunge_all()
    return rows


def test_events_of_one_transaction_keep_their_order(database: Database) -> None:
    with database.unit() as unit:
        for number in range(5):
            announce(unit, "assay.decision.taken", subject=f"decisions/{number}", data={"number": number})
    assert [row.subject for row in announced(database)] == [f"decisions/{number}" for number in range(5)]
    assert len({row.id for row in announced(database)}) == 5


def test_an_event_of_a_transaction_that_fails_was_never_announced(database: Database) -> None:
    def refused() -> None:
        with database.unit() as unit:
            announce(unit, "assay.decision.taken", subject="decisions/1", data={})
            raise Conflict(expected="x", found="y", remedy="z")

    with pytest.raises(Conflict):
        refused()
    assert announced(database) == []


def test_an_event_is_read_by_the_library_of_cloudevents(database: Database) -> None:
    with database.unit() as unit:
        announce(unit, "assay.decision.taken", subject="decisions/1", data={"verdict": "deny"})
    row = announced(database)[0]
    read = JSONFormat().read(CloudEvent, canonical(cloud_event(row, "assay://bank.example")))
    assert (read.get_specversion(), read.get_source(), read.get_type(), read.get_subject()) == (
        "1.0", "assay://bank.example", "assay.decision.taken", "decisions/1",
    )  # fmt: skip
    assert read.get_data() == {"verdict": "deny"}
    assert (read.get_id(), read.get_time()) == (row.id, row.announced_at)
