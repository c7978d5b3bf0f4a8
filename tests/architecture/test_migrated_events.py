"""Events that were stored before a revision keep their bytes, and say what the revision asks of them."""

import json

import pytest
import sqlalchemy as sa

from governance.database import Database
from governance.migration import upgrade
from lineage.identity import namespace_identity
from lineage.tables import EventRow, PayloadRow
from tests.architecture.test_migrations import empty_url as empty_url  # noqa: PLC0414 - a fixture is imported by name
from tests.lineage.material import body, dataset, dataset_event, run_event

OLD = sa.table(
    "lineage_event", sa.column("digest"), sa.column("body"), sa.column("redaction_version"), sa.column("kind"),
    sa.column("event_time", sa.DateTime), sa.column("arrived_at", sa.DateTime),
)  # fmt: skip


@pytest.mark.parametrize("count", [1, 250])
def test_stored_events_know_their_jobs_namespace_after_the_upgrade(empty_url: str, count: int) -> None:
    upgrade(empty_url, "0004")
    contents = [body(run_event("COMPLETE", number)) for number in range(count)] + [body(dataset_event(dataset("t")))]
    database = Database(empty_url)
    with database.engine.begin() as connection:
        now = sa.func.now()
        for number, content in enumerate(contents):
            values = {"digest": number.to_bytes(32), "body": content, "redaction_version": 1, "kind": "RunEvent"}
            connection.execute(sa.insert(OLD).values(**values, event_time=now, arrived_at=now))
    upgrade(empty_url)
    with database.read_unit() as unit:
        rows = unit.session.execute(
            sa.select(EventRow.namespace_identity, PayloadRow.body).join(PayloadRow, PayloadRow.event_id == EventRow.id)
        ).all()
        assert sorted(row.body for row in rows) == sorted(contents)
        for namespace, content in rows:
            job = json.loads(content).get("job")
            assert namespace == (None if job is None else namespace_identity(job["namespace"]))
    database.close()
