"""Keys of an earlier version after the upgrade: each is its own holder, and what may not be joined is revoked."""

from itertools import count
from pathlib import Path

import pytest
import sqlalchemy as sa

from governance.access.keys import list_keys
from governance.database import Database
from governance.migration import upgrade
from tests.support.postgres import Server

_numbers = count()


@pytest.fixture(params=["sqlite", "postgresql"])
def earlier(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of a database at the last revision before keys had holders."""
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path / 'earlier.db'}"
    else:
        server: Server = request.getfixturevalue("postgres_server")
        name = f"assay_earlier_{next(_numbers)}_{tmp_path.name[-8:].strip('_').lower()}"
        server.execute(f'CREATE DATABASE "{name}" TEMPLATE template0')
        url = server.url(name)
    upgrade(url, "0007")
    return url


def test_keys_keep_working_but_for_those_that_join_what_excludes_itself(earlier: str) -> None:
    held = {
        "aaaaaaaaaa": '["ci", "policy_publisher"]',
        "bbbbbbbbbb": '["admin", "approver"]',
        "cccccccccc": '["admin"]',
    }
    database = Database(earlier)
    with database.engine.begin() as connection:
        for identifier, roles in held.items():
            connection.execute(
                sa.text(
                    "INSERT INTO service_key (id, name, secret_hash, roles, created_at) "
                    f"VALUES (:id, 'n', :hash, '{roles}', CURRENT_TIMESTAMP)"
                ),
                {"id": identifier, "hash": b"\0" * 32},
            )
    database.close()
    upgrade(earlier)
    database = Database(earlier)
    with database.read_unit() as unit:
        keys = {key["id"]: key for key in list_keys(unit)}
    database.close()
    assert {key["subject"] for key in keys.values()} == {f"key:{identifier}" for identifier in held}
    assert all(key["scopes"] == ["*"] for key in keys.values())
    assert [identifier for identifier, key in keys.items() if key["revoked_at"]] == ["bbbbbbbbbb"]
