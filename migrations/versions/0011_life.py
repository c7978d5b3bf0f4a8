"""Registered models, attestations, revocations and deployments."""

import sqlalchemy as sa
from alembic import op

from migrations.append_only import protect, unprotect

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

APPEND_ONLY = ("registered_model", "revocation", "deployment", "deployment_end", "deployment_verdict", "attestation")

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "registered_model",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("identity", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("risk_tier", sa.Text(), nullable=False),
        sa.Column("objective", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("registered_at", INSTANT, nullable=False),
        sa.Column("registered_by", sa.Text(), nullable=False),
        sa.Column("registrar", sa.Text(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_registered_model")),
        sa.UniqueConstraint("identity", name=op.f("uq_registered_model_identity")),
        sa.UniqueConstraint("log_index", name=op.f("uq_registered_model_log_index")),
    )
    op.create_index(op.f("ix_registered_model_model"), "registered_model", ["model"])
    op.create_table(
        "revocation",
        sa.Column("seq", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("subject_digest", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("revoked_at", INSTANT, nullable=False),
        sa.Column("revoked_by", sa.Text(), nullable=False),
        sa.Column("revoker", sa.Text(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_revocation_decision_id")),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_revocation")),
        sa.UniqueConstraint("decision_id", name=op.f("uq_revocation_decision_id")),
        sa.UniqueConstraint("log_index", name=op.f("uq_revocation_log_index")),
    )
    op.create_table(
        "deployment",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("grant_id", sa.Text(), nullable=True),
        sa.Column("subject_digest", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("place", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("deployer", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("body_digest", sa.Text(), nullable=False),
        sa.Column("deployed_at", INSTANT, nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_deployment_decision_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployment")),
        sa.UniqueConstraint("principal", "idempotency_key", name=op.f("uq_deployment_principal_idempotency_key")),
        sa.UniqueConstraint("log_index", name=op.f("uq_deployment_log_index")),
    )
    op.create_index(op.f("ix_deployment_place"), "deployment", ["place"])
    op.create_table(
        "deployment_end",
        sa.Column("deployment_id", sa.Text(), nullable=False),
        sa.Column("how", sa.Text(), nullable=False),
        sa.Column("ended_at", INSTANT, nullable=False),
        sa.Column("ended_by", sa.Text(), nullable=False),
        sa.Column("ender", sa.Text(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["deployment_id"], ["deployment.id"], name=op.f("fk_deployment_end_deployment_id")),
        sa.PrimaryKeyConstraint("deployment_id", name=op.f("pk_deployment_end")),
        sa.UniqueConstraint("log_index", name=op.f("uq_deployment_end_log_index")),
    )
    op.create_table(
        "deployment_verdict",
        sa.Column("run_id", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("judged_at", INSTANT, nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", "decision_id", name=op.f("pk_deployment_verdict")),
    )
    op.create_table(
        "attestation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("subject_digest", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("stated_at", INSTANT, nullable=False),
        sa.Column("stated_by", sa.Text(), nullable=False),
        sa.Column("stater", sa.Text(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_attestation")),
        sa.UniqueConstraint("log_index", name=op.f("uq_attestation_log_index")),
    )
    op.create_index(op.f("ix_attestation_subject_digest_kind"), "attestation", ["subject_digest", "kind"])
    protect(APPEND_ONLY)


def downgrade() -> None:
    """Take the revision back."""
    unprotect(APPEND_ONLY)
    for table in (
        "attestation",
        "deployment_verdict",
        "deployment_end",
        "deployment",
        "revocation",
        "registered_model",
    ):
        op.drop_table(table)
