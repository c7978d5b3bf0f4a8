"""Tables of reports. Append-only: triggers on both databases refuse changes."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from governance.database import Row


class ReportRow(Row):
    """One issued report: which dossier, in which format, its bytes by digest, and its leaf in the log."""

    __tablename__ = "report"
    __table_args__ = (
        sa.UniqueConstraint("dossier_digest", "format"),
        sa.Index("ix_report_decision_id", "decision_id", "format", "created_at"),
    )

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    decision_id: Mapped[str] = mapped_column(sa.Text)
    dossier_digest: Mapped[str] = mapped_column(sa.Text)
    format: Mapped[str] = mapped_column(sa.Text)
    artifact_digest: Mapped[str] = mapped_column(sa.Text)
    created_at: Mapped[datetime]
    log_index: Mapped[int] = mapped_column(sa.BigInteger, unique=True)
