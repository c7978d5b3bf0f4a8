"""One digest over the whole derived state: equal whenever the set of stored events says the same.

Row ids, arrival times and event digests are left out: none of them is what the events say.
"""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from governance.clock import rfc3339
from governance.database import ReadUnit, Unit
from lineage.fact_tables import (
    RUN_FACETS,
    DeploymentRow,
    ErasureRow,
    FacetKeysRow,
    FacetRow,
    LabelRow,
    ModelRow,
    ProvenanceRow,
    RenameRow,
    SearchRow,
    SourceRow,
    StatementRow,
    SymlinkRow,
    TagRow,
    TextRow,
)
from lineage.identity import stamp_time
from lineage.tables import (
    DatasetVersionRow,
    EdgeRow,
    EventRow,
    FlowEdgeRow,
    FlowRow,
    MappingRow,
    NamespaceRow,
    NodeRow,
    RunDatasetRow,
    RunRow,
    VersionUseRow,
)

FORMAT = "assay.lineage.state/v2"
"""First line of the export; what is exported, or how, only changes with it."""

_TIMES = ("stamp", "first_stamp", "last_stamp", "latest_stamp")


@dataclass(frozen=True, slots=True)
class StateDigest:
    """The digest of the derived state, and how many events are stored."""

    digest: str
    event_count: int


def state_digest(unit: Unit | ReadUnit) -> StateDigest:
    """SHA-256 over the lines of ``export``, each followed by a line feed."""
    hashed = hashlib.sha256()
    for line in export(unit):
        hashed.update(line)
        hashed.update(b"\n")
    count = unit.session.scalar(sa.select(sa.func.count()).select_from(EventRow)) or 0
    return StateDigest("sha256:" + hashed.hexdigest(), count)


def export(unit: Unit | ReadUnit) -> Iterator[bytes]:
    """The derived state, one JSON array a line: table by table, each in the order of its identities."""
    yield json.dumps([FORMAT]).encode("ascii")
    for name, query in _queries().items():
        rows = unit.session.execute(query, execution_options={"yield_per": 2000})
        columns = list(rows.keys())
        last = b""
        for row in rows:
            values = [_plain(column, value) for column, value in zip(columns, row, strict=True)]
            line = json.dumps([name, *values], separators=(",", ":")).encode("ascii")
            # Two spellings of one event say one thing, though each has rows of its own where the stamp is a key.
            if line != last:
                yield line
            last = line


def _plain(column: str, value: Any) -> Any:
    if isinstance(value, datetime):
        return rfc3339(value)
    if isinstance(value, bytes):
        # Of a stamp only its time is what events say; which of two spellings came with it is not.
        return rfc3339(stamp_time(value)) if column in _TIMES else value.hex()
    return value


def _is_deleted(table: Any) -> Any:
    """Whether the entity is hidden: deleted, and not named since. When it was named is a time of arrival."""
    return sa.case((sa.and_(table.deleted_at.is_not(None), sa.or_(
        table.last_recorded.is_(None), table.deleted_at >= table.last_recorded
    )), 1), else_=0)  # fmt: skip


def _queries() -> dict[str, Any]:
    return {**_queries_of_graph(), **_queries_of_facts(), **_queries_of_facets()}


def _queries_of_graph() -> dict[str, Any]:
    node, job, run = aliased(NodeRow), aliased(NodeRow), aliased(RunRow)
    of_run = (RunRow.run_id, RunRow.first_start, RunRow.first_running, RunRow.end_stamp, RunRow.end_kinds)
    return {
        "node": sa.select(
            NodeRow.kind, NodeRow.namespace, NodeRow.name, NodeRow.first_seen, NodeRow.last_seen, NodeRow.type,
            NodeRow.subtype, NodeRow.explicit_since, NodeRow.version_identity, NodeRow.schema_identity,
            _is_deleted(NodeRow).label("is_deleted"),
        ).order_by(NodeRow.identity),
        "namespace": sa.select(
            NamespaceRow.name, NamespaceRow.first_seen, NamespaceRow.last_seen, NamespaceRow.owner,
            NamespaceRow.description,
            _is_deleted(NamespaceRow).label("is_deleted"),
        ).order_by(NamespaceRow.identity),
        "run": sa.select(
            *of_run, RunRow.first_event, RunRow.last_event, RunRow.is_explicit, RunRow.parent_run_id,
            RunRow.parent_namespace, RunRow.parent_name, RunRow.nominal_start, RunRow.nominal_end,
            RunRow.location_digest, job.identity,
        ).join(job, job.id == RunRow.job_id).order_by(RunRow.identity),
        "run_dataset": sa.select(
            run.identity, RunDatasetRow.role, node.identity.label("node"), job.identity.label("job"),
            RunDatasetRow.first_seen, RunDatasetRow.last_seen,
        ).join(run, run.id == RunDatasetRow.run_id).join(node, node.id == RunDatasetRow.node_id)
        .join(job, job.id == RunDatasetRow.job_id)
        .order_by(run.identity, RunDatasetRow.role, node.identity, job.identity),
        "edge": sa.select(
            job.identity, EdgeRow.role, node.identity.label("node"), EdgeRow.first_seen, EdgeRow.last_seen,
            EdgeRow.run_count, run.run_id,
        ).join(job, job.id == EdgeRow.job_id).join(node, node.id == EdgeRow.node_id)
        .outerjoin(run, run.id == EdgeRow.latest_run_id).order_by(job.identity, EdgeRow.role, node.identity),
    }  # fmt: skip


