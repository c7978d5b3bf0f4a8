"""Telling webhooks: signed, in order, again until it is taken or too late, and never to an inner address."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from pydantic import SecretStr
from standardwebhooks import Webhook
from standardwebhooks.webhooks import WebhookVerificationError

from governance.access.principal import Principal
from governance.access.roles import Role
from governance.database import Database
from governance.egress import EgressRefused, Guard
from governance.errors import Conflict, InputRefused, NotFound, NotPermitted
from governance.log.journal import leaves_of_kind
from governance.notices.delivery import TASK, WebhookTask, try_out, wait_seconds
from governance.notices.outbox import announce
from governance.notices.webhooks import MOST, Subscription, create, deliveries, end, target, webhooks
from governance.settings import WebhookSettings
from tests.support.receiver import Received, Receiver, receiving

ADMIN = Principal(id="p-admin", name="Ada", roles=(Role.ADMIN,))
SETTINGS = WebhookSettings(allowed_hosts=("127.0.0.0/8",), timeout_seconds=5)
GUARD = Guard(SETTINGS.allowed_hosts)


class Clock:
    """An instant that the test moves; it starts now, since receivers compare time stamps with theirs."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ticking(database_url: str, clock: Clock) -> Iterator[Database]:
    opened = Database(database_url, clock=clock)
    yield opened
    opened.close()


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as started:
        yield started


def hook(database: Database, url: str, *types: str) -> tuple[str, SecretStr]:
    with database.unit() as unit:
        shown, secret = create(unit, Subscription(url=url, types=types), GUARD, ADMIN)
    return str(shown["id"]), secret


def tell(database: Database, *subjects: str, type_: str = "assay.decision.taken") -> None:
    for subject in subjects:
        with database.unit() as unit:
            announce(unit, type_, subject=subject, data={"about": subject})


def deliver(database: Database, settings: WebhookSettings = SETTINGS) -> None:
    WebhookTask(database, settings, source="assay://bank.example").run(TASK)


def subjects(receiver: Receiver) -> list[str]:
    return [json.loads(request.body)["subject"] for request in receiver.received]


def log_of(database: Database, webhook_id: str) -> list[dict[str, object]]:
    with database.read_unit() as unit:
        return [dict(each) for each in deliveries(unit, webhook_id, ADMIN, limit=100)]


def test_events_arrive_in_order_and_their_signature_verifies_with_the_library_of_the_standard(
    ticking: Database, receiver: Receiver
) -> None:
    webhook_id, secret = hook(ticking, f"{receiver.url}/hook")
    tell(ticking, "decisions/1", "decisions/2", "decisions/3")
    task = WebhookTask(ticking, SETTINGS, source="assay://bank.example")
    assert task.due() == [TASK]
    task.run(TASK)
    assert subjects(receiver) == ["decisions/1", "decisions/2", "decisions/3"]
    for request in receiver.received:
        event = Webhook(secret.get_secret_value()).verify(request.body, request.headers)
        assert event["id"] == request.headers["webhook-id"]
        assert event["source"] == "assay://bank.example"
        assert request.headers["content-type"] == "application/cloudevents+json"
    assert task.due() == []
    assert [each["state"] for each in log_of(ticking, webhook_id)] == ["delivered"] * 3


