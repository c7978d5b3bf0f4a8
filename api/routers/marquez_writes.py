"""What clients of Marquez's API write: entities and runs as events, tags and soft deletes as acts of an operator."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from api.dependencies import PrincipalOf, SettingsOf, WriteUnit, permit
from api.names import NameInPath
from governance.clock import uuid7
from governance.database import Unit
from governance.errors import InputRefused, OutsideScopes
from governance.settings import Settings
from lineage import actions
from lineage.actions import Target
from lineage.events import read_time
from lineage.holding import held
from lineage.identity import MAX_NAME
from lineage.ingest import Refused, read_events, record_read
from lineage.marquez import shapes
from lineage.marquez.lookup import require_entity, require_run
from lineage.marquez_forms import (
    Change,
    DatasetForm,
    FieldForm,
    JobForm,
    RunForm,
    RunOf,
    dataset_put,
    job_put,
    run_changed,
    run_made,
)
from lineage.reading import nodes_by_id

router = APIRouter(prefix="/api/v1", tags=["marquez"])

Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME)]
Text = Annotated[str, Field(max_length=65_536)]
Texts = Annotated[Mapping[str, str], Field(max_length=1_000)]


class _Body(BaseModel):
    """A body as Marquez's clients send it; members that Marquez does not know are ignored, as it ignores them."""

    model_config = ConfigDict(frozen=True)


class DatasetName(_Body):
    """A dataset by its names."""

    namespace: Name
    name: Name


class NamespaceBody(_Body):
    """Who owns a namespace, and what it is."""

    ownerName: Name  # noqa: N815 - the name that Marquez's clients send
    description: Text | None = None


class SourceBody(_Body):
    """Where datasets lie."""

    type: Name
    connectionUrl: Name  # noqa: N815 - as above
    description: Text | None = None


class TagBody(_Body):
    """What a tag means."""

    description: Text | None = None


class FieldBody(_Body):
    """A field of a dataset."""

    name: Name
    type: Name | None = None
    tags: tuple[Name, ...] | None = None
    description: Text | None = None


class DatasetBody(_Body):
    """A dataset, and the run that wrote it where that is said."""

    type: Literal["DB_TABLE", "STREAM"]
    physicalName: Name  # noqa: N815 - as above
    sourceName: Name  # noqa: N815 - as above
    fields: tuple[FieldBody, ...] | None = Field(None, max_length=10_000)
    tags: tuple[Name, ...] | None = Field(None, max_length=1_000)
    description: Text | None = None
    runId: Name | None = None  # noqa: N815 - as above
    schemaLocation: Name | None = None  # noqa: N815 - as above


class JobBody(_Body):
    """A job, and the run that read and wrote its datasets where that is said."""

    type: Literal["BATCH", "STREAM", "SERVICE"]
    inputs: tuple[DatasetName, ...] | None = Field(None, max_length=10_000)
    outputs: tuple[DatasetName, ...] | None = Field(None, max_length=10_000)
    location: Name | None = None
    description: Text | None = None
    context: Texts | None = None
    runId: Name | None = None  # noqa: N815 - as above


class RunBody(_Body):
    """A run that is made; without an id it gets one."""

    id: Name | None = None
    nominalStartTime: Name | None = None  # noqa: N815 - as above
    nominalEndTime: Name | None = None  # noqa: N815 - as above
    args: Texts | None = None


WRITES = [permit("lineage.write", scoped=True)]
HIDES = [permit("lineage.hide", scoped=True)]
FOR_ALL = [permit("lineage.write")]
"""Sources and tags have no scope: what is said of one is said to everybody."""
Answer = dict[str, Any]


async def _dataset_target(namespace: NameInPath, dataset: NameInPath) -> Target:
    return Target("dataset", namespace, dataset)


async def _job_target(namespace: NameInPath, job: NameInPath) -> Target:
    return Target("job", namespace, job)


DatasetInPath = Annotated[Target, Depends(_dataset_target)]
JobInPath = Annotated[Target, Depends(_job_target)]
Dataset = "/namespaces/{namespace}/datasets/{dataset}"
Job = "/namespaces/{namespace}/jobs/{job}"


@router.put("/namespaces/{namespace}", summary="Describe a namespace", dependencies=WRITES)
def put_namespace(unit: WriteUnit, principal: PrincipalOf, namespace: NameInPath, body: NamespaceBody) -> Answer:
    """Say who owns it and what it is; a namespace that no event named exists from now on."""
    actions.describe_namespace(unit, namespace, body.ownerName, body.description, principal.id)
    return shapes.namespace_document(unit, namespace)


