"""Tables of lineage: the event log, which is evidence, and what is derived from it, which can be rebuilt.

Derived rows point to one another by id without foreign keys: they are only ever written by ``lineage.store`` in one
transaction, a rebuild empties and refills them, and a check of every row would cost as much as the row.
A ``stamp`` is the event time and digest of the event that a value came from (``lineage.identity.Stamp``); the later
stamp wins, so that no order of arrival shows.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from governance.database import BigId, Row

INPUT = 0
OUTPUT = 1
"""Roles of a dataset for a job or run, as stored."""

DIRECT = 2
"""In ``FlowEdgeRow.is_explicit`` beside 1: dataset to dataset, or job to job, with no job or dataset between them."""


def _partial(name: str, condition: str, *columns: str) -> sa.Index:
    """An index of the rows that meet a condition, in the same words for both databases."""
    return sa.Index(name, *columns, sqlite_where=sa.text(condition), postgresql_where=sa.text(condition))


class EventRow(Row):
    """An event as it was taken, once per digest. Append-only; triggers on both databases refuse changes.

    Its bytes are apart, in ``PayloadRow``: no list reads them, and they may be pruned. ``namespace_identity`` is that
    of its job's namespace. The indexes hold what lists and statistics count, so that these read no rows.
    """

    __tablename__ = "lineage_event"
    __table_args__ = (
        sa.Index("ix_lineage_event_event_time", "event_time", "id", "kind", "event_type"),
        sa.Index("ix_lineage_event_namespace", "namespace_identity", "event_time", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary, unique=True)
    redaction_version: Mapped[int] = mapped_column(sa.SmallInteger)
    kind: Mapped[str] = mapped_column(sa.Text)
    event_type: Mapped[str | None] = mapped_column(sa.Text)
    event_time: Mapped[datetime]
    arrived_at: Mapped[datetime]
    run_identity: Mapped[bytes | None] = mapped_column(sa.LargeBinary, index=True)
    namespace_identity: Mapped[bytes | None] = mapped_column(sa.LargeBinary)


class PayloadRow(Row):
    """The bytes of an event. They change only to the residue that a pruning on record left; ``pruning_id`` names it."""

    __tablename__ = "lineage_payload"

    event_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    body: Mapped[bytes] = mapped_column(sa.LargeBinary)
    pruning_id: Mapped[int | None] = mapped_column(sa.BigInteger)


class FindingRow(Row):
    """A fault of an accepted event; ``position`` counts them by place. ``producer`` is the event's."""

    __tablename__ = "lineage_finding"
    __table_args__ = (sa.Index(None, "code", "event_id"),)

    event_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    position: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    code: Mapped[str] = mapped_column(sa.Text)
    pointer: Mapped[str] = mapped_column(sa.Text)
    expected: Mapped[str] = mapped_column(sa.Text)
    found: Mapped[str] = mapped_column(sa.Text)
    producer: Mapped[str | None] = mapped_column(sa.Text)


class NamespaceRow(Row):
    """A namespace that an event named as that of a job or dataset; ``identity`` is the SHA-256 of its name."""

    __tablename__ = "lineage_namespace"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    identity: Mapped[bytes] = mapped_column(sa.LargeBinary, unique=True)
    name: Mapped[str] = mapped_column(sa.Text)
    first_seen: Mapped[datetime | None]
    last_seen: Mapped[datetime | None]
    last_recorded: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    owner: Mapped[str | None] = mapped_column(sa.Text)
    description: Mapped[str | None] = mapped_column(sa.Text)
    described_stamp: Mapped[bytes | None] = mapped_column(sa.LargeBinary)


