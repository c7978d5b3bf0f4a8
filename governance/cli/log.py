"""``assay log``: check this instance's log against everything that was signed."""

from pathlib import Path
from typing import Annotated

import typer

from governance.cli.output import JSON_HELP, print_json
from governance.cli.verify import COSIGNATURES, WITNESS, read_file

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


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The proof (*.tlog-proof).")],
    leaf: Annotated[Path, typer.Option(help="The leaf it is about: decision.leaf of a pack.")],
    trust: Annotated[Path, typer.Option(help="The instance's trust file, got over a channel you trust.")],
    witness: list[str] = WITNESS,
    cosignatures: int = COSIGNATURES,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> None:
    """Check that a leaf is in the log, by its C2SP tlog-proof and with no server. Exit 7 when it is not proved."""
    from governance.log.checkpoint import open_witnesses
    from governance.tlog import verify_tlog_proof
    from governance.verify import read_trust

    trusted, known = read_trust(read_file(trust)), open_witnesses(witness)
    proved = verify_tlog_proof(read_file(file), read_file(leaf), trusted, witnesses=known, cosignatures=cosignatures)
    if as_json:
        print_json(
            {"holds": True, "origin": trusted.origin, "index": proved.index, "tree_size": proved.checkpoint.size}
        )
    else:
        typer.echo(f"The proof holds: leaf {proved.index} of {proved.checkpoint.size} in {trusted.origin}.")