@router.delete("/namespaces/{namespace}", summary="Hide a namespace", dependencies=HIDES)
def delete_namespace(unit: WriteUnit, principal: PrincipalOf, namespace: NameInPath) -> Answer:
    """Hide it and all in it until an event that is recorded later names it. No evidence is removed."""
    document = shapes.namespace_document(unit, namespace)
    actions.delete_namespace(unit, namespace, principal.id)
    return {**document, "isHidden": True}


@router.put("/sources/{source}", summary="Describe a source of data", dependencies=FOR_ALL)
def put_source(unit: WriteUnit, principal: PrincipalOf, source: NameInPath, body: SourceBody) -> Answer:
    """Say what it is and where it lies."""
    told = {"type": body.type, "uri": body.connectionUrl, "description": body.description}
    actions.describe_source(unit, source, told, principal.id)
    return shapes.source_document(unit, source)


@router.put("/tags/{tag}", summary="Describe a tag", dependencies=FOR_ALL)
def put_tag(unit: WriteUnit, principal: PrincipalOf, tag: NameInPath, body: TagBody) -> Answer:
    """Say what it means; a tag that nothing carries yet exists from now on."""
    actions.describe_tag(unit, tag, body.description, principal.id)
    return {"name": tag, "description": body.description}


@router.put(Dataset, summary="Describe a dataset", dependencies=WRITES)
def put_dataset(
    request: Request, unit: WriteUnit, settings: SettingsOf, dataset: DatasetInPath, body: DatasetBody
) -> Answer:
    """Record what is said of a dataset as an event; with `runId` as the output of that run."""
    form = DatasetForm(
        is_stream=body.type == "STREAM",
        physical_name=body.physicalName,
        source_name=body.sourceName,
        fields=tuple(FieldForm(item.name, item.type, item.tags or (), item.description) for item in body.fields or ()),
        tags=body.tags or (),
        description=body.description,
        schema_location=body.schemaLocation,
        run=None if body.runId is None else _run_of(unit, body.runId),
    )
    _record(unit, settings, dataset_put((dataset.namespace, dataset.name), form, unit.now, str(request.base_url)))
    return _document(unit, dataset)


@router.delete(Dataset, summary="Hide a dataset", dependencies=HIDES)
def delete_dataset(unit: WriteUnit, principal: PrincipalOf, dataset: DatasetInPath) -> Answer:
    """Hide it until an event that is recorded later names it. No evidence is removed."""
    return {**_hide(unit, dataset, principal.id), "deleted": True}


@router.put(Job, summary="Describe a job", dependencies=WRITES)
def put_job(request: Request, unit: WriteUnit, settings: SettingsOf, job: JobInPath, body: JobBody) -> Answer:
    """Record what is said of a job as an event; with `runId` as one of that run."""
    form = JobForm(
        type=body.type,
        inputs=tuple((item.namespace, item.name) for item in body.inputs or ()),
        outputs=tuple((item.namespace, item.name) for item in body.outputs or ()),
        location=body.location,
        description=body.description,
        context=body.context or {},
        run=None if body.runId is None else RunOf(body.runId, (job.namespace, job.name)),
    )
    _record(unit, settings, job_put((job.namespace, job.name), form, unit.now, str(request.base_url)))
    return _document(unit, job)


@router.delete(Job, summary="Hide a job", dependencies=HIDES)
def delete_job(unit: WriteUnit, principal: PrincipalOf, job: JobInPath) -> Answer:
    """Hide it until an event that is recorded later names it. No evidence is removed."""
    return _hide(unit, job, principal.id)


@router.post(Job + "/runs", status_code=201, summary="Make a run", dependencies=WRITES)
def make_run(unit: WriteUnit, settings: SettingsOf, job: JobInPath, body: RunBody) -> Answer:
    """Record that a run of the job exists; it is NEW until it is started."""
    require_entity(unit, "job", job.namespace, job.name)
    run = RunOf(body.id or str(uuid7(unit.now)), (job.namespace, job.name))
    form = RunForm(body.nominalStartTime, body.nominalEndTime, body.args or {})
    _record(unit, settings, run_made(run, form, unit.now))
    return shapes.run_document(unit, run.run_id)


@router.post("/jobs/runs/{run_id}/{change}", summary="Start or end a run", dependencies=WRITES)
def change_run(
    unit: WriteUnit,
    settings: SettingsOf,
    run_id: NameInPath,
    change: Change,
    at: Annotated[str | None, Query(max_length=128, description="When; default: now.")] = None,
) -> Answer:
    """Record that the run started, completed, failed or was aborted."""
    run = _run_of(unit, run_id)
    _record(unit, settings, run_changed(run, change, unit.now if at is None else _time(at)))
    return shapes.run_document(unit, run.run_id)


