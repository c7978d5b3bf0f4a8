"""Datasets and their versions in Marquez's shape."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from governance.clock import rfc3339
from lineage.aliases import Aliases
from lineage.column_nodes import input_fields
from lineage.columns import StoredFields
from lineage.descriptions import described_fields
from lineage.facts import schema_identity
from lineage.identity import stamp_time
from lineage.marks import Marks, marks_of
from lineage.marquez.lookup import Entity, entity_uuid
from lineage.marquez.pages import Page, version_keys
from lineage.marquez.runs import bare_version, run_documents, time_text
from lineage.marquez.sight import seen_facets, visible_runs
from lineage.reading import Reader, among
from lineage.tables import OUTPUT, DatasetVersionRow, NodeRow, RunDatasetRow, RunRow, VersionUseRow

_COLUMNS = (
    NodeRow.id, NodeRow.identity, NodeRow.namespace, NodeRow.name, NodeRow.type, NodeRow.first_seen,
    NodeRow.last_seen, NodeRow.version_identity, NodeRow.version_stamp, NodeRow.schema_identity, NodeRow.schema_stamp,
)  # fmt: skip
_STREAMS = ("TOPIC", "STREAM")

Facets = Mapping[str, Any]


def dataset_documents(
    unit: Reader, datasets: Sequence[int], facets: Mapping[int, Facets] | None = None
) -> list[dict[str, Any]]:
    """The datasets in Marquez's shape, in the order of their row ids as given; ``facets`` are shown where given.

    With facets the fields that only a lineage facet names are shown too; in lists, of datasets without a schema alone.
    """
    known = _Known(unit, datasets, every_field=facets is not None)
    return [known.document(node, (facets or {}).get(node, {})) for node in datasets]


class _Known:
    """What is known of some datasets, each with its aliases, read together."""

    def __init__(self, unit: Reader, datasets: Sequence[int], *, every_field: bool) -> None:
        """Read it."""
        self.sight = unit.sight
        aliases = Aliases(unit)
        aliases.canonical(datasets)
        self.members = {node: aliases.members(node) for node in datasets}
        every = sorted({member for members in self.members.values() for member in members} | set(datasets))
        query = sa.select(*_COLUMNS).where(among(unit, NodeRow.id, every))
        self.rows = {row.id: row for row in unit.session.connection().execute(query)}
        self.marks = marks_of(unit, datasets)
        self.modified = _last_writes(unit, every)
        self.versions = _versions_by_identity(
            unit, {identity for row in self.rows.values() for identity in (row.version_identity, row.schema_identity)}
        )
        self.columns = input_fields(unit, datasets)
        self.fields = StoredFields(unit).types(
            [node for node in datasets if every_field or self._told(node, "schema") is None]
        )

    def document(self, node: int, facets: Facets) -> dict[str, Any]:
        """The dataset in Marquez's shape."""
        row, members = self.rows[node], [self.rows[member] for member in self.members[node]]
        version, schema = self._told(node, "version"), self._told(node, "schema")
        change = None if version is None else self.versions[version].lifecycle
        content = None if schema is None else self.versions[schema].fields
        marks = self.marks[node]
        seen = [member for member in members if member.first_seen is not None]
        written = [self.modified[member.id] for member in members if member.id in self.modified]
        return {
            **described(row, marks),
            "createdAt": time_text(min(member.first_seen for member in seen)),
            "updatedAt": time_text(max(member.last_seen for member in seen)),
            "fields": field_documents(content, marks, self.fields.get(node, ())),
            "lastModifiedAt": time_text(max(written, default=None)),
            "lastLifecycleState": change or "",
            "currentVersion": entity_uuid(version or bare_version(row.identity)),
            "columnLineage": self.columns.get(node) or None,
            "facets": seen_facets(facets, self.sight),
            "deleted": change == "DROP",
        }

    def _told(self, node: int, what: Literal["version", "schema"]) -> bytes | None:
        """The version that was told last, or the last one with a schema, under any of the dataset's names."""
        rows = [self.rows[member] for member in self.members[node]]
        told = [(getattr(row, f"{what}_stamp"), getattr(row, f"{what}_identity")) for row in rows]
        return max(((stamp, identity) for stamp, identity in told if stamp is not None), default=(None, None))[1]


def described(row: Any, marks: Marks) -> dict[str, Any]:
    """What a dataset and each of its versions say alike."""
    return {
        "id": {"namespace": row.namespace, "name": row.name},
        "type": "STREAM" if (row.type or "").upper() in _STREAMS else "DB_TABLE",
        "name": row.name,
        "physicalName": marks.physical_name or row.name,
        "namespace": row.namespace,
        "sourceName": marks.source[0] or row.namespace,
        "tags": list(marks.tag_names()),
        "description": marks.description,
    }


def field_documents(content: bytes | None, marks: Marks, named: Iterable[str] = ()) -> list[dict[str, Any]]:
    """The fields of a schema, then those of ``named`` that it has not."""
    told = described_fields(content)
    known = {path for path, _, _ in told}
    further = [(path, None, None) for path in named if path not in known]
    return [
        {"name": path, "type": kind, "tags": list(marks.tag_names(path)), "description": text}
        for path, kind, text in [*told, *further]
    ]


def _versions_by_identity(unit: Reader, identities: set[bytes | None]) -> dict[bytes, Any]:
    version, wanted = DatasetVersionRow, sorted(identity for identity in identities if identity is not None)
    found: dict[bytes, Any] = {}
    for start in range(0, len(wanted), 500):
        query = sa.select(version.identity, version.lifecycle, version.fields).where(
            version.identity.in_(wanted[start : start + 500])
        )
        found.update((row.identity, row) for row in unit.session.connection().execute(query))
    return found