class ActionRow(Row):
    """What an operator did, in the order it was done. Append-only; a rebuild applies it after the events.

    ``identity`` is that of the node, namespace, source or tag it is about; ``content`` is JSON.
    """

    __tablename__ = "lineage_action"
    __table_args__ = (sa.Index(None, "identity", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text)
    identity: Mapped[bytes] = mapped_column(sa.LargeBinary)
    content: Mapped[bytes] = mapped_column(sa.LargeBinary)
    actor: Mapped[str] = mapped_column(sa.Text)
    done_at: Mapped[datetime]


class NodeRow(Row):
    """A dataset or job. ``identity`` digests kind and names, since PostgreSQL indexes no value above 2,700 bytes.

    ``first_seen`` is null for a name that only a symlink or lineage facet gave: such a node is no entity of its own.
    ``type`` and ``subtype`` are those of the ``datasetType`` facet, or ``processingType`` and ``jobType``.
    ``version_identity`` is the version that an event told last, ``schema_identity`` the last one that has a schema.
    ``last_recorded`` is when the latest event that names it arrived; a node whose ``deleted_at`` is not earlier is
    hidden. ``sort_key`` is the beginning of the name, as much as an index takes; both databases sort it by code point.
    """

    __tablename__ = "lineage_node"
    __table_args__ = (
        sa.Index(None, "namespace_id", "kind", "sort_key", "id"),
        sa.Index(None, "kind", "sort_key", "id"),
        _partial("ix_lineage_node_unnamed", "first_seen IS NULL", "kind", "namespace_id", "id"),
        _partial("ix_lineage_node_deleted", "deleted_at IS NOT NULL", "kind", "namespace_id", "id"),
        _partial("ix_lineage_node_explicit", "explicit_since IS NOT NULL", "id"),
        sa.Index(None, "kind", "first_seen"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    identity: Mapped[bytes] = mapped_column(sa.LargeBinary, unique=True)
    kind: Mapped[str] = mapped_column(sa.Text)
    namespace: Mapped[str] = mapped_column(sa.Text)
    name: Mapped[str] = mapped_column(sa.Text)
    namespace_id: Mapped[int] = mapped_column(sa.BigInteger)
    sort_key: Mapped[str] = mapped_column(sa.Text().with_variant(sa.Text(collation="C"), "postgresql"))
    last_recorded: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]
    first_seen: Mapped[datetime | None]
    last_seen: Mapped[datetime | None]
    type: Mapped[str | None] = mapped_column(sa.Text)
    subtype: Mapped[str | None] = mapped_column(sa.Text)
    type_stamp: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    explicit_since: Mapped[datetime | None]
    version_identity: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    version_stamp: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    schema_identity: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    schema_stamp: Mapped[bytes | None] = mapped_column(sa.LargeBinary)


class RunRow(Row):
    """A run. ``end_stamp`` is the winning terminal event's time and rank; ``end_kinds`` is a bit set of all of them.

    ``location_digest`` is that of the ``TextRow`` that says where the code of the run lay. ``served_uuid`` is what
    readers who need a UUID are given for a ``run_id`` that is none (``lineage.identity.run_uuid``).
    """

    __tablename__ = "lineage_run"
    __table_args__ = (
        sa.Index(None, "job_id", "first_event", "id"),
        _partial("ix_lineage_run_served_uuid", "served_uuid IS NOT NULL", "served_uuid"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    identity: Mapped[bytes] = mapped_column(sa.LargeBinary, unique=True)
    run_id: Mapped[str] = mapped_column(sa.Text)
    served_uuid: Mapped[str | None] = mapped_column(sa.Text)
    job_id: Mapped[int] = mapped_column(sa.BigInteger)
    job_stamp: Mapped[bytes] = mapped_column(sa.LargeBinary)
    first_start: Mapped[datetime | None]
    first_running: Mapped[datetime | None]
    end_stamp: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    end_kinds: Mapped[int] = mapped_column(sa.SmallInteger)
    first_event: Mapped[datetime]
    last_event: Mapped[datetime]
    is_explicit: Mapped[int] = mapped_column(sa.SmallInteger)
    parent_run_id: Mapped[str | None] = mapped_column(sa.Text)
    parent_namespace: Mapped[str | None] = mapped_column(sa.Text)
    parent_name: Mapped[str | None] = mapped_column(sa.Text)
    parent_stamp: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    nominal_start: Mapped[datetime | None]
    nominal_end: Mapped[datetime | None]
    nominal_stamp: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    location_digest: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    location_stamp: Mapped[bytes | None] = mapped_column(sa.LargeBinary)


class RunDatasetRow(Row):
    """A run read (role 0) or wrote (role 1) a dataset."""

    __tablename__ = "lineage_run_dataset"
    __table_args__ = (
        sa.Index(None, "node_id", "role", "first_seen"),
        sa.Index(None, "job_id", "first_seen"),
    )

    run_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    role: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    node_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    job_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]


class EdgeRow(Row):
    """A job has read (role 0) or written (role 1) a dataset, or was declared to."""

    __tablename__ = "lineage_edge"
    __table_args__ = (sa.Index(None, "node_id", "role", "job_id"),)

    job_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    role: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    node_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    run_count: Mapped[int] = mapped_column(sa.Integer)
    latest_run_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    latest_stamp: Mapped[bytes | None] = mapped_column(sa.LargeBinary)


class DatasetVersionRow(Row):
    """A state of a dataset that an event told: its schema, reported version and lifecycle change; never of a run.

    ``version_digest`` is the SHA-256 of the reported version, which may be too long for an index. ``fields`` lists
    path, type and description of each field; a description is no part of the version's identity.
    """

    __tablename__ = "lineage_dataset_version"
    __table_args__ = (sa.Index(None, "node_id", "version_digest"), sa.Index(None, "node_id", "first_stamp", "id"))

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    identity: Mapped[bytes] = mapped_column(sa.LargeBinary, unique=True)
    node_id: Mapped[int] = mapped_column(sa.BigInteger)
    version: Mapped[str | None] = mapped_column(sa.Text)
    version_digest: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    fields: Mapped[bytes | None] = mapped_column(sa.LargeBinary)
    lifecycle: Mapped[str | None] = mapped_column(sa.Text)
    first_stamp: Mapped[bytes] = mapped_column(sa.LargeBinary)
    last_stamp: Mapped[bytes] = mapped_column(sa.LargeBinary)
    row_count: Mapped[int | None] = mapped_column(sa.BigInteger)
    row_count_stamp: Mapped[bytes | None] = mapped_column(sa.LargeBinary)


class VersionUseRow(Row):
    """A run read or wrote this version."""

    __tablename__ = "lineage_version_use"
    __table_args__ = (sa.Index(None, "version_id", "role", "first_seen", "run_id"),)

    run_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    role: Mapped[int] = mapped_column(sa.SmallInteger, primary_key=True, autoincrement=False)
    version_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    first_seen: Mapped[datetime]


class FlowRow(Row):
    """A facet says that data flows from one dataset to another through a job or one of its runs (0: the job itself).

    ``mapping_id`` names the pairs of columns (``MappingRow``); 0 where the facet names datasets only.
    """

    __tablename__ = "lineage_flow"
    __table_args__ = (
        sa.Index(None, "run_id", "target_id"),
        sa.Index(None, "job_id", "target_id", "source_id"),
    )

    job_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    run_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    source_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    target_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    is_explicit: Mapped[int] = mapped_column(sa.SmallInteger)
    mapping_id: Mapped[int] = mapped_column(sa.BigInteger)
    stamp: Mapped[bytes] = mapped_column(sa.LargeBinary)
    first_seen: Mapped[datetime]


class MappingRow(Row):
    """Which columns of one dataset become which of another, once per content (``lineage.mapping``)."""

    __tablename__ = "lineage_mapping"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    digest: Mapped[bytes] = mapped_column(sa.LargeBinary, unique=True)
    content: Mapped[bytes] = mapped_column(sa.LargeBinary)


class FlowEdgeRow(Row):
    """The flows of all runs of a job (0: of no job) with one mapping of columns (0: datasets only)."""

    __tablename__ = "lineage_flow_edge"
    __table_args__ = (
        _partial("ix_lineage_flow_edge_direct_source", "is_explicit >= 2", "source_id", "target_id"),
        _partial("ix_lineage_flow_edge_direct_target", "is_explicit >= 2", "target_id", "source_id"),
        sa.Index(None, "source_id", "target_id"),
        sa.Index(None, "job_id", "target_id", "source_id"),
    )

    target_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    source_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    job_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    mapping_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    is_explicit: Mapped[int] = mapped_column(sa.SmallInteger)
    first_seen: Mapped[datetime]
    last_seen: Mapped[datetime]
    latest_run_id: Mapped[int | None] = mapped_column(sa.BigInteger)
    latest_stamp: Mapped[bytes] = mapped_column(sa.LargeBinary)


class ProjectionRow(Row):
    """By which version of the rules the derived tables were filled (``lineage.replay``)."""

    __tablename__ = "lineage_projection"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    version: Mapped[int] = mapped_column(sa.Integer)
