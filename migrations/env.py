"""How revisions are run: the same tree on SQLite (batch mode) and PostgreSQL (under an advisory lock)."""

import importlib
from typing import Any, Literal

import sqlalchemy as sa
from alembic import context

from governance.database import Row, UTCDateTime, _engine

LOCK = 0x617373
"""Advisory lock of migrations, so that two starting servers do not race; any number that nobody else uses."""

TABLES = (
    "governance.access.tables",
    "governance.log.tables",
    "governance.notices.tables",
    "governance.registry.tables",
    "lineage.tables",
    "lineage.fact_tables",
    "lineage.record_tables",
    "audits.tables",
    "audits.host_tables",
    "audits.people_tables",
    "audits.policy_tables",
    "audits.life_tables",
    "reports.tables",
)
OTHERS = {"procrastinate"}
"""Schemas that belong to other software and are left out of the comparison."""


def _url() -> str:
    url = context.config.attributes.get("url") or context.get_x_argument(as_dictionary=True).get("url")
    if not url:
        raise SystemExit("Name the database: alembic -x url=sqlite:///assay.db ...")
    return str(url)


def _render_item(kind: str, item: Any, _autogen: Any) -> str | Literal[False]:
    """Write plain SQLAlchemy types into revisions, so that old ones never import application code."""
    if kind == "type" and isinstance(item, UTCDateTime):
        return "sa.DateTime(timezone=True)"
    if kind == "type" and isinstance(item, sa.JSON):
        return 'sa.JSON().with_variant(postgresql.JSONB(), "postgresql")'
    return False


INDEXED_WORDS = "lineage_search_words"
"""Differs between the databases, and SQLite keeps it in tables of its own, so the tables in code do not name it."""


def _include_name(name: str | None, kind: str, _parents: Any) -> bool:
    is_of_search = kind == "table" and (name or "").startswith(INDEXED_WORDS)
    return not is_of_search and not (kind == "schema" and name in OTHERS)


def _configure(**options: Any) -> None:
    for module in TABLES:
        importlib.import_module(module)
    context.configure(
        target_metadata=Row.metadata,
        compare_type=True,
        compare_server_default=True,
        transaction_per_migration=True,
        render_item=_render_item,
        include_name=_include_name,
        **options,
    )


def _offline() -> None:
    url = _url()
    _configure(url=url, literal_binds=True, render_as_batch=url.startswith("sqlite"))
    with context.begin_transaction():
        context.run_migrations()


def _online() -> None:
    engine = _engine(sa.make_url(_url()), 2)
    sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as connection:
        if sqlite:
            # PRAGMA foreign_keys does nothing inside a transaction, so it goes to the driver before one begins.
            driver = connection.connection.dbapi_connection
            if driver is None:
                raise RuntimeError("the database connection closed before the migration began")
            driver.cursor().execute("PRAGMA foreign_keys=OFF")
        else:
            connection.execute(sa.text("SET lock_timeout='5s'"))
            connection.execute(sa.text("SELECT pg_advisory_lock(:key)"), {"key": LOCK})
            connection.commit()
        try:
            _configure(connection=connection, render_as_batch=sqlite)
            with context.begin_transaction():
                context.run_migrations()
            if sqlite and connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
                raise RuntimeError("the migration left rows that point nowhere")
        finally:
            if not sqlite:
                connection.rollback()
                connection.execute(sa.text("SELECT pg_advisory_unlock(:key)"), {"key": LOCK})
                connection.commit()
    engine.dispose()


if context.is_offline_mode():
    _offline()
else:
    _online()
