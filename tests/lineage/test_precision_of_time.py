"""Times of events are ordered to the microsecond, whatever was sent beyond it."""

import sqlalchemy as sa

from governance.database import Database
from lineage.tables import RunRow
from tests.lineage.material import at, bodies, run_event
from tests.lineage.test_ingest import take


def test_times_are_ordered_to_the_microsecond(database: Database) -> None:
    document = run_event("START")
    take(database, *bodies(*({**document, "eventTime": f"{at(0)[:-1]}.00000{digit}999Z"} for digit in (2, 1))))
    with database.read_unit() as unit:
        start = unit.session.scalars(sa.select(RunRow.first_start)).one()
    assert start is not None
    assert start.microsecond == 1
