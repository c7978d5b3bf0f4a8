"""Namespaces, sources of data and tags, as Marquez's clients read them."""

from fastapi import APIRouter
from fastapi.responses import Response

from api.answers import Paged, answer
from api.dependencies import ReadingUnit, permit
from api.names import NameInPath
from lineage.marquez import places, shapes

router = APIRouter(prefix="/api/v1", tags=["marquez"])
READS = [permit("read", scoped=True)]


@router.get("/namespaces", summary="The namespaces", dependencies=READS)
def namespaces(unit: ReadingUnit, paging: Paged) -> Response:
    """Those that events or operators named and nobody hid, by name."""
    return answer({"namespaces": places.namespaces(unit, paging.page)})


@router.get("/namespaces/{namespace}", summary="A namespace", dependencies=READS)
def namespace(unit: ReadingUnit, namespace: NameInPath) -> Response:
    """Its times, and the owner and description that an operator gave it."""
    return answer(shapes.namespace_document(unit, namespace))


@router.get("/sources", summary="The sources of data", dependencies=READS)
def sources(unit: ReadingUnit, paging: Paged) -> Response:
    """Those that facets or operators named, and namespaces whose data has no other; by name."""
    return answer({"sources": places.sources(unit, paging.page)})


@router.get("/sources/{source}", summary="A source of data", dependencies=READS)
def source(unit: ReadingUnit, source: NameInPath) -> Response:
    """What it is and where it lies."""
    return answer(shapes.source_document(unit, source))


@router.get("/tags", summary="The tags", dependencies=READS)
def tags(unit: ReadingUnit, paging: Paged) -> Response:
    """Those that facets or operators named, by name."""
    return answer({"tags": places.tags(unit, paging.page)})
