"""What single facets say about a job, run or dataset, read defensively. Pure.

A facet that is not what its schema asks for says nothing here; ``lineage.conformance`` reports it.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from governance.canonical import canonical, sha256
from lineage.conformance import DEPLOYMENT, MODEL, PROVENANCE, provenance_record, valid_facet
from lineage.events import DatasetMention, Event, read_time
from lineage.identity import name_fault

LIFECYCLES = frozenset({"ALTER", "CREATE", "DROP", "OVERWRITE", "RENAME", "TRUNCATE"})
ERASURES = frozenset({"DROP", "TRUNCATE"})
REMEMBERED_BYTES = 16 * 1024
"""Of larger schemas nothing is remembered, so that memory does not depend on what producers send."""
_MOST = 2**63 - 1  # the largest count that a BIGINT column holds


def usable(value: Any) -> str | None:
    """The text, where it may be stored as a name; None for anything else."""
    return value if isinstance(value, str) and name_fault(value) is None else None


def _facet(facets: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    """The facet, empty where it is absent, no object or a deletion."""
    facet = facets.get(key)
    return facet if isinstance(facet, dict) and facet.get("_deleted") is not True else {}


def job_type(facets: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """``processingType`` and ``jobType`` of the ``jobType`` facet."""
    facet = _facet(facets, "jobType")
    return usable(facet.get("processingType")), usable(facet.get("jobType"))


def dataset_type(facets: Mapping[str, Any]) -> tuple[str | None, str | None]:
    """``datasetType`` and ``subType`` of the ``datasetType`` facet."""
    facet = _facet(facets, "datasetType")
    return usable(facet.get("datasetType")), usable(facet.get("subType"))


def parent_of(facets: Mapping[str, Any]) -> tuple[str | None, str, str] | None:
    """Run id (where given), job namespace and job name of the ``parent`` facet; None when it names no job."""
    facet = _facet(facets, "parent")
    run, job = facet.get("run"), facet.get("job")
    if not isinstance(job, dict):
        return None
    namespace, name = usable(job.get("namespace")), usable(job.get("name"))
    if namespace is None or name is None:
        return None
    return (usable(run.get("runId")) if isinstance(run, dict) else None), namespace, name


def reported_version(facets: Mapping[str, Any]) -> str | None:
    """``datasetVersion`` of the ``version`` facet."""
    return usable(_facet(facets, "version").get("datasetVersion"))


def lifecycle(facets: Mapping[str, Any]) -> str | None:
    """The change that the ``lifecycleStateChange`` facet reports."""
    change = _facet(facets, "lifecycleStateChange").get("lifecycleStateChange")
    return change if isinstance(change, str) and change in LIFECYCLES else None


def erasure(facets: Mapping[str, Any]) -> str | None:
    """DROP or TRUNCATE, where the facets report one."""
    change = lifecycle(facets)
    return change if change in ERASURES else None


def renamed_from(facets: Mapping[str, Any]) -> tuple[str, str] | None:
    """Namespace and name that the dataset had before a RENAME that the ``lifecycleStateChange`` facet reports."""
    facet = _facet(facets, "lifecycleStateChange")
    previous = facet.get("previousIdentifier")
    if facet.get("lifecycleStateChange") != "RENAME" or not isinstance(previous, dict):
        return None
    namespace, name = usable(previous.get("namespace")), usable(previous.get("name"))
    return None if namespace is None or name is None else (namespace, name)


def nominal_times(facets: Mapping[str, Any]) -> tuple[datetime | None, datetime | None] | None:
    """Start and end of the ``nominalTime`` facet; None without one."""
    facet = _facet(facets, "nominalTime")
    start, end = (read_time(facet.get(name)) for name in ("nominalStartTime", "nominalEndTime"))
    return None if start is None else (start[0], None if end is None else end[0])


def deployment_row(event: Event) -> dict[str, Any] | None:
    """What an ``assay_deployment`` facet says; None where it is absent or against its schema."""
    facet = valid_facet("Run", DEPLOYMENT, event.run_facets.get(DEPLOYMENT))
    if facet is None:
        return None
    content = {name: value for name, value in facet.items() if not name.startswith("_")}
    return {
        "environment": facet["environment"],
        "decision_id": facet.get("decisionId"),
        "facet": _document(content),
        "stamp": event.stamp,
    }


def facet_keys(facets: Mapping[str, Any], role_facets: Mapping[str, Any]) -> bytes | None:
    """The keys of the facets that are set, of those deleted and of those of a role, as JSON; None without any."""
    if not facets and not role_facets:
        return None
    deleted = [key for key, facet in facets.items() if isinstance(facet, dict) and facet.get("_deleted") is True]
    return _keys_document(tuple(facets), tuple(deleted), tuple(role_facets))


@lru_cache(maxsize=4096)
def _keys_document(keys: tuple[str, ...], deleted: tuple[str, ...], of_role: tuple[str, ...]) -> bytes:
    """Most events of a producer carry the same facets."""
    return _document([sorted(set(keys) - set(deleted)), sorted(deleted), sorted(of_role)])


def schema_document(facets: Mapping[str, Any]) -> bytes | None:
    """Path, type and description of each field of the ``schema`` facet as JSON, structs before their members.

    None without a facet.

    The segments of a path are joined by dots; one that holds a dot is set in backticks. Fields without a usable name
    are left out.
    """
    fields = _facet(facets, "schema").get("fields")
    if not isinstance(fields, list):
        return None
    try:
        spelled = msgspec.json.encode(fields)
    except (UnicodeEncodeError, OverflowError):  # lone surrogates and integers beyond 64 bits
        spelled = None
    if spelled is None or len(spelled) > REMEMBERED_BYTES:
        return _document(list(_fields(fields, "")))
    return _flattened(spelled)


@lru_cache(maxsize=4096)
def _flattened(fields: bytes) -> bytes:
    """A table's schema comes with every run that touches it, so what it flattens to is remembered."""
    return _document(list(_fields(msgspec.json.decode(fields), "")))


