"""Break-glass over HTTP, on both databases: a grant beside a decision that stays as it is, and its review."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from audits.break_glass import active_grant, require_person
from governance.access.roles import Role
from governance.errors import NotPermitted
from tests.support.callers import asked, headers
from tests.support.people import person
from tests.support.ready import FAILING, PASSING, measured
from tests.support.scopes import MODELS, refusals_seen
from tests.support.service import Service, running
from tests.support.story import policy, publish

START = datetime(2026, 11, 2, tzinfo=UTC)


@pytest.fixture
def instants() -> list[datetime]:
    """The clock of ``denied``."""
    return [START]


@pytest.fixture
def service(database_url: str, tmp_path: Path, instants: list[datetime]) -> Iterator[Service]:
    """A service whose clock stands where the test sets it, with a policy."""
    with running(tmp_path / "home", database_url, clock=lambda: instants[0]) as started:
        publish(started, policy())
        yield started


@pytest.fixture
def denied(service: Service) -> dict[str, Any]:
    """A decision that denies."""
    measured(service, FAILING)
    answer: dict[str, Any] = asked(service).json()
    assert answer["verdict"] == "deny"
    return answer


def break_glass(service: Service, decision: dict[str, Any], name: str = "rita", **changes: Any) -> Any:
    """What the person on call does."""
    body = {"decision_id": decision["decision_id"], "reason": "down", "incident_id": "INC-1", "hours": 2, **changes}
    return service.post_json("/v1/break-glass", body, **headers(service, name, "incident_responder"))


def review(service: Service, grant: dict[str, Any], name: str, verdict: str = "justified") -> Any:
    """What somebody says of a grant afterwards."""
    path = f"{grant['links']['self']}/review"
    return service.post_json(path, {"verdict": verdict, "comment": "seen"}, **headers(service, name, "approver"))


def is_active(service: Service, decision: dict[str, Any]) -> bool:
    """Whether a grant holds beside the decision now."""
    with service.state.database.read_unit() as unit:
        return active_grant(unit, decision["decision_id"], unit.now) is not None


def test_a_grant_holds_for_its_hours_and_the_decision_stays_as_it_was(
    service: Service, denied: dict[str, Any], instants: list[datetime]
) -> None:
    before = [service.http.get(denied["links"][name]).content for name in ("self", "decision")]
    made = break_glass(service, denied)
    assert (made.status_code, made.json()["active"], made.json()["by"]["id"]) == (201, True, "rita")
    assert made.json()["expires_at"] == "2026-11-02T02:00:00Z"
    assert [service.http.get(denied["links"][name]).content for name in ("self", "decision")] == before
    found = service.http.get(denied["break_glass"]["grants"]).json()["grants"]
    assert [grant["id"] for grant in found] == [made.json()["id"]]
    instants[0] = START + timedelta(hours=2) - timedelta(microseconds=1)
    assert is_active(service, denied)
    instants[0] = START + timedelta(hours=2)
    assert not is_active(service, denied)


def test_a_grant_is_told_at_once_and_opens_a_review(service: Service, denied: dict[str, Any]) -> None:
    made = break_glass(service, denied).json()
    with service.state.database.read_unit() as unit:
        told = unit.session.execute(sa.text("SELECT type, subject FROM notice")).all()
        leaves = unit.session.scalars(sa.text("SELECT kind FROM log_entry ORDER BY leaf_index")).all()
    assert {tuple(one) for one in told} >= {
        ("assay.break_glass.granted", f"break-glass/{made['id']}"),
        ("assay.review.opened", f"break-glass/{made['id']}"),
    }
    assert leaves[-1] == "break_glass"
    waiting = service.http.get("/v1/break-glass", params={"open": True}).json()["grants"]
    assert [grant["id"] for grant in waiting] == [made["id"]]


def test_somebody_else_closes_the_review(service: Service, denied: dict[str, Any]) -> None:
    made = break_glass(service, denied).json()
    own = review(service, made, "rita")
    assert (own.status_code, own.json()["code"]) == (403, "access.duties_not_separate")
    closed = review(service, made, "ana")
    assert (closed.status_code, closed.json()["review"]["by"]["id"]) == (201, "ana")
    assert review(service, made, "ana").status_code == 200
    assert review(service, made, "bo").status_code == 409
    assert service.http.get("/v1/break-glass", params={"open": True}).json()["grants"] == []
    assert is_active(service, denied), "a justified grant holds until its end"
    (refused,) = service.http.get("/v1/gate/refusals").json()["refusals"]
    assert (refused["act"], refused["by"]["id"]) == ("break_glass.review", "rita")
    assert refusals_seen(service, f"{MODELS}/credit-*") == ["break_glass.review"]
    assert refusals_seen(service, f"{MODELS}/fraud") == []


def test_a_grant_that_was_not_justified_ends_with_the_review(service: Service, denied: dict[str, Any]) -> None:
    made = break_glass(service, denied).json()
    assert review(service, made, "ana", "not_justified").status_code == 201
    assert not is_active(service, denied)


def test_no_second_grant_before_the_first_was_reviewed(
    service: Service, denied: dict[str, Any], instants: list[datetime]
) -> None:
    made = break_glass(service, denied).json()
    instants[0] = START + timedelta(hours=3)
    assert break_glass(service, denied, "rolf").status_code == 409
    review(service, made, "ana")
    assert break_glass(service, denied, "rolf").status_code == 201


@pytest.mark.parametrize("changes", [{"hours": 5}, {"hours": 0}, {"reason": ""}, {"incident_id": ""}])
def test_a_grant_needs_a_reason_an_incident_and_at_most_four_hours(
    service: Service, denied: dict[str, Any], changes: dict[str, Any]
) -> None:
    answer = break_glass(service, denied, **changes)
    assert (answer.status_code, answer.json()["pointer"]) == (422, f"/{next(iter(changes))}")


def test_nothing_is_broken_where_the_gate_allows_or_was_only_tried(service: Service) -> None:
    measured(service, PASSING)
    assert break_glass(service, asked(service).json()).status_code == 409
    measured(service, FAILING)
    tried = asked(service, key="k2", mode="dry_run").json()
    assert break_glass(service, tried).status_code == 409
    assert break_glass(service, {"decision_id": "unknown"}).status_code == 404


def test_a_grant_outside_the_scopes_is_like_one_that_is_not_there(service: Service, denied: dict[str, Any]) -> None:
    made = break_glass(service, denied).json()
    narrow = headers(service, "cem", "auditor", scopes=["s3://other/*"])
    for path in (made["links"]["self"], denied["break_glass"]["grants"], "/v1/break-glass/unknown"):
        assert service.http.get(path, headers=narrow).status_code == 404, path
    assert service.http.get("/v1/break-glass", headers=narrow).json()["grants"] == []


def test_a_role_of_its_own_is_needed(service: Service, denied: dict[str, Any]) -> None:
    body = {"decision_id": denied["decision_id"], "reason": "down", "incident_id": "INC-1"}
    for role in set(Role) - {Role.INCIDENT_RESPONDER}:
        answer = service.post_json("/v1/break-glass", body, **headers(service, f"holder of {role}", role))
        assert answer.status_code == 403, role


@pytest.mark.parametrize(
    "machine",
    [
        person("pipeline", Role.CI, Role.INCIDENT_RESPONDER),
        person("oidc:github:4711", Role.INCIDENT_RESPONDER, key=None),
    ],
)
def test_a_ci_identity_breaks_no_glass_whatever_roles_it_has(machine: Any) -> None:
    with pytest.raises(NotPermitted):
        require_person(machine)


def test_the_database_itself_knows_the_longest_grant_and_keeps_reviewer_and_user_apart(
    service: Service, denied: dict[str, Any]
) -> None:
    made = break_glass(service, denied, hours=4).json()
    later = "'2026-11-02 04:01:00'" if service.state.database.dialect == "sqlite" else "'2026-11-02 04:01:00+00'"
    statements = [
        "INSERT INTO break_glass (id, decision_id, expires_at, digest, body, by_id, by_name, recorded_at, log_index) "
        f"SELECT 'other', decision_id, {later}, digest, body, by_id, by_name, recorded_at, 9999 FROM break_glass",
        "INSERT INTO break_glass_review (grant_id, verdict, digest, body, by_id, by_name, recorded_at, log_index) "
        "SELECT id, 'justified', digest, body, by_id, by_name, recorded_at, 9998 FROM break_glass",
    ]
    for statement in statements:
        with pytest.raises(sa.exc.DBAPIError), service.state.database.unit() as unit:
            unit.session.execute(sa.text(statement))
    assert review(service, made, "ana").status_code == 201
