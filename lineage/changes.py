"""What a batch of events says, as rows to merge. Pure: events in, rows out, keyed by identities, not by row ids."""

import hashlib
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lineage.events import DatasetMention, Event, JobMention
from lineage.fact_tables import DATASET_FACETS, JOB_FACETS, RUN_FACETS
from lineage.facts import (
    dataset_type,
    deployment_row,
    erasure,
    facet_keys,
    job_type,
    model_row,
    nominal_times,
    parent_of,
    provenance_row,
    renamed_from,
    symlinks_of,
    version_of,
)
from lineage.flows import End, Flow, Names, Told, flows_of
from lineage.identity import (
    NodeKind,
    canonical_run_id,
    is_uuid,
    label_identity,
    namespace_identity,
    node_identity,
    run_identity,
    run_uuid,
)
from lineage.labels import labels_in, source_in, tags_in
from lineage.merging import Rules, merge_row
from lineage.rules import (
    DEPLOYMENTS,
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
from lineage.state import RANKS
from lineage.tables import DIRECT, INPUT, OUTPUT

NO_FACETS = b"[[],[],[]]"
"""The keys of an entity without facets (``lineage.facts.facet_keys``)."""

LOCATION = "sourceCodeLocation"
"""Key of the facet that says where code lies."""

SORT_KEY = 200
"""Characters of a name that its index holds: even in four bytes each they fit what PostgreSQL indexes."""


@dataclass
class Changes:
    """Rows to merge, by the rules of their table and their key. Ids are still identities (32 bytes), or None."""

    rows: dict[Rules, dict[Any, dict[str, Any]]] = field(default_factory=dict)

    def add(self, rules: Rules, row: dict[str, Any]) -> None:
        """Merge one row into the batch."""
        table = self.rows.get(rules)
        if table is None:
            table = self.rows[rules] = {}
        key = rules.key_of(row)
        old = table.get(key)
        if old is None:
            table[key] = row
        else:
            merge_row(rules, old, row)

    def of(self, rules: Rules) -> Collection[dict[str, Any]]:
        """The rows of one table."""
        return self.rows.get(rules, {}).values()


def derive(events: Iterable[tuple[Event, datetime]]) -> Changes:
    """What the events say; each comes with the instant it was recorded."""
    changes = Changes()
    for event, recorded_at in events:
        _Reading(changes, event, recorded_at).derive()
    return changes


@dataclass(frozen=True, slots=True)
class _Reading:
    """One event while its rows are made."""

    changes: Changes
    event: Event
    recorded_at: datetime

    def derive(self) -> None:
        event = self.event
        told = flows_of(event)
        if event.dataset is not None:
            self._dataset(event.dataset, run=None)
            self._flows(None, None, told)
            return
        if event.job is None:
            return
        job = self._job(event.job, is_explicit=told.is_explicit)
        run = self._run(job, is_explicit=told.is_explicit) if event.run_id is not None else None
        for mentions, role in ((event.inputs, INPUT), (event.outputs, OUTPUT)):
            for mention in mentions:
                node = self._dataset(mention, run=run, role=role)
                self._edge(job, run, (role, node))
        self._flows(job, run, told)

    def _node(self, kind: NodeKind, names: Names, *, is_named: bool = True, **known: Any) -> bytes:
        """Record a mention of a node; its identity. A name that only a symlink gives is no entity of its own."""
        seen = self.event.time if is_named else None
        seen_at = {"first_seen": seen, "last_seen": seen, "last_recorded": self.recorded_at if is_named else None}
        namespace = namespace_identity(names[0])
        self.changes.add(NAMESPACES, {"identity": namespace, "name": names[0], **seen_at})
        identity = node_identity(kind, *names)
        types = known.get("types") or (None, None)
        row = {
            "identity": identity,
            "kind": kind,
            "namespace": names[0],
            "name": names[1],
            "namespace_id": namespace,
            "sort_key": names[1][:SORT_KEY],
            **seen_at,
            "type": types[0],
            "subtype": types[1],
            "type_stamp": self.event.stamp if any(types) else None,
            "explicit_since": known.get("explicit_since"),
            **_told_version(known.get("version"), self.event.stamp),
        }
        self.changes.add(NODES, row)
        return identity

    def _job(self, mention: JobMention, *, is_explicit: bool) -> bytes:
        names = (mention.namespace, mention.name)
        since = self.event.time if is_explicit else None
        job = self._node("job", names, types=job_type(mention.facets), explicit_since=since)
        self._facets(JOB_FACETS, job, facet_keys(mention.facets, {}))
        self._labels(job, mention.facets)
        return job

    def _run(self, job: bytes, *, is_explicit: bool) -> bytes:
        event = self.event
        run_id = event.run_id or ""
        identity = run_identity(run_id)
        rank = RANKS.get(event.event_type or "")
        parent = parent_of(event.run_facets)
        nominal = nominal_times(event.run_facets)
        location = self._location()
        row = {
            "identity": identity,
            "run_id": canonical_run_id(run_id),
            "served_uuid": None if is_uuid(run_id) else str(run_uuid(run_id)),
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
            "nominal_start": nominal[0] if nominal else None,
            "nominal_end": nominal[1] if nominal else None,
            "nominal_stamp": event.stamp if nominal else None,
            "location_digest": location,
            "location_stamp": event.stamp if location else None,
        }
        self.changes.add(RUNS, row)
        self._facets(RUN_FACETS, identity, facet_keys(event.run_facets, {}) or NO_FACETS)
        deployment = deployment_row(event)
        if deployment is not None:
            self.changes.add(DEPLOYMENTS, {"run_id": identity, **deployment})
        return identity

    def _location(self) -> bytes | None:
        """The digest of the text that says where the code of the run lay."""
        job = self.event.job
        if job is None or LOCATION not in job.facets:
            return None
        content = next((text for _, text in labels_in({LOCATION: job.facets[LOCATION]})), None)
        return None if content is None else hashlib.sha256(content).digest()

    def _dataset(self, mention: DatasetMention, *, run: bytes | None, role: int = OUTPUT) -> bytes:
        names = (mention.namespace, mention.name)
        version = version_of(mention, node_identity("dataset", *names), self.event.stamp)
        node = self._node("dataset", names, types=dataset_type(mention.facets), version=version)
        self._facets(DATASET_FACETS, node, facet_keys(mention.facets, mention.role_facets))
        self._labels(node, mention.facets)
        if version is not None:
            self.changes.add(VERSIONS, version)
            if run is not None:
                use = {"run_id": run, "role": role, "version_id": version["identity"], "first_seen": self.event.time}
                self.changes.add(VERSION_USES, use)
        self._names(mention, node)
        self._facts(mention, node, run)
        return node

    def _names(self, mention: DatasetMention, node: bytes) -> None:
        """What the mention says about other names of the dataset."""
        aliases = symlinks_of(mention)
        if aliases is not None:
            listed = [self._node("dataset", names, is_named=False) for names in aliases]
            for alias in listed or [node]:
                self.changes.add(SYMLINKS, {"carrier_id": node, "stamp": self.event.stamp, "alias_id": alias})
        previous = renamed_from(mention.facets)
        if previous is not None:
            old = self._node("dataset", previous, is_named=False)
            self.changes.add(RENAMES, {"carrier_id": node, "stamp": self.event.stamp, "old_id": old})

    def _facts(self, mention: DatasetMention, node: bytes, run: bytes | None) -> None:
        provenance = provenance_row(mention, node, self.event, self.recorded_at)
        if provenance is not None:
            self.changes.add(PROVENANCE, provenance)
        model = model_row(mention, self.event)
        if model is not None:
            self.changes.add(MODELS, {"node_id": node, "run_id": run, **model})
        change = erasure(mention.facets)
        if change is not None:
            self.changes.add(ERASURES, {"node_id": node, "erased_at": self.event.time, "change": change})

    def _facets(self, place: int, entity: bytes, keys: bytes | None) -> None:
        if keys is not None:
            row = {"place": place, "entity_id": entity, "keys_id": self._content(FACET_KEYS, keys)}
            self.changes.add(FACETS, {**row, "stamp": self.event.stamp})

    def _labels(self, node: bytes, facets: Mapping[str, Any]) -> None:
        for key, content in labels_in(facets):
            text = None if content is None else self._content(TEXTS, content)
            self.changes.add(LABELS, {"node_id": node, "key": key, "stamp": self.event.stamp, "text_id": text})
            if key == "tags":
                for _, name, _ in tags_in(content):
                    identity = label_identity("tag", name)
                    self.changes.add(TAGS, {"identity": identity, "name": name, "description": None, "stamp": None})
            elif key == "dataSource":
                self._source(*source_in(content))

    def _source(self, name: str | None, uri: str | None) -> None:
        if name is None:
            return
        row = {
            "identity": label_identity("source", name),
            "name": name,
            "type": None if uri is None else uri.partition(":")[0],
            "uri": uri,
            "uri_stamp": None if uri is None else self.event.stamp,
            "description": None,
            "description_stamp": None,
            "first_seen": self.event.time,
            "last_seen": self.event.time,
        }
        self.changes.add(SOURCES, row)

    def _content(self, rules: Rules, content: bytes) -> bytes:
        """Record a content that is stored once; its digest (32 bytes)."""
        digest = hashlib.sha256(content).digest()
        self.changes.add(rules, {"digest": digest, "content": content})
        return digest

    def _edge(self, job: bytes, run: bytes | None, end: tuple[int, bytes]) -> None:
        role, node = end
        seen: Mapping[str, Any] = {"first_seen": self.event.time, "last_seen": self.event.time}
        edge = {
            "job_id": job,
            "role": role,
            "node_id": node,
            **seen,
            "run_count": 0,
            "latest_run_id": run,
            "latest_stamp": self.event.stamp if run is not None else None,
        }
        self.changes.add(EDGES, edge)
        if run is not None:
            self.changes.add(RUN_DATASETS, {"run_id": run, "role": role, "node_id": node, "job_id": job, **seen})

    def _flows(self, job: bytes | None, run: bytes | None, told: Told) -> None:
        """What the facets of the event say about data flow."""
        for flow in told.flows:
            self._flow(job, run, flow)
        for source, target in told.links:
            self._link(job, run, (source, target))
        for names, is_end in told.statements:
            node = None if names is None else node_identity("dataset", *names)
            row = {"job_id": job, "target_id": node, "stamp": self.event.stamp, "is_end": int(is_end)}
            self.changes.add(STATEMENTS, row)

    def _flow(self, job: bytes | None, run: bytes | None, flow: Flow) -> None:
        """A flow, and the edges it implies: what only a lineage facet names is read or written all the same."""
        target = self._node("dataset", flow.target)
        source = None if flow.source is None else self._node("dataset", flow.source)
        if job is not None:
            for role, node in ((INPUT, source), (OUTPUT, target)):
                if node is not None:
                    self._edge(job, run, (role, node))
        if source is None:
            return
        mapping = flow.mapping()
        ends = {"job_id": job, "source_id": source, "target_id": target}
        content = None if mapping is None else self._content(MAPPINGS, mapping)
        direct = DIRECT if job is None else 0
        row = {**ends, "mapping_id": content, "is_explicit": int(flow.is_explicit) | direct}
        self._flow_edge(row, run)
        self.changes.add(FLOWS, {**row, "run_id": run, "stamp": self.event.stamp, "first_seen": self.event.time})

    def _link(self, job: bytes | None, run: bytes | None, ends: tuple[End, End]) -> None:
        """A flow with a job at one end or both. A job reads and writes its datasets; jobs are linked directly."""
        source, target = (self._node(kind, (namespace, name)) for kind, namespace, name in ends)
        kinds = (ends[0][0], ends[1][0])
        row = {"job_id": job, "source_id": source, "target_id": target, "mapping_id": None, "is_explicit": 1}
        if kinds == ("job", "job"):
            self._flow_edge({**row, "is_explicit": DIRECT}, run)
            return
        reader_or_writer, role, node = (source, OUTPUT, target) if kinds[0] == "job" else (target, INPUT, source)
        if reader_or_writer == job:
            # The job is an end of an entry of its own: a walk that comes to it there may go on.
            self._flow_edge(row, run)
        self._edge(reader_or_writer, run if reader_or_writer == job else None, (role, node))

    def _flow_edge(self, row: dict[str, Any], run: bytes | None) -> None:
        seen = {"first_seen": self.event.time, "last_seen": self.event.time}
        self.changes.add(FLOW_EDGES, {**row, **seen, "latest_run_id": run, "latest_stamp": self.event.stamp})


def _told_version(version: Mapping[str, Any] | None, stamp: bytes) -> dict[str, bytes | None]:
    """The columns of a dataset that say which version, and which with a schema, was told last."""
    has_schema = version is not None and version["fields"] is not None
    identity: bytes | None = None if version is None else version["identity"]
    return {
        "version_identity": identity,
        "version_stamp": None if version is None else stamp,
        "schema_identity": identity if has_schema else None,
        "schema_stamp": stamp if has_schema else None,
    }
