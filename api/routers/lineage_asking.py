"""How a question about lineage names its start and says how far it goes: parameters that its routes share."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Literal
from urllib.parse import unquote_plus

from fastapi import Query, Request
from pydantic import BaseModel

from api.answers import instant
from governance.errors import Conflict, InputRefused
from lineage import neighbourhood
from lineage.filters import Everything, NodeFilter
from lineage.identity import NodeKind, name_fault, node_id_splits
from lineage.links import EdgesMode
from lineage.neighbourhood import DEFAULT_NODE_LIMIT, MAX_NODE_LIMIT, Directions, GraphQuery, resolve
from lineage.reading import Reader

Depth = Annotated[int | None, Query(ge=0, le=1_000_000, description="Jobs entered after the start; default: all.")]
NodeLimit = Annotated[int, Query(ge=1, le=MAX_NODE_LIMIT, description="Most nodes in the answer.")]
AsOf = Annotated[datetime | None, Query(description="Only events at or before this instant count.")]
Start = Annotated[str | None, Query(max_length=8192)]
Kind = Annotated[Literal["dataset", "job"] | None, Query(description="Needed where both have the name.")]


class Node(BaseModel):
    """Where to start: by namespace and name, or by node id."""

    node_id: Start = None
    namespace: Start = None
    name: Start = None
    kind: Kind = None


class Walked(BaseModel):
    """Which way, how far, as of when, over which edges."""

    direction: Directions = "both"
    depth: Depth = None
    as_of: AsOf = None
    edges: EdgesMode = "ever"


class ListQuery(Walked):
    """Where to start and which of the nodes that are reached are shown.

    ``namespace`` and ``kind`` are both: beside ``name`` the first namespace is that of the start, and the first kind
    decides where a dataset and a job have the name. The walk goes through nodes that do not match all the same.
    """

    node_id: Start = None
    name: Start = None
    namespace: Annotated[
        list[str], Query(max_length=100, description="That of the start beside `name`; others filter the nodes.")
    ] = []
    kind: Annotated[list[Literal["dataset", "job"]], Query(max_length=10, description="Kinds of the nodes shown.")] = []
    type: Annotated[
        list[str], Query(max_length=100, description="Types or subtypes of the nodes shown, such as `MODEL`.")
    ] = []
    tag: Annotated[list[str], Query(max_length=100, description="Tags of the nodes shown: `key` or `key=value`.")] = []
    owner: Annotated[list[str], Query(max_length=100, description="Owners of the nodes shown.")] = []
    environment: Annotated[
        list[str], Query(max_length=100, description="Environments that the nodes shown are deployed in.")
    ] = []


class GraphAsked(ListQuery):
    """The question about a graph."""

    node_limit: NodeLimit = DEFAULT_NODE_LIMIT


def listed_start(request: Request, unit: Reader, asked: ListQuery) -> neighbourhood.Start:
    """The stored node that a question with filters starts at.

    Raises:
        InputRefused: it is named in no way or two. NotFound: it is not stored. Conflict: several nodes fit.
    """
    namespace = asked.namespace[0] if asked.namespace and asked.name is not None else None
    found = starts(request, "node_id", asked.node_id, (namespace, asked.name, None))
    try:
        return resolve(unit, found)
    except Conflict:
        of_kind = [start for start in found if asked.kind and start[0] == asked.kind[0]]
        if not of_kind:
            raise
    return resolve(unit, of_kind)


def chosen_nodes(asked: ListQuery) -> NodeFilter:
    """Which of the nodes that are reached are shown.

    Raises:
        InputRefused: a value is none that a stored node can have.
    """
    return NodeFilter(
        tuple(asked.kind),
        usable("type", asked.type),
        usable("namespace", asked.namespace if asked.name is None else asked.namespace[1:]),
        usable("tag", asked.tag),
        usable("owner", asked.owner),
        usable("environment", asked.environment),
    )


def usable(parameter: str, texts: Sequence[str]) -> tuple[str, ...]:
    """The texts, each of which may be stored.

    Raises:
        InputRefused: one is empty, too long, or holds what no column keeps.
    """
    for text in texts:
        fault = name_fault(text)
        if fault is not None:
            raise InputRefused(
                expected="a text of 1 to 2,048 characters", found=fault, remedy="Correct it.", pointer=parameter
            )
    return tuple(texts)


def graph_query(asked: Walked, node_limit: int | None, chosen: NodeFilter = Everything) -> GraphQuery:
    """The question as lineage takes it.

    Raises:
        InputRefused: the instant is outside the calendar.
    """
    return GraphQuery(asked.direction, asked.depth, node_limit, instant(asked.as_of), asked.edges, chosen)


def start_of(request: Request, unit: Reader, asked: Node) -> neighbourhood.Start:
    """The stored node that the question starts at.

    Raises:
        InputRefused: it is named in no way or two. NotFound: it is not stored. Conflict: several nodes fit.
    """
    return resolve(unit, starts(request, "node_id", asked.node_id, (asked.namespace, asked.name, asked.kind)))


def starts(
    request: Request, parameter: str, node_id: str | None, named: tuple[str | None, str | None, NodeKind | None]
) -> list[tuple[NodeKind, str, str]]:
    """Every node that the question may mean.

    Raises:
        InputRefused: it is named in no way or two, or the node id has another form.
    """
    namespace, name, kind = named
    if namespace is not None and name is not None and node_id is None:
        kinds: tuple[NodeKind, ...] = ("dataset", "job") if kind is None else (kind,)
        return [(of, namespace, name) for of in kinds]
    if node_id is None or namespace is not None or name is not None:
        raise InputRefused(
            expected=f"either {parameter}, or namespace and name",
            found="another combination",
            remedy="Name the node one way.",
            pointer=parameter,
        )
    raw = next(
        (part.partition("=")[2] for part in request.url.query.split("&") if part.startswith(f"{parameter}=")), ""
    )
    if raw.count(":") == 2:  # as the web pages send it: the parts are encoded, the colons between them are not
        of, namespace, name = (unquote_plus(part) for part in raw.split(":"))
        if of in ("dataset", "job") and namespace and name:
            return node_id_splits(node_id) if "#" in name else [("job" if of == "job" else "dataset", namespace, name)]
    splits = node_id_splits(node_id)
    if not splits:
        raise InputRefused(
            expected="dataset:{namespace}:{name} or job:{namespace}:{name}",
            found=repr(node_id[:120]),
            remedy="Correct the node id, or ask by namespace and name.",
            pointer=parameter,
        )
    return splits
