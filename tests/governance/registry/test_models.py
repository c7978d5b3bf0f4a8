"""Registered model versions: immutable, one name for one digest, each with a leaf, on both databases."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
import sqlalchemy as sa

from governance.access.principal import Principal
from governance.access.roles import Role
from governance.canonical import read_json
from governance.database import Database
from governance.errors import Conflict, InputRefused, NotFound, NotPermitted
from governance.log import journal
from governance.registry.models import model_of, models, owners_of, register, registered, version_of
from governance.types.model import ModelRegistration
from governance.types.subject import Subject
from governance.types.value import parse_value

DIGEST = "sha256:" + "a1" * 32
OTHER = "sha256:" + "b2" * 32
OWNER = Principal(id="user:ines", name="Ines", roles=(Role.MODEL_OWNER,))


def registration(**changes: Any) -> ModelRegistration:
    told = {
        "namespace": "mlflow://models", "name": "triage", "version": "7", "digest": DIGEST, "objective": "order claims",
        "risk_tier": "high", "owners": ["user:ines"], "jurisdictions": ["EU"],
    }  # fmt: skip
    return parse_value(ModelRegistration, {**told, **changes}, what="a model version")


def kept(database: Database, **changes: Any) -> bool:
    with database.unit() as unit:
        return register(unit, registration(**changes), OWNER)[1]


def test_a_version_is_kept_once_with_its_leaf(database: Database) -> None:
    assert kept(database)
    assert not kept(database)
    with database.read_unit() as unit:
        found = registered(unit, DIGEST)
        assert found is not None
        assert (found.risk_tier, found.jurisdictions, found.registered_by) == ("high", ("EU",), "user:ines")
        leaf = read_json(journal.leaf(unit, found.log_index).body)
        assert (leaf["digest"], leaf["registration"]) == (DIGEST, found.registration_digest)
        assert version_of(unit, "mlflow://models", "triage", "7") == found
        assert journal.size(unit) == 1


@pytest.mark.parametrize(
    ("changes", "pointer"),
    [
        ({"digest": OTHER}, "/digest"),
        ({"version": "8"}, "/name"),
        ({"namespace": "mlflow://elsewhere"}, "/name"),
        ({"risk_tier": "low"}, "/risk_tier"),
        ({"owners": ["user:omar"]}, "/owners"),
    ],
)
def test_what_is_registered_does_not_change(database: Database, changes: dict[str, Any], pointer: str) -> None:
    kept(database)
    with pytest.raises(Conflict) as refused:
        kept(database, **changes)
    assert refused.value.pointer == pointer
    with database.read_unit() as unit:
        found = registered(unit, DIGEST)
        assert found is not None
        assert found.registration == registration()


def test_the_database_itself_refuses_a_change(database: Database) -> None:
    kept(database)
    for statement in ("UPDATE registered_model SET risk_tier = 'low'", "DELETE FROM registered_model"):
        with pytest.raises(sa.exc.DBAPIError, match="append-only"), database.unit() as unit:
            unit.session.execute(sa.text(statement))


def test_registrations_at_one_moment_are_one_model(database: Database) -> None:
    with ThreadPoolExecutor(6) as pool:
        new = list(pool.map(lambda _: kept(database), range(6)))
    assert sorted(new) == [False] * 5 + [True]


def test_only_who_may_register_does(database: Database) -> None:
    for principal in (
        Principal(id="user:a", name="a", roles=(Role.AUDITOR,)),
        Principal(id="user:b", name="b", roles=(Role.MODEL_OWNER,), scopes=("mlflow://models/other*",)),
    ):
        with pytest.raises(NotPermitted), database.unit() as unit:
            register(unit, registration(), principal)


def test_a_narrowed_reader_finds_its_own_models_alone(database: Database) -> None:
    for number in range(6):
        kept(database, name=f"{'mine' if number % 2 else 'theirs'}-{number}", digest=f"sha256:{number:064x}")
    reader = Principal(id="user:c", name="c", roles=(Role.AUDITOR,), scopes=("mlflow://models/mine-*",))
    with database.read_unit() as unit:
        first, following = models(unit, reader, limit=2)
        assert [model.registration.name for model in first] == ["mine-1", "mine-3"]
        assert following is not None
        rest, end = models(unit, reader, after=following, limit=2)
        assert ([model.registration.name for model in rest], end) == (["mine-5"], None)
        with pytest.raises(NotFound):
            model_of(unit, f"sha256:{0:064x}", reader)
        assert [model.registration.name for model in models(unit, OWNER, name="theirs-2")[0]] == ["theirs-2"]


def test_owners_are_those_of_the_bytes_else_of_the_name(database: Database) -> None:
    kept(database)
    kept(database, version="8", digest=OTHER, owners=["user:omar", "team:claims"])
    with database.read_unit() as unit:

        def owners(digest: str, name: str = "triage") -> frozenset[str]:
            return owners_of(unit, Subject(namespace="mlflow://models", name=name, version="9", digest=digest))

        assert owners(OTHER) == {"user:omar", "team:claims"}
        assert owners("sha256:" + "0" * 64) == {"user:ines", "user:omar", "team:claims"}
        assert owners("sha256:" + "0" * 64, name="another") == frozenset()


@pytest.mark.parametrize(
    "changes",
    [{"owners": []}, {"name": "a\x00b"}, {"digest": "sha256:x"}, {"risk_tier": ""}, {"objective": ""}, {"more": 1}],
)
def test_what_cannot_be_kept_is_refused_with_its_place(changes: dict[str, Any]) -> None:
    with pytest.raises(InputRefused) as refused:
        registration(**changes)
    assert refused.value.pointer == f"/{next(iter(changes))}"
