"""Waivers in the database: who may ask, approve and revoke, below all routes and in the tables themselves."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import DBAPIError

from audits import waiver_records as records
from audits.people_tables import WaiverApprovalRow, WaiverRow
from audits.refusals import done_or_refused, refusals
from audits.waivers import Waiver
from governance.access.principal import Principal
from governance.access.roles import Role
from governance.database import Database, Unit
from governance.errors import AssayError, Conflict, DutiesNotSeparate, InputRefused, NotFound, NotPermitted
from governance.log import journal
from governance.registry.models import register
from governance.settings import LineageSettings
from governance.types.model import ModelRegistration
from governance.types.subject import Subject
from governance.types.value import parse_value
from governance.types.waiver import WaiverApproval, WaiverRequest, WaiverRevocation
from lineage.ingest import record_events
from tests.support.people import SUBJECT, person, waiver

INES = person("ines", Role.MODEL_OWNER)
ANA = person("ana", Role.APPROVER)
BO = person("bo", Role.APPROVER)
YES = WaiverApproval()
ENOUGH = WaiverRevocation(reason="Mended.")


def asked(database: Database, principal: Principal = INES, **changes: Any) -> Waiver:
    """A waiver that somebody asked for."""
    with database.unit() as unit:
        return records.ask(unit, parse_value(WaiverRequest, waiver(**changes), what="a waiver"), principal)


def approve(database: Database, one: Waiver, principal: Principal, wanted: WaiverApproval = YES) -> tuple[Waiver, bool]:
    """Somebody's yes."""
    with database.unit() as unit:
        return records.approve(unit, one.id, wanted, principal)


def registered(database: Database, *owners: str, **changes: Any) -> None:
    """The subject, or another version of it, in the registry."""
    words = {**SUBJECT, "objective": "o", "risk_tier": "high", "owners": owners, **changes}
    with database.unit() as unit:
        register(unit, ModelRegistration.model_validate(words), INES)


def about(database: Database, **changes: Any) -> list[str]:
    """Ids of waivers about the subject."""
    with database.read_unit() as unit:
        subject = Subject.model_validate({**SUBJECT, **changes})
        return [one.id for one in records.waivers_about(unit, subject, "prod")]


def test_a_waiver_is_kept_as_it_was_asked_for_with_a_leaf(database: Database) -> None:
    one = asked(database)
    with database.read_unit() as unit:
        assert records.waiver_of(unit, one.id, BO) == one
        leaf = journal.leaf(unit, one.log_index)
    assert leaf.kind == "waiver"
    assert one.digest.encode() in leaf.body
    assert (one.requested.id, one.standing(datetime.now(UTC))) == ("ines", "requested")


def test_somebody_else_approves_and_saying_it_twice_changes_nothing(database: Database) -> None:
    one = asked(database)
    approved, is_new = approve(database, one, ANA, WaiverApproval(approved_digest=one.digest, comment="fine"))
    assert ([said.id for said in approved.approvals], is_new) == (["ana"], True)
    assert approve(database, one, ANA) == (approved, False)


def test_the_requester_does_not_approve_also_with_another_key(database: Database) -> None:
    one = asked(database)
    with pytest.raises(DutiesNotSeparate):
        approve(database, one, person("ines", Role.APPROVER, key="another"))


def test_an_owner_does_not_approve(database: Database) -> None:
    registered(database, "ana", "team")
    with pytest.raises(DutiesNotSeparate):
        approve(database, asked(database), ANA)
    assert approve(database, asked(database), BO)[1]


def test_an_owner_of_any_version_does_not_approve_a_range(database: Database) -> None:
    registered(database, "ana", version="3", digest="sha256:" + "3" * 64)
    span = {"namespace": SUBJECT["namespace"], "name": SUBJECT["name"], "first_version": "1", "last_version": "9"}
    with pytest.raises(DutiesNotSeparate):
        approve(database, asked(database, subject=span), ANA)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.APPROVER])
