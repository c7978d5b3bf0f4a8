"""What became of decisions: whether one holds now, taking one back, and the feed of those that were."""

from datetime import datetime
from typing import Annotated, Any
from xml.etree import ElementTree as ET

from fastapi import APIRouter, Query, Response

from api import examples
from api.body import read_body
from api.dependencies import PrincipalOf, ReadingUnit, StateOf, WriteUnit, permit
from audits import revocations
from audits.lives import VerifyRequest, verified
from audits.revocations import Revocation, RevocationRequest
from governance.canonical import read_json
from governance.clock import rfc3339
from governance.types.value import parse_value

router = APIRouter(prefix="/v1", tags=["gate"])

Document = Annotated[bytes, read_body(lambda settings: settings.limits.document_bytes)]
Since = Annotated[int, Query(ge=0, le=2**62, description="The `next` of the answer before")]
Limit = Annotated[int, Query(ge=1, le=1000)]

ATOM = "http://www.w3.org/2005/Atom"


@router.post(
    "/decisions/{decision_id}/verify",
    summary="Does this decision let these bytes go live there, now?",
    dependencies=[permit("read", scoped=True)],
    openapi_extra=examples.body(VerifyRequest, examples.VERIFY),
)
def verify(unit: ReadingUnit, principal: PrincipalOf, decision_id: str, body: Document) -> dict[str, Any]:
    """Only `valid` lets anything go live.

    The other answers are `expired`, `revoked`, `superseded` (the gate has said no since), `wrong_subject`,
    `wrong_environment` and `not_allowed`.
    """
    asked = parse_value(VerifyRequest, read_json(body), what="a digest and an environment")
    return verified(unit, decision_id, asked, principal)


@router.post(
    "/decisions/{decision_id}/revocations",
    summary="Take a decision back",
    status_code=201,
    dependencies=[permit("revoke", scoped=True)],
    openapi_extra=examples.body(RevocationRequest, examples.REVOCATION),
    responses={200: {"description": "It was taken back before; the first revocation is answered"}},
)
def revoke(
    unit: WriteUnit, state: StateOf, principal: PrincipalOf, decision_id: str, response: Response, *, body: Document
) -> dict[str, Any]:
    """A person says that an allow holds no more: a later statement about the same bytes is signed and logged."""
    asked = parse_value(RevocationRequest, read_json(body), what="a revocation")
    revocation, is_new = revocations.revoke(unit, state.gate, decision_id, asked, principal)
    response.status_code = 201 if is_new else 200
    return revocation.document()


@router.get("/revocations", summary="Decisions that were taken back", dependencies=[permit("read", scoped=True)])
def feed(unit: ReadingUnit, principal: PrincipalOf, since: Since = 0, limit: Limit = 100) -> dict[str, Any]:
    """In the order in which they were, numbered without gaps, each with its signed statement (DSSE)."""
    found, following = revocations.feed(unit, principal, since=since, limit=limit)
    return {"revocations": [revocation.document() for revocation in found], "next": following}


@router.get(
    "/revocations.atom",
    summary="Decisions that were taken back, as an Atom feed",
    dependencies=[permit("read", scoped=True)],
    response_class=Response,
    responses={200: {"content": {"application/atom+xml": {}}}},
)
def atom(unit: ReadingUnit, state: StateOf, principal: PrincipalOf, since: Since = 0, limit: Limit = 100) -> Response:
    """The same as Atom (RFC 4287), for readers of feeds."""
    found, _ = revocations.feed(unit, principal, since=since, limit=limit)
    updated = found[-1].signed.revoked_at if found else unit.now
    content = _atom(state.settings.public_url, state.gate.origin, updated, found)
    return Response(content, media_type="application/atom+xml")


def _atom(address: str, origin: str, updated: datetime, found: list[Revocation]) -> bytes:
    feed = ET.Element("feed", xmlns=ATOM)
    _add(feed, "id", f"{address}/v1/revocations")
    _add(feed, "title", f"Decisions of {origin} that were taken back")
    _add(feed, "updated", rfc3339(updated))
    for revocation in reversed(found):
        signed = revocation.signed
        entry = ET.SubElement(feed, "entry")
        _add(entry, "id", f"urn:assay:revocation:{signed.origin}:{signed.seq}")
        _add(entry, "title", f"{signed.subject.label} for {signed.environment}: {signed.cause}")
        _add(entry, "updated", rfc3339(signed.revoked_at))
        author = ET.SubElement(entry, "author")
        _add(author, "name", revocation.revoker)
        _add(entry, "summary", signed.reason)
        ET.SubElement(entry, "link", href=f"{address}/v1/decisions/{signed.decision_id}")
    content: bytes = ET.tostring(feed, encoding="utf-8", xml_declaration=True)
    return content


def _add(parent: ET.Element, name: str, text: str) -> None:
    """An element with the text, without the characters that XML does not take."""
    kept = "".join(sign for sign in text if sign in "\t\n\r" or (sign >= " " and sign not in "\ufffe\uffff"))
    ET.SubElement(parent, name).text = kept
