"""Search over lineage by text."""

from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response
from pydantic import BaseModel, Field

from api.answers import instant, tagged
from api.dependencies import ReadingUnit, permit
from governance.clock import rfc3339
from lineage.search import MAX_LIMIT, SearchHit, SearchQuery, Sort, search

router = APIRouter(tags=["lineage"])

Text = Annotated[str, Field(max_length=8192)]


class SearchAsked(BaseModel):
    """What is looked for, which of it, in which order, and which page."""

    q: Annotated[str, Query(max_length=8192, description="Words, each of which must be found; the last may go on.")] = (
        ""
    )
    kind: Annotated[list[Literal["dataset", "job"]], Query()] = []
    namespace: Annotated[list[Text], Query()] = []
    type: Annotated[list[Text], Query(description="Types or subtypes, in any case of letters.")] = []
    tag: Annotated[list[Text], Query(description="Keys, or key=value, of the node or a field.")] = []
    owner: Annotated[list[Text], Query()] = []
    after: Annotated[datetime | None, Query(description="Last seen at or after this instant.")] = None
    before: Annotated[datetime | None, Query(description="Last seen before this instant.")] = None
    sort: Sort = "relevance"
    limit: Annotated[int, Query(ge=1, le=MAX_LIMIT)] = 20
    cursor: Annotated[str | None, Query(max_length=2048, description="next_cursor of the page before.")] = None


@router.get("/v1/lineage/search", summary="Datasets and jobs by text", dependencies=[permit("read", scoped=True)])
def find(request: Request, unit: ReadingUnit, asked: Annotated[SearchAsked, Query()]) -> Response:
    """Names, fields, descriptions, tags and owners are searched; no character of `q` is an operator."""
    found = search(
        unit,
        SearchQuery(
            text=asked.q,
            kinds=tuple(asked.kind),
            namespaces=tuple(asked.namespace),
            types=tuple(asked.type),
            tags=tuple(asked.tag),
            owners=tuple(asked.owner),
            after=instant(asked.after, "after"),
            before=instant(asked.before, "before"),
            sort=asked.sort,
            limit=asked.limit,
            cursor=asked.cursor,
        ),
    )
    document = {
        "results": [_result(hit) for hit in found.hits],
        "total_count": found.total,
        "next_cursor": found.next_cursor,
    }
    return tagged(request, document)


def _result(hit: SearchHit) -> dict[str, Any]:
    return {
        "kind": hit.kind,
        "type": hit.type,
        "subtype": hit.subtype,
        "namespace": hit.namespace,
        "name": hit.name,
        "canonical": None if hit.canonical is None else {"namespace": hit.canonical[0], "name": hit.canonical[1]},
        "updated_at": None if hit.updated_at is None else rfc3339(hit.updated_at),
        "description": hit.marks.description,
        "tags": [{"tag": tag.key, "value": tag.value, "field": tag.field or None} for tag in hit.marks.tags],
        "owners": [{"name": name, "type": kind} for name, kind in hit.marks.owners],
        "matched_fields": list(hit.fields),
    }
