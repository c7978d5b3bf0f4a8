"""Writing lineage: the event log, and merging what a batch says into the derived tables. Reads are in other modules."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa

from governance.database import Unit
from lineage.changes import Changes
from lineage.conformance import Finding
from lineage.events import EVENT_TYPES, Event
from lineage.facts import usable
from lineage.identity import namespace_identity, run_identity
from lineage.merging import Rules, insert_new, upsert
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
    SYMLINKS,
    TAGS,
    TEXTS,
    VERSION_USES,
    VERSIONS,
)
from lineage.tables import EventRow, FindingRow, PayloadRow

EVENTS = Rules(EventRow, ("digest",))

NONE = 0
"""Stands for "no run", "no job" or "no mapping" where an id is part of a key; generated ids begin at 1."""

Ids = dict[bytes, int]


def insert_events(unit: Unit, events: Sequence[Event]) -> set[bytes]:
    """Store the events that are not stored yet; their digests (32 bytes)."""
    rows = [_event_row(unit, event) for event in events]
    inserted = _execute(unit, insert_new(EVENTS, unit.dialect), rows, ("digest",))
    new = {digest for (digest,) in inserted}
    ids = event_ids(unit, sorted(new))
    payloads = [
        {"event_id": ids[event.digest_bytes], "body": event.body}
        for event in {event.digest_bytes: event for event in events}.values()
        if event.digest_bytes in new
    ]
    if payloads:
        unit.session.connection().execute(sa.insert(PayloadRow), payloads)
    return new


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
    ids = event_ids(unit, [event.digest_bytes for event, _ in faulty])
    rows = [
        {
            "event_id": ids[event.digest_bytes],
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
    if rows:
        unit.session.connection().execute(sa.insert(FindingRow), rows)


def event_ids(unit: Unit, digests: Sequence[bytes]) -> Ids:
    """The row ids of stored events."""
    ids: Ids = {}
    for chunk in chunks(digests):
        selected = unit.session.execute(sa.select(EventRow.digest, EventRow.id).where(EventRow.digest.in_(chunk)))
        ids.update((digest, number) for digest, number in selected)
    return ids


def write(unit: Unit, changes: Changes) -> None:
    """Merge the batch into the derived tables.

    Tables and rows are taken in one order by every writer, so that two of them wait for one another instead of
    deadlocking.
    """
    namespaces = _upsert_ids(unit, NAMESPACES, _rows(changes, NAMESPACES))
    nodes = _upsert_ids(unit, NODES, _with(_rows(changes, NODES), namespace_id=namespaces))
    runs = _upsert_ids(unit, RUNS, _with(_rows(changes, RUNS), job_id=nodes))
    _write_uses(unit, changes, nodes, runs)
    _write_flows(unit, changes, nodes, runs)
    _write_facets(unit, changes, nodes, runs)
    _upsert(unit, SYMLINKS, _with(_rows(changes, SYMLINKS), carrier_id=nodes, alias_id=nodes))
    _upsert(unit, RENAMES, _with(_rows(changes, RENAMES), carrier_id=nodes, old_id=nodes))
    _upsert(unit, DEPLOYMENTS, _with(_rows(changes, DEPLOYMENTS), run_id=runs))
    _upsert(unit, PROVENANCE, _with(_rows(changes, PROVENANCE), node_id=nodes))
    _upsert(unit, MODELS, _with(_rows(changes, MODELS), node_id=nodes, run_id=runs))
    _upsert(unit, ERASURES, _with(_rows(changes, ERASURES), node_id=nodes))


def _write_uses(unit: Unit, changes: Changes, nodes: Ids, runs: Ids) -> None:
    """Which versions of which datasets runs and jobs read and wrote."""
    versions = _upsert_ids(unit, VERSIONS, _with(_rows(changes, VERSIONS), node_id=nodes))
    read_written = _with(_rows(changes, RUN_DATASETS), run_id=runs, node_id=nodes, job_id=nodes)
    new = _merge_new(unit, RUN_DATASETS, read_written)
    edges = _with(_rows(changes, EDGES), job_id=nodes, node_id=nodes, latest_run_id=runs)
    counts = Counter((job, role, node) for _run, role, node, job in new)
    for edge in edges:
        edge["run_count"] = counts[(edge["job_id"], edge["role"], edge["node_id"])]
    _upsert(unit, EDGES, edges)
    _upsert(unit, VERSION_USES, _with(_rows(changes, VERSION_USES), run_id=runs, version_id=versions))


def _write_flows(unit: Unit, changes: Changes, nodes: Ids, runs: Ids) -> None:
    """What lineage facets say about data flow."""
    mappings = _content_ids(unit, changes, MAPPINGS)
    ends = {"job_id": nodes, "source_id": nodes, "target_id": nodes, "mapping_id": mappings}
    _upsert(unit, FLOWS, _with(_rows(changes, FLOWS), run_id=runs, **ends))
    _upsert(unit, FLOW_EDGES, _with(_rows(changes, FLOW_EDGES), latest_run_id=runs, **ends))


def _write_facets(unit: Unit, changes: Changes, nodes: Ids, runs: Ids) -> None:
    """Which facets came with which event, and the labels among them."""
    keys = _content_ids(unit, changes, FACET_KEYS)
    facets = _with(_rows(changes, FACETS), keys_id=keys, entity_id={**nodes, **runs})
    _upsert(unit, FACETS, facets)
    texts = _content_ids(unit, changes, TEXTS)
    _upsert(unit, LABELS, _with(_rows(changes, LABELS), node_id=nodes, text_id=texts))
    _upsert(unit, TAGS, _rows(changes, TAGS))
    _upsert(unit, SOURCES, _rows(changes, SOURCES))


def _content_ids(unit: Unit, changes: Changes, rules: Rules) -> Ids:
    """The row ids of contents that are stored once, by their digests."""
    rows = _rows(changes, rules)
    if not rows:
        return {}
    table = rules.table.__table__
    _execute(unit, insert_new(rules, unit.dialect), rows, rules.key)
    ids: Ids = {}
    for chunk in chunks([row["digest"] for row in rows]):
        selected = unit.session.execute(sa.select(table.c.digest, table.c.id).where(table.c.digest.in_(chunk)))
        ids.update((digest, number) for digest, number in selected)
    return ids


def clear_derived(unit: Unit) -> None:
    """Empty every derived table; the event log stays."""
    for table in DERIVED:
        unit.session.execute(sa.delete(table))


def chunks(values: Iterable[Any], size: int = 500) -> Iterable[list[Any]]:
    """The values in lists of at most ``size``: well below the number of parameters either database takes."""
    items = list(values)
    return (items[start : start + size] for start in range(0, len(items), size))


def _rows(changes: Changes, rules: Rules) -> list[dict[str, Any]]:
    return list(changes.rows.get(rules, {}).values())


def _with(rows: list[dict[str, Any]], **ids: Ids) -> list[dict[str, Any]]:
    """The rows with row ids in place of identities; where a row names none, ``NONE`` or null stays."""
    return [{**row, **{name: _id(name, row[name], known) for name, known in ids.items()}} for row in rows]


def _id(name: str, identity: bytes | None, known: Ids) -> int | None:
    if identity is None:
        return None if name == "latest_run_id" else NONE
    return known[identity]


def _upsert_ids(unit: Unit, rules: Rules, rows: list[dict[str, Any]]) -> Ids:
    selected = _execute(unit, upsert(rules, unit.dialect), rows, rules.key)
    return {identity: number for number, identity in selected}


def _upsert(unit: Unit, rules: Rules, rows: list[dict[str, Any]]) -> None:
    _execute(unit, upsert(rules, unit.dialect), rows, rules.key)


def _merge_new(unit: Unit, rules: Rules, rows: list[dict[str, Any]]) -> set[tuple[Any, ...]]:
    """Insert or merge the rows; the keys of those that were not there before."""
    selected = _execute(unit, insert_new(rules, unit.dialect), rows, rules.key)
    new = {tuple(key) for key in selected}
    _upsert(unit, rules, [row for row in rows if tuple(row[name] for name in rules.key) not in new])
    return new


def _execute(unit: Unit, statement: Any, rows: list[dict[str, Any]], key: tuple[str, ...]) -> Sequence[Any]:
    if not rows:
        return []
    rows.sort(key=lambda row: tuple(row[name] for name in key))
    result = unit.session.connection().execute(statement, rows)
    return result.all() if result.returns_rows else []
