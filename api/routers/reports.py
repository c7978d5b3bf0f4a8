"""Reports of decisions, issued once and kept."""

from typing import Annotated

from fastapi import APIRouter
from fastapi import Path as PathParameter
from fastapi.responses import Response

from api.dependencies import DatabaseOf, StateOf, permit
from api.state import State
from audits import store
from audits.record import Record, record_of
from governance.database import Database, ReadUnit
from governance.errors import ScopeNotSupported
from governance.types.ancestry import Ancestry
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
        _require_all_seen(unit, decision_id)
        known = issued(unit, decision_id, format=format)
    found = known or _issue(state, database, decision_id, format)
    headers = {**HEADERS, "ETag": f'"{found.artifact_digest}"', "Assay-Dossier-Digest": found.dossier_digest}
    return Response(state.artifacts.read(found.artifact_digest), 200, headers, media_type=MEDIA_TYPES[format])


def _require_all_seen(unit: ReadUnit, decision_id: str) -> None:
    """Return when the reader may see all that a report names: it is one document and cannot be given in part.

    Raises:
        NotFound: the reader does not see the model. ScopeNotSupported: nor all of the data behind it.
    """
    decision = store.decision(unit, store.decision_row(unit, decision_id))
    if unit.sight.is_whole or decision.ancestry_digest is None:
        return
    behind = store.fetch(unit, decision.ancestry_digest, Ancestry)
    named = [(node.namespace, node.name) for node in behind.datasets]
    named += [(run.job_namespace, run.job_name) for run in behind.runs]
    if not all(unit.sight.sees(*name) for name in named):
        raise ScopeNotSupported(
            expected="a key that sees the model and all data behind it",
            found="data outside of its scopes",
            remedy="Ask somebody who sees them for the report.",
        )


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
