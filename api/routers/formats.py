"""The gate's answers in the forms that CI systems show, for whoever did not ask by ``assay gate``."""

from typing import Any

from fastapi import APIRouter, Response

from api.dependencies import ReadingUnit, permit
from audits import store
from audits.answers import decided
from governance import __version__
from governance.database import ReadUnit
from governance.errors import Conflict
from governance.formats.junit import junit
from governance.formats.markdown import markdown
from governance.formats.sarif import sarif

router = APIRouter(prefix="/v1/gate/evaluations/{evaluation_id}", tags=["gate"])

JUNIT, SARIF, MARKDOWN = "application/xml", "application/sarif+json", "text/markdown"


def _content(media: str) -> dict[str, Any]:
    """How a route says in the OpenAPI document what it answers."""
    return {"response_class": Response, "responses": {200: {"content": {media: {}}}}}


@router.get("/junit", summary="The answer as JUnit XML", dependencies=[permit("read", scoped=True)], **_content(JUNIT))
def as_junit(unit: ReadingUnit, evaluation_id: str) -> Response:
    """A suite with a case for the verdict and for each check. While there is no verdict, 409."""
    return Response(junit([_answer(unit, evaluation_id)]).encode(), media_type=JUNIT)


@router.get(
    "/sarif", summary="The answer as SARIF 2.1.0", dependencies=[permit("read", scoped=True)], **_content(SARIF)
)
def as_sarif(unit: ReadingUnit, evaluation_id: str) -> Response:
    """A result for each thing that blocks, warns or was waived. While there is no verdict, 409."""
    return Response(sarif([_answer(unit, evaluation_id)], version=__version__).encode(), media_type=SARIF)


@router.get(
    "/markdown", summary="The answer as Markdown", dependencies=[permit("read", scoped=True)], **_content(MARKDOWN)
)
def as_markdown(unit: ReadingUnit, evaluation_id: str) -> Response:
    """The text of a merge request's comment. While there is no verdict, 409."""
    return Response(markdown([_answer(unit, evaluation_id)]).encode(), media_type=MARKDOWN)


def _answer(unit: ReadUnit, evaluation_id: str) -> dict[str, Any]:
    row = store.decision_of_evaluation(unit, evaluation_id)
    if row is not None:
        return decided(unit, row)
    store.evaluation(unit, evaluation_id)
    raise Conflict(
        expected="an evaluation that has its verdict",
        found="one that waits",
        remedy="Wait for it: GET /v1/gate/evaluations/{id}?wait=25.",
    )
