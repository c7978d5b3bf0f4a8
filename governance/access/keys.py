"""Service keys: made once, shown once, found by id and compared in constant time."""

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from datetime import datetime

import sqlalchemy as sa

from governance.access.principal import Principal
from governance.access.roles import Role
from governance.access.tables import ServiceKeyRow
from governance.database import ReadUnit, Unit
from governance.errors import NotAuthenticated, NotFound, UsageError

_TOKEN = re.compile(r"assay_([a-z2-7]{10})_([A-Za-z0-9_-]{43})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"


def create_key(unit: Unit, *, name: str, roles: Sequence[str], expires_at: datetime | None = None) -> str:
    """Make a key and give its text, ``assay_<id>_<secret>``; only its hash is kept.

    Raises:
        UsageError: no role, an unknown role, or an expiry that has passed.
    """
    known = [role.value for role in Role]
    if not roles or set(roles) - set(known):
        raise UsageError(
            expected=f"one or more of the roles {', '.join(known)}",
            found=", ".join(roles) or "none",
            remedy="Name the roles with --role.",
        )
    if expires_at is not None and expires_at <= unit.now:
        raise UsageError(expected="an expiry in the future", found=expires_at.isoformat(), remedy="Give a later time.")
    identifier = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    secret = secrets.token_urlsafe(32)
    unit.session.add(
        ServiceKeyRow(
            id=identifier,
            name=name,
            secret_hash=hashlib.sha256(secret.encode()).digest(),
            roles=sorted(set(roles)),
            created_at=unit.now,
            expires_at=expires_at,
        )
    )
    unit.session.flush()
    return f"assay_{identifier}_{secret}"


def authenticate(unit: ReadUnit | Unit, token: str) -> Principal:
    """The principal of a key's text.

    Raises:
        NotAuthenticated: malformed, unknown, expired or revoked; the answer does not tell which.
    """
    match = _TOKEN.fullmatch(token)
    row = unit.session.get(ServiceKeyRow, match.group(1)) if match else None
    # An unknown id is compared too, so that the time taken does not tell a known id from an unknown one.
    stored = row.secret_hash if row else b"\0" * 32
    offered = hashlib.sha256(match.group(2).encode() if match else b"").digest()
    valid = hmac.compare_digest(stored, offered)
    if not valid or row is None or row.revoked_at or (row.expires_at and row.expires_at <= unit.now):
        raise NotAuthenticated(
            expected="a valid service key in the header Authorization: Bearer",
            found="a key that is unknown, expired or revoked",
            remedy="Ask an administrator for a key: `assay keys create`.",
        )
    return Principal(id=f"key:{row.id}", name=row.name, roles=tuple(Role(role) for role in row.roles))


def revoke_key(unit: Unit, identifier: str) -> None:
    """Make a key useless from now on; doing it twice changes nothing.

    Raises:
        NotFound: no key has this id.
    """
    row = unit.session.get(ServiceKeyRow, identifier)
    if row is None:
        raise NotFound(expected="the id of a key", found=repr(identifier), remedy="List them: `assay keys list`.")
    row.revoked_at = row.revoked_at or unit.now


def list_keys(unit: ReadUnit | Unit) -> list[dict[str, str | list[str] | None]]:
    """All keys without their secrets, oldest first."""
    rows = unit.session.scalars(sa.select(ServiceKeyRow).order_by(ServiceKeyRow.created_at, ServiceKeyRow.id))
    return [
        {
            "id": row.id,
            "name": row.name,
            "roles": row.roles,
            "created_at": row.created_at.isoformat(),
            "expires_at": row.expires_at.isoformat() if row.expires_at else None,
            "revoked_at": row.revoked_at.isoformat() if row.revoked_at else None,
        }
        for row in rows
    ]
