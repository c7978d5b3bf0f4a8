"""``assay waiting``, ``assay approve`` and ``assay review``: what waits for people, and what they say of it."""

from typing import Any
from urllib.parse import quote

import typer

from governance.cli.output import CHECK_COLUMNS, JSON_HELP, KEY, URL, check_rows, print_json, print_table
from governance.client import Client
from governance.errors import InputRefused

ONE = typer.Argument(..., help="The evaluation's id.")
REJECT = typer.Option(False, "--reject", help="Say no, which denies.")
COMMENT = typer.Option("", help="Why, for the record.")
DIGEST = typer.Option(None, help="Say it only of this `to_approve`, as it was read earlier.")
YES = typer.Option(False, "--yes", help="Do not ask first.")


def waiting(
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """List evaluations that wait for an approval or a review, oldest first."""
    with Client(url, key) as client:
        found = client.pages("/v1/gate/evaluations", "evaluations", state="awaiting")
    if as_json:
        print_json({"evaluations": found})
        return 0
    rows = [
        [
            one["evaluation_id"],
            f"{one['subject']['name']}@{one['subject']['version']}",
            one["environment"],
            "; ".join(_asked(each) for each in one["waiting_for"]),
            str(one["deadline"]),
        ]
        for one in found
    ]
    print_table("Waiting for people", ("evaluation", "model", "environment", "waits for", "deadline"), rows)
    return 0


def approve(
    evaluation: str = ONE,
    reject: bool = REJECT,
    comment: str = COMMENT,
    digest: str | None = DIGEST,
    yes: bool = YES,
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Approve what was found, as the policy asks; it counts for exactly what was read, and new evidence voids it."""
    said = {"verdict": "reject" if reject else "approve", "comment": comment}
    return _say(evaluation, "approval", said, digest=digest, yes=yes, url=url, key=key, as_json=as_json)


def review(
    evaluation: str = ONE,
    reject: bool = REJECT,
    comment: str = COMMENT,
    digest: str | None = DIGEST,
    yes: bool = YES,
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Let warnings by that the policy wants reviewed; it counts for what was read, and new evidence voids it."""
    said = {"verdict": "reject" if reject else "accept", "comment": comment}
    return _say(evaluation, "review", said, digest=digest, yes=yes, url=url, key=key, as_json=as_json)


def _say(
    evaluation: str,
    act: str,
    said: dict[str, str],
    *,
    digest: str | None,
    yes: bool,
    url: str,
    key: str | None,
    as_json: bool,
) -> int:
    with Client(url, key) as client:
        found = client.get(f"/v1/gate/evaluations/{quote(evaluation, safe='')}")
        if "to_approve" not in found:
            raise InputRefused(
                expected="an evaluation that waits for people",
                found=f"one that is {found.get('state') or found.get('verdict')}",
                remedy="List what waits: `assay waiting`.",
            )
        if not yes:
            _show(found)
            typer.confirm(f"{said['verdict'].capitalize()} this?", abort=True)
        named = "approved_digest" if act == "approval" else "reviewed_digest"
        body = {named: digest or found["to_approve"], **said}
        made = client.post(str(found["links"][f"{act}s"]), body)
    if as_json:
        print_json(made)
    else:
        typer.echo(f"{made['by']}: {made['act']} {made['verdict']} of {made['approved_digest']}")
    return 0


def _show(found: dict[str, Any]) -> None:
    print_table("Checks", CHECK_COLUMNS, check_rows(found["checks"]))
    for reason in found["reasons"]:
        typer.echo(f"- {reason['check'] or 'gate'}: {reason['message']}")
    for each in found["waiting_for"]:
        typer.echo(f"Waits for {_asked(each)}")
    typer.echo(f"What is said counts for {found['to_approve']}")


def _asked(one: dict[str, Any]) -> str:
    if one["what"] == "measurements":
        return "measurements"
    return f"{one['missing']} {one['what']} by the role {one['role']} ({one['eligible_count']} could)"
