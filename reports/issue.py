"""Issuing a report: render it, keep its bytes, log their digest and record the row, in the unit's transaction."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import assert_never

import sqlalchemy as sa

from governance.artifacts import ArtifactStore
from governance.canonical import canonical
from governance.clock import uuid7
from governance.database import ReadUnit, Unit
from governance.log import journal
from reports.dossier import Dossier
from reports.render import ReportFormat
from reports.render.html import render_html
from reports.render.json import render_json
from reports.tables import ReportRow


@dataclass(frozen=True, slots=True)
class IssuedReport:
    """A report as it was issued. Its bytes lie in the artifact store under ``artifact_digest``."""

    id: str
    decision_id: str
    dossier_digest: str
    format: ReportFormat
    artifact_digest: str
    created_at: datetime
    log_index: int


def issue(
    unit: Unit, dossier: Dossier, *, formats: Sequence[ReportFormat], artifacts: ArtifactStore
) -> tuple[IssuedReport, ...]:
    """The reports of a dossier, one a format, in the order asked for.

    A format that was issued for this dossier before is given as it was: no second row, leaf or artifact. The dossier's
    own bytes are kept too, so that every report can be traced to what it was made from.

    Raises:
        TooLarge, StorageUnavailable: the log or the database does not take it; the bytes may stay in the artifact
            store, where the same report finds them again.
    """
    # Whoever holds the sequencer's lock is alone, so looking first and writing after cannot race.
    journal.lock(unit)
    name = artifacts.put_bytes(render_json(dossier))
    return tuple(_issue_one(unit, dossier, name, wanted, artifacts) for wanted in formats)


def issued(unit: Unit | ReadUnit, decision_id: str, *, format: ReportFormat) -> IssuedReport | None:  # noqa: A002 - the word that the API and the row use
    """The latest report of a decision in a format; none where none was issued."""
    row = unit.session.scalars(
        sa.select(ReportRow)
        .where(ReportRow.decision_id == decision_id, ReportRow.format == format)
        .order_by(ReportRow.log_index.desc())
    ).first()
    return None if row is None else _as_value(row, format)


def _issue_one(
    unit: Unit, dossier: Dossier, dossier_digest: str, wanted: ReportFormat, artifacts: ArtifactStore
) -> IssuedReport:
    known = unit.session.scalars(
        sa.select(ReportRow).where(ReportRow.dossier_digest == dossier_digest, ReportRow.format == wanted)
    ).first()
    if known is not None:
        return _as_value(known, wanted)
    artifact = artifacts.put_bytes(_rendered(dossier, wanted))
    decision_id = dossier.decision.decision_id
    body = canonical(
        {
            "kind": "assay.report/v1",
            "decision_id": decision_id,
            "dossier_digest": dossier_digest,
            "format": wanted,
            "artifact_digest": artifact,
        }
    )
    index = journal.append(unit, [journal.Leaf(kind="report", body=body)]).start
    row = ReportRow(
        id=str(uuid7(unit.now)),
        decision_id=decision_id,
        dossier_digest=dossier_digest,
        format=wanted,
        artifact_digest=artifact,
        created_at=unit.now,
        log_index=index,
    )
    unit.session.add(row)
    unit.session.flush()
    return _as_value(row, wanted)


def _rendered(dossier: Dossier, wanted: ReportFormat) -> bytes:
    match wanted:
        case "html":
            return render_html(dossier)
        case "json":
            return render_json(dossier)
        case _:
            assert_never(wanted)


def _as_value(row: ReportRow, wanted: ReportFormat) -> IssuedReport:
    return IssuedReport(
        id=row.id,
        decision_id=row.decision_id,
        dossier_digest=row.dossier_digest,
        format=wanted,
        artifact_digest=row.artifact_digest,
        created_at=row.created_at,
        log_index=row.log_index,
    )
