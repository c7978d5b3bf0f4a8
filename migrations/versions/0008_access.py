"""Keys have a holder, scopes and a last use; making and revoking them is on record; evaluations have poll tokens."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.append_only import protect, unprotect

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

UNJOINED = {
    "admin": (
        *("ci", "data_steward", "model_owner", "approver"),
        *("policy_author", "policy_publisher", "incident_responder"),
    ),
    "ci": ("approver", "incident_responder"),
}
"""Roles that no key may join, as they are with this revision."""


def _lacks(role: str) -> str:
    # Comparing with what is left without the role needs no operator that only one of the databases has.
    return f"replace(CAST(roles AS TEXT), '\"{role}\"', '') = CAST(roles AS TEXT)"


def _apart() -> str:
    return " AND ".join(
        f"({_lacks(role)} OR ({' AND '.join(_lacks(other) for other in others)}))" for role, others in UNJOINED.items()
    )


def upgrade() -> None:
    """Apply the revision. Keys that join roles which exclude one another are revoked."""
    document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
    op.add_column("service_key", sa.Column("subject", sa.Text(), nullable=True))
    op.add_column("service_key", sa.Column("scopes", document, nullable=True))
    op.add_column("service_key", sa.Column("last_used_at", sa.DateTime(timezone=True), nullable=True))
    op.add_column("service_key", sa.Column("request_key", sa.Text(), nullable=True))
    op.add_column("service_key", sa.Column("request_digest", sa.Text(), nullable=True))
    op.execute("UPDATE service_key SET subject = 'key:' || id, scopes = '[\"*\"]'")
    op.execute(
        f"UPDATE service_key SET revoked_at = CURRENT_TIMESTAMP "  # noqa: S608 - made of the constants above alone
        f"WHERE revoked_at IS NULL AND NOT ({_apart()})"
    )
    with op.batch_alter_table("service_key") as batch:
        batch.alter_column("subject", existing_type=sa.Text(), nullable=False)
        batch.alter_column("scopes", existing_type=document, nullable=False)
        batch.create_check_constraint("roles_apart", f"revoked_at IS NOT NULL OR ({_apart()})")
        batch.create_unique_constraint("uq_service_key_request_key", ["request_key"])
    op.create_index("ix_service_key_subject", "service_key", ["subject"])
    op.create_table(
        "service_key_act",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["service_key.id"], name="fk_service_key_act_key_id"),
        sa.PrimaryKeyConstraint("id", name="pk_service_key_act"),
        sa.UniqueConstraint("log_index", name="uq_service_key_act_log_index"),
    )
    op.create_index("ix_service_key_act_key", "service_key_act", ["key_id"])
    op.create_table(
        "poll_token",
        sa.Column("secret_hash", sa.LargeBinary(), nullable=False),
        sa.Column("evaluation_id", sa.Text(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("secret_hash", name="pk_poll_token"),
    )
    op.create_index("ix_poll_token_expires", "poll_token", ["expires_at"])
    protect(["service_key_act"])


def downgrade() -> None:
    """Take the revision back."""
    unprotect(["service_key_act"])
    op.drop_table("poll_token")
    op.drop_table("service_key_act")
    op.drop_index("ix_service_key_subject", "service_key")
    with op.batch_alter_table("service_key") as batch:
        batch.drop_constraint("uq_service_key_request_key", type_="unique")
        batch.drop_constraint("roles_apart", type_="check")
        for column in ("request_digest", "request_key", "last_used_at", "scopes", "subject"):
            batch.drop_column(column)
