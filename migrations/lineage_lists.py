"""Indexes that lists and questions of lineage read by, for the revision that makes them."""

import hashlib
import json

import sqlalchemy as sa
from alembic import op

NODE_INDEXES = {"unnamed": "first_seen IS NULL", "deleted": "deleted_at IS NOT NULL"}
"""What lists leave out, by the condition that a node meets."""


def fill_namespaces() -> None:
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


def pages() -> None:
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


def drop_pages() -> None:
    """Drop what ``pages`` made and make what it dropped."""
    for name in (*NODE_INDEXES, "kind_first_seen"):
        op.drop_index(op.f(f"ix_lineage_node_{name}"), "lineage_node")
    op.drop_index(op.f("ix_lineage_run_served_uuid"), "lineage_run")
    op.drop_index(op.f("ix_lineage_version_use_version_id_role_first_seen_run_id"), "lineage_version_use")
    op.create_index(op.f("ix_lineage_version_use_version_id_role"), "lineage_version_use", ["version_id", "role"])
    op.drop_index(op.f("ix_lineage_dataset_version_node_id_first_stamp_id"), "lineage_dataset_version")
    op.drop_index(op.f("ix_lineage_run_job_id_first_event_id"), "lineage_run")
    op.create_index(op.f("ix_lineage_run_job_id_first_event"), "lineage_run", ["job_id", "first_event"])


def questions() -> None:
    """Who sent the events that have findings; which jobs say their data flow themselves."""
    op.add_column("lineage_finding", sa.Column("producer", sa.Text(), nullable=True))
    op.create_index(op.f("ix_lineage_finding_code_event_id"), "lineage_finding", ["code", "event_id"])
    where = sa.text("explicit_since IS NOT NULL")
    op.create_index(
        op.f("ix_lineage_node_explicit"), "lineage_node", ["id"], sqlite_where=where, postgresql_where=where
    )


def drop_questions() -> None:
    """Drop what ``questions`` made."""
    op.drop_index(op.f("ix_lineage_node_explicit"), "lineage_node")
    op.drop_index(op.f("ix_lineage_finding_code_event_id"), "lineage_finding")
    op.drop_column("lineage_finding", "producer")
