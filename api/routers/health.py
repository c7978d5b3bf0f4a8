"""Whether the service lives, and whether it can serve."""

from functools import cache
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest

from api.dependencies import ReadingUnit, StateOf, permit
from governance import __version__
from governance.migration import require_head
from lineage.outbox import backlog

router = APIRouter(tags=["health"])


@cache
def sandbox_level() -> int:
    """The isolation that model files are opened in here; it does not change while the process lives."""
    from audits.sandbox.session import probe

    return probe()


@router.get("/healthz", summary="The process answers")
def healthz() -> dict[str, str]:
    """Answers while the process lives; says nothing of the database."""
    return {"status": "ok", "version": __version__}


@router.get("/readyz", summary="The service can serve")
def readyz(state: StateOf) -> dict[str, Any]:
    """Answers 200 when the database is there and at this version's revision, else 503 with the reason."""
    with state.database.read_unit() as unit:
        unit.session.execute(sa.text("SELECT 1"))
    require_head(state.database)
    return {"status": "ready", "database": state.database.dialect, "sandbox_level": sandbox_level()}


@router.get("/metrics", summary="Figures for Prometheus", dependencies=[permit("read")])
def metrics(unit: ReadingUnit) -> Response:
    """The process's counters and what waits in the database, in Prometheus' text form."""
    held, stored = backlog(unit), CollectorRegistry()
    events = Gauge("assay_outbox_events", "Assay's own events to be sent on", ["state"], registry=stored)
    for state, count in (("waiting", held.waiting), ("dead", held.dead), ("delivered", held.delivered)):
        events.labels(state).set(count)
    oldest = Gauge("assay_outbox_oldest_seconds", "Age of the oldest event that waits; 0 without one", registry=stored)
    oldest.set(0 if held.oldest is None else (unit.now - held.oldest).total_seconds())
    return Response(generate_latest() + generate_latest(stored), media_type=CONTENT_TYPE_LATEST)
