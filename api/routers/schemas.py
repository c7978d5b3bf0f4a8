"""Schemas: registering a version, reading versions, and what differs between two."""

from typing import Annotated, Any

from fastapi import APIRouter, Response

from api import examples
from api.body import read_body
from api.dependencies import PrincipalOf, ReadingUnit, WriteUnit, permit
from governance.errors import InputRefused
from governance.registry import schemas as registry
from governance.types.schema import SchemaName
from governance.types.value import parse_value
from policies.schema.changes import changes
from policies.schema.forms import read_document, read_schema
from policies.schema.params import SchemaDocument

router = APIRouter(prefix="/v1/schemas", tags=["schemas"])


@router.get("", summary="Registered schemas", dependencies=[permit("read", scoped=True)])
def registered_schemas(unit: ReadingUnit) -> dict[str, Any]:
    """The newest version of every schema."""
    return {"schemas": [schema.document() for schema in registry.latest_schemas(unit)]}


@router.post(
    "/{name}/versions",
    summary="Register a version of a schema",
    status_code=201,
    dependencies=[permit("schema.write")],
    openapi_extra=examples.body(SchemaDocument, examples.SCHEMA, media="application/yaml"),
    responses={200: {"description": "The newest version says the same; it keeps its number"}},
)
def register_version(
    unit: WriteUnit,
    principal: PrincipalOf,
    name: SchemaName,
    response: Response,
    body: Annotated[bytes, read_body(lambda settings: settings.limits.document_bytes)],
) -> dict[str, Any]:
    """Keep a document in the product's form or in Pandera's; one whose rules would be lost is refused."""
    document = read_schema(read_document(body))
    if document.name is not None and document.name != name:
        raise InputRefused(
            expected=f"a schema named {name!r}, as in the path",
            found=repr(document.name),
            remedy="Make the names agree, or leave the document's own out.",
            pointer="/name",
        )
    schema, is_new = registry.register(unit, name, document.document(), by=principal.id)
    response.status_code = 201 if is_new else 200
    return schema.document()


@router.get("/{name}/versions", summary="Versions of a schema", dependencies=[permit("read", scoped=True)])
def schema_versions(unit: ReadingUnit, name: SchemaName) -> dict[str, Any]:
    """Every version, oldest first."""
    return {"versions": [schema.document() for schema in registry.versions(unit, name)]}


@router.get("/{name}/versions/{version}", summary="One version of a schema", dependencies=[permit("read", scoped=True)])
def schema_version(unit: ReadingUnit, name: SchemaName, version: int) -> dict[str, Any]:
    """The document, who registered it and when, its digest, and its place in the log."""
    schema, document = registry.schema_version(unit, name, version)
    return {**schema.document(), "document": document}


@router.get(
    "/{name}/versions/{version}/changes", summary="What a version changed", dependencies=[permit("read", scoped=True)]
)
def schema_changes(unit: ReadingUnit, name: SchemaName, version: int, since: int | None = None) -> dict[str, Any]:
    """The differences from the version ``since``, or from the one before, and whether each tightens or loosens."""
    before = version - 1 if since is None else since
    old, new = (
        parse_value(SchemaDocument, registry.schema_version(unit, name, number)[1], what="a registered schema")
        for number in (before, version)
    )
    found = [change.document() for change in changes(old, new)]
    return {"name": name, "from": before, "to": version, "changes": found}
