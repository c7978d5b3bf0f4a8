"""Datasets and their versions, as Marquez's clients read them."""

from fastapi import APIRouter
from fastapi.responses import Response

from api.answers import Paged, answer
from api.dependencies import ReadingUnit, permit
from api.names import NameInPath
from lineage.marquez import shapes
from lineage.marquez.datasets import dataset_documents, version_page
from lineage.marquez.lookup import require_entity, require_namespace
from lineage.marquez.pages import node_keys

router = APIRouter(prefix="/api/v1/namespaces/{namespace}/datasets", tags=["marquez"])
READS = [permit("read", scoped=True)]


@router.get("", summary="The datasets of a namespace", dependencies=READS)
def datasets(unit: ReadingUnit, namespace: NameInPath, paging: Paged) -> Response:
    """By name. Facets are not in a list; ask for a dataset to see its own."""
    found = node_keys(unit, "dataset", paging.page, require_namespace(unit, namespace).id)
    return answer({"datasets": dataset_documents(unit, found.ids), "totalCount": found.total})


@router.get("/{dataset}", summary="A dataset", dependencies=READS)
def dataset(unit: ReadingUnit, namespace: NameInPath, dataset: NameInPath) -> Response:
    """The dataset with its facets; a name that a symlink or rename gave it finds it too."""
    return answer(shapes.dataset_document(unit, namespace, dataset))


@router.get("/{dataset}/versions", summary="The versions of a dataset", dependencies=READS)
def versions(unit: ReadingUnit, namespace: NameInPath, dataset: NameInPath, paging: Paged) -> Response:
    """The newest first. A run that changes neither schema nor reported version makes none."""
    found = require_entity(unit, "dataset", namespace, dataset)
    shown, total = version_page(unit, found, paging.page)
    return answer({"versions": shown, "totalCount": total})


@router.get("/{dataset}/versions/{version}", summary="A version of a dataset", dependencies=READS)
def version(unit: ReadingUnit, namespace: NameInPath, dataset: NameInPath, version: NameInPath) -> Response:
    """The version with its facets as they were when it was told last."""
    return answer(shapes.dataset_version_document(unit, namespace, dataset, version))
