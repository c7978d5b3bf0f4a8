"""Answers about lineage as JSON and CSV. Pure: values in, documents out."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Any

from governance.cells import csv_line
from governance.clock import rfc3339
from lineage.connections import Connections
from lineage.differences import Differences, Name, Side
from lineage.graph_answer import Graph, GraphEdge, GraphNode
from lineage.impact import Impacted
from lineage.neighbourhood import GraphQuery, Reached

IMPACT_COLUMNS = (
    "distance", "kind", "type", "namespace", "name", "owners", "tags", "latest_run_state", "first_seen", "last_seen",
)  # fmt: skip


def graph_document(found: Graph, query: GraphQuery) -> dict[str, Any]:
    """The graph."""
    return {
        "start": found.start,
        **_asked(query),
        "nodes": _nodes(found.nodes),
        "edges": _edges(found.edges, found.nodes),
        "truncated": found.is_truncated,
        "frontier": list(found.frontier),
    }


def impact_document(rows: Sequence[Impacted], reached: Reached, query: GraphQuery) -> dict[str, Any]:
    """The list as JSON."""
    return {
        **_asked(query),
        "nodes": [
            {"distance": row.distance, "kind": row.kind, "hidden": True}
            if row.is_hidden
            else {
                "distance": row.distance,
                "kind": row.kind,
                "type": row.type,
                "namespace": row.namespace,
                "name": row.name,
                "owners": list(row.owners),
                "tags": list(row.tags),
                "latest_run_state": row.latest_run_state,
                "first_seen": row.first_seen,
                "last_seen": row.last_seen,
            }
            for row in rows
        ],
        "truncated": reached.is_truncated,
    }


def csv_lines(rows: Iterable[Impacted]) -> Iterator[str]:
    """The list as CSV (RFC 4180), the header first; owners and tags are joined by semicolons.

    A hidden node has neither namespace nor name.
    """
    yield csv_line(IMPACT_COLUMNS)
    for row in rows:
        yield csv_line(
            [
                row.distance,
                row.kind,
                row.type,
                row.namespace,
                row.name,
                "; ".join(row.owners),
                "; ".join(row.tags),
                row.latest_run_state,
                time_text(row.first_seen),
                time_text(row.last_seen),
            ]
        )


def connections_document(found: Connections, query: GraphQuery) -> dict[str, Any]:
    """The paths, as places in the list of nodes."""
    return {
        **_asked(query),
        "paths": [{"direction": path.direction, "nodes": list(path.nodes)} for path in found.paths],
        "nodes": _nodes(found.nodes),
        "edges": _edges(found.edges, found.nodes),
        "truncated": found.is_truncated,
    }


def differences_document(found: Differences, before: Side, after: Side, query: GraphQuery) -> dict[str, Any]:
    """What is on one side only."""
    counted = {} if found.hidden is None else {"hidden": found.hidden}
    return {
        **_asked(query),
        "before": _side(before),
        "after": _side(after),
        "nodes_added": [_name(name) for name in found.nodes_added],
        "nodes_removed": [_name(name) for name in found.nodes_removed],
        "edges_added": [{"from": _name(source), "to": _name(target)} for source, target in found.edges_added],
        "edges_removed": [{"from": _name(source), "to": _name(target)} for source, target in found.edges_removed],
        "versions_changed": [
            {
                "namespace": changed.namespace,
                "name": changed.name,
                "before": list(changed.before),
                "after": list(changed.after),
            }
            for changed in found.versions_changed
        ],
        **counted,
        "truncated": found.is_truncated,
    }


def time_text(moment: datetime | None) -> str | None:
    """The instant in UTC."""
    return None if moment is None else rfc3339(moment)


def _asked(query: GraphQuery) -> dict[str, Any]:
    return {
        "direction": query.direction,
        "depth": query.depth,
        "as_of": time_text(query.as_of),
        "edges_mode": query.edges,
    }


def _side(side: Side) -> dict[str, Any]:
    return {
        "kind": side.start.kind,
        "namespace": side.start.namespace,
        "name": side.start.name,
        "as_of": time_text(side.as_of),
    }


def _name(name: Name) -> dict[str, str]:
    kind, namespace, text = name
    return {"kind": kind, "namespace": namespace, "name": text}


def _nodes(nodes: Iterable[GraphNode]) -> list[dict[str, Any]]:
    return [
        {"index": index, "kind": node.kind, "distance": node.distance, "hidden": True}
        if node.is_hidden
        else {
            "index": index,
            "kind": node.kind,
            "type": node.type,
            "subtype": node.subtype,
            "namespace": node.namespace,
            "name": node.name,
            "distance": node.distance,
            "aliases": [{"namespace": namespace, "name": name} for namespace, name in node.aliases],
        }
        for index, node in enumerate(nodes)
    ]


def _edges(edges: Iterable[GraphEdge], nodes: Sequence[GraphNode]) -> list[dict[str, Any]]:
    """The edges; of one with a hidden end no more than that it is there."""
    return [
        {"from": edge.source, "to": edge.target, "hidden": True}
        if nodes[edge.source].is_hidden or nodes[edge.target].is_hidden
        else {
            "from": edge.source,
            "to": edge.target,
            "first_seen": edge.first_seen,
            "last_seen": edge.last_seen,
            "run_count": edge.run_count,
            "latest_run_id": edge.latest_run_id,
        }
        for edge in edges
    ]
