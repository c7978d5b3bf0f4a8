"""Service keys: made once, shown once, found by id and compared in constant time."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

import sqlalchemy as sa
from pydantic import AwareDatetime, Field, StringConstraints

from governance.access.principal import Principal
from governance.access.roles import Permission, Role, unjoined
from governance.access.tables import ServiceKeyActRow, ServiceKeyRow
from governance.canonical import canonical, digest, sha256
from governance.clock import rfc3339
from governance.database import ReadUnit, Unit, UTCDateTime, plain_rows
from governance.errors import InputRefused, NotAuthenticated, NotFound, NotPermitted
from governance.log import journal
from governance.log.journal import Leaf
from governance.types.sight import EVERYTHING, Scope
from governance.types.value import Value

_TOKEN = re.compile(r"assay_([a-z2-7]{10})_([A-Za-z0-9_-]{43})")
_ALPHABET = "abcdefghijklmnopqrstuvwxyz234567"
RESERVED = ("key:", "oidc:", "poll:", "assay:")
"""Prefixes of stable ids that the service gives itself, so that no holder can be named like another."""
LATEST = datetime(9000, 1, 1, tzinfo=UTC)
"""No key is valid as long; instants near the end of the calendar cannot be written in every time zone."""

Label = Annotated[str, StringConstraints(pattern=r"^[^\x00-\x1f\x7f]{1,200}$")]
"""A name for people, on one line."""


class KeyRequest(Value):
    """What a key is to be: for whom (``subject``, the holder's stable id), for what, where and until when.

    Separation of duties compares ``subject``: give every key of one person the same. Left out, the key is its own
    holder. ``scopes`` are patterns over ``namespace/name``; left out, the key sees everything.
    """

    name: Label
    roles: tuple[Role, ...] = Field(min_length=1, max_length=len(Role))
    subject: Label | None = None
    scopes: tuple[Scope, ...] = Field(EVERYTHING, min_length=1, max_length=50)
    expires_at: AwareDatetime | None = None


@dataclass(frozen=True, slots=True)
class Made:
    """A key that was asked for: its row without secrets, and its text where it is made now and not told before."""

    key: dict[str, Any]
    token: str | None


def create_key(unit: Unit, wanted: KeyRequest, *, by: Principal, request_key: str | None = None) -> Made:
    """Make a key; its text, ``assay_<id>_<secret>``, is given this once and only its hash is kept.

    With a ``request_key`` the same request made again by the same principal gives the same key, without its text.

    Raises:
        NotPermitted: ``by`` may not administer, or the holder would join roles that exclude one another.
        InputRefused: an expiry that has passed, a reserved subject, or a ``request_key`` used for another request.
    """
    by.require(Permission.ADMINISTER)
    # Whoever appends to the log is the only one: what another is making for the same holder is seen, not raced with.
    journal.lock(unit)
    key = digest([by.id, request_key]) if request_key is not None else None
    asked = wanted.value_digest()
    known = unit.session.scalars(sa.select(ServiceKeyRow).where(ServiceKeyRow.request_key == key)).first()
    if key is not None and known is not None:
        return Made(_repeated(known, asked), None)
    identifier = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    subject = wanted.subject or f"key:{identifier}"
    _refuse(unit, wanted, subject)
    secret = secrets.token_urlsafe(32)
    row = ServiceKeyRow(
        id=identifier,
        name=wanted.name,
        subject=subject,
        secret_hash=hashlib.sha256(secret.encode()).digest(),
        roles=sorted(set(wanted.roles)),
        scopes=sorted(set(wanted.scopes)),
        created_at=unit.now,
        expires_at=wanted.expires_at,
        request_key=key,
        request_digest=asked if key else None,
    )
    unit.session.add(row)
    unit.session.flush()
    _record(unit, row, "created", by)
    return Made(_shown(row), f"assay_{identifier}_{secret}")


def _repeated(row: ServiceKeyRow, asked: str) -> dict[str, Any]:
    if row.request_digest != asked:
        raise InputRefused(
            expected="the body that this Idempotency-Key was first sent with",
            found="another body",
            remedy="Use a new key for a new request.",
        )
    return _shown(row)


def _refuse(unit: Unit, wanted: KeyRequest, subject: str) -> None:
    """Return when the key may be made."""
    if wanted.expires_at is not None and not unit.now < wanted.expires_at < LATEST:
        raise InputRefused(
            expected=f"an expiry in the future, before the year {LATEST.year}",
            found=wanted.expires_at.isoformat(),
            remedy="Give another time, or none.",
            pointer="/expires_at",
        )
    if wanted.subject is not None and wanted.subject.startswith(RESERVED):
        raise InputRefused(
            expected=f"a subject that does not begin with {', '.join(RESERVED)}",
            found=repr(wanted.subject[:80]),
            remedy="Name the holder as your directory does, such as user:4711.",
            pointer="/subject",
        )
    live = sa.select(ServiceKeyRow).where(ServiceKeyRow.subject == subject, ServiceKeyRow.revoked_at.is_(None))
    rows = [row for row in unit.session.scalars(live) if not _is_expired(row, unit.now)]
    held = {Role(role) for row in rows for role in row.roles} | set(wanted.roles)
    pair = unjoined(held)
    if pair is not None:
        raise NotPermitted(
            expected="roles that one holder may have together",
            found=f"{pair[0].value} and {pair[1].value}, over all keys of the holder that are valid now",
            remedy="Give one of the two to somebody else, or revoke the other key first.",
            pointer="/roles",
        )


def _is_expired(row: ServiceKeyRow, now: datetime) -> bool:
    return row.expires_at is not None and row.expires_at <= now


def _record(unit: Unit, row: ServiceKeyRow, act: str, by: Principal) -> None:
    """Keep who did what to which key, and its digest in the log."""
    document = {
        "kind": "assay.service_key_act/v1",
        "act": act,
        "key": {name: value for name, value in _shown(row).items() if name not in ("last_used_at", "revoked_at")},
        "by": {"id": by.id, "name": by.name},
        "at": rfc3339(unit.now),
    }
    body = canonical(document)
    leaf = canonical({"kind": f"access.key_{act}/v1", "digest": sha256(body)})
    (index,) = journal.append(unit, [Leaf(kind="access", body=leaf)])
    unit.session.add(
        ServiceKeyActRow(
            key_id=row.id,
            act=act,
            by_id=by.id,
            by_name=by.name,
            recorded_at=unit.now,
            digest=sha256(body),
            body=body,
            log_index=index,
        )
    )
    unit.session.flush()


_BY_ID = sa.select(ServiceKeyRow).where(ServiceKeyRow.id == sa.bindparam("id"))


def authenticate(unit: ReadUnit | Unit, token: str) -> Principal:
    """The principal of a key's text.

    Raises:
        NotAuthenticated: malformed, unknown, expired or revoked; the answer does not tell which.
    """
    match = _TOKEN.fullmatch(token)
    row = next(iter(plain_rows(unit, ServiceKeyRow, _BY_ID, id=match.group(1))), None) if match else None
    # An unknown id is compared too, so that the time taken does not tell a known id from an unknown one.
    stored = row.secret_hash if row else b"\0" * 32
    offered = hashlib.sha256(match.group(2).encode() if match else b"").digest()
    valid = hmac.compare_digest(stored, offered)
    if not valid or row is None or row.revoked_at or _is_expired(row, unit.now):
        raise NotAuthenticated(
            expected="a valid service key in the header Authorization: Bearer",
            found="a key that is unknown, expired or revoked",
            remedy="Ask an administrator for a key: `assay keys create`.",
        )
    roles = tuple(Role(role) for role in row.roles)
    return Principal(id=row.subject, name=row.name, roles=roles, scopes=tuple(row.scopes), key_id=row.id)


def revoke_key(unit: Unit, identifier: str, *, by: Principal) -> None:
    """Make a key useless from now on; doing it twice changes nothing.

    Raises:
        NotPermitted: ``by`` may not administer. NotFound: no key has this id.
    """
    by.require(Permission.ADMINISTER)
    journal.lock(unit)
    row = unit.session.get(ServiceKeyRow, identifier)
    if row is None:
        raise NotFound(expected="the id of a key", found=repr(identifier[:80]), remedy="List them: `assay keys list`.")
    if row.revoked_at is None:
        row.revoked_at = unit.now
        _record(unit, row, "revoked", by)


def list_keys(unit: ReadUnit | Unit, *, limit: int | None = None, after: str | None = None) -> list[dict[str, Any]]:
    """Keys without their secrets, oldest first; those after the key with the id ``after``, at most ``limit``.

    Raises:
        NotFound: no key has the id ``after``.
    """
    statement = sa.select(ServiceKeyRow).order_by(ServiceKeyRow.created_at, ServiceKeyRow.id).limit(limit)
    if after is not None:
        last = unit.session.get(ServiceKeyRow, after)
        if last is None:
            raise NotFound(expected="the id of a key", found=repr(after[:80]), remedy="Begin without `after`.")
        place = sa.tuple_(ServiceKeyRow.created_at, ServiceKeyRow.id)
        statement = statement.where(place > sa.tuple_(sa.literal(last.created_at, UTCDateTime()), sa.literal(last.id)))
    return [_shown(row) for row in unit.session.scalars(statement)]


def _shown(row: ServiceKeyRow) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "subject": row.subject,
        "roles": row.roles,
        "scopes": row.scopes,
        "created_at": rfc3339(row.created_at),
        "expires_at": rfc3339(row.expires_at) if row.expires_at else None,
        "revoked_at": rfc3339(row.revoked_at) if row.revoked_at else None,
        "last_used_at": rfc3339(row.last_used_at) if row.last_used_at else None,
    }
