"""``assay decision`` and ``assay deployment``: whether a decision holds, taking one back, and what runs with which."""

from typing import Any
from urllib.parse import quote

import typer

from governance.cli.output import JSON_HELP, KEY, URL, complain, digest_of, print_json, print_table
from governance.client import Client
from governance.errors import InputRefused

decisions = typer.Typer(no_args_is_help=True, help="Decisions: verify, revoke, revocations.")
deployments = typer.Typer(no_args_is_help=True, help="Deployments: record, end, list.")

REFUSED = ("expired", "revoked", "superseded", "wrong_subject", "wrong_environment", "not_allowed")
"""What a decision may be but ``valid``. A word that is not known blocks like a verdict that is not known: exit 2."""


@decisions.command()
def verify(
    decision: str = typer.Argument(..., help="The decision's id."),
    digest: str = typer.Option(..., help="The bytes about to go live: the model's file, or its sha256:... digest."),
    environment: str = typer.Option(..., "--env", help="Where they are to go."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Ask the service whether a decision lets these bytes go live there, now: the last step before a rollout.

    Exit codes: 0 valid, 1 it is not (expired, revoked, superseded, wrong_subject, wrong_environment, not_allowed),
    2 the answer is not understood, 4 usage, 5 not permitted, 6 unreachable.
    """
    asked = {"digest": digest_of(digest), "environment": environment}
    with Client(url, key) as client:
        found = client.post(f"/v1/decisions/{quote(decision, safe='')}/verify", asked)
    status = found.get("status")
    if as_json:
        print_json(found)
    else:
        typer.echo(f"{decision}: {status}, verdict {found.get('verdict')}, valid until {found.get('valid_until')}")
        if found.get("break_glass"):
            typer.echo("A grant of break-glass stands beside it; a deployment under it is recorded as such.")
    return 0 if status == "valid" else 1 if status in REFUSED else 2


@decisions.command()
def revoke(
    decision: str = typer.Argument(..., help="The decision's id."),
    cause: str = typer.Option(..., help="Such as data_recalled, evidence_invalid, policy_changed, incident or other."),
    reason: str = typer.Option(..., help="In your words, for the record."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Take an allow back, for good. A later statement is signed, logged and told; what runs with it is shown."""
    told = {"cause": cause, "reason": reason}
    with Client(url, key) as client:
        revocation = client.post(f"/v1/decisions/{quote(decision, safe='')}/revocations", told)
    if as_json:
        print_json(revocation)
    else:
        when, who = revocation["revoked_at"], revocation["revoker"]
        typer.echo(f"{decision} was revoked {when} by {who}: number {revocation['seq']} of the feed.")
    return 0


@decisions.command()
def revocations(
    since: int = typer.Option(0, min=0, help="Only those after this number."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """List decisions that were taken back, in order."""
    found: list[dict[str, Any]] = []
    with Client(url, key) as client:
        while True:
            page = client.get("/v1/revocations", since=since, limit=1000)
            found += page["revocations"]
            if page["next"] == since:
                break
            since = page["next"]
    if as_json:
        print_json({"revocations": found, "next": since})
    else:
        rows = [
            [str(each["seq"]), each["decision_id"], each["cause"], each["revoked_at"], each["reason"]] for each in found
        ]
        print_table("Revocations", ("number", "decision", "cause", "when", "reason"), rows)
    return 0


@deployments.command()
def record(
    decision: str = typer.Argument(..., help="The decision that lets it go live."),
    digest: str = typer.Option(..., help="The bytes: the model's file, or its sha256:... digest."),
    environment: str = typer.Option(..., "--env", help="Where they go."),
    platform: str = typer.Option(..., help="The platform's namespace in lineage, such as k8s://cluster/claims."),
    endpoint: str = typer.Option(..., help="The endpoint's name on the platform."),
    revision: str = typer.Option(..., help="Which rollout of the endpoint this is."),
    kind: str = typer.Option("online", help="online, batch or shadow."),
    traffic: float = typer.Option(100, min=0, max=100, help="The share of the traffic, in per cent."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Record a rollout under a decision that is valid now. The same rollout told again is recorded once.

    Exit codes: 0 recorded, 1 the decision is not valid now for these bytes there, 4 usage, 5 not permitted,
    6 unreachable.
    """
    from governance.types.deployment import DeploymentRequest
    from governance.types.value import parse_value

    told = {
        "decision_id": decision, "digest": digest_of(digest), "environment": environment, "endpoint": endpoint,
        "platform_namespace": platform, "revision": revision, "kind": kind, "traffic_percent": traffic,
    }  # fmt: skip
    asked = parse_value(DeploymentRequest, told, what="a deployment")
    try:
        with Client(url, key) as client:
            deployed = client.post("/v1/deployments", asked.document(), Idempotency_Key=asked.value_digest())
    except InputRefused as refused:
        if refused.pointer != "/decision_id":
            raise
        complain(refused, as_json=as_json)
        return 1
    if as_json:
        print_json(deployed)
    else:
        typer.echo(f"{deployed['deployment_id']} {deployed['endpoint']} revision {deployed['revision']}")
        if deployed["grant_id"]:
            typer.echo(f"It runs under the grant of break-glass {deployed['grant_id']}, not under an allow.")
    return 0


@deployments.command()
def end(
    deployment: str = typer.Argument(..., help="The deployment's id."),
    how: str = typer.Option("retired", help="retired, rolled_back or failed."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """Record that a deployment ended."""
    with Client(url, key) as client:
        ended = client.post(f"/v1/deployments/{quote(deployment, safe='')}/end", {"how": how})
    if as_json:
        print_json(ended)
    else:
        typer.echo(f"{deployment} ended {ended['ended']['at']}: {ended['ended']['how']}")
    return 0


@deployments.command("list")
def list_deployments(
    environment: list[str] = typer.Option([], "--env", help="Only these environments; may be repeated."),
    as_of: str | None = typer.Option(None, help="As it was at this instant."),
    undecided: bool = typer.Option(False, "--undecided", help="Only those that began without a valid decision."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = typer.Option(False, "--json", help=JSON_HELP),
) -> int:
    """List what runs, or ran, and what its decision is worth. Exit code 1 where one runs without a valid decision."""
    with Client(url, key) as client:
        found = client.pages(
            "/v1/deployments", "deployments", environment=environment, as_of=as_of, undecided=undecided
        )
    if as_json:
        print_json({"deployments": found})
    else:
        rows = [
            [
                each["environment"],
                ", ".join(place["name"] for place in each["endpoints"]),
                each["revision"] or "-",
                ", ".join(model["name"] for model in each["models"]),
                each["running_with"] + (" (undecided)" if each["undecided"] else ""),
                each["decision_id"] or "-",
            ]
            for each in found
        ]
        print_table("Deployments", ("environment", "endpoint", "revision", "model", "runs with", "decision"), rows)
    return 1 if any(each["undecided"] or each["running_with"] != "valid" for each in found) else 0
