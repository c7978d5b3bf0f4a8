"""``assay verify``: whether a decision's bundle proves what it says, offline."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from governance.cli.output import JSON_HELP, digest_of, print_json, print_table
from governance.errors import UsageError
from governance.types.results import Verdict

WITNESS = typer.Option([], "--witness", help="The verifier key of a witness that may have cosigned; may be repeated.")
COSIGNATURES = typer.Option(0, "--cosignatures", min=0, help="How many of these witnesses must have cosigned.")
UNDER_JUDGEMENT = {Verdict.ALLOW: 0, Verdict.DENY: 1, Verdict.INDETERMINATE: 2}
"""Exit codes of ``--require-allow``."""


def verify(
    file: Annotated[Path, typer.Argument(help="The decision's bundle (*.sigstore.json).")],
    trust: Annotated[Path, typer.Option(help="The instance's trust file, got over a channel you trust.")],
    digest: str | None = typer.Option(None, help="The model it must be about: sha256:... or the model's file."),
    env: str | None = typer.Option(None, help="The environment it must be for."),
    at: str | None = typer.Option(None, help="When it must hold, as 2026-03-01T12:00:00Z; default: now."),
    witness: list[str] = WITNESS,
    cosignatures: int = COSIGNATURES,
    require_allow: bool = typer.Option(False, "--require-allow", help="Exit 1 on a deny, 2 on an indeterminate."),
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> None:
    """Check a decision's signature, log entry and every field, with no server. Exit 7 when anything does not hold."""
    from governance.log.checkpoint import open_witnesses
    from governance.verify import STEPS, read_trust, verify_bundle

    result = verify_bundle(
        read_file(file),
        read_trust(read_file(trust)),
        witnesses=open_witnesses(witness),
        cosignatures=cosignatures,
        subject_digest=None if digest is None else digest_of(digest),
        environment=env,
        at=datetime.now(UTC) if at is None else instant(at),
    )
    decision = result.decision
    if as_json:
        print_json(
            {
                "holds": True,
                "steps": list(result.steps),
                "allows": decision.allows,
                "decision": decision.document(),
                "keyid": result.keyid,
                "log": {"origin": decision.origin, "index": result.index, "tree_size": result.checkpoint.size},
            }
        )
    else:
        print_table("Steps of the proof", ("step", "what holds"), [[name, STEPS[name]] for name in result.steps])
        held_until = f", valid until {decision.valid_until.isoformat()}" if decision.valid_until else ""
        typer.echo(f"The proof holds. {decision.subject.label} for {decision.environment}: {decision.verdict.value}")
        typer.echo(f"decided {decision.evaluated_at.isoformat()}{held_until}, by {decision.origin}")
        if decision.mode == "dry_run":
            typer.echo("This was a dry run: it lets nothing go live.")
    if require_allow and not decision.allows:
        # A dry run's allow is no permission, and no refusal either.
        raise typer.Exit(UNDER_JUDGEMENT[decision.verdict] or 2)


def read_file(path: Path) -> bytes:
    """The bytes of a file that the command line names.

    Raises:
        UsageError: it cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as fault:
        raise UsageError(
            expected=f"a readable file {path}",
            found=fault.strerror or type(fault).__name__,
            remedy="Check the path.",
        ) from fault


def instant(text: str) -> datetime:
    """The instant that a command line names, aware.

    Raises:
        UsageError: it is none, or has no time zone.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        found = None
    if found is None or found.tzinfo is None:
        raise UsageError(
            expected="an instant with its time zone, as 2026-03-01T12:00:00Z",
            found=repr(text),
            remedy="Correct the instant.",
        )
    return found
