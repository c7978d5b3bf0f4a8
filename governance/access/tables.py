"""Tables of access: service keys and poll tokens (hashed), acts upon keys, and the signers of trusted evidence."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from governance.database import BigId, Document, Row


class ServiceKeyRow(Row):
    """A service key. Only the SHA-256 of its secret is kept: the entropy is high, so a slow hash gains nothing.

    A CHECK of the revision keeps roles apart that exclude one another.
    """

    __tablename__ = "service_key"
    __table_args__ = (sa.UniqueConstraint("request_key"), sa.Index("ix_service_key_subject", "subject"))

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    subject: Mapped[str] = mapped_column(sa.Text)
    secret_hash: Mapped[bytes] = mapped_column(sa.LargeBinary)
    roles: Mapped[list[str]] = mapped_column(Document)
    scopes: Mapped[list[str]] = mapped_column(Document)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]
    last_used_at: Mapped[datetime | None]
    request_key: Mapped[str | None] = mapped_column(sa.Text)
    request_digest: Mapped[str | None] = mapped_column(sa.Text)


class ServiceKeyActRow(Row):
    """That a key was made or revoked, by whom: append-only, and the digest of ``body`` is in the log."""

    __tablename__ = "service_key_act"
    __table_args__ = (sa.Index("ix_service_key_act_key", "key_id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key_id: Mapped[str] = mapped_column(sa.ForeignKey("service_key.id"))
    act: Mapped[str] = mapped_column(sa.Text)
    by_id: Mapped[str] = mapped_column(sa.Text)
    by_name: Mapped[str] = mapped_column(sa.Text)
    recorded_at: Mapped[datetime]
    digest: Mapped[str] = mapped_column(sa.Text)
    body: Mapped[bytes] = mapped_column(sa.LargeBinary)
    log_index: Mapped[int] = mapped_column(sa.BigInteger, unique=True)


class PollTokenRow(Row):
    """What opens the answer of one evaluation and nothing else; hashed like a key, and gone after its expiry."""

    __tablename__ = "poll_token"
    __table_args__ = (sa.Index("ix_poll_token_expires", "expires_at"),)

    secret_hash: Mapped[bytes] = mapped_column(sa.LargeBinary, primary_key=True)
    evaluation_id: Mapped[str] = mapped_column(sa.Text)
    expires_at: Mapped[datetime]


class EvidenceSignerRow(Row):
    """A public key whose test results are taken as attested evidence."""

    __tablename__ = "evidence_signer"

    keyid: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    public_key: Mapped[bytes] = mapped_column(sa.LargeBinary)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
