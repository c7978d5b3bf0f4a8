"""``assay lineage impact, paths, diff, runs, serving, evidence, findings``: questions about lineage to a service."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import typer

from governance.cli.output import JSON_HELP, KEY, URL, print_json, print_table

NAME = typer.Argument(..., help="The dataset's or job's name.")
NAMESPACE = typer.Option(..., help="Its namespace.")
KIND = typer.Option(None, help="`dataset` or `job`, where both have the name.")
DEPTH = typer.Option(None, min=0, help="Jobs entered after the start; default: all.")
AS_OF = typer.Option(None, help="Only events at or before this instant count.")
AS_JSON = typer.Option(False, "--json", help=JSON_HELP)
Asked = Mapping[str, Any]


def impact(
    name: str = NAME,
    namespace: str = NAMESPACE,
    direction: str = typer.Option("downstream", help="`upstream`, `downstream` or `both`."),
    depth: int | None = DEPTH,
    as_of: str | None = AS_OF,
    node_type: list[str] = typer.Option([], "--type", help="Types or subtypes of the nodes shown."),
    kind: list[str] = typer.Option([], help="`dataset` or `job`: kinds of the nodes shown."),
    tag: list[str] = typer.Option([], help="Tags of the nodes shown: `key` or `key=value`."),
    owner: list[str] = typer.Option([], help="Owners of the nodes shown."),
    environment: list[str] = typer.Option([], help="Environments that the nodes shown are deployed in."),
    csv: Path | None = typer.Option(None, help="Write every row to this file as CSV."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = AS_JSON,
) -> None:
    """List what is reached from a node, with owners, tags and the latest run's state."""
    asked = {
        "namespace": namespace, "name": name, "direction": direction, "depth": depth, "as_of": as_of,
        "type": node_type, "kind": kind, "tag": tag, "owner": owner, "environment": environment,
    }  # fmt: skip
    if csv is not None:
        csv.write_bytes(_raw(url, key, "/v1/lineage/impact", {**asked, "format": "csv"}))
        typer.echo(f"written: {csv}")
        return
    answer = _ask(url, key, "/v1/lineage/impact", asked)
    columns = ("distance", "kind", "type", "namespace", "name", "owners", "tags", "latest_run_state")
    hidden = {"name": "(hidden)"}
    shown = [{**node, **hidden} if node.get("hidden") else node for node in answer["nodes"]]
    rows = [[_cell(node.get(column)) for column in columns] for node in shown]
    _show(answer, f"{len(rows)} nodes reached from {namespace} {name}", columns, rows, as_json=as_json)


def paths(
    name: str = NAME,
    namespace: str = NAMESPACE,
    to_name: str = typer.Option(..., help="The name of the node to reach."),
    to_namespace: str = typer.Option(..., help="Its namespace."),
    kind: str | None = KIND,
    to_kind: str | None = KIND,
    direction: str = typer.Option("both", help="`upstream`, `downstream` or `both`."),
    depth: int | None = DEPTH,
    limit: int = typer.Option(20, min=1, max=1000, help="Most paths."),
    as_of: str | None = AS_OF,
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = AS_JSON,
) -> None:
    """Show how one node reaches another, the shortest paths first."""
    asked = {
        "namespace": namespace, "name": name, "kind": kind, "to_namespace": to_namespace, "to_name": to_name,
        "to_kind": to_kind, "direction": direction, "depth": depth, "limit": limit, "as_of": as_of,
    }  # fmt: skip
    answer = _ask(url, key, "/v1/lineage/paths", asked)
    nodes: Sequence[Asked] = answer["nodes"]
    rows = [
        [
            path["direction"],
            str(len(path["nodes"])),
            " > ".join(str(nodes[place].get("name", "(hidden)")) for place in path["nodes"]),
        ]
        for path in answer["paths"]
    ]
    title = f"{len(rows)} paths from {name} to {to_name}"
    _show(answer, title, ("direction", "nodes", "path"), rows, as_json=as_json)


def diff(
    name: str = NAME,
    namespace: str = NAMESPACE,
    to_name: str | None = typer.Option(None, help="Another model version to compare with."),
    to_namespace: str | None = typer.Option(None, help="Its namespace; default: the same."),
    as_of: str | None = typer.Option(None, help="The earlier instant; default: now."),
    to_as_of: str | None = typer.Option(None, help="The later instant; default: now."),
    direction: str = typer.Option("upstream", help="`upstream`, `downstream` or `both`."),
    depth: int | None = DEPTH,
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = AS_JSON,
) -> None:
    """Show what differs in the lineage of a node between two instants, or between two model versions."""
    asked = {
        "namespace": namespace, "name": name, "to_name": to_name, "as_of": as_of, "to_as_of": to_as_of,
        "to_namespace": None if to_name is None else to_namespace or namespace, "direction": direction, "depth": depth,
    }  # fmt: skip
    answer = _ask(url, key, "/v1/lineage/diff", asked)
    rows = [["+ node", _named(node)] for node in answer["nodes_added"]]
    rows += [["- node", _named(node)] for node in answer["nodes_removed"]]
    rows += [["+ edge", f"{_named(edge['from'])} > {_named(edge['to'])}"] for edge in answer["edges_added"]]
    rows += [["- edge", f"{_named(edge['from'])} > {_named(edge['to'])}"] for edge in answer["edges_removed"]]
    rows += [
        ["version", f"{item['namespace']} {item['name']}: {_cell(item['before'])} > {_cell(item['after'])}"]
        for item in answer["versions_changed"]
    ]
    title = f"{len(rows)} differences" + (f", {answer['hidden']} more are hidden" if answer.get("hidden") else "")
    _show(answer, title, ("what", "where"), rows, as_json=as_json)


