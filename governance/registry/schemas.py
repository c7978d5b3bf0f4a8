"""Registered schemas: versions that never change, each proved by a leaf of the log. What they say is not read here."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
from pydantic import JsonValue

from governance.canonical import canonical, read_json, sha256
from governance.database import ReadUnit, Unit
from governance.errors import NotFound
from governance.log.journal import Leaf, append, lock
from governance.registry.tables import SchemaVersionRow
from governance.types.value import Digest, Value

MAX_VERSION = 2**31 - 1


class RegisteredSchema(Value):
    """One version of a schema. ``digest`` is that of its document's RFC 8785 form; ``log_index`` is its leaf's."""

    name: str
    version: int
    digest: Digest
    registered_at: datetime
    registered_by: str
    log_index: int


def register(unit: Unit, name: str, document: Mapping[str, JsonValue], *, by: str) -> tuple[RegisteredSchema, bool]:
    """Keep a new version, and whether it is new; what the newest version says already keeps its number."""
    body = canonical(dict(document))
    digest = sha256(body)
    lock(unit)  # before the newest version is read, so that two registrations at one moment get two numbers
    latest = _latest_row(unit, name)
    if latest is not None and latest.digest == digest:
        return _value(latest), False
    version = latest.version + 1 if latest is not None else 1
    leaf = {"kind": "schema.version/v1", "name": name, "version": version, "digest": digest, "by": by}
    row = SchemaVersionRow(
        name=name,
        version=version,
        digest=digest,
        body=body,
        registered_at=unit.now,
        registered_by=by,
        log_index=append(unit, [Leaf(kind="schema", body=canonical(leaf))])[0],
    )
    unit.session.add(row)
    unit.session.flush()
    return _value(row), True


def latest_schemas(unit: Unit | ReadUnit) -> list[RegisteredSchema]:
    """The newest version of every schema, by name."""
    newest = (
        sa.select(SchemaVersionRow.name, sa.func.max(SchemaVersionRow.version).label("version"))
        .group_by(SchemaVersionRow.name)
        .subquery()
    )
    statement = sa.select(SchemaVersionRow).join(
        newest, sa.and_(SchemaVersionRow.name == newest.c.name, SchemaVersionRow.version == newest.c.version)
    )
    return [_value(row) for row in unit.session.scalars(statement.order_by(SchemaVersionRow.name))]


def versions(unit: Unit | ReadUnit, name: str) -> list[RegisteredSchema]:
    """Every version of a schema, oldest first.

    Raises:
        NotFound: no schema has this name.
    """
    rows = unit.session.scalars(
        sa.select(SchemaVersionRow).where(SchemaVersionRow.name == name).order_by(SchemaVersionRow.version)
    )
    found = [_value(row) for row in rows]
    if not found:
        raise _not_registered(name)
    return found


def schema_version(unit: Unit | ReadUnit, name: str, version: int) -> tuple[RegisteredSchema, dict[str, JsonValue]]:
    """One version of a schema and its document.

    Raises:
        NotFound: it was never registered.
    """
    row = unit.session.get(SchemaVersionRow, (name, version)) if 0 < version <= MAX_VERSION else None
    if row is None:
        raise _not_registered(f"{name}@{version}")
    document: dict[str, JsonValue] = read_json(row.body)
    return _value(row), document


def schema_document(unit: Unit | ReadUnit, reference: str) -> dict[str, JsonValue]:
    """The document that a reference such as ``holdout@3`` names.

    Raises:
        NotFound: it was never registered, or it is no such reference.
    """
    name, _, version = reference.partition("@")
    return schema_version(unit, name, int(version) if version.isdecimal() and len(version) < 10 else 0)[1]


def _latest_row(unit: Unit | ReadUnit, name: str) -> SchemaVersionRow | None:
    statement = sa.select(SchemaVersionRow).where(SchemaVersionRow.name == name)
    return unit.session.scalars(statement.order_by(SchemaVersionRow.version.desc()).limit(1)).first()


def _value(row: SchemaVersionRow) -> RegisteredSchema:
    return RegisteredSchema(
        name=row.name,
        version=row.version,
        digest=row.digest,
        registered_at=row.registered_at,
        registered_by=row.registered_by,
        log_index=row.log_index,
    )


def _not_registered(what: str) -> NotFound:
    return NotFound(
        expected="a registered schema",
        found=repr(what[:80]),
        remedy="Register it with `assay schema register`, or list what there is: GET /v1/schemas.",
    )
