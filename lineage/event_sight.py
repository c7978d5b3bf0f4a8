"""Which stored events somebody with scopes is shown: those of which he sees every dataset and job that they name.

An event is given whole or not at all, since its digest is of all of its bytes.
"""

from collections.abc import Collection

import sqlalchemy as sa

from governance.canonical import read_json
from lineage.asserted import named_in
from lineage.identity import run_identity
from lineage.reading import Reader, among, seen
from lineage.store import chunks
from lineage.tables import EventRow, NodeRow, PayloadRow, RunRow

_CHUNK = 200  # events whose bytes are held in memory at a time


def event_is_seen(unit: Reader, body: bytes) -> bool:
    """Whether the unit sees all that an event names; ``body`` are its bytes as they are stored."""
    return unit.sight.is_whole or all(unit.sight.sees(*names) for names in named_in(read_json(body)))


def seen_events(unit: Reader, events: Collection[int]) -> set[int]:
    """Those of the events (row ids) that are seen."""
    if unit.sight.is_whole:
        return set(events)
    found: set[int] = set()
    for chunk in chunks(sorted(set(events)), _CHUNK):
        query = sa.select(PayloadRow.event_id, PayloadRow.body).where(among(unit, PayloadRow.event_id, chunk))
        found |= {number for number, body in unit.session.execute(query) if event_is_seen(unit, body)}
    return found


def may_be_seen(unit: Reader) -> list[sa.ColumnElement[bool]]:
    """Conditions that every event fulfils which the unit sees: that of a run is of a job that is seen."""
    if unit.sight.is_whole:
        return []
    return [sa.or_(EventRow.run_identity.is_(None), EventRow.run_identity.in_(seen_runs(unit)))]


def seen_runs(unit: Reader) -> sa.Select[bytes]:
    """The identities of the runs of jobs that the unit sees."""
    return sa.select(RunRow.identity).join(NodeRow, NodeRow.id == RunRow.job_id).where(*seen(unit))


def run_is_seen(unit: Reader, run_id: str) -> bool:
    """Whether a run of this id is stored and the unit sees its job."""
    job = sa.select(NodeRow.id).join(RunRow, RunRow.job_id == NodeRow.id)
    return unit.session.scalar(job.where(RunRow.identity == run_identity(run_id), *seen(unit))) is not None
