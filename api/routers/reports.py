"""Reports of decisions, issued once and kept."""

from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as PathParameter
from fastapi.responses import Response

from api.dependencies import DatabaseOf, StateOf, permit
from api.state import State
from audits.record import Record, record_of, require_all_seen
from governance.database import Database
from reports.compile import dossier
from reports.dossier import ProofSummary
from reports.issue import IssuedReport, issue, issued
from reports.render import MEDIA_TYPES, ReportFormat

router = APIRouter(prefix="/v1", tags=["reports"])

Format = Annotated[ReportFormat, PathParameter(description="html or json")]

# A report is data of strangers shown as a page: nothing in it may load or run, whatever a renderer let through.
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; sandbox",
    "Referrer-Policy": "no-referrer",
}


@router.post(
    "/decisions/{decision_id}/reports/{format}",
    summary="The report of a decision",
    dependencies=[permit("report.write", scoped=True)],
    response_class=Response,
    responses={200: {"content": {"text/html": {}, "application/json": {}}}},
)
def report(
    state: StateOf,
    database: DatabaseOf,
    decision_id: str,
    format: Format,  # noqa: A002 - the path's own word
) -> Response:
    """Issue the report, log its digest and give its bytes; one that was issued before is given as it was."""
    with database.read_unit() as unit:
        require_all_seen(unit, decision_id)
        known = issued(unit, decision_id, format=format)
    found = known or _issue(state, database, decision_id, format)
    headers = {**HEADERS, "ETag": f'"{found.artifact_digest}"', "Assay-Dossier-Digest": found.dossier_digest}
    return Response(state.artifacts.read(found.artifact_digest), 200, headers, media_type=MEDIA_TYPES[format])


def _issue(state: State, database: Database, decision_id: str, wanted: ReportFormat) -> IssuedReport:
    record = record_of(database, state.gate, decision_id)
    with database.unit() as unit:
        compiled = dossier(
            record.decision,
            ancestry=record.ancestry,
            measurements=record.measurements,
            policy=record.policy,
            proof=_proof(record),
            compiled_at=unit.now,
        )
        return issue(unit, compiled, formats=[wanted], artifacts=state.artifacts)[0]


def _proof(record: Record) -> ProofSummary:
    return ProofSummary(
        origin=record.decision.origin,
        log_index=record.log_index,
        tree_size=record.checkpoint.size,
        root_hash="sha256:" + record.checkpoint.root.hex(),
        keyid=record.keyid,
    )
