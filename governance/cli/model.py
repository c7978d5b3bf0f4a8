"""``assay model``: registering model versions, and what is registered."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import typer

from governance.cli.output import JSON_HELP, KEY, URL, digest_of, model_version, print_json, print_table
from governance.client import Client

app = typer.Typer(no_args_is_help=True, help="Model versions: register, list, show.")


@app.command()
def register(
    model: str = typer.Argument(..., help="MODEL@VERSION"),
    digest: str = typer.Option(..., help="The model's file, or its sha256:... digest."),
    namespace: str = typer.Option(..., help="The model's namespace, as lineage knows it."),
    objective: str = typer.Option(..., help="What it is to predict or decide; alternatives share it."),
    risk_tier: str = typer.Option(..., help="How much rests on it, in the words of your policies."),
    owner: list[str] = typer.Option(..., help="Stable id of an owner, who may then not approve; may be repeated."),
    jurisdiction: list[str] = typer.Option([], help="Where it is used; may be repeated."),
    purpose: list[str] = typer.Option([], help="Key of a purpose it serves; may be repeated."),
    kind: str | None = typer.Option(None, help="Such as classifier or regressor."),
    framework: str | None = typer.Option(None, help="What it was made with."),
    description: str = typer.Option("", help="In words."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Register a version, for good: its digest, what it is for and whose it is. The same again changes nothing."""
    from governance.types.model import ModelRegistration
    from governance.types.value import parse_value

    name, version = model_version(model)
    told = {
        "namespace": namespace, "name": name, "version": version, "digest": digest_of(digest), "objective": objective,
        "risk_tier": risk_tier, "owners": owner, "jurisdictions": jurisdiction, "purposes": purpose, "kind": kind,
        "framework": framework, "description": description,
    }  # fmt: skip
    registration = parse_value(ModelRegistration, told, what="a model version")
    with Client(url, key) as client:
        _show(client.post("/v1/models", registration.document()), as_json=as_json)
    return 0


@app.command("list")
def list_models(
    name: str | None = typer.Option(None, help="Only versions of this model."),
    namespace: str | None = typer.Option(None, help="Only models of this namespace."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """List registered versions in the order of their registration."""
    with Client(url, key) as client:
        found = client.pages("/v1/models", "models", name=name, namespace=namespace)
    if as_json:
        print_json({"models": found})
    else:
        rows = [
            [f"{each['name']}@{each['version']}", each["risk_tier"], ", ".join(each["owners"]), each["digest"]]
            for each in found
        ]
        print_table("Registered models", ("model", "risk tier", "owners", "digest"), rows)
    return 0


@app.command()
def show(
    digest: str = typer.Argument(..., help="The model's file, or its sha256:... digest."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Show the registered version that a file is. Exit code 4 where it was never registered."""
    known = digest if not Path(digest).is_file() else digest_of(digest)
    with Client(url, key) as client:
        _show(client.get(f"/v1/models/{quote(known, safe='')}"), as_json=as_json)
    return 0


def _show(model: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(model)
        return
    typer.echo(f"{model['namespace']} {model['name']}@{model['version']} {model['digest']}")
    typer.echo(f"risk tier {model['risk_tier']}, objective: {model['objective']}")
    typer.echo(f"owners {', '.join(model['owners'])}; registered {model['registered_at']} by {model['registrar']}")
