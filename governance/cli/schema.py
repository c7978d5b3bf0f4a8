"""``assay schema``: a first schema from a file, checking a file, comparing versions, and registering them."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
import yaml

from governance._siblings import activate
from governance.cli.output import JSON_HELP, KEY, URL, print_json, print_table
from governance.client import Client
from governance.errors import UsageError

if TYPE_CHECKING:
    from policies.schema.params import SchemaDocument

app = typer.Typer(no_args_is_help=True, help="Schemas of data: infer, check, diff, register, show.")

SCHEMA = "A file (YAML or JSON, Pandera's own form included), FILE.py:NAME of a Pandera schema, or NAME@VERSION."
EXIT = {"passed": 0, "failed": 1}


@app.command()
def infer(
    file: Path = typer.Argument(..., help="Parquet, CSV, JSON lines or Arrow; the ending says which."),
    output: Path | None = typer.Option(None, help="Write the document here instead of printing it."),
) -> int:
    """Propose a schema from a first file, for a person to correct."""
    activate()
    from policies.schema.infer import infer as infer_from
    from policies.schema.local import open_file

    text = _yaml(infer_from(open_file(file)))
    if output is None:
        typer.echo(text, nl=False)
    else:
        output.write_text(text, encoding="utf-8")
    return 0


@app.command()
def check(
    file: Path = typer.Argument(..., help="Parquet, CSV, JSON lines or Arrow; with --spark anything Spark reads."),
    schema: str = typer.Option(..., help=SCHEMA),
    spark: bool = typer.Option(False, "--spark", help="Read and check with Spark: Parquet files or folders."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Check a file against a schema. Exit codes: 0 passed, 1 failed, 2 could not be decided."""
    activate()
    document = _read(schema, url, key)
    if spark:
        from policies.schema.spark import check_folder

        result = check_folder(file, document)
    else:
        from policies.schema.local import check_file

        result = check_file(file, document)[1]
    if as_json:
        print_json(result.document())
    else:
        rows = [
            [
                figure.group["column"],
                figure.name.removeprefix("failures of "),
                figure.group["expected"],
                figure.value or "-",
            ]
            for figure in result.figures
            if figure.value != "0"
        ]
        print_table(f"{file.name}: {result.status.value}", ("column", "rule", "expected", "rows that break it"), rows)
        typer.echo(result.message)
    return EXIT.get(result.status.value, 2)


@app.command()
def diff(
    old: str = typer.Argument(..., help=SCHEMA),
    new: str = typer.Argument(..., help=SCHEMA),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Say what differs, and whether it tightens or loosens what data must be. Exit codes: 0 nothing, 1 something."""
    activate()
    from policies.schema.changes import changes

    found = changes(_read(old, url, key), _read(new, url, key))
    if as_json:
        print_json({"changes": [change.document() for change in found]})
    else:
        rows = [[change.place, change.before or "-", change.after or "-", change.effect] for change in found]
        print_table(f"{old} to {new}", ("place", "before", "after", "effect"), rows)
    return 1 if any(change.effect != "none" for change in found) else 0


@app.command()
def register(
    name: str = typer.Argument(..., help="The schema's name: lower-case letters, digits and hyphens."),
    schema: str = typer.Argument(..., help=SCHEMA),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Register a version with the service; a schema whose rules would be lost is refused."""
    activate()
    document = _read(schema, url, key).model_dump(mode="json", exclude={"name"})
    with Client(url, key) as client:
        registered = client.register_schema(name, {**document, "name": name})
    if as_json:
        print_json(registered)
    else:
        typer.echo(f"{registered['name']}@{registered['version']} {registered['digest']}")
    return 0


@app.command()
def show(
    schema: str = typer.Argument(..., help=SCHEMA),
    pandera: bool = typer.Option(False, "--pandera", help="Print Pandera's own form, where it holds every rule."),
    url: str = URL,
    key: str | None = KEY,
) -> int:
    """Print a schema's document."""
    activate()
    document = _read(schema, url, key)
    if pandera:
        from policies.schema.objects import schema_of

        typer.echo(schema_of(document).to_yaml(), nl=False)
    else:
        typer.echo(_yaml(document), nl=False)
    return 0


def _read(schema: str, url: str, key: str | None) -> "SchemaDocument":
    """The document that the argument names."""
    from governance.localfiles import read_yaml
    from policies.schema.forms import read_schema

    path, _, name = schema.rpartition(":")
    if path.endswith(".py"):
        from policies.schema.objects import document_of, load_object

        return document_of(load_object(Path(path), name))
    if Path(schema).is_file():
        return read_schema(read_yaml(Path(schema)))
    if "@" in schema and "/" not in schema:
        with Client(url, key) as client:
            return read_schema(client.schema(schema))
    raise UsageError(expected=SCHEMA, found=repr(schema), remedy="Check the path or the name.")


def _yaml(document: "SchemaDocument") -> str:
    """The document without what is as usual."""
    dumped: dict[str, Any] = document.model_dump(mode="json", exclude_defaults=True)
    return yaml.safe_dump(dumped, sort_keys=False, allow_unicode=True)