def _fields(fields: list[Any], prefix: str) -> Iterator[list[str | None]]:
    for entry in fields:
        name = usable(entry.get("name")) if isinstance(entry, dict) else None
        path = f"{prefix}{f'`{name}`' if name and '.' in name else name}"
        if name is None or name_fault(path) is not None:
            continue
        yield [path, usable(entry.get("type")), usable(entry.get("description"))]
        nested = entry.get("fields")
        if isinstance(nested, list):
            yield from _fields(nested, f"{path}.")


def symlinks_of(mention: DatasetMention) -> list[tuple[str, str]] | None:
    """The other names that the dataset lists, without its own; empty where it withdrew them, None without a facet."""
    facet = mention.facets.get("symlinks")
    if not isinstance(facet, dict):
        return None
    identifiers = facet.get("identifiers")
    if facet.get("_deleted") is True or not isinstance(identifiers, list):
        return [] if facet.get("_deleted") is True else None
    names = {
        (namespace, name)
        for entry in identifiers
        if isinstance(entry, dict)
        and (namespace := usable(entry.get("namespace"))) is not None
        and (name := usable(entry.get("name"))) is not None
    }
    return sorted(names - {(mention.namespace, mention.name)})


def row_count(mention: DatasetMention) -> int | None:
    """``rowCount`` of the ``outputStatistics`` facet."""
    count = _facet(mention.role_facets, "outputStatistics").get("rowCount")
    is_count = isinstance(count, int) and not isinstance(count, bool) and 0 <= count <= _MOST
    return count if is_count else None


def version_of(mention: DatasetMention, node: bytes) -> dict[str, Any] | None:
    """The version that the mention tells, without stamps; None where it tells no schema, version or lifecycle change.

    Its identity is the digest of the dataset's identity, schema, reported version and lifecycle change.
    """
    document, version, change = (
        schema_document(mention.facets),
        reported_version(mention.facets),
        lifecycle(mention.facets),
    )
    count = row_count(mention)
    if document is None and version is None and change is None:
        return None
    schema = None if document is None else _identity_of(document)
    return {
        "identity": _version_identity(node, schema, version, change),
        "node_id": node,
        "version": version,
        "version_digest": None if version is None else version_digest(version),
        "fields": document,
        "lifecycle": change,
        "row_count": count,
    }


def schema_identity(dataset: bytes, schema: bytes) -> bytes:
    """The digest of a dataset's identity with the paths and types of a stored schema."""
    return hashlib.sha256(_document([dataset.hex(), _identity_of(schema)])).digest()


@lru_cache(maxsize=8192)
def _version_identity(node: bytes, schema: str | None, version: str | None, change: str | None) -> bytes:
    return hashlib.sha256(_document([node.hex(), schema, version, change])).digest()


def _identity_of(schema: bytes) -> str:
    """The digest of paths and types: a description that changes makes no version."""
    return _schema_digest(schema) if len(schema) <= REMEMBERED_BYTES else _digest_of_fields(schema)


@lru_cache(maxsize=4096)
def _schema_digest(schema: bytes) -> str:
    return _digest_of_fields(schema)


def _digest_of_fields(schema: bytes) -> str:
    return sha256(_document([field[:2] for field in json.loads(schema)]))


def version_digest(version: str) -> bytes:
    """32 bytes that stand for a reported version."""
    return hashlib.sha256(version.encode()).digest()


def _document(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode("ascii")


def provenance_row(mention: DatasetMention, node: bytes, event: Event, recorded_at: datetime) -> dict[str, Any] | None:
    """The fact in an ``assay_provenance`` facet, or the end of facts where it is deleted; None for neither."""
    facet = mention.facets.get(PROVENANCE)
    if not isinstance(facet, dict):
        return None
    record = provenance_record(facet)
    if record is None and facet.get("_deleted") is not True:
        return None
    content = None if record is None else canonical(record.document())
    version = reported_version(mention.facets)
    valid_from = event.time if record is None or record.valid_from is None else utc(record.valid_from)
    digest = None if content is None else sha256(content)
    return {
        "identity": hashlib.sha256(_document([node.hex(), event.stamp.hex(), version, digest])).digest(),
        "node_id": node,
        "version": version,
        "record": content,
        "record_digest": digest,
        "valid_from": valid_from,
        "stamp": event.stamp,
        "recorded_at": recorded_at,
    }


def utc(instant: datetime) -> datetime:
    """The instant in UTC; one without a zone is read as UTC."""
    return instant.replace(tzinfo=UTC) if instant.tzinfo is None else instant.astimezone(UTC)


def model_row(mention: DatasetMention, event: Event) -> dict[str, Any] | None:
    """What an ``assay_model`` facet says; None where it is absent, deleted or against its schema."""
    facet = valid_facet("Dataset", MODEL, mention.facets.get(MODEL))
    if facet is None:
        return None
    content = {name: value for name, value in facet.items() if not name.startswith("_")}
    return {
        "content_digest": facet["contentDigest"],
        "facet": _document(content),
        "stamp": event.stamp,
        "first_seen": event.time,
    }
