"""``assay report``: the report of a decision as a file."""

from enum import StrEnum
from pathlib import Path

import typer

from governance.cli.output import KEY, URL


class ReportFormat(StrEnum):
    """The formats that the service issues."""

    HTML = "html"
    JSON = "json"


def report(
    decision: str = typer.Argument(..., help="The decision's id."),
    kind: ReportFormat = typer.Option(ReportFormat.HTML, "--format", help="html or json."),
    output: Path | None = typer.Option(None, help="Where to write it; default: report.html or report.json."),
    url: str = URL,
    key: str | None = KEY,
) -> None:
    """Have the report of a decision issued and write it to a file; it says what the stored decision says."""
    from governance.client import Client

    target = output or Path(f"report.{kind.value}")
    with Client(url, key) as client:
        target.write_bytes(client.report(decision, kind.value))
    typer.echo(str(target))
