"""What ingest is held against, each as a server of its own: ``python -m benchmarks.ingest_peers floor|naive``.

The floor keeps the bytes of an event under their digest and nothing else, in group commits behind a bare ASGI route.
The naive way is in ``benchmarks.naive_ingest``. Both use the service's engine, so that durability is the same.
"""

import argparse
import asyncio
import hashlib
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import msgspec
import sqlalchemy as sa
import uvicorn

from benchmarks.naive_ingest import naive
from governance.cli.server import listen
from governance.database import Database

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
