"""Waivers, approvals, reviews and break-glass grants."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.append_only import protect, unprotect

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)
TABLES = (
    "waiver",
    "waiver_approval",
    "waiver_revocation",
    "evaluation_act",
    "break_glass",
    "break_glass_review",
    "gate_refusal",
)
APART = {
    "waiver_approval": (
        "EXISTS (SELECT 1 FROM waiver WHERE id = NEW.waiver_id AND by_id = NEW.by_id)",
        "the requester of a waiver does not approve it",
    ),
    "evaluation_act": (
        "EXISTS (SELECT 1 FROM evaluation WHERE id = NEW.evaluation_id AND principal = NEW.by_id)",
        "whoever asked the gate does not approve or review",
    ),
    "break_glass_review": (
        "EXISTS (SELECT 1 FROM break_glass WHERE id = NEW.grant_id AND by_id = NEW.by_id)",
        "the user of a grant does not review it",
    ),
}
"""Rows that are refused, by table: the condition and what it says."""


def upgrade() -> None:
    """Apply the revision."""
    _waivers()
    _acts()
    _grants()
    op.add_column("evaluation", sa.Column("awaiting", JSON, nullable=True))
    protect(TABLES)
    for table, (condition, message) in APART.items():
        _keep_apart(table, condition, message)


def downgrade() -> None:
    """Take the revision back."""
    for table in APART:
        if op.get_bind().dialect.name == "sqlite":
            op.execute(f"DROP TRIGGER {table}_apart")
        else:
            op.execute(f"DROP TRIGGER {table}_apart ON {table}")
            op.execute(f"DROP FUNCTION assay_{table}_apart()")
    unprotect(TABLES)
    op.drop_column("evaluation", "awaiting")
    for table in reversed(TABLES):
        op.drop_table(table)


def _signed(table: str) -> list[sa.Column[object] | sa.UniqueConstraint]:
    return [
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("by_id", sa.Text(), nullable=False),
        sa.Column("by_name", sa.Text(), nullable=False),
        sa.Column("recorded_at", INSTANT, nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=False),
        sa.UniqueConstraint("log_index", name=op.f(f"uq_{table}_log_index")),
    ]


def _within(start: str, end: str, hours: int) -> str:
    """That ``end`` lies after ``start``, at most so many hours; SQLite keeps instants as text, to the microsecond."""
    if op.get_bind().dialect.name == "sqlite":
        # Julian days are floating point: a second of slack is far less than what the rule is about.
        return f"{end} > {start} AND julianday({end}) - julianday({start}) <= {hours} / 24.0 + 1 / 86400.0"
    return f"{end} > {start} AND {end} <= {start} + interval '{hours} hours'"


def _waivers() -> None:
    op.create_table(
        "waiver",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("namespace", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("subject_digest", sa.Text(), nullable=True),
        sa.Column("environment", sa.Text(), nullable=False),
        sa.Column("not_before", INSTANT, nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        *_signed("waiver"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiver")),
        sa.CheckConstraint(_within("not_before", "expires_at", 90 * 24), name=op.f("ck_waiver_term")),
    )
    op.create_index("ix_waiver_digest", "waiver", ["subject_digest", "environment"])
    op.create_index("ix_waiver_model", "waiver", ["model", "environment"])
    op.create_table(
        "waiver_approval",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("waiver_id", sa.Text(), nullable=False),
        *_signed("waiver_approval"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_waiver_approval")),
        sa.ForeignKeyConstraint(["waiver_id"], ["waiver.id"], name=op.f("fk_waiver_approval_waiver_id")),
        sa.UniqueConstraint("waiver_id", "by_id", name=op.f("uq_waiver_approval_waiver_id_by_id")),
    )
    op.create_table(
        "waiver_revocation",
        sa.Column("waiver_id", sa.Text(), nullable=False),
        *_signed("waiver_revocation"),
        sa.PrimaryKeyConstraint("waiver_id", name=op.f("pk_waiver_revocation")),
        sa.ForeignKeyConstraint(["waiver_id"], ["waiver.id"], name=op.f("fk_waiver_revocation_waiver_id")),
    )


def _acts() -> None:
    op.create_table(
        "evaluation_act",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("evaluation_id", sa.Text(), nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("approved_digest", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        *_signed("evaluation_act"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evaluation_act")),
        sa.ForeignKeyConstraint(["evaluation_id"], ["evaluation.id"], name=op.f("fk_evaluation_act_evaluation_id")),
        sa.UniqueConstraint(
            "evaluation_id",
            "act",
            "approved_digest",
            "by_id",
            name=op.f("uq_evaluation_act_evaluation_id_act_approved_digest_by_id"),
        ),
        sa.CheckConstraint("act IN ('approval', 'review')", name=op.f("ck_evaluation_act_known_act")),
        sa.CheckConstraint("verdict IN ('approve', 'accept', 'reject')", name=op.f("ck_evaluation_act_known_verdict")),
    )
    op.create_table(
        "gate_refusal",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("act", sa.Text(), nullable=False),
        sa.Column("object", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        *_signed("gate_refusal"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gate_refusal")),
    )


def _grants() -> None:
    op.create_table(
        "break_glass",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("decision_id", sa.Text(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        *_signed("break_glass"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_break_glass")),
        sa.ForeignKeyConstraint(["decision_id"], ["decision.id"], name=op.f("fk_break_glass_decision_id")),
        sa.CheckConstraint(_within("recorded_at", "expires_at", 4), name=op.f("ck_break_glass_term")),
    )
    op.create_index("ix_break_glass_decision", "break_glass", ["decision_id"])
    op.create_table(
        "break_glass_review",
        sa.Column("grant_id", sa.Text(), nullable=False),
        sa.Column("verdict", sa.Text(), nullable=False),
        *_signed("break_glass_review"),
        sa.PrimaryKeyConstraint("grant_id", name=op.f("pk_break_glass_review")),
        sa.ForeignKeyConstraint(["grant_id"], ["break_glass.id"], name=op.f("fk_break_glass_review_grant_id")),
        sa.CheckConstraint(
            "verdict IN ('justified', 'not_justified')", name=op.f("ck_break_glass_review_known_verdict")
        ),
    )


def _keep_apart(table: str, condition: str, message: str) -> None:
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER {table}_apart BEFORE INSERT ON {table} WHEN {condition} "
            f"BEGIN SELECT RAISE(ABORT, '{message}'); END"
        )
        return
    op.execute(
        f"CREATE FUNCTION assay_{table}_apart() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {condition} THEN RAISE EXCEPTION '{message}' USING ERRCODE = 'check_violation'; END IF; "
        "RETURN NEW; END $$"
    )
    op.execute(
        f"CREATE TRIGGER {table}_apart BEFORE INSERT ON {table} FOR EACH ROW EXECUTE FUNCTION assay_{table}_apart()"
    )
