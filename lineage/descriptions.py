"""What is known of the points and runs of an ancestry: fields, provenance, what a model is, state and times."""

import json
import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from governance.types.ancestry import DatasetVersion, RunNode
from governance.types.provenance import ProvenanceFact, ProvenanceRecord
from lineage.aliases import Aliases
from lineage.facets import GATE_JOB
from lineage.fact_tables import ErasureRow, ModelRow, ProvenanceRow
from lineage.facts import version_digest
from lineage.identity import stamp_after, stamp_time
from lineage.points import Point
from lineage.reading import Reader, among, nodes_by_id, until
from lineage.state import RunEvidence, RunState, gather, run_state
from lineage.tables import (
    OUTPUT,
    DatasetVersionRow,
    EventRow,
    NodeRow,
    RunDatasetRow,
    RunRow,
    VersionUseRow,
)

_CONTENT = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Known:
    """What one question looks things up with."""

    unit: Reader
    aliases: Aliases
    as_of: datetime | None


def content_digest_of(version: str | None) -> str | None:
    """The reported version where it is a content digest."""
    return version if version is not None and _CONTENT.fullmatch(version) else None


def point_key(node: NodeRow, point: Point, writers: Mapping[int, RunRow]) -> str:
    """A text that names the point in its ancestry. Colons, hashes and percent signs in names are escaped."""
    key = f"{_part(node.namespace)}:{_part(node.name)}"
    if point.version is not None:
        key += f"#{_part(point.version)}"
    if point.writer is not None:
        key += f"@{_part(writers[point.writer].run_id)}"
    return key


def _part(text: str) -> str:
    return text.replace("%", "%25").replace(":", "%3A").replace("#", "%23").replace("@", "%40")


def describe_points(
    known: Known, points: Sequence[Point], writers: Mapping[Point, Sequence[int]], runs: Mapping[int, RunRow]
) -> dict[Point, DatasetVersion]:
    """Each point as a value."""
    nodes = nodes_by_id(known.unit, sorted({point.node for point in points}))
    members = {member: point.node for point in points for member in known.aliases.members(point.node)}
    facts = _facts(known, members)
    models = _models(known, members)
    described: dict[Point, DatasetVersion] = {}
    for point in points:
        node = nodes[point.node]
        version = _version_row(known, point, writers.get(point, ()))
        described[point] = DatasetVersion(
            key=point_key(node, point, runs),
            namespace=node.namespace,
            name=node.name,
            version=point.version,
            digest=content_digest_of(point.version),
            row_count=None if version is None else version.row_count,
            fields=() if version is None else field_paths(version.fields),
            provenance=_bound(facts.get(point.node, ()), point.version),
            erased_at=_erased_at(known, point, [runs[run] for run in writers.get(point, ())]),
            **_model(models.get(point.node, ()), writers.get(point, ())),
        )
    return described


def field_paths(document: bytes | None) -> tuple[str, ...]:
    """The paths in a stored schema."""
    return tuple(path for path, _, _ in described_fields(document))


def described_fields(document: bytes | None) -> list[tuple[str, str | None, str | None]]:
    """The path, type and description of each field in a stored schema; none without one."""
    return [] if document is None else [(path, kind, text) for path, kind, text in json.loads(document)]


def _version_row(known: Known, point: Point, writers: Sequence[int]) -> DatasetVersionRow | None:
    """The version that tells the point's fields: the reported one, else what its writer wrote, else the newest."""
    query = sa.select(DatasetVersionRow).where(
        among(known.unit, DatasetVersionRow.node_id, known.aliases.members(point.node)),
        DatasetVersionRow.first_stamp < stamp_after(known.as_of) if known.as_of else sa.true(),
    )
    if point.version is not None:
        query = query.where(DatasetVersionRow.version_digest == version_digest(point.version))
    elif writers:
        query = query.join(VersionUseRow, VersionUseRow.version_id == DatasetVersionRow.id).where(
            among(known.unit, VersionUseRow.run_id, writers), VersionUseRow.role == OUTPUT
        )
    query = query.order_by(
        DatasetVersionRow.fields.is_(None), DatasetVersionRow.last_stamp.desc(), DatasetVersionRow.identity
    )
    return known.unit.session.scalar(query.limit(1))


def _erased_at(known: Known, point: Point, writers: Sequence[RunRow]) -> datetime | None:
    """When the point was first reported as dropped or emptied after it was written.

    Of a dataset that nobody is known to have written it counts only if no event named the dataset after that.
    """
    members = known.aliases.members(point.node)
    query = sa.select(ErasureRow.erased_at).where(
        among(known.unit, ErasureRow.node_id, members), until(ErasureRow.erased_at, known.as_of)
    )
    if writers:
        written = max(run.last_event for run in writers)
        return known.unit.session.scalar(
            query.where(ErasureRow.erased_at >= written).order_by(ErasureRow.erased_at).limit(1)
        )
    # A gate looks at a copy that was handed to it, which says nothing about whether the dataset is still there.
    gate = sa.select(NodeRow.id).where(NodeRow.id == RunDatasetRow.job_id, NodeRow.subtype == GATE_JOB)
    last_use = sa.select(sa.func.max(RunDatasetRow.last_seen)).where(
        among(known.unit, RunDatasetRow.node_id, members),
        until(RunDatasetRow.first_seen, known.as_of),
        ~gate.exists(),
    )
    erased = known.unit.session.scalar(query.order_by(ErasureRow.erased_at.desc()).limit(1))
    used = known.unit.session.scalar(last_use)
    return erased if erased is not None and (used is None or used <= erased) else None


