"""What clients of Marquez's API write about datasets, jobs and runs, as OpenLineage events. Pure.

Each form becomes an event with the producer ``urn:assay:marquez-api`` and takes the same path as any other event, so
that there is one source of lineage and one history.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from governance.clock import rfc3339
from lineage.events import EventKind

PRODUCER = "urn:assay:marquez-api"
_SPEC = "https://openlineage.io/spec"
_TYPES = {"BATCH": "BATCH", "STREAM": "STREAMING", "SERVICE": "SERVICE"}

Change = Literal["start", "complete", "fail", "abort"]
_EVENT_TYPES = {"start": "START", "complete": "COMPLETE", "fail": "FAIL", "abort": "ABORT"}

Names = tuple[str, str]
"""Namespace and name."""


@dataclass(frozen=True, slots=True)
class RunOf:
    """A run and the job it belongs to."""

    run_id: str
    job: Names


@dataclass(frozen=True, slots=True)
class FieldForm:
    """A field of a dataset as it is put."""

    name: str
    type: str | None = None
    tags: tuple[str, ...] = ()
    description: str | None = None


@dataclass(frozen=True, slots=True)
class DatasetForm:
    """A dataset as it is put; ``run`` is the run that wrote it, where it is said."""

    is_stream: bool
    physical_name: str
    source_name: str
    fields: tuple[FieldForm, ...] = ()
    tags: tuple[str, ...] = ()
    description: str | None = None
    schema_location: str | None = None
    run: RunOf | None = None


@dataclass(frozen=True, slots=True)
class JobForm:
    """A job as it is put; ``run`` is the run that read and wrote the datasets, where it is said."""

    type: str
    inputs: tuple[Names, ...] = ()
    outputs: tuple[Names, ...] = ()
    location: str | None = None
    description: str | None = None
    context: Mapping[str, str] = field(default_factory=dict)
    run: RunOf | None = None


@dataclass(frozen=True, slots=True)
class RunForm:
    """A run as it is made; times are as they were sent."""

    nominal_start: str | None = None
    nominal_end: str | None = None
    args: Mapping[str, str] = field(default_factory=dict)


def dataset_put(names: Names, form: DatasetForm, now: datetime, base: str) -> dict[str, Any]:
    """The event of a dataset that is put: a DatasetEvent, or one of the run that wrote it.

    ``base`` is the address below which this instance serves its facet schemas.
    """
    facets = {
        "dataSource": _facet("1-0-1/DatasourceDatasetFacet", name=form.source_name),
        "datasetType": _facet("1-0-1/DatasetTypeDatasetFacet", datasetType="STREAM" if form.is_stream else "TABLE"),
        "schema": _facet("1-2-0/SchemaDatasetFacet", fields=[_field(item) for item in form.fields]),
        "tags": _facet("1-0-0/TagsDatasetFacet", tags=_tags(form)),
        "assay_marquez": _own(
            base, "Dataset", physicalName=form.physical_name, schemaLocation=form.schema_location
        ),
        **_documentation("Dataset", form.description),
    }  # fmt: skip
    dataset = {"namespace": names[0], "name": names[1], "facets": facets}
    if form.run is None:
        return {**_frame("DatasetEvent", now), "dataset": dataset}
    return {**_run_frame(form.run, now), "outputs": [dataset]}


def job_put(names: Names, form: JobForm, now: datetime, base: str) -> dict[str, Any]:
    """The event of a job that is put: a JobEvent, or one of the run that read and wrote its datasets."""
    facets = {
        "jobType": _facet(
            "2-0-3/JobTypeJobFacet", processingType=_TYPES[form.type], integration="MARQUEZ", jobType="JOB"
        ),
        **_documentation("Job", form.description),
    }
    if form.location is not None:
        facets["sourceCodeLocation"] = _facet("1-0-1/SourceCodeLocationJobFacet", type="url", url=form.location)
    if form.context:
        facets["assay_marquez"] = _own(base, "Job", context=dict(form.context))
    ends = {"inputs": _datasets(form.inputs), "outputs": _datasets(form.outputs)}
    frame = _frame("JobEvent", now) if form.run is None else _run_frame(form.run, now)
    return {**frame, "job": {"namespace": names[0], "name": names[1], "facets": facets}, **ends}


def run_made(run: RunOf, form: RunForm, now: datetime) -> dict[str, Any]:
    """The event of a run that is made and not yet started."""
    facets: dict[str, Any] = {}
    if form.nominal_start is not None:
        times = {"nominalStartTime": form.nominal_start, "nominalEndTime": form.nominal_end}
        facets["nominalTime"] = _facet("1-0-1/NominalTimeRunFacet", **times)
    if form.args:
        parameters = [{"key": key, "value": value} for key, value in form.args.items()]
        facets["executionParameters"] = _facet("1-0-0/ExecutionParametersRunFacet", parameters=parameters)
    return _run_frame(run, now, facets=facets)


def run_changed(run: RunOf, change: Change, at: datetime) -> dict[str, Any]:
    """The event of a run that starts or ends."""
    return {**_run_frame(run, at), "eventType": _EVENT_TYPES[change]}


def _frame(kind: EventKind, at: datetime) -> dict[str, Any]:
    return {
        "eventTime": rfc3339(at),
        "producer": PRODUCER,
        "schemaURL": f"{_SPEC}/2-0-2/OpenLineage.json#/$defs/{kind}",
    }


def _run_frame(run: RunOf, at: datetime, *, facets: Mapping[str, Any] | None = None) -> dict[str, Any]:
    return {
        **_frame("RunEvent", at),
        "eventType": "OTHER",
        "run": {"runId": run.run_id, "facets": dict(facets or {})},
        "job": {"namespace": run.job[0], "name": run.job[1]},
    }


def _facet(schema: str, /, **members: Any) -> dict[str, Any]:
    """A standard facet; members that are null are left out."""
    told = {name: value for name, value in members.items() if value is not None}
    return {"_producer": PRODUCER, "_schemaURL": f"{_SPEC}/facets/{schema}.json", **told}


def _own(base: str, entity: str, **members: Any) -> dict[str, Any]:
    schema = f"{base.rstrip('/')}/spec/facets/1-0-0/AssayMarquez{entity}Facet.json"
    return {**_facet("", **members), "_schemaURL": schema}


def _documentation(entity: str, description: str | None) -> dict[str, Any]:
    version = {"Dataset": "1-0-1", "Job": "1-0-1"}[entity]
    schema = f"{version}/Documentation{entity}Facet"
    return {} if description is None else {"documentation": _facet(schema, description=description)}


def _field(form: FieldForm) -> dict[str, Any]:
    told = {"name": form.name, "type": form.type, "description": form.description}
    return {name: value for name, value in told.items() if value is not None}


def _tags(form: DatasetForm) -> list[dict[str, str]]:
    own = [{"key": tag, "value": "true"} for tag in form.tags]
    return own + [{"key": tag, "value": "true", "field": item.name} for item in form.fields for tag in item.tags]


def _datasets(names: Sequence[Names]) -> list[dict[str, str]]:
    return [{"namespace": namespace, "name": name} for namespace, name in names]
