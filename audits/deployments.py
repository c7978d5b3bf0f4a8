"""Deployments bound to decisions: none is recorded unless its decision is valid then, or broken glass lets it.

The row, the event for lineage, the leaf in the log and the notice are of one transaction.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa

from audits import store
from audits.break_glass import active_grant
from audits.context import GateContext
from audits.deployment_events import END, deployment_event
from audits.life_tables import DeploymentEndRow, DeploymentRow
from audits.lives import lives, visible
from audits.validity import Validity, validity
from governance.access.principal import Principal
from governance.access.roles import Permission
from governance.canonical import canonical, digest, read_json
from governance.clock import rfc3339, uuid7
from governance.database import ReadUnit, Unit
from governance.errors import Conflict, InputRefused, NotFound
from governance.log.journal import Leaf, append
from governance.notices.outbox import announce
from governance.types.deployment import DeploymentEnd, DeploymentRequest
from lineage.identity import name_fault
from lineage.outbox import store_own_events

LEAF_KIND = "deployment"

REMEDIES = {
    Validity.EXPIRED: "Ask the gate again: POST /v1/gate/evaluations.",
    Validity.REVOKED: "Somebody took the decision back: see GET /v1/revocations.",
    Validity.SUPERSEDED: "The gate has said no since: mend what its newest decision names and ask again.",
    Validity.WRONG_SUBJECT: "Deploy the bytes that were judged, or ask the gate about these.",
    Validity.WRONG_ENVIRONMENT: "Ask the gate about this environment.",
    Validity.NOT_ALLOWED: "Mend what the decision's reasons name and ask the gate again.",
}


@dataclass(frozen=True, slots=True)
class Deployed:
    """A deployment on record; ``is_replayed`` where it answers an earlier request with the same key."""

    document: dict[str, Any]
    is_replayed: bool


def deploy(unit: Unit, context: GateContext, asked: DeploymentRequest, principal: Principal, *, key: str) -> Deployed:
    """Record that a model goes live now.

    Raises:
        NotPermitted: the principal may not deploy. NotFound: no decision has this id.
        InputRefused: the key was used for another body, or lineage takes no such name.
        Conflict: the decision is not valid now, or the same key is in flight.
    """
    principal.require(Permission.DEPLOY)
    body_digest = asked.value_digest()
    earlier = _of_key(unit, principal, key)
    if earlier is not None:
        return _replayed(unit, earlier, body_digest)
    _require_names(asked)
    _, decision = visible(unit, asked.decision_id, principal)
    grant = _require_valid(unit, asked)
    identifier = str(uuid7(unit.now))
    replaced = _open_at(unit, _place(asked)) if asked.replaces else []
    events = [_event(unit, context, row, "replaced") for row in replaced]
    events.append(deployment_event(context.speaker, identifier, asked, decision, event_type="START", at=unit.now))
    # Rows of lineage come before the log with every writer, so that no two wait for one another.
    told = store_own_events(unit, events, context.settings.lineage)
    announce(unit, "assay.deployment.started", subject=f"deployments/{identifier}", data=_told(asked, grant))
    leaves = [_end_leaf(row.id, "replaced", principal) for row in replaced]
    places = append(unit, [*told, *leaves, _leaf(identifier, asked, grant, principal)])
    # Whoever appends to the log is alone: what was committed while this waited its turn is seen now.
    if _require_valid(unit, asked) != grant or _of_key(unit, principal, key) is not None:
        raise _in_flight()
    for number, row in enumerate(replaced, start=len(told)):
        _add_end(unit, row, "replaced", principal, log_index=places[number])
    row = DeploymentRow(
        id=identifier,
        decision_id=asked.decision_id,
        grant_id=grant,
        subject_digest=asked.digest,
        environment=asked.environment,
        place=_place(asked),
        body=canonical(asked.document()),
        principal=principal.id,
        deployer=principal.name,
        idempotency_key=key,
        body_digest=body_digest,
        deployed_at=unit.now,
        log_index=places[-1],
    )
    unit.session.add(row)
    unit.session.flush()
    return Deployed(_document(row, None), is_replayed=False)


def end(
    unit: Unit, context: GateContext, deployment_id: str, told: DeploymentEnd, principal: Principal
) -> dict[str, Any]:
    """Record that a deployment ended now; told again it answers the first end.

    Raises:
        NotPermitted: the principal may not deploy. NotFound: no such deployment.
        Conflict: it ended otherwise.
    """
    principal.require(Permission.DEPLOY)
    row = _row(unit, deployment_id, principal)
    event = _event(unit, context, row, told.how)
    ended = unit.session.get(DeploymentEndRow, row.id)
    if ended is None:
        leaves = store_own_events(unit, [event], context.settings.lineage)
        places = append(unit, [*leaves, _end_leaf(row.id, told.how, principal)])
        ended = unit.session.get(DeploymentEndRow, row.id)  # a neighbour may have been first while this waited
        if ended is not None:
            raise _in_flight()
        ended = _add_end(unit, row, told.how, principal, log_index=places[-1])
    if ended.how != told.how:
        raise Conflict(
            expected=f"the end that is on record: {ended.how}",
            found=told.how,
            remedy="A deployment ends once; record the next one.",
        )
    return _document(row, ended)


def recorded(unit: ReadUnit | Unit, deployment_id: str, principal: Principal) -> dict[str, Any]:
    """A deployment on record.

    Raises:
        NotFound: there is none, or it is not the principal's to see.
    """
    row = _row(unit, deployment_id, principal)
    return _document(row, unit.session.get(DeploymentEndRow, row.id))


def _of_key(unit: Unit, principal: Principal, key: str) -> DeploymentRow | None:
    return unit.session.scalars(
        sa.select(DeploymentRow).where(DeploymentRow.principal == principal.id, DeploymentRow.idempotency_key == key)
    ).one_or_none()


def _replayed(unit: Unit, earlier: DeploymentRow, body_digest: str) -> Deployed:
    if earlier.body_digest != body_digest:
        raise InputRefused(
            expected="the body that this Idempotency-Key was first sent with",
            found="another body",
            remedy="Use a new key for a new request.",
        )
    return Deployed(_document(earlier, unit.session.get(DeploymentEndRow, earlier.id)), is_replayed=True)


def _require_names(asked: DeploymentRequest) -> None:
    for member in ("platform_namespace", "endpoint", "environment", "revision"):
        fault = name_fault(getattr(asked, member))
        if fault is not None:
            raise InputRefused(
                expected="a name that lineage takes", found=fault, remedy="Correct it.", pointer=f"/{member}"
            )


def _require_valid(unit: Unit, asked: DeploymentRequest) -> str | None:
    """The id of the grant of break-glass that lets this go live now; None where the decision itself does.

    Raises:
        Conflict: neither does. A grant stands in for a decision that did not allow, about these bytes and for this
            environment, and for nothing else.
    """
    life = lives(unit, [asked.decision_id])[asked.decision_id]
    status = validity(life, digest=asked.digest, environment=asked.environment, at=unit.now)
    if status is Validity.VALID:
        return None
    grant = active_grant(unit, asked.decision_id, unit.now) if status is Validity.NOT_ALLOWED else None
    if grant is not None:
        return grant.id
    raise Conflict(
        expected="a decision that is valid now for these bytes in this environment",
        found=f"one that is {status.value.replace('_', ' ')}",
        remedy=REMEDIES[status],
        pointer="/decision_id",
    )


def _in_flight() -> Conflict:
    return Conflict(
        expected="one request about this at a time", found="another one", remedy="Send it again in a moment."
    )


def _row(unit: ReadUnit | Unit, deployment_id: str, principal: Principal) -> DeploymentRow:
    row = unit.session.get(DeploymentRow, deployment_id) if "\x00" not in deployment_id else None
    if row is None:
        raise NotFound(expected="the id of a deployment", found=repr(deployment_id[:80]), remedy="Check the id.")
    visible(unit, row.decision_id, principal)
    return row


def _place(asked: DeploymentRequest) -> str:
    return digest([asked.environment, asked.platform_namespace, asked.endpoint])


def _open_at(unit: Unit, place: str) -> list[DeploymentRow]:
    ended = sa.select(DeploymentEndRow.deployment_id).where(DeploymentEndRow.deployment_id == DeploymentRow.id)
    query = sa.select(DeploymentRow).where(DeploymentRow.place == place, ~ended.exists())
    return [row for row in unit.session.scalars(query.order_by(DeploymentRow.id)) if _asked(row).kind != "shadow"]


def _asked(row: DeploymentRow) -> DeploymentRequest:
    return DeploymentRequest.model_validate(read_json(row.body))


def _event(unit: Unit, context: GateContext, row: DeploymentRow, how: str) -> bytes:
    decision = store.decision(unit, store.decision_row(unit, row.decision_id))
    return deployment_event(context.speaker, row.id, _asked(row), decision, event_type=END[how], at=unit.now)


def _add_end(unit: Unit, row: DeploymentRow, how: str, principal: Principal, *, log_index: int) -> DeploymentEndRow:
    ended = DeploymentEndRow(
        deployment_id=row.id,
        how=how,
        ended_at=unit.now,
        ended_by=principal.id,
        ender=principal.name,
        log_index=log_index,
    )
    unit.session.add(ended)
    unit.session.flush()
    return ended


def _leaf(identifier: str, asked: DeploymentRequest, grant: str | None, principal: Principal) -> Leaf:
    told = {
        "kind": "deployment/v1",
        "deployment": identifier,
        "decision": asked.decision_id,
        "digest": asked.digest,
        "request": asked.value_digest(),
        "grant": grant,
        "by": principal.id,
    }
    return Leaf(kind=LEAF_KIND, body=canonical(told))


def _end_leaf(identifier: str, how: str, principal: Principal) -> Leaf:
    told = {"kind": "deployment.end/v1", "deployment": identifier, "how": how, "by": principal.id}
    return Leaf(kind=LEAF_KIND, body=canonical(told))


def _told(asked: DeploymentRequest, grant: str | None) -> dict[str, Any]:
    return {"decision_id": asked.decision_id, "digest": asked.digest, "environment": asked.environment, "grant": grant}


def deployment_leaves(unit: ReadUnit | Unit) -> Iterator[tuple[int, bytes | None]]:
    """Index and body of the leaf that each deployment and each end ought to have, for whoever checks the log."""
    for row in unit.session.scalars(sa.select(DeploymentRow).order_by(DeploymentRow.log_index)):
        principal = Principal(row.principal, row.deployer, ())
        yield row.log_index, _leaf(row.id, _asked(row), row.grant_id, principal).body
    for ended in unit.session.scalars(sa.select(DeploymentEndRow).order_by(DeploymentEndRow.log_index)):
        principal = Principal(ended.ended_by, ended.ender, ())
        yield ended.log_index, _end_leaf(ended.deployment_id, ended.how, principal).body


def _document(row: DeploymentRow, ended: DeploymentEndRow | None) -> dict[str, Any]:
    return {
        "deployment_id": row.id,
        **_asked(row).document(),
        "grant_id": row.grant_id,
        "deployed_at": rfc3339(row.deployed_at),
        "deployed_by": row.principal,
        "ended": None if ended is None else {"how": ended.how, "at": rfc3339(ended.ended_at), "by": ended.ended_by},
        "log": {"index": row.log_index},
        "links": {"self": f"/v1/deployments/{row.id}", "decision": f"/v1/decisions/{row.decision_id}"},
    }
