"""Facets taken out of stored events, and the record of it: what, when, why, by whom and by which rule.

The row of the event, its digest and its leaf in the log stay; its bytes are replaced by their residue
(``lineage.residue``). The record is append-only and has a leaf of its own, which covers the digests of every event and
of what was left of it, so that what was taken and what was not can be proved later.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from governance.canonical import canonical, sha256
from governance.clock import rfc3339
from governance.database import Unit
from governance.errors import InputRefused, NotFound, OutsideScopes
from governance.log.journal import Leaf, append
from lineage.aliases import Aliases
from lineage.event_sight import event_is_seen, run_is_seen
from lineage.events import Event, read_stored
from lineage.fact_tables import DATASET_FACETS, JOB_FACETS, FacetRow
from lineage.forgetting import Pruned, forget, renew_findings
from lineage.identity import NodeKind, run_identity
from lineage.reading import Reader, among, find_node, nodes_by_id
from lineage.record_tables import PrunedEventRow, PruningRow
from lineage.residue import STRUCTURE, Choice, Part, residue, spelled_residue
from lineage.store import chunks
from lineage.tables import EventRow, PayloadRow

LEAF_KIND = "lineage.pruning"

_LOCK = 0x7072756E
"""Advisory lock of whoever prunes on PostgreSQL, so that residues are made one after the other; any free number."""

_CHUNK = 200  # events whose bytes are held in memory at a time


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about: one event by its digest, one run, or one job or dataset by its names.

    ``facets`` are the keys to take; empty means everything of the target that no graph is derived from. ``aliases``
    are the other names that a dataset has when it is pruned: by symlink, or from before it was renamed.
    """

    event: str | None = None
    run: str | None = None
    node: tuple[NodeKind, str, str] | None = None
    facets: frozenset[str] = frozenset()
    aliases: tuple[tuple[str, str], ...] = ()

    def document(self) -> dict[str, Any]:
        """The target as it is recorded."""
        told: dict[str, Any] = {"event": self.event, "run": self.run, "facets": sorted(self.facets) or None}
        if self.node is not None:
            told |= dict(zip(("kind", "namespace", "name"), self.node, strict=True))
        if self.aliases:
            told["aliases"] = [{"namespace": namespace, "name": name} for namespace, name in self.aliases]
        return {name: value for name, value in told.items() if value is not None}

    def chooses(self, part: Part) -> bool:
        """Whether the request asks for this part."""
        if self.facets and not (part.is_facet and part.key in self.facets):
            return False
        if self.node is not None:
            kind, *names = self.node
            return part.entity == kind and tuple(part.names) in {tuple(names), *self.aliases}
        return self.event is not None or part.entity == "run"


@dataclass(frozen=True, slots=True)
class Order:
    """Why and by whom something is pruned: ``rule`` is ``request`` or ``age``."""

    rule: str
    reason: str
    actor: str


@dataclass(frozen=True, slots=True)
class Pruning:
    """A pruning on record."""

    id: int
    rule: str
    reason: str
    actor: str
    target: dict[str, Any]
    pruned_at: datetime
    event_count: int

    def document(self) -> dict[str, Any]:
        """The pruning as answers show it."""
        return {
            "id": self.id,
            "rule": self.rule,
            "reason": self.reason,
            "by": self.actor,
            "target": self.target,
            "pruned_at": rfc3339(self.pruned_at),
            "event_count": self.event_count,
        }


@dataclass(frozen=True, slots=True)
class Residue:
    """An event that a pruning changed, by its digest, and the digest of what was left of its bytes."""

    digest: str
    residue_digest: str


