"""Webhooks: who is told of events, and how their deliveries went."""

from typing import Annotated, Any

from fastapi import APIRouter, Path, Query

from api import examples
from api.body import read_body
from api.dependencies import PrincipalOf, ReadingUnit, StateOf, WriteUnit, permit
from governance.canonical import read_json
from governance.egress import Guard
from governance.notices import webhooks
from governance.notices.delivery import try_out
from governance.notices.webhooks import Subscription
from governance.types.value import parse_value

router = APIRouter(prefix="/v1/webhooks", tags=["webhooks"])

WebhookId = Annotated[str, Path(pattern=r"^[0-9a-f-]{36}$")]


@router.post(
    "",
    summary="Tell an address of events",
    status_code=201,
    dependencies=[permit("administer")],
    openapi_extra=examples.body(Subscription, examples.WEBHOOK),
)
def create(
    unit: WriteUnit,
    state: StateOf,
    principal: PrincipalOf,
    body: Annotated[bytes, read_body(lambda settings: settings.limits.document_bytes)],
) -> dict[str, Any]:
    """Send events of these types (all where none is named) as CloudEvents, signed with the secret in the answer.

    The secret is shown this once. The address is public and https, unless the operator allows others.
    """
    wanted = parse_value(Subscription, read_json(body), what="a webhook")
    guard = Guard(state.settings.webhooks.allowed_hosts)
    shown, secret = webhooks.create(unit, wanted, guard, principal)
    return {**shown, "secret": secret.get_secret_value()}


@router.get("", summary="Webhooks", dependencies=[permit("administer")])
def list_webhooks(unit: ReadingUnit, principal: PrincipalOf) -> dict[str, Any]:
    """Every address that is told of events, oldest first. Secrets are not shown."""
    return {"webhooks": webhooks.webhooks(unit, principal)}


@router.delete("/{webhook_id}", summary="Tell an address nothing more", dependencies=[permit("administer")])
def delete(unit: WriteUnit, principal: PrincipalOf, webhook_id: WebhookId) -> dict[str, Any]:
    """End a webhook. What waits for it is not sent; its deliveries stay to be read."""
    webhooks.end(unit, webhook_id, principal)
    return {"id": webhook_id, "deleted": True}


@router.post("/{webhook_id}/test", summary="Try a webhook", dependencies=[permit("administer")])
def test(state: StateOf, principal: PrincipalOf, webhook_id: WebhookId) -> dict[str, Any]:
    """Send an event of type `assay.webhook.test` now, once. Of what the address answers only its status is shown."""
    with state.database.read_unit() as unit:
        target, now = webhooks.target(unit, webhook_id, principal), unit.now
    # No transaction is open while the address takes its time.
    outcome = try_out(target, state.settings.webhooks, source=state.settings.lineage_namespace, now=now)
    return {"delivered": outcome.delivered, "status": outcome.status, "fault": outcome.fault}


@router.get("/{webhook_id}/deliveries", summary="How deliveries went", dependencies=[permit("administer")])
def list_deliveries(
    unit: ReadingUnit,
    principal: PrincipalOf,
    webhook_id: WebhookId,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> dict[str, Any]:
    """The newest deliveries with their state and the last try of each: status, or why there was none."""
    return {"deliveries": webhooks.deliveries(unit, webhook_id, principal, limit=limit)}
