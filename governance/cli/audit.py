"""``assay audit``: fetch an auditor's pack, and check one with no server."""

from pathlib import Path
from typing import Annotated

import typer

from governance.cli.output import JSON_HELP, KEY, URL, print_json, print_table
from governance.cli.verify import COSIGNATURES, WITNESS, instant, read_file

app = typer.Typer(no_args_is_help=True, help="Packs for auditors: a decision with all it rests on, checked offline.")


@app.callback()
def _group() -> None:
    """Packs for auditors: a decision with all it rests on, checked offline."""


@app.command()
def pack(
    decision: Annotated[str, typer.Argument(help="The decision's id.")],
    output: Path | None = typer.Option(None, help="Where to write it; default: <id>.pack.zip."),
    cosignatures: int = typer.Option(0, min=0, max=50, help="Under a checkpoint that so many witnesses cosigned."),
    url: str = URL,
    key: str | None = KEY,
) -> None:
    """Fetch the pack of a decision: proof, policy, measurements, ancestry, keys and instructions in one file."""
    from urllib.parse import quote

    from governance.client import Client

    with Client(url, key) as client:
        content = client.download(f"/v1/decisions/{quote(decision, safe='')}/pack", cosignatures=cosignatures)
    path = output or Path(f"{Path(decision).name}.pack.zip")
    path.write_bytes(content)
    typer.echo(str(path))


@app.command()
def verify(
    file: Annotated[Path, typer.Argument(help="The pack (*.pack.zip).")],
    trust: Path | None = typer.Option(
        None, help="The instance's trust file, got over a channel you trust; without it the pack's own keys are taken."
    ),
    witness: list[str] = WITNESS,
    cosignatures: int = COSIGNATURES,
    at: str | None = typer.Option(None, help="When the decision must hold, as 2026-03-01T12:00:00Z."),
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> None:
    """Check a pack with no server: each file, the proof, and that everything is what was signed. Exit 7 when not."""
    from governance.log.checkpoint import open_witnesses
    from governance.pack import STEPS, verify_pack
    from governance.verify import read_trust

    result = verify_pack(
        read_file(file),
        trust=None if trust is None else read_trust(read_file(trust)),
        witnesses=open_witnesses(witness),
        cosignatures=cosignatures,
        at=None if at is None else instant(at),
    )
    decision = result.verified.decision
    if as_json:
        print_json(
            {
                "holds": True,
                "pinned": result.pinned,
                "steps": list(result.steps),
                "documents": result.documents,
                "decision": decision.document(),
                "keyid": result.verified.keyid,
            }
        )
        return
    print_table("Steps of the proof", ("step", "what holds"), [[name, STEPS[name]] for name in result.steps])
    typer.echo(f"The pack holds. {decision.subject.label} for {decision.environment}: {decision.verdict.value}")
    typer.echo(f"decided {decision.evaluated_at.isoformat()} by {decision.origin}, on {result.documents} documents")
    if not result.pinned:
        typer.echo(f"The keys are the pack's own: compare {result.verified.keyid} with the instance's, or use --trust.")
