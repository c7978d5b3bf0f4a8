"""``assay keys init``, ``trust``, ``rotate`` and ``compromise``: the keys that the instance itself signs with."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from governance.cli.verify import instant
from governance.errors import UsageError

if TYPE_CHECKING:
    from governance.log.rotation import Place
    from governance.signing.stores import KeyStore

OUTPUT = typer.Option(
    None, "--output", help="Write the keys into this new folder, where they come from the environment."
)


def init(
    output: Path | None = typer.Option(None, help="The folder to make them in; default: `keys` in the home folder."),
) -> None:
    """Make the keys this instance signs decisions and checkpoints with. They are never overwritten."""
    from governance.settings import Settings
    from governance.signing.rings import create_ring

    ring = create_ring(output or Settings().home / "keys")
    typer.echo(f"Decision key {ring.decision.keyid}\nCheckpoint key {ring.checkpoint.keyid}")


def trust(output: Path = typer.Option(Path("trust.json"), help="Where to write the file.")) -> None:
    """Write the public keys as a trust file for `assay verify`; hand it to auditors over a channel they trust."""
    from governance.bundle import trust_of
    from governance.settings import Settings
    from governance.signing.stores import open_keys

    settings = Settings()
    output.write_bytes(trust_of(open_keys(settings.home, settings.keys).ring(), settings.origin).content())
    typer.echo(str(output))


def rotate(
    decision: bool = typer.Option(False, "--decision", help="A new key for decisions."),
    checkpoint: bool = typer.Option(False, "--checkpoint", help="A new key for the log's checkpoints."),
    output: Path | None = OUTPUT,
) -> None:
    """Make a new signing key. What the earlier one signed stays verifiable; running services take the new one up."""
    from governance.log.rotation import rotate as follow

    if decision == checkpoint:
        raise UsageError(
            expected="one of --decision and --checkpoint",
            found="both" if decision else "neither",
            remedy="Rotate one key at a time.",
        )
    with _place(output) as place:
        ring = follow(place, "decision" if decision else "checkpoint", actor=_actor())
    key = ring.decision if decision else ring.checkpoint
    earlier = (ring.decision_keys if decision else ring.checkpoint_keys)[-2]
    typer.echo(f"{'Decision' if decision else 'Checkpoint'} key {key.keyid}")
    typer.echo(f"follows {earlier.key.keyid}, which holds until {earlier.valid_until:%Y-%m-%dT%H:%M:%SZ}.")
    _tell(output)


def compromise(
    keyid: str = typer.Argument(..., help="The id of the key, as in GET /v1/trust."),
    since: str = typer.Option(..., help="Since when it may have been in other hands: 2026-03-01T12:00:00Z."),
    output: Path | None = OUTPUT,
) -> None:
    """Trust nothing that a key signed from an instant on. A key in use is followed by a new one at once."""
    from governance.log.rotation import compromise as take_back

    with _place(output) as place:
        ring = take_back(place, keyid, since=instant(since), actor=_actor())
    times = next(each for each in (*ring.decision_keys, *ring.checkpoint_keys) if each.key.keyid == keyid)
    typer.echo(f"{keyid} is trusted for the first {times.leaves} leaves of the log alone.")
    if any(each.key.keyid == keyid for each in ring.decision_keys):
        typer.echo("Decisions that it signed since then prove nothing: have them taken again.")
    _tell(output)


@contextmanager
def _place(output: Path | None) -> "Iterator[Place]":
    """Database, keys and log of the settings, closed when the block ends."""
    from governance.database import Database
    from governance.log.rotation import Place
    from governance.migration import require_head
    from governance.settings import Settings
    from governance.signing.stores import WrittenElsewhere, open_keys

    settings = Settings()
    keys: KeyStore = open_keys(settings.home, settings.keys)
    if output is not None:
        keys = WrittenElsewhere(keys, output)
    database = Database(settings.resolved_database_url)
    try:
        require_head(database)
        yield Place(database, keys, settings.origin, settings.home / "checkpoint")
    finally:
        database.close()


def _actor() -> str:
    from governance.access.principal import OPERATOR

    return OPERATOR.id


def _tell(output: Path | None) -> None:
    if output is not None:
        typer.echo(f"The keys are in {output}: put them where the service reads them, and start every process again.")
    typer.echo("Hand out the trust file again: `assay keys trust`.")