def test_only_the_role_approver_approves(database: Database, role: Role) -> None:
    with pytest.raises(NotPermitted):
        approve(database, asked(database), person("cem", role))


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.MODEL_OWNER])
def test_only_a_model_owner_asks(role: Role) -> None:
    """The role is looked at before the database is."""
    with pytest.raises(NotPermitted):
        records.ask(None, parse_value(WaiverRequest, waiver(), what="a waiver"), person("cem", role))  # type: ignore[arg-type]  # never reached


def test_another_digest_than_the_waivers_own_is_not_approved(database: Database) -> None:
    with pytest.raises(Conflict):
        approve(database, asked(database), ANA, WaiverApproval(approved_digest="sha256:" + "0" * 64))


def test_a_revoked_waiver_is_not_approved_and_is_revoked_once(database: Database) -> None:
    one = asked(database)
    with database.unit() as unit:
        assert records.revoke(unit, one.id, ENOUGH, INES)[1], "who asked for it may"
    with database.unit() as unit:
        again, is_new = records.revoke(unit, one.id, ENOUGH, BO)
    assert (is_new, again.revoked and again.revoked.id) == (False, "ines")
    with pytest.raises(Conflict):
        approve(database, one, ANA)


def test_whoever_neither_asked_nor_may_revoke_does_not(database: Database) -> None:
    one = asked(database)
    with database.unit() as unit, pytest.raises(NotPermitted):
        records.revoke(unit, one.id, ENOUGH, person("cem", Role.MODEL_OWNER))


@pytest.mark.parametrize("act", ["read", "approve", "revoke"])
def test_a_waiver_outside_the_scopes_is_like_one_that_is_not_there(database: Database, act: str) -> None:
    one, narrow = asked(database), person("cem", Role.APPROVER, scopes=("s3://other/*",))
    doing: dict[str, Callable[[Unit, str], object]] = {
        "read": lambda unit, name: records.waiver_of(unit, name, narrow),
        "approve": lambda unit, name: records.approve(unit, name, YES, narrow),
        "revoke": lambda unit, name: records.revoke(unit, name, ENOUGH, narrow),
    }
    for identifier in (one.id, "nothing"):
        with database.unit() as unit, pytest.raises(NotFound) as fault:
            doing[act](unit, identifier)
        assert fault.value.found == repr(identifier)


def test_nobody_asks_for_a_waiver_of_a_model_that_is_hidden_or_lists_one(database: Database) -> None:
    asked(database)
    wanted = parse_value(WaiverRequest, waiver(), what="a waiver")
    with database.unit() as unit:
        assert records.listed(unit, person("cem", Role.APPROVER, scopes=("s3://other/*",))) == ([], None)
        with pytest.raises(NotFound):
            records.ask(unit, wanted, person("cem", Role.MODEL_OWNER, scopes=("s3://other/*",)))


def test_waivers_are_listed_page_by_page_past_what_is_hidden(database: Database) -> None:
    for number in range(5):
        named = {**SUBJECT, "name": f"m{number % 2}", "digest": f"sha256:{number:064}"}
        asked(database, subject=named)
    reader = person("cem", Role.AUDITOR, scopes=(f"{SUBJECT['namespace']}/m0",))
    with database.read_unit() as unit:
        first, following = records.listed(unit, reader, limit=2)
        assert following is not None
        rest, end = records.listed(unit, reader, after=following, limit=2)
    assert ([one.request.subject.name for one in [*first, *rest]], end) == (["m0"] * 3, None)


def test_a_digest_that_is_registered_under_another_name_is_refused(database: Database) -> None:
    registered(database, "team")
    with pytest.raises(Conflict) as fault:
        asked(database, subject={**SUBJECT, "name": "renamed"})
    assert fault.value.pointer == "/subject"


def test_waivers_are_found_by_digest_and_by_registered_version(database: Database) -> None:
    exact = asked(database)
    span = {"namespace": SUBJECT["namespace"], "name": SUBJECT["name"], "first_version": "1", "last_version": "1.5"}
    ranged = asked(database, subject=span)
    assert about(database) == [exact.id], "nobody registered the version"
    registered(database, "team")
    assert about(database) == [exact.id, ranged.id]
    assert about(database, digest="sha256:" + "7" * 64) == [], "the same name over other bytes"
    with database.read_unit() as unit:
        assert records.waivers_about(unit, Subject.model_validate(SUBJECT), "test") == []


