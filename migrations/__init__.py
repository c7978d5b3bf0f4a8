"""One Alembic tree for SQLite and PostgreSQL. Revisions import no application code."""
