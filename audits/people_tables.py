"""Tables of what people do at the gate: waivers, approvals, reviews, break-glass grants, and acts that were refused.

All are append-only. The migration holds them to separation of duties, terms and one act a person besides, in checks and
triggers that differ between databases and are therefore written there.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from governance.database import BigId, Row


class Signed:
    """Columns of an act: its document as canonical bytes, their digest, who did it, when, and its leaf in the log."""

    digest: Mapped[str] = mapped_column(sa.Text)
    body: Mapped[bytes] = mapped_column(sa.LargeBinary)
    by_id: Mapped[str] = mapped_column(sa.Text)
    by_name: Mapped[str] = mapped_column(sa.Text)
    recorded_at: Mapped[datetime]
    log_index: Mapped[int] = mapped_column(sa.BigInteger, unique=True)


class WaiverRow(Signed, Row):
    """A waiver as it was asked for; ``subject_digest`` is null where it is about a range of versions."""

    __tablename__ = "waiver"
    __table_args__ = (
        sa.Index("ix_waiver_digest", "subject_digest", "environment"),
        sa.Index("ix_waiver_model", "model", "environment"),
    )

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    namespace: Mapped[str] = mapped_column(sa.Text)
    name: Mapped[str] = mapped_column(sa.Text)
    model: Mapped[str] = mapped_column(sa.Text)
    subject_digest: Mapped[str | None] = mapped_column(sa.Text)
    environment: Mapped[str] = mapped_column(sa.Text)
    not_before: Mapped[datetime]
    expires_at: Mapped[datetime]


class WaiverApprovalRow(Signed, Row):
    """Somebody's yes to a waiver."""

    __tablename__ = "waiver_approval"
    __table_args__ = (sa.UniqueConstraint("waiver_id", "by_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    waiver_id: Mapped[str] = mapped_column(sa.ForeignKey("waiver.id"))


class WaiverRevocationRow(Signed, Row):
    """The end of a waiver before its time."""

    __tablename__ = "waiver_revocation"

    waiver_id: Mapped[str] = mapped_column(sa.ForeignKey("waiver.id"), primary_key=True)


class EvaluationActRow(Signed, Row):
    """An approval or a review of what ``approved_digest`` names; one a person, kind and digest."""

    __tablename__ = "evaluation_act"
    __table_args__ = (
        sa.UniqueConstraint("evaluation_id", "act", "approved_digest", "by_id"),
        sa.CheckConstraint("act IN ('approval', 'review')", name="known_act"),
        sa.CheckConstraint("verdict IN ('approve', 'accept', 'reject')", name="known_verdict"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    evaluation_id: Mapped[str] = mapped_column(sa.ForeignKey("evaluation.id"))
    act: Mapped[str] = mapped_column(sa.Text)
    approved_digest: Mapped[str] = mapped_column(sa.Text)
    verdict: Mapped[str] = mapped_column(sa.Text)


class BreakGlassRow(Signed, Row):
    """A grant beside a decision that does not allow; it begins when it is recorded."""

    __tablename__ = "break_glass"
    __table_args__ = (sa.Index("ix_break_glass_decision", "decision_id"),)

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    decision_id: Mapped[str] = mapped_column(sa.ForeignKey("decision.id"))
    expires_at: Mapped[datetime]


class BreakGlassReviewRow(Signed, Row):
    """What somebody else found of a grant; a grant without one is an open review."""

    __tablename__ = "break_glass_review"
    __table_args__ = (sa.CheckConstraint("verdict IN ('justified', 'not_justified')", name="known_verdict"),)

    grant_id: Mapped[str] = mapped_column(sa.ForeignKey("break_glass.id"), primary_key=True)
    verdict: Mapped[str] = mapped_column(sa.Text)


class GateRefusalRow(Signed, Row):
    """An act that was refused to somebody, kept although nothing else of the attempt is."""

    __tablename__ = "gate_refusal"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    act: Mapped[str] = mapped_column(sa.Text)
    object: Mapped[str] = mapped_column(sa.Text)
    code: Mapped[str] = mapped_column(sa.Text)
