"""Writing lineage: the event log, and merging what a batch says into the derived tables. Reads are in other modules."""

from collections import Counter
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from governance.database import ReadUnit, Unit
from lineage.changes import Changes
from lineage.conformance import Finding
from lineage.events import EVENT_TYPES, Event
from lineage.facts import usable
from lineage.identity import namespace_identity, run_identity
from lineage.merging import Rules
from lineage.rules import (
    DEPLOYMENTS,
    DERIVED,
    EDGES,
    ERASURES,
    FACET_KEYS,
    FACETS,
    FLOW_EDGES,
    FLOWS,
    LABELS,
    MAPPINGS,
    MODELS,
    NAMESPACES,
    NODES,
    PROVENANCE,
    RENAMES,
    RUN_DATASETS,
    RUNS,
    SOURCES,
    STATEMENTS,
    SYMLINKS,
    TAGS,
    TEXTS,
    VERSION_USES,
    VERSIONS,
)
from lineage.tables import EventRow, FindingRow, PayloadRow
from lineage.writing import Ids, ids_of, insert_ids, merge, merge_ids, merge_new

EVENTS = Rules(EventRow, ("digest",))
PAYLOADS = Rules(PayloadRow, ("event_id",))
FINDINGS = Rules(FindingRow, ("event_id", "position"))

NONE = 0
"""Stands for "no run", "no job" or "no mapping" where an id is part of a key; generated ids begin at 1."""

_ANSWERS = "lineage.answers"


def answers(unit: Unit | ReadUnit) -> dict[Hashable, Any]:
    """What was worked out from lineage in this transaction, by the question; empty again once it writes lineage."""
    held: dict[Hashable, Any] = unit.session.info.setdefault(_ANSWERS, {})
    return held


def insert_events(unit: Unit, events: Sequence[Event]) -> set[bytes]:
    """Store the events that are not stored yet; their digests (32 bytes)."""
    unique = {event.digest_bytes: event for event in events}
    new = insert_ids(unit, EVENTS, [_event_row(unit, event) for event in unique.values()])
    payloads = [{"event_id": digest, "body": unique[digest].body} for digest in new]
    merge(unit, PAYLOADS, payloads, event_id=new)
    return set(new)


def _event_row(unit: Unit, event: Event) -> dict[str, Any]:
    return {
        "digest": event.digest_bytes,
        "redaction_version": event.redaction_version,
        "kind": event.kind,
        # What is no type of the standard counts as OTHER; the event itself keeps what was sent.
        "event_type": event.event_type if event.event_type in EVENT_TYPES else None,
        "event_time": event.time,
        "arrived_at": unit.now,
        "run_identity": None if event.run_id is None else run_identity(event.run_id),
        "namespace_identity": None if event.job is None else namespace_identity(event.job.namespace),
    }


def write_findings(unit: Unit, found: Iterable[tuple[Event, Sequence[Finding]]]) -> None:
    """Store the findings of stored events."""
    faulty = [(event, items) for event, items in found if items]
    rows = [
        {
            "event_id": event.digest_bytes,
            "position": position,
            "code": item.code,
            "pointer": item.pointer,
            "expected": item.expected,
            "found": item.found,
            "producer": usable(event.document.get("producer")),
        }
        for event, items in faulty
        for position, item in enumerate(items)
    ]
    merge(unit, FINDINGS, rows, event_id=ids_of(unit, EVENTS, [event.digest_bytes for event, _ in faulty]))