def prune(unit: Unit, target: Target, order: Order) -> Pruning:
    """Take what the target names out of the stored events, and out of everything derived from them.

    A request that finds nothing left to take is recorded all the same: it is what somebody asked for.

    Raises:
        InputRefused: no reason is given, or the target is no single thing, or a facet is one that the graph rests on.
        NotFound: no event, run, job or dataset is stored under this name, or the unit does not see it.
        OutsideScopes: the dataset has another name that the unit does not see.
    """
    _require_order(order)
    structural = sorted(target.facets & STRUCTURE)
    if structural:
        raise InputRefused(
            expected="keys of facets that no node, edge, version or run is derived from",
            found=", ".join(structural),
            remedy="Leave them out; docs/retention.md lists the facets that stay.",
            pointer="/facets",
        )
    found = _with_aliases(unit, target)
    _require_seen(unit, found)
    return record(unit, order, found.document(), _events_of(unit, found), lambda _event: found.chooses)


def record(
    unit: Unit,
    order: Order,
    target: dict[str, Any],
    events: Iterable[int],
    choice: Callable[[Event], Choice],
) -> Pruning:
    """Prune the events (row ids) as the choice for each says, one after the other with any other pruning."""
    lock(unit)
    row = PruningRow(
        rule=order.rule,
        reason=order.reason,
        actor=order.actor,
        target=json.dumps(target, separators=(",", ":")).encode("ascii"),
        pruned_at=unit.now,
    )
    unit.session.add(row)
    unit.session.flush()
    digests: list[tuple[bytes, bytes]] = []
    for chunk in chunks(events, _CHUNK):
        changed = _residues(unit, chunk, choice)
        _write(unit, row.id, changed)
        digests += [(item.before.digest_bytes, hashlib.sha256(item.after.body).digest()) for _, item in changed]
    append(unit, [leaf(row, digests)])
    return _pruning(row, len(digests))


def lock(unit: Unit) -> None:
    """Become the one that prunes until the unit ends; waits for whoever is."""
    if unit.dialect == "postgresql":
        unit.session.execute(sa.select(sa.func.pg_advisory_xact_lock(_LOCK)))


def leaf(row: PruningRow, digests: Iterable[tuple[bytes, bytes]]) -> Leaf:
    """The record's leaf in the log, over all its columns and the digests of each event and its residue."""
    events = hashlib.sha256(b"".join(event + left for event, left in sorted(digests))).hexdigest()
    content = {
        "kind": "lineage.pruning/v1",
        "id": row.id,
        "rule": row.rule,
        "reason": row.reason,
        "actor": row.actor,
        "target": json.loads(row.target),
        "pruned_at": rfc3339(row.pruned_at),
        "events": f"sha256:{events}",
    }
    return Leaf(LEAF_KIND, canonical({"kind": "lineage.pruning/v1", "digest": sha256(canonical(content))}))


def prunings(unit: Reader, *, before: int | None = None, limit: int = 100) -> list[Pruning]:
    """The prunings on record whose target is seen, newest first; those with a smaller id than ``before``, where given.

    Those of a whole age are shown to whoever sees everything.
    """
    found: list[Pruning] = []
    while len(found) < limit:
        batch = _stored(unit, before, limit)
        found += [_shown(unit, item) for item in batch if unit.sight.is_whole or _is_seen(unit, item.target)]
        if unit.sight.is_whole or len(batch) < limit:
            break
        before = batch[-1].id
    return found[:limit]


def _stored(unit: Reader, before: int | None, limit: int) -> list[Pruning]:
    count = sa.select(sa.func.count()).where(PrunedEventRow.pruning_id == PruningRow.id).scalar_subquery()
    query = sa.select(PruningRow, count).order_by(PruningRow.id.desc()).limit(limit)
    if before is not None:
        query = query.where(PruningRow.id < before)
    return [_pruning(row, events) for row, events in unit.session.execute(query)]


def pruning(unit: Reader, number: int) -> Pruning:
    """One pruning.

    Raises:
        NotFound: none has this id.
    """
    row = unit.session.get(PruningRow, number)
    if row is None or not (unit.sight.is_whole or _is_seen(unit, json.loads(row.target))):
        raise NotFound(expected="the id of a pruning", found=str(number), remedy="See GET /v1/lineage/prunings.")
    query = sa.select(sa.func.count()).where(PrunedEventRow.pruning_id == number)
    return _shown(unit, _pruning(row, unit.session.scalar(query) or 0))


