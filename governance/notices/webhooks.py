"""Webhooks: who is told of events, and how the deliveries went. Every change is recorded with who made it."""

from typing import Annotated, NamedTuple

import sqlalchemy as sa
from pydantic import AfterValidator, Field, JsonValue, SecretStr, StringConstraints

from governance.access.principal import Principal
from governance.access.roles import Permission
from governance.canonical import canonical, digest
from governance.clock import rfc3339, uuid7
from governance.database import ReadUnit, Unit
from governance.egress import LONGEST_URL, Guard, check_url
from governance.errors import Conflict, NotFound
from governance.jobs.lease import QUEUED, RUNNING
from governance.log.journal import Leaf, append
from governance.notices.signature import new_secret, secret_bytes
from governance.notices.tables import DeliveryRow, NoticeRow, WebhookRow
from governance.notices.types import TYPES
from governance.types.value import Value

MOST = 100
"""Webhooks at once: each costs every announcement a row."""

DELIVERED = "delivered"
DEAD = "dead"


def _is_announced(name: str) -> str:
    if name not in TYPES:
        raise ValueError(f"no event of this type is announced; there are {', '.join(TYPES)}")
    return name


EventType = Annotated[str, StringConstraints(max_length=100), AfterValidator(_is_announced)]
"""A type that is announced: of a misspelt one nobody would ever be told."""


class Subscription(Value):
    """What is asked for: an address, the types of events it is told of (all where none is named), and a secret."""

    url: str = Field(min_length=1, max_length=LONGEST_URL)
    types: tuple[EventType, ...] = Field((), max_length=64)
    secret: SecretStr | None = None


class Target(NamedTuple):
    """Where deliveries of a webhook go, and what they are signed with."""

    id: str
    url: str
    secret: SecretStr


def create(
    unit: Unit, wanted: Subscription, guard: Guard, principal: Principal
) -> tuple[dict[str, JsonValue], SecretStr]:
    """Tell this address from now on; the webhook as it is shown, and its secret, which is never shown again.

    Raises:
        NotPermitted: the principal does not administer. InputRefused: the address or the secret is not acceptable.
        Conflict: there are as many webhooks as there may be.
    """
    principal.require(Permission.ADMINISTER)
    check_url(wanted.url, guard)
    secret = SecretStr(new_secret()) if wanted.secret is None else wanted.secret
    secret_bytes(secret.get_secret_value())
    active = unit.session.scalars(sa.select(WebhookRow.id).where(WebhookRow.ended_at.is_(None))).all()
    if len(active) >= MOST:
        raise Conflict(expected=f"at most {MOST} webhooks", found="as many", remedy="Delete one that is not needed.")
    row = WebhookRow(
        id=str(uuid7(unit.now)),
        url=wanted.url,
        types=sorted(set(wanted.types)),
        secret=secret.get_secret_value(),
        created_at=unit.now,
        created_by=principal.id,
        creator=principal.name,
    )
    unit.session.add(row)
    unit.session.flush()
    _record(unit, "created", row, principal)
    return _shown(row), secret


def end(unit: Unit, webhook_id: str, principal: Principal) -> None:
    """Tell this address nothing more; what waits for it is not sent.

    Raises:
        NotPermitted: the principal does not administer. NotFound: no such webhook.
    """
    principal.require(Permission.ADMINISTER)
    row = _row(unit, webhook_id)
    row.ended_at, row.ended_by = unit.now, principal.id
    row.secret = ""
    open_ones = sa.update(DeliveryRow).where(
        DeliveryRow.webhook_id == webhook_id, DeliveryRow.state.in_((QUEUED, RUNNING))
    )
    unit.session.execute(open_ones.values(state=DEAD, ended_at=unit.now, fault="the webhook was deleted"))
    unit.session.flush()
    _record(unit, "deleted", row, principal)


def webhooks(unit: ReadUnit, principal: Principal) -> list[dict[str, JsonValue]]:
    """Every webhook that is told, oldest first, without its secret."""
    principal.require(Permission.ADMINISTER)
    rows = unit.session.scalars(sa.select(WebhookRow).where(WebhookRow.ended_at.is_(None)).order_by(WebhookRow.id))
    return [_shown(row) for row in rows]


def target(unit: ReadUnit | Unit, webhook_id: str, principal: Principal) -> Target:
    """Where a test goes.

    Raises:
        NotPermitted: the principal does not administer. NotFound: no such webhook.
    """
    principal.require(Permission.ADMINISTER)
    row = _row(unit, webhook_id)
    return Target(row.id, row.url, SecretStr(row.secret))


def deliveries(unit: ReadUnit, webhook_id: str, principal: Principal, *, limit: int) -> list[dict[str, JsonValue]]:
    """The newest ``limit`` deliveries of a webhook with how the last try of each went, newest first.

    Raises:
        NotPermitted: the principal does not administer. NotFound: no such webhook, or never one.
    """
    principal.require(Permission.ADMINISTER)
    if unit.session.get(WebhookRow, webhook_id) is None:
        raise _unknown(webhook_id)
    found = unit.session.execute(
        sa.select(DeliveryRow, NoticeRow)
        .join(NoticeRow, NoticeRow.seq == DeliveryRow.notice_seq)
        .where(DeliveryRow.webhook_id == webhook_id)
        .order_by(DeliveryRow.id.desc())
        .limit(limit)
    )
    return [
        {
            "event": notice.id,
            "type": notice.type,
            "subject": notice.subject,
            "state": row.state,
            "attempts": row.attempts,
            "announced_at": rfc3339(notice.announced_at),
            "tried_at": rfc3339(row.tried_at) if row.tried_at else None,
            "next_try": rfc3339(row.not_before) if row.state == QUEUED else None,
            "ended_at": rfc3339(row.ended_at) if row.ended_at else None,
            "status": row.status,
            "fault": row.fault,
        }
        for row, notice in found
    ]


def _row(unit: ReadUnit | Unit, webhook_id: str) -> WebhookRow:
    row = unit.session.get(WebhookRow, webhook_id)
    if row is None or row.ended_at is not None:
        raise _unknown(webhook_id)
    return row


def _unknown(webhook_id: str) -> NotFound:
    return NotFound(expected="a webhook", found=repr(webhook_id[:80]), remedy="List them: GET /v1/webhooks.")


def _shown(row: WebhookRow) -> dict[str, JsonValue]:
    return {
        "id": row.id,
        "url": row.url,
        "types": [*row.types],
        "created_at": rfc3339(row.created_at),
        "created_by": row.creator,
    }


def _record(unit: Unit, what: str, row: WebhookRow, principal: Principal) -> None:
    """The leaf of the act; the address is in it as a digest, since a path may be a secret of the receiver's."""
    body = {
        "kind": f"assay.webhook.{what}/v1",
        "webhook": row.id,
        "digest": digest({"url": row.url, "types": [*row.types]}),
        "by": principal.id,
        "at": rfc3339(unit.now),
    }
    append(unit, [Leaf(kind="webhook", body=canonical(body))])
