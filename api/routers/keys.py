"""Service keys: made, listed and revoked by administrators."""

from typing import Annotated, Any

from fastapi import APIRouter, Header, Path, Query
from fastapi.responses import JSONResponse, Response

from api import examples
from api.body import read_body
from api.dependencies import PrincipalOf, ReadingUnit, WriteUnit, permit
from governance.access import keys
from governance.access.keys import KeyRequest
from governance.canonical import read_json
from governance.types.value import parse_value

router = APIRouter(prefix="/v1/keys", tags=["access"])

KeyId = Annotated[str, Path(pattern="^[a-z2-7]{10}$", description="The id of a key: the part after `assay_`")]
EXAMPLE: dict[str, Any] = {
    "name": "release pipeline of credit-line",
    "subject": "pipeline:credit-line",
    "roles": ["ci"],
    "scopes": ["mlflow://models.example/credit-*"],
    "expires_at": "2030-01-31T00:00:00Z",
}


@router.post(
    "",
    summary="Make a service key",
    status_code=201,
    dependencies=[permit("administer")],
    openapi_extra=examples.body(KeyRequest, EXAMPLE),
    responses={200: {"description": "It was made before under this Idempotency-Key; its text is not shown again"}},
)
def make_key(
    unit: WriteUnit,
    principal: PrincipalOf,
    body: Annotated[bytes, read_body(lambda settings: settings.limits.document_bytes)],
    idempotency_key: Annotated[str | None, Header(min_length=1, max_length=255)] = None,
) -> JSONResponse:
    """The text of the key is in this answer and nowhere else: only its hash is kept."""
    wanted = parse_value(KeyRequest, read_json(body), what="a service key")
    made = keys.create_key(unit, wanted, by=principal, request_key=idempotency_key)
    headers = {"Cache-Control": "no-store"}
    if made.token is None:
        return JSONResponse({"key": None, **made.key}, 200, {**headers, "Idempotent-Replayed": "true"})
    return JSONResponse({"key": made.token, **made.key}, 201, headers)


@router.get("", summary="Service keys", dependencies=[permit("administer")])
def list_keys(
    unit: ReadingUnit,
    limit: Annotated[int, Query(ge=1, le=1000, description="Rows of the answer.")] = 100,
    after: Annotated[str | None, Query(pattern="^[a-z2-7]{10}$", description="`next` of a page.")] = None,
) -> dict[str, Any]:
    """All keys without their secrets, revoked and expired ones too, oldest first."""
    found = keys.list_keys(unit, limit=limit + 1, after=after)
    following = found[limit - 1]["id"] if len(found) > limit else None
    return {"keys": found[:limit], "next": following}


@router.delete("/{key_id}", summary="Revoke a service key", status_code=204, dependencies=[permit("administer")])
def revoke_key(unit: WriteUnit, principal: PrincipalOf, key_id: KeyId) -> Response:
    """Nothing is let in by the key from now on. Doing it twice changes nothing."""
    keys.revoke_key(unit, key_id, by=principal)
    return Response(status_code=204)