def _queries_of_facts() -> dict[str, Any]:
    node, other, job = aliased(NodeRow), aliased(NodeRow), aliased(NodeRow)
    run, version = aliased(RunRow), aliased(DatasetVersionRow)
    return {
        "dataset_version": sa.select(
            version.identity, version.version, version.lifecycle, version.first_stamp, version.last_stamp,
            version.row_count, version.fields,
        ).order_by(version.identity),
        "version_use": sa.select(run.identity, VersionUseRow.role, version.identity.label("version"),
            VersionUseRow.first_seen,
        ).join(run, run.id == VersionUseRow.run_id).join(version, version.id == VersionUseRow.version_id)
        .order_by(run.identity, VersionUseRow.role, version.identity),
        "flow": sa.select(
            job.identity, run.identity.label("run"), node.identity.label("source"), other.identity.label("target"),
            FlowRow.is_explicit, MappingRow.content, FlowRow.first_seen,
        ).outerjoin(MappingRow, MappingRow.id == FlowRow.mapping_id)
        .outerjoin(job, job.id == FlowRow.job_id).join(node, node.id == FlowRow.source_id)
        .join(other, other.id == FlowRow.target_id).outerjoin(run, run.id == FlowRow.run_id)
        .order_by(*_nullable(job.identity, run.identity), node.identity, other.identity),
        "symlink": sa.select(node.identity, SymlinkRow.stamp, other.identity.label("alias")).distinct()
        .join(node, node.id == SymlinkRow.carrier_id).join(other, other.id == SymlinkRow.alias_id)
        .order_by(node.identity, SymlinkRow.stamp, other.identity),
        "provenance": sa.select(
            node.identity, ProvenanceRow.version, ProvenanceRow.record_digest, ProvenanceRow.valid_from,
            ProvenanceRow.stamp,
        ).join(node, node.id == ProvenanceRow.node_id).order_by(node.identity, ProvenanceRow.identity),
        "model": sa.select(
            node.identity, run.identity.label("run"), ModelRow.content_digest, ModelRow.facet, ModelRow.first_seen,
        ).join(node, node.id == ModelRow.node_id).outerjoin(run, run.id == ModelRow.run_id)
        .order_by(node.identity, *_nullable(run.identity), ModelRow.content_digest),
        "erasure": sa.select(node.identity, ErasureRow.erased_at, ErasureRow.change)
        .join(node, node.id == ErasureRow.node_id)
        .order_by(node.identity, ErasureRow.erased_at, ErasureRow.change),
    }  # fmt: skip


def _queries_of_facets() -> dict[str, Any]:
    node, other, job, run = aliased(NodeRow), aliased(NodeRow), aliased(NodeRow), aliased(RunRow)
    edge, facet, label = FlowEdgeRow, FacetRow, LabelRow
    entity = sa.func.coalesce(node.identity, run.identity)
    return {
        "flow_edge": sa.select(
            other.identity.label("target"), node.identity.label("source"), job.identity.label("job"),
            MappingRow.content, edge.is_explicit, edge.first_seen, edge.last_seen, run.identity.label("run"),
        ).join(other, other.id == edge.target_id).join(node, node.id == edge.source_id)
        .outerjoin(job, job.id == edge.job_id).outerjoin(MappingRow, MappingRow.id == edge.mapping_id)
        .outerjoin(run, run.id == edge.latest_run_id)
        .order_by(other.identity, node.identity, *_nullable(job.identity, MappingRow.digest)),
        "facet": sa.select(facet.place, entity.label("entity"), FacetKeysRow.content, facet.stamp).distinct()
        .join(FacetKeysRow, FacetKeysRow.id == facet.keys_id)
        .outerjoin(node, sa.and_(node.id == facet.entity_id, facet.place != RUN_FACETS))
        .outerjoin(run, sa.and_(run.id == facet.entity_id, facet.place == RUN_FACETS))
        .order_by(facet.place, entity, FacetKeysRow.content, facet.stamp),
        "label": sa.select(node.identity, label.key, label.stamp, TextRow.content)
        .join(node, node.id == label.node_id).outerjoin(TextRow, TextRow.id == label.text_id)
        .order_by(node.identity, label.key, label.stamp),
        "statement": sa.select(
            job.identity.label("job"), node.identity.label("target"), StatementRow.stamp, StatementRow.is_end
        ).outerjoin(job, job.id == StatementRow.job_id).outerjoin(node, node.id == StatementRow.target_id)
        .order_by(*_nullable(job.identity, node.identity), StatementRow.stamp, StatementRow.is_end),
        "search": sa.select(node.identity, SearchRow.digest)
        .join(node, node.id == SearchRow.node_id).order_by(node.identity),
        "tag": sa.select(TagRow.name, TagRow.description).order_by(TagRow.identity),
        "source": sa.select(
            SourceRow.name, SourceRow.type, SourceRow.uri, SourceRow.description, SourceRow.first_seen,
            SourceRow.last_seen,
        ).order_by(SourceRow.identity),
        "rename": sa.select(node.identity, RenameRow.stamp, other.identity.label("old"))
        .join(node, node.id == RenameRow.carrier_id).join(other, other.id == RenameRow.old_id)
        .order_by(node.identity, RenameRow.stamp, other.identity),
        "deployment": sa.select(
            run.identity, DeploymentRow.environment, DeploymentRow.decision_id, DeploymentRow.facet, DeploymentRow.stamp
        ).join(run, run.id == DeploymentRow.run_id).order_by(run.identity),
    }  # fmt: skip


def _nullable(*columns: Any) -> list[Any]:
    """The columns for sorting; the databases do not agree on where nulls come."""
    return [sa.func.coalesce(column, b"") for column in columns]
