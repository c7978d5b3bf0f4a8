"""Tables of what was done with events: what was forwarded to others, and what was pruned. No replay touches them."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from governance.database import BigId, Row
from governance.jobs.lease import LeasedRow


class OutboxRow(LeasedRow, Row):
    """An event of Assay's own that is to be sent on (``lineage.outbox``).

    ``id`` sorts in the order in which events are to be sent; ``state`` ends as ``delivered`` or ``dead``. ``lane``
    names what keeps its order: the run. Before ``not_before`` it is not tried; ``fault`` is why the last try failed.
    """

    __tablename__ = "lineage_outbox"
    __table_args__ = (sa.Index(None, "state", "not_before"), sa.Index(None, "lane", "id"))

    event_id: Mapped[int] = mapped_column(sa.BigInteger, unique=True)
    lane: Mapped[str] = mapped_column(sa.Text)
    enqueued_at: Mapped[datetime]
    not_before: Mapped[datetime]
    fault: Mapped[str | None] = mapped_column(sa.Text)
    ended_at: Mapped[datetime | None]


class PruningRow(Row):
    """Facets were taken out of stored events: when, by whom, by which rule and why. Append-only.

    ``target`` is what was asked for, as JSON. The record's leaf in the log covers these columns and, of each event,
    its digest and that of its residue (``lineage.prunings``).
    """

    __tablename__ = "lineage_pruning"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    rule: Mapped[str] = mapped_column(sa.Text)
    reason: Mapped[str] = mapped_column(sa.Text)
    actor: Mapped[str] = mapped_column(sa.Text)
    target: Mapped[bytes] = mapped_column(sa.LargeBinary)
    pruned_at: Mapped[datetime]


class PrunedEventRow(Row):
    """A pruning took facets out of this event; ``residue_digest`` is the SHA-256 of what stayed. Append-only."""

    __tablename__ = "lineage_pruned_event"
    __table_args__ = (sa.Index(None, "pruning_id"),)

    event_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    pruning_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    residue_digest: Mapped[bytes] = mapped_column(sa.LargeBinary)


class SweepRow(Row):
    """How far the sweep by age has come: every event up to ``swept_through`` was looked at."""

    __tablename__ = "lineage_sweep"

    id: Mapped[int] = mapped_column(sa.Integer, primary_key=True, autoincrement=False)
    swept_through: Mapped[int] = mapped_column(sa.BigInteger)


class UnfinishedRow(Row):
    """The sweep by age left something of this event, since it was in force; it looks again a day later."""

    __tablename__ = "lineage_unfinished"
    __table_args__ = (sa.Index(None, "looked_at"),)

    event_id: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    looked_at: Mapped[datetime]
