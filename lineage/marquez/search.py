"""What a search finds, in the two shapes that Marquez's web pages read."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from lineage.facet_values import FacetValues, facets_of
from lineage.fact_tables import DATASET_FACETS, JOB_FACETS, RUN_FACETS
from lineage.identity import NodeKind, node_id_text
from lineage.labels import MAX_LABEL_BYTES
from lineage.marquez.pages import latest_run_keys
from lineage.marquez.runs import RunBatch, read_runs, time_text
from lineage.marquez.sight import seen_facets, visible_runs
from lineage.reading import Reader, among
from lineage.search import SearchHit, SearchQuery, search
from lineage.tables import OUTPUT, NodeRow, RunDatasetRow

MOST_HITS = 10
"""Hits of the advanced search: each comes with facets, which are read from events."""

_LAST_EVENTS = {"COMPLETED": "COMPLETE", "FAILED": "FAIL", "ABORTED": "ABORT", "RUNNING": "START", "NEW": "OTHER"}
_JOB_TYPES = {"STREAMING": "STREAM", "STREAM": "STREAM", "SERVICE": "SERVICE"}


def search_document(unit: Reader, query: SearchQuery) -> dict[str, Any]:
    """``{totalCount, results}``, names and times only."""
    found = search(unit, query)
    return {
        "totalCount": found.total,
        "results": [
            {
                "type": hit.kind.upper(),
                "name": hit.name,
                "updatedAt": time_text(hit.updated_at),
                "namespace": hit.namespace,
                "nodeId": node_id_text(hit.kind, hit.namespace, hit.name),
            }
            for hit in found.hits
        ],
    }


def advanced_document(unit: Reader, kind: NodeKind, text: str) -> dict[str, Any]:
    """``{hits, highlights}`` of jobs or datasets, most relevant first, each with its facets and its latest run.

    A facet above 64 KiB is left out; ask for the job or dataset to see it.
    """
    hits = search(unit, SearchQuery(text, kinds=(kind,), limit=MOST_HITS)).hits
    ids = [hit.row_id for hit in hits]
    latest = _latest_runs(unit, kind, ids)
    runs = read_runs(unit, sorted(set(latest.values())))
    facets = facets_of(unit, JOB_FACETS if kind == "job" else DATASET_FACETS, {number: number for number in ids})
    of_runs = facets_of(unit, RUN_FACETS, {run: run for run in latest.values()}) if kind == "job" else {}
    return {
        "hits": [_hit(hit, latest.get(hit.row_id), runs, facets[hit.row_id], of_runs) for hit in hits],
        "highlights": [_highlight(hit) for hit in hits],
    }


def _hit(
    hit: SearchHit, run: int | None, runs: RunBatch, facets: FacetValues, of_runs: Mapping[int, FacetValues]
) -> dict[str, Any]:
    shown = None if run is None else runs.document(run)
    document = {
        "run_id": None if shown is None else shown["id"],
        "name": hit.name,
        "namespace": hit.namespace,
        "eventType": None if shown is None else _LAST_EVENTS[shown["state"]],
        "facets": _small(seen_facets({**facets.role_facets, **facets.facets}, runs.sight)),
    }
    if hit.kind == "dataset":
        return document
    told = {} if run is None else of_runs[run].facets
    return {
        **document,
        "type": _JOB_TYPES.get((hit.type or "").upper(), "BATCH"),
        "runFacets": _small(seen_facets(told, runs.sight)),
    }


def _small(facets: Mapping[str, Any]) -> dict[str, Any]:
    return {key: facet for key, facet in facets.items() if len(json.dumps(facet)) <= MAX_LABEL_BYTES}


def _highlight(hit: SearchHit) -> dict[str, list[str]]:
    """Where the words were found: in fields, else in the name."""
    if hit.fields:
        return {"facets.schema.fields.name": [f"<em>{path}</em>" for path in hit.fields]}
    return {"name": [f"<em>{hit.name}</em>"]}


def _latest_runs(unit: Reader, kind: NodeKind, nodes: Sequence[int]) -> dict[int, int]:
    """The latest run of each job, or the latest one that wrote each dataset."""
    if kind == "job":
        return {job: runs[0] for job, runs in latest_run_keys(unit, nodes, 1).items() if runs}
    latest = (
        sa.select(RunDatasetRow.run_id)
        .where(RunDatasetRow.node_id == NodeRow.id, RunDatasetRow.role == OUTPUT)
        .order_by(RunDatasetRow.first_seen.desc(), RunDatasetRow.run_id.desc())
        .limit(1)
        .scalar_subquery()
    )
    query = sa.select(NodeRow.id, latest).where(among(unit, NodeRow.id, nodes))
    found = {row[0]: row[1] for row in unit.session.connection().execute(query) if row[1] is not None}
    shown = set(visible_runs(unit, sorted(set(found.values()))))
    return {node: run for node, run in found.items() if run in shown}
