"""Signing keys over time, and cosignatures of witnesses."""

import sqlalchemy as sa
from alembic import op

from migrations.append_only import protect, unprotect

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

APPEND_ONLY = ("log_cosignature", "log_key")


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "log_cosignature",
        sa.Column("tree_size", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("witness", sa.Text(), nullable=False),
        sa.Column("line", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("tree_size", "witness", name=op.f("pk_log_cosignature")),
        sa.ForeignKeyConstraint(["tree_size"], ["log_checkpoint.tree_size"], name=op.f("fk_log_cosignature_tree_size")),
    )
    op.create_table(
        "log_key",
        sa.Column("log_index", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("purpose", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("keyid", sa.Text(), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("log_index", name=op.f("pk_log_key")),
        sa.ForeignKeyConstraint(["log_index"], ["log_entry.leaf_index"], name=op.f("fk_log_key_log_index")),
    )
    protect(APPEND_ONLY)


def downgrade() -> None:
    """Take the revision back."""
    unprotect(APPEND_ONLY)
    for table in APPEND_ONLY:
        op.drop_table(table)
