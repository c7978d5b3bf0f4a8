"""Pruning by age: after so many days, facets that nothing rests on are taken out of stored events.

What stays beside the graph: labels, provenance and what levels of evidence rest on, and every facet of a job or
dataset that is still in force, so that all answers about their present are as they were. What was in force when the
sweep came by is looked at again each day.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from governance.database import Database, Unit
from lineage.events import Event, read_stored
from lineage.facet_values import latest_stamps
from lineage.fact_tables import DATASET_FACETS, JOB_FACETS
from lineage.identity import NodeKind, node_identity
from lineage.prunings import Order, Pruning, lock, record
from lineage.reading import Reader, among
from lineage.record_tables import SweepRow, UnfinishedRow
from lineage.residue import EVIDENCE, TOLD, Choice, Part, residue
from lineage.rules import NODES
from lineage.store import chunks
from lineage.tables import EventRow, PayloadRow
from lineage.writing import ids_of

log = structlog.get_logger("assay.work")

TASK = "lineage.retention"
BATCH = 200
"""Events of one pruning: few enough that other writers wait only briefly."""

AGAIN = timedelta(days=1)
"""After so long what was left because it was in force is looked at again."""

_Key = tuple[NodeKind, tuple[str, str], bool, str]
"""A facet of a job or dataset: whose, whether it is one of a role, and its key."""


class RetentionTask:
    """Pruning by age as work that an engine carries out; there is one key."""

    name = TASK

    def __init__(self, database: Database, *, days: int) -> None:
        """Prune what was recorded more than ``days`` days ago."""
        self._database = database
        self._age = timedelta(days=days)

    def due(self) -> list[str]:
        """The key while there are events of that age to be looked at."""
        with self._database.read_unit() as unit:
            return [TASK] if _next_batch(unit, unit.now - self._age) else []

    def run(self, key: str) -> None:  # noqa: ARG002 - there is one
        """Look at the events of that age, a batch a transaction."""
        more = True
        while more:
            with self._database.unit() as unit:
                more = sweep(unit, days=self._age.days)


def sweep(unit: Unit, *, days: int) -> bool:
    """Prune the next batch of events recorded more than ``days`` days ago; whether there was one.

    A batch of which nothing is to be taken leaves no record.
    """
    lock(unit)
    cutoff = unit.now - timedelta(days=days)
    batch = _next_batch(unit, cutoff)
    if batch:
        order = Order("age", f"recorded more than {days} days ago", "ASSAY_LINEAGE__RETENTION_DAYS")
        _prune(unit, batch, order, {"recorded_before": cutoff.isoformat()})
        _remember(unit, batch)
    return bool(batch)


def prune_before(unit: Unit, cutoff: datetime, order: Order) -> list[Pruning]:
    """Prune every event that was recorded before ``cutoff``, as the sweep does; the records of it."""
    lock(unit)
    old = unit.session.scalars(sa.select(EventRow.id).where(EventRow.arrived_at < cutoff).order_by(EventRow.id)).all()
    target = {"recorded_before": cutoff.isoformat()}
    made = [_prune(unit, batch, order, target) for batch in chunks(old, BATCH)]
    return [pruning for pruning in made if pruning is not None]


def _next_batch(unit: Reader, cutoff: datetime) -> list[int]:
    """Row ids of the events to look at next: those not seen yet, then those that were left unfinished."""
    through = unit.session.scalar(sa.select(SweepRow.swept_through)) or 0
    query = sa.select(EventRow.id, EventRow.arrived_at).where(EventRow.id > through).order_by(EventRow.id).limit(BATCH)
    fresh: list[int] = []
    for number, arrived_at in unit.session.execute(query):
        if arrived_at >= cutoff:
            break
        fresh.append(number)
    if fresh:
        return fresh
    left = sa.select(UnfinishedRow.event_id).where(UnfinishedRow.looked_at < unit.now - AGAIN)
    return list(unit.session.scalars(left.order_by(UnfinishedRow.event_id).limit(BATCH)))


def _prune(unit: Unit, batch: Sequence[int], order: Order, target: dict[str, str]) -> Pruning | None:
    """Take from the events of a batch what is neither told nor in force; None when there is nothing."""
    events = _events(unit, batch)
    held = _in_force(unit, events.values())
    taken = [
        number for number, event in events.items() if residue(event.document, _by_age(event, held)) != event.document
    ]
    _note_unfinished(unit, events, held)
    return record(unit, order, target, taken, lambda event: _by_age(event, held)) if taken else None


def _events(unit: Unit, batch: Sequence[int]) -> dict[int, Event]:
    query = (
        sa.select(EventRow.id, EventRow.digest, EventRow.redaction_version, PayloadRow.body)
        .join(PayloadRow, PayloadRow.event_id == EventRow.id)
        .where(among(unit, EventRow.id, batch))
        .order_by(EventRow.id)
    )
    rows = unit.session.execute(query)
    return {number: read_stored(body, version, digest) for number, digest, version, body in rows}


def _anything(part: Part) -> bool:
    """Everything that age takes, in force or not."""
    return not (part.is_facet and part.key in TOLD | EVIDENCE)


def _by_age(event: Event, held: Mapping[_Key, bytes]) -> Choice:
    """What age takes of the event: not what is told, and no facet whose latest word is this event's."""

    def chooses(part: Part) -> bool:
        if part.entity not in ("job", "dataset") or not part.is_facet:
            return _anything(part)
        kind: NodeKind = "job" if part.entity == "job" else "dataset"
        return _anything(part) and held.get((kind, part.names, part.of_role, part.key)) != event.stamp

    return chooses


