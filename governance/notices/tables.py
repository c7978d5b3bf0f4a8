"""Tables of notices: what was announced, who is to be told, and how each delivery went."""

from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from governance.database import BigId, Document, Row
from governance.jobs.lease import LeasedRow


class NoticeRow(Row):
    """Something that happened, as the event that tells of it. ``seq`` orders; ``id`` is the event's own."""

    __tablename__ = "notice"

    seq: Mapped[int] = mapped_column(BigId, primary_key=True)
    id: Mapped[str] = mapped_column(sa.Text, unique=True)
    type: Mapped[str] = mapped_column(sa.Text)
    subject: Mapped[str] = mapped_column(sa.Text)
    data: Mapped[dict[str, Any]]
    announced_at: Mapped[datetime]


class WebhookRow(Row):
    """An address that is told. ``types`` is empty for all events; ``ended_at`` is set when nothing more is sent.

    ``secret`` must be readable, since every delivery is signed with it; whoever reads the database can sign as well.
    """

    __tablename__ = "webhook"

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    url: Mapped[str] = mapped_column(sa.Text)
    types: Mapped[list[str]] = mapped_column(Document)
    secret: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime]
    created_by: Mapped[str] = mapped_column(sa.Text)
    creator: Mapped[str] = mapped_column(sa.Text)
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(sa.Text)


class DeliveryRow(LeasedRow, Row):
    """One notice on its way to one webhook, and how the last try went.

    ``id`` sorts in the order of the notices; ``state`` ends as ``delivered`` or ``dead``. Before ``not_before`` it is
    not tried; ``status`` and ``fault`` are those of the last try.
    """

    __tablename__ = "webhook_delivery"
    __table_args__ = (sa.Index(None, "state", "webhook_id", "id"), sa.Index(None, "webhook_id", "id"))

    webhook_id: Mapped[str] = mapped_column(sa.ForeignKey("webhook.id"))
    notice_seq: Mapped[int] = mapped_column(sa.BigInteger, sa.ForeignKey("notice.seq"))
    not_before: Mapped[datetime]
    tried_at: Mapped[datetime | None]
    status: Mapped[int | None] = mapped_column(sa.Integer)
    fault: Mapped[str | None] = mapped_column(sa.Text)
    ended_at: Mapped[datetime | None]
