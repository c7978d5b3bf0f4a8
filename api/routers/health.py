"""Whether the service lives, and whether it can serve."""

from functools import cache
from typing import Any

import sqlalchemy as sa
from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from api.dependencies import StateOf, permit
from governance import __version__
from governance.migration import require_head

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
def metrics() -> Response:
    """The process's counters in Prometheus' text form."""
    return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)
