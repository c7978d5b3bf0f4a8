"""What the gate makes of what the registry and lineage say of a model, over HTTP on both databases."""

from typing import Any

import pytest

from tests.api.test_lineage_serving import fill
from tests.lineage.material import dataset, run_event, run_id
from tests.support.ready import measured
from tests.support.service import Service
from tests.support.story import DIGEST, FAIR, UNFAIR, ask, policy, publish, subject

OTHER = "sha256:" + "0" * 64


def register(service: Service, **changes: Any) -> None:
    model = {**subject(), "objective": "repays", "risk_tier": "high", "owners": ["user:ines"], **changes}
    answer = service.post_json("/v1/models", model)
    assert answer.status_code == 201, answer.text


def told_by_its_producer(service: Service, **said: Any) -> None:
    trained = dataset("credit-line/1", "mlflow://models.test", assay_model={"contentDigest": DIGEST, **said})
    fill(service, run_event("COMPLETE", 1, run=run_id(1), job="train", outputs=[trained]))


def test_the_registered_tier_and_jurisdictions_choose_the_policy(service: Service) -> None:
    publish(service, policy("usual", applies={"environments": ["prod"], "risk_tiers": ["low"]}))
    publish(service, policy("strict", applies={"environments": ["prod"], "risk_tiers": ["high"]}))
    register(service)
    evidence = measured(service, FAIR)
    answer = ask(service, policy=None, evidence=[{"digest": evidence}]).json()
    assert (answer["policy"]["name"], answer["verdict"]) == ("strict", "allow")


@pytest.mark.parametrize(
    ("registered", "said", "named"),
    [({}, {"riskTier": "low"}, "risk tier"), ({"purposes": ["ads"]}, {"purposes": ["credit"]}, "purposes")],
)
def test_a_contradiction_between_registry_and_lineage_can_never_be_an_allow(
    service: Service, registered: dict[str, Any], said: dict[str, Any], named: str
) -> None:
    publish(service, policy())
    register(service, **registered)
    told_by_its_producer(service, **said)
    answer = ask(service, evidence=[{"digest": measured(service, FAIR)}]).json()
    assert answer["verdict"] == "indeterminate"
    assert [reason["code"] for reason in answer["reasons"]] == ["model.contradiction"]
    assert named in answer["reasons"][0]["message"]
    denied = ask(service, key="k2", evidence=[{"digest": measured(service, UNFAIR)}]).json()
    assert denied["verdict"] == "deny"


def test_what_agrees_or_is_left_out_contradicts_nothing(service: Service) -> None:
    publish(service, policy())
    register(service)
    told_by_its_producer(service, riskTier="high", purposes=["credit"])
    assert ask(service, evidence=[{"digest": measured(service, FAIR)}]).json()["verdict"] == "allow"


def test_bytes_under_another_name_and_a_version_with_other_bytes_are_409(service: Service) -> None:
    publish(service, policy())
    register(service)
    renamed = ask(service, subject=subject(name="another"))
    assert (renamed.status_code, renamed.json()["pointer"]) == (409, "/subject/name")
    assert "credit-line" not in renamed.text, "a name that the caller did not send is not told"
    swapped = ask(service, subject=subject(digest=OTHER))
    assert (swapped.status_code, swapped.json()["pointer"]) == (409, "/subject/digest")
