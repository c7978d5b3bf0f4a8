"""More work than the service takes is refused early, before anything is stored, and ready evidence still decides."""

from pathlib import Path

import sqlalchemy as sa

from tests.support.life import bearer
from tests.support.ready import measured
from tests.support.service import Service, running
from tests.support.story import FAIR, ask, policy, publish, subject, submit


def stored(service: Service) -> int:
    with service.state.database.read_unit() as unit:
        return unit.session.scalar(sa.text("SELECT count(*) FROM evaluation")) or 0


def test_the_queue_takes_so_many_evaluations_and_of_one_principal_a_share(database_url: str, tmp_path: Path) -> None:
    work = {"engine": "none", "max_waiting": 4, "max_waiting_share": 0.5}
    with running(tmp_path / "home", database_url, work=work) as service:
        publish(service, policy())
        submit(service, FAIR)
        assert [ask(service, key=f"k{number}", wait=0).status_code for number in range(3)] == [202, 202, 429]
        other = bearer(service, "ci", subject="ci:other")
        body = {"subject": subject(), "environment": "prod", "policy": "fair"}

        def ask_as_other(key: str, **changes: object) -> int:
            headers = {"Idempotency-Key": key, **other}
            status: int = service.post_json("/v1/gate/evaluations", {**body, **changes}, **headers).status_code
            return status

        assert [ask_as_other(key) for key in ("a", "b", "c")] == [202, 202, 429]
        third = bearer(service, "ci", subject="ci:third")
        refused = service.post_json("/v1/gate/evaluations", body, **{"Idempotency-Key": "k", **third})
        assert refused.status_code == 429
        assert refused.headers["content-type"] == "application/problem+json"
        assert int(refused.headers["Retry-After"]) >= 1
        assert refused.json()["code"] == "busy"
        assert stored(service) == 4, "nothing of what was refused is stored"


def test_a_full_queue_still_decides_on_ready_evidence_and_still_replays(database_url: str, tmp_path: Path) -> None:
    work = {"engine": "none", "max_waiting": 1, "max_waiting_share": 1}
    with running(tmp_path / "home", database_url, work=work) as service:
        publish(service, policy())
        submit(service, FAIR, seed=8)
        assert ask(service, key="waits", wait=0).status_code == 202
        assert ask(service, key="refused", wait=0).status_code == 429
        replayed = ask(service, key="waits", wait=0)
        assert (replayed.status_code, replayed.headers["Idempotent-Replayed"]) == (202, "true")
        at_hand = measured(service, FAIR)
        answer = ask(service, key="ready", wait=0, evidence=[{"digest": at_hand}])
        assert (answer.status_code, answer.json()["verdict"]) == (200, "allow")


def test_a_refused_request_may_be_sent_again_with_its_key_when_there_is_room(database_url: str, tmp_path: Path) -> None:
    work = {"engine": "none", "max_waiting": 1, "max_waiting_share": 1}
    with running(tmp_path / "home", database_url, work=work) as service:
        publish(service, policy())
        submit(service, FAIR)
        ask(service, key="first", wait=0)
        assert ask(service, key="second", wait=0).status_code == 429
        with service.state.database.unit() as unit:
            unit.session.execute(sa.text("UPDATE evaluation SET state = 'done'"))
        again = ask(service, key="second", wait=0)
        assert again.status_code == 202
        assert "Idempotent-Replayed" not in again.headers
