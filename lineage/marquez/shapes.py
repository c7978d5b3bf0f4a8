"""Single entities in Marquez's shape, each with the facets in force, by the names that a path gives."""

from collections.abc import Mapping
from typing import Any

import sqlalchemy as sa

from governance.errors import NotFound
from lineage.facet_values import facets_of
from lineage.fact_tables import DATASET_FACETS, JOB_FACETS, SourceRow
from lineage.identity import is_uuid, label_identity, stamp_time
from lineage.marquez import places
from lineage.marquez.datasets import (
    bare_version_document,
    dataset_documents,
    version_documents,
    version_of_uuid,
)
from lineage.marquez.job_versions import job_version_document as job_version_by_uuid
from lineage.marquez.jobs import job_documents
from lineage.marquez.lookup import Entity, entity_uuid, require_entity, require_namespace, require_run
from lineage.marquez.run_events import run_document as document_of_run
from lineage.marquez.runs import bare_version
from lineage.reading import Reader

Document = dict[str, Any]


def namespace_document(unit: Reader, namespace: str) -> Document:
    """The namespace.

    Raises:
        NotFound: no event or operator named it.
    """
    return places.namespace_document(require_namespace(unit, namespace))


def source_document(unit: Reader, source: str) -> Document:
    """The source of data.

    Raises:
        NotFound: no facet or operator named it.
    """
    return places.source(unit, source)


def source_uri(unit: Reader, source: str) -> str | None:
    """Where the source lies, as a facet or an operator said; None where nobody did."""
    query = sa.select(SourceRow.uri).where(SourceRow.identity == label_identity("source", source))
    return unit.session.scalar(query)


def dataset_document(unit: Reader, namespace: str, dataset: str) -> Document:
    """The dataset with its facets, under any of its names.

    Raises:
        NotFound: no event named it, or it was deleted.
    """
    found = require_entity(unit, "dataset", namespace, dataset)
    return dataset_documents(unit, [found.id], {found.id: _dataset_facets(unit, found)})[0]


def dataset_version_document(unit: Reader, namespace: str, dataset: str, version: str) -> Document:
    """One version of a dataset with its facets as they were when it was told last.

    Raises:
        NotFound: there is no such dataset or version.
    """
    found = require_entity(unit, "dataset", namespace, dataset)
    row = version_of_uuid(unit, found, version) if is_uuid(version) else None
    if row is not None:
        members = dict.fromkeys(found.members, found.id)
        told = facets_of(unit, DATASET_FACETS, members, stamp_time(row.last_stamp))[found.id]
        return version_documents(unit, found, [row.id], {row.id: {**told.role_facets, **told.facets}})[0]
    if version.lower() == entity_uuid(bare_version(found.row.identity)):
        return bare_version_document(unit, found, _dataset_facets(unit, found))
    raise _no_version(version)


def job_document(unit: Reader, namespace: str, job: str) -> Document:
    """The job with its facets.

    Raises:
        NotFound: no event named it, or it was deleted.
    """
    found = require_entity(unit, "job", namespace, job)
    told = facets_of(unit, JOB_FACETS, {found.id: found.id})[found.id]
    return job_documents(unit, [found.id], {found.id: told.facets})[0]


def job_version_document(unit: Reader, namespace: str, job: str, version: str) -> Document:
    """One version of a job.

    Raises:
        NotFound: there is no such job or version.
    """
    found = job_version_by_uuid(unit, require_entity(unit, "job", namespace, job), version)
    if found is None:
        raise _no_version(version)
    return found


def run_document(unit: Reader, run_id: str) -> Document:
    """The run with its arguments and facets, by the id that was sent or the UUID that it is served by.

    Raises:
        NotFound: no event named it.
    """
    return document_of_run(unit, require_run(unit, run_id))


def _dataset_facets(unit: Reader, entity: Entity) -> Mapping[str, Any]:
    told = facets_of(unit, DATASET_FACETS, dict.fromkeys(entity.members, entity.id))[entity.id]
    return {**told.role_facets, **told.facets}


def _no_version(version: str) -> NotFound:
    return NotFound(
        expected="the UUID of a stored version", found=repr(version[:120]), remedy="See the list of versions."
    )
