"""Stored events and small facts about nodes, as answers show them."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from governance.errors import InputRefused, NotFound
from lineage.conformance import Finding
from lineage.descriptions import state_of
from lineage.event_sight import event_is_seen
from lineage.prunings import Pruning, prunings_of
from lineage.reading import Reader, among, newest_schema, until
from lineage.state import RunState
from lineage.tables import EventRow, FindingRow, NodeRow, PayloadRow, RunRow

_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


@dataclass(frozen=True, slots=True)
class StoredEvent:
    """An event as stored, with its findings; ``body`` are the bytes whose SHA-256 is ``digest``.

    Where ``prunings`` took facets out of it, ``body`` is what they left.
    """

    digest: str
    body: bytes
    kind: str
    event_time: datetime
    arrived_at: datetime
    redaction_version: int
    findings: tuple[Finding, ...]
    prunings: tuple[Pruning, ...] = ()


def stored_event(unit: Reader, digest: str) -> StoredEvent:
    """The event with this digest.

    Raises:
        InputRefused: it is no SHA-256 digest. NotFound: no such event is stored, or the unit does not see all that it
            names.
    """
    match = _DIGEST.fullmatch(digest)
    if match is None:
        raise InputRefused(
            expected="sha256: and 64 hexadecimal digits", found=digest[:80], remedy="Correct it.", pointer="digest"
        )
    query = sa.select(EventRow, PayloadRow.body).join(PayloadRow, PayloadRow.event_id == EventRow.id)
    stored = unit.session.execute(query.where(EventRow.digest == bytes.fromhex(match[1]))).first()
    if stored is None or not event_is_seen(unit, stored[1]):
        raise NotFound(
            expected="the digest of a stored event",
            found=digest,
            remedy="Use the digest that the answer to the event carried.",
        )
    row, body = stored
    found = unit.session.scalars(
        sa.select(FindingRow).where(FindingRow.event_id == row.id).order_by(FindingRow.position)
    )
    return StoredEvent(
        digest="sha256:" + row.digest.hex(),
        body=body,
        kind=row.kind,
        event_time=row.event_time,
        arrived_at=row.arrived_at,
        redaction_version=row.redaction_version,
        findings=tuple(Finding(item.pointer, item.code, item.expected, item.found) for item in found),
        prunings=tuple(prunings_of(unit, row.id)),
    )


def newest_fields(unit: Reader, datasets: Sequence[int]) -> dict[int, bytes]:
    """The newest schema of each dataset that has one, as the stored JSON."""
    query = sa.select(NodeRow.id, newest_schema()).where(among(unit, NodeRow.id, datasets))
    return {node: fields for node, fields in unit.session.execute(query) if fields is not None}


def latest_runs(unit: Reader, jobs: Sequence[int], as_of: datetime | None = None) -> dict[int, tuple[RunRow, RunState]]:
    """Each job's latest run by the time of its first event, with its state; now, or as of an instant."""
    run = aliased(RunRow)
    latest = (
        sa.select(run.id)
        .where(run.job_id == NodeRow.id, until(run.first_event, as_of))
        .order_by(run.first_event.desc(), run.identity.desc())
        .limit(1)
    )
    query = sa.select(latest.scalar_subquery()).where(among(unit, NodeRow.id, jobs), NodeRow.kind == "job")
    ids = [number for number in unit.session.scalars(query) if number is not None]
    rows = unit.session.scalars(sa.select(RunRow).where(among(unit, RunRow.id, ids)))
    return {row.job_id: (row, state_of(unit, row, as_of)) for row in rows}