def write(unit: Unit, changes: Changes) -> dict[bytes, int]:
    """Merge the batch into the derived tables; the row ids of its nodes.

    Tables and rows are taken in one order by every writer, so that two of them wait for one another instead of
    deadlocking.
    """
    answers(unit).clear()
    namespaces = merge_ids(unit, NAMESPACES, changes.of(NAMESPACES))
    named = merge_ids(unit, NODES, changes.of(NODES), namespace_id=namespaces)
    nodes = _or_none(named)
    runs = _or_none(merge_ids(unit, RUNS, changes.of(RUNS), job_id=nodes))
    _write_uses(unit, changes, nodes, runs)
    _write_flows(unit, changes, nodes, runs)
    _write_facets(unit, changes, nodes, runs)
    merge(unit, SYMLINKS, changes.of(SYMLINKS), carrier_id=nodes, alias_id=nodes)
    merge(unit, RENAMES, changes.of(RENAMES), carrier_id=nodes, old_id=nodes)
    merge(unit, DEPLOYMENTS, changes.of(DEPLOYMENTS), run_id=runs)
    merge(unit, PROVENANCE, changes.of(PROVENANCE), node_id=nodes)
    merge(unit, MODELS, changes.of(MODELS), node_id=nodes, run_id=runs)
    merge(unit, ERASURES, changes.of(ERASURES), node_id=nodes)
    return named


def _or_none(ids: Ids) -> Ids:
    """The ids, and ``NONE`` for the identity of no row."""
    return {**ids, None: NONE}


def _write_uses(unit: Unit, changes: Changes, nodes: Ids, runs: Ids) -> None:
    """Which versions of which datasets runs and jobs read and wrote."""
    versions = merge_ids(unit, VERSIONS, changes.of(VERSIONS), node_id=nodes)
    new = merge_new(unit, RUN_DATASETS, changes.of(RUN_DATASETS), run_id=runs, node_id=nodes, job_id=nodes)
    counts = Counter((job, role, node) for _run, role, node, job in new)
    edges = changes.of(EDGES)
    for edge in edges:
        edge["run_count"] = counts[(nodes[edge["job_id"]], edge["role"], nodes[edge["node_id"]])]
    merge(unit, EDGES, edges, job_id=nodes, node_id=nodes, latest_run_id={**runs, None: None})
    merge(unit, VERSION_USES, changes.of(VERSION_USES), run_id=runs, version_id=versions)


def _write_flows(unit: Unit, changes: Changes, nodes: Ids, runs: Ids) -> None:
    """What lineage facets say about data flow."""
    mappings = _content_ids(unit, changes, MAPPINGS)
    ends = {"job_id": nodes, "source_id": nodes, "target_id": nodes, "mapping_id": mappings}
    merge(unit, FLOWS, changes.of(FLOWS), run_id=runs, **ends)
    merge(unit, FLOW_EDGES, changes.of(FLOW_EDGES), latest_run_id={**runs, None: None}, **ends)
    merge(unit, STATEMENTS, changes.of(STATEMENTS), job_id=nodes, target_id=nodes)


def _write_facets(unit: Unit, changes: Changes, nodes: Ids, runs: Ids) -> None:
    """Which facets came with which event, and the labels among them."""
    keys = _content_ids(unit, changes, FACET_KEYS)
    merge(unit, FACETS, changes.of(FACETS), keys_id=keys, entity_id={**nodes, **runs})
    texts = _content_ids(unit, changes, TEXTS)
    merge(unit, LABELS, changes.of(LABELS), node_id=nodes, text_id=texts)
    merge(unit, TAGS, changes.of(TAGS))
    merge(unit, SOURCES, changes.of(SOURCES))


def _content_ids(unit: Unit, changes: Changes, rules: Rules) -> Ids:
    """The row ids of contents that are stored once, by their digests; most are there already."""
    rows = changes.of(rules)
    ids = ids_of(unit, rules, [row["digest"] for row in rows])
    missing = [row for row in rows if row["digest"] not in ids]
    ids |= insert_ids(unit, rules, missing)
    lost = [row["digest"] for row in missing if row["digest"] not in ids]  # another writer was sooner
    return _or_none(ids | ids_of(unit, rules, lost))


def clear_derived(unit: Unit) -> None:
    """Empty every derived table; the event log stays."""
    for table in DERIVED:
        unit.session.execute(sa.delete(table))


def chunks(values: Iterable[Any], size: int = 500) -> Iterable[list[Any]]:
    """The values in lists of at most ``size``: well below the number of parameters either database takes."""
    items = list(values)
    return (items[start : start + size] for start in range(0, len(items), size))
