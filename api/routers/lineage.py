"""Lineage over HTTP: taking OpenLineage events, and asking what comes from what."""

import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import unquote_plus

from fastapi import APIRouter, FastAPI, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel

from api.answers import instant, tagged
from api.body import read_body
from api.dependencies import ReadingUnit, SettingsOf, WriteUnit, permit
from api.routers import lineage_examples as examples
from governance.clock import rfc3339
from governance.errors import InputRefused, TooLarge
from lineage.digest import state_digest
from lineage.events import split_batch
from lineage.facets import own_schema
from lineage.identity import NodeKind, node_id_splits
from lineage.ingest import Recorded, Refused, record_events
from lineage.links import EdgesMode
from lineage.marquez import graph_document
from lineage.neighbourhood import (
    DEFAULT_NODE_LIMIT,
    MAX_NODE_LIMIT,
    Directions,
    Graph,
    GraphQuery,
    neighbourhood,
    resolve,
)
from lineage.records import stored_event
from lineage.writer import EventWriter


@asynccontextmanager
async def _writing(app: FastAPI) -> AsyncIterator[dict[str, EventWriter]]:
    """One writer for each running application, so that events which wait share a commit."""
    state = app.state.assay
    yield {"lineage_writer": EventWriter(state.database, state.settings.lineage)}


router = APIRouter(tags=["lineage"], lifespan=_writing)

Event = Annotated[bytes, read_body(lambda settings: settings.lineage.max_event_bytes)]
Batch = Annotated[bytes, read_body(lambda settings: settings.lineage.max_batch_bytes)]
Conformance = Annotated[
    Literal["lenient", "strict"], Query(description="`strict` also refuses what the core schema does not accept.")
]
Depth = Annotated[int | None, Query(ge=0, le=1_000_000, description="Jobs entered after the start; default: all.")]
NodeLimit = Annotated[int, Query(ge=1, le=MAX_NODE_LIMIT, description="Most nodes in the answer.")]
AsOf = Annotated[datetime | None, Query(description="Only events at or before this instant count.")]
Start = Annotated[str | None, Query(max_length=8192)]
Kind = Annotated[Literal["dataset", "job"] | None, Query(description="Needed where both have the name.")]


@router.post(
    "/api/v1/lineage",
    status_code=201,
    response_class=Response,
    summary="Take one OpenLineage event",
    dependencies=[permit("lineage.write")],
    responses=examples.TAKEN,
    openapi_extra=examples.EVENT_BODY,
)
def take_event(request: Request, body: Event, conformance: Conformance = "lenient") -> Response:
    """Store a RunEvent, JobEvent or DatasetEvent. A repeated event gets the same answer and changes nothing."""
    writer: EventWriter = request.state.lineage_writer
    answer = writer.record(body, conformance=conformance)
    if isinstance(answer, Refused):
        raise answer.fault
    headers = {"Assay-Event-Digest": answer.digest, "Assay-Findings": str(answer.finding_count)}
    return Response(status_code=201, headers=headers)


@router.post(
    "/api/v1/lineage/batch",
    summary="Take an array of OpenLineage events",
    dependencies=[permit("lineage.write")],
    responses=examples.BATCH_TAKEN,
    openapi_extra=examples.BATCH_BODY,
)
def take_batch(
    unit: WriteUnit, settings: SettingsOf, body: Batch, conformance: Conformance = "lenient"
) -> dict[str, Any]:
    """Store each event that can be placed; one bad event never undoes its neighbours."""
    bodies = split_batch(body)
    if len(bodies) > settings.lineage.max_batch_events:
        raise TooLarge(
            expected=f"at most {settings.lineage.max_batch_events} events",
            found=str(len(bodies)),
            remedy="Send several batches.",
        )
    return _summary(record_events(unit, bodies, settings.lineage, conformance=conformance))


def _summary(answers: Sequence[Recorded | Refused]) -> dict[str, Any]:
    failed = [
        {"index": index, "reason": answer.reason, "retriable": False}
        for index, answer in enumerate(answers)
        if isinstance(answer, Refused)
    ]
    return {
        "status": "partial_success" if failed else "success",
        "summary": {
            "received": len(answers),
            "successful": len(answers) - len(failed),
            "failed": len(failed),
            "retriable": 0,
            "non_retriable": len(failed),
        },
        "failed_events": failed,
    }


