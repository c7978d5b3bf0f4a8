"""A decision's pack over HTTP: whole, the same each time, and with every document that the decision names."""

import json

import pytest

from governance.canonical import sha256
from governance.pack import STEPS, named_by, verify_pack
from governance.pack_files import read_pack
from governance.verify import read_trust
from tests.support.callers import asked, headers
from tests.support.people import waiver
from tests.support.ready import FAILING, measured
from tests.support.service import Service
from tests.support.story import policy, publish


@pytest.fixture
def decided(service: Service) -> str:
    """The id of a decision that rests on a policy, a measurement, a manifest and a waiver."""
    publish(service, policy())
    measured(service, FAILING)
    made = service.post_json("/v1/waivers", waiver(), **headers(service, "ines", "model_owner")).json()
    for name in ("ana", "bo"):
        service.post_json(f"{made['links']['self']}/approve", {}, **headers(service, name, "approver"))
    identifier: str = asked(service).json()["decision_id"]
    return identifier


def test_a_pack_holds_all_that_the_decision_rests_on(service: Service, decided: str) -> None:
    answer = service.http.get(f"/v1/decisions/{decided}/pack")
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "application/zip"
    assert answer.headers["content-disposition"] == f'attachment; filename="{decided}.pack.zip"'
    trust = read_trust(service.http.get("/v1/trust").content)
    result = verify_pack(answer.content, trust=trust)
    assert result.steps == tuple(STEPS)
    files = read_pack(answer.content)
    kinds = {
        json.loads(content).get("kind") or "measurement"
        for path, content in files.items()
        if path.startswith("documents/")
    }
    assert {"assay.policy/v1", "assay.evidence/v1", "measurement"} <= kinds
    assert {f"documents/{each[7:]}.json" for each in named_by(result.verified.decision)} <= set(files)
    assert sha256(files["decision.json"]) == result.verified.decision.decision_digest


def test_a_pack_is_the_same_each_time(service: Service, decided: str) -> None:
    first, second = (service.http.get(f"/v1/decisions/{decided}/pack").content for _ in range(2))
    assert first == second


def test_a_pack_is_there_for_known_decisions_and_whole_keys_alone(service: Service, decided: str) -> None:
    assert service.http.get("/v1/decisions/none/pack").status_code == 404
    assert service.http.get(f"/v1/decisions/{decided}/pack", headers={"Authorization": ""}).status_code == 401
    assert service.http.get(f"/v1/decisions/{decided}/pack", params={"cosignatures": 1}).status_code == 404
    for cosignatures in (-1, 51, "x"):
        answer = service.http.get(f"/v1/decisions/{decided}/pack", params={"cosignatures": cosignatures})
        assert 400 <= answer.status_code < 500
