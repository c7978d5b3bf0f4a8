"""Documents, policies, evidence, measurements, evaluations and decisions."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.append_only import protect, unprotect

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)
APPEND_ONLY = ("document", "policy_version", "evidence", "measurement", "decision")


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "document",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_document")),
    )
    op.create_table(
        "policy_version",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("recorded_by", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["document.digest"], name=op.f("fk_policy_version_digest")),
        sa.PrimaryKeyConstraint("name", "version", name=op.f("pk_policy_version")),
    )
    op.create_table(
        "evidence",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("manifest_digest", sa.Text(), nullable=False),
        sa.Column("subject_digest", sa.Text(), nullable=False),
        sa.Column("submitted_at", INSTANT, nullable=False),
        sa.Column("submitted_by", sa.Text(), nullable=False),
        sa.Column("signer", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(["manifest_digest"], ["document.digest"], name=op.f("fk_evidence_manifest_digest")),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_evidence")),
    )
    op.create_index("ix_evidence_subject", "evidence", ["subject_digest", "submitted_at"])
    op.create_table(
        "measurement",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("check_id", sa.Text(), nullable=False),
        sa.Column("check_version", sa.Text(), nullable=False),
        sa.Column("manifest_digest", sa.Text(), nullable=False),
        sa.Column("measured_with_digest", sa.Text(), nullable=False),
        sa.Column("origin", sa.Text(), nullable=False),
        sa.Column("signer", sa.Text(), nullable=True),
        sa.Column("evidence_digest", sa.Text(), nullable=True),
        sa.Column("collected_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["document.digest"], name=op.f("fk_measurement_digest")),
        sa.ForeignKeyConstraint(["evidence_digest"], ["evidence.digest"], name=op.f("fk_measurement_evidence_digest")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_measurement")),
    )
    op.create_index("ix_measurement_key", "measurement", ["manifest_digest", "check_id", "measured_with_digest"])
    op.create_table(
        "evaluation",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("principal", sa.Text(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=False),
        sa.Column("body_digest", sa.Text(), nullable=False),
        sa.Column("request", JSON, nullable=False),
        sa.Column("policy_name", sa.Text(), nullable=True),
        sa.Column("policy_version", sa.Integer(), nullable=True),
        sa.Column("policy_digest", sa.Text(), nullable=True),
        sa.Column("manifest_digest", sa.Text(), nullable=True),
        sa.Column("evidence", JSON, nullable=False),
        sa.Column("nonce", sa.Text(), nullable=False),
        sa.Column("requested_at", INSTANT, nullable=False),
        sa.Column("faults", JSON, nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("deadline", INSTANT, nullable=True),
        sa.Column("leased_by", sa.Text(), nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("leased_until", INSTANT, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["policy_digest"], ["document.digest"], name=op.f("fk_evaluation_policy_digest")),
        sa.ForeignKeyConstraint(["manifest_digest"], ["document.digest"], name=op.f("fk_evaluation_manifest_digest")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation")),
        sa.UniqueConstraint("principal", "idempotency_key", name=op.f("uq_evaluation_principal_idempotency_key")),
    )
    op.create_index("ix_evaluation_state", "evaluation", ["state", "leased_until"])
    op.create_table(
        "decision",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("evaluation_id", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("subject_digest", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("mode", sa.Text(), nullable=False),
        sa.Column("evaluated_at", INSTANT, nullable=False),
        sa.Column("valid_until", INSTANT, nullable=True),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["document.digest"], name=op.f("fk_decision_digest")),
        sa.ForeignKeyConstraint(["evaluation_id"], ["evaluation.id"], name=op.f("fk_decision_evaluation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_decision")),
        sa.UniqueConstraint("evaluation_id", name=op.f("uq_decision_evaluation_id")),
        sa.UniqueConstraint("log_index", name=op.f("uq_decision_log_index")),
    )
    op.create_index("ix_decision_subject", "decision", ["subject_digest", "environment", "evaluated_at"])
    protect(APPEND_ONLY)


def downgrade() -> None:
    """Take the revision back."""
    unprotect(APPEND_ONLY)
    for table in ("decision", "evaluation", "measurement", "evidence", "policy_version", "document"):
        op.drop_table(table)
