"""The graphs of datasets and jobs, of fields and of runs, as Marquez's clients and web pages read them."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from api.answers import answer, instant
from api.dependencies import ReadingUnit, permit
from api.routers.lineage_asking import AsOf, Depth, Kind, NodeLimit, Start, starts
from governance.database import ReadUnit
from lineage.links import EdgesMode
from lineage.marquez.columns import column_document
from lineage.marquez.graph import graph_document
from lineage.marquez.node_ids import Node, named_node
from lineage.marquez.upstream import upstream_document
from lineage.neighbourhood import MAX_NODE_LIMIT, Directions, GraphQuery, neighbourhood, resolve

router = APIRouter(prefix="/api/v1", tags=["marquez"])
READS = [permit("read", scoped=True)]


class Asked(BaseModel):
    """How the start is named: by node id, or by its parts, which are never ambiguous."""

    nodeId: Start = None  # noqa: N815 - the name that Marquez's clients send
    namespace: Start = None
    name: Start = None
    type: Kind = None


class GraphAsked(Asked):
    """What Marquez's clients send, and Assay's further parameters."""

    depth: Depth = 20
    direction: Directions = "both"
    node_limit: NodeLimit = MAX_NODE_LIMIT
    as_of: AsOf = None
    edges: EdgesMode = "ever"


class ColumnsAsked(Asked):
    """The question about fields: all of a dataset, all that a job writes, or one."""

    field: Start = None
    depth: Depth = 20
    withDownstream: bool = False  # noqa: N815 - the name that Marquez's clients send
    as_of: AsOf = None


@router.get("/lineage", summary="The graph around a node", dependencies=READS)
def lineage(request: Request, unit: ReadingUnit, asked: Annotated[GraphAsked, Query()]) -> Response:
    """What the node comes from and what depends on it. The walks up and down are joined and never turn round."""
    start = _start(request, unit, asked)
    as_of = start.as_of if asked.as_of is None else instant(asked.as_of)
    query = GraphQuery(asked.direction, asked.depth, asked.node_limit, as_of, asked.edges)
    return answer(graph_document(unit, neighbourhood(unit, start.row, query)))


@router.get("/column-lineage", summary="The graph around fields", dependencies=READS)
def column_lineage(request: Request, unit: ReadingUnit, asked: Annotated[ColumnsAsked, Query()]) -> Response:
    """What the fields come from, and with `withDownstream` what depends on them."""
    start = _start(request, unit, asked)
    as_of = start.as_of if asked.as_of is None else instant(asked.as_of)
    node = Node(start.row, start.field if asked.field is None else asked.field, as_of)
    return answer(column_document(unit, node, depth=asked.depth, with_downstream=asked.withDownstream))


@router.get("/runlineage/upstream", summary="The runs that led to a run", dependencies=READS)
def upstream_runs(
    unit: ReadingUnit,
    runId: Annotated[str, Query(min_length=1, max_length=2048)],  # noqa: N803 - as Marquez names it
    depth: Depth = 20,
) -> Response:
    """The run itself and those that wrote what it read, nearest first."""
    return answer(upstream_document(unit, runId, depth))


def _start(request: Request, unit: ReadUnit, asked: Asked) -> Node:
    """The node that the question starts at.

    Raises:
        InputRefused: it is named in no way or two. NotFound: it is not stored. Conflict: several nodes fit.
    """
    if asked.nodeId is None or asked.namespace is not None or asked.name is not None:
        return Node(resolve(unit, starts(request, "nodeId", asked.nodeId, (asked.namespace, asked.name, asked.type))))
    raw = next((part[7:] for part in request.url.query.split("&") if part.startswith("nodeId=")), "")
    return named_node(unit, asked.nodeId, raw)
