"""``assay break-glass`` and ``assay close-review``: letting a model by in an emergency, and looking at it after."""

from typing import Any
from urllib.parse import quote

import typer

from governance.cli.output import JSON_HELP, KEY, URL, print_json
from governance.client import Client


def break_glass(
    decision: str = typer.Argument(..., help="The id of the decision that does not allow."),
    reason: str = typer.Option(..., help="Why it cannot wait, for the record."),
    incident: str = typer.Option(..., help="The incident's id."),
    hours: int = typer.Option(4, min=1, max=4, help="How long it is to hold."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Let a model by for some hours. The decision stays; everybody is told, and somebody else must review it."""
    wanted = {"decision_id": decision, "reason": reason, "incident_id": incident, "hours": hours}
    with Client(url, key) as client:
        _show(client.post("/v1/break-glass", wanted), as_json=as_json)
    return 0


def close_review(
    grant: str = typer.Argument(..., help="The grant's id."),
    justified: bool = typer.Option(..., "--justified/--not-justified", help="Whether it had to be; a no ends it."),
    comment: str = typer.Option("", help="Why, for the record."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Close the review of a break-glass grant, as somebody else than who used it."""
    said = {"verdict": "justified" if justified else "not_justified", "comment": comment}
    with Client(url, key) as client:
        _show(client.post(f"/v1/break-glass/{quote(grant, safe='')}/review", said), as_json=as_json)
    return 0


def _show(grant: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        print_json(grant)
        return
    state = "holds" if grant["active"] else "does not hold"
    typer.echo(f"{grant['id']} {state} beside decision {grant['decision_id']} until {grant['expires_at']}")
    review = grant["review"]
    found = f"found {review['verdict']} by {review['by']['id']}" if review else "not reviewed yet"
    typer.echo(f"incident {grant['incident_id']}, used by {grant['by']['id']}: {found}")
