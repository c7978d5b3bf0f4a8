"""Answers at run level as JSON. Pure: values in, documents out."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

from api.routers.lineage_shapes import time_text
from audits.running import Running
from governance.canonical import sha256
from governance.types.ancestry import Ancestry, AncestryEdge, DatasetVersion, RunNode
from governance.types.sight import Sight
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


def evidence_document(ancestry: Ancestry, sight: Sight) -> dict[str, Any]:
    """The links with their levels, and the weakest path, from the data to the subject.

    What is not seen is told by a key alone; of its links the level is told, and not the reason.
    """
    by_ends = {(edge.source, edge.target): edge for edge in ancestry.edges}
    links = {ends: edge.level for ends, edge in by_ends.items() if edge.level is not None}
    path = weakest_path(ancestry.subject or "", links)
    keys = _keys(ancestry, sight)
    datasets = {version.key: _version(version) for version in ancestry.datasets if version.key != ancestry.subject}
    runs = {run.key: _run(run) for run in ancestry.runs}
    return {
        "as_of": time_text(ancestry.as_of),
        "subject": None if ancestry.subject is None else keys.of(ancestry.subject),
        "level": ancestry.level,
        "weakest_path": [keys.link(by_ends[link]) for link in path],
        "datasets": [keys.entry(key, datasets[key]) for key in keys.ordered(datasets)],
        "runs": [keys.entry(key, runs[key]) for key in keys.ordered(runs)],
        "links": [keys.link(by_ends[ends]) for ends in sorted(by_ends, key=keys.order)],
        "truncated": ancestry.truncated,
    }


@dataclass(frozen=True, slots=True)
class _Keys:
    """The keys of an ancestry as they are shown: ``shown`` has those that are shown by another text."""

    shown: Mapping[str, str]
    hidden: frozenset[str]

    def of(self, key: str) -> str:
        return self.shown.get(key, key)

    def ordered(self, keys: Iterable[str]) -> list[str]:
        """By what is shown, the hidden ones last, so that their order says nothing of their names."""
        return sorted(keys, key=lambda key: (key in self.hidden, self.of(key)))

    def order(self, ends: tuple[str, str]) -> tuple[str, str]:
        return (self.of(ends[0]), self.of(ends[1]))

    def entry(self, key: str, told: dict[str, Any]) -> dict[str, Any]:
        return {"key": self.of(key), "hidden": True} if key in self.hidden else {"key": self.of(key), **told}

    def link(self, edge: AncestryEdge) -> dict[str, Any]:
        frame = {"from": self.of(edge.source), "to": self.of(edge.target), "role": edge.role, "level": edge.level}
        if edge.source in self.hidden or edge.target in self.hidden:
            return {**frame, "hidden": True}
        told = {"version_inferred": edge.version_inferred, "precision": edge.precision}
        return {**frame, "reason": edge.level_reason, **told}


def _keys(ancestry: Ancestry, sight: Sight) -> _Keys:
    """The keys; a key that holds the id of a hidden run, since that wrote the dataset, is another."""
    if sight.is_whole:
        return _Keys({}, frozenset())
    names = {version.key: (version.namespace, version.name) for version in ancestry.datasets}
    names |= {run.key: (run.job_namespace, run.job_name) for run in ancestry.runs}
    hidden = [key for key, name in names.items() if not sight.sees(*name)]
    hidden.sort(key=lambda key: sha256(key.encode()))
    shown = {key: f"hidden:{number}" for number, key in enumerate(hidden, start=1)}
    unseen = {run.run_id: shown[run.key] for run in ancestry.runs if run.key in shown}
    for key in names.keys() - shown.keys():
        dataset, mark, writer = key.rpartition("@")
        if mark and unquote(writer) in unseen:
            shown[key] = f"{dataset}@{unseen[unquote(writer)]}"
    return _Keys(shown, frozenset(hidden))


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
