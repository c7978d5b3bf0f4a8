"""A toy table of work, its task, and a worker process of either engine, for tests of leases and engines.

Run as a program: ``python -m tests.support.toywork URL ENGINE SECONDS`` works until it is killed.
"""

import sys
import threading
import time
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from governance.database import Database, Document, UTCDateTime
from governance.jobs.embedded import EmbeddedEngine
from governance.jobs.lease import LeasedRow, LeaseLost, claim, release, waiting
from governance.settings import WorkSettings

LEASE_SECONDS = 1.0
SWEEP_SECONDS = 1.0
DONE = "done"


class ToyBase(DeclarativeBase):
    """Metadata of its own, so that the product's does not know the toy."""

    type_annotation_map = {datetime: UTCDateTime, dict: Document}  # noqa: RUF012 - read by SQLAlchemy


class ToyRow(LeasedRow, ToyBase):
    """Something to do."""

    __tablename__ = "toy_work"

    result: Mapped[str | None] = mapped_column(sa.Text)


class ToyResultRow(ToyBase):
    """What was recorded, each time it was."""

    __tablename__ = "toy_result"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True)
    key: Mapped[str] = mapped_column(sa.Text)
    worker: Mapped[str] = mapped_column(sa.Text)


def create_tables(database: Database) -> None:
    """Make the toy's tables."""
    ToyBase.metadata.create_all(database.engine)


def queue(database: Database, *keys: str) -> None:
    """Rows to work on, without ringing for them."""
    with database.unit() as unit:
        unit.session.add_all([ToyRow(id=key, state="queued") for key in keys])


def state_of(database: Database, key: str) -> str:
    """The row's state."""
    with database.read_unit() as unit:
        return unit.session.get_one(ToyRow, key).state


def results(database: Database) -> list[tuple[str, str]]:
    """Key and worker of everything that was recorded."""
    with database.read_unit() as unit:
        rows = unit.session.scalars(sa.select(ToyResultRow).order_by(ToyResultRow.key, ToyResultRow.id))
        return [(row.key, row.worker) for row in rows]


def wait_until_done(database: Database, *keys: str, seconds: float = 20) -> None:
    """Return when all rows are done; fail after ``seconds``."""
    until = time.monotonic() + seconds
    while any(state_of(database, key) != DONE for key in keys):
        assert time.monotonic() < until, {key: state_of(database, key) for key in keys}
        time.sleep(0.02)


class ToyTask:
    """Claims a row, works for ``seconds``, and records the result under the lease."""

    name = "toy"

    def __init__(self, database: Database, worker: str, *, seconds: float = 0, lease_seconds: float = 5) -> None:
        """Work as ``worker``."""
        self.database = database
        self.worker = worker
        self.seconds = seconds
        self.lease_seconds = lease_seconds

    def due(self) -> list[str]:
        """Rows that nobody works on."""
        with self.database.read_unit() as unit:
            return waiting(unit, ToyRow)

    def run(self, key: str) -> None:
        """Do the row's work, if it can be claimed."""
        with self.database.unit() as unit:
            claims = claim(unit, ToyRow, worker=self.worker, lease_seconds=self.lease_seconds, keys=[key])
        for taken in claims:
            print(f"took {key}", flush=True)  # noqa: T201 - how the test knows when to kill
            time.sleep(self.seconds)
            self.record(taken.key, taken.token)

    def record(self, key: str, token: str) -> None:
        """Write the result, unless the lease is another's by now."""
        try:
            with self.database.unit() as unit:
                release(unit, ToyRow, key, token, state=DONE)
                unit.session.add(ToyResultRow(key=key, worker=self.worker))
        except LeaseLost:
            return


def main(url: str, engine: str, seconds: float) -> None:
    """Work on the toy's rows until killed."""
    task = ToyTask(Database(url), f"{engine}-worker", seconds=seconds, lease_seconds=LEASE_SECONDS)
    if engine == "procrastinate":
        from governance.jobs.procrastinate import worker

        worker(url, [task], stop=threading.Event(), work=WorkSettings(sweep_seconds=SWEEP_SECONDS))
        return
    EmbeddedEngine([task], threads=2, sweep_seconds=SWEEP_SECONDS).start()
    threading.Event().wait()


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], float(sys.argv[3]))
