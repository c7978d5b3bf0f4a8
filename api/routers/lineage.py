"""Lineage over HTTP: asking what comes from what. Taking events is in ``lineage_intake``."""

import json
from typing import Any

from fastapi import APIRouter
from fastapi.responses import Response

from api.dependencies import ReadingUnit, permit
from governance.clock import rfc3339
from lineage.digest import state_digest
from lineage.facets import own_schema
from lineage.records import stored_event

router = APIRouter(tags=["lineage"])


@router.get("/v1/lineage/digest", summary="One digest over the whole derived state", dependencies=[permit("read")])
def digest(unit: ReadingUnit) -> dict[str, Any]:
    """SHA-256 over the canonical export: equal wherever the same events were taken, in any order."""
    state = state_digest(unit)
    return {"digest": state.digest, "event_count": state.event_count}


@router.get(
    "/v1/lineage/events/{digest}",
    summary="A stored event with its findings",
    dependencies=[permit("read", scoped=True)],
)
def event(unit: ReadingUnit, digest: str) -> Response:
    """The event as it is stored; `event` spelled as received is what the digest is of.

    Where it was pruned, `event` is what was left, and `prunings` says when, why and by whom.
    """
    found = stored_event(unit, digest)
    frame = {
        "digest": found.digest,
        "kind": found.kind,
        "event_time": rfc3339(found.event_time),
        "arrived_at": rfc3339(found.arrived_at),
        "redaction_version": found.redaction_version,
        "findings": [
            {"code": item.code, "pointer": item.pointer, "expected": item.expected, "found": item.found}
            for item in found.findings
        ],
        "prunings": [item.document() for item in found.prunings],
    }
    # The stored bytes go out as they are: parsing and writing them again could spell them differently.
    body = json.dumps(frame).encode()[:-1] + b', "event": ' + found.body + b"}"
    return Response(body, media_type="application/json", headers={"ETag": f'"{found.digest}.{len(found.prunings)}"'})


@router.get("/spec/facets/{version}/{file}", summary="The schema of one of Assay's own facets")
def facet_schema(version: str, file: str) -> Response:
    """Immutable: a changed schema has another version. `_schemaURL` of our facets points here."""
    content = own_schema(version, file.removesuffix(".json"))
    headers = {"Cache-Control": "public, max-age=31536000, immutable"}
    return Response(content, media_type="application/schema+json", headers=headers)
