"""What operators do to lineage: tags set by hand, descriptions, soft deletes. A log of its own beside the events.

An act is stored, logged and applied in one transaction; a rebuild applies the acts again after the events. Evidence is
never removed by one: a soft delete hides a name until an event that is recorded later names it again.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal, assert_never

import sqlalchemy as sa

from governance.canonical import canonical, sha256
from governance.database import Unit
from governance.errors import InputRefused, NotFound, OutsideScopes
from governance.log.journal import Leaf, append
from lineage.identity import NodeKind, label_identity, name_fault, namespace_identity, node_identity, stamp
from lineage.merging import Rules, upsert
from lineage.redaction import redact
from lineage.rules import DESCRIBED_NAMESPACES, SOURCES, TAGS
from lineage.search_index import index_nodes
from lineage.tables import ActionRow, NamespaceRow, NodeRow

LEAF_KIND = "lineage.action"
ActionKind = Literal[
    "tag.add", "tag.remove", "node.delete", "namespace.describe", "namespace.delete", "source.describe", "tag.describe"
]
_NO_DIGEST = bytes(32)  # an act has no event; at equal times what an event says holds


@dataclass(frozen=True, slots=True)
class Target:
    """The dataset or job that an act is about."""

    kind: NodeKind
    namespace: str
    name: str


def tag(unit: Unit, target: Target, name: str, actor: str, *, field: str = "", is_set: bool = True) -> None:
    """Set a tag by hand on a node or one of its fields, or take it away whoever set it.

    Raises:
        NotFound: no event named the node. InputRefused: the tag or field cannot be a name.
    """
    _require_node(unit, target)
    for part, pointer in ((name, "tag"), (field or "-", "field")):
        _require_name(part, pointer)
    content = {"kind": target.kind, "namespace": target.namespace, "name": target.name, "field": field, "tag": name}
    identity = node_identity(target.kind, target.namespace, target.name)
    _act(unit, "tag.add" if is_set else "tag.remove", identity, content, actor)


def delete_node(unit: Unit, target: Target, actor: str) -> None:
    """Hide the node from lists, search and graphs until an event that is recorded later names it.

    Raises:
        NotFound: no event named the node.
    """
    _require_node(unit, target)
    content = {"kind": target.kind, "namespace": target.namespace, "name": target.name}
    _act(unit, "node.delete", node_identity(target.kind, target.namespace, target.name), content, actor)


def describe_namespace(unit: Unit, name: str, owner: str, description: str | None, actor: str) -> None:
    """Say who owns a namespace and what it is; a namespace that no event named exists from now on.

    Raises:
        InputRefused: it cannot be a name. OutsideScopes: the unit does not see all that it may ever hold.
    """
    _require_name(name, "namespace")
    _require_whole(unit, name)
    name = _redacted(name)
    content = {"name": name, "owner": owner, "description": description}
    _act(unit, "namespace.describe", namespace_identity(name), content, actor)


def delete_namespace(unit: Unit, name: str, actor: str) -> None:
    """Hide the namespace and everything in it until an event that is recorded later names it.

    Raises:
        OutsideScopes: the unit does not see all that it may ever hold. NotFound: there is no such namespace.
    """
    _require_whole(unit, name)
    identity = namespace_identity(name)
    found = unit.session.scalar(sa.select(NamespaceRow.id).where(NamespaceRow.identity == identity))
    if found is None:
        raise NotFound(expected="the name of a namespace", found=name[:120], remedy="See /api/v1/namespaces.")
    _act(unit, "namespace.delete", identity, {"name": name}, actor)


def describe_source(unit: Unit, name: str, told: Mapping[str, str | None], actor: str) -> None:
    """Say what a source of data is: ``type``, ``uri`` and ``description``.

    Raises:
        InputRefused: it cannot be a name.
    """
    _require_name(name, "source")
    name = _redacted(name)
    _act(unit, "source.describe", label_identity("source", name), {"name": name, **told}, actor)


def describe_tag(unit: Unit, name: str, description: str | None, actor: str) -> None:
    """Say what a tag means; one that nothing carries yet exists from now on.

    Raises:
        InputRefused: it cannot be a name.
    """
    _require_name(name, "tag")
    _act(unit, "tag.describe", label_identity("tag", name), {"name": name, "description": description}, actor)


def apply_actions(unit: Unit) -> None:
    """Apply every stored act to the derived tables, in the order they were done."""
    for row in unit.session.scalars(sa.select(ActionRow).order_by(ActionRow.id)).all():
        _apply(unit, row)


def _act(unit: Unit, kind: ActionKind, identity: bytes, content: Mapping[str, Any], actor: str) -> None:
    content, _ = redact(dict(content))
    spelled = canonical({"kind": kind, "actor": actor, "done_at": unit.now.isoformat(), "content": content})
    row = ActionRow(
        kind=kind,
        identity=identity,
        content=json.dumps(content, separators=(",", ":")).encode("ascii"),
        actor=actor,
        done_at=unit.now,
    )
    unit.session.add(row)
    unit.session.flush()
    _apply(unit, row)
    if kind in ("tag.add", "tag.remove"):
        index_nodes(unit, unit.session.scalars(sa.select(NodeRow.id).where(NodeRow.identity == identity)).all())
    append(unit, [Leaf(LEAF_KIND, canonical({"kind": "lineage.action/v1", "digest": sha256(spelled)}))])


def _apply(unit: Unit, row: ActionRow) -> None:
    kind: ActionKind = row.kind  # type: ignore[assignment]  # only this module writes the column
    content = json.loads(row.content)
    match kind:
        case "tag.add" | "tag.describe":
            _merge(unit, TAGS, _tag_row(row, content))
        case "tag.remove":
            return
        case "node.delete":
            _hide(unit, NodeRow, NodeRow.identity == row.identity, row)
        case "namespace.delete":
            _hide(unit, NamespaceRow, NamespaceRow.identity == row.identity, row)
            inside = sa.select(NamespaceRow.id).where(NamespaceRow.identity == row.identity)
            _hide(unit, NodeRow, NodeRow.namespace_id.in_(inside), row)
        case "namespace.describe":
            _merge(unit, DESCRIBED_NAMESPACES, _namespace_row(row, content))
        case "source.describe":
            _merge(unit, SOURCES, _source_row(row, content))
        case _ as never:
            assert_never(never)


def _hide(unit: Unit, table: type[NodeRow] | type[NamespaceRow], chosen: Any, row: ActionRow) -> None:
    later = sa.or_(table.deleted_at.is_(None), table.deleted_at < row.done_at)
    unit.session.execute(
        sa.update(table).where(chosen, later).values(deleted_at=row.done_at),
        execution_options={"synchronize_session": False},
    )


def _merge(unit: Unit, rules: Rules, row: dict[str, Any]) -> None:
    unit.session.connection().execute(upsert(rules, unit.dialect), [row])


def _tag_row(row: ActionRow, content: Mapping[str, Any]) -> dict[str, Any]:
    is_described = row.kind == "tag.describe"
    name = content["name"] if is_described else content["tag"]
    return {
        "identity": label_identity("tag", name),
        "name": name,
        "description": content.get("description"),
        "stamp": stamp(row.done_at, _NO_DIGEST) if is_described else None,
    }


def _namespace_row(row: ActionRow, content: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "identity": row.identity,
        "name": content["name"],
        "first_seen": row.done_at,
        "last_seen": row.done_at,
        "last_recorded": row.done_at,
        "owner": content["owner"],
        "description": content["description"],
        "described_stamp": stamp(row.done_at, _NO_DIGEST),
    }


def _source_row(row: ActionRow, content: Mapping[str, Any]) -> dict[str, Any]:
    told = stamp(row.done_at, _NO_DIGEST)
    return {
        "identity": row.identity,
        "name": content["name"],
        "type": content["type"],
        "uri": content["uri"],
        "uri_stamp": told,
        "description": content["description"],
        "description_stamp": told,
        "first_seen": row.done_at,
        "last_seen": row.done_at,
    }


def _redacted(name: str) -> str:
    """The name without a secret in it, as events have it."""
    document, _ = redact({"name": name})
    return str(document["name"])


def _require_node(unit: Unit, target: Target) -> None:
    identity = node_identity(target.kind, target.namespace, target.name)
    is_seen = unit.sight.sees(target.namespace, target.name)
    if not is_seen or unit.session.scalar(sa.select(NodeRow.id).where(NodeRow.identity == identity)) is None:
        raise NotFound(
            expected=f"a {target.kind} that an event named",
            found=f"{target.namespace} {target.name}"[:240],
            remedy="Check the namespace and the name; both are compared as they were sent.",
        )


def _require_whole(unit: Unit, namespace: str) -> None:
    """Return when one scope of the unit holds everything in the namespace, whether or not it exists."""
    if not unit.sight.sees_all_of(namespace):
        raise OutsideScopes(
            expected="a namespace of which one scope of the key holds everything",
            found="another",
            remedy="Use a key with a scope such as namespace/*.",
            pointer="namespace",
        )


def _require_name(name: str, pointer: str) -> None:
    fault = name_fault(name)
    if fault is not None:
        raise InputRefused(
            expected="a name of at most 2,048 characters", found=fault, remedy="Correct it.", pointer=pointer
        )
