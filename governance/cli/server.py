"""Commands of whoever runs the service: ``serve``, ``worker`` and ``db``."""

import gc
import signal
import socket
import threading
from dataclasses import dataclass
from pathlib import Path

import typer

from governance._siblings import activate
from governance.errors import UsageError

database = typer.Typer(no_args_is_help=True, help="The database: bring it to this version's revision.")


@database.command("upgrade")
def upgrade_database() -> None:
    """Bring the database, and what is derived from events, to this version; doing it twice changes nothing."""
    activate()
    from governance.database import Database
    from governance.jobs.choice import prepare
    from governance.migration import upgrade
    from governance.settings import Settings
    from lineage.replay import bring_up_to_date

    settings = Settings()
    settings.home.mkdir(parents=True, exist_ok=True)
    upgrade(settings.resolved_database_url)
    database = Database(settings.resolved_database_url)
    try:
        bring_up_to_date(database)
    finally:
        database.close()
    prepare(settings)
    typer.echo(f"The database is at this version's revision ({settings.resolved_database_url.partition(':')[0]}).")


def serve(
    host: str | None = typer.Option(None, help="Address to listen on; default: ASSAY_HOST, else 127.0.0.1."),
    port: int | None = typer.Option(
        None, help="Port to listen on; default: ASSAY_PORT, else 8377; 0 takes a free one."
    ),
    setup: bool = typer.Option(False, "--setup", help="First make what is missing: database, signing keys, a key."),
    port_file: Path | None = typer.Option(None, help="Write the port to this file once the service listens."),
) -> None:
    """Run the service, with its embedded workers, until it is interrupted."""
    activate()
    import uvicorn

    from api.app import create_app
    from governance.logs import configure_logs
    from governance.settings import Settings

    settings = Settings()
    if setup:
        keys = set_up(settings.home, settings.resolved_database_url, name="first")
        if keys is not None:
            typer.echo(f"A service key, shown only now: {keys.service}")
            typer.echo(f"A key for the author of policies, which the service key publishes: {keys.author}")
    configure_logs()
    listener = listen(host or settings.host, settings.port if port is None else port)
    app = create_app(settings)
    # What is loaded now stays until the end. Left to the collector it is gone through again and again, and a large
    # answer then takes 40 ms or 200.
    gc.collect()
    gc.freeze()
    # Server header and proxy headers are off: the one tells strangers versions, the others let them choose a host.
    server = uvicorn.Server(
        uvicorn.Config(app, log_config=None, access_log=False, server_header=False, proxy_headers=False)
    )
    address, number = listener.getsockname()[:2]
    if port_file is not None:
        port_file.write_text(str(number))
    typer.echo(f"Assay listens on http://{address}:{number}", err=True)
    server.run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket whose connections send at once what is written.

    Raises:
        UsageError: the address is taken, or not of this machine.
    """
    try:
        listener = socket.create_server((host, port), backlog=2048)
        # Connections inherit it. Without it the body of an answer, its second write, waits until the reader confirms
        # the first, which readers put off by 40 ms; asyncio sets it on sockets of its own making alone.
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listener
    except OSError as fault:
        raise UsageError(
            expected=f"to listen on {host}:{port}",
            found=fault.strerror or type(fault).__name__,
            remedy="Stop what listens there, or name another port with --port.",
        ) from fault


@dataclass(frozen=True, slots=True)
class FirstKeys:
    """The keys of a new instance: one that asks the gate and publishes policies, and one that writes them."""

    service: str
    author: str


def set_up(home: Path, database_url: str, *, name: str) -> FirstKeys | None:
    """Make the database and the signing keys where they are missing.

    With new signing keys come a first service key called ``name`` and a key for the author of policies, since nobody
    publishes what they wrote; None where signing keys were there.
    """
    from governance.access.keys import KeyRequest, create_key
    from governance.access.principal import OPERATOR
    from governance.access.roles import Role
    from governance.database import Database
    from governance.migration import upgrade
    from governance.signing.rings import create_ring
    from lineage.replay import bring_up_to_date

    home.mkdir(parents=True, exist_ok=True)
    upgrade(database_url)
    database = Database(database_url)
    try:
        bring_up_to_date(database)
    finally:
        database.close()
    if (home / "keys").exists():
        return None
    create_ring(home / "keys")
    database = Database(database_url)
    with database.unit() as unit:
        service = create_key(unit, KeyRequest(name=name, roles=(Role.CI, Role.POLICY_PUBLISHER)), by=OPERATOR)
        author = create_key(unit, KeyRequest(name=f"{name}-author", roles=(Role.POLICY_AUTHOR,)), by=OPERATOR)
    database.close()
    if service.token is None or author.token is None:
        raise RuntimeError("keys that are made now are told now")
    return FirstKeys(service.token, author.token)


def worker() -> None:
    """Carry out queued evaluations until interrupted: any number of workers may run beside servers on PostgreSQL."""
    activate()
    from api.app import build_tasks
    from governance.jobs.choice import run_worker
    from governance.logs import configure_logs
    from governance.settings import Settings

    configure_logs()
    settings = Settings()
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    run_worker(settings, build_tasks(settings), stop)
