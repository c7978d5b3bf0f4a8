"""Answers at run level as JSON. Pure: values in, documents out."""

from collections.abc import Mapping
from typing import Any

from api.routers.lineage_shapes import time_text
from audits.running import Running
from governance.types.ancestry import Ancestry, AncestryEdge, DatasetVersion, RunNode
from lineage.findings import FoundInEvent, FoundInRun, Page
from lineage.levels import weakest_path
from lineage.neighbourhood import GraphQuery
from lineage.run_walk import HiddenNode, RunGraph, WalkedRun, WalkedVersion
from lineage.serving import Deployment, Served, ServedModel


def run_document(found: RunGraph, query: GraphQuery) -> dict[str, Any]:
    """The runs and versions, and which run read and wrote which."""
    return {
        "start": found.start,
        "direction": query.direction,
        "depth": query.depth,
        "as_of": time_text(query.as_of),
        "nodes": [{"index": index, **_node(node)} for index, node in enumerate(found.nodes)],
        "edges": [
            {"from": edge.source, "to": edge.target, "role": edge.role, "basis": edge.basis} for edge in found.edges
        ],
        "truncated": found.is_truncated,
        "frontier": list(found.frontier),
    }


def _node(node: WalkedRun | WalkedVersion | HiddenNode) -> dict[str, Any]:
    if isinstance(node, HiddenNode):
        return {"kind": node.kind, "distance": node.distance, "hidden": True}
    if isinstance(node, WalkedRun):
        return {"kind": "run", "distance": node.distance, **_run(node.run)}
    return {
        "kind": "dataset_version",
        "distance": node.distance,
        "namespace": node.namespace,
        "name": node.name,
        "version": node.version,
    }


def _run(run: RunNode) -> dict[str, Any]:
    return {
        "run_id": run.run_id,
        "job": {"namespace": run.job_namespace, "name": run.job_name, "type": run.job_type},
        "state": run.state,
        "started_at": time_text(run.started_at),
        "ended_at": time_text(run.ended_at),
    }


def serving_document(found: Served, as_of: Any, following: str | None, judged: Mapping[str, Running]) -> dict[str, Any]:
    """The deployments of a page, each with what its decision was and is worth."""
    return {
        "as_of": time_text(as_of),
        "deployments": [
            {**_deployment(deployment), **judged[deployment.run.run_id].document()} for deployment in found.deployments
        ],
        "next_cursor": following,
    }


def _deployment(found: Deployment) -> dict[str, Any]:
    return {
        **_run(found.run),
        "environment": found.environment,
        "revision": found.revision,
        "decision_id": found.decision_id,
        "policy_digest": found.policy_digest,
        "approvers": list(found.approvers),
        "endpoints": [{"namespace": namespace, "name": name} for namespace, name in found.endpoints],
        "models": [_model(model, found.decision_id) for model in found.models],
    }


def _model(model: ServedModel, decision_id: str | None) -> dict[str, Any]:
    return {
        "namespace": model.namespace,
        "name": model.name,
        "decision_id": decision_id,
        "traffic_percent": model.traffic_percent,
        "content_digest": model.content_digest,
        "risk_tier": model.risk_tier,
        "level": model.level,
        "training": [_run(run) for run in model.training],
        "data": [_version(version) for version in model.data],
        "hidden": model.hidden,
        "truncated": model.is_truncated,
    }


def _version(version: DatasetVersion) -> dict[str, Any]:
    return {
        "namespace": version.namespace,
        "name": version.name,
        "version": version.version,
        "level": version.level,
        "erased_at": time_text(version.erased_at),
    }


def evidence_document(ancestry: Ancestry) -> dict[str, Any]:
    """The links with their levels, and the weakest path, from the data to the subject."""
    by_ends = {(edge.source, edge.target): edge for edge in ancestry.edges}
    links = {ends: edge.level for ends, edge in by_ends.items() if edge.level is not None}
    path = weakest_path(ancestry.subject or "", links)
    named = {version.key: version for version in ancestry.datasets}
    runs = {run.key: run for run in ancestry.runs}
    return {
        "as_of": time_text(ancestry.as_of),
        "subject": ancestry.subject,
        "level": ancestry.level,
        "weakest_path": [_link(by_ends[link]) for link in path],
        "datasets": [{"key": key, **_version(version)} for key, version in named.items() if key != ancestry.subject],
        "runs": [{"key": key, **_run(run)} for key, run in runs.items()],
        "links": [_link(edge) for edge in ancestry.edges],
        "truncated": ancestry.truncated,
    }


def _link(edge: AncestryEdge) -> dict[str, Any]:
    return {
        "from": edge.source,
        "to": edge.target,
        "role": edge.role,
        "level": edge.level,
        "reason": edge.level_reason,
        "version_inferred": edge.version_inferred,
        "precision": edge.precision,
    }


def findings_document(found: Page, following: str | None) -> dict[str, Any]:
    """The findings of a page."""
    return {"findings": [_finding(item) for item in found.found], "next_cursor": following}


def _finding(item: FoundInEvent | FoundInRun) -> dict[str, Any]:
    finding = item.finding
    shown = {
        "code": finding.code,
        "pointer": finding.pointer,
        "expected": finding.expected,
        "found": finding.found,
    }
    if isinstance(item, FoundInEvent):
        return {
            **shown,
            "event": item.event_digest,
            "event_time": time_text(item.event_time),
            "producer": item.producer,
        }
    job = {"namespace": item.job_namespace, "name": item.job_name}
    return {**shown, "run_id": item.run_id, "job": job, "run_time": time_text(item.run_time)}
