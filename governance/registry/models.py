"""Registered model versions: each for good, proved by a leaf of the log, and found by the digest of its bytes.

Registering says nothing to lineage: that somebody named a model is no evidence of where it came from.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from governance.access.principal import Principal
from governance.access.roles import Permission
from governance.canonical import canonical, digest, read_json, sha256
from governance.database import ReadUnit, Unit, plain_rows
from governance.errors import Conflict, NotFound, NotPermitted
from governance.log.journal import Leaf, append, lock
from governance.registry.tables import RegisteredModelRow
from governance.types.model import ModelRegistration
from governance.types.subject import Subject
from governance.types.value import Digest, Value

Reader = Unit | ReadUnit

LEAF_KIND = "model"


class RegisteredModel(Value):
    """A registered model version: what was said, by whom and when, its document's digest and its leaf's index."""

    registration: ModelRegistration
    registration_digest: Digest
    registered_at: datetime
    registered_by: str
    registrar: str
    log_index: int

    @property
    def risk_tier(self) -> str:
        """How much rests on the model."""
        return self.registration.risk_tier

    @property
    def objective(self) -> str:
        """What the model is to predict or decide."""
        return self.registration.objective

    @property
    def jurisdictions(self) -> tuple[str, ...]:
        """Where it is used."""
        return self.registration.jurisdictions


def register(unit: Unit, registration: ModelRegistration, principal: Principal) -> tuple[RegisteredModel, bool]:
    """Keep a model version, and whether it is new; the same again changes nothing.

    Raises:
        NotPermitted: the principal may not register models, or not this one.
        Conflict: the version is registered with another digest or other words, or the digest under another name.
    """
    principal.require(Permission.MODEL_WRITE)
    _require_sight(principal, registration)
    body = canonical(registration.document())
    lock(unit)  # before it is looked up, so that two registrations at one moment are one after the other
    earlier = _earlier(unit, registration)
    if earlier is not None:
        return _same(earlier, registration), False
    leaf = Leaf(kind=LEAF_KIND, body=_leaf(registration, principal.id))
    row = {
        "digest": registration.digest,
        "identity": digest(_identity(registration)),
        "model": digest(_model(registration.namespace, registration.name)),
        "namespace": registration.namespace,
        "name": registration.name,
        "version": registration.version,
        "risk_tier": registration.risk_tier,
        "objective": registration.objective,
        "body": body,
        "registered_at": unit.now,
        "registered_by": principal.id,
        "registrar": principal.name,
        "log_index": append(unit, [leaf])[0],
    }
    insert = sqlite.insert if unit.dialect == "sqlite" else postgresql.insert
    unit.session.execute(insert(RegisteredModelRow).values(**row))
    return _value(unit.session.get_one(RegisteredModelRow, registration.digest)), True


def registered(unit: Reader, model_digest: str) -> RegisteredModel | None:
    """The model version with these bytes; None where it was never registered."""
    rows = plain_rows(unit, RegisteredModelRow, _WITH_BYTES, digest=model_digest)
    return _value(rows[0]) if rows else None


_WITH_BYTES = sa.select(RegisteredModelRow).where(RegisteredModelRow.digest == sa.bindparam("digest"))
_KNOWN_AS = sa.select(RegisteredModelRow).where(
    sa.or_(RegisteredModelRow.digest == sa.bindparam("digest"), RegisteredModelRow.identity == sa.bindparam("identity"))
)


@dataclass(frozen=True, slots=True)
class Known:
    """What is registered under a subject's bytes, and what under its name and version; the same where they agree."""

    by_bytes: RegisteredModel | None
    by_name: RegisteredModel | None


def known_as(unit: Reader, subject: Subject) -> Known:
    """What the registry says of a subject, asked once in a transaction, which itself registers nothing."""
    return unit.once((Known, subject), lambda: _known_as(unit, subject))


def _known_as(unit: Reader, subject: Subject) -> Known:
    identity = digest([subject.namespace, subject.name, subject.version])
    rows = plain_rows(unit, RegisteredModelRow, _KNOWN_AS, digest=subject.digest, identity=identity)
    values = {row.digest: _value(row) for row in rows}
    named = next((row.digest for row in rows if row.identity == identity), None)
    return Known(values.get(subject.digest), values.get(named) if named is not None else None)


def model_of(unit: Reader, model_digest: str, principal: Principal) -> RegisteredModel:
    """The model version with these bytes, where the principal's scopes let it be seen.

    Raises:
        NotFound: it was never registered, or is not the principal's to see; the answer does not tell which.
    """
    found = registered(unit, model_digest)
    if found is None or not principal.sees(found.registration.namespace, found.registration.name):
        raise NotFound(
            expected="the digest of a registered model",
            found=model_digest[:80],
            remedy="Register it with `assay model register`, or list what there is: GET /v1/models.",
        )
    return found


def version_of(unit: Reader, namespace: str, name: str, version: str) -> RegisteredModel | None:
    """The model version of this name; None where it was never registered."""
    identity = digest([namespace, name, version])
    row = unit.session.scalars(
        sa.select(RegisteredModelRow).where(RegisteredModelRow.identity == identity)
    ).one_or_none()
    return None if row is None else _value(row)


