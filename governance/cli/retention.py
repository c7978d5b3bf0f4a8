"""``assay lineage prune``, ``prunings`` and ``outbox``: what becomes of stored events, in the local database."""

import getpass
from datetime import datetime
from typing import TYPE_CHECKING

import typer

from governance.cli.lineage import local_database
from governance.cli.output import JSON_HELP, print_json, print_table
from governance.errors import UsageError

if TYPE_CHECKING:
    from lineage.prunings import Target

DATABASE = typer.Option(None, help="The database; default: that of the settings.")


def prune(
    reason: str = typer.Option(..., help="Why; it is kept for ever, so name no person."),
    before: str | None = typer.Option(None, help="Events recorded before this instant lose what nothing rests on."),
    entity: str | None = typer.Option(
        None, help="`dataset` or `job` with --namespace and --name, or `run` with --name."
    ),
    namespace: str | None = typer.Option(None, help="The entity's namespace."),
    name: str | None = typer.Option(None, help="The entity's name; for a run its id."),
    digest: str | None = typer.Option(None, help="The digest of one event."),
    facet: list[str] = typer.Option([], help="A facet's key; may be repeated. Default: all that may go."),
    database_url: str | None = DATABASE,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> None:
    """Take facets out of stored events; a digest stays in place of each, and the act is put on record."""
    with local_database(database_url) as database:
        from lineage.prunings import Order
        from lineage.prunings import prune as prune_target
        from lineage.retention import prune_before

        actor = f"operator:{getpass.getuser()}"
        if [before, entity, digest].count(None) != 2 or (before is not None and facet):
            raise UsageError(
                expected="one of --before, --entity and --digest; --facet with the latter two",
                found="none of them, or several",
                remedy="Name one.",
            )
        with database.unit() as unit:
            if before is not None:
                made = prune_before(unit, _instant(before), Order("age", reason, actor))
            else:
                target = _target(entity, (namespace, name), digest, facet)
                made = [prune_target(unit, target, Order("request", reason, actor))]
    if as_json:
        print_json({"prunings": [item.document() for item in made]})
    else:
        typer.echo(f"{sum(item.event_count for item in made)} events were pruned.")


def prunings(
    limit: int = typer.Option(100, min=1, max=1000, help="Most rows."),
    database_url: str | None = DATABASE,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> None:
    """List what was pruned, when, why and by whom, newest first."""
    with local_database(database_url) as database:
        from lineage.prunings import prunings as on_record

        with database.read_unit() as unit:
            found = [item.document() for item in on_record(unit, limit=limit)]
    if as_json:
        print_json({"prunings": found})
        return
    columns = ("id", "pruned_at", "by", "rule", "event_count", "reason")
    print_table("Prunings", columns, [[str(item[column]) for column in columns] for item in found])


def outbox(
    retry: bool = typer.Option(False, "--retry", help="Let the events that were refused for good be tried again."),
    database_url: str | None = DATABASE,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> None:
    """Show Assay's own events that wait to be sent on, and those that the consumer refused, with the reason."""
    with local_database(database_url) as database:
        from governance.clock import rfc3339
        from lineage.outbox import backlog, retry_dead, undelivered

        if retry:
            with database.unit() as unit:
                retry_dead(unit)
        with database.read_unit() as unit:
            held, entries = backlog(unit), undelivered(unit)
    events = [
        {
            "digest": entry.digest,
            "state": entry.state,
            "attempts": entry.attempts,
            "enqueued_at": rfc3339(entry.enqueued_at),
            "not_before": rfc3339(entry.not_before),
            "fault": entry.fault,
        }
        for entry in entries
    ]
    if as_json:
        counts = {"waiting": held.waiting, "dead": held.dead, "delivered": held.delivered}
        print_json({**counts, "events": events})
        return
    title = f"{held.waiting} wait, {held.dead} were refused, {held.delivered} were delivered"
    columns = ("digest", "state", "attempts", "not_before", "fault")
    print_table(title, columns, [[str(event[column] or "") for column in columns] for event in events])


def _instant(text: str) -> datetime:
    from lineage.events import read_time

    read = read_time(text)
    if read is None:
        raise UsageError(
            expected="a date and time as in RFC 3339", found=text[:80], remedy="Write 2026-01-31T00:00:00Z."
        )
    return read[0]


def _target(
    entity: str | None, named: tuple[str | None, str | None], digest: str | None, facets: list[str]
) -> "Target":
    from lineage.prunings import Target

    namespace, name = named
    if digest is not None:
        return Target(event=digest, facets=frozenset(facets))
    if entity == "run" and name is not None:
        return Target(run=name, facets=frozenset(facets))
    if entity not in ("dataset", "job") or namespace is None or name is None:
        raise UsageError(
            expected="--entity dataset or job with --namespace and --name, or --entity run with --name",
            found=f"--entity {entity}",
            remedy="Name the entity.",
        )
    return Target(node=("job" if entity == "job" else "dataset", namespace, name), facets=frozenset(facets))