def _last_writes(unit: Reader, datasets: Sequence[int]) -> dict[int, datetime]:
    """When a run that wrote the dataset last mentioned it, of the run that began to most recently."""
    latest = (
        sa.select(RunDatasetRow.last_seen)
        .where(RunDatasetRow.node_id == NodeRow.id, RunDatasetRow.role == OUTPUT)
        .order_by(RunDatasetRow.first_seen.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = sa.select(NodeRow.id, latest).where(among(unit, NodeRow.id, datasets))
    rows: list[tuple[int, datetime | None]] = [(row[0], row[1]) for row in unit.session.connection().execute(query)]
    return {node: seen for node, seen in rows if seen is not None}


def version_documents(
    unit: Reader, entity: Entity, versions: Sequence[int], facets: Mapping[int, Facets] | None = None
) -> list[dict[str, Any]]:
    """The versions of a dataset in Marquez's shape, in the order of their row ids as given."""
    marks = marks_of(unit, [entity.id])[entity.id]
    query = sa.select(DatasetVersionRow).where(among(unit, DatasetVersionRow.id, versions))
    rows = {row.id: row for row in unit.session.scalars(query)}
    runs = _creators(unit, versions)
    shared = described(entity.row, marks)
    return [
        {
            **shared,
            **_versioned(entity, rows[number].identity, rows[number].lifecycle),
            "createdAt": rfc3339(stamp_time(rows[number].first_stamp)),
            "lastModifiedAt": rfc3339(stamp_time(rows[number].last_stamp)),
            "currentSchemaVersion": schema_uuid(entity.row.identity, rows[number].fields),
            "fields": field_documents(rows[number].fields, marks),
            "createdByRun": runs.get(number),
            "facets": seen_facets((facets or {}).get(number, {}), unit.sight),
        }
        for number in versions
    ]


def version_page(unit: Reader, entity: Entity, page: Page) -> tuple[list[dict[str, Any]], int]:
    """A page of the versions of a dataset, and how many there are: one where no event told any."""
    found = version_keys(unit, entity.members, page)
    if found.total == 0:
        shown = [bare_version_document(unit, entity)] if page.offset == 0 and page.limit > 0 else []
        return shown, 1
    return version_documents(unit, entity, found.ids), found.total


def bare_version_document(unit: Reader, entity: Entity, facets: Facets | None = None) -> dict[str, Any]:
    """The one version of a dataset of which no event told a schema, version or change."""
    named = StoredFields(unit).types([entity.id])[entity.id]
    marks = marks_of(unit, [entity.id])[entity.id]
    return {
        **described(entity.row, marks),
        **_versioned(entity, bare_version(entity.row.identity), None),
        "createdAt": time_text(entity.row.first_seen),
        "lastModifiedAt": time_text(entity.row.last_seen),
        "currentSchemaVersion": None,
        "fields": field_documents(None, marks, named),
        "createdByRun": _first_writer(unit, entity),
        "facets": seen_facets(facets or {}, unit.sight),
    }


def _versioned(entity: Entity, identity: bytes, lifecycle: str | None) -> dict[str, Any]:
    version = entity_uuid(identity)
    return {
        "id": {"namespace": entity.row.namespace, "name": entity.row.name, "version": version},
        "version": version,
        "lifecycleState": lifecycle or "",
    }


def schema_uuid(dataset: bytes, fields: bytes | None) -> str | None:
    """The UUID of a schema of a dataset: of its paths and types; null without one."""
    return None if fields is None else entity_uuid(schema_identity(dataset, fields))


def _creators(unit: Reader, versions: Sequence[int]) -> dict[int, dict[str, Any]]:
    """The earliest run that wrote each version, by the time of its event."""
    earliest = (
        sa.select(VersionUseRow.run_id)
        .where(VersionUseRow.version_id == DatasetVersionRow.id, VersionUseRow.role == OUTPUT)
        .order_by(VersionUseRow.first_seen, VersionUseRow.run_id)
        .limit(1)
        .scalar_subquery()
    )
    query = sa.select(DatasetVersionRow.id, earliest).where(among(unit, DatasetVersionRow.id, versions))
    found = {number: run for number, run in unit.session.connection().execute(query) if run is not None}
    wanted = visible_runs(unit, list(dict.fromkeys(found.values())))
    documents = dict(zip(wanted, run_documents(unit, wanted), strict=True))
    return {number: documents[run] for number, run in found.items() if run in documents}


def _first_writer(unit: Reader, entity: Entity) -> dict[str, Any] | None:
    query = (
        sa.select(RunDatasetRow.run_id)
        .join(RunRow, RunRow.id == RunDatasetRow.run_id)
        .where(RunDatasetRow.node_id.in_(entity.members), RunDatasetRow.role == OUTPUT)
        .order_by(RunDatasetRow.first_seen, RunRow.identity)
        .limit(1)
    )
    run = unit.session.scalar(query)
    return next(iter(run_documents(unit, visible_runs(unit, [] if run is None else [run]))), None)


def version_of_uuid(unit: Reader, entity: Entity, text: str) -> DatasetVersionRow | None:
    """The stored version that a UUID stands for; None where the dataset has none such."""
    prefix = bytes.fromhex(text.replace("-", "")[:12])
    # The first six bytes of the UUID are those of the digest, so that the index of digests finds the few candidates.
    after = (int.from_bytes(prefix, "big") + 1).to_bytes(7, "big")[-6:] if prefix != b"\xff" * 6 else b"\xff" * 33
    query = sa.select(DatasetVersionRow).where(
        DatasetVersionRow.identity >= prefix,
        DatasetVersionRow.identity < after,
        DatasetVersionRow.node_id.in_(entity.members),
    )
    found = {entity_uuid(row.identity): row for row in unit.session.scalars(query)}
    return found.get(text.lower())