def test_a_changed_body_or_another_secret_does_not_verify(ticking: Database, receiver: Receiver) -> None:
    _, secret = hook(ticking, receiver.url)
    _, other = hook(ticking, receiver.url, "assay.policy.published")
    tell(ticking, "decisions/1")
    deliver(ticking)
    request = receiver.received[0]
    with pytest.raises(WebhookVerificationError):
        Webhook(secret.get_secret_value()).verify(request.body + b" ", request.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(other.get_secret_value()).verify(request.body, request.headers)


def test_a_webhook_is_told_of_the_types_it_named_and_of_nothing_before_it(
    ticking: Database, receiver: Receiver
) -> None:
    tell(ticking, "decisions/before")
    hook(ticking, receiver.url, "assay.decision.revoked")
    tell(ticking, "decisions/taken")
    tell(ticking, "decisions/revoked", type_="assay.decision.revoked")
    deliver(ticking)
    assert subjects(receiver) == ["decisions/revoked"]


def test_while_a_receiver_is_away_its_events_wait_in_order_and_others_get_theirs(
    ticking: Database, receiver: Receiver, clock: Clock
) -> None:
    receiver.answer = 500
    webhook_id, _ = hook(ticking, receiver.url)
    with receiving() as well:
        hook(ticking, well.url)
        tell(ticking, "decisions/1", "decisions/2")
        deliver(ticking)
        assert subjects(well) == ["decisions/1", "decisions/2"]
    assert subjects(receiver) == ["decisions/1"], "the second does not overtake the first"
    deliver(ticking)
    assert len(receiver.received) == 1, "nor is the first tried again at once"
    receiver.answer = 204
    clock.now += timedelta(seconds=6)
    deliver(ticking)
    assert subjects(receiver) == ["decisions/1", "decisions/1", "decisions/2"]
    first, again = receiver.received[0], receiver.received[1]
    assert first.headers["webhook-id"] == again.headers["webhook-id"]
    newest, oldest = log_of(ticking, webhook_id)
    assert (oldest["attempts"], oldest["status"], oldest["state"]) == (2, 204, "delivered")
    assert newest["attempts"] == 1


def test_an_event_that_nobody_took_for_days_is_given_up_and_the_next_goes_out(
    ticking: Database, receiver: Receiver, clock: Clock
) -> None:
    receiver.answer = 503
    webhook_id, _ = hook(ticking, receiver.url)
    tell(ticking, "decisions/1")
    clock.now += timedelta(days=3)
    tell(ticking, "decisions/2")

    def second_only(request: Received) -> tuple[int, bytes]:
        return (200 if b"decisions/2" in request.body else 503), b""

    receiver.answer = second_only
    deliver(ticking)
    newest, oldest = log_of(ticking, webhook_id)
    assert (oldest["state"], oldest["status"]) == ("dead", 503)
    assert newest["state"] == "delivered"


def test_gone_is_taken_at_its_word(ticking: Database, receiver: Receiver) -> None:
    receiver.answer = 410
    webhook_id, _ = hook(ticking, receiver.url)
    tell(ticking, "decisions/1")
    deliver(ticking)
    assert log_of(ticking, webhook_id)[0]["state"] == "dead"


def test_a_redirect_counts_as_not_taken(ticking: Database, receiver: Receiver) -> None:
    with receiving() as inner:
        receiver.answer, receiver.headers = 307, {"Location": inner.url}
        webhook_id, _ = hook(ticking, receiver.url)
        tell(ticking, "decisions/1")
        deliver(ticking)
        assert inner.received == []
    assert (log_of(ticking, webhook_id)[0]["state"], log_of(ticking, webhook_id)[0]["status"]) == ("queued", 307)


def test_an_address_that_is_not_allowed_any_more_gets_nothing(ticking: Database, receiver: Receiver) -> None:
    webhook_id, _ = hook(ticking, receiver.url)
    tell(ticking, "decisions/1")
    deliver(ticking, WebhookSettings())
    assert receiver.received == []
    assert log_of(ticking, webhook_id)[0]["fault"] == "the address is not one that the service connects to"


def test_a_worker_that_died_in_the_middle_loses_its_delivery_to_the_next(
    ticking: Database, receiver: Receiver, clock: Clock
) -> None:
    webhook_id, _ = hook(ticking, receiver.url)
    tell(ticking, "decisions/1")
    dying = WebhookTask(ticking, SETTINGS, source="assay://bank.example")
    assert dying._take(webhook_id) is not None
    deliver(ticking)
    assert receiver.received == [], "the lease still runs"
    clock.now += timedelta(minutes=2)
    deliver(ticking)
    assert subjects(receiver) == ["decisions/1"]


def test_a_deleted_webhook_is_told_nothing_more_and_its_secret_is_gone(ticking: Database, receiver: Receiver) -> None:
    webhook_id, secret = hook(ticking, receiver.url)
    tell(ticking, "decisions/1")
    with ticking.unit() as unit:
        end(unit, webhook_id, ADMIN)
    deliver(ticking)
    assert receiver.received == []
    assert log_of(ticking, webhook_id)[0]["fault"] == "the webhook was deleted"
    with ticking.read_unit() as unit:
        assert webhooks(unit, ADMIN) == []
        with pytest.raises(NotFound):
            target(unit, webhook_id, ADMIN)
        held = unit.session.connection().exec_driver_sql("SELECT * FROM webhook").fetchall()
    assert secret.get_secret_value() not in str(held)


def test_every_change_is_recorded_with_who_made_it(ticking: Database) -> None:
    webhook_id, _ = hook(ticking, "https://hooks.bank.example/T0P-SECRET-PATH")
    with ticking.unit() as unit:
        end(unit, webhook_id, ADMIN)
    with ticking.read_unit() as unit:
        leaves = [json.loads(body) for _, body in leaves_of_kind(unit, "webhook", start=0, count=10)]
    assert [(leaf["kind"], leaf["by"]) for leaf in leaves] == [
        ("assay.webhook.created/v1", "p-admin"), ("assay.webhook.deleted/v1", "p-admin"),
    ]  # fmt: skip
    assert "T0P-SECRET-PATH" not in str(leaves)


@pytest.mark.parametrize("role", [role for role in Role if role is not Role.ADMIN])
def test_only_administrators_make_webhooks(ticking: Database, role: Role) -> None:
    with ticking.unit() as unit, pytest.raises(NotPermitted):
        create(unit, Subscription(url="https://hooks.example/"), GUARD, Principal(id="p", name="p", roles=(role,)))


def test_an_inner_address_is_refused_when_the_webhook_is_made(ticking: Database) -> None:
    with ticking.unit() as unit, pytest.raises(EgressRefused):
        create(unit, Subscription(url="https://169.254.169.254/"), GUARD, ADMIN)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_c2hvcnQ=", "plain", "whsec_" + "QUFB" * 30])
def test_a_secret_that_is_weak_or_none_is_refused(ticking: Database, secret: str) -> None:
    wanted = Subscription(url="https://hooks.example/", secret=SecretStr(secret))
    with ticking.unit() as unit, pytest.raises(InputRefused):
        create(unit, wanted, GUARD, ADMIN)


def test_there_is_a_bound_to_webhooks(ticking: Database) -> None:
    wanted = Subscription(url="https://hooks.example/")
    with ticking.unit() as unit:
        for _ in range(MOST):
            create(unit, wanted, GUARD, ADMIN)
        with pytest.raises(Conflict):
            create(unit, wanted, GUARD, ADMIN)


def test_waits_double_up_to_an_hour() -> None:
    assert [wait_seconds(number) for number in (1, 2, 3, 30, 10_000)] == [5, 10, 20, 3600, 3600]


def test_the_test_button_tells_the_status_and_nothing_of_the_answer(ticking: Database, receiver: Receiver) -> None:
    webhook_id, secret = hook(ticking, receiver.url)
    receiver.answer = 418
    with ticking.read_unit() as unit:
        aim = target(unit, webhook_id, ADMIN)
    outcome = try_out(aim, SETTINGS, source="assay://bank.example", now=datetime.now(UTC))
    assert (outcome.delivered, outcome.status) == (False, 418)
    assert "inner words" not in str(outcome)
    event = Webhook(secret.get_secret_value()).verify(receiver.received[0].body, receiver.received[0].headers)
    assert event["type"] == "assay.webhook.test"
    assert log_of(ticking, webhook_id) == [], "it is no event, and is not kept"
    assert secret.get_secret_value() not in repr(aim)


def test_a_setting_that_allows_nonsense_is_refused_at_the_start(ticking: Database) -> None:
    with pytest.raises(EgressRefused):
        WebhookTask(ticking, WebhookSettings(allowed_hosts=("10.0.0.1/8",)), source="assay://bank.example")
