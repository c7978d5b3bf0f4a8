"""Service keys: who may make them, what they may join, and what is on record of them."""

import json
from datetime import timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import IntegrityError

from governance.access.keys import KeyRequest, authenticate, create_key, list_keys, revoke_key
from governance.access.principal import OPERATOR, Principal
from governance.access.roles import UNJOINED, Role, unjoined
from governance.access.tables import ServiceKeyActRow, ServiceKeyRow
from governance.canonical import sha256
from governance.database import Database
from governance.errors import InputRefused, NotAuthenticated, NotFound, NotPermitted
from governance.log import journal

PAIRS = [(role, other) for role, others in UNJOINED.items() for other in sorted(others)]


def wanted(*roles: Role, **fields: object) -> KeyRequest:
    return KeyRequest.model_validate({"name": "a key", "roles": roles or (Role.CI,), **fields})


def made(database: Database, request: KeyRequest) -> str:
    with database.unit() as unit:
        token = create_key(unit, request, by=OPERATOR).token
    assert token is not None
    return token


def principal(database: Database, token: str) -> Principal:
    with database.read_unit() as unit:
        return authenticate(unit, token)


def test_a_key_stands_for_its_holder_with_its_roles_and_scopes(database: Database) -> None:
    token = made(database, wanted(Role.APPROVER, subject="user:7", scopes=("mlflow://*/credit-*",)))
    found = principal(database, token)
    assert (found.id, found.roles, found.key_id) == ("user:7", (Role.APPROVER,), token.split("_")[1])
    assert found.sees("mlflow://eu", "credit-line")
    assert not found.sees("mlflow://eu", "fraud")


def test_a_key_without_a_subject_is_its_own_holder_and_sees_everything(database: Database) -> None:
    token = made(database, wanted())
    assert principal(database, token).id == f"key:{token.split('_')[1]}"
    assert principal(database, token).sight.is_whole


def test_the_text_of_a_key_is_nowhere_in_the_database(database: Database) -> None:
    token = made(database, wanted(subject="user:7"))
    secret = token.split("_", 2)[2]
    with database.read_unit() as unit:
        rows = [*unit.session.scalars(sa.select(ServiceKeyRow)), *unit.session.scalars(sa.select(ServiceKeyActRow))]
        held = [repr({c.key: getattr(row, c.key) for c in sa.inspect(type(row)).column_attrs}) for row in rows]
        leaf = journal.leaf(unit, journal.size(unit) - 1).body.decode()
    assert len(held) == 2
    assert not any(secret in text for text in [*held, leaf])


def test_making_and_revoking_are_on_record_with_a_leaf_each_and_once(database: Database) -> None:
    identifier = made(database, wanted(subject="user:7")).split("_")[1]
    admin = Principal("user:1", "an administrator", (Role.ADMIN,))
    for _ in range(2):
        with database.unit() as unit:
            revoke_key(unit, identifier, by=admin)
    with database.read_unit() as unit:
        acts = unit.session.scalars(sa.select(ServiceKeyActRow).order_by(ServiceKeyActRow.id)).all()
        assert [(act.act, act.by_id) for act in acts] == [("created", "operator"), ("revoked", "user:1")]
        for act in acts:
            assert json.loads(journal.leaf(unit, act.log_index).body)["digest"] == sha256(act.body) == act.digest
        assert json.loads(acts[0].body)["key"]["subject"] == "user:7"


def test_what_was_done_to_a_key_cannot_be_changed(database: Database) -> None:
    made(database, wanted())
    for statement in ("UPDATE service_key_act SET by_id = 'x'", "DELETE FROM service_key_act"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.unit() as unit:
            unit.session.execute(sa.text(statement))


def test_a_revoked_an_expired_and_an_unknown_key_are_refused_alike(database: Database) -> None:
    revoked = made(database, wanted())
    expired = made(database, wanted(expires_at=database.clock() + timedelta(hours=1)))
    with database.unit() as unit:
        revoke_key(unit, revoked.split("_")[1], by=OPERATOR)
    later = Database(
        database.url.render_as_string(hide_password=False), clock=lambda: database.clock() + timedelta(hours=2)
    )
    messages = set()
    for token in (revoked, expired, "assay_aaaaaaaaaa_" + "x" * 43, "nonsense"):
        with pytest.raises(NotAuthenticated) as refused, later.read_unit() as unit:
            authenticate(unit, token)
        messages.add(refused.value.message)
    later.close()
    assert len(messages) == 1


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: f"{pair[0]}+{pair[1]}")
def test_roles_that_exclude_one_another_are_refused_in_one_key(database: Database, pair: tuple[Role, Role]) -> None:
    with pytest.raises(NotPermitted), database.unit() as unit:
        create_key(unit, wanted(*pair), by=OPERATOR)
    with database.read_unit() as unit:
        assert list_keys(unit) == []