def _in_force(unit: Unit, events: Collection[Event]) -> dict[_Key, bytes]:
    """The stamp of the latest word on each facet of the jobs and datasets that the events name."""
    held: dict[_Key, bytes] = {}
    places: tuple[tuple[NodeKind, int], ...] = (("job", JOB_FACETS), ("dataset", DATASET_FACETS))
    for kind, place in places:
        names = {node_identity(kind, *named): named for event in events for named in _named(event, kind)}
        ids = ids_of(unit, NODES, sorted(names))
        by_id = {number: names[identity] for identity, number in ids.items()}
        for number, stamps in latest_stamps(unit, place, sorted(by_id)).items():
            held |= {(kind, by_id[number], of_role, key): stamp for (of_role, key), stamp in stamps.items()}
    return held


def _named(event: Event, kind: NodeKind) -> set[tuple[str, str]]:
    if kind == "job":
        return set() if event.job is None else {(event.job.namespace, event.job.name)}
    mentions = [*event.inputs, *event.outputs, *([] if event.dataset is None else [event.dataset])]
    return {(mention.namespace, mention.name) for mention in mentions}


def _note_unfinished(unit: Unit, events: Mapping[int, Event], held: Mapping[_Key, bytes]) -> None:
    """Remember the events of which a later look may take more, and forget those that are done with."""
    left = [
        number
        for number, event in events.items()
        if residue(event.document, _anything) != residue(event.document, _by_age(event, held))
    ]
    unit.session.execute(sa.delete(UnfinishedRow).where(among(unit, UnfinishedRow.event_id, list(events))))
    if left:
        unit.session.execute(sa.insert(UnfinishedRow), [{"event_id": number, "looked_at": unit.now} for number in left])


def _remember(unit: Unit, batch: Sequence[int]) -> None:
    """Keep how far the sweep has come; looking again at what was left does not move it."""
    held = unit.session.get(SweepRow, 1)
    if held is None:
        unit.session.add(SweepRow(id=1, swept_through=batch[-1]))
    else:
        held.swept_through = max(held.swept_through, batch[-1])
    unit.session.flush()
