"""``assay log``: check this instance's log against everything that was signed."""

import typer

from governance.cli.output import JSON_HELP, print_json

app = typer.Typer(no_args_is_help=True, help="The log that proves decisions.")


@app.callback()
def _group() -> None:
    """The log that proves decisions."""


@app.command()
def fsck(as_json: bool = typer.Option(False, "--json", help=JSON_HELP)) -> None:
    """Compute every leaf, hash, root and decision in the database again. Exit 7, naming the first bad index, if not."""
    from governance._siblings import activate

    activate()
    from audits.fsck import check_all
    from governance.database import Database
    from governance.migration import require_head
    from governance.settings import Settings
    from governance.signing.stores import open_keys

    settings = Settings()
    ring = open_keys(settings.home, settings.keys).ring()
    database = Database(settings.resolved_database_url)
    try:
        require_head(database)
        checked = check_all(database, ring, origin=settings.origin, kept=settings.home / "checkpoint")
    finally:
        database.close()
    if as_json:
        print_json({"holds": True, "size": checked.size, "root": checked.root.hex(), "decisions": checked.decisions})
    else:
        typer.echo(f"The log holds: {checked.size} leaves, {checked.decisions} of them decisions.")
