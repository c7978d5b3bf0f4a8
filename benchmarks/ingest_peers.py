"""What ingest is held against, each as a server of its own: ``python -m benchmarks.ingest_peers floor|naive``.

The floor keeps the bytes of an event under their digest and nothing else, in group commits behind a bare ASGI route.
The naive way reads an event into pydantic models and writes rows through the ORM with a commit an event. Both use the
service's engine, so that durability is the same.
"""

import argparse
import asyncio
import contextlib
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column

from governance.cli.server import listen
from governance.database import Database, UTCDateTime

_APPEND_ONLY = sa.Table(
    "append_only",
    sa.MetaData(),
    sa.Column("digest", sa.LargeBinary, primary_key=True),
    sa.Column("body", sa.LargeBinary, nullable=False),
)


class Floor:
    """The ASGI application that only appends. Events that wait share a commit."""

    def __init__(self, database: Database) -> None:
        """Append to a table of its own in ``database``."""
        _APPEND_ONLY.create(database.engine, checkfirst=True)
        self._database = database
        self._waiting: list[tuple[Sequence[bytes], asyncio.Future[None]]] = []
        self._is_storing = False
        self._thread = ThreadPoolExecutor(1)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answer 201 after the commit; the path ``/batch`` takes an array of events."""
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        is_batch = scope["path"] == "/batch"
        bodies = [bytes(item) for item in msgspec.json.decode(body, type=list[msgspec.Raw])] if is_batch else [body]
        await self._keep(bodies)
        await send({"type": "http.response.start", "status": 201, "headers": [(b"content-length", b"0")]})
        await send({"type": "http.response.body", "body": b""})

    async def _keep(self, bodies: Sequence[bytes]) -> None:
        loop = asyncio.get_running_loop()
        stored: asyncio.Future[None] = loop.create_future()
        self._waiting.append((bodies, stored))
        if self._is_storing:
            await stored
            return
        self._is_storing = True
        while self._waiting:
            group, self._waiting = self._waiting, []
            await loop.run_in_executor(self._thread, self._store, [body for bodies, _ in group for body in bodies])
            for _, future in group:
                future.set_result(None)
        self._is_storing = False

    def _store(self, bodies: Sequence[bytes]) -> None:
        rows = [{"digest": hashlib.sha256(body).digest(), "body": body} for body in bodies]
        with self._database.unit() as unit:
            unit.session.connection().execute(sa.insert(_APPEND_ONLY), rows)


class _Base(DeclarativeBase):
    type_annotation_map = {datetime: UTCDateTime, dict[str, Any]: sa.JSON}  # noqa: RUF012 - read by SQLAlchemy


class _EventRow(_Base):
    __tablename__ = "naive_event"
    id: Mapped[int] = mapped_column(primary_key=True)
    content: Mapped[dict[str, Any]]


class _JobRow(_Base):
    __tablename__ = "naive_job"
    __table_args__ = (sa.UniqueConstraint("namespace", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    namespace: Mapped[str]
    name: Mapped[str]


class _DatasetRow(_Base):
    __tablename__ = "naive_dataset"
    __table_args__ = (sa.UniqueConstraint("namespace", "name"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    namespace: Mapped[str]
    name: Mapped[str]


class _RunRow(_Base):
    __tablename__ = "naive_run"
    __table_args__ = (sa.UniqueConstraint("run_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[str]
    job_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_job.id"))
    state: Mapped[str]
    changed_at: Mapped[datetime]


class _EdgeRow(_Base):
    __tablename__ = "naive_edge"
    __table_args__ = (sa.UniqueConstraint("job_id", "dataset_id", "role"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    job_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_job.id"))
    dataset_id: Mapped[int] = mapped_column(sa.ForeignKey("naive_dataset.id"))
    role: Mapped[str]


class _Named(BaseModel):
    namespace: str
    name: str
    facets: dict[str, dict[str, Any]] = {}


class _Run(BaseModel):
    runId: str  # noqa: N815 - the name that OpenLineage gives it
    facets: dict[str, dict[str, Any]] = {}


class _Event(BaseModel):
    eventType: str  # noqa: N815 - as above
    eventTime: datetime  # noqa: N815 - as above
    producer: str
    schemaURL: str  # noqa: N815 - as above
    run: _Run
    job: _Named
    inputs: list[_Named] = []
    outputs: list[_Named] = []


def naive(database: Database) -> FastAPI:
    """The application as one would write it first."""
    _Base.metadata.create_all(database.engine)
    app = FastAPI()

    @app.post("/", status_code=201)
    def take(event: _Event) -> None:
        while True:
            # Two requests may make the same job at once; the one that loses begins again.
            with contextlib.suppress(IntegrityError, OperationalError), Session(database.engine) as session:
                _write(session, event)
                session.commit()
                return

    return app


def _write(session: Session, event: _Event) -> None:
    session.add(_EventRow(content=event.model_dump(mode="json")))
    job = _found(session, _JobRow, namespace=event.job.namespace, name=event.job.name)
    run = session.scalars(sa.select(_RunRow).filter_by(run_id=event.run.runId)).one_or_none()
    if run is None:
        run = _RunRow(run_id=event.run.runId, job_id=job.id)
        session.add(run)
    run.state, run.changed_at = event.eventType, event.eventTime
    for role, mentions in (("input", event.inputs), ("output", event.outputs)):
        for mention in mentions:
            dataset = _found(session, _DatasetRow, namespace=mention.namespace, name=mention.name)
            _found(session, _EdgeRow, job_id=job.id, dataset_id=dataset.id, role=role)


def _found(session: Session, table: Any, **names: Any) -> Any:
    row = session.scalars(sa.select(table).filter_by(**names)).one_or_none()
    if row is None:
        row = table(**names)
        session.add(row)
        session.flush()
    return row


def main() -> None:
    """Serve one of the two with the server and the settings of ``assay serve``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("way", choices=("floor", "naive"))
    parser.add_argument("database_url")
    parser.add_argument("--port-file", type=Path, required=True)
    given = parser.parse_args()
    database = Database(given.database_url)
    app: Any = Floor(database) if given.way == "floor" else naive(database)
    listener = listen("127.0.0.1", 0)
    config = uvicorn.Config(
        app, lifespan="off", log_config=None, access_log=False, server_header=False, proxy_headers=False
    )
    given.port_file.write_text(str(listener.getsockname()[1]))
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    main()
