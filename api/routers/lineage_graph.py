"""Lineage between datasets and jobs over HTTP: graphs, impact, paths and differences."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from api.answers import tagged
from api.dependencies import ReadingUnit, permit
from api.routers.lineage_asking import GraphAsked, chosen_nodes, graph_query, listed_start
from governance.clock import rfc3339
from lineage.graph_answer import Graph
from lineage.neighbourhood import GraphQuery, neighbourhood

router = APIRouter(tags=["lineage"])


@router.get("/v1/lineage", summary="What a node comes from and what depends on it", dependencies=[permit("read")])
@router.get("/v1/lineage/graph", summary="What a node comes from and what depends on it", dependencies=[permit("read")])
def graph(request: Request, unit: ReadingUnit, asked: Annotated[GraphAsked, Query()]) -> Response:
    """The nodes within reach, nearest first, and the edges between them. Cut answers say so and where."""
    query = graph_query(asked, asked.node_limit, chosen_nodes(asked))
    return tagged(request, graph_document(neighbourhood(unit, listed_start(request, unit, asked), query), query))


def graph_document(found: Graph, query: GraphQuery) -> dict[str, Any]:
    """The graph as JSON."""
    return {
        "start": found.start,
        "direction": query.direction,
        "depth": query.depth,
        "as_of": None if query.as_of is None else rfc3339(query.as_of),
        "edges_mode": query.edges,
        "nodes": [
            {
                "index": index,
                "kind": node.kind,
                "type": node.type,
                "subtype": node.subtype,
                "namespace": node.namespace,
                "name": node.name,
                "distance": node.distance,
                "aliases": [{"namespace": namespace, "name": name} for namespace, name in node.aliases],
            }
            for index, node in enumerate(found.nodes)
        ],
        "edges": [
            {
                "from": edge.source,
                "to": edge.target,
                "first_seen": edge.first_seen,
                "last_seen": edge.last_seen,
                "run_count": edge.run_count,
                "latest_run_id": edge.latest_run_id,
            }
            for edge in found.edges
        ],
        "truncated": found.is_truncated,
        "frontier": list(found.frontier),
    }