def test_roles_that_exclude_one_another_are_refused_over_the_keys_of_one_holder(database: Database) -> None:
    token = made(database, wanted(Role.ADMIN, subject="user:7"))
    with pytest.raises(NotPermitted, match="admin and approver"), database.unit() as unit:
        create_key(unit, wanted(Role.APPROVER, subject="user:7"), by=OPERATOR)
    with database.unit() as unit:
        revoke_key(unit, token.split("_")[1], by=OPERATOR)
    made(database, wanted(Role.APPROVER, subject="user:7"))


def test_the_database_refuses_a_key_that_joins_them(database: Database) -> None:
    token = made(database, wanted(Role.ADMIN))
    joined = sa.update(ServiceKeyRow).where(ServiceKeyRow.id == token.split("_")[1]).values(roles=["admin", "approver"])
    with pytest.raises(IntegrityError), database.unit() as unit:
        unit.session.execute(joined)


def test_an_administrator_gives_out_keys_and_does_none_of_the_work() -> None:
    assert unjoined([Role.ADMIN, Role.AUDITOR]) is None
    assert all(unjoined([Role.ADMIN, role]) for role in Role if role not in (Role.ADMIN, Role.AUDITOR))
    assert unjoined([Role.CI, Role.INCIDENT_RESPONDER]) == (Role.CI, Role.INCIDENT_RESPONDER)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_only_administrators_make_and_revoke_keys(database: Database, role: Role) -> None:
    other = Principal("user:2", "somebody", (role,))
    with pytest.raises(NotPermitted), database.unit() as unit:
        create_key(unit, wanted(), by=other)
    with pytest.raises(NotPermitted), database.unit() as unit:
        revoke_key(unit, "aaaaaaaaaa", by=other)


@pytest.mark.parametrize("subject", ["key:abc", "oidc:github:repository_id/1", "poll:1", "assay:service"])
def test_no_holder_is_named_like_one_that_the_service_names(database: Database, subject: str) -> None:
    with pytest.raises(InputRefused), database.unit() as unit:
        create_key(unit, wanted(subject=subject), by=OPERATOR)


def test_the_same_request_gives_the_same_key_and_its_text_once(database: Database) -> None:
    with database.unit() as unit:
        first = create_key(unit, wanted(), by=OPERATOR, request_key="r1")
    with database.unit() as unit:
        again = create_key(unit, wanted(), by=OPERATOR, request_key="r1")
        assert (again.key["id"], again.token) == (first.key["id"], None)
    with pytest.raises(InputRefused), database.unit() as unit:
        create_key(unit, wanted(Role.AUDITOR), by=OPERATOR, request_key="r1")
    with database.unit() as unit:
        assert len(list_keys(unit)) == 1


def test_keys_are_listed_in_pages_that_leave_none_out(database: Database) -> None:
    ids = [made(database, wanted()).split("_")[1] for _ in range(5)]
    with database.read_unit() as unit:
        first = [key["id"] for key in list_keys(unit, limit=2)]
        rest = [key["id"] for key in list_keys(unit, after=first[-1])]
        assert sorted([*first, *rest]) == sorted(ids)
        with pytest.raises(NotFound):
            list_keys(unit, after="aaaaaaaaaa")


def test_an_unknown_key_cannot_be_revoked(database: Database) -> None:
    with pytest.raises(NotFound), database.unit() as unit:
        revoke_key(unit, "aaaaaaaaaa", by=OPERATOR)
