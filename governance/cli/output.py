"""How commands speak: tables for people, JSON for machines, faults on standard error."""

import json
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from governance.errors import AssayError, UsageError

JSON_HELP = "Print JSON instead of text."
URL = typer.Option("http://127.0.0.1:8377", "--url", envvar="ASSAY_URL", help="Address of the service.")
KEY = typer.Option(None, "--key", envvar="ASSAY_KEY", help="Service key.", show_default=False)


def complain(fault: AssayError, *, as_json: bool) -> None:
    """Print a fault: what was expected, what was found, what to do."""
    if as_json:
        parts = {"code": fault.code, "expected": fault.expected, "found": fault.found, "remedy": fault.remedy}
        typer.echo(json.dumps({"error": parts}), err=True)
        return
    typer.echo(f"assay: {fault.title}.", err=True)
    if fault.pointer:
        typer.echo(f"  at        {fault.pointer}", err=True)
    typer.echo(f"  expected  {fault.expected}\n  found     {fault.found}\n  to do     {fault.remedy}", err=True)


def print_json(document: Any) -> None:
    """Print a JSON document on standard output."""
    typer.echo(json.dumps(document, indent=2, ensure_ascii=False, sort_keys=True))


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table; cells are text and never markup."""
    table = Table(title=title, title_justify="left", show_lines=False)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    # A log file has no width of its own, and 80 columns would break every line of a check's message.
    has_width = Console().is_terminal or "COLUMNS" in os.environ
    Console(width=None if has_width else 150).print(table)


def write_file(path: Path, content: bytes, *, append: bool = False) -> None:
    """Write the file, or write on at its end.

    Raises:
        UsageError: it cannot be written.
    """
    try:
        with path.open("ab" if append else "wb") as file:
            file.write(content)
    except OSError as fault:
        raise UsageError(
            expected=f"to write {path}",
            found=fault.strerror or type(fault).__name__,
            remedy="Name a file in a folder that is there.",
        ) from fault


def digest_of(text: str) -> str:
    """The digest itself, or that of the file called so."""
    if re.fullmatch(r"sha256:[0-9a-f]{64}", text):
        return text
    from governance.localfiles import file_digest

    return file_digest(Path(text))


def model_version(model: str) -> tuple[str, str]:
    """Name and version in ``MODEL@VERSION``.

    Raises:
        UsageError: one of the two is missing.
    """
    name, at, version = model.rpartition("@")
    if not at or not name or not version:
        raise UsageError(expected="MODEL@VERSION", found=repr(model), remedy="Name both, such as credit-line@7.")
    return name, version


def check_rows(checks: Sequence[dict[str, Any]]) -> list[list[str]]:
    """A row for each check of a gate's answer."""
    return [
        [
            str(check.get("id")),
            str(check.get("status")),
            shown(check.get("observed")),
            _interval(check.get("interval")),
            shown(check.get("limit")),
            shown(check.get("n")),
            str(check.get("message")),
        ]
        for check in checks
    ]


CHECK_COLUMNS = ("check", "status", "observed", "95 % interval", "limit", "n", "what it says")


def shown(number: str | None) -> str:
    """A decimal text with at most four places after the point, for people."""
    if number is None:
        return "-"
    value = float(number)
    return f"{value:.4f}".rstrip("0").rstrip(".") if value != int(value) else str(int(value))


def _interval(interval: dict[str, Any] | None) -> str:
    if interval is None:
        return "-"
    return f"{shown(interval.get('lower'))} to {shown(interval.get('upper'))}"
