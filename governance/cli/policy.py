"""``assay policy``: looking policies over, storing versions, publishing them, and what differs between two."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
import yaml

from governance._siblings import activate
from governance.cli.output import JSON_HELP, KEY, URL, print_json, print_table
from governance.client import Client
from governance.errors import UsageError

if TYPE_CHECKING:
    from governance.types.policy import Policy

app = typer.Typer(no_args_is_help=True, help="Policies: lint, diff, store, publish, list, show.")

STAGE = typer.Option("enforce", help="shadow, warn or enforce; retire takes back what was published.")
NOTE = typer.Option("", help="Why, for the record.")


@app.command()
def lint(
    files: list[Path] = typer.Argument(..., help="Policies (YAML or JSON)."),
    strict: bool = typer.Option(False, "--strict", help="Warnings count like errors."),
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Look policies over without a service. Exit codes: 0 nothing that counts, 1 findings."""
    activate()
    from audits.lint import lint as look_over

    today = datetime.now(UTC).date()
    found = [(file, finding) for file in files for finding in look_over(_read(file), today=today)]
    if as_json:
        print_json({"findings": [{"file": str(file), **finding.document()} for file, finding in found]})
    else:
        for file, finding in found:
            place = finding.pointer or "/"
            typer.echo(f"{file}:{finding.line or 1}: {finding.level}: {place}: {finding.message} [{finding.code}]")
        typer.echo(f"{len(files)} looked over, {len(found)} findings.", err=True)
    return 1 if any(strict or finding.level == "error" for _, finding in found) else 0


@app.command()
def diff(
    old: str = typer.Argument(..., help="A file, NAME@VERSION, or the name of a pack."),
    new: str = typer.Argument(..., help="The same."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Say what differs, and whether it tightens or loosens what a model must show. Exit codes: 0 nothing, 1 something.

    The digests decide: two texts of one digest are one policy, whatever their layout.
    """
    activate()
    from audits.policy_changes import policy_changes

    before, after = (_policy(one, url, key) for one in (old, new))
    digests = [policy.value_digest() for policy in (before, after)]
    found = policy_changes(before, after)
    if as_json:
        print_json({"from": digests[0], "to": digests[1], "changes": [change.document() for change in found]})
    else:
        rows = [[change.place, change.before or "-", change.after or "-", change.effect] for change in found]
        if rows:
            print_table(f"{old} to {new}", ("place", "before", "after", "effect"), rows)
        typer.echo(f"{old} {digests[0]}\n{new} {digests[1]}")
    return 1 if digests[0] != digests[1] else 0


@app.command()
def store(
    file: Path = typer.Argument(..., help="The policy (YAML or JSON); its name is the one inside."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Store a version with the service, as its author. It decides nothing until somebody else publishes it."""
    text = _read(file)
    with Client(url, key) as client:
        stored = client.store_policy(_name_in(text), text)
    if as_json:
        print_json(stored)
    else:
        typer.echo(f"{stored['name']}@{stored['version']} {stored['digest']}, by {stored['author_name']}")
    return 0


@app.command()
def publish(
    policy: str | None = typer.Argument(None, help="NAME@VERSION, written by somebody else."),
    pack: str | None = typer.Option(None, "--pack", help="In place of NAME@VERSION: a pack, exactly as it ships."),
    stage: str = STAGE,
    note: str = NOTE,
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Bring a version to a stage: tried silently (shadow), with warnings (warn), in force (enforce), or taken back."""
    if (policy is None) == (pack is None):
        raise UsageError(
            expected="NAME@VERSION or --pack NAME",
            found="both" if policy else "neither",
            remedy="Name what is to be published.",
        )
    with Client(url, key) as client:
        if pack is not None:
            made = client.publish_pack(pack, stage=stage, note=note)
        else:
            name, version = _named(policy or "")
            made = client.publish_policy(name, version, stage=stage, note=note)
    if as_json:
        print_json(made)
    else:
        reference = made["policy"]
        typer.echo(f"{reference['name']}@{reference['version']} {reference['digest']}: {made['stage']}")
    return 0


@app.command("list")
def list_all(
    url: str = URL, key: str | None = KEY, as_json: bool = typer.Option(False, "--json", help=JSON_HELP)
) -> int:
    """List policies: the version in force, what is tried beside it, and the newest version stored."""
    with Client(url, key) as client:
        found = client.get("/v1/policies")
    if as_json:
        print_json(found)
        return 0
    rows = [
        [
            str(policy["name"]),
            str(policy["enforced"]["version"]) if policy["enforced"] else "-",
            ", ".join(f"{one['version']} ({one['stage']})" for one in policy["tried"]) or "-",
            str(policy["newest_version"]),
        ]
        for policy in found["policies"]
    ]
    print_table("Policies", ("name", "in force", "tried beside it", "newest"), rows)
    return 0


@app.command()
def show(
    policy: str = typer.Argument(..., help="NAME@VERSION, or NAME for its versions."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Print a stored version as YAML, or list the versions of a name with their authors and stages."""
    with Client(url, key) as client:
        if "@" not in policy:
            found = client.get(f"/v1/policies/{policy}/versions")
            return _show_versions(policy, found["versions"], as_json=as_json)
        found = client.policy(policy)
    if as_json:
        print_json(found)
    else:
        typer.echo(f"# {found['name']}@{found['version']} {found['digest']}, by {found['author_name']}")
        typer.echo(yaml.safe_dump(found["policy"], sort_keys=False, allow_unicode=True), nl=False)
    return 0


def _show_versions(name: str, versions: list[dict[str, Any]], *, as_json: bool) -> int:
    if as_json:
        print_json({"versions": versions})
        return 0
    columns = ("version", "stage", "author", "recorded_at", "digest")
    rows = [
        [str(one["version"]), str(one["stage"] or "-"), *(str(one[key]) for key in ("author_name", *columns[3:]))]
        for one in versions
    ]
    print_table(f"Versions of {name}", columns, rows)
    return 0


def _policy(name: str, url: str, key: str | None) -> "Policy":
    """The policy that an argument names."""
    from audits.catalog import pack, read_policy
    from governance.types.policy import Policy
    from governance.types.value import parse_value

    if Path(name).is_file():
        return read_policy(_read(Path(name)))
    if "@" not in name:
        return read_policy(pack(name))
    with Client(url, key) as client:
        return parse_value(Policy, client.policy(name)["policy"], what="a stored policy")


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as fault:
        raise UsageError(
            expected=f"a readable file {file}", found=fault.strerror or type(fault).__name__, remedy="Check the path."
        ) from fault


def _name_in(text: bytes) -> str:
    """The name that the document gives the policy; the service reads the rest."""
    try:
        document = yaml.safe_load(text)
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as fault:
        raise UsageError(
            expected="one YAML or JSON document", found=str(fault)[:200], remedy="Correct the policy's syntax."
        ) from fault
    name = document.get("name") if isinstance(document, dict) else None
    if not isinstance(name, str) or not name:
        raise UsageError(expected="a policy with a name", found="none", remedy="Give it `name:`.")
    return name


def _named(reference: str) -> tuple[str, int]:
    name, at, version = reference.partition("@")
    if not at or not name or not version.isdecimal() or len(version) > 9:
        raise UsageError(expected="NAME@VERSION", found=repr(reference), remedy="Name both, such as prod-default@3.")
    return name, int(version)
