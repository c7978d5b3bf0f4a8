"""Lineage: facets, labels, column mappings, namespaces, renames and deployments; the bytes of events apart.

The derived tables are emptied: what is new in them comes from the event log, by ``assay lineage replay``.
"""

import hashlib
import json
from contextlib import AbstractContextManager

import sqlalchemy as sa
from alembic import op
from alembic.operations import BatchOperations

from migrations.append_only import protect, unprotect

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
NODE_INDEXES = {"unnamed": "first_seen IS NULL", "deleted": "deleted_at IS NOT NULL"}
"""What lists leave out, by the condition that a node meets."""

PRUNINGS = ("lineage_pruned_event", "lineage_pruning")


def upgrade() -> None:
    """Apply the revision."""
    _empty()
    _events()
    _entities()
    _columns()
    _facets()
    _actions()
    _pages()
    _questions()
    _outbox()
    _prunings()


def downgrade() -> None:
    """Take the revision back."""
    _empty()
    unprotect(("lineage_action", *PRUNINGS))
    _unprotect_payloads()
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
    _drop_pages()
    op.drop_column("lineage_run", "served_uuid")
    _drop_questions()
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
    recreate = "always" if op.get_bind().dialect.name == "sqlite" else "never"
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
    _fill_namespaces()
    for name, columns in EVENT_INDEXES.items():
        op.create_index(op.f(name), "lineage_event", columns, unique=False)
    protect(("lineage_event",))


def _fill_namespaces() -> None:
    """Tell of each stored event which namespace its job is in."""
    bind, last = op.get_bind(), 0
    chosen = sa.text(
        "SELECT event_id, body FROM lineage_payload WHERE event_id > :last ORDER BY event_id LIMIT 100"
    ).columns(event_id=sa.BigInteger(), body=sa.LargeBinary())
    told = sa.text("UPDATE lineage_event SET namespace_identity = :identity WHERE id = :id").bindparams(
        sa.bindparam("identity", type_=sa.LargeBinary())
    )
    while rows := bind.execute(chosen, {"last": last}).all():
        for number, body in rows:
            job = json.loads(body).get("job")
            if job is not None:
                identity = hashlib.sha256(f"namespace\0{job['namespace']}".encode()).digest()
                bind.execute(told, {"identity": identity, "id": number})
        last = rows[-1].event_id


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
    _protect_payloads()


_RECORDED = (
    "NEW.event_id = OLD.event_id AND COALESCE(NEW.pruning_id, 0) > COALESCE(OLD.pruning_id, 0) AND EXISTS ("
    "SELECT 1 FROM lineage_pruned_event WHERE event_id = NEW.event_id AND pruning_id = NEW.pruning_id"
)
"""The bytes of an event become a residue that a later pruning recorded; the clause is left open."""


def _protect_payloads() -> None:
    said = "lineage_payload changes only as a pruning on record says"
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            "CREATE TRIGGER lineage_payload_no_delete BEFORE DELETE ON lineage_payload "
            f"BEGIN SELECT RAISE(ABORT, '{said}'); END"
        )
        op.execute(
            f"CREATE TRIGGER lineage_payload_no_update BEFORE UPDATE ON lineage_payload WHEN NOT ({_RECORDED})) "
            f"BEGIN SELECT RAISE(ABORT, '{said}'); END"
        )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION assay_pruned_only() RETURNS trigger LANGUAGE plpgsql AS "
        # SQLite has no such function; there `assay log fsck` compares the digests.
        f"$$ BEGIN IF NOT ({_RECORDED} AND residue_digest = sha256(NEW.body))) THEN "
        f"RAISE EXCEPTION '{said}'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER lineage_payload_pruned_only BEFORE UPDATE ON lineage_payload "
        "FOR EACH ROW EXECUTE FUNCTION assay_pruned_only()"
    )
    op.execute(
        "CREATE TRIGGER lineage_payload_append_only BEFORE DELETE OR TRUNCATE ON lineage_payload "
        "FOR EACH STATEMENT EXECUTE FUNCTION assay_append_only()"
    )


def _unprotect_payloads() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for verb in ("update", "delete"):
            op.execute(f"DROP TRIGGER IF EXISTS lineage_payload_no_{verb}")
        return
    for name in ("pruned_only", "append_only"):
        op.execute(f"DROP TRIGGER IF EXISTS lineage_payload_{name} ON lineage_payload")
    op.execute("DROP FUNCTION IF EXISTS assay_pruned_only")


def _pages() -> None:
    """Indexes that hold the pages of lists: runs of a job, versions of a dataset, and the nodes that are left out."""
    op.drop_index(op.f("ix_lineage_run_job_id_first_event"), "lineage_run")
    op.create_index(op.f("ix_lineage_run_job_id_first_event_id"), "lineage_run", ["job_id", "first_event", "id"])
    op.create_index(
        op.f("ix_lineage_dataset_version_node_id_first_stamp_id"),
        "lineage_dataset_version",
        ["node_id", "first_stamp", "id"],
    )
    op.drop_index(op.f("ix_lineage_version_use_version_id_role"), "lineage_version_use")
    op.create_index(
        op.f("ix_lineage_version_use_version_id_role_first_seen_run_id"),
        "lineage_version_use",
        ["version_id", "role", "first_seen", "run_id"],
    )
    given = sa.text("served_uuid IS NOT NULL")
    op.create_index(
        op.f("ix_lineage_run_served_uuid"), "lineage_run", ["served_uuid"], sqlite_where=given, postgresql_where=given
    )
    op.create_index(op.f("ix_lineage_node_kind_first_seen"), "lineage_node", ["kind", "first_seen"])
    for name, condition in NODE_INDEXES.items():
        where = sa.text(condition)
        columns = ["kind", "namespace_id", "id"]
        op.create_index(
            op.f(f"ix_lineage_node_{name}"), "lineage_node", columns, sqlite_where=where, postgresql_where=where
        )


def _drop_pages() -> None:
    for name in (*NODE_INDEXES, "kind_first_seen"):
        op.drop_index(op.f(f"ix_lineage_node_{name}"), "lineage_node")
    op.drop_index(op.f("ix_lineage_run_served_uuid"), "lineage_run")
    op.drop_index(op.f("ix_lineage_version_use_version_id_role_first_seen_run_id"), "lineage_version_use")
    op.create_index(op.f("ix_lineage_version_use_version_id_role"), "lineage_version_use", ["version_id", "role"])
    op.drop_index(op.f("ix_lineage_dataset_version_node_id_first_stamp_id"), "lineage_dataset_version")
    op.drop_index(op.f("ix_lineage_run_job_id_first_event_id"), "lineage_run")
    op.create_index(op.f("ix_lineage_run_job_id_first_event"), "lineage_run", ["job_id", "first_event"])


def _questions() -> None:
    """Who sent the events that have findings; which jobs say their data flow themselves."""
    op.add_column("lineage_finding", sa.Column("producer", sa.Text(), nullable=True))
    op.create_index(op.f("ix_lineage_finding_code_event_id"), "lineage_finding", ["code", "event_id"])
    where = sa.text("explicit_since IS NOT NULL")
    op.create_index(
        op.f("ix_lineage_node_explicit"), "lineage_node", ["id"], sqlite_where=where, postgresql_where=where
    )


def _drop_questions() -> None:
    op.drop_index(op.f("ix_lineage_node_explicit"), "lineage_node")
    op.drop_index(op.f("ix_lineage_finding_code_event_id"), "lineage_finding")
    op.drop_column("lineage_finding", "producer")
