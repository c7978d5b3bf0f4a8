"""The runs that led to a run, in Marquez's shape."""

from typing import Any

from lineage.graph import Bounds
from lineage.identity import run_uuid
from lineage.marquez.lookup import entity_uuid, require_run
from lineage.marquez.runs import RunBatch, read_runs, time_text
from lineage.neighbourhood import MAX_NODE_LIMIT
from lineage.reading import Reader
from lineage.run_walk import RunQuery, WalkedRun, find_run, run_graph


def upstream_document(unit: Reader, run_id: str, depth: int | None) -> dict[str, Any]:
    """``{runs}``: the run and those that wrote what it read, nearest first; ``truncated`` where more lie behind.

    Raises:
        NotFound: no event named the run.
    """
    found = run_graph(unit, require_run(unit, run_id), RunQuery(("upstream",), Bounds(depth, MAX_NODE_LIMIT)))
    walked = [(place, node) for place, node in enumerate(found.nodes) if isinstance(node, WalkedRun)]
    rows = {node.run.run_id: find_run(unit, node.run.run_id).id for _, node in walked}
    batch = read_runs(unit, list(rows.values()))
    inputs = {place: found.inputs_of(place) for place, _ in walked}
    return {
        "runs": [
            {
                "job": {
                    "namespace": node.run.job_namespace,
                    "name": node.run.job_name,
                    "version": batch.job_version(rows[node.run.run_id])["version"],
                },
                "run": {
                    "id": str(run_uuid(node.run.run_id)),
                    "start": time_text(node.run.started_at),
                    "end": time_text(node.run.ended_at),
                    "status": node.run.state,
                },
                "inputs": [
                    {
                        "namespace": version.namespace,
                        "name": version.name,
                        "version": _version(batch, rows[node.run.run_id], version.node),
                        "producedByRunId": None if writer is None else str(run_uuid(writer.run_id)),
                    }
                    for version, writer in inputs[place]
                ],
            }
            for place, node in walked
        ],
        "truncated": found.is_truncated,
    }


def _version(batch: RunBatch, run: int, node: int) -> str | None:
    """The version that the run read of a dataset, as the documents of runs give it."""
    return entity_uuid(batch.versions_of(run, 0, node)[0]) if node in batch.sides(run)[0] else None
