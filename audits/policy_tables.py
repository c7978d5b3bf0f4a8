"""Tables of policies: versions and who wrote them, publications and who made them.

Both are append-only. That the author of a version does not publish it is held to by the database too, in a trigger.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from governance.database import BigId, Row


class PolicyVersionRow(Row):
    """One version of a policy as its author stored it; publications say whether and when it is in force.

    ``recorded_by`` is the author's stable id. Versions of before publications have neither a name of the author nor a
    leaf in the log.
    """

    __tablename__ = "policy_version"
    __table_args__ = (sa.Index("ix_policy_version_log_index", "log_index", unique=True),)

    name: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    version: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    digest: Mapped[str] = mapped_column(sa.ForeignKey("document.digest"))
    recorded_at: Mapped[datetime]
    recorded_by: Mapped[str] = mapped_column(sa.Text)
    author_name: Mapped[str | None] = mapped_column(sa.Text)
    log_index: Mapped[int | None] = mapped_column(sa.BigInteger)


class PolicyPublicationRow(Row):
    """A version that came to a stage, in the order of ``id``; ``published_by`` is the publisher's stable id."""

    __tablename__ = "policy_publication"
    __table_args__ = (
        sa.ForeignKeyConstraint(["name", "version"], ["policy_version.name", "policy_version.version"]),
        sa.UniqueConstraint("name", "version", "stage"),
        sa.CheckConstraint("stage IN ('shadow', 'warn', 'enforce', 'retire')", name="known_stage"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    version: Mapped[int]
    stage: Mapped[str] = mapped_column(sa.Text)
    note: Mapped[str] = mapped_column(sa.Text)
    published_at: Mapped[datetime]
    published_by: Mapped[str] = mapped_column(sa.Text)
    publisher_name: Mapped[str] = mapped_column(sa.Text)
    log_index: Mapped[int | None] = mapped_column(sa.BigInteger, unique=True)
