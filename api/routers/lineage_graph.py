"""Lineage between datasets and jobs over HTTP: graphs, impact, paths and differences."""

from collections.abc import Iterator
from datetime import datetime
from itertools import chain
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response, StreamingResponse

from api.answers import instant, is_known, state_tag, tagged
from api.dependencies import DatabaseOf, ReadingUnit, permit
from api.routers import lineage_examples as examples
from api.routers.lineage_asking import (
    GraphAsked,
    Kind,
    ListQuery,
    Node,
    NodeLimit,
    Start,
    Walked,
    chosen_nodes,
    graph_query,
    listed_start,
    start_of,
    starts,
)
from api.routers.lineage_shapes import (
    connections_document,
    csv_lines,
    differences_document,
    graph_document,
    impact_document,
)
from governance.database import Database
from governance.errors import InputRefused
from lineage.connections import DEFAULT_PATHS, MAX_PATHS, connections
from lineage.differences import Side, differences
from lineage.impact import impacted
from lineage.neighbourhood import DEFAULT_NODE_LIMIT, MAX_NODE_LIMIT, GraphQuery, neighbourhood, reach, resolve

router = APIRouter(tags=["lineage"])


@router.get(
    "/v1/lineage", summary="What a node comes from and what depends on it", dependencies=[permit("read", scoped=True)]
)
@router.get(
    "/v1/lineage/graph",
    summary="What a node comes from and what depends on it",
    dependencies=[permit("read", scoped=True)],
)
def graph(request: Request, unit: ReadingUnit, asked: Annotated[GraphAsked, Query()]) -> Response:
    """The nodes within reach, nearest first, and the edges between them. Cut answers say so and where."""
    query = graph_query(asked, asked.node_limit, chosen_nodes(asked))
    return tagged(request, graph_document(neighbourhood(unit, listed_start(request, unit, asked), query), query))


class ImpactAsked(ListQuery):
    """The question about impact."""

    node_limit: Annotated[
        int | None, Query(ge=1, le=MAX_NODE_LIMIT, description="Default: 1,000 as JSON, none as CSV.")
    ] = None
    format: Annotated[Literal["json", "csv"] | None, Query(description="Default: as `Accept` says, else JSON.")] = None


@router.get(
    "/v1/lineage/impact",
    summary="What is reached, as a flat list in JSON or CSV",
    dependencies=[permit("read", scoped=True)],
    responses=examples.IMPACT,
)
def impact(request: Request, database: DatabaseOf, asked: Annotated[ImpactAsked, Query()]) -> Response:
    """The nodes reached, by distance, kind, namespace and name, with owners, tags and the latest run's state.

    CSV is streamed and has no limit unless one is given.
    """
    accepts_csv = request.headers.get("accept", "").partition(",")[0].partition(";")[0].strip() == "text/csv"
    as_csv = asked.format == "csv" or (asked.format is None and accepts_csv)
    if not as_csv:
        query = graph_query(asked, asked.node_limit or DEFAULT_NODE_LIMIT, chosen_nodes(asked))
        with database.read_unit() as unit:
            reached = reach(unit, listed_start(request, unit, asked), query)
            return tagged(request, impact_document(list(impacted(unit, reached)), reached, query))
    with database.read_unit() as unit:
        tag = state_tag(unit, str(request.url.query))
    if is_known(request, tag):
        return Response(status_code=304, headers={"ETag": tag})
    lines = _csv(request, database, asked, graph_query(asked, asked.node_limit, chosen_nodes(asked)))
    # The first line is made before the answer begins, so that a node which is not stored is a 404 and not a broken one.
    return StreamingResponse(chain([next(lines)], lines), media_type="text/csv", headers={"ETag": tag})


def _csv(request: Request, database: Database, asked: ImpactAsked, query: GraphQuery) -> Iterator[str]:
    """The lines; the database is read while they are sent."""
    with database.read_unit() as unit:
        reached = reach(unit, listed_start(request, unit, asked), query)
        yield from csv_lines(impacted(unit, reached))


class PathsAsked(Node, Walked):
    """Two nodes, and how far and where to look for a path."""

    to_node_id: Start = None
    to_namespace: Start = None
    to_name: Start = None
    to_kind: Kind = None
    limit: Annotated[int, Query(ge=1, le=MAX_PATHS, description="Most paths in the answer.")] = DEFAULT_PATHS
    node_limit: NodeLimit = DEFAULT_NODE_LIMIT


@router.get("/v1/lineage/paths", summary="How one node reaches another", dependencies=[permit("read", scoped=True)])
def paths(request: Request, unit: ReadingUnit, asked: Annotated[PathsAsked, Query()]) -> Response:
    """The shortest paths first, each passing no node twice; `upstream` where the data flows to the first node."""
    start = start_of(request, unit, asked)
    named = (asked.to_namespace, asked.to_name, asked.to_kind)
    end = resolve(unit, starts(request, "to_node_id", asked.to_node_id, named))
    query = graph_query(asked, asked.node_limit)
    return tagged(request, connections_document(connections(unit, start, end, query, asked.limit), query))


class DiffAsked(Node, Walked):
    """A node at two instants (``as_of`` and ``to_as_of``), or two nodes; what is left out is the same on both sides."""

    to_node_id: Start = None
    to_namespace: Start = None
    to_name: Start = None
    to_kind: Kind = None
    to_as_of: Annotated[datetime | None, Query(description="The later instant; default: now.")] = None
    node_limit: NodeLimit = DEFAULT_NODE_LIMIT


@router.get(
    "/v1/lineage/diff",
    summary="What differs between two instants or two model versions",
    dependencies=[permit("read", scoped=True)],
)
def diff(request: Request, unit: ReadingUnit, asked: Annotated[DiffAsked, Query()]) -> Response:
    """Nodes and edges that only one side has, and datasets of which the sides used other versions."""
    start = start_of(request, unit, asked)
    is_same = asked.to_node_id is None and asked.to_namespace is None and asked.to_name is None
    if is_same and asked.as_of is None and asked.to_as_of is None:
        raise InputRefused(
            expected="another node (to_namespace and to_name) or an instant (as_of, to_as_of)",
            found="one node as it is now",
            remedy="Say what to compare it with.",
            pointer="to_name",
        )
    named = (asked.to_namespace, asked.to_name, asked.to_kind)
    end = start if is_same else resolve(unit, starts(request, "to_node_id", asked.to_node_id, named))
    query = graph_query(asked, asked.node_limit)
    before, after = Side(start, query.as_of), Side(end, instant(asked.to_as_of, "to_as_of"))
    return tagged(request, differences_document(differences(unit, before, after, query), before, after, query))
