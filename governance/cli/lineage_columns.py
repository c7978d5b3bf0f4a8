"""``assay lineage columns, tagged, search``: questions about fields and words to a service."""

from collections.abc import Mapping, Sequence
from typing import Any

import typer

from governance.cli.lineage_queries import AS_JSON, AS_OF, NAMESPACE
from governance.cli.output import KEY, URL, print_json, print_table


def columns(
    name: str = typer.Argument(..., help="The dataset's name."),
    namespace: str = NAMESPACE,
    field: str | None = typer.Option(None, help="The field's path; default: every field of the dataset."),
    direction: str = typer.Option("both", help="`upstream`, `downstream` or `both`."),
    depth: int | None = typer.Option(None, min=0, help="Hops from field to field; default: all."),
    edges: str = typer.Option("ever", help="`ever`, or `current`: those of each job's latest run."),
    include_indirect: bool = typer.Option(False, "--include-indirect", help="Also filters, joins, sorts and groups."),
    as_of: str | None = AS_OF,
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = AS_JSON,
) -> None:
    """Show what fields come from and what depends on them, with how they are changed on the way."""
    answer = _ask(
        url, key, "/v1/lineage/columns", namespace=namespace, name=name, field=field, direction=direction, depth=depth,
        edges=edges, include_indirect=str(include_indirect).lower(), as_of=as_of,
    )  # fmt: skip
    if as_json:
        print_json(answer)
        return
    nodes: Sequence[Mapping[str, Any]] = answer["nodes"]
    rows = [
        [_field(nodes[edge["from"]]), _field(nodes[edge["to"]]), _how(edge), _job(edge)] for edge in answer["edges"]
    ]
    print_table(f"{len(nodes)} fields around {namespace} {name}", ("from", "to", "how", "job"), rows)
    marks = [
        [_field(node), mark.get("tag") or mark["category"], _field(mark["from"]) if mark["derived"] else "-"]
        for node in nodes
        for mark in (*node.get("tags", ()), *node.get("categories", ()))
    ]
    if marks:
        print_table("what they carry", ("field", "tag or category", "from"), marks)
    if answer["truncated"]:
        typer.echo("The answer was cut; ask with --depth, --field or --direction for less.", err=True)


def tagged(
    tag: str | None = typer.Option(None, help="The key of a tag."),
    category: str | None = typer.Option(None, help="A category of personal data."),
    as_of: str | None = AS_OF,
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = AS_JSON,
) -> None:
    """List every field that carries a tag or category, its own or derived along columns; without one, the tags."""
    answer = _ask(url, key, "/v1/lineage/tags", tag=tag, category=category, as_of=as_of)
    if as_json:
        print_json(answer)
        return
    if "tags" in answer:
        print_table("tags", ("tag", "description"), [[row["tag"], row["description"] or "-"] for row in answer["tags"]])
        return
    rows = [[_field(row), " > ".join(_field(one) for one in row["way"][:-1]) or "-"] for row in answer["fields"]]
    print_table(f"{len(rows)} fields carry {tag or category}", ("field", "by way of"), rows)


def search(
    text: str = typer.Argument(..., help="Words, each of which must be found; the last one may go on."),
    kind: list[str] = typer.Option([], help="`dataset` or `job`."),
    namespace: list[str] = typer.Option([], help="Namespaces."),
    tag: list[str] = typer.Option([], help="Tags: `key` or `key=value`."),
    owner: list[str] = typer.Option([], help="Owners."),
    sort: str = typer.Option("relevance", help="`relevance`, `name` or `updated_at`."),
    limit: int = typer.Option(20, min=1, max=1000, help="Rows of the answer."),
    cursor: str | None = typer.Option(None, help="Where the page before said that the next begins."),
    url: str = URL,
    key: str | None = KEY,
    as_json: bool = AS_JSON,
) -> None:
    """Find datasets and jobs by names, fields, descriptions, tags and owners."""
    answer = _ask(
        url, key, "/v1/lineage/search", q=text, kind=kind, namespace=namespace, tag=tag, owner=owner, sort=sort,
        limit=limit, cursor=cursor,
    )  # fmt: skip
    if as_json:
        print_json(answer)
        return
    rows = [
        [row["kind"], row["namespace"], row["name"], ", ".join(row["matched_fields"]) or "-", row["description"] or "-"]
        for row in answer["results"]
    ]
    title = f"{len(rows)} of {answer['total_count']} found"
    print_table(title, ("kind", "namespace", "name", "fields", "description"), rows)
    if answer["next_cursor"]:
        typer.echo(f"There is more: --cursor {answer['next_cursor']}", err=True)


COMMANDS = (columns, tagged, search)


def _ask(url: str, key: str | None, path: str, **asked: Any) -> dict[str, Any]:
    from governance.client import Client

    with Client(url, key) as client:
        return client.get(path, **asked)


def _field(names: Mapping[str, Any]) -> str:
    if names.get("hidden"):
        return "(hidden)"
    return f"{names['name']}.{names['field'] or '*'}"


def _job(edge: Mapping[str, Any]) -> str:
    job: Mapping[str, Any] = edge.get("job") or {}
    return "(hidden)" if job.get("hidden") or edge.get("hidden") else str(job.get("name", "-"))


def _how(edge: Mapping[str, Any]) -> str:
    parts = [
        f"{part['subtype'] or part['type']}{' masked' if part['masking'] else ''}"
        for part in edge.get("transformations", ())
    ]
    return ", ".join(parts) or "-"
