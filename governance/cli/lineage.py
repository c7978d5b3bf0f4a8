"""``assay lineage``: send events, ask for a graph, and digest or rebuild the local database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer

from governance.cli.output import JSON_HELP, KEY, URL, print_json, print_table
from governance.errors import InputRefused

if TYPE_CHECKING:
    from governance.database import Database

app = typer.Typer(no_args_is_help=True, help="Send OpenLineage events and ask what comes from what.")

BATCH = 500  # events a request; well below the service's limits for events of usual size


@app.command()
def send(
    files: list[Path] = typer.Argument(..., help="Files of events: JSON, arrays of them, or JSON lines."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Send the events in FILES. Exit code 4 when the service refused one of them; the others are stored."""
    from governance._siblings import activate

    activate()
    from governance.client import Client
    from lineage.files import event_bodies

    found = [(str(file), body) for file in files for body in event_bodies(file)]
    failed: list[dict[str, Any]] = []
    with Client(url, key) as client:
        for start in range(0, len(found), BATCH):
            part = found[start : start + BATCH]
            answer = client.send_events([body for _, body in part])
            failed += [{"file": part[item["index"]][0], "reason": item["reason"]} for item in answer["failed_events"]]
    document = {"received": len(found), "successful": len(found) - len(failed), "failed": failed}
    if as_json:
        print_json(document)
    else:
        typer.echo(f"{document['successful']} of {len(found)} events are stored.")
        for item in failed:
            typer.echo(f"refused: {item['file']}: {item['reason']}", err=True)
    return 4 if failed else 0


@app.command()
def graph(
    name: str = typer.Argument(..., help="The dataset's or job's name."),
    namespace: str = typer.Option(..., help="Its namespace."),
    kind: str | None = typer.Option(None, help="`dataset` or `job`, where both have the name."),
    direction: str = typer.Option("both", help="`upstream`, `downstream` or `both`."),
    depth: int | None = typer.Option(None, min=0, help="Jobs entered after the start; default: all."),
    as_of: str | None = typer.Option(None, help="Only events at or before this instant count."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> None:
    """Show what a node comes from and what depends on it."""
    from governance.client import Client

    with Client(url, key) as client:
        answer = client.get(
            "/v1/lineage/graph",
            namespace=namespace,
            name=name,
            kind=kind,
            direction=direction,
            depth=depth,
            as_of=as_of,
        )
    if as_json:
        print_json(answer)
        return
    nodes: Sequence[dict[str, Any]] = answer["nodes"]
    rows = [
        [
            _label(nodes[edge["from"]]),
            _label(nodes[edge["to"]]),
            str(edge.get("run_count", "-")),
            edge.get("last_seen", "-"),
        ]
        for edge in answer["edges"]
    ]
    print_table(f"{len(nodes)} nodes around {namespace} {name}", ("from", "to", "runs", "last seen"), rows)
    if answer["truncated"]:
        typer.echo("The answer was cut; ask with --depth or --direction for less.", err=True)


def _label(node: dict[str, Any]) -> str:
    if node.get("hidden"):
        return f"{node['kind']} (hidden)"
    return f"{node['kind']} {node['namespace']} {node['name']}"


@app.command()
def digest(
    database_url: str | None = typer.Option(None, help="The database; default: that of the settings."),
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> None:
    """Print one SHA-256 over the derived state of the local database: equal for equal events in any order."""
    with local_database(database_url) as database:
        from lineage.digest import state_digest

        with database.read_unit() as unit:
            state = state_digest(unit)
    if as_json:
        print_json({"digest": state.digest, "event_count": state.event_count})
    else:
        typer.echo(f"{state.digest}  {state.event_count} events")


@app.command()
def replay(
    database_url: str | None = typer.Option(None, help="The database; default: that of the settings."),
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> None:
    """Rebuild everything derived in the local database from its stored events."""
    with local_database(database_url) as database:
        from lineage.digest import state_digest
        from lineage.replay import replay as rebuild

        with database.unit() as unit:
            rebuild(unit)
            state = state_digest(unit)
    if as_json:
        print_json({"digest": state.digest, "event_count": state.event_count})
    else:
        typer.echo(f"{state.event_count} events were read again: {state.digest}")


@contextmanager
def local_database(url: str | None) -> "Iterator[Database]":
    """The database of this instance, or the one at ``url``, at this version's revision.

    Raises:
        InputRefused: there is none. WrongRevision: it is at another revision.
    """
    from governance._siblings import activate

    activate()
    from governance.database import Database
    from governance.migration import require_head
    from governance.settings import Settings

    settings = Settings()
    place = settings.home / "assay.db"
    if url is None and settings.database_url is None and not place.exists():
        raise InputRefused(
            expected="a database of this instance",
            found=f"none at {place}",
            remedy="Run it where the service runs, or set ASSAY_HOME or ASSAY_DATABASE_URL.",
        )
    database = Database(url or settings.resolved_database_url)
    try:
        require_head(database)
        yield database
    finally:
        database.close()
