"""``assay check``: the gate's checks beside the data."""

from datetime import UTC, datetime
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from governance._siblings import activate
from governance.cli.output import CHECK_COLUMNS, JSON_HELP, KEY, URL, check_rows, print_json, print_table
from governance.errors import UsageError

if TYPE_CHECKING:
    from governance.client import Client
    from governance.types.manifest import Manifest
    from governance.types.policy import Policy

EXIT = {"allow": 0, "deny": 1, "indeterminate": 2, "pending": 2}


def check(
    manifest: Path = typer.Argument(..., help="The evidence manifest (YAML); `uri: file:NAME` means a file beside it."),
    policy: str = typer.Option("baseline", help="A policy file, or the name of a pack that ships."),
    environment: str = typer.Option("prod", "--env", help="The environment it is checked for."),
    events: list[Path] = typer.Option([], help="OpenLineage events (files or folders) for checks that read lineage."),
    sign: Path | None = typer.Option(None, help="Sign the result with this key (`assay keys signer`)."),
    output: Path | None = typer.Option(None, help="Write the signed result to this file."),
    submit: bool = typer.Option(False, "--submit", help="Send the signed result to the service as attested evidence."),
    seconds: float = typer.Option(600, min=1, help="Longest time for measuring."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Run the checks of a policy here, print what they say, and submit the signed result where that is asked.

    Exit codes: 0 the gate would allow, 1 deny, 2 anything else.
    """
    _prepare(signs=sign is not None, hands_out=submit or output is not None)
    from audits.catalog import pack, read_policy
    from audits.local import check_locally, lineage_of, signed_result
    from governance.client import Client
    from governance.localfiles import read_manifest
    from governance.settings import GateSettings
    from governance.signing.keys import load_key

    local = read_manifest(manifest)
    wanted = read_policy(Path(policy).read_bytes() if Path(policy).is_file() else pack(policy))
    run = check_locally(
        local,
        _with_documents(wanted, local.manifest, url, key),
        environment=environment,
        at=datetime.now(UTC),
        lineage=lineage_of(events),
        seconds=seconds,
        memory_bytes=GateSettings().measure_bytes,
    )
    rows = [result.document() | {"id": result.check} for result in run.results]
    if as_json:
        reasons = [reason.document() for reason in run.combined.reasons]
        print_json({"verdict": run.combined.verdict.value, "checks": rows, "reasons": reasons})
    else:
        print_table(f"{local.manifest.subject.label} for {environment}", CHECK_COLUMNS, check_rows(rows))
        typer.echo(f"The gate would answer: {run.combined.verdict.value}")
    if sign is not None:
        envelope = signed_result(local, run, load_key(sign))
        _hand_out(envelope, output, Client(url, key) if submit else None)
    return EXIT[run.combined.verdict.value]


def _with_documents(policy: "Policy", manifest: "Manifest", url: str, key: str | None) -> "Policy":
    """The policy with the registered schemas that it or the manifest names, which the service is asked for."""
    from audits.references import filled, references
    from governance.client import Client

    wanted = references(policy, manifest)
    if not wanted:
        return policy
    with Client(url, key) as client:
        return filled(policy, manifest, {reference: client.schema(reference) for reference in wanted})


def _hand_out(envelope: bytes, output: Path | None, client: "Client | None") -> None:
    if output is not None:
        output.write_bytes(envelope)
    if client is not None:
        with client:
            typer.echo(f"Submitted as {client.submit_test_result(envelope)}", err=True)


def _prepare(*, signs: bool, hands_out: bool) -> None:
    """Find out now what would otherwise be found out after measuring, or check by check."""
    if hands_out and not signs:
        raise UsageError(
            expected="--sign KEY with --submit and --output", found="none", remedy="Make a key: `assay keys signer`."
        )
    if find_spec("polars") is None:
        raise ModuleNotFoundError("No module named 'polars'", name="polars")
    activate()
