"""The pages of ``docs/`` that are written from the code: settings, errors, commands. ``make docs`` rewrites them."""

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import typer
from pydantic import BaseModel
from pydantic.fields import FieldInfo

from governance.errors import AssayError
from governance.settings import Section, Settings
from tests.architecture.sources import PACKAGES, ROOT, modules

DOCS = ROOT / "docs"

SETTINGS_INTRODUCTION = """# Settings

Written by `make docs` from `governance/settings.py`.

Settings are read once, when a command starts, from environment variables. A list is given as JSON:
`ASSAY_ALLOWED_HOSTS='["assay.example"]'`. A value that does not fit, or a name that a section does not know, is refused
at the start.
"""

ERRORS_INTRODUCTION = """# Errors

Written by `make docs` from the error classes.

Every fault says what was expected, what was found and what to do. Under `/v1` it is an
[RFC 9457](https://www.rfc-editor.org/rfc/rfc9457) problem document with the code below; under `/api/v1` it has the
shape that OpenLineage clients know. The command line prints it on standard error and exits with the code below. A model
that is refused is not an error: it is an answer with status 200 and a verdict, and has exit codes of its own (1 deny,
2 indeterminate, 3 still pending).
"""

COMMANDS_INTRODUCTION = """# Command line

Written by `make docs` from the commands themselves.
"""


def settings_page() -> str:
    """Each setting with its variable, default and meaning."""
    parts = [SETTINGS_INTRODUCTION]
    for title, rows in _sections(Settings, "ASSAY_"):
        if title:
            parts.append(f"## {title}\n")
        parts.append("| variable | default | what it sets |\n|---|---|---|\n" + "\n".join(rows) + "\n")
    return "\n".join(parts)


def variables() -> list[str]:
    """The environment variable of each setting."""
    return [row.split("`")[1] for _title, rows in _sections(Settings, "ASSAY_") for row in rows]


def _sections(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, list[str]]]:
    own = {name: field for name, field in model.model_fields.items() if not _is_section(field)}
    title = (inspect.getdoc(model) or "").rstrip(".") if issubclass(model, Section) else ""
    yield title, [_setting(f"{prefix}{name.upper()}", field) for name, field in own.items()]
    for name, field in model.model_fields.items():
        if name not in own and isinstance(field.annotation, type):
            yield from _sections(field.annotation, f"{prefix}{name.upper()}__")


def _is_section(field: FieldInfo) -> bool:
    return isinstance(field.annotation, type) and issubclass(field.annotation, Section)


def _setting(variable: str, field: FieldInfo) -> str:
    default = "none" if field.default is None else f"`{_plain(field.default)}`"
    return f"| `{variable}` | {default} | {field.description} |"


def _plain(value: Any) -> str:
    if isinstance(value, tuple):
        return "[" + ", ".join(f'"{item}"' for item in value) + "]"
    return str(value)


def errors() -> list[type[AssayError]]:
    """Every class of the error tree that a caller can meet, by code."""
    for name in modules():
        importlib.import_module(name)
    found: list[type[AssayError]] = []
    waiting = [AssayError]
    while waiting:
        error = waiting.pop()
        found.append(error)
        waiting += error.__subclasses__()
    ours = {error for error in found if error.__module__.split(".")[0] in PACKAGES}
    return sorted(ours, key=lambda error: (error.code, error.__module__, error.__name__))


def errors_page() -> str:
    """Each code once, with status, exit code and what it means."""
    rows: dict[str, str] = {}
    for error in errors():
        meaning = " ".join((inspect.getdoc(error) or "").split("\n\n", maxsplit=1)[0].split())
        rows.setdefault(
            error.code, f"| `{error.code}` | {error.status} | {error.exit_code} | {error.title} | {meaning} |"
        )
    table = "| code | HTTP status | exit code | title | when |\n|---|---|---|---|---|\n" + "\n".join(rows.values())
    return f"{ERRORS_INTRODUCTION}\n{table}\n"


def commands() -> Iterator[tuple[str, Any]]:
    """Each command with the words that call it; its class is typer's own copy of click's, which has no public name."""
    application = importlib.import_module("governance.cli").app
    yield from _commands("assay", typer.main.get_command(application))


def _commands(path: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from _commands(f"{path} {name}", child)


def commands_page() -> str:
    """The help of each command."""
    parts = [COMMANDS_INTRODUCTION]
    for path, command in commands():
        parts.append(f"## `{path}`\n")
        context = typer.Context(command, info_name=path, max_content_width=100, terminal_width=100)
        parts.append(f"```text\n{command.get_help(context).rstrip()}\n```\n")
    return "\n".join(parts)


PAGES = {"settings.md": settings_page, "errors.md": errors_page, "cli.md": commands_page}
"""The generated pages and what writes them."""


def main(folder: Path = DOCS) -> int:
    """Write the pages."""
    for name, page in PAGES.items():
        (folder / name).write_text(page(), encoding="utf-8")
        sys.stdout.write(f"docs/{name}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
