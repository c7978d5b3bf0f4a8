"""Stages of policies and who published them."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

from migrations.append_only import protect, unprotect

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

JSON = sa.JSON().with_variant(postgresql.JSONB(), "postgresql")
BIG_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
INSTANT = sa.DateTime(timezone=True)
APPEND_ONLY = ("policy_publication",)
REFUSAL = "the author of a policy does not publish it"


def upgrade() -> None:
    """Apply the revision."""
    op.add_column("policy_version", sa.Column("author_name", sa.Text(), nullable=True))
    op.add_column("policy_version", sa.Column("log_index", sa.BigInteger(), nullable=True))
    op.create_index("ix_policy_version_log_index", "policy_version", ["log_index"], unique=True)
    op.create_table(
        "policy_publication",
        sa.Column("id", BIG_ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("published_at", INSTANT, nullable=False),
        sa.Column("published_by", sa.Text(), nullable=False),
        sa.Column("publisher_name", sa.Text(), nullable=False),
        sa.Column("log_index", sa.BigInteger(), nullable=True),
        sa.CheckConstraint(
            "stage IN ('shadow', 'warn', 'enforce', 'retire')", name=op.f("ck_policy_publication_known_stage")
        ),
        sa.ForeignKeyConstraint(
            ["name", "version"],
            ["policy_version.name", "policy_version.version"],
            name=op.f("fk_policy_publication_name_version"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_policy_publication")),
        sa.UniqueConstraint("name", "version", "stage", name=op.f("uq_policy_publication_name_version_stage")),
        sa.UniqueConstraint("log_index", name=op.f("uq_policy_publication_log_index")),
    )
    op.add_column("evaluation", sa.Column("previews", JSON, nullable=True))
    op.add_column("evaluation", sa.Column("policy_gap", JSON, nullable=True))
    # Until now a version was in force from when it was recorded, whoever had written it. These rows come before the
    # trigger, since they are published by their authors.
    op.execute(
        "INSERT INTO policy_publication (name, version, stage, note, published_at, published_by, publisher_name) "
        "SELECT name, version, 'enforce', 'in force before publications were recorded', recorded_at, recorded_by, "
        "recorded_by FROM policy_version ORDER BY recorded_at, name, version"
    )
    protect(APPEND_ONLY)
    _keep_author_and_publisher_apart()


def downgrade() -> None:
    """Take the revision back."""
    if op.get_bind().dialect.name == "sqlite":
        op.execute("DROP TRIGGER policy_publication_not_by_author")
    else:
        op.execute("DROP TRIGGER policy_publication_not_by_author ON policy_publication")
        op.execute("DROP FUNCTION assay_not_by_author()")
    unprotect(APPEND_ONLY)
    op.drop_column("evaluation", "policy_gap")
    op.drop_column("evaluation", "previews")
    op.drop_table("policy_publication")
    op.drop_index("ix_policy_version_log_index", "policy_version")
    op.drop_column("policy_version", "log_index")
    op.drop_column("policy_version", "author_name")


def _keep_author_and_publisher_apart() -> None:
    same = (
        "EXISTS (SELECT 1 FROM policy_version WHERE name = NEW.name AND version = NEW.version "
        "AND recorded_by = NEW.published_by)"
    )
    if op.get_bind().dialect.name == "sqlite":
        op.execute(
            f"CREATE TRIGGER policy_publication_not_by_author BEFORE INSERT ON policy_publication WHEN {same} "
            f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )
        return
    op.execute(
        "CREATE FUNCTION assay_not_by_author() RETURNS trigger LANGUAGE plpgsql AS "
        f"$$ BEGIN IF {same} THEN RAISE EXCEPTION '{REFUSAL}' USING ERRCODE = 'check_violation'; END IF; "
        "RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER policy_publication_not_by_author BEFORE INSERT ON policy_publication "
        "FOR EACH ROW EXECUTE FUNCTION assay_not_by_author()"
    )
