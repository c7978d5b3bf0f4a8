"""Bringing a database to the revision of this version, and refusing to run on another."""

from alembic import command
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from governance._siblings import activate, home
from governance.database import Database
from governance.errors import WrongRevision


def configuration(url: str) -> Config:
    """Alembic's configuration for ``url``; the same tree serves both databases."""
    activate()  # revisions import ``migrations``, which a neighbour in the environment may have too
    config = Config()
    config.set_main_option("script_location", str(home() / "migrations").replace("%", "%%"))
    config.attributes["url"] = url
    return config


def upgrade(url: str, revision: str = "head") -> None:
    """Bring the database at ``url`` to ``revision``; running it twice changes nothing."""
    command.upgrade(configuration(url), revision)


def downgrade(url: str, revision: str) -> None:
    """Take the database at ``url`` back to ``revision``."""
    command.downgrade(configuration(url), revision)


def current_revision(database: Database) -> str | None:
    """The revision the database is at; None when it is empty."""
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def head_revision() -> str | None:
    """The newest revision this version ships."""
    return ScriptDirectory.from_config(configuration("sqlite://")).get_current_head()


def require_head(database: Database) -> None:
    """Return when the database is at this version's revision.

    Raises:
        WrongRevision: it is not; the message names the command that mends it.
    """
    found, wanted = current_revision(database), head_revision()
    if found != wanted:
        raise WrongRevision(
            expected=f"database revision {wanted}",
            found=found or "an empty database",
            remedy="Run `assay db upgrade` with this version, or the version that wrote the database.",
        )
