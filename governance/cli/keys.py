"""``assay keys``: signing keys of the instance, service keys of its users, and signers whose evidence is trusted."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from governance.cli.output import JSON_HELP, print_json, print_table
from governance.errors import NotFound, UsageError

if TYPE_CHECKING:
    from governance.database import Database

app = typer.Typer(no_args_is_help=True, help="Signing keys, service keys and trusted signers.")
ROLES = typer.Option(
    [],
    "--role",
    help="what the key is for; may be repeated: ci, data_steward, model_owner, approver, policy_author, "
    "policy_publisher, incident_responder, auditor, admin",
)


@contextmanager
def _opened() -> "Iterator[Database]":
    """The database of the settings, closed when the block ends."""
    from governance.database import Database
    from governance.settings import Settings

    database = Database(Settings().resolved_database_url)
    try:
        yield database
    finally:
        database.close()


@app.command("create")
def create(
    name: str = typer.Option(..., help="What the key is for, for people."),
    roles: list[str] = ROLES,
    subject: str | None = typer.Option(
        None, help="The holder's stable id, such as user:4711; the same for all keys of one person."
    ),
    scopes: list[str] = typer.Option(
        [], "--scope", help="A pattern over namespace/name, such as mlflow://*/credit-*; may be repeated."
    ),
    expires: str | None = typer.Option(None, help="When it ends: a date or an instant, such as 2027-01-31."),
    days: int = typer.Option(0, min=0, help="Days until it expires, in place of --expires; 0 means never."),
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> None:
    """Make a service key and print it, once."""
    from governance.access.keys import KeyRequest, create_key
    from governance.access.principal import OPERATOR
    from governance.migration import require_head
    from governance.types.value import parse_value

    document = {"name": name, "roles": roles, "subject": subject, "expires_at": _expiry(expires, days)}
    if scopes:
        document["scopes"] = scopes
    wanted = parse_value(KeyRequest, document, what="a service key")
    with _opened() as database:
        require_head(database)
        with database.unit() as unit:
            made = create_key(unit, wanted, by=OPERATOR)
    if as_json:
        print_json({"key": made.token, **made.key})
    else:
        typer.echo(made.token)


def _expiry(text: str | None, days: int) -> datetime | None:
    """The instant that was asked for; a date means its first moment in UTC."""
    if text is None:
        return datetime.now(UTC) + timedelta(days=days) if days else None
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as fault:
        raise UsageError(expected="a date or an instant", found=repr(text), remedy="Write 2027-01-31.") from fault
    if days:
        raise UsageError(expected="--expires or --days", found="both", remedy="Leave one of them out.")
    return instant if instant.tzinfo is not None else instant.replace(tzinfo=UTC)


@app.command("list")
def list_all(as_json: bool = typer.Option(False, "--json", help=JSON_HELP)) -> None:
    """List service keys without their secrets."""
    from governance.access.keys import list_keys

    with _opened() as database, database.read_unit() as unit:
        found = list_keys(unit)
    if as_json:
        print_json({"keys": found})
        return
    columns = ("id", "name", "subject", "roles", "scopes", "created_at", "expires_at", "revoked_at", "last_used_at")
    rows = [[_cell(key[column]) for column in columns] for key in found]
    print_table("Service keys", columns, rows)


def _cell(value: str | list[str] | None) -> str:
    return ", ".join(value) if isinstance(value, list) else value or "-"


@app.command("revoke")
def revoke(identifier: str = typer.Argument(..., help="The key's id: the part after assay_.")) -> None:
    """Make a service key useless from now on."""
    from governance.access.keys import revoke_key
    from governance.access.principal import OPERATOR

    with _opened() as database, database.unit() as unit:
        revoke_key(unit, identifier, by=OPERATOR)
    typer.echo(f"{identifier} is revoked.")


@app.command("signer")
def signer(
    path: Path = typer.Argument(..., help="Where to write the private key (PEM)."),
) -> None:
    """Make a key that `assay check --sign` signs test results with, and print its public half."""
    from governance.signing.keys import SigningKey, store_key

    key = SigningKey.generate()
    store_key(path, key)
    typer.echo(key.public.pem, nl=False)


@app.command("trust-signer")
def trust_signer_command(
    path: Path = typer.Argument(..., help="The signer's public key (PEM)."),
    name: str = typer.Option(..., help="Whose key it is, for people."),
) -> None:
    """Take test results signed by this key as attested evidence."""
    from governance.access.signers import trust_signer
    from governance.signing.keys import PublicKey

    try:
        key = PublicKey.from_pem(path.read_text())
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(expected=f"a public key in {path}", found=str(fault), remedy="Check the path.") from fault
    with _opened() as database, database.unit() as unit:
        trust_signer(unit, keyid=key.keyid, name=name, public_key=key.der)
    typer.echo(f"Evidence signed by {key.keyid} is trusted as {name!r}.")


@app.command("distrust-signer")
def distrust_signer_command(keyid: str = typer.Argument(..., help="The id of the signer's key.")) -> None:
    """Take no further test results signed by this key; what was taken before stays on record."""
    from governance.access.signers import distrust_signer

    with _opened() as database, database.unit() as unit:
        was_known = distrust_signer(unit, keyid)
    if not was_known:
        raise NotFound(expected="the key id of a trusted signer", found=repr(keyid), remedy="Check the id.")
    typer.echo(f"{keyid} is not trusted any more.")