class MarquezQuery(BaseModel):
    """What Marquez's clients send, and Assay's further parameters."""

    nodeId: Start = None  # noqa: N815 - the name that Marquez's clients send
    namespace: Start = None
    name: Start = None
    type: Kind = None
    depth: Depth = 20
    direction: Directions = "both"
    node_limit: NodeLimit = MAX_NODE_LIMIT
    as_of: AsOf = None
    edges: EdgesMode = "ever"


class LineageQuery(BaseModel):
    """Where to start, which way, how far, as of when."""

    node_id: Start = None
    namespace: Start = None
    name: Start = None
    kind: Kind = None
    direction: Directions = "both"
    depth: Depth = None
    node_limit: NodeLimit = DEFAULT_NODE_LIMIT
    as_of: AsOf = None
    edges: EdgesMode = "ever"


@router.get("/api/v1/lineage", summary="The graph around a node, in Marquez's shape", dependencies=[permit("read")])
def marquez_graph(request: Request, unit: ReadingUnit, asked: Annotated[MarquezQuery, Query()]) -> Response:
    """What the node comes from and what depends on it. The walks up and down are joined and never turn round."""
    start = resolve(unit, _starts(request, "nodeId", asked.nodeId, (asked.namespace, asked.name, asked.type)))
    return JSONResponse(graph_document(unit, neighbourhood(unit, start, _walk(asked))))


@router.get("/v1/lineage", summary="What a node comes from and what depends on it", dependencies=[permit("read")])
@router.get("/v1/lineage/graph", summary="What a node comes from and what depends on it", dependencies=[permit("read")])
def graph(request: Request, unit: ReadingUnit, asked: Annotated[LineageQuery, Query()]) -> Response:
    """The nodes within reach, nearest first, and the edges between them. Cut answers say so and where."""
    start = resolve(unit, _starts(request, "node_id", asked.node_id, (asked.namespace, asked.name, asked.kind)))
    return tagged(request, _document(neighbourhood(unit, start, _walk(asked)), _walk(asked)))


def _walk(asked: MarquezQuery | LineageQuery) -> GraphQuery:
    return GraphQuery(asked.direction, asked.depth, asked.node_limit, instant(asked.as_of), asked.edges)


@router.get("/v1/lineage/digest", summary="One digest over the whole derived state", dependencies=[permit("read")])
def digest(unit: ReadingUnit) -> dict[str, Any]:
    """SHA-256 over the canonical export: equal wherever the same events were taken, in any order."""
    state = state_digest(unit)
    return {"digest": state.digest, "event_count": state.event_count}


@router.get("/v1/lineage/events/{digest}", summary="A stored event with its findings", dependencies=[permit("read")])
def event(unit: ReadingUnit, digest: str) -> Response:
    """The event as it is stored; `event` spelled as received is what the digest is of."""
    found = stored_event(unit, digest)
    frame = {
        "digest": found.digest,
        "kind": found.kind,
        "event_time": rfc3339(found.event_time),
        "arrived_at": rfc3339(found.arrived_at),
        "redaction_version": found.redaction_version,
        "findings": [
            {"code": item.code, "pointer": item.pointer, "expected": item.expected, "found": item.found}
            for item in found.findings
        ],
    }
    # The stored bytes go out as they are: parsing and writing them again could spell them differently.
    body = json.dumps(frame).encode()[:-1] + b', "event": ' + found.body + b"}"
    return Response(body, media_type="application/json", headers={"ETag": f'"{found.digest}"'})


@router.get("/spec/facets/{version}/{file}", summary="The schema of one of Assay's own facets")
def facet_schema(version: str, file: str) -> Response:
    """Immutable: a changed schema has another version. `_schemaURL` of our facets points here."""
    content = own_schema(version, file.removesuffix(".json"))
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(content, media_type="application/schema+json", headers=headers)


def _starts(
    request: Request, parameter: str, node_id: str | None, named: tuple[str | None, str | None, NodeKind | None]
) -> list[tuple[NodeKind, str, str]]:
    """Every node that the question may mean."""
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


def _document(found: Graph, query: GraphQuery) -> dict[str, Any]:
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
                "first_seen": rfc3339(edge.first_seen),
                "last_seen": rfc3339(edge.last_seen),
                "run_count": edge.run_count,
                "latest_run_id": edge.latest_run_id,
            }
            for edge in found.edges
        ],
        "truncated": found.is_truncated,
        "frontier": list(found.frontier),
    }