def test_a_term_beyond_ninety_days_is_refused_before_anything_is_kept(database: Database) -> None:
    with pytest.raises(InputRefused):
        asked(database, expires_at=(datetime.now(UTC) + timedelta(days=91)).isoformat())
    with database.read_unit() as unit:
        assert records.listed(unit, BO) == ([], None)


def test_a_check_that_does_not_exist_is_refused_with_its_place(database: Database) -> None:
    bound = [{"at_least": "0.5"}]
    with pytest.raises(InputRefused) as fault:
        asked(database, checks=["fairness", "fairnes"], bounds={"fairness": bound, "fairnes": bound})
    assert fault.value.pointer == "/checks/1"


def test_a_refusal_outlives_the_attempt_with_holder_and_key(database: Database) -> None:
    one = asked(database)
    self_approver = person("ines", Role.APPROVER, key="k7")
    with pytest.raises(DutiesNotSeparate):
        done_or_refused(
            database,
            self_approver,
            "waiver.approve",
            one.id,
            lambda unit: records.approve(unit, one.id, YES, self_approver),
        )
    with database.read_unit() as unit:
        (kept,) = refusals(unit)
        assert journal.leaf(unit, kept.log_index).kind == "refusal"
        assert records.waiver_of(unit, one.id, BO).approvals == ()
    assert (kept.act, kept.object, kept.code) == ("waiver.approve", one.id, "access.duties_not_separate")
    assert (kept.by.id, kept.by.name, kept.by.key) == ("ines", "ines's key", "k7")


def test_a_mistake_is_no_refusal(database: Database) -> None:
    with pytest.raises(NotFound):
        done_or_refused(database, ANA, "waiver.approve", "x", lambda unit: records.approve(unit, "x", YES, ANA))
    with database.read_unit() as unit:
        assert refusals(unit) == []


def _row(row: Any, **changes: Any) -> Any:
    columns = {column.key: getattr(row, column.key) for column in sa.inspect(type(row)).columns}
    return type(row)(**{**columns, **changes})


def test_the_database_itself_keeps_requester_and_approver_apart(database: Database) -> None:
    one = asked(database)
    approve(database, one, ANA)
    with database.unit() as unit:
        row = _row(unit.session.scalars(sa.select(WaiverApprovalRow)).one(), id=None, log_index=99)
    for changes, allowed in (({"by_id": "ines"}, False), ({"by_id": "ana"}, False), ({"by_id": "cem"}, True)):
        assert _is_taken(database, _row(row, **changes)) is allowed, changes


def test_the_database_itself_knows_the_longest_term(database: Database) -> None:
    one = asked(database)
    with database.unit() as unit:
        row = _row(unit.session.get_one(WaiverRow, one.id), log_index=99)
    start = row.not_before
    for ends, allowed in (
        (start + timedelta(days=90), True),
        (start + timedelta(days=90, minutes=1), False),
        (start, False),
    ):
        assert _is_taken(database, _row(row, id=str(ends), expires_at=ends)) is allowed, ends


def _is_taken(database: Database, row: Any) -> bool:
    try:
        with database.unit() as unit:
            unit.session.add(row)
            unit.session.flush()
            raise _RolledBackError(expected="", found="", remedy="")
    except _RolledBackError:
        return True
    except DBAPIError:
        return False


class _RolledBackError(AssayError):
    """What ends a transaction that was only tried."""


def test_an_owner_whom_lineage_names_does_not_approve(database: Database) -> None:
    facet = {"_producer": "https://p.test", "_schemaURL": "https://s.test#/$defs/O", "owners": [{"name": "ana"}]}
    event = {
        "eventTime": "2026-11-01T00:00:00Z",
        "producer": "https://p.test",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetEvent",
        "dataset": {
            "namespace": SUBJECT["namespace"],
            "name": f"{SUBJECT['name']}/{SUBJECT['version']}",
            "facets": {"ownership": facet},
        },
    }
    with database.unit() as unit:
        record_events(unit, [json.dumps(event).encode()], LineageSettings())
    with pytest.raises(DutiesNotSeparate):
        approve(database, asked(database), ANA)
    assert approve(database, asked(database), BO)[1]
