"""Whether the stored events are those in the log: each again, from its bytes, or from what a pruning on record left."""

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from governance.canonical import canonical
from governance.log import journal
from governance.log.fsck import Fault
from lineage.ingest import LEAF_KIND
from lineage.prunings import LEAF_KIND as PRUNING_KIND
from lineage.prunings import leaf as pruning_leaf
from lineage.reading import Reader
from lineage.record_tables import PrunedEventRow, PruningRow
from lineage.tables import EventRow, PayloadRow

PAGE = 500
"""Events looked at together: bounded memory, and few queries."""


@dataclass(frozen=True, slots=True)
class _Stored:
    """An event's digest, the digest its bytes ought to have and the one they have; None where bytes are missing."""

    digest: bytes
    expected: bytes | None
    found: bytes | None


def event_faults(unit: Reader) -> list[Fault]:
    """What does not hold between events, prunings and the log, at most one fault of each kind; empty when all holds."""
    places = _leaves(unit, LEAF_KIND)
    faults = [_event_fault(unit, places), _pruning_fault(unit, _leaves(unit, PRUNING_KIND))]
    return [fault for fault in faults if fault is not None]


def _leaves(unit: Reader, kind: str) -> dict[bytes, int]:
    """The index of each leaf of a kind, by the SHA-256 of its body."""
    found: dict[bytes, int] = {}
    start = 0
    while leaves := journal.leaves_of_kind(unit, kind, start=start, count=PAGE):
        found.update((hashlib.sha256(body).digest(), index) for index, body in leaves)
        start = leaves[-1][0] + 1
    return found


def _event_fault(unit: Reader, places: dict[bytes, int]) -> Fault | None:
    missing = dict(places)
    bad: list[Fault] = []
    for stored in _events(unit):
        body = canonical({"kind": "lineage.event/v1", "digest": f"sha256:{stored.digest.hex()}"})
        place = missing.pop(hashlib.sha256(body).digest(), None)
        name = f"the event sha256:{stored.digest.hex()}"
        if place is None:
            bad.append(Fault(0, f"{name} has no leaf in the log"))
        elif stored.found != stored.expected:
            bad.append(Fault(place, f"the bytes of {name} are not those stored first, nor what a pruning left of them"))
    bad += [Fault(place, "the log holds an event that the database does not") for place in missing.values()]
    return min(bad) if bad else None


def _events(unit: Reader) -> Iterator[_Stored]:
    last = 0
    while True:
        query = (
            sa.select(EventRow.id, EventRow.digest, PayloadRow.body, PayloadRow.pruning_id, _latest_residue())
            .outerjoin(PayloadRow, PayloadRow.event_id == EventRow.id)
            .where(EventRow.id > last)
            .order_by(EventRow.id)
            .limit(PAGE)
        )
        rows: Sequence[Any] = unit.session.execute(query).all()
        for number, digest, body, pruning, residue in rows:
            last = number
            expected = digest if pruning is None and residue is None else residue
            yield _Stored(digest, expected, None if body is None else hashlib.sha256(body).digest())
        if len(rows) < PAGE:
            return


def _latest_residue() -> sa.ScalarSelect[bytes]:
    """The digest of what the latest pruning left of an event; null where none changed it."""
    return (
        sa.select(PrunedEventRow.residue_digest)
        .where(PrunedEventRow.event_id == EventRow.id)
        .order_by(PrunedEventRow.pruning_id.desc())
        .limit(1)
        .scalar_subquery()
    )


def _pruning_fault(unit: Reader, places: dict[bytes, int]) -> Fault | None:
    """A pruning that says something else than its leaf, or a leaf without its pruning."""
    missing = dict(places)
    for row in unit.session.scalars(sa.select(PruningRow).order_by(PruningRow.id)):
        pairs = (
            sa.select(EventRow.digest, PrunedEventRow.residue_digest)
            .join(EventRow, EventRow.id == PrunedEventRow.event_id)
            .where(PrunedEventRow.pruning_id == row.id)
        )
        body = pruning_leaf(row, [(event, left) for event, left in unit.session.execute(pairs)]).body
        if missing.pop(hashlib.sha256(body).digest(), None) is None:
            first = min(places.values(), default=0)
            return Fault(first, f"the pruning {row.id} says something else than its leaf")
    if missing:
        return Fault(min(missing.values()), "the log holds a pruning that the database does not")
    return None