@router.post(Dataset + "/tags/{tag}", summary="Tag a dataset", dependencies=WRITES)
def tag_dataset(unit: WriteUnit, principal: PrincipalOf, dataset: DatasetInPath, tag: NameInPath) -> Answer:
    """Set a tag by hand; it stays until it is taken away by hand."""
    actions.tag(unit, dataset, tag, principal.id)
    return _document(unit, dataset)


@router.delete(Dataset + "/tags/{tag}", summary="Take a tag from a dataset", dependencies=WRITES)
def untag_dataset(unit: WriteUnit, principal: PrincipalOf, dataset: DatasetInPath, tag: NameInPath) -> Answer:
    """Take a tag away, whoever set it; it stays away until it is set by hand."""
    actions.tag(unit, dataset, tag, principal.id, is_set=False)
    return _document(unit, dataset)


@router.post(Dataset + "/fields/{field}/tags/{tag}", summary="Tag a field", dependencies=WRITES)
def tag_field(
    unit: WriteUnit, principal: PrincipalOf, dataset: DatasetInPath, field: NameInPath, tag: NameInPath
) -> Answer:
    """Set a tag of a field by hand. The field is a path, `a.b.c`."""
    actions.tag(unit, dataset, tag, principal.id, field=field)
    return _document(unit, dataset)


@router.delete(Dataset + "/fields/{field}/tags/{tag}", summary="Take a tag from a field", dependencies=WRITES)
def untag_field(
    unit: WriteUnit, principal: PrincipalOf, dataset: DatasetInPath, field: NameInPath, tag: NameInPath
) -> Answer:
    """Take a tag of a field away, whoever set it."""
    actions.tag(unit, dataset, tag, principal.id, field=field, is_set=False)
    return _document(unit, dataset)


@router.post(Job + "/tags/{tag}", summary="Tag a job", dependencies=WRITES)
def tag_job(unit: WriteUnit, principal: PrincipalOf, job: JobInPath, tag: NameInPath) -> Answer:
    """Set a tag by hand; it stays until it is taken away by hand."""
    actions.tag(unit, job, tag, principal.id)
    return _document(unit, job)


@router.delete(Job + "/tags/{tag}", summary="Take a tag from a job", dependencies=WRITES)
def untag_job(unit: WriteUnit, principal: PrincipalOf, job: JobInPath, tag: NameInPath) -> Answer:
    """Take a tag away, whoever set it; it stays away until it is set by hand."""
    actions.tag(unit, job, tag, principal.id, is_set=False)
    return _document(unit, job)


def _record(unit: Unit, settings: Settings, document: Mapping[str, Any]) -> None:
    """Store the event on the same path as any other.

    Raises:
        InputRefused: a name in it cannot be stored. OutsideScopes: it asserts something about what is not seen.
    """
    body = json.dumps(document, separators=(",", ":")).encode("ascii")
    (read,) = held(unit, [(unit.sight, read_events([body], settings.lineage))])
    (answer,) = record_read(unit, read)
    if isinstance(answer, Refused):
        raise answer.fault


def _document(unit: Unit, target: Target) -> Answer:
    """The dataset or job with its facets."""
    document = shapes.job_document if target.kind == "job" else shapes.dataset_document
    return document(unit, target.namespace, target.name)


def _hide(unit: Unit, target: Target, by: str) -> Answer:
    """Hide the dataset under each of its names, or the job; what it was before.

    Raises:
        OutsideScopes: one of its names is not seen.
    """
    document = _document(unit, target)
    entity = require_entity(unit, target.kind, target.namespace, target.name)
    rows = nodes_by_id(unit, entity.members).values()
    if not all(unit.sight.sees(row.namespace, row.name) for row in rows):
        raise OutsideScopes(
            expected="a dataset all names of which lie within the scopes of the key",
            found="one with another name",
            remedy="Use a key with wider scopes.",
            pointer=target.kind,
        )
    for row in rows:
        actions.delete_node(unit, Target(target.kind, row.namespace, row.name), by)
    return document


def _run_of(unit: Unit, run_id: str) -> RunOf:
    """The run and its job.

    Raises:
        NotFound: no event named the run.
    """
    run = require_run(unit, run_id)
    job = nodes_by_id(unit, [run.job_id])[run.job_id]
    return RunOf(run.run_id, (job.namespace, job.name))


def _time(text: str) -> datetime:
    read = read_time(text)
    if read is None:
        raise InputRefused(
            expected="a date and time as in RFC 3339", found=text[:80], remedy="Correct it.", pointer="at"
        )
    return read[0]
