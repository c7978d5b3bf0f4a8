"""Search over lineage: FTS5 on SQLite, tsvector on PostgreSQL; ``assay lineage replay`` fills it."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Apply the revision."""
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
