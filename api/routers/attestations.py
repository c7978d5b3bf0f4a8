"""What people state about models, as evidence of origin `declared`."""

from typing import Annotated, Any

from fastapi import APIRouter, Query

from api import examples
from api.body import read_body
from api.dependencies import PrincipalOf, ReadingUnit, WriteUnit, permit
from audits.attestation_records import attest, attestations_of
from governance.canonical import read_json
from governance.types.attestation import AttestationRequest
from governance.types.value import parse_value

router = APIRouter(prefix="/v1/attestations", tags=["evidence"])


@router.post(
    "",
    summary="State something about a model version",
    status_code=201,
    dependencies=[permit("attest", scoped=True)],
    openapi_extra=examples.body(AttestationRequest, examples.ATTESTATION),
)
def state(
    unit: WriteUnit,
    principal: PrincipalOf,
    body: Annotated[bytes, read_body(lambda settings: settings.limits.document_bytes)],
) -> dict[str, Any]:
    """Kept with your name. A policy may ask for it; a newer statement of the same kind takes its place."""
    asked = parse_value(AttestationRequest, read_json(body), what="a statement about a model")
    return attest(unit, asked, principal).document()


@router.get("", summary="What was stated about a model version", dependencies=[permit("read", scoped=True)])
def stated(
    unit: ReadingUnit,
    principal: PrincipalOf,
    digest: Annotated[str, Query(pattern=r"^sha256:[0-9a-f]{64}$", description="The model's bytes")],
) -> dict[str, Any]:
    """Oldest first, those that were taken back or have expired too."""
    return {"attestations": [each.document() for each in attestations_of(unit, digest, principal)]}
