"""Issued reports."""

import sqlalchemy as sa
from alembic import op

from migrations.append_only import protect, unprotect

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

APPEND_ONLY = ("report",)


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "report",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("dossier_digest", sa.Text(), nullable=False),
        sa.Column("format", sa.Text(), nullable=False),
        sa.Column("artifact_digest", sa.Text(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_report")),
        sa.UniqueConstraint("dossier_digest", "format", name=op.f("uq_report_dossier_digest_format")),
        sa.UniqueConstraint("log_index", name=op.f("uq_report_log_index")),
    )
    op.create_index("ix_report_decision_id", "report", ["decision_id", "format", "created_at"])
    protect(APPEND_ONLY)


def downgrade() -> None:
    """Take the revision back."""
    unprotect(APPEND_ONLY)
    op.drop_table("report")
