"""Tables of the registry. They are append-only; triggers on both databases refuse changes."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from governance.database import Row


class SchemaVersionRow(Row):
    """One version of a schema: its RFC 8785 bytes, who registered it, and its place in the log."""

    __tablename__ = "schema_version"

    name: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    version: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(sa.Text)
    body: Mapped[bytes] = mapped_column(sa.LargeBinary)
    registered_at: Mapped[datetime]
    registered_by: Mapped[str] = mapped_column(sa.Text)
    log_index: Mapped[int] = mapped_column(sa.BigInteger, unique=True)


class RegisteredModelRow(Row):
    """A registered model version: its RFC 8785 bytes, what is asked for by column, and its place in the log.

    ``identity`` and ``model`` are digests of (namespace, name, version) and (namespace, name): names may be longer than
    what an index takes.
    """

    __tablename__ = "registered_model"

    digest: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    identity: Mapped[str] = mapped_column(sa.Text, unique=True)
    model: Mapped[str] = mapped_column(sa.Text, index=True)
    namespace: Mapped[str] = mapped_column(sa.Text)
    name: Mapped[str] = mapped_column(sa.Text)
    version: Mapped[str] = mapped_column(sa.Text)
    risk_tier: Mapped[str] = mapped_column(sa.Text)
    objective: Mapped[str] = mapped_column(sa.Text)
    body: Mapped[bytes] = mapped_column(sa.LargeBinary)
    registered_at: Mapped[datetime]
    registered_by: Mapped[str] = mapped_column(sa.Text)
    registrar: Mapped[str] = mapped_column(sa.Text)
    log_index: Mapped[int] = mapped_column(sa.BigInteger, unique=True)
