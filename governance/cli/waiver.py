"""``assay waiver``: asking for waivers, approving and revoking them, and which there are."""

from pathlib import Path
from typing import Any
from urllib.parse import quote

import typer

from governance.cli.output import JSON_HELP, KEY, URL, print_json, print_table
from governance.client import Client

app = typer.Typer(no_args_is_help=True, help="Waivers: request, approve, revoke, list, show.")

ONE = typer.Argument(..., help="The waiver's id.")


@app.command()
def request(
    file: Path = typer.Argument(..., help="What is to be waived (YAML or JSON); docs/approvals.md shows one."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Ask that failed or warned checks of a model be let by for a time; it covers nothing before others approve it."""
    from governance.localfiles import read_yaml
    from governance.types.value import parse_value
    from governance.types.waiver import WaiverRequest

    wanted = parse_value(WaiverRequest, read_yaml(file), what="a waiver")
    with Client(url, key) as client:
        _show(client.post("/v1/waivers", wanted.document()), as_json=as_json)
    return 0


@app.command()
def approve(
    waiver: str = ONE,
    comment: str = typer.Option("", help="Why, for the record."),
    yes: bool = typer.Option(False, "--yes", help="Do not ask before approving."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Read a waiver and say yes to exactly what was read, as somebody who neither asked for it nor owns the model."""
    path = f"/v1/waivers/{quote(waiver, safe='')}"
    with Client(url, key) as client:
        found = client.get(path)
        if not yes:
            _show(found, as_json=False)
            typer.confirm("Approve this waiver?", abort=True)
        said = client.post(f"{path}/approve", {"approved_digest": found["digest"], "comment": comment})
        _show(said, as_json=as_json)
    return 0


@app.command()
def revoke(
    waiver: str = ONE,
    reason: str = typer.Option(..., help="Why, for the record."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """End a waiver before its time; decisions that used it stay as they are until they are revoked themselves."""
    with Client(url, key) as client:
        _show(client.post(f"/v1/waivers/{quote(waiver, safe='')}/revoke", {"reason": reason}), as_json=as_json)
    return 0


@app.command("list")
def list_waivers(
    environment: str | None = typer.Option(None, "--env", help="Only waivers for this environment."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """List waivers in the order in which they were asked for, with how each stands now."""
    with Client(url, key) as client:
        found = client.pages("/v1/waivers", "waivers", environment=environment)
    if as_json:
        print_json({"waivers": found})
        return 0
    rows = [
        [one["id"], one["standing"], _model(one), ", ".join(one["request"]["checks"]), one["request"]["expires_at"]]
        for one in found
    ]
    print_table("Waivers", ("waiver", "stands", "model", "checks", "until"), rows)
    return 0


@app.command()
def show(
    waiver: str = ONE,
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Show a waiver: what was asked for, who approved it, and how it stands now."""
    with Client(url, key) as client:
        _show(client.get(f"/v1/waivers/{quote(waiver, safe='')}"), as_json=as_json)
    return 0


def _model(waiver: dict[str, Any]) -> str:
    model = waiver["request"]["subject"]
    return f"{model['name']}@{model['version'] or model['first_version'] + '..' + model['last_version']}"


def _show(waiver: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(waiver)
        return
    asked = waiver["request"]
    typer.echo(f"{waiver['id']} {waiver['standing']}: {_model(waiver)} in {asked['environment']}")
    for check, bounds in sorted(asked["bounds"].items()):
        for bound in bounds:
            ends = [f"at least {bound['at_least']}"] if bound["at_least"] else []
            ends += [f"at most {bound['at_most']}"] if bound["at_most"] else []
            typer.echo(f"  {check}: {bound['metric']} {' and '.join(ends)}")
    typer.echo(f"from {waiver['not_before']} until {asked['expires_at']} (exclusive), ticket {asked['ticket']}")
    typer.echo(f"reason: {asked['reason']}")
    names = ", ".join(one["id"] for one in waiver["approvals"]) or "nobody yet"
    two = "" if waiver["covers_high_severity"] else "; a check of high severity needs two"
    typer.echo(f"asked for by {waiver['requested']['id']}, approved by {names}{two}")
