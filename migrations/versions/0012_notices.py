"""Events for people and machines outside, and where they go."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BigId = sa.BigInteger().with_variant(sa.Integer, "sqlite")
Document = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
Instant = sa.DateTime(timezone=True)


def upgrade() -> None:
    """Apply the revision."""
    op.create_table(
        "notice",
        sa.Column("seq", BigId, nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("data", Document, nullable=False),
        sa.Column("announced_at", Instant, nullable=False),
        sa.PrimaryKeyConstraint("seq", name=op.f("pk_notice")),
        sa.UniqueConstraint("id", name=op.f("uq_notice_id")),
    )
    op.create_table(
        "webhook",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("types", Document, nullable=False),
        sa.Column("secret", sa.Text(), nullable=False),
        sa.Column("created_at", Instant, nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("creator", sa.Text(), nullable=False),
        sa.Column("ended_at", Instant, nullable=True),
        sa.Column("ended_by", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_webhook")),
    )
    _leased(
        "webhook_delivery",
        sa.Column("webhook_id", sa.Text(), nullable=False),
        sa.Column("notice_seq", sa.BigInteger(), nullable=False),
        sa.Column("not_before", Instant, nullable=False),
        sa.Column("tried_at", Instant, nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("ended_at", Instant, nullable=True),
        sa.ForeignKeyConstraint(["webhook_id"], ["webhook.id"], name=op.f("fk_webhook_delivery_webhook_id")),
        sa.ForeignKeyConstraint(["notice_seq"], ["notice.seq"], name=op.f("fk_webhook_delivery_notice_seq")),
    )
    op.create_index(op.f("ix_webhook_delivery_state_webhook_id_id"), "webhook_delivery", ["state", "webhook_id", "id"])
    op.create_index(op.f("ix_webhook_delivery_webhook_id_id"), "webhook_delivery", ["webhook_id", "id"])
    _hosts()


def downgrade() -> None:
    """Take the revision back."""
    op.drop_table("host_callback")
    op.drop_table("evaluation_revision")
    op.drop_table("webhook_delivery")
    op.drop_table("webhook")
    op.drop_table("notice")


def _hosts() -> None:
    """Which commit an evaluation was asked for, and the CI hosts that wait for an answer about one."""
    op.create_table(
        "evaluation_revision",
        sa.Column("evaluation_id", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["evaluation_id"], ["evaluation.id"], name=op.f("fk_evaluation_revision_evaluation_id")
        ),
        sa.PrimaryKeyConstraint("evaluation_id", name=op.f("pk_evaluation_revision")),
    )
    op.create_index(
        op.f("ix_evaluation_revision_revision_evaluation_id"), "evaluation_revision", ["revision", "evaluation_id"]
    )
    _leased(
        "host_callback",
        sa.Column("host", sa.Text(), nullable=False),
        sa.Column("repository", sa.Text(), nullable=False),
        sa.Column("revision", sa.Text(), nullable=False),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("models", Document, nullable=False),
        sa.Column("target", Document, nullable=False),
        sa.Column("asked_at", Instant, nullable=False),
        sa.Column("not_before", Instant, nullable=False),
        sa.Column("tried_at", Instant, nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("fault", sa.Text(), nullable=True),
        sa.Column("ended_at", Instant, nullable=True),
    )
    op.create_index(op.f("ix_host_callback_state_not_before"), "host_callback", ["state", "not_before"])


def _leased(name: str, *columns: sa.Column[object] | sa.Constraint) -> None:
    """A table of work with its lease."""
    op.create_table(
        name,
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("deadline", Instant, nullable=True),
        sa.Column("leased_by", sa.Text(), nullable=True),
        sa.Column("lease_token", sa.Text(), nullable=True),
        sa.Column("leased_until", Instant, nullable=True),
        sa.Column("attempts", sa.Integer(), nullable=False),
        *columns,
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{name}")),
    )
