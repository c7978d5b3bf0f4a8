"""Search, as Marquez's web pages ask for it."""

from datetime import UTC, date, datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response
from pydantic import BaseModel

from api.answers import answer, instant
from api.dependencies import ReadingUnit, permit
from governance.errors import InputRefused
from lineage.identity import name_fault
from lineage.marquez.pages import MAX_LIMIT
from lineage.marquez.search import advanced_document, search_document
from lineage.search import SearchQuery

router = APIRouter(prefix="/api", tags=["marquez"])
READS = [permit("read", scoped=True)]
Text = Annotated[str, Query(max_length=2048, description="Literal text: no character is an operator.")]


class Asked(BaseModel):
    """What is looked for; ``after`` and ``before`` are days in UTC, between which the entity was last seen."""

    q: Text
    filter: Literal["DATASET", "JOB"] | None = None
    sort: Literal["NAME", "UPDATE_AT"] = "NAME"
    limit: Annotated[int, Query(ge=0)] = 10
    namespace: Annotated[str | None, Query(max_length=2048)] = None
    before: date | None = None
    after: date | None = None


@router.get("/v1/search", summary="Jobs and datasets by their names and what is said of them", dependencies=READS)
def search(unit: ReadingUnit, asked: Annotated[Asked, Query()]) -> Response:
    """Every word of the text must be found; the last one also as the beginning of a word."""
    fault = None if asked.namespace is None else name_fault(asked.namespace)
    if fault is not None:
        raise InputRefused(
            expected="a namespace of 1 to 2,048 characters", found=fault, remedy="Correct it.", pointer="namespace"
        )
    query = SearchQuery(
        asked.q,
        kinds=() if asked.filter is None else ("job" if asked.filter == "JOB" else "dataset",),
        namespaces=() if asked.namespace is None else (asked.namespace,),
        after=_midnight(asked.after, "after"),
        before=_midnight(asked.before, "before"),
        sort="name" if asked.sort == "NAME" else "updated_at",
        limit=min(asked.limit, MAX_LIMIT),
    )
    return answer(search_document(unit, query))


@router.get("/v2beta/search/jobs", summary="Jobs with the facets that were searched", dependencies=READS)
def search_jobs(unit: ReadingUnit, q: Text) -> Response:
    """The ten most relevant, each with its facets and those of its latest run."""
    return answer(advanced_document(unit, "job", q))


@router.get("/v2beta/search/datasets", summary="Datasets with the facets that were searched", dependencies=READS)
def search_datasets(unit: ReadingUnit, q: Text) -> Response:
    """The ten most relevant, each with its facets."""
    return answer(advanced_document(unit, "dataset", q))


def _midnight(day: date | None, pointer: str) -> datetime | None:
    return None if day is None else instant(datetime(day.year, day.month, day.day, tzinfo=UTC), pointer)
