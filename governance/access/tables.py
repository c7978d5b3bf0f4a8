"""Tables of access: service keys (hashed) and the public keys whose evidence is trusted."""

from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import Mapped, mapped_column

from governance.database import Document, Row


class ServiceKeyRow(Row):
    """A service key. Only the SHA-256 of its secret is kept: the entropy is high, so a slow hash gains nothing."""

    __tablename__ = "service_key"

    id: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    secret_hash: Mapped[bytes] = mapped_column(sa.LargeBinary)
    roles: Mapped[list[str]] = mapped_column(Document)
    created_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class EvidenceSignerRow(Row):
    """A public key whose test results are taken as attested evidence."""

    __tablename__ = "evidence_signer"

    keyid: Mapped[str] = mapped_column(sa.Text, primary_key=True)
    name: Mapped[str] = mapped_column(sa.Text)
    public_key: Mapped[bytes] = mapped_column(sa.LargeBinary)
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]
