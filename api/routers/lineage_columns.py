"""Columns over HTTP: what a field comes from, what depends on it, and which tags and categories it carries."""

from collections.abc import Sequence
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel

from api.answers import instant, tagged
from api.dependencies import ReadingUnit, permit
from governance.clock import rfc3339
from governance.errors import InputRefused
from lineage.column_answer import (
    CarriedMark,
    ColumnGraph,
    ColumnQuery,
    FieldName,
    carried_marks,
    column_graph,
    field_name,
    find_field,
    starts_of,
    starts_of_job,
)
from lineage.column_graph import Field
from lineage.column_sight import HIDDEN, seen_columns, seen_marks
from lineage.columns import StoredFields
from lineage.graph import Direction
from lineage.identity import node_id_splits
from lineage.links import EdgesMode
from lineage.neighbourhood import DEFAULT_NODE_LIMIT, MAX_NODE_LIMIT, Directions, resolve
from lineage.paths import field_candidates
from lineage.reading import Reader
from lineage.tagging import all_tags, carriers_of

router = APIRouter(tags=["lineage"])

Name = Annotated[str | None, Query(max_length=8192)]


class ColumnsAsked(BaseModel):
    """Where to start, which way, how far, as of when, over which edges."""

    node_id: Annotated[
        str | None, Query(max_length=8192, description="`dataset:…`, `datasetField:…` or `job:…`, as Marquez forms it.")
    ] = None
    namespace: Name = None
    name: Name = None
    field: Annotated[str | None, Query(max_length=8192, description="The field's path; default: every field.")] = None
    direction: Directions = "both"
    depth: Annotated[int | None, Query(ge=0, le=1_000_000, description="Hops from field to field.")] = None
    node_limit: Annotated[int, Query(ge=1, le=MAX_NODE_LIMIT, description="Most fields in the answer.")] = (
        DEFAULT_NODE_LIMIT
    )
    as_of: Annotated[datetime | None, Query(description="Only events at or before this instant count.")] = None
    edges: EdgesMode = "ever"
    include_indirect: Annotated[bool, Query(description="Also filters, joins, sorts and groups.")] = False


class CarriersAsked(BaseModel):
    """Which tag or category is looked for, as of when."""

    tag: Annotated[str | None, Query(max_length=2048, description="The key of a tag.")] = None
    category: Annotated[str | None, Query(max_length=2048, description="A category of personal data.")] = None
    as_of: datetime | None = None
    edges: EdgesMode = "ever"


@router.get(
    "/v1/lineage/columns",
    summary="What a field comes from and what depends on it",
    dependencies=[permit("read", scoped=True)],
)
def columns(request: Request, unit: ReadingUnit, asked: Annotated[ColumnsAsked, Query()]) -> Response:
    """The fields within reach, nearest first, each with the tags and categories that it carries and where from."""
    query = ColumnQuery(
        asked.direction, asked.depth, asked.node_limit, instant(asked.as_of), asked.edges, asked.include_indirect
    )
    stored = StoredFields(unit, query.as_of, query.edges)
    found = seen_columns(column_graph(stored, _starts(request, stored, asked, query.directions), query), unit.sight)
    return tagged(request, _document(found, query))


@router.get(
    "/v1/lineage/tags",
    summary="The tags, or every field that carries one",
    dependencies=[permit("read", scoped=True)],
)
def carriers(request: Request, unit: ReadingUnit, asked: Annotated[CarriersAsked, Query()]) -> Response:
    """The fields that carry the tag or category, own or derived along columns, with the way it came.

    Without either: every tag that is known, with what an operator said of it.
    """
    kind: Literal["tag", "category"] = "tag" if asked.category is None else "category"
    key = asked.tag if asked.category is None else asked.category
    if asked.tag is not None and asked.category is not None:
        raise InputRefused(expected="either tag or category", found="both", remedy="Name one.", pointer="tag")
    if key is None:
        return tagged(request, {"tags": [{"tag": name, "description": said} for name, said in all_tags(unit)]})
    as_of = instant(asked.as_of)
    stored = StoredFields(unit, as_of, asked.edges)
    ways, is_cut = carriers_of(stored, key, kind)
    stored.nodes(sorted({dataset for dataset, _ in ways}))
    passed = {one for held in ways.values() for way in held.values() for one in way}
    named = {one: field_name(stored, one) for one in (*ways, *passed)}
    rows = [
        (named[one], mark)
        for one, held in ways.items()
        if unit.sight.sees(named[one].namespace, named[one].name)
        for mark in seen_marks(carried_marks(named, held), unit.sight)
    ]
    document = {
        kind: key,
        "as_of": None if as_of is None else rfc3339(as_of),
        "fields": [
            {**_names(names), **_mark(mark), "way": [_names(one) for one in mark.way]}
            for names, mark in sorted(rows, key=lambda row: (row[0], len(row[1].way), row[1].way))
        ],
        "truncated": is_cut,
    }
    return tagged(request, document)


