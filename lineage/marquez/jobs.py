"""Jobs in Marquez's shape."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from lineage.identity import node_identity
from lineage.links import StoredLinks
from lineage.marks import Marks, marks_of
from lineage.marquez.lookup import entity_uuid
from lineage.marquez.pages import latest_run_keys
from lineage.marquez.runs import (
    NodeName,
    RunBatch,
    job_version_digest,
    node_names,
    read_runs,
    references,
    time_text,
)
from lineage.marquez.sight import seen_facets
from lineage.reading import Reader, among
from lineage.tables import NodeRow

LATEST_RUNS = 10
"""Most runs that a job shows."""

_COLUMNS = (
    NodeRow.id, NodeRow.identity, NodeRow.namespace, NodeRow.name, NodeRow.type, NodeRow.subtype, NodeRow.first_seen,
    NodeRow.last_seen,
)  # fmt: skip
_TYPES = {"STREAMING": "STREAM", "STREAM": "STREAM", "SERVICE": "SERVICE"}


def job_documents(
    unit: Reader,
    jobs: Sequence[int],
    facets: Mapping[int, Mapping[str, Any]] | None = None,
    *,
    most_runs: int = LATEST_RUNS,
) -> list[dict[str, Any]]:
    """The jobs in Marquez's shape, in the order of their row ids as given; ``facets`` are shown where given."""
    query = sa.select(*_COLUMNS).where(among(unit, NodeRow.id, jobs))
    rows = {row.id: row for row in unit.session.connection().execute(query)}
    latest = latest_run_keys(unit, jobs, most_runs)
    runs = read_runs(unit, [run for held in latest.values() for run in held])
    marks, ends = marks_of(unit, jobs), ends_of(unit, jobs, runs)
    return [
        {
            **_described(rows[job], marks[job]),
            **_ran(latest[job], runs),
            "inputs": references(ends[job][0], unit.sight),
            "outputs": references(ends[job][1], unit.sight),
            "currentVersion": entity_uuid(current_version(rows[job].identity, ends[job], marks[job].location)),
            "facets": seen_facets((facets or {}).get(job, {}), unit.sight),
        }
        for job in jobs
    ]


Ends = tuple[list[NodeName], list[NodeName]]
"""What a job reads and what it writes."""


def ends_of(unit: Reader, jobs: Sequence[int], runs: RunBatch | None = None) -> dict[int, Ends]:
    """What the latest run of each job that named datasets read and wrote, or what the job declared; by names.

    ``runs`` are runs that were read already; of one among them nothing is asked again.
    """
    links = StoredLinks(unit, mode="current")
    latest = {} if runs is None else links.latest_runs(jobs)
    known = {job: runs.ends(run) for job, run in latest.items() if runs is not None and run in runs.rows and run}
    others = [job for job in jobs if job not in known]
    found: dict[int, Ends] = {job: ([], []) for job in others}
    if others:
        pairs = [list(links.datasets(others, "upstream")), list(links.datasets(others, "downstream"))]
        names = node_names(unit, {node for held in pairs for _, node in held})
        inputs, outputs = (_by_job(held, names) for held in pairs)
        found = {job: (inputs.get(job, []), outputs.get(job, [])) for job in others}
    return {**found, **known}


def _by_job(pairs: Iterable[tuple[int, int]], names: Mapping[int, NodeName]) -> dict[int, list[NodeName]]:
    found: dict[int, list[NodeName]] = defaultdict(list)
    for job, node in pairs:
        found[job].append(names[node])
    for held in found.values():
        held.sort(key=lambda node: (node.namespace, node.name))
    return found


def current_version(job: bytes, ends: Ends, location: str | None) -> bytes:
    """The digest of the version that the job is at."""
    inputs, outputs = ([node.identity for node in nodes] for nodes in ends)
    return job_version_digest(job, inputs, outputs, location)


def _described(row: Any, marks: Marks) -> dict[str, Any]:
    return {
        "id": {"namespace": row.namespace, "name": row.name},
        "type": _TYPES.get((row.type or "").upper(), "BATCH"),
        "name": row.name,
        "createdAt": time_text(row.first_seen),
        "updatedAt": time_text(row.last_seen),
        "namespace": row.namespace,
        "location": marks.location,
        "description": marks.description,
        "labels": [row.subtype] if row.subtype else [],
        "tags": list(marks.tag_names()),
        "simpleName": row.name,
        "parentJobName": None,
        "parentJobNamespace": None,
        "parentJobUuid": None,
        "latestRun": None,
        "latestRuns": [],
    }


def _ran(latest: Sequence[int], runs: RunBatch) -> dict[str, Any]:
    """What the latest runs add: themselves, and the parent that the latest one names."""
    if not latest:
        return {}
    documents = [runs.document(run) for run in latest]
    row = runs.rows[latest[0]]
    shown: dict[str, Any] = {"latestRun": documents[0], "latestRuns": documents}
    if row.parent_name is None or not runs.sight.sees(row.parent_namespace or "", row.parent_name):
        return shown
    name = runs.names[row.job_id].name
    parent = node_identity("job", row.parent_namespace, row.parent_name)
    return {
        **shown,
        "simpleName": name.removeprefix(f"{row.parent_name}.") or name,
        "parentJobName": row.parent_name,
        "parentJobNamespace": row.parent_namespace,
        "parentJobUuid": entity_uuid(parent),
    }
