"""Registered model versions: what they are for, how much rests on them, and whose they are."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from api import examples
from api.answers import next_cursor, place_in_log
from api.body import read_body
from api.dependencies import PrincipalOf, ReadingUnit, WriteUnit, permit
from governance.canonical import read_json
from governance.registry import models as registry
from governance.registry.models import RegisteredModel
from governance.types.model import ModelRegistration
from governance.types.value import parse_value
from lineage.identity import name_fault

router = APIRouter(prefix="/v1/models", tags=["models"])

Named = Annotated[str | None, Query(min_length=1, max_length=2048)]


@router.post(
    "",
    summary="Register a model version",
    status_code=201,
    dependencies=[permit("model.write", scoped=True)],
    openapi_extra=examples.body(ModelRegistration, examples.MODEL),
    responses={200: {"description": "It was registered before, with the same words"}},
)
def register(
    unit: WriteUnit,
    principal: PrincipalOf,
    response: Response,
    body: Annotated[bytes, read_body(lambda settings: settings.limits.document_bytes)],
) -> dict[str, Any]:
    """Keep a version for good: the same version with another digest, or the digest under another name, is 409."""
    registration = parse_value(ModelRegistration, read_json(body), what="a model version")
    model, is_new = registry.register(unit, registration, principal)
    response.status_code = 201 if is_new else 200
    return _document(model)


class ModelsAsked(BaseModel):
    """Which models: of a namespace or a name, and from where on."""

    namespace: Named = None
    name: Named = None
    limit: Annotated[int, Query(ge=1, le=1000, description="Rows of the answer.")] = 100
    cursor: Annotated[str | None, Query(max_length=2048, description="`next_cursor` of the page before.")] = None


@router.get("", summary="Registered model versions", dependencies=[permit("read", scoped=True)])
def models(unit: ReadingUnit, principal: PrincipalOf, asked: Annotated[ModelsAsked, Query()]) -> dict[str, Any]:
    """In the order of their registration, those of a namespace or name where one is given."""
    after = place_in_log(asked.cursor)
    if any(given is not None and name_fault(given) is not None for given in (asked.namespace, asked.name)):
        return {"models": [], "next_cursor": None}
    found, following = registry.models(
        unit, principal, namespace=asked.namespace, name=asked.name, after=after, limit=asked.limit
    )
    return {
        "models": [_document(model) for model in found],
        "next_cursor": next_cursor(following),
    }


@router.get("/{digest}", summary="A registered model version", dependencies=[permit("read", scoped=True)])
def model(unit: ReadingUnit, principal: PrincipalOf, digest: str) -> dict[str, Any]:
    """The version whose bytes have this digest (`sha256:...`)."""
    return _document(registry.model_of(unit, digest.replace("\x00", ""), principal))


def _document(model: RegisteredModel) -> dict[str, Any]:
    whole = model.document()
    return {**model.registration.document(), **{key: value for key, value in whole.items() if key != "registration"}}