def residues_of(unit: Reader, number: int, *, after: int = 0, limit: int = 1000) -> tuple[list[Residue], int | None]:
    """The events that a pruning changed, in the order they were stored, and where the next page begins."""
    query = (
        sa.select(PrunedEventRow.event_id, EventRow.digest, PrunedEventRow.residue_digest)
        .join(EventRow, EventRow.id == PrunedEventRow.event_id)
        .where(PrunedEventRow.pruning_id == number, PrunedEventRow.event_id > after)
        .order_by(PrunedEventRow.event_id)
        .limit(limit + 1)
    )
    rows = unit.session.execute(query).all()
    found = [Residue(f"sha256:{digest.hex()}", f"sha256:{left.hex()}") for _, digest, left in rows[:limit]]
    return found, rows[limit - 1][0] if len(rows) > limit else None


def prunings_of(unit: Reader, event: int) -> list[Pruning]:
    """The prunings that changed an event (row id), oldest first."""
    query = (
        sa.select(PruningRow)
        .join(PrunedEventRow, PrunedEventRow.pruning_id == PruningRow.id)
        .where(PrunedEventRow.event_id == event)
        .order_by(PruningRow.id)
    )
    found = [_pruning(row, 1) for row in unit.session.scalars(query)]
    return [_shown(unit, item) for item in found if unit.sight.is_whole or _is_seen(unit, item.target)]


def _pruning(row: PruningRow, events: int) -> Pruning:
    return Pruning(row.id, row.rule, row.reason, row.actor, json.loads(row.target), row.pruned_at, events)


def _require_seen(unit: Reader, target: Target) -> None:
    if unit.sight.is_whole:
        return
    if not _is_seen(unit, target.document()):
        raise _unknown(replace(target, aliases=()))
    if not all(unit.sight.sees(*alias) for alias in target.aliases):
        raise OutsideScopes(
            expected="a dataset all names of which lie within the scopes of the key",
            found="one with another name",
            remedy="Use a key with wider scopes.",
            pointer="/entity",
        )


def _is_seen(unit: Reader, target: Mapping[str, Any]) -> bool:
    """Whether the unit sees what a pruning was about; one of a whole age is about everything."""
    if "name" in target:
        return unit.sight.sees(target["namespace"], target["name"])
    if "run" in target:
        return run_is_seen(unit, target["run"])
    digest = str(target.get("event", "")).removeprefix("sha256:")
    query = sa.select(PayloadRow.body).join(EventRow, EventRow.id == PayloadRow.event_id)
    is_digest = len(digest) == 64 and all(sign in "0123456789abcdef" for sign in digest)
    body = unit.session.scalar(query.where(EventRow.digest == bytes.fromhex(digest))) if is_digest else None
    return body is not None and event_is_seen(unit, body)


def _shown(unit: Reader, pruning: Pruning) -> Pruning:
    """The pruning without the names that the unit does not see."""
    if unit.sight.is_whole or "aliases" not in pruning.target:
        return pruning
    aliases = [names for names in pruning.target["aliases"] if unit.sight.sees(names["namespace"], names["name"])]
    return replace(pruning, target={**pruning.target, "aliases": aliases})


def _require_order(order: Order) -> None:
    if not order.reason.strip() or len(order.reason) > 2000 or "\x00" in order.reason:
        raise InputRefused(
            expected="a reason of 1 to 2,000 characters",
            found=f"{len(order.reason)} characters",
            remedy="Say why, without naming a person: the reason is kept for ever.",
            pointer="/reason",
        )


