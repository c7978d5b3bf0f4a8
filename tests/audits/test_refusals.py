"""Refused acts as somebody with scopes is shown them."""

import pytest

from audits.refusals import MOST_UPON, done_or_refused, listed
from governance.access.roles import Role
from governance.database import Database, Unit
from governance.errors import NotPermitted
from governance.types.sight import Sight
from tests.support.people import person

ANA = person("ana", Role.APPROVER)
REFUSED = NotPermitted(expected="a", found="b", remedy="c")
HELD = "hub/credit-line"


def refuse(database: Database, act: str, upon: str) -> None:
    def do(_unit: Unit) -> None:
        raise REFUSED

    with pytest.raises(NotPermitted):
        done_or_refused(database, ANA, act, upon, do)


def seen(database: Database, *scopes: str, limit: int = 100) -> list[str]:
    """The objects of what is shown, over all pages."""
    found: list[str] = []
    after: int | None = -1
    while after is not None:
        with database.within(Sight(scopes)).read_unit() as unit:
            page, after = listed(unit, after=after, limit=limit)
        assert len(page) <= limit
        found += [refusal.object for refusal in page]
    return found


@pytest.mark.parametrize("limit", [1, 2, 100])
def test_refused_requests_are_shown_where_their_model_is_seen(database: Database, limit: int) -> None:
    objects = [HELD, "hub/fraud", "hub/credit-card", "hub/credit-" + "x" * MOST_UPON]
    for upon in objects:
        refuse(database, "waiver.request", upon)
    cut = objects[3][:MOST_UPON]
    assert seen(database, "hub/credit-*", limit=limit) == [HELD, "hub/credit-card"], "a name that was cut is of nobody"
    assert seen(database, "*", limit=limit) == [*objects[:3], cut]
    assert seen(database, "other/*", limit=limit) == []


def test_acts_upon_what_is_not_there_or_not_known_are_shown_to_whoever_sees_everything(database: Database) -> None:
    acts = ["waiver.approve", "waiver.revoke", "break_glass.grant", "break_glass.review", "approval.approve", "new.act"]
    for act in acts:
        refuse(database, act, "nothing")
    assert seen(database, "nothing", "*/*") == []
    assert seen(database, "*") == ["nothing"] * len(acts)


def test_acts_upon_policies_are_shown_to_everybody(database: Database) -> None:
    refuse(database, "policy.publish", "fair@1")
    assert seen(database, "hub/x") == ["fair@1"]
