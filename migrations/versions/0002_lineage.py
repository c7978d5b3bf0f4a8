"""The lineage event log and the tables derived from it."""

import sqlalchemy as sa
from alembic import op

from migrations.append_only import protect, unprotect

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
APPEND_ONLY = ("lineage_event",)
TABLES = (
    "lineage_event",
    "lineage_finding",
    "lineage_node",
    "lineage_run",
    "lineage_dataset_version",
    "lineage_version_use",
    "lineage_erasure",
    "lineage_run_dataset",
    "lineage_edge",
    "lineage_flow",
    "lineage_symlink",
    "lineage_provenance",
    "lineage_model",
)


def upgrade() -> None:
    """Apply the revision."""
    _events()
    _entities()
    _versions()
    _flows()
    _columns()
    _facts()
    protect(APPEND_ONLY)


def downgrade() -> None:
    """Take the revision back."""
    unprotect(APPEND_ONLY)
    for table in TABLES:
        op.drop_table(table)


def _events() -> None:
    """The event log and what was found in it."""
    op.create_table(
        "lineage_event",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("redaction_version", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("event_type", sa.Text(), nullable=True),
        sa.Column("event_time", sa.DateTime(timezone=True), nullable=False),
        sa.Column("arrived_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_identity", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_event")),
        sa.UniqueConstraint("digest", name=op.f("uq_lineage_event_digest")),
    )
    op.create_index(op.f("ix_lineage_event_run_identity"), "lineage_event", ["run_identity"], unique=False)
    op.create_table(
        "lineage_finding",
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("pointer", sa.Text(), nullable=False),
        sa.Column("expected", sa.Text(), nullable=False),
        sa.Column("found", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "position", name=op.f("pk_lineage_finding")),
    )


def _entities() -> None:
    """Datasets, jobs, runs and versions."""
    op.create_table(
        "lineage_node",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=True),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("subtype", sa.Text(), nullable=True),
        sa.Column("type_stamp", sa.LargeBinary(), nullable=True),
        sa.Column("explicit_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_node")),
        sa.UniqueConstraint("identity", name=op.f("uq_lineage_node_identity")),
    )
    op.create_table(
        "lineage_run",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.BigInteger(), nullable=False),
        sa.Column("job_stamp", sa.LargeBinary(), nullable=False),
        sa.Column("first_start", sa.DateTime(timezone=True), nullable=True),
        sa.Column("first_running", sa.DateTime(timezone=True), nullable=True),
        sa.Column("end_stamp", sa.LargeBinary(), nullable=True),
        sa.Column("end_kinds", sa.SmallInteger(), nullable=False),
        sa.Column("first_event", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_event", sa.DateTime(timezone=True), nullable=False),
        sa.Column("is_explicit", sa.SmallInteger(), nullable=False),
        sa.Column("parent_run_id", sa.Text(), nullable=True),
        sa.Column("parent_namespace", sa.Text(), nullable=True),
        sa.Column("parent_name", sa.Text(), nullable=True),
        sa.Column("parent_stamp", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_run")),
        sa.UniqueConstraint("identity", name=op.f("uq_lineage_run_identity")),
    )
    op.create_index(op.f("ix_lineage_run_job_id_first_event"), "lineage_run", ["job_id", "first_event"], unique=False)


def _versions() -> None:
    """Versions of datasets, their use, and when they were erased."""
    op.create_table(
        "lineage_dataset_version",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("version_digest", sa.LargeBinary(), nullable=True),
        sa.Column("fields", sa.LargeBinary(), nullable=True),
        sa.Column("lifecycle", sa.Text(), nullable=True),
        sa.Column("first_stamp", sa.LargeBinary(), nullable=False),
        sa.Column("last_stamp", sa.LargeBinary(), nullable=False),
        sa.Column("row_count", sa.BigInteger(), nullable=True),
        sa.Column("row_count_stamp", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_dataset_version")),
        sa.UniqueConstraint("identity", name=op.f("uq_lineage_dataset_version_identity")),
    )
    op.create_index(
        op.f("ix_lineage_dataset_version_node_id_version_digest"),
        "lineage_dataset_version",
        ["node_id", "version_digest"],
        unique=False,
    )
    op.create_table(
        "lineage_version_use",
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("role", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("version_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "role", "version_id", name=op.f("pk_lineage_version_use")),
    )
    op.create_index(
        op.f("ix_lineage_version_use_version_id_role"), "lineage_version_use", ["version_id", "role"], unique=False
    )
    op.create_table(
        "lineage_erasure",
        sa.Column("node_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("erased_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", "erased_at", "change", name=op.f("pk_lineage_erasure")),
    )


def _flows() -> None:
    """Who reads and writes what."""
    op.create_table(
        "lineage_run_dataset",
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("role", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("node_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "role", "node_id", "job_id", name=op.f("pk_lineage_run_dataset")),
    )
    op.create_index(
        op.f("ix_lineage_run_dataset_job_id_first_seen"), "lineage_run_dataset", ["job_id", "first_seen"], unique=False
    )
    op.create_index(
        op.f("ix_lineage_run_dataset_node_id_role_first_seen"),
        "lineage_run_dataset",
        ["node_id", "role", "first_seen"],
        unique=False,
    )
    op.create_table(
        "lineage_edge",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("role", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("node_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_seen", sa.DateTime(timezone=True), nullable=False),
        sa.Column("run_count", sa.Integer(), nullable=False),
        sa.Column("latest_run_id", sa.BigInteger(), nullable=True),
        sa.Column("latest_stamp", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("job_id", "role", "node_id", name=op.f("pk_lineage_edge")),
    )
    op.create_index(
        op.f("ix_lineage_edge_node_id_role_job_id"), "lineage_edge", ["node_id", "role", "job_id"], unique=False
    )


def _columns() -> None:
    """What facets say about data flow and names."""
    op.create_table(
        "lineage_flow",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("target_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("is_explicit", sa.SmallInteger(), nullable=False),
        sa.Column("columns", sa.LargeBinary(), nullable=True),
        sa.Column("stamp", sa.LargeBinary(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "run_id", "source_id", "target_id", name=op.f("pk_lineage_flow")),
    )
    op.create_index(
        op.f("ix_lineage_flow_job_id_target_id_source_id"),
        "lineage_flow",
        ["job_id", "target_id", "source_id"],
        unique=False,
    )
    op.create_index(op.f("ix_lineage_flow_run_id_target_id"), "lineage_flow", ["run_id", "target_id"], unique=False)
    op.create_table(
        "lineage_symlink",
        sa.Column("carrier_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stamp", sa.LargeBinary(), nullable=False),
        sa.Column("alias_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("carrier_id", "stamp", "alias_id", name=op.f("pk_lineage_symlink")),
    )
    op.create_index(op.f("ix_lineage_symlink_alias_id"), "lineage_symlink", ["alias_id"], unique=False)


def _facts() -> None:
    """Provenance records and model versions."""
    op.create_table(
        "lineage_provenance",
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("node_id", sa.BigInteger(), nullable=False),
        sa.Column("version", sa.Text(), nullable=True),
        sa.Column("record", sa.LargeBinary(), nullable=True),
        sa.Column("record_digest", sa.Text(), nullable=True),
        sa.Column("valid_from", sa.DateTime(timezone=True), nullable=False),
        sa.Column("stamp", sa.LargeBinary(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("identity", name=op.f("pk_lineage_provenance")),
    )
    op.create_index(op.f("ix_lineage_provenance_node_id"), "lineage_provenance", ["node_id"], unique=False)
    op.create_table(
        "lineage_model",
        sa.Column("node_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("content_digest", sa.Text(), nullable=False),
        sa.Column("facet", sa.LargeBinary(), nullable=False),
        sa.Column("stamp", sa.LargeBinary(), nullable=False),
        sa.Column("first_seen", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("node_id", "run_id", "content_digest", name=op.f("pk_lineage_model")),
    )
    op.create_index(op.f("ix_lineage_model_content_digest"), "lineage_model", ["content_digest"], unique=False)
