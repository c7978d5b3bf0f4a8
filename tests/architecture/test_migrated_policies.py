"""Policies that were stored before publications existed stay in force after the upgrade, and may be followed up."""

from datetime import UTC, datetime

import sqlalchemy as sa

from audits import policy_records as records
from audits.policies import Place, choose
from audits.publishing import Act, publish
from governance.access.principal import Principal
from governance.access.roles import Role
from governance.canonical import canonical, sha256
from governance.database import Database
from governance.migration import upgrade
from governance.types.policy import Stage
from tests.architecture.test_migrations import empty_url as empty_url  # noqa: PLC0414 - a fixture is imported by name
from tests.support.story import policy

DOCUMENT = sa.table("document", sa.column("digest"), sa.column("kind"), sa.column("body", sa.LargeBinary))
VERSION = sa.table(
    "policy_version", sa.column("name"), sa.column("version"), sa.column("digest"),
    sa.column("recorded_at", sa.DateTime(timezone=True)), sa.column("recorded_by"),
)  # fmt: skip


def test_versions_of_before_count_as_enforced_by_who_recorded_them(empty_url: str) -> None:
    upgrade(empty_url, "0008")
    database = Database(empty_url)
    at = datetime(2026, 11, 2, tzinfo=UTC)
    with database.engine.begin() as connection:
        for version in (1, 2):
            body = canonical(policy(title=f"version {version}"))
            digest = sha256(body)
            connection.execute(sa.insert(DOCUMENT).values(digest=digest, kind="policy", body=body))
            row = {"name": "fair", "version": version, "digest": digest, "recorded_by": "key:abc"}
            connection.execute(sa.insert(VERSION).values(**row, recorded_at=at))
    upgrade(empty_url)
    with database.unit() as unit:
        found = records.publications(unit, "fair")
        assert [(one.policy.version, one.stage, one.published_by) for one in found] == [
            (1, Stage.ENFORCE, "key:abc"), (2, Stage.ENFORCE, "key:abc"),
        ]  # fmt: skip
        chosen = choose(unit, name="fair", place=Place("prod", unit.now)).policy
        assert chosen is not None
        assert chosen.version == 2
        publisher = Principal(id="user:2", name="Ben", roles=(Role.POLICY_PUBLISHER,))
        publish(unit, Act("fair", 2, Stage.RETIRE), publisher)
        assert choose(unit, name="fair", place=Place("prod", unit.now)).policy is None
    database.close()
