"""Jobs, their versions and runs, as Marquez's clients read them."""

from collections.abc import Sequence
from typing import Annotated, Literal

from fastapi import APIRouter, Query
from fastapi.responses import Response

from api.answers import Paged, Paging, answer
from api.dependencies import ReadingUnit, permit
from api.names import NameInPath
from governance.database import ReadUnit
from lineage.marquez import shapes
from lineage.marquez.job_versions import job_version_page
from lineage.marquez.jobs import job_documents
from lineage.marquez.lookup import require_entity, require_namespace, require_run
from lineage.marquez.pages import Page, job_keys_by_state, node_keys, run_keys
from lineage.marquez.run_events import run_facets
from lineage.marquez.runs import run_documents
from lineage.marquez.sight import seen_facets
from lineage.state import State

router = APIRouter(prefix="/api/v1", tags=["marquez"])
READS = [permit("read", scoped=True)]
FacetsOf = Annotated[Literal["run", "job"], Query(alias="type", description="Whose facets.")]
JOB = "/namespaces/{namespace}/jobs/{job}"


class JobsAsked(Paging):
    """Which jobs: those whose latest run is in one of the states; without any, all."""

    lastRunStates: Annotated[tuple[State, ...], Query(max_length=10)] = ()  # noqa: N815 - as Marquez's clients send it


class JobsByState(Paging):
    """The form in which the web pages ask for jobs by the state of their latest run."""

    runState: State  # noqa: N815 - as the web pages send it


@router.get("/jobs", summary="The jobs of all namespaces", dependencies=READS)
def every_job(unit: ReadingUnit, asked: Annotated[JobsAsked, Query()]) -> Response:
    """By name, each with its latest runs. Facets are not in a list."""
    return _jobs(unit, asked.page, asked.lastRunStates, None)


@router.post("/jobs", summary="The jobs by the state of their latest run", dependencies=[permit("read", scoped=True)])
def jobs_by_state(unit: ReadingUnit, asked: Annotated[JobsByState, Query()]) -> Response:
    """As `GET /jobs` with `lastRunStates`: the web pages hold a call in this form. It changes nothing."""
    return _jobs(unit, asked.page, [asked.runState], None)


@router.get("/namespaces/{namespace}/jobs", summary="The jobs of a namespace", dependencies=READS)
def jobs(unit: ReadingUnit, namespace: NameInPath, asked: Annotated[JobsAsked, Query()]) -> Response:
    """By name, each with its latest runs. Facets are not in a list."""
    return _jobs(unit, asked.page, asked.lastRunStates, require_namespace(unit, namespace).id)


def _jobs(unit: ReadUnit, page: Page, states: Sequence[State], namespace_id: int | None) -> Response:
    if states:
        found = job_keys_by_state(unit, states, page, namespace_id)
    else:
        found = node_keys(unit, "job", page, namespace_id)
    return answer({"jobs": job_documents(unit, found.ids), "totalCount": found.total})


@router.get(JOB, summary="A job", dependencies=READS)
def job(unit: ReadingUnit, namespace: NameInPath, job: NameInPath) -> Response:
    """The job with its facets and latest runs."""
    return answer(shapes.job_document(unit, namespace, job))


@router.get(JOB + "/versions", summary="The versions of a job", dependencies=READS)
def versions(unit: ReadingUnit, namespace: NameInPath, job: NameInPath, paging: Paged) -> Response:
    """Each combination of what its runs read and wrote and where their code lay, the newest first."""
    shown, total = job_version_page(unit, require_entity(unit, "job", namespace, job), paging.page)
    return answer({"versions": shown, "totalCount": total})


@router.get(JOB + "/versions/{version}", summary="A version of a job", dependencies=READS)
def version(unit: ReadingUnit, namespace: NameInPath, job: NameInPath, version: NameInPath) -> Response:
    """What it read and wrote, and its latest run."""
    return answer(shapes.job_version_document(unit, namespace, job, version))


@router.get(JOB + "/runs", summary="The runs of a job", dependencies=READS)
def runs(unit: ReadingUnit, namespace: NameInPath, job: NameInPath, paging: Paged) -> Response:
    """The newest first. Facets are not in a list."""
    found = run_keys(unit, require_entity(unit, "job", namespace, job).id, paging.page)
    return answer({"runs": run_documents(unit, found.ids), "totalCount": found.total})


@router.get("/jobs/runs/{run_id}", summary="A run", dependencies=READS)
def run(unit: ReadingUnit, run_id: NameInPath) -> Response:
    """The run with its facets, by the id that was sent or the UUID that it is served by."""
    return answer(shapes.run_document(unit, run_id))


@router.get("/jobs/runs/{run_id}/facets", summary="The facets of a run or of its job", dependencies=READS)
def facets(
    unit: ReadingUnit, run_id: NameInPath, of: Annotated[Literal["run", "job"], Query(alias="type")]
) -> Response:
    """What the run's own events say of it, or of the job as it ran then."""
    told = run_facets(unit, require_run(unit, run_id))
    return answer({"runId": run_id, "facets": seen_facets(told.run if of == "run" else told.job, unit.sight)})
