"""What the events of one run say that no list shows: facets of the run and its job, of what it read and wrote."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import sqlalchemy as sa

from lineage.events import Event, read_stored
from lineage.marquez.runs import run_documents
from lineage.marquez.sight import seen_facets
from lineage.reading import Reader
from lineage.tables import EventRow, PayloadRow, RunRow

Facets = dict[str, Any]


@dataclass
class RunFacets:
    """The facets of a run's own events: per key the latest by event time and digest; deleted ones are left out.

    ``datasets`` are by role, namespace and name.
    """

    run: Facets = field(default_factory=dict)
    job: Facets = field(default_factory=dict)
    datasets: dict[tuple[str, str, str], Facets] = field(default_factory=dict)

    @property
    def args(self) -> dict[str, str]:
        """The arguments that the run was made with, or its execution parameters."""
        own = self.run.get("assay_marquez")
        if isinstance(own, dict) and isinstance(own.get("args"), dict):
            return {key: str(value) for key, value in own["args"].items() if value is not None}
        told = self.run.get("executionParameters")
        listed = told.get("parameters") if isinstance(told, dict) else None
        entries = [entry for entry in listed if isinstance(entry, dict)] if isinstance(listed, list) else []
        return {
            entry["key"]: str(entry["value"])
            for entry in entries
            if isinstance(entry.get("key"), str) and entry.get("value") is not None
        }


def run_facets(unit: Reader, run: RunRow) -> RunFacets:
    """What the run's events say."""
    query = (
        sa.select(EventRow.redaction_version, PayloadRow.body)
        .join(PayloadRow, PayloadRow.event_id == EventRow.id)
        .where(EventRow.run_identity == run.identity)
        .order_by(EventRow.event_time, EventRow.digest)
    )
    found = RunFacets()
    for version, body in unit.session.execute(query, execution_options={"yield_per": 20}):
        _add(found, read_stored(body, version))
    return found


def _add(found: RunFacets, event: Event) -> None:
    found.run.update(event.run_facets)
    if event.job is not None:
        _merge(found.job, event.job.facets)
    for role, mentions in (("input", event.inputs), ("output", event.outputs)):
        for mention in mentions:
            _merge(found.datasets.setdefault((role, mention.namespace, mention.name), {}), mention.role_facets)


def _merge(held: Facets, told: Mapping[str, Any]) -> None:
    for key, value in told.items():
        if isinstance(value, dict) and value.get("_deleted") is True:
            held.pop(key, None)
        else:
            held[key] = value


def run_document(unit: Reader, run: RunRow) -> dict[str, Any]:
    """The run in Marquez's shape with its arguments and facets."""
    document, told = run_documents(unit, [run.id])[0], run_facets(unit, run)
    ends = {
        f"{role}DatasetVersions": [
            {**version, "facets": seen_facets(_of_role(told, role, version["datasetVersionId"]), unit.sight)}
            for version in document[f"{role}DatasetVersions"]
        ]
        for role in ("input", "output")
    }
    return {**document, **ends, "args": told.args, "facets": seen_facets(told.run, unit.sight)}


def _of_role(told: RunFacets, role: str, names: Mapping[str, str]) -> Facets:
    return told.datasets.get((role, names["namespace"], names["name"]), {})
