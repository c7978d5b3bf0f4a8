"""Tables of the gate: content-addressed documents, evidence, measurements, evaluations and decisions.

All but the evaluation, whose row is work in progress, are append-only; triggers on both databases refuse changes.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from governance.database import Document, Row
from governance.jobs.lease import LeasedRow


class DocumentRow(Row):
    """The RFC 8785 bytes of a value, by their digest."""

    __tablename__ = "document"

    digest: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text)
    body: Mapped[bytes] = mapped_column(sa.LargeBinary)


class EvidenceRow(Row):
    """A manifest to be measured, or a signed test result."""

    __tablename__ = "evidence"
    __table_args__ = (sa.Index("ix_evidence_subject", "subject_digest", "submitted_at"),)

    digest: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    kind: Mapped[str] = mapped_column(sa.Text)
    manifest_digest: Mapped[str] = mapped_column(sa.ForeignKey("document.digest"))
    subject_digest: Mapped[str] = mapped_column(sa.Text)
    submitted_at: Mapped[datetime]
    submitted_by: Mapped[str] = mapped_column(sa.Text)
    signer: Mapped[str | None] = mapped_column(sa.Text)


class MeasurementRow(Row):
    """One measurement, found again by what shaped it."""

    __tablename__ = "measurement"
    __table_args__ = (sa.Index("ix_measurement_key", "manifest_digest", "check_id", "measured_with_digest"),)

    id: Mapped[int] = mapped_column(sa.BigInteger().with_variant(sa.Integer, "sqlite"), primary_key=True)
    digest: Mapped[str] = mapped_column(sa.ForeignKey("document.digest"))
    check_id: Mapped[str] = mapped_column(sa.Text)
    check_version: Mapped[str] = mapped_column(sa.Text)
    manifest_digest: Mapped[str] = mapped_column(sa.Text)
    measured_with_digest: Mapped[str] = mapped_column(sa.Text)
    origin: Mapped[str] = mapped_column(sa.Text)
    signer: Mapped[str | None] = mapped_column(sa.Text)
    evidence_digest: Mapped[str | None] = mapped_column(sa.ForeignKey("evidence.digest"))
    collected_at: Mapped[datetime]


class EvaluationRow(LeasedRow, Row):
    """A gate request and the work it needs. Its answer, once given, is the decision's.

    Where no policy applies, ``policy_gap`` is the reason for it, if there is a particular one. ``previews`` names the
    versions in shadow or warning that are judged beside the policy. ``awaiting`` says what people were asked last.
    """

    __tablename__ = "evaluation"
    __table_args__ = (
        sa.UniqueConstraint("principal", "idempotency_key"),
        sa.Index("ix_evaluation_state", "state", "leased_until"),
    )

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    principal: Mapped[str] = mapped_column(sa.Text)
    idempotency_key: Mapped[str] = mapped_column(sa.Text)
    body_digest: Mapped[str] = mapped_column(sa.Text)
    request: Mapped[dict[str, object]] = mapped_column(Document)
    policy_name: Mapped[str | None] = mapped_column(sa.Text)
    policy_version: Mapped[int | None]
    policy_digest: Mapped[str | None] = mapped_column(sa.ForeignKey("document.digest"))
    policy_gap: Mapped[dict[str, object] | None] = mapped_column(Document)
    previews: Mapped[list[dict[str, object]] | None] = mapped_column(Document)
    manifest_digest: Mapped[str | None] = mapped_column(sa.ForeignKey("document.digest"))
    evidence: Mapped[list[str]] = mapped_column(Document)
    nonce: Mapped[str] = mapped_column(sa.Text)
    requested_at: Mapped[datetime]
    faults: Mapped[list[dict[str, str]]] = mapped_column(Document)
    awaiting: Mapped[dict[str, object] | None] = mapped_column(Document)


class DecisionRow(Row):
    """A sealed decision: the value, its signed envelope and its place in the log."""

    __tablename__ = "decision"
    __table_args__ = (sa.Index("ix_decision_subject", "subject_digest", "environment", "evaluated_at"),)

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    evaluation_id: Mapped[str] = mapped_column(sa.ForeignKey("evaluation.id"), unique=True)
    digest: Mapped[str] = mapped_column(sa.ForeignKey("document.digest"))
    subject_digest: Mapped[str] = mapped_column(sa.Text)
    environment: Mapped[str] = mapped_column(sa.Text)
    verdict: Mapped[str] = mapped_column(sa.Text)
    mode: Mapped[str] = mapped_column(sa.Text)
    evaluated_at: Mapped[datetime]
    valid_until: Mapped[datetime | None]
    envelope: Mapped[bytes] = mapped_column(sa.LargeBinary)
    log_index: Mapped[int] = mapped_column(sa.BigInteger, unique=True)
