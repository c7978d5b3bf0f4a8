"""Lineage at run level over HTTP: what led to a run, what serves now, what its lineage rests on, and findings."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from api.answers import cursor_text, cursor_values, instant, tagged
from api.dependencies import ReadingUnit, permit
from api.routers.lineage_asking import AsOf, NodeLimit, usable
from api.routers.lineage_run_shapes import (
    evidence_document,
    findings_document,
    run_document,
    serving_document,
)
from audits.running import running
from governance.errors import InputRefused
from lineage.aliases import Aliases
from lineage.ancestry import trace_found
from lineage.descriptions import Known
from lineage.findings import Cursor, FindingQuery, findings_page
from lineage.graph import Bounds
from lineage.identity import NodeKind
from lineage.neighbourhood import DEFAULT_NODE_LIMIT, Directions, GraphQuery, resolve
from lineage.reading import Reader, find_node
from lineage.run_walk import RunQuery, find_run, run_graph
from lineage.serving import serving
from lineage.subjects import found_dataset

router = APIRouter(tags=["lineage"])

MAX_PAGE = 1_000
PageLimit = Annotated[int, Query(ge=1, le=MAX_PAGE, description="Rows of the answer.")]
PageCursor = Annotated[str | None, Query(max_length=2048, description="`next_cursor` of the page before.")]


class RunAsked(BaseModel):
    """Which way, how far, as of when; ``depth`` counts the runs entered after the start."""

    direction: Directions = "both"
    depth: Annotated[
        int | None, Query(ge=0, le=1_000_000, description="Runs entered after the start; default: all.")
    ] = None
    node_limit: NodeLimit = DEFAULT_NODE_LIMIT
    as_of: AsOf = None


@router.get(
    "/v1/lineage/runs/{run_id:path}",
    summary="What led to a run and what it led to",
    dependencies=[permit("read", scoped=True)],
)
def run(
    request: Request,
    unit: ReadingUnit,
    run_id: Annotated[str, Path(min_length=1, max_length=2048)],
    asked: Annotated[RunAsked, Query()],
) -> Response:
    """The runs within reach and the versions of datasets between them; `basis` says what a version rests on."""
    as_of = instant(asked.as_of)
    query = GraphQuery(asked.direction, asked.depth, asked.node_limit, as_of)
    found = run_graph(
        unit,
        find_run(unit, run_id, as_of),
        RunQuery(query.directions, Bounds(asked.depth, asked.node_limit), as_of),
    )
    return tagged(request, run_document(found, query))


class ServingAsked(BaseModel):
    """Where and when."""

    environment: Annotated[list[str], Query(max_length=100, description="Environments; default: all.")] = []
    as_of: AsOf = None
    limit: PageLimit = 100
    cursor: PageCursor = None


@router.get(
    "/v1/lineage/serving",
    summary="What serves now, and what data is behind it",
    dependencies=[permit("read", scoped=True)],
)
def what_serves(request: Request, unit: ReadingUnit, asked: Annotated[ServingAsked, Query()]) -> Response:
    """Each open deployment with its decision, its model versions, who trained them, and every dataset version upstream.

    A level says what the way from the data to the model rests on; `hidden` counts what the caller does not see of it.
    """
    as_of, after = instant(asked.as_of), None
    if asked.cursor is not None:
        environment, number = cursor_values(asked.cursor, (str, int))
        after = (environment, number)
    found = serving(unit, usable("environment", asked.environment), as_of, after, asked.limit)
    following = None if found.following is None else cursor_text(found.following)
    judged = running(unit, found.deployments, at=as_of or unit.now)
    return tagged(request, serving_document(found, as_of, following, judged))


class EvidenceAsked(BaseModel):
    """A model version, or any dataset: by its whole name, or by model and version."""

    namespace: Annotated[str, Query(min_length=1, max_length=2048)]
    name: Annotated[str, Query(min_length=1, max_length=2048)]
    version: Annotated[
        str | None, Query(max_length=2048, description="Of a model `{name}/{version}`, or as a producer reported it.")
    ] = None
    as_of: AsOf = None


@router.get(
    "/v1/lineage/evidence",
    summary="What the lineage of a model version rests on",
    dependencies=[permit("read", scoped=True)],
)
def evidence(request: Request, unit: ReadingUnit, asked: Annotated[EvidenceAsked, Query()]) -> Response:
    """The level of every link upstream with the reason why it is no higher, and the weakest path."""
    as_of = instant(asked.as_of)
    node, version = _asked_version(unit, asked)
    known = Known(unit, Aliases(unit, as_of), as_of)
    node = known.aliases.canonical([node]).get(node, node)
    traced = trace_found(known, found_dataset(known, node, version))
    return tagged(request, evidence_document(traced, unit.sight))


def _asked_version(unit: Reader, asked: EvidenceAsked) -> tuple[int, str | None]:
    """The dataset and the version of it that is asked for: a model version is a dataset of its own."""
    kind: NodeKind = "dataset"
    for parameter, text in (("namespace", asked.namespace), ("name", asked.name), ("version", asked.version)):
        usable(parameter, [] if text is None else [text])
    if asked.version is not None:
        name = f"{asked.name}/{asked.version}"
        is_usable = len(name) <= 2048 and unit.sight.sees(asked.namespace, name)
        row = find_node(unit, kind, asked.namespace, name) if is_usable else None
        if row is not None and row.first_seen is not None:
            return row.id, None
    return resolve(unit, [(kind, asked.namespace, asked.name)]).id, asked.version


class FindingsAsked(BaseModel):
    """Which findings."""

    code: Annotated[list[str], Query(max_length=100, description="Codes; default: all.")] = []
    producer: Annotated[list[str], Query(max_length=100, description="Producers of the events.")] = []
    since: Annotated[datetime | None, Query(description="The earliest event time, or time of the run's end.")] = None
    until: Annotated[datetime | None, Query(description="The latest.")] = None
    limit: PageLimit = 100
    cursor: PageCursor = None


@router.get("/v1/lineage/findings", summary="Findings of events and runs", dependencies=[permit("read", scoped=True)])
def findings(request: Request, unit: ReadingUnit, asked: Annotated[FindingsAsked, Query()]) -> Response:
    """Those of events, newest first, then those of runs: start missing, event after the end, ends that conflict."""
    after = None
    if asked.cursor is not None:
        of, number, position, time = cursor_values(asked.cursor, (str, int, int, str))
        after = _finding_cursor(asked.cursor, (of, number, position, time))
    query = FindingQuery(
        usable("code", asked.code),
        usable("producer", asked.producer),
        instant(asked.since, "since"),
        instant(asked.until, "until"),
    )
    found = findings_page(unit, query, after, asked.limit)
    following = None if found.following is None else cursor_text(found.following)
    return tagged(request, findings_document(found, following))


def _finding_cursor(given: str, values: tuple[Any, ...]) -> Cursor:
    of, number, position, time = values
    try:
        moment = datetime.fromisoformat(time) if of == "event" else None
    except ValueError:
        of, moment = "", None
    if of not in ("event", "run") or (of == "event" and (moment is None or moment.tzinfo is None)):
        raise InputRefused(
            expected="the next_cursor of an answer",
            found=given[:80],
            remedy="Ask for the first page.",
            pointer="cursor",
        )
    return (of, number, position, time)
