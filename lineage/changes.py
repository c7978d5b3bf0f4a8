"""What a batch of events says, as rows to merge. Pure: events in, rows out, keyed by identities, not by row ids."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lineage.events import DatasetMention, Event
from lineage.facts import (
    dataset_type,
    erasure,
    job_type,
    model_row,
    parent_of,
    provenance_row,
    symlinks_of,
    version_of,
)
from lineage.flows import Flow, flows_of
from lineage.identity import canonical_run_id, node_identity, run_identity
from lineage.merging import Rules, merge_row
from lineage.state import RANKS
from lineage.tables import (
    INPUT,
    OUTPUT,
    DatasetVersionRow,
    EdgeRow,
    ErasureRow,
    FlowRow,
    ModelRow,
    NodeRow,
    ProvenanceRow,
    RunDatasetRow,
    RunRow,
    SymlinkRow,
    VersionUseRow,
)

NODES = Rules(
    NodeRow,
    ("identity",),
    least=("first_seen", "explicit_since"),
    greatest=("last_seen",),
    latest=(("type_stamp", ("type", "subtype")),),
    returning=("id", "identity"),
)
RUNS = Rules(
    RunRow,
    ("identity",),
    least=("first_start", "first_running", "first_event"),
    greatest=("end_stamp", "last_event"),
    bits=("end_kinds", "is_explicit"),
    latest=(
        ("job_stamp", ("job_id",)),
        ("parent_stamp", ("parent_run_id", "parent_namespace", "parent_name")),
    ),
    returning=("id", "identity"),
)
RUN_DATASETS = Rules(
    RunDatasetRow, ("run_id", "role", "node_id", "job_id"), least=("first_seen",), greatest=("last_seen",)
)
EDGES = Rules(
    EdgeRow,
    ("job_id", "role", "node_id"),
    least=("first_seen",),
    greatest=("last_seen",),
    add=("run_count",),
    latest=(("latest_stamp", ("latest_run_id",)),),
)
VERSIONS = Rules(
    DatasetVersionRow,
    ("identity",),
    least=("first_stamp",),
    greatest=("last_stamp",),
    latest=(("row_count_stamp", ("row_count",)),),
    returning=("id", "identity"),
)
VERSION_USES = Rules(VersionUseRow, ("run_id", "role", "version_id"), least=("first_seen",))
FLOWS = Rules(
    FlowRow,
    ("job_id", "run_id", "source_id", "target_id"),
    least=("first_seen",),
    bits=("is_explicit",),
    latest=(("stamp", ("columns",)),),
)
SYMLINKS = Rules(SymlinkRow, ("carrier_id", "stamp", "alias_id"))
PROVENANCE = Rules(ProvenanceRow, ("identity",), least=("recorded_at",))
MODELS = Rules(
    ModelRow, ("node_id", "run_id", "content_digest"), least=("first_seen",), latest=(("stamp", ("facet",)),)
)
ERASURES = Rules(ErasureRow, ("node_id", "erased_at", "change"))


@dataclass
class Changes:
    """Rows to merge, by the rules of their table and their key. Ids are still identities (32 bytes), or None."""

    rows: dict[Rules, dict[tuple[Any, ...], dict[str, Any]]] = field(default_factory=dict)

    def add(self, rules: Rules, row: dict[str, Any]) -> None:
        """Merge one row into the batch."""
        table = self.rows.setdefault(rules, {})
        key = tuple(row[name] for name in rules.key)
        old = table.get(key)
        if old is None:
            table[key] = row
        else:
            merge_row(rules, old, row)


def derive(events: Iterable[tuple[Event, datetime]]) -> Changes:
    """What the events say; each comes with the instant it was recorded."""
    changes = Changes()
    for event, recorded_at in events:
        _derive_one(changes, event, recorded_at)
    return changes


def _derive_one(changes: Changes, event: Event, recorded_at: datetime) -> None:
    if event.dataset is not None:
        _dataset(changes, event, event.dataset, recorded_at, run=None)
        return
    if event.job is None:
        return
    flows, is_explicit = flows_of(event)
    kind, subtype = job_type(event.job.facets)
    job = _node(changes, event, "job", (event.job.namespace, event.job.name), type=kind, subtype=subtype)
    if is_explicit:
        changes.rows[NODES][(job,)]["explicit_since"] = _least(
            changes.rows[NODES][(job,)]["explicit_since"], event.time
        )
    run = _run(changes, event, job, is_explicit) if event.run_id is not None else None
    for mentions, role in ((event.inputs, INPUT), (event.outputs, OUTPUT)):
        for mention in mentions:
            node = _dataset(changes, event, mention, recorded_at, run=run, role=role)
            _edge(changes, event, job, run, (role, node))
    for flow in flows:
        _flow(changes, event, job, run, flow)


def _least(old: datetime | None, new: datetime) -> datetime:
    return new if old is None or new < old else old


def _node(
    changes: Changes, event: Event, kind: str, names: tuple[str, str], *, is_named: bool = True, **types: str | None
) -> bytes:
    """Record a mention of a node; its identity. A name that only a symlink gives is no entity of its own."""
    identity = node_identity("job" if kind == "job" else "dataset", *names)
    seen = event.time if is_named else None
    has_type = any(types.values())
    row = {
        "identity": identity,
        "kind": kind,
        "namespace": names[0],
        "name": names[1],
        "first_seen": seen,
        "last_seen": seen,
        "type": types.get("type"),
        "subtype": types.get("subtype"),
        "type_stamp": event.stamp if has_type else None,
        "explicit_since": None,
    }
    changes.add(NODES, row)
    return identity


def _run(changes: Changes, event: Event, job: bytes, is_explicit: bool) -> bytes:
    run_id = event.run_id or ""
    identity = run_identity(run_id)
    rank = RANKS.get(event.event_type or "")
    parent = parent_of(event.run_facets)
    row = {
        "identity": identity,
        "run_id": canonical_run_id(run_id),
        "job_id": job,
        "job_stamp": event.stamp,
        "first_start": event.time if event.event_type == "START" else None,
        "first_running": event.time if event.event_type == "RUNNING" else None,
        "end_stamp": event.stamp[:8] + bytes([rank]) if rank else None,
        "end_kinds": 1 << rank if rank else 0,
        "first_event": event.time,
        "last_event": event.time,
        "is_explicit": int(is_explicit),
        "parent_run_id": parent[0] if parent else None,
        "parent_namespace": parent[1] if parent else None,
        "parent_name": parent[2] if parent else None,
        "parent_stamp": event.stamp if parent else None,
    }
    changes.add(RUNS, row)
    return identity


def _dataset(
    changes: Changes,
    event: Event,
    mention: DatasetMention,
    recorded_at: datetime,
    *,
    run: bytes | None,
    role: int = OUTPUT,
) -> bytes:
    kind, subtype = dataset_type(mention.facets)
    node = _node(changes, event, "dataset", (mention.namespace, mention.name), type=kind, subtype=subtype)
    version = version_of(mention, node, event.stamp)
    if version is not None:
        changes.add(VERSIONS, version)
        if run is not None:
            use = {"run_id": run, "role": role, "version_id": version["identity"], "first_seen": event.time}
            changes.add(VERSION_USES, use)
    _facts(changes, event, mention, recorded_at, node=node, run=run)
    return node


def _facts(
    changes: Changes,
    event: Event,
    mention: DatasetMention,
    recorded_at: datetime,
    *,
    node: bytes,
    run: bytes | None,
) -> None:
    aliases = symlinks_of(mention)
    if aliases is not None:
        listed = [_node(changes, event, "dataset", names, is_named=False) for names in aliases]
        for alias in listed or [node]:
            changes.add(SYMLINKS, {"carrier_id": node, "stamp": event.stamp, "alias_id": alias})
    provenance = provenance_row(mention, node, event, recorded_at)
    if provenance is not None:
        changes.add(PROVENANCE, provenance)
    model = model_row(mention, event)
    if model is not None:
        changes.add(MODELS, {"node_id": node, "run_id": run, **model})
    change = erasure(mention.facets)
    if change is not None:
        changes.add(ERASURES, {"node_id": node, "erased_at": event.time, "change": change})


def _edge(changes: Changes, event: Event, job: bytes, run: bytes | None, end: tuple[int, bytes]) -> None:
    role, node = end
    seen: Mapping[str, Any] = {"first_seen": event.time, "last_seen": event.time}
    edge = {
        "job_id": job,
        "role": role,
        "node_id": node,
        **seen,
        "run_count": 0,
        "latest_run_id": run,
        "latest_stamp": event.stamp if run is not None else None,
    }
    changes.add(EDGES, edge)
    if run is not None:
        changes.add(RUN_DATASETS, {"run_id": run, "role": role, "node_id": node, "job_id": job, **seen})


def _flow(changes: Changes, event: Event, job: bytes, run: bytes | None, flow: Flow) -> None:
    """A flow, and the edges it implies: a dataset that only a lineage facet names is read or written all the same."""
    ends: list[bytes | None] = []
    for names, role in ((flow.source, INPUT), (flow.target, OUTPUT)):
        node = _node(changes, event, "dataset", names) if names is not None else None
        if node is not None:
            _edge(changes, event, job, run, (role, node))
        ends.append(node)
    source, target = ends
    if source is None or target is None:
        return
    row = {
        "job_id": job,
        "run_id": run,
        "source_id": source,
        "target_id": target,
        "is_explicit": int(flow.is_explicit),
        "columns": flow.columns_document(),
        "stamp": event.stamp,
        "first_seen": event.time,
    }
    changes.add(FLOWS, row)
