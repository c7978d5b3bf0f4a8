"""The graph of datasets and jobs in Marquez's shape."""

from typing import Any

from lineage.graph_answer import Graph
from lineage.marquez.datasets import dataset_documents
from lineage.marquez.jobs import job_documents
from lineage.reading import Reader

Named = dict[str, str]


def graph_document(unit: Reader, graph: Graph) -> dict[str, Any]:
    """The graph as ``{graph: [Node], truncated}``: nodes by id, edges naming nodes of the answer only.

    The shape has no place for a node without a name, so hidden ones are left out and counted (``hidden``).
    """
    jobs = [node.row_id for node in graph.nodes if node.kind == "job" and not node.is_hidden]
    datasets = [node.row_id for node in graph.nodes if node.kind == "dataset" and not node.is_hidden]
    shown = dict(zip(jobs, job_documents(unit, jobs, most_runs=1), strict=True))
    shown.update(zip(datasets, dataset_documents(unit, datasets), strict=True))
    into: dict[int, list[Named]] = {place: [] for place in range(len(graph.nodes))}
    out: dict[int, list[Named]] = {place: [] for place in range(len(graph.nodes))}
    hidden = {place for place, node in enumerate(graph.nodes) if node.is_hidden}
    for edge in graph.edges:
        if edge.source in hidden or edge.target in hidden:
            continue
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
        if place not in hidden
    ]
    counted = {} if unit.sight.is_whole else {"hidden": len(hidden)}
    return {"graph": sorted(nodes, key=lambda node: str(node["id"])), "truncated": graph.is_truncated, **counted}