def _events_of(unit: Reader, target: Target) -> list[int]:
    """Row ids of the events that say something of the target."""
    if [target.event, target.run, target.node].count(None) != 2:
        raise InputRefused(
            expected="one of event, run, or kind with namespace and name",
            found="none of them, or several",
            remedy="Ask for one thing at a time.",
            pointer="",
        )
    if target.event is not None:
        digest = target.event.removeprefix("sha256:")
        is_digest = len(digest) == 64 and all(sign in "0123456789abcdef" for sign in digest)
        query = sa.select(EventRow.id).where(EventRow.digest == (bytes.fromhex(digest) if is_digest else b""))
    elif target.run is not None:
        query = sa.select(EventRow.id).where(EventRow.run_identity == run_identity(target.run))
    else:
        return _events_of_node(unit, target)
    found = list(unit.session.scalars(query.order_by(EventRow.id)))
    if not found:
        raise _unknown(target)
    return found


def _with_aliases(unit: Reader, target: Target) -> Target:
    """The target with every other name that its dataset has now; of other targets, itself."""
    node = find_node(unit, *target.node) if target.node is not None and target.node[0] == "dataset" else None
    if node is None:
        return target
    aliases = Aliases(unit)
    carrier = aliases.canonical([node.id]).get(node.id, node.id)
    others = nodes_by_id(unit, [member for member in aliases.members(carrier) if member != node.id])
    return replace(target, aliases=tuple(sorted((row.namespace, row.name) for row in others.values())))


def _events_of_node(unit: Reader, target: Target) -> list[int]:
    kind, *names = target.node or ("job", "", "")
    nodes = [find_node(unit, kind, *each) for each in (names, *target.aliases)]
    if nodes[0] is None:
        raise _unknown(target)
    place = JOB_FACETS if kind == "job" else DATASET_FACETS
    entities = [node.id for node in nodes if node is not None]
    stamps = sa.select(FacetRow.stamp).where(FacetRow.place == place, among(unit, FacetRow.entity_id, entities))
    digests = sorted({stamp[8:] for stamp in unit.session.scalars(stamps)})
    found: list[int] = []
    for chunk in chunks(digests):
        found += unit.session.scalars(sa.select(EventRow.id).where(EventRow.digest.in_(chunk)))
    return sorted(found)


def _unknown(target: Target) -> NotFound:
    return NotFound(
        expected="the digest of a stored event, or a run, job or dataset that an event named",
        found=json.dumps(target.document())[:200],
        remedy="Check the spelling; names are compared as they were sent.",
    )


def _residues(unit: Unit, ids: Sequence[int], choice: Callable[[Event], Choice]) -> list[tuple[int, Pruned]]:
    """The events among ``ids`` of which something is to be taken, with what is left; their bytes are locked."""
    locked = (
        sa.select(PayloadRow.event_id, PayloadRow.body)
        .where(among(unit, PayloadRow.event_id, ids))
        .order_by(PayloadRow.event_id)
        .with_for_update()
    )
    payloads = {event: body for event, body in unit.session.execute(locked)}  # noqa: C416 - dict() loses the types
    found: list[tuple[int, Pruned]] = []
    for row in unit.session.scalars(sa.select(EventRow).where(among(unit, EventRow.id, ids)).order_by(EventRow.id)):
        before = read_stored(payloads[row.id], row.redaction_version, row.digest)
        left = residue(before.document, choice(before))
        if left != before.document:
            after = read_stored(spelled_residue(left), row.redaction_version, row.digest)
            found.append((row.id, Pruned(before, after, row.arrived_at)))
    return found


def _write(unit: Unit, pruning: int, changed: Sequence[tuple[int, Pruned]]) -> None:
    if not changed:
        return
    connection = unit.session.connection()
    recorded = [
        {
            "event_id": number,
            "pruning_id": pruning,
            "residue_digest": hashlib.sha256(item.after.body).digest(),
        }
        for number, item in changed
    ]
    connection.execute(sa.insert(PrunedEventRow), recorded)
    replaced = sa.update(PayloadRow).where(PayloadRow.event_id == sa.bindparam("number")).values(
        body=sa.bindparam("left"), pruning_id=pruning
    )  # fmt: skip
    connection.execute(replaced, [{"number": number, "left": item.after.body} for number, item in changed])
    forget(unit, [item for _, item in changed])
    renew_findings(unit, [item.after for _, item in changed])
