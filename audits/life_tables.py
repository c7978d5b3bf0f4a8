"""Tables of what becomes of decisions: revocations, deployments, and what was found of deployments told by others.

All are append-only; triggers on both databases refuse changes.
"""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from governance.database import Row


class RevocationRow(Row):
    """A decision taken back: by whom, why, the statement signed about it, and its place in the feed and in the log."""

    __tablename__ = "revocation"

    seq: Mapped[int] = mapped_column(sa.BigInteger, primary_key=True, autoincrement=False)
    decision_id: Mapped[str] = mapped_column(sa.ForeignKey("decision.id"), unique=True)
    subject_digest: Mapped[str] = mapped_column(sa.Text)
    environment: Mapped[str] = mapped_column(sa.Text)
    cause: Mapped[str] = mapped_column(sa.Text)
    reason: Mapped[str] = mapped_column(sa.Text)
    revoked_at: Mapped[datetime]
    revoked_by: Mapped[str] = mapped_column(sa.Text)
    revoker: Mapped[str] = mapped_column(sa.Text)
    envelope: Mapped[bytes] = mapped_column(sa.LargeBinary)
    log_index: Mapped[int] = mapped_column(sa.BigInteger, unique=True)


class DeploymentRow(Row):
    """A deployment bound to a decision that was valid, or to a grant of break-glass; ``body`` is as it was asked for.

    ``id`` is the id of its run in lineage; ``place`` is the digest of environment, platform and endpoint.
    """

    __tablename__ = "deployment"
    __table_args__ = (sa.UniqueConstraint("principal", "idempotency_key"),)

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    decision_id: Mapped[str] = mapped_column(sa.ForeignKey("decision.id"))
    grant_id: Mapped[str | None] = mapped_column(sa.Text)
    subject_digest: Mapped[str] = mapped_column(sa.Text)
    environment: Mapped[str] = mapped_column(sa.Text)
    place: Mapped[str] = mapped_column(sa.Text, index=True)
    body: Mapped[bytes] = mapped_column(sa.LargeBinary)
    principal: Mapped[str] = mapped_column(sa.Text)
    deployer: Mapped[str] = mapped_column(sa.Text)
    idempotency_key: Mapped[str] = mapped_column(sa.Text)
    body_digest: Mapped[str] = mapped_column(sa.Text)
    deployed_at: Mapped[datetime]
    log_index: Mapped[int] = mapped_column(sa.BigInteger, unique=True)


class DeploymentEndRow(Row):
    """How a deployment ended, and by whom it was told."""

    __tablename__ = "deployment_end"

    deployment_id: Mapped[str] = mapped_column(sa.ForeignKey("deployment.id"), primary_key=True)
    how: Mapped[str] = mapped_column(sa.Text)
    ended_at: Mapped[datetime]
    ended_by: Mapped[str] = mapped_column(sa.Text)
    ender: Mapped[str] = mapped_column(sa.Text)
    log_index: Mapped[int] = mapped_column(sa.BigInteger, unique=True)


class DeploymentVerdictRow(Row):
    """What the decision was worth that a deployment in lineage named when it began; an empty id is none at all.

    ``log_index`` is that of the leaf which says so; null where the decision was valid.
    """

    __tablename__ = "deployment_verdict"

    run_id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    decision_id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    status: Mapped[str] = mapped_column(sa.Text)
    environment: Mapped[str] = mapped_column(sa.Text)
    judged_at: Mapped[datetime]
    log_index: Mapped[int | None] = mapped_column(sa.BigInteger)


class AttestationRow(Row):
    """What a person stated about a model version; ``body`` is as it was stated."""

    __tablename__ = "attestation"
    __table_args__ = (sa.Index(None, "subject_digest", "kind"),)

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    subject_digest: Mapped[str] = mapped_column(sa.Text)
    kind: Mapped[str] = mapped_column(sa.Text)
    body: Mapped[bytes] = mapped_column(sa.LargeBinary)
    stated_at: Mapped[datetime]
    stated_by: Mapped[str] = mapped_column(sa.Text)
    stater: Mapped[str] = mapped_column(sa.Text)
    log_index: Mapped[int] = mapped_column(sa.BigInteger, unique=True)