def _facts(known: Known, members: Mapping[int, int]) -> dict[int, list[ProvenanceRow]]:
    query = (
        sa.select(ProvenanceRow)
        .where(among(known.unit, ProvenanceRow.node_id, sorted(members)))
        .order_by(ProvenanceRow.stamp, ProvenanceRow.identity)
    )
    found: dict[int, list[ProvenanceRow]] = defaultdict(list)
    for row in known.unit.session.scalars(query):
        found[members[row.node_id]].append(row)
    return found


def _bound(rows: Sequence[ProvenanceRow], version: str | None) -> tuple[ProvenanceFact, ...]:
    """The facts of this version and those of the dataset as a whole, oldest first; a deletion ends those before it."""
    facts: list[tuple[str | None, ProvenanceFact]] = []
    for row in rows:
        if row.version is not None and row.version != version:
            continue
        if row.record is None or row.record_digest is None:
            facts = [(bound, _ended(fact, row.valid_from) if bound == row.version else fact) for bound, fact in facts]
            continue
        fact = ProvenanceFact(
            record=ProvenanceRecord.model_validate_json(row.record),
            record_digest=row.record_digest,
            valid_from=row.valid_from,
            recorded_at=row.recorded_at,
            event_digest="sha256:" + row.stamp[8:].hex(),
        )
        facts.append((row.version, fact))
    return tuple(fact for _, fact in facts)


def _ended(fact: ProvenanceFact, instant: datetime) -> ProvenanceFact:
    """The fact, no longer valid from ``instant`` on; one that begins later is never valid."""
    end = max(instant, fact.valid_from)
    return fact if fact.valid_to is not None and fact.valid_to <= end else fact.model_copy(update={"valid_to": end})


def _models(known: Known, members: Mapping[int, int]) -> dict[int, list[ModelRow]]:
    query = (
        sa.select(ModelRow)
        .where(among(known.unit, ModelRow.node_id, sorted(members)), until(ModelRow.first_seen, known.as_of))
        .order_by(ModelRow.stamp, ModelRow.content_digest)
    )
    found: dict[int, list[ModelRow]] = defaultdict(list)
    for row in known.unit.session.scalars(query):
        found[members[row.node_id]].append(row)
    return found


def _model(rows: Sequence[ModelRow], writers: Sequence[int]) -> dict[str, Any]:
    """What the latest ``assay_model`` facet says, of the writers where they said something."""
    chosen = [row for row in rows if row.run_id in set(writers)] or list(rows)
    return model_members(chosen[-1]) if chosen else {}


def model_members(row: ModelRow) -> dict[str, Any]:
    """The members of ``DatasetVersion`` that an ``assay_model`` facet gives."""
    facet = json.loads(row.facet)
    purposes = facet.get("purposes")
    return {
        "content_digest": row.content_digest,
        "purposes": None if purposes is None else tuple(purposes),
        "risk_tier": facet.get("riskTier"),
        "intended_use": facet.get("intendedUse"),
    }


def evidence_of(row: RunRow) -> RunEvidence:
    """What the stored row says about the run's state."""
    return RunEvidence(row.first_start, row.first_running, end_of(row.end_stamp), row.end_kinds, row.last_event)


def end_of(end_stamp: bytes | None) -> tuple[datetime, int] | None:
    """Time and rank of the terminal event that ``RunRow.end_stamp`` tells; None where there is none."""
    return None if end_stamp is None else (stamp_time(end_stamp), end_stamp[8])


def state_of(unit: Reader, row: RunRow, as_of: datetime | None) -> RunState:
    """The run's state, now or as its events up to ``as_of`` had it."""
    if as_of is None or row.last_event <= as_of:
        return run_state(evidence_of(row))
    query = sa.select(EventRow.event_type, EventRow.event_time).where(
        EventRow.run_identity == row.identity, EventRow.event_time <= as_of
    )
    return run_state(gather((event_type, time) for event_type, time in unit.session.execute(query)))


def describe_runs(known: Known, rows: Sequence[RunRow]) -> dict[int, RunNode]:
    """Each run as a value."""
    jobs = nodes_by_id(known.unit, sorted({row.job_id for row in rows}))
    described: dict[int, RunNode] = {}
    for row in rows:
        state, job = state_of(known.unit, row, known.as_of), jobs[row.job_id]
        described[row.id] = RunNode(
            key=f"run:{row.run_id}",
            run_id=row.run_id,
            job_namespace=job.namespace,
            job_name=job.name,
            job_type=job.subtype,
            state=state.state,
            started_at=state.started_at,
            ended_at=state.ended_at,
        )
    return described