def owners_of(unit: Reader, subject: Subject) -> frozenset[str]:
    """Stable ids of whoever owns the model; empty where nobody is recorded.

    They are those of the registered version with the subject's bytes. Where these bytes are not registered they are
    the owners of every registered version of the model's name, so that a version which nobody registered is not
    approved by those who own the others.
    """
    found = registered(unit, subject.digest)
    if found is not None:
        return frozenset(found.registration.owners)
    wanted = digest(_model(subject.namespace, subject.name))
    rows = unit.session.scalars(sa.select(RegisteredModelRow.body).where(RegisteredModelRow.model == wanted))
    return frozenset(owner for body in rows for owner in _registration(body).owners)


def models(
    unit: Reader,
    principal: Principal,
    *,
    namespace: str | None = None,
    name: str | None = None,
    after: int = -1,
    limit: int = 100,
) -> tuple[list[RegisteredModel], int | None]:
    """Model versions that the principal may see, in the order of their registration, and where the next page begins."""
    found: list[RegisteredModel] = []
    while len(found) <= limit:
        query = sa.select(RegisteredModelRow).where(RegisteredModelRow.log_index > after)
        if namespace is not None:
            query = query.where(RegisteredModelRow.namespace == namespace)
        if name is not None:
            query = query.where(RegisteredModelRow.name == name)
        rows = unit.session.scalars(query.order_by(RegisteredModelRow.log_index).limit(limit + 1)).all()
        found += [_value(row) for row in rows if principal.sees(row.namespace, row.name)]
        if len(rows) <= limit:
            break
        after = rows[-1].log_index
    page = found[:limit]
    return page, page[-1].log_index if len(found) > limit and page else None


def model_leaves(unit: Reader) -> Iterator[tuple[int, bytes | None]]:
    """Index and body of the leaf that each registered model ought to have; null where its columns say otherwise."""
    for row in unit.session.scalars(sa.select(RegisteredModelRow).order_by(RegisteredModelRow.log_index)):
        told = _registration(row.body)
        columns = (row.digest, row.identity, row.namespace, row.name, row.version, row.risk_tier, row.objective)
        is_same = columns == (
            told.digest, digest(_identity(told)), told.namespace, told.name, told.version, told.risk_tier,
            told.objective,
        )  # fmt: skip
        yield row.log_index, _leaf(told, row.registered_by) if is_same else None


def _leaf(registration: ModelRegistration, by: str) -> bytes:
    return canonical(
        {
            "kind": "model.registration/v1",
            "model": digest(_identity(registration)),
            "digest": registration.digest,
            "registration": registration.value_digest(),
            "by": by,
        }
    )


def _require_sight(principal: Principal, registration: ModelRegistration) -> None:
    if not principal.sees(registration.namespace, registration.name):
        raise NotPermitted(
            expected=f"a key whose scopes cover {registration.namespace}/{registration.name}"[:300],
            found=f"the scopes {', '.join(principal.scopes) or 'none'}"[:300],
            remedy="Use a key of this model's team.",
        )


def _earlier(unit: Unit, registration: ModelRegistration) -> RegisteredModel | None:
    """What is registered under the digest, else under the name."""
    by_bytes = registered(unit, registration.digest)
    return by_bytes or version_of(unit, registration.namespace, registration.name, registration.version)


def _same(earlier: RegisteredModel, registration: ModelRegistration) -> RegisteredModel:
    """What is registered, when it says the same."""
    known = earlier.registration
    if known == registration:
        return earlier
    if known.digest != registration.digest:
        raise Conflict(
            expected=f"the digest {known.digest}, with which {registration.name}@{registration.version} is registered",
            found=registration.digest,
            remedy="A version is immutable: register other bytes under another version.",
            pointer="/digest",
        )
    if _identity(known) != _identity(registration):
        raise Conflict(
            expected=f"the model {known.namespace} {known.name}@{known.version}, which these bytes are"[:500],
            found=f"{registration.namespace} {registration.name}@{registration.version}"[:300],
            remedy="Bytes have one name: use it, or build the other model anew.",
            pointer="/name",
        )
    differing = [key for key, value in known.document().items() if registration.document()[key] != value]
    raise Conflict(
        expected="the words with which this version is registered",
        found=f"another {' and '.join(differing)}",
        remedy="A version is immutable: register a new one.",
        pointer=f"/{differing[0]}",
    )


def _identity(registration: ModelRegistration) -> list[str]:
    return [registration.namespace, registration.name, registration.version]


def _model(namespace: str, name: str) -> list[str]:
    return [namespace, name]


def _registration(body: bytes) -> ModelRegistration:
    raw: dict[str, Any] = read_json(body)
    return ModelRegistration.model_validate(raw)


def _value(row: RegisteredModelRow) -> RegisteredModel:
    return RegisteredModel(
        registration=_registration(row.body),
        registration_digest=sha256(row.body),
        registered_at=row.registered_at,
        registered_by=row.registered_by,
        registrar=row.registrar,
        log_index=row.log_index,
    )
