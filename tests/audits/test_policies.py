"""Storing, publishing and choosing policies, on both databases: who may, what counts, and by the rules of which day."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from audits import policy_records as records
from audits.catalog import pack, read_policy
from audits.policies import Choice, Place, choose
from audits.publishing import Act, install_packs, publish, publish_or_record, publish_pack, store_version
from audits.refusals import refusals
from governance.access.principal import Principal
from governance.access.roles import Role
from governance.canonical import canonical
from governance.database import Database, Unit
from governance.errors import Conflict, DutiesNotSeparate, InputRefused, NotFound, NotPermitted
from governance.log import journal
from governance.notices.tables import NoticeRow
from governance.types.policy import Policy, Stage
from tests.support.story import policy as document

AUTHOR = Principal(id="user:1", name="Ada", roles=(Role.POLICY_AUTHOR,))
PUBLISHER = Principal(id="user:2", name="Ben", roles=(Role.POLICY_PUBLISHER,))
BOTH = Principal(id="user:3", name="Cleo", roles=(Role.POLICY_AUTHOR, Role.POLICY_PUBLISHER))
DAY = datetime(2026, 11, 2, 12, tzinfo=UTC)


def made(**changes: Any) -> Policy:
    return read_policy(canonical(document(**changes)))


def in_force(unit: Unit, *, stage: Stage = Stage.ENFORCE, **changes: Any) -> records.PolicyVersion:
    """A version that one person wrote and another brought to a stage."""
    version, _ = store_version(unit, made(**changes), AUTHOR)
    publish(unit, Act(version.name, version.version, stage), PUBLISHER)
    return version


def chosen(unit: Unit, name: str | None = None, **changes: Any) -> Choice:
    place = {"environment": "prod", "at": unit.now, **changes}
    return choose(unit, name=name, place=Place(**place))


def test_what_is_stored_is_not_in_force_before_somebody_else_publishes_it(database: Database) -> None:
    with database.unit() as unit:
        version, is_new = store_version(unit, made(), AUTHOR)
        assert (is_new, version.author, version.author_name) == (True, "user:1", "Ada")
        gap = chosen(unit, "fair").gap
        assert gap is not None
        assert gap.code == "policy.not_in_force"
        published, _ = publish(unit, Act("fair", 1, Stage.ENFORCE, "agreed"), PUBLISHER)
        assert (published.published_by, published.publisher_name, published.note) == ("user:2", "Ben", "agreed")
        assert chosen(unit, "fair").policy == version.reference


def test_every_act_has_its_leaf_in_the_log(database: Database) -> None:
    with database.unit() as unit:
        version = in_force(unit)
        (published,) = records.publications(unit, "fair")
        assert version.log_index is not None
        assert published.log_index is not None
        stored, made_public = (journal.leaf(unit, index).body for index in (version.log_index, published.log_index))
        expected = {"name": "fair", "version": 1, "digest": version.digest}
        assert stored == canonical({"kind": "policy.version/v1", **expected, "by": "user:1"})
        assert made_public == canonical(
            {"kind": "policy.publication/v1", **expected, "stage": "enforce", "by": "user:2"}
        )


def test_what_is_published_is_announced_in_the_same_transaction(database: Database) -> None:
    with database.unit() as unit:
        version = in_force(unit)
        (notice,) = unit.session.scalars(sa.select(NoticeRow))
        assert (notice.type, notice.subject) == ("assay.policy.published", "policies/fair/versions/1")
        assert notice.data == {**version.reference.document(), "stage": "enforce", "by": "Ben"}


def test_an_author_cannot_publish_and_the_attempt_is_kept(database: Database) -> None:
    with database.unit() as unit:
        store_version(unit, made(), BOTH)
    with pytest.raises(DutiesNotSeparate) as refused:
        publish_or_record(database, Act("fair", 1, Stage.WARN), BOTH)
    assert refused.value.status == 403
    with database.read_unit() as read:
        assert records.publications(read) == []
        (kept,) = refusals(read)
        assert (kept.act, kept.object, kept.code) == ("policy.publish", "fair@1", "access.duties_not_separate")
        assert kept.by.id == "user:3"


def test_a_publisher_who_is_not_the_author_may_hold_both_roles(database: Database) -> None:
    with database.unit() as unit:
        store_version(unit, made(), AUTHOR)
        assert publish(unit, Act("fair", 1, Stage.ENFORCE), BOTH)[1]


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.POLICY_PUBLISHER])
def test_nobody_else_publishes(database: Database, role: Role) -> None:
    with database.unit() as unit:
        store_version(unit, made(), AUTHOR)
        with pytest.raises(NotPermitted):
            publish(unit, Act("fair", 1, Stage.ENFORCE), Principal("user:9", "X", (role,)))
        with pytest.raises(NotPermitted):
            publish_pack(unit, "baseline", Stage.ENFORCE, Principal("user:9", "X", (role,)))


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.POLICY_AUTHOR])
def test_nobody_else_writes(database: Database, role: Role) -> None:
    with database.unit() as unit, pytest.raises(NotPermitted):
        store_version(unit, made(), Principal("user:9", "X", (role,)))


def test_the_database_refuses_an_author_as_publisher_too(database: Database) -> None:
    with database.unit() as unit:
        store_version(unit, made(), AUTHOR)
    statement = sa.text(
        "INSERT INTO policy_publication (name, version, stage, note, published_at, published_by, publisher_name) "
        "VALUES ('fair', 1, 'enforce', '', '2026-11-02 00:00:00', :by, 'X')"
    )
    with database.engine.connect() as connection:
        with pytest.raises(sa.exc.IntegrityError, match="the author of a policy does not publish it"):
            connection.execute(statement, {"by": "user:1"})
        connection.rollback()
        connection.execute(statement, {"by": "user:2"})


def test_the_same_text_keeps_its_number_and_its_author(database: Database) -> None:
    with database.unit() as unit:
        first, _ = store_version(unit, made(), AUTHOR)
        again, is_new = store_version(unit, made(), BOTH)
        assert (again, is_new) == (first, False)
        assert store_version(unit, made(title="other"), BOTH)[0].version == 2
        assert store_version(unit, made(), BOTH)[0].version == 3, "an earlier text is a new version"


def test_what_is_at_a_stage_stays_there_and_a_retired_text_may_come_back_as_a_new_version(database: Database) -> None:
    with database.unit() as unit:
        in_force(unit)
        assert publish(unit, Act("fair", 1, Stage.ENFORCE), PUBLISHER)[1] is False
        publish(unit, Act("fair", 1, Stage.RETIRE), PUBLISHER)
        gap = chosen(unit, "fair").gap
        assert gap is not None
        assert gap.code == "policy.not_in_force"
        with pytest.raises(Conflict):
            publish(unit, Act("fair", 1, Stage.ENFORCE), PUBLISHER)
        assert in_force(unit).version == 2


@pytest.mark.parametrize("version", [0, 2, -1, 2**31, 2**70])
def test_what_was_never_stored_cannot_be_published(database: Database, version: int) -> None:
    with database.unit() as unit:
        store_version(unit, made(), AUTHOR)
        with pytest.raises(NotFound):
            publish(unit, Act("fair", version, Stage.ENFORCE), PUBLISHER)


def test_a_publisher_alone_publishes_a_pack_as_it_ships(database: Database) -> None:
    with database.unit() as unit:
        published, is_new = publish_pack(unit, "us-eeoc-ugesp", Stage.ENFORCE, PUBLISHER)
        assert is_new
        assert published.policy.digest == read_policy(pack("us-eeoc-ugesp")).value_digest()
        (version,) = records.versions(unit, "us-eeoc-ugesp")
        assert version.author == "assay:pack:us-eeoc-ugesp"
        assert publish_pack(unit, "us-eeoc-ugesp", Stage.ENFORCE, PUBLISHER)[1] is False
        with pytest.raises(NotFound):
            publish_pack(unit, "../baseline", Stage.ENFORCE, PUBLISHER)


def test_what_an_operator_chose_for_the_name_of_a_pack_stays(database: Database) -> None:
    with database.unit() as unit:
        install_packs(unit)
        assert [one.publisher_name for one in records.publications(unit, "baseline")] == ["Assay"]
        own = in_force(unit, name="baseline")
        install_packs(unit)
        assert chosen(unit, "baseline").policy == own.reference
        assert publish_pack(unit, "baseline", Stage.ENFORCE, PUBLISHER)[0].policy.version == 3


def test_the_version_in_force_is_the_last_enforced_and_newer_ones_are_tried(database: Database) -> None:
    with database.unit() as unit:
        first = in_force(unit)
        second = in_force(unit, title="two", stage=Stage.WARN)
        third = in_force(unit, title="three", stage=Stage.SHADOW)
        found = chosen(unit, "fair")
        assert found.policy == first.reference
        assert [(one.policy, one.stage) for one in found.tried] == [
            (second.reference, "warn"), (third.reference, "shadow"),
        ]  # fmt: skip
        publish(unit, Act("fair", 3, Stage.ENFORCE), PUBLISHER)
        assert chosen(unit, "fair") == Choice(third.reference)


def test_a_new_policy_is_tried_where_it_would_decide(database: Database) -> None:
    with database.unit() as unit:
        general = in_force(unit, name="general")
        new = in_force(unit, name="new", stage=Stage.SHADOW, applies={"environments": ["prod"]})
        in_force(unit, name="elsewhere", stage=Stage.SHADOW, applies={"environments": ["test"]})
        found = chosen(unit)
        assert found.policy == general.reference
        assert [one.policy for one in found.tried] == [new.reference]
        assert chosen(unit, "general").tried == (), "a request that names a policy stays with it"


def test_the_most_specific_policy_is_taken_and_a_tie_is_refused(database: Database) -> None:
    with database.unit() as unit:
        in_force(unit, name="general")
        high = in_force(unit, name="high", applies={"risk_tiers": ["high"]})
        assert chosen(unit, risk_tier="high").policy == high.reference
        assert chosen(unit).policy == high.reference, "a tier that nobody recorded does not escape the stricter rules"
        low = chosen(unit, risk_tier="low").policy
        assert low is not None
        assert low.name == "general"
        in_force(unit, name="prod", applies={"environments": ["prod"]})
        with pytest.raises(Conflict) as refused:
            chosen(unit, risk_tier="high")
        assert "high, prod" in refused.value.found


@pytest.mark.parametrize(
    ("jurisdictions", "name"),
    [
        ((), "us"),
        (("US",), "us"),
        (("US-NY-NYC",), "us"),
        (("EU",), "general"),
        (("EU", "US"), "us"),
        (("USA",), "general"),
    ],
)
def test_a_jurisdiction_takes_in_its_parts(database: Database, jurisdictions: tuple[str, ...], name: str) -> None:
    with database.unit() as unit:
        in_force(unit, name="general")
        in_force(unit, name="us", applies={"jurisdictions": ["US"]})
        found = chosen(unit, jurisdictions=frozenset(jurisdictions)).policy
        assert found is not None
        assert found.name == name


def test_a_day_is_judged_by_the_version_whose_law_holds_on_it(database: Database) -> None:
    clock = [DAY]
    database.clock = lambda: clock[0]
    with database.unit() as unit:
        old = in_force(unit, name="law", effective={"from": "2023-07-05", "until": "2026-12-01", "law": "Law 1"})
        new = in_force(unit, name="law", effective={"from": "2026-12-01", "until": "2027-06-01", "law": "Law 2"})
    for at, expected in [
        (DAY, old),
        (datetime(2026, 11, 30, 23, 59, 59, tzinfo=UTC), old),
        (datetime(2026, 12, 1, tzinfo=UTC), new),
        (datetime(2027, 5, 31, 23, tzinfo=UTC), new),
    ]:
        with database.read_unit() as unit:
            assert choose(unit, name="law", place=Place("prod", at)).policy == expected.reference
            assert choose(unit, name=None, place=Place("prod", at)).policy == expected.reference
    with database.read_unit() as unit:
        after = choose(unit, name="law", place=Place("prod", datetime(2027, 6, 1, tzinfo=UTC)))
        assert after.policy is None
        assert after.gap is not None
        assert after.gap.code == "policy.not_effective"
        assert "law@2 holds from 2026-12-01 until 2027-06-01 (exclusive)" in after.gap.message
        assert choose(unit, name=None, place=Place("prod", datetime(2027, 6, 1, tzinfo=UTC))).gap == after.gap


def test_a_past_instant_is_judged_by_what_was_published_then(database: Database) -> None:
    clock = [DAY]
    database.clock = lambda: clock[0]
    with database.unit() as unit:
        first = in_force(unit)
    clock[0] += timedelta(days=1)
    with database.unit() as unit:
        second = in_force(unit, title="two")
    clock[0] += timedelta(days=1)
    with database.unit() as unit:
        publish(unit, Act("fair", 2, Stage.RETIRE), PUBLISHER)
        assert chosen(unit, at=DAY).policy == first.reference
        assert chosen(unit, at=DAY + timedelta(days=1)).policy == second.reference
        assert chosen(unit).policy is None
        assert chosen(unit, at=DAY - timedelta(seconds=1)) == Choice(None)


def test_what_cannot_be_satisfied_is_not_published(database: Database) -> None:
    lines = [{"id": "schema", "params": {"schema": "holdout@1"}}]
    with database.unit() as unit, pytest.raises(InputRefused) as refused:
        store_version(unit, made(checks=lines), AUTHOR)
    assert "holdout@1" in refused.value.found


def test_a_policy_of_before_its_later_fields_keeps_its_digest() -> None:
    """The digest is the one that the text had before policies knew the days on which they hold."""
    digest = "sha256:54e49817ff07ca3e233c1d6afb88baae4b462600fa0ec0065fe833e9d1a960d7"
    assert read_policy(pack("baseline")).value_digest() == digest


def test_days_that_hold_no_day_are_refused() -> None:
    with pytest.raises(InputRefused):
        read_policy(canonical(document(effective={"from": "2026-12-01", "until": "2026-12-01"})))
