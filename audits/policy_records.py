"""Policies as they are recorded: versions and publications, read and written; nobody else touches the rows.

What a publication means for a request is ``policies``' part, and who may make one ``publishing``'s.
"""

from collections.abc import Sequence
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from audits import store
from audits.policy_tables import PolicyPublicationRow, PolicyVersionRow
from governance.access.principal import Principal
from governance.canonical import canonical
from governance.database import ReadUnit, Unit, UTCDateTime
from governance.errors import NotFound
from governance.log.journal import Leaf, append
from governance.types.policy import Policy, PolicyReference, Stage
from governance.types.value import Value

MAX_VERSION = 2**31 - 1


class PolicyVersion(Value):
    """One version of a policy. ``author`` is a stable id; ``log_index`` is null for versions of before publications."""

    name: str
    version: int
    digest: str
    author: str
    author_name: str
    recorded_at: datetime
    log_index: int | None

    @property
    def reference(self) -> PolicyReference:
        """The version as decisions name it."""
        return PolicyReference(name=self.name, version=self.version, digest=self.digest)


class Publication(Value):
    """A version that came to a stage. ``log_index`` is null for those that an upgrade of the database recorded."""

    policy: PolicyReference
    stage: Stage
    note: str
    published_at: datetime
    published_by: str
    publisher_name: str
    log_index: int | None


def newest(unit: Unit | ReadUnit, name: str) -> PolicyVersion | None:
    """The newest version of a policy, published or not; None when there is none."""
    statement = sa.select(PolicyVersionRow).where(PolicyVersionRow.name == name)
    row = unit.session.scalars(statement.order_by(PolicyVersionRow.version.desc()).limit(1)).first()
    return _version(row) if row else None


def versions(unit: Unit | ReadUnit, name: str | None = None) -> list[PolicyVersion]:
    """Every version of a policy, or of all, by name and oldest first."""
    statement = sa.select(PolicyVersionRow).order_by(PolicyVersionRow.name, PolicyVersionRow.version)
    if name is not None:
        statement = statement.where(PolicyVersionRow.name == name)
    return [_version(row) for row in unit.session.scalars(statement)]


def version_of(unit: Unit | ReadUnit, name: str, version: int) -> PolicyVersion:
    """One version of a policy.

    Raises:
        NotFound: it was never stored.
    """
    row = unit.session.get(PolicyVersionRow, (name, version)) if 0 < version <= MAX_VERSION else None
    if row is None:
        raise NotFound(expected="a stored version", found=f"{name}@{version}", remedy="List them: GET /v1/policies.")
    return _version(row)


def publications(unit: Unit | ReadUnit, name: str | None = None, *, by: datetime | None = None) -> list[Publication]:
    """Publications of a policy, or of all, made by an instant (inclusive) or until now, oldest first."""
    given: dict[str, object] = {"name": name, "by": by}
    asked = {key: value for key, value in given.items() if value is not None}
    found = unit.session.connection().execute(_published(*asked), asked)
    return [_publication(row, row.digest) for row in found.all()]


@cache
def _published(*given: str) -> sa.Select[PolicyPublicationRow, str]:
    """The query for publications, oldest first, with a condition for each parameter that is given."""
    conditions: dict[str, sa.ColumnElement[bool]] = {
        "name": PolicyPublicationRow.name == sa.bindparam("name"),
        "by": PolicyPublicationRow.published_at <= sa.bindparam("by", type_=UTCDateTime()),
    }
    rows = sa.select(PolicyPublicationRow, PolicyVersionRow.digest).join(PolicyVersionRow)
    return rows.where(*(conditions[key] for key in given)).order_by(PolicyPublicationRow.id)


def add_version(unit: Unit, policy: Policy, *, version: int, author: str, author_name: str) -> PolicyVersion:
    """Keep a version with its leaf in the log; the caller holds the log's lock, so that its number is free."""
    digest = store.keep(unit, "policy", policy)
    leaf = {"kind": "policy.version/v1", "name": policy.name, "version": version, "digest": digest, "by": author}
    row = PolicyVersionRow(
        name=policy.name,
        version=version,
        digest=digest,
        recorded_at=unit.now,
        recorded_by=author,
        author_name=author_name,
        log_index=_logged(unit, leaf),
    )
    unit.session.add(row)
    unit.session.flush()
    return _version(row)


def add_publication(unit: Unit, version: PolicyVersion, stage: Stage, *, note: str, by: Principal) -> Publication:
    """Keep a publication with its leaf in the log."""
    leaf = {
        "kind": "policy.publication/v1",
        "name": version.name,
        "version": version.version,
        "digest": version.digest,
        "stage": stage.value,
        "by": by.id,
    }
    row = PolicyPublicationRow(
        name=version.name,
        version=version.version,
        stage=stage.value,
        note=note,
        published_at=unit.now,
        published_by=by.id,
        publisher_name=by.name,
        log_index=_logged(unit, leaf),
    )
    unit.session.add(row)
    unit.session.flush()
    return _publication(row, version.digest)


def by_name(found: Sequence[Publication]) -> dict[str, list[Publication]]:
    """Publications by the policy's name, each in its order."""
    grouped: dict[str, list[Publication]] = {}
    for publication in found:
        grouped.setdefault(publication.policy.name, []).append(publication)
    return grouped


def _logged(unit: Unit, leaf: dict[str, object]) -> int:
    return append(unit, [Leaf(kind="policy", body=canonical(leaf))])[0]


def _version(row: PolicyVersionRow) -> PolicyVersion:
    return PolicyVersion(
        name=row.name,
        version=row.version,
        digest=row.digest,
        author=row.recorded_by,
        author_name=row.author_name or row.recorded_by,
        recorded_at=row.recorded_at,
        log_index=row.log_index,
    )


def _publication(row: PolicyPublicationRow | sa.Row[Any, Any], digest: str) -> Publication:
    return Publication(
        policy=PolicyReference(name=row.name, version=row.version, digest=digest),
        stage=Stage(row.stage),
        note=row.note,
        published_at=row.published_at,
        published_by=row.published_by,
        publisher_name=row.publisher_name,
        log_index=row.log_index,
    )