def runs(
    run_id: str = typer.Argument(..., help="The run's id."),
    direction: str = typer.Option("both", help="`upstream`, `downstream` or `both`."),
    depth: int | None = typer.Option(None, min=0, help="Runs entered after the start; default: all."),
    as_of: str | None = AS_OF,
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = AS_JSON,
) -> None:
    """Show which runs and dataset versions led to a run, and what it led to."""
    from urllib.parse import quote

    asked = {"direction": direction, "depth": depth, "as_of": as_of}
    answer = _ask(url, key, f"/v1/lineage/runs/{quote(run_id, safe='')}", asked)
    nodes: Sequence[Asked] = answer["nodes"]
    rows = [
        [_of_run(nodes[edge["from"]]), _of_run(nodes[edge["to"]]), edge["role"], _cell(edge["basis"])]
        for edge in answer["edges"]
    ]
    title = f"{len(nodes)} runs and versions around run {run_id}"
    _show(answer, title, ("from", "to", "role", "basis"), rows, as_json=as_json)


def serving(
    environment: list[str] = typer.Option([], help="Environments; default: all."),
    as_of: str | None = AS_OF,
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = AS_JSON,
) -> None:
    """Show what serves now, by which decision, and what data is behind it."""
    answer = _ask(url, key, "/v1/lineage/serving", {"environment": environment, "as_of": as_of})
    rows = [
        [
            deployment["environment"],
            f"{model['namespace']} {model['name']}",
            _cell(model["decision_id"]),
            f"{data['namespace']} {data['name']}",
            _cell(data["version"]),
            _cell(data["level"]),
        ]
        for deployment in answer["deployments"]
        for model in deployment["models"]
        for data in model["data"] or [{"namespace": "-", "name": "", "version": None, "level": model["level"]}]
    ]
    columns = ("environment", "model", "decision", "data", "version", "level")
    _show(answer, f"{len(answer['deployments'])} open deployments", columns, rows, as_json=as_json)


def evidence(
    name: str = typer.Argument(..., help="The model's or dataset's name."),
    namespace: str = NAMESPACE,
    version: str | None = typer.Option(None, help="The version of a model `NAME/VERSION`, or as it was reported."),
    as_of: str | None = AS_OF,
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = AS_JSON,
) -> None:
    """Show what the lineage of a model version rests on: linked, observed or reproducible."""
    asked = {"namespace": namespace, "name": name, "version": version, "as_of": as_of}
    answer = _ask(url, key, "/v1/lineage/evidence", asked)
    rows = [[_cell(link["level"]), link["from"], link["to"], _cell(link.get("reason"))] for link in answer["links"]]
    title = f"level: {_cell(answer['level'])}"
    _show(answer, title, ("level", "from", "to", "why no higher"), rows, as_json=as_json)


def findings(
    code: list[str] = typer.Option([], help="Codes; default: all."),
    producer: list[str] = typer.Option([], help="Producers of the events."),
    since: str | None = typer.Option(None, help="The earliest event time."),
    until: str | None = typer.Option(None, help="The latest event time."),
    limit: int = typer.Option(100, min=1, max=1000, help="Most findings."),
    cursor: str | None = typer.Option(None, help="The next_cursor of the answer before."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = AS_JSON,
) -> None:
    """List what stored events and runs get wrong."""
    asked = {
        "code": code, "producer": producer, "since": since, "until": until, "limit": limit, "cursor": cursor,
    }  # fmt: skip
    answer = _ask(url, key, "/v1/lineage/findings", asked)
    rows = [
        [item["code"], str(item.get("event") or item["run_id"]), item["pointer"], item["expected"], item["found"]]
        for item in answer["findings"]
    ]
    columns = ("code", "event or run", "place", "expected", "found")
    _show(answer, f"{len(rows)} findings", columns, rows, as_json=as_json)


COMMANDS = (impact, paths, diff, runs, serving, evidence, findings)
"""What ``assay lineage`` asks a service."""


def _ask(url: str, key: str | None, path: str, asked: Asked) -> dict[str, Any]:
    from governance.client import Client

    with Client(url, key) as client:
        return client.get(path, **asked)


def _raw(url: str, key: str | None, path: str, asked: Asked) -> bytes:
    from governance.client import Client

    with Client(url, key) as client:
        return client.download(path, **asked)


def _show(answer: Asked, title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], *, as_json: bool) -> None:
    if as_json:
        print_json(answer)
        return
    print_table(title, columns, rows)
    if answer.get("truncated"):
        typer.echo("The answer was cut; ask for less, or with --json to see where.", err=True)
    if answer.get("next_cursor"):
        typer.echo(f"There is more: --cursor {answer['next_cursor']}", err=True)


def _cell(value: Any) -> str:
    if isinstance(value, list):
        return ", ".join(_cell(item) for item in value)
    return "-" if value is None else str(value)


def _named(node: Asked) -> str:
    return f"{node['kind']} {node['namespace']} {node['name']}"


def _of_run(node: Asked) -> str:
    if node.get("hidden"):
        return f"{node['kind']} (hidden)"
    if node["kind"] == "run":
        return f"run {node['run_id']} of {node['job']['name']} ({node['state']})"
    return f"{node['namespace']} {node['name']} @ {_cell(node['version'])}"
