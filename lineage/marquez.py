"""Stored lineage in the shapes of Marquez's API, as its clients and its web pages read them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from governance.clock import rfc3339
from lineage.descriptions import described_fields
from lineage.identity import run_uuid
from lineage.links import StoredLinks
from lineage.neighbourhood import Graph, GraphNode
from lineage.reading import Reader, nodes_by_id
from lineage.records import latest_runs, newest_fields
from lineage.state import RunState
from lineage.tables import NodeRow, RunRow

Named = dict[str, str]


def graph_document(unit: Reader, graph: Graph) -> dict[str, Any]:
    """The graph as ``{graph: [Node], truncated}``: nodes by id, edges naming nodes of the answer only."""
    jobs = [node.row_id for node in graph.nodes if node.kind == "job"]
    datasets = [node.row_id for node in graph.nodes if node.kind == "dataset"]
    shown = {**_jobs(unit, graph, jobs), **_datasets(unit, graph, datasets)}
    into: dict[int, list[Named]] = {place: [] for place in range(len(graph.nodes))}
    out: dict[int, list[Named]] = {place: [] for place in range(len(graph.nodes))}
    for edge in graph.edges:
        named = {"origin": graph.nodes[edge.source].id, "destination": graph.nodes[edge.target].id}
        out[edge.source].append(named)
        into[edge.target].append(named)
    nodes: list[dict[str, Any]] = [
        {
            "id": node.id,
            "type": node.kind.upper(),
            "data": shown[node.row_id],
            "inEdges": sorted(into[place], key=lambda edge: edge["origin"]),
            "outEdges": sorted(out[place], key=lambda edge: edge["destination"]),
        }
        for place, node in enumerate(graph.nodes)
    ]
    return {"graph": sorted(nodes, key=lambda node: str(node["id"])), "truncated": graph.is_truncated}


def _jobs(unit: Reader, graph: Graph, jobs: list[int]) -> dict[int, dict[str, Any]]:
    links = StoredLinks(unit, mode="current")
    inputs = _by_job(unit, links.datasets(jobs, "upstream"))
    outputs = _by_job(unit, links.datasets(jobs, "downstream"))
    latest, rows = latest_runs(unit, jobs), nodes_by_id(unit, jobs)
    return {
        node.row_id: {
            **_entity(node, rows[node.row_id]),
            "type": {"STREAMING": "STREAM", "SERVICE": "SERVICE"}.get((node.type or "").upper(), "BATCH"),
            "simpleName": node.name.rpartition(".")[2] or node.name,
            "inputs": inputs.get(node.row_id, []),
            "outputs": outputs.get(node.row_id, []),
            "location": None,
            "description": None,
            **_latest(latest.get(node.row_id)),
        }
        for node in graph.nodes
        if node.kind == "job"
    }


def _latest(latest: tuple[RunRow, RunState] | None) -> dict[str, Any]:
    if latest is None:
        return {"latestRun": None, "parentJobName": None, "parentJobNamespace": None}
    row, state = latest
    run = {
        "id": str(run_uuid(row.run_id)),
        "createdAt": rfc3339(row.first_event),
        "updatedAt": rfc3339(row.last_event),
        "state": state.state,
        "startedAt": _time(state.started_at),
        "endedAt": _time(state.ended_at),
        "durationMs": state.duration_ms,
    }
    return {"latestRun": run, "parentJobName": row.parent_name, "parentJobNamespace": row.parent_namespace}


def _datasets(unit: Reader, graph: Graph, datasets: list[int]) -> dict[int, dict[str, Any]]:
    fields, rows = newest_fields(unit, datasets), nodes_by_id(unit, datasets)
    return {
        node.row_id: {
            **_entity(node, rows[node.row_id]),
            "type": "STREAM" if (node.type or "").upper() in ("TOPIC", "STREAM") else "DB_TABLE",
            "physicalName": node.name,
            "sourceName": node.namespace,
            "fields": [
                {"name": name, "type": kind, "tags": [], "description": text}
                for name, kind, text in described_fields(fields.get(node.row_id))
            ],
            "lastModifiedAt": _time(rows[node.row_id].last_seen),
            "description": None,
            "deleted": False,
        }
        for node in graph.nodes
        if node.kind == "dataset"
    }


def _entity(node: GraphNode, row: NodeRow) -> dict[str, Any]:
    return {
        "id": {"namespace": node.namespace, "name": node.name},
        "name": node.name,
        "namespace": node.namespace,
        "createdAt": _time(row.first_seen),
        "updatedAt": _time(row.last_seen),
        "tags": [],
    }


def _by_job(unit: Reader, pairs: Any) -> Mapping[int, list[Named]]:
    listed = list(pairs)
    rows: dict[int, NodeRow] = nodes_by_id(unit, sorted({dataset for _, dataset in listed}))
    named: dict[int, list[Named]] = {}
    for job, dataset in sorted(listed, key=lambda pair: (rows[pair[1]].namespace, rows[pair[1]].name)):
        named.setdefault(job, []).append({"namespace": rows[dataset].namespace, "name": rows[dataset].name})
    return named


def _time(instant: datetime | None) -> str | None:
    return None if instant is None else rfc3339(instant)
