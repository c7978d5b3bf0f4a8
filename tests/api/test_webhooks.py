"""Webhooks over HTTP: an administrator's affair, a secret shown once, and a decision that is told."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.support.receiver import Receiver, receiving
from tests.support.service import Service, key_for, running
from tests.support.story import FAIR, ask, policy, publish, submit


@pytest.fixture
def telling(database_url: str, tmp_path: Path) -> Iterator[Service]:
    """A service that may tell receivers on this machine."""
    with running(tmp_path / "home", database_url, webhooks={"allowed_hosts": ("127.0.0.0/8",)}) as started:
        yield started


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as started:
        yield started


def admin(service: Service) -> dict[str, str]:
    return {"Authorization": f"Bearer {key_for(service.url, 'admin')}"}


def test_a_decision_is_told_and_the_delivery_can_be_looked_up(telling: Service, receiver: Receiver) -> None:
    keys = admin(telling)
    wanted = {"url": f"{receiver.url}/hook", "types": ["assay.decision.taken"]}
    made = telling.post_json("/v1/webhooks", wanted, **keys)
    assert made.status_code == 201, made.text
    publish(telling, policy())
    submit(telling, FAIR)
    answer = ask(telling).json()
    ask(telling, key="dry", mode="dry_run")
    until = time.monotonic() + 20
    while not receiver.received and time.monotonic() < until:
        time.sleep(0.05)
    event = Webhook(made.json()["secret"]).verify(receiver.received[0].body, receiver.received[0].headers)
    assert event["data"]["decision_id"] == answer["decision_id"]
    assert event["data"]["verdict"] == "allow"
    path = f"/v1/webhooks/{made.json()['id']}/deliveries"
    while (log := telling.http.get(path, headers=keys).json()["deliveries"])[0]["state"] == "running":
        time.sleep(0.05)
    assert [(each["type"], each["state"], each["status"]) for each in log] == [
        ("assay.decision.taken", "delivered", 200)
    ]
    assert len(receiver.received) == 1, "a dry run is told to nobody"


def test_the_secret_is_shown_once(telling: Service) -> None:
    keys = admin(telling)
    secret = telling.post_json("/v1/webhooks", {"url": "https://hooks.bank.example/x"}, **keys).json()["secret"]
    listed = telling.http.get("/v1/webhooks", headers=keys)
    assert [hook["url"] for hook in listed.json()["webhooks"]] == ["https://hooks.bank.example/x"]
    assert secret not in listed.text


def test_a_secret_that_is_given_is_used(telling: Service, receiver: Receiver) -> None:
    keys, secret = admin(telling), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
    made = telling.post_json("/v1/webhooks", {"url": receiver.url, "secret": secret}, **keys).json()
    tried = telling.http.post(f"/v1/webhooks/{made['id']}/test", headers=keys)
    assert tried.json() == {"delivered": True, "status": 200, "fault": None}
    Webhook(secret).verify(receiver.received[0].body, receiver.received[0].headers)


INNER = [
    "http://169.254.169.254/", "https://169.254.169.254/", "https://127.1/", "https://0x7f000001/",
    "https://2130706433/", "https://0177.0.0.1/", "https://[::1]/", "https://[::ffff:10.0.0.1]/",
]  # fmt: skip


def test_a_webhook_to_an_inner_address_is_refused(service: Service) -> None:
    """SEC-10."""
    keys = admin(service)
    for url in INNER:
        refused = service.post_json("/v1/webhooks", {"url": url}, **keys)
        told = refused.json()
        assert (refused.status_code, told["code"], told["pointer"]) == (422, "egress.refused", "/url"), url


def test_the_test_button_obeys_the_same_guard(service: Service, receiver: Receiver) -> None:
    """SEC-10: what a name stands for cannot be told from its text, and is looked at when the connection is made."""
    keys = admin(service)
    made = service.post_json(
        "/v1/webhooks", {"url": receiver.url.replace("http://127.0.0.1", "https://localhost")}, **keys
    )
    assert made.status_code == 201, made.text
    tried = service.http.post(f"/v1/webhooks/{made.json()['id']}/test", headers=keys)
    assert tried.json() == {
        "delivered": False, "status": None, "fault": "the address is not one that the service connects to",
    }  # fmt: skip
    assert receiver.received == []


ROUTES = [("GET", ""), ("POST", ""), ("DELETE", "/{id}"), ("POST", "/{id}/test"), ("GET", "/{id}/deliveries")]


def test_webhooks_are_an_administrators_affair(service: Service) -> None:
    keys = [{"Authorization": f"Bearer {key_for(service.url, role)}"} for role in ("ci", "auditor", "approver")]
    for method, path in ROUTES:
        name = f"/v1/webhooks{path.format(id='0' * 36)}"
        found = [service.http.request(method, name, headers=key, content=b"{}").status_code for key in keys]
        assert found == [403, 403, 403], (method, path)
        assert service.http.request(method, name, headers={"Authorization": ""}).status_code == 401


def test_a_webhook_that_is_not_there_is_404(service: Service) -> None:
    keys = admin(service)
    for method, path in ROUTES[2:]:
        name = f"/v1/webhooks{path.format(id='0' * 36)}"
        assert service.http.request(method, name, headers=keys).status_code == 404, (method, path)


BAD: list[Any] = [
    {}, [], {"url": 1}, {"url": ""}, {"url": "https://x.example/", "types": ["assay.decison.taken"]},
    {"url": "https://x.example/", "secret": "weak"}, {"url": "https://x.example/", "else": 1},
    {"url": "https://x.example/\u0000"}, {"url": "https://x.example/", "types": ["assay.decision.taken"] * 100},
]  # fmt: skip


def test_a_body_that_is_no_webhook_is_refused(service: Service) -> None:
    keys = admin(service)
    for body in BAD:
        refused = service.post_json("/v1/webhooks", body, **keys)
        assert refused.status_code == 422, body
        assert refused.json()["pointer"].startswith("/"), body


def test_a_deleted_webhook_is_not_listed(service: Service) -> None:
    keys = admin(service)
    made = service.post_json("/v1/webhooks", {"url": "https://hooks.bank.example/x"}, **keys).json()
    assert service.http.delete(f"/v1/webhooks/{made['id']}", headers=keys).json()["deleted"] is True
    assert json.loads(service.http.get("/v1/webhooks", headers=keys).text) == {"webhooks": []}
    assert service.http.delete(f"/v1/webhooks/{made['id']}", headers=keys).status_code == 404
