"""Versions of a job: each distinct combination of what its runs read and wrote and where their code lay."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from lineage.marks import marks_of
from lineage.marquez.jobs import current_version, ends_of
from lineage.marquez.lookup import Entity, entity_uuid
from lineage.marquez.pages import Page, latest_run_keys
from lineage.marquez.runs import (
    NodeName,
    job_version_digest,
    node_names,
    references,
    run_documents,
    texts_by_digest,
    time_text,
)
from lineage.reading import Reader
from lineage.tables import OUTPUT, EdgeRow, RunDatasetRow, RunRow


@dataclass(frozen=True, slots=True)
class JobVersion:
    """A version of a job; ``latest`` is its newest run, None where the job was only declared."""

    digest: bytes
    created_at: datetime | None
    location: str | None
    inputs: tuple[NodeName, ...]
    outputs: tuple[NodeName, ...]
    latest: int | None


Ends = tuple[tuple[int, ...], tuple[int, ...]]


def job_versions(unit: Reader, job: Entity) -> list[JobVersion]:
    """The versions of a job, newest first by their earliest run.

    Where its runs are alike, as they mostly are, no run is looked into; else each of the job's runs is.
    """
    latest = latest_run_keys(unit, [job.id], 1)[job.id]
    if not latest:
        return [_declared(unit, job)]
    runs = sa.select(RunRow.id, RunRow.first_event, RunRow.location_digest).where(RunRow.job_id == job.id)
    newest_first = (RunRow.first_event.desc(), RunRow.id.desc())
    rows: Sequence[Any] = unit.session.connection().execute(runs.order_by(*newest_first)).all()
    ends = _common_ends(unit, job.id, len(rows))
    by_run = _ends_by_run(unit, job.id) if ends is None else {}
    return _grouped(unit, job, rows, [by_run.get(row.id, ((), ())) if ends is None else ends for row in rows])


def _declared(unit: Reader, job: Entity) -> JobVersion:
    ends, location = ends_of(unit, [job.id])[job.id], marks_of(unit, [job.id])[job.id].location
    digest = current_version(job.row.identity, ends, location)
    return JobVersion(digest, job.row.first_seen, location, tuple(ends[0]), tuple(ends[1]), None)


def _common_ends(unit: Reader, job: int, run_count: int) -> Ends | None:
    """What every run of the job read and wrote; None where runs differ."""
    query = sa.select(EdgeRow.role, EdgeRow.node_id, EdgeRow.run_count).where(EdgeRow.job_id == job)
    edges = [(role, node, count) for role, node, count in unit.session.connection().execute(query) if count]
    if any(count != run_count for _, _, count in edges):
        return None
    return _ends((role, node) for role, node, _ in edges)


def _ends_by_run(unit: Reader, job: int) -> dict[int, Ends]:
    query = (
        sa.select(RunDatasetRow.run_id, RunDatasetRow.role, RunDatasetRow.node_id)
        .join(RunRow, RunRow.id == RunDatasetRow.run_id)
        .where(RunRow.job_id == job)
        .distinct()
    )
    held: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for run, role, node in unit.session.connection().execute(query):
        held[run].append((role, node))
    return {run: _ends(named) for run, named in held.items()}


def _ends(named: Any) -> Ends:
    sides: tuple[list[int], list[int]] = ([], [])
    for role, node in named:
        sides[role == OUTPUT].append(node)
    return tuple(sorted(sides[0])), tuple(sorted(sides[1]))


def _grouped(unit: Reader, job: Entity, rows: Sequence[Any], ends: Sequence[Ends]) -> list[JobVersion]:
    """The versions among the runs, which come newest first."""
    groups: dict[tuple[Ends, bytes | None], list[Any]] = {}
    for row, of_run in zip(rows, ends, strict=True):
        key = of_run, row.location_digest
        if key in groups:
            groups[key][1] = row
        else:
            groups[key] = [row, row]
    names = node_names(unit, {node for (sides, _) in groups for side in sides for node in side})
    locations = texts_by_digest(unit, {location for _, location in groups})
    found: dict[bytes, JobVersion] = {}
    for ((inputs, outputs), place), (newest, oldest) in groups.items():
        location = None if place is None else locations.get(place)
        named = _by_name(names, inputs), _by_name(names, outputs)
        read, written = ([node.identity for node in side] for side in named)
        digest = job_version_digest(job.row.identity, read, written, location)
        # Two texts may say the same place; the first group of a digest holds its newest run.
        held = found.get(digest)
        created = oldest.first_event if held is None else min(oldest.first_event, held.created_at or oldest.first_event)
        latest = newest.id if held is None else held.latest
        found[digest] = JobVersion(digest, created, location, *named, latest)
    return sorted(found.values(), key=lambda version: (version.created_at, version.digest), reverse=True)


def _by_name(names: dict[int, NodeName], nodes: Sequence[int]) -> tuple[NodeName, ...]:
    return tuple(sorted((names[node] for node in nodes), key=lambda node: (node.namespace, node.name)))


def job_version_page(unit: Reader, job: Entity, page: Page) -> tuple[list[dict[str, Any]], int]:
    """A page of the job's versions in Marquez's shape, and how many there are."""
    versions = job_versions(unit, job)
    shown = versions[page.offset : page.offset + page.limit]
    return _documents(unit, job, shown), len(versions)


def job_version_document(unit: Reader, job: Entity, uuid: str) -> dict[str, Any] | None:
    """The version that a UUID stands for; None where the job has none such."""
    chosen = [version for version in job_versions(unit, job) if entity_uuid(version.digest) == uuid.lower()]
    return next(iter(_documents(unit, job, chosen)), None)


def _documents(unit: Reader, job: Entity, versions: Sequence[JobVersion]) -> list[dict[str, Any]]:
    latest = [version.latest for version in versions if version.latest is not None]
    runs = dict(zip(latest, run_documents(unit, latest), strict=True))
    names = {"namespace": job.row.namespace, "name": job.row.name}
    return [
        {
            "id": {**names, "version": entity_uuid(version.digest)},
            "name": job.row.name,
            "createdAt": time_text(version.created_at),
            "version": entity_uuid(version.digest),
            "namespace": job.row.namespace,
            "location": version.location,
            "inputs": references(version.inputs, unit.sight),
            "outputs": references(version.outputs, unit.sight),
            "latestRun": None if version.latest is None else runs[version.latest],
        }
        for version in versions
    ]