def _starts(request: Request, stored: StoredFields, asked: ColumnsAsked, ways: Sequence[Direction]) -> list[Field]:
    """The fields that are asked for."""
    unit: Reader = stored.unit
    if asked.node_id is None and asked.namespace is not None and asked.name is not None:
        return starts_of(stored, resolve(unit, [("dataset", asked.namespace, asked.name)]), asked.field, ways)
    if asked.node_id is None or asked.namespace is not None or asked.name is not None:
        raise InputRefused(
            expected="either node_id, or namespace and name",
            found="another combination",
            remedy="Name the node one way.",
            pointer="node_id",
        )
    encoded = (part.partition("=") for part in request.url.query.split("&"))
    raw = next((value for key, _, value in encoded if key == "node_id"), "")
    if asked.node_id.startswith("datasetField:"):
        candidates = field_candidates(asked.node_id, raw)
        return find_field(stored, [FieldName(*names) for names in candidates if unit.sight.sees(*names[:2])])
    splits = node_id_splits(asked.node_id)
    if not splits:
        raise InputRefused(
            expected="dataset:{namespace}:{name}, datasetField:{namespace}:{dataset}:{field} or job:{namespace}:{name}",
            found=repr(asked.node_id[:120]),
            remedy="Correct the node id, or ask by namespace and name.",
            pointer="node_id",
        )
    node = resolve(unit, splits)
    return starts_of_job(stored, node) if node.kind == "job" else starts_of(stored, node, asked.field, ways)


def _document(found: ColumnGraph, query: ColumnQuery) -> dict[str, Any]:
    return {
        "starts": list(found.starts),
        "direction": query.direction,
        "depth": query.depth,
        "as_of": None if query.as_of is None else rfc3339(query.as_of),
        "edges_mode": query.edges,
        "include_indirect": query.include_indirect,
        "nodes": [
            {"index": index, "distance": node.distance, "hidden": True}
            if node.names == HIDDEN
            else {
                "index": index,
                **_names(node.names),
                "type": node.type,
                "distance": node.distance,
                "aliases": [{"namespace": namespace, "name": name} for namespace, name in node.aliases],
                "tags": [_mark(mark) for mark in node.marks if mark.kind == "tag"],
                "categories": [_mark(mark) for mark in node.marks if mark.kind == "category"],
            }
            for index, node in enumerate(found.nodes)
        ],
        "edges": [
            {"from": edge.source, "to": edge.target, "hidden": True}
            if HIDDEN in (found.nodes[edge.source].names, found.nodes[edge.target].names)
            else {
                "from": edge.source,
                "to": edge.target,
                "transformations": [
                    {"type": part.type, "subtype": part.subtype, "description": part.description,
                     "masking": part.masking}
                    for part in edge.transformations
                ],
                "masked": edge.is_masked,
                "job": _job(edge.job),
                "first_seen": rfc3339(edge.first_seen),
                "last_seen": rfc3339(edge.last_seen),
                "latest_run_id": edge.latest_run_id,
            }
            for edge in found.edges
        ],
        "truncated": found.is_truncated,
        "frontier": list(found.frontier),
        "tags_truncated": found.marks_truncated,
    }  # fmt: skip


def _job(names: tuple[str, str] | None) -> dict[str, Any] | None:
    if names is None:
        return None
    return {"namespace": names[0], "name": names[1]} if names[1] else {"hidden": True}


def _names(names: FieldName) -> dict[str, Any]:
    """The field's names; a null field stands for one of the dataset's fields that is not known."""
    if names == HIDDEN:
        return {"hidden": True}
    return {"namespace": names.namespace, "name": names.name, "field": names.path or None}


def _mark(mark: CarriedMark) -> dict[str, Any]:
    """The tag or category; ``from`` is the field that it was set on."""
    shown: dict[str, Any] = {mark.kind: mark.key, "derived": len(mark.way) > 1, "from": _names(mark.way[0])}
    return {**shown, "value": mark.value} if mark.kind == "tag" else shown
