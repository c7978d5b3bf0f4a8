"""Announcing: an event is a row of the very transaction that it tells of, with a delivery for each webhook it concerns.

So no event is lost, and none tells of something that was not stored. Delivering is ``delivery``'s part.

Source: CloudEvents 1.0.2, "Context Attributes" and the JSON event format.
"""

from datetime import datetime

import sqlalchemy as sa
from pydantic import JsonValue

from governance.clock import rfc3339, uuid7
from governance.database import Unit
from governance.jobs.lease import QUEUED
from governance.notices.tables import DeliveryRow, NoticeRow, WebhookRow


def announce(unit: Unit, type_: str, *, subject: str, data: dict[str, JsonValue]) -> None:
    """Write an event of ``type_`` (``assay.decision.taken``) in the caller's transaction, for webhooks to be told.

    ``subject`` names what it is about as a path of this service (``decisions/<id>``); ``data`` is JSON and holds names,
    digests and verdicts, never a secret or a row of data. Events of one transaction keep their order.
    """
    told = {"id": str(uuid7(unit.now)), "type": type_, "subject": subject, "data": data, "announced_at": unit.now}
    connection = unit.session.connection()
    place, is_heard = connection.execute(_NOTICE, told).one()
    if is_heard:
        hooks = [hook for hook, types in connection.execute(_HOOKS) if not types or type_ in types]
        unit.session.add_all([_delivery(hook, place, unit.now) for hook in hooks])
        unit.session.flush()


_HOOKS = sa.select(WebhookRow.id, WebhookRow.types).where(WebhookRow.ended_at.is_(None))
_NOTICE = sa.insert(NoticeRow.metadata.tables[NoticeRow.__tablename__]).returning(NoticeRow.seq, _HOOKS.exists())


def _delivery(webhook_id: str, place: int, now: datetime) -> DeliveryRow:
    """The row that says that the notice at ``place`` is to be sent to a webhook, now."""
    return DeliveryRow(
        id=f"{place:019d}-{webhook_id}",
        state=QUEUED,
        attempts=0,
        webhook_id=webhook_id,
        notice_seq=place,
        not_before=now,
    )


def cloud_event(notice: NoticeRow, source: str) -> dict[str, JsonValue]:
    """The notice as a CloudEvent in structured JSON; ``source`` is the instance's URI (``assay://bank.example``)."""
    return {
        "specversion": "1.0",
        "id": notice.id,
        "source": source,
        "type": notice.type,
        "subject": notice.subject,
        "time": rfc3339(notice.announced_at),
        "datacontenttype": "application/json",
        "data": notice.data,
    }
