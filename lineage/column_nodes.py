"""Column lineage in the shape of Marquez's API: nodes of type DATASET_FIELD, and the input fields of a dataset."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from governance.types.sight import Sight
from lineage.column_answer import ColumnEdge, ColumnGraph, ColumnQuery, column_graph
from lineage.column_graph import Field, Hop
from lineage.column_sight import HIDDEN, seen_columns
from lineage.columns import StoredFields
from lineage.mapping import Transformation
from lineage.neighbourhood import MAX_NODE_LIMIT
from lineage.reading import Reader

Versions = Callable[[Sequence[int]], Mapping[int, str | None]]
"""Row ids of datasets to the UUIDs of their current versions."""


def column_nodes(
    stored: StoredFields, starts: Sequence[Field], versions: Versions, *, depth: int | None, with_downstream: bool
) -> dict[str, Any]:
    """``{graph: [Node], truncated}`` around the fields: what they come from, and with downstream what depends on them.

    Hidden fields are left out and counted (``hidden``).

    Nodes are sorted by id. An inEdge has the field itself as origin and its source as destination, and an outEdge the
    field that it goes into: the web pages follow ``destination`` both ways.
    """
    query = ColumnQuery("both" if with_downstream else "upstream", depth, MAX_NODE_LIMIT)
    found, hidden = _shown(column_graph(stored, starts, query), stored.unit.sight)
    current = versions(sorted({node.dataset for node in found.nodes}))
    into: dict[int, list[ColumnEdge]] = {place: [] for place in range(len(found.nodes))}
    out: dict[int, list[ColumnEdge]] = {place: [] for place in range(len(found.nodes))}
    for edge in found.edges:
        out[edge.source].append(edge)
        into[edge.target].append(edge)
    nodes = [
        {
            "id": _id(found, place),
            "type": "DATASET_FIELD",
            "data": _field_data(found, place, into[place], current),
            "inEdges": _named(found, place, [edge.source for edge in into[place]]),
            "outEdges": _named(found, place, [edge.target for edge in out[place]]),
        }
        for place in range(len(found.nodes))
    ]
    counted = {} if hidden is None else {"hidden": hidden}
    return {"graph": sorted(nodes, key=lambda node: str(node["id"])), "truncated": found.is_truncated, **counted}


def _shown(found: ColumnGraph, sight: Sight) -> tuple[ColumnGraph, int | None]:
    """The fields that are seen, and how many are not; null for whoever sees everything."""
    if sight.is_whole:
        return found, None
    narrowed = seen_columns(found, sight)
    kept = [place for place, node in enumerate(narrowed.nodes) if node.names != HIDDEN]
    places = {place: at for at, place in enumerate(kept)}
    edges = tuple(
        replace(edge, source=places[edge.source], target=places[edge.target])
        for edge in narrowed.edges
        if edge.source in places and edge.target in places
    )
    frontier = tuple(places.get(place, len(kept)) for place in narrowed.frontier)
    nodes = tuple(narrowed.nodes[place] for place in kept)
    return replace(narrowed, starts=(), nodes=nodes, edges=edges, frontier=frontier), len(found.nodes) - len(kept)


def input_fields(unit: Reader, datasets: Sequence[int]) -> dict[int, list[dict[str, Any]]]:
    """``columnLineage`` of each dataset: its fields with the fields that flow into them now; [] where none is told."""
    stored = StoredFields(unit, mode="current")
    canonical = {dataset: stored.aliases.canonical([dataset]).get(dataset, dataset) for dataset in datasets}
    flows = stored.flows(canonical.values(), "upstream")
    hops = {
        dataset: [
            Hop((edge.source, pair.source), (edge.target, pair.target), pair, edge)
            for edge in flows[canonical[dataset]]
            for pair in edge.pairs.targets.every
            if pair.source and pair.target
        ]
        for dataset in datasets
    }
    rows = stored.nodes(sorted({hop.source[0] for held in hops.values() for hop in held}))
    if not unit.sight.is_whole:
        hops = {at: [hop for hop in held if unit.sight.sees(*rows[hop.source[0]])] for at, held in hops.items()}
    shown: dict[int, list[dict[str, Any]]] = {}
    for dataset, held in hops.items():
        by_field: dict[str, list[dict[str, Any]]] = {}
        for hop in sorted(held, key=lambda one: (one.target[1], rows[one.source[0]].name, one.source[1])):
            source = rows[hop.source[0]]
            named = {"namespace": source.namespace, "dataset": source.name, "field": hop.source[1]}
            entry = {**named, **_transformation(hop.pair.transformations, is_masked=hop.pair.is_masked)}
            if entry not in by_field.setdefault(hop.target[1], []):
                by_field[hop.target[1]].append(entry)
        shown[dataset] = [{"name": name, "inputFields": inputs} for name, inputs in by_field.items()]
    return shown


def _field_data(
    found: ColumnGraph, place: int, into: Sequence[ColumnEdge], versions: Mapping[int, str | None]
) -> dict[str, Any]:
    inputs: list[dict[str, Any]] = []
    for edge in into:
        entry = {
            **_names(found, edge.source, versions),
            **_transformation(edge.transformations, is_masked=edge.is_masked),
        }
        if entry not in inputs:
            inputs.append(entry)
    first = inputs[0] if inputs else _transformation((), is_masked=False)
    return {
        **_names(found, place, versions),
        "fieldType": found.nodes[place].type,
        "transformationDescription": first["transformationDescription"],
        "transformationType": first["transformationType"],
        "inputFields": inputs,
    }


def _names(found: ColumnGraph, place: int, versions: Mapping[int, str | None]) -> dict[str, Any]:
    node = found.nodes[place]
    return {
        "namespace": node.names.namespace,
        "dataset": node.names.name,
        "datasetVersion": versions.get(node.dataset),
        "field": node.names.path,
    }


def _transformation(parts: Sequence[Transformation], *, is_masked: bool) -> dict[str, str | None]:
    """The one type and description that Marquez has room for: MASKED, else the first subtype or type."""
    first = parts[0] if parts else Transformation(None)
    described = (part.description for part in parts if part.description is not None)
    return {
        "transformationDescription": next(described, None),
        "transformationType": "MASKED" if is_masked else first.subtype or first.type,
    }


def _id(found: ColumnGraph, place: int) -> str:
    names = found.nodes[place].names
    return f"datasetField:{names.namespace}:{names.name}:{names.path}"


def _named(found: ColumnGraph, place: int, others: Sequence[int]) -> list[dict[str, str]]:
    """Edges from the field itself to each of the others, once."""
    origin = _id(found, place)
    return [{"origin": origin, "destination": end} for end in sorted({_id(found, other) for other in others})]
