"""Lineage: facets, labels, column mappings, namespaces, renames and deployments; the bytes of events apart.

The derived tables are emptied: what is new in them comes from the event log, by ``assay lineage replay``.
"""

from contextlib import AbstractContextManager
from typing import Literal

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

from migrations.append_only import protect, unprotect
from migrations.lineage_lists import drop_pages, drop_questions, fill_namespaces, pages, questions
from migrations.pruned_only import protect_payloads, unprotect_payloads

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
TIME = sa.DateTime(timezone=True)
DERIVED = (
    "lineage_finding",
    "lineage_node",
    "lineage_run",
    "lineage_run_dataset",
    "lineage_edge",
    "lineage_dataset_version",
    "lineage_version_use",
    "lineage_flow",
    "lineage_symlink",
    "lineage_provenance",
    "lineage_model",
    "lineage_erasure",
)
"""What the earlier revisions made and a replay fills again."""

EVENT_INDEXES = {
    "ix_lineage_event_event_time": ["event_time", "id", "kind", "event_type"],
    "ix_lineage_event_namespace": ["namespace_identity", "event_time", "id"],
}
TOLD_VERSION = ("version_identity", "version_stamp", "schema_identity", "schema_stamp")
PRUNINGS = ("lineage_pruned_event", "lineage_pruning")


def upgrade() -> None:
    """Apply the revision."""
    _empty()
    _events()
    _entities()
    _columns()
    _facets()
    _actions()
    pages()
    questions()
    _outbox()
    _prunings()


def downgrade() -> None:
    """Take the revision back."""
    _empty()
    unprotect(("lineage_action", *PRUNINGS))
    unprotect_payloads()
    for table in (
        "lineage_outbox", "lineage_sweep", "lineage_unfinished", *PRUNINGS,
        "lineage_action", "lineage_tag", "lineage_source",
        "lineage_projection", "lineage_deployment", "lineage_rename", "lineage_label", "lineage_text",
        "lineage_facet", "lineage_facet_keys", "lineage_flow_edge", "lineage_mapping", "lineage_namespace",
    ):  # fmt: skip
        op.drop_table(table)
    op.drop_column("lineage_flow", "mapping_id")
    op.add_column("lineage_flow", sa.Column("columns", sa.LargeBinary(), nullable=True))
    for column in ("nominal_start", "nominal_end", "nominal_stamp", "location_digest", "location_stamp"):
        op.drop_column("lineage_run", column)
    drop_pages()
    op.drop_column("lineage_run", "served_uuid")
    drop_questions()
    op.drop_index(op.f("ix_lineage_node_namespace_id_kind_sort_key_id"), "lineage_node")
    op.drop_index(op.f("ix_lineage_node_kind_sort_key_id"), "lineage_node")
    for column in ("namespace_id", "sort_key", "last_recorded", "deleted_at", *TOLD_VERSION):
        op.drop_column("lineage_node", column)
    _join_payloads()


def _empty() -> None:
    for table in DERIVED:
        op.execute(sa.text(f"DELETE FROM {table}"))  # noqa: S608 - the names are the constants above


def _altering(table: str) -> AbstractContextManager[BatchOperations]:
    """Changes of an empty table without triggers; SQLite adds no column that must have a value otherwise."""
    recreate: Literal["always", "never"] = "always" if op.get_bind().dialect.name == "sqlite" else "never"
    return op.batch_alter_table(table, recreate=recreate)


