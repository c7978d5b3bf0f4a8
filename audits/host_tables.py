"""Tables of CI hosts: which revision an evaluation was asked for, and who waits for an answer about one."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from governance.database import Document, Row
from governance.jobs.lease import LeasedRow


class RevisionRow(Row):
    """The commit that an enforced evaluation named in its context, with the model and environment it is about."""

    __tablename__ = "evaluation_revision"
    __table_args__ = (sa.Index(None, "revision", "evaluation_id"),)

    evaluation_id: Mapped[str] = mapped_column(sa.ForeignKey("evaluation.id"), primary_key=True)
    revision: Mapped[str] = mapped_column(sa.Text)
    environment: Mapped[str] = mapped_column(sa.Text)
    model: Mapped[str] = mapped_column(sa.Text)


class CallbackRow(LeasedRow, Row):
    """A host that asked whether a revision may go on, and is to be told.

    ``models`` are those that the revision must have a valid decision about. At ``deadline`` what is missing counts as a
    no. ``state`` ends as ``delivered`` or ``dead``; ``answer`` is what the host was told, ``status`` and ``fault`` are
    those of the last try.
    """

    __tablename__ = "host_callback"
    __table_args__ = (sa.Index(None, "state", "not_before"),)

    host: Mapped[str] = mapped_column(sa.Text)
    repository: Mapped[str] = mapped_column(sa.Text)
    revision: Mapped[str] = mapped_column(sa.Text)
    environment: Mapped[str] = mapped_column(sa.Text)
    models: Mapped[list[str]] = mapped_column(Document)
    target: Mapped[dict[str, Any]]
    asked_at: Mapped[datetime]
    not_before: Mapped[datetime]
    tried_at: Mapped[datetime | None]
    tries: Mapped[int] = mapped_column(sa.Integer)
    answer: Mapped[str | None] = mapped_column(sa.Text)
    status: Mapped[int | None] = mapped_column(sa.Integer)
    fault: Mapped[str | None] = mapped_column(sa.Text)
    ended_at: Mapped[datetime | None]
