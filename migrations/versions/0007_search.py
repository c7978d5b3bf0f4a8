"""Search over lineage, and declared data flow: what is direct, and what has been declared anew or deleted.

Search is FTS5 on SQLite and tsvector on PostgreSQL; ``assay lineage replay`` fills it.
"""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
    _flows()
    op.create_table(
        "lineage_search",
        sa.Column("node_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("parts", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", name=op.f("pk_lineage_search")),
    )
    if op.get_bind().dialect.name == "sqlite":
        # The words come cut and folded; the tokenizer only finds the spaces between them. An underscore begins the
        # words that stand for whole values.
        op.execute(
            "CREATE VIRTUAL TABLE lineage_search_words USING fts5"
            "(a, b, c, d, tokenize = \"ascii tokenchars '_'\", detail = column, columnsize = 0)"
        )
        return
    op.execute("CREATE TABLE lineage_search_words (id BIGINT PRIMARY KEY, words TSVECTOR NOT NULL)")
    op.execute("CREATE INDEX ix_lineage_search_words_words ON lineage_search_words USING gin (words)")


def downgrade() -> None:
    """Take the revision back."""
    op.execute("DROP TABLE lineage_search_words")
    op.drop_table("lineage_search")
    for end in ("source", "target"):
        op.drop_index(op.f(f"ix_lineage_flow_edge_direct_{end}"), "lineage_flow_edge")
    op.drop_table("lineage_statement")


def _flows() -> None:
    op.create_table(
        "lineage_statement",
        sa.Column("job_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("target_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stamp", sa.LargeBinary(), nullable=False),
        sa.Column("is_end", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", "target_id", "stamp", name=op.f("pk_lineage_statement")),
    )
    condition = sa.text("is_explicit >= 2")
    for end, other in (("source", "target"), ("target", "source")):
        op.create_index(
            op.f(f"ix_lineage_flow_edge_direct_{end}"),
            "lineage_flow_edge",
            [f"{end}_id", f"{other}_id"],
            unique=False,
            sqlite_where=condition,
            postgresql_where=condition,
        )