def _events() -> None:
    """The bytes of events move to a table of their own."""
    op.create_table(
        "lineage_payload",
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("pruning_id", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_lineage_payload")),
    )
    op.execute("INSERT INTO lineage_payload (event_id, body) SELECT id, body FROM lineage_event")
    unprotect(("lineage_event",))
    op.drop_column("lineage_event", "body")
    op.add_column("lineage_event", sa.Column("namespace_identity", sa.LargeBinary(), nullable=True))
    fill_namespaces()
    for name, columns in EVENT_INDEXES.items():
        op.create_index(op.f(name), "lineage_event", columns, unique=False)
    protect(("lineage_event",))


def _join_payloads() -> None:
    unprotect(("lineage_event",))
    for name in EVENT_INDEXES:
        op.drop_index(op.f(name), "lineage_event")
    op.drop_column("lineage_event", "namespace_identity")
    op.add_column("lineage_event", sa.Column("body", sa.LargeBinary(), nullable=False, server_default=""))
    op.execute(
        "UPDATE lineage_event SET body = (SELECT body FROM lineage_payload WHERE event_id = lineage_event.id) "
        "WHERE id IN (SELECT event_id FROM lineage_payload)"
    )
    op.drop_table("lineage_payload")
    protect(("lineage_event",))


def _entities() -> None:
    """Namespaces, and what lists sort and filter nodes by."""
    op.create_table(
        "lineage_namespace",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("first_seen", TIME, nullable=True),
        sa.Column("last_seen", TIME, nullable=True),
        sa.Column("last_recorded", TIME, nullable=True),
        sa.Column("deleted_at", TIME, nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("described_stamp", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_namespace")),
        sa.UniqueConstraint("identity", name=op.f("uq_lineage_namespace_identity")),
    )
    with _altering("lineage_node") as node:
        node.add_column(sa.Column("namespace_id", sa.BigInteger(), nullable=False))
        node.add_column(
            sa.Column("sort_key", sa.Text().with_variant(sa.Text(collation="C"), "postgresql"), nullable=False)
        )
        node.add_column(sa.Column("last_recorded", TIME, nullable=True))
        node.add_column(sa.Column("deleted_at", TIME, nullable=True))
        for column in TOLD_VERSION:
            node.add_column(sa.Column(column, sa.LargeBinary(), nullable=True))
    op.create_index(
        op.f("ix_lineage_node_namespace_id_kind_sort_key_id"),
        "lineage_node",
        ["namespace_id", "kind", "sort_key", "id"],
        unique=False,
    )
    op.create_index(op.f("ix_lineage_node_kind_sort_key_id"), "lineage_node", ["kind", "sort_key", "id"], unique=False)
    op.add_column("lineage_run", sa.Column("nominal_start", TIME, nullable=True))
    op.add_column("lineage_run", sa.Column("nominal_end", TIME, nullable=True))
    op.add_column("lineage_run", sa.Column("nominal_stamp", sa.LargeBinary(), nullable=True))
    op.add_column("lineage_run", sa.Column("location_digest", sa.LargeBinary(), nullable=True))
    op.add_column("lineage_run", sa.Column("location_stamp", sa.LargeBinary(), nullable=True))
    op.add_column("lineage_run", sa.Column("served_uuid", sa.Text(), nullable=True))


def _columns() -> None:
    """Mappings of columns, once per content, and the flows of all runs of a job together."""
    op.create_table(
        "lineage_mapping",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_mapping")),
        sa.UniqueConstraint("digest", name=op.f("uq_lineage_mapping_digest")),
    )
    with _altering("lineage_flow") as flow:
        flow.drop_column("columns")
        flow.add_column(sa.Column("mapping_id", sa.BigInteger(), nullable=False))
    op.create_table(
        "lineage_flow_edge",
        sa.Column("target_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("source_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("mapping_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("is_explicit", sa.SmallInteger(), nullable=False),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("last_seen", TIME, nullable=False),
        sa.Column("latest_run_id", sa.BigInteger(), nullable=True),
        sa.Column("latest_stamp", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("target_id", "source_id", "job_id", "mapping_id", name=op.f("pk_lineage_flow_edge")),
    )
    op.create_index(
        op.f("ix_lineage_flow_edge_source_id_target_id"), "lineage_flow_edge", ["source_id", "target_id"], unique=False
    )
    op.create_index(
        op.f("ix_lineage_flow_edge_job_id_target_id_source_id"),
        "lineage_flow_edge",
        ["job_id", "target_id", "source_id"],
        unique=False,
    )


def _facets() -> None:
    """Which event carried which facets, the small ones that lists show, renames and deployments."""
    op.create_table(
        "lineage_facet",
        sa.Column("place", sa.SmallInteger(), autoincrement=False, nullable=False),
        sa.Column("entity_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("keys_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stamp", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("place", "entity_id", "keys_id", "stamp", name=op.f("pk_lineage_facet")),
    )
    for table in ("lineage_facet_keys", "lineage_text"):
        op.create_table(
            table,
            sa.Column("id", BIG_ID, nullable=False),
            sa.Column("digest", sa.LargeBinary(), nullable=False),
            sa.Column("content", sa.LargeBinary(), nullable=False),
            sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{table}")),
            sa.UniqueConstraint("digest", name=op.f(f"uq_{table}_digest")),
        )
    op.create_table(
        "lineage_label",
        sa.Column("node_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("stamp", sa.LargeBinary(), nullable=False),
        sa.Column("text_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", "key", "stamp", name=op.f("pk_lineage_label")),
    )
    op.create_table(
        "lineage_rename",
        sa.Column("carrier_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stamp", sa.LargeBinary(), nullable=False),
        sa.Column("old_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.PrimaryKeyConstraint("carrier_id", "stamp", "old_id", name=op.f("pk_lineage_rename")),
    )
    op.create_index(op.f("ix_lineage_rename_old_id"), "lineage_rename", ["old_id"], unique=False)
    op.create_table(
        "lineage_deployment",
        sa.Column("run_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=True),
        sa.Column("facet", sa.LargeBinary(), nullable=False),
        sa.Column("stamp", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_lineage_deployment")),
    )
    op.create_index(op.f("ix_lineage_deployment_environment"), "lineage_deployment", ["environment"], unique=False)
    op.create_table(
        "lineage_projection",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_projection")),
    )


def _actions() -> None:
    """What operators did, and the tags and sources that they and facets name."""
    op.create_table(
        "lineage_action",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("done_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_action")),
    )
    op.create_index(op.f("ix_lineage_action_identity_id"), "lineage_action", ["identity", "id"], unique=False)
    protect(("lineage_action",))
    op.create_table(
        "lineage_tag",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("stamp", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_tag")),
        sa.UniqueConstraint("identity", name=op.f("uq_lineage_tag_identity")),
    )
    op.create_table(
        "lineage_source",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("identity", sa.LargeBinary(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=True),
        sa.Column("uri", sa.Text(), nullable=True),
        sa.Column("uri_stamp", sa.LargeBinary(), nullable=True),
        sa.Column("description", sa.Text(), nullable=True),
        sa.Column("description_stamp", sa.LargeBinary(), nullable=True),
        sa.Column("first_seen", TIME, nullable=False),
        sa.Column("last_seen", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_source")),
        sa.UniqueConstraint("identity", name=op.f("uq_lineage_source_identity")),
    )


def _outbox() -> None:
    """Events of Assay's own that are sent on to others."""
    op.create_table(
        "lineage_outbox",
        sa.Column("event_id", sa.BigInteger(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("enqueued_at", TIME, nullable=False),
        sa.Column("not_before", TIME, nullable=False),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("ended_at", TIME, nullable=True),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("deadline", TIME, nullable=True),
        sa.Column("leased_by", sa.Text(), nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("leased_until", TIME, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_outbox")),
        sa.UniqueConstraint("event_id", name=op.f("uq_lineage_outbox_event_id")),
    )
    op.create_index(op.f("ix_lineage_outbox_state_not_before"), "lineage_outbox", ["state", "not_before"], unique=False)
    op.create_index(op.f("ix_lineage_outbox_lane_id"), "lineage_outbox", ["lane", "id"], unique=False)


def _prunings() -> None:
    """What was taken out of stored events, by whom and why; without such a record no bytes change."""
    op.create_table(
        "lineage_pruning",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("rule", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("target", sa.LargeBinary(), nullable=False),
        sa.Column("pruned_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_pruning")),
    )
    op.create_table(
        "lineage_pruned_event",
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("pruning_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("residue_digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "pruning_id", name=op.f("pk_lineage_pruned_event")),
    )
    op.create_index(op.f("ix_lineage_pruned_event_pruning_id"), "lineage_pruned_event", ["pruning_id"], unique=False)
    op.create_table(
        "lineage_sweep",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("swept_through", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_lineage_sweep")),
    )
    op.create_table(
        "lineage_unfinished",
        sa.Column("event_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("looked_at", TIME, nullable=False),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_lineage_unfinished")),
    )
    op.create_index(op.f("ix_lineage_unfinished_looked_at"), "lineage_unfinished", ["looked_at"], unique=False)
    protect(PRUNINGS)
    protect_payloads()
