"""What a batch of events says, as rows to merge. Pure: events in, rows out, keyed by identities, not by row ids."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from lineage.events import DatasetMention, Event
from lineage.fact_tables import DATASET_FACETS, JOB_FACETS, RUN_FACETS
from lineage.facts import deployment_row, model_row, provenance_row
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
from lineage.sayings import Content, Saying, content_of, dataset_saying, job_saying, node_columns, run_saying
from lineage.state import RANKS
from lineage.tables import DIRECT, INPUT, OUTPUT


@dataclass
class Changes:
    """Rows to merge, by the rules of their table and their key. Ids are still identities (32 bytes), or None."""

    rows: defaultdict[Rules, dict[Any, dict[str, Any]]] = field(default_factory=lambda: defaultdict(dict))

    def add(self, rules: Rules, row: dict[str, Any]) -> None:
        """Merge one row into the batch, which keeps it."""
        old = self.rows[rules].setdefault(rules.key_of(row), row)
        if old is not row:
            merge_row(rules, old, row)

    def keep(self, rules: Rules, content: Content) -> bytes:
        """Note a content that is stored once; its digest."""
        table = self.rows[rules]
        if content.digest not in table:
            table[content.digest] = {"digest": content.digest, "content": content.content}
        return content.digest

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
    """One event while its rows are made; ``namespaces`` says of each whether an entity of the event is in it."""

    changes: Changes
    event: Event
    recorded_at: datetime
    namespaces: dict[str, bool] = field(default_factory=dict)

    def derive(self) -> None:
        self._entities()
        for name, is_named in self.namespaces.items():
            row = {"identity": namespace_identity(name), "name": name, **self._seen(is_named)}
            self.changes.add(NAMESPACES, row)

    def _entities(self) -> None:
        event = self.event
        if event.dataset is not None:
            said = dataset_saying(event.dataset)
            self._dataset(event.dataset, said, run=None)
            self._flows(None, None, flows_of(event) if said.tells_flow else Told())
            return
        if event.job is None:
            return
        said_of_job = job_saying(event.job)
        inputs, outputs = ([(mention, dataset_saying(mention)) for mention in side]
                           for side in (event.inputs, event.outputs))  # fmt: skip
        tells_flow = said_of_job.tells_flow or any(said.tells_flow for _, said in outputs)
        told = flows_of(event) if tells_flow else Told()
        job = self._job(said_of_job, is_explicit=told.is_explicit)
        run = self._run(job, said_of_job, is_explicit=told.is_explicit) if event.run_id is not None else None
        for mentions, role in ((inputs, INPUT), (outputs, OUTPUT)):
            for mention, said in mentions:
                self._dataset(mention, said, run=run, role=role)
                self._edge(job, run, (role, said.identity))
        self._flows(job, run, told)

    def _seen(self, is_named: bool) -> dict[str, datetime | None]:
        """When the event saw an entity. A name that only a symlink gives is no entity of its own."""
        seen = self.event.time if is_named else None
        return {"first_seen": seen, "last_seen": seen, "last_recorded": self.recorded_at if is_named else None}

    def _node(self, row: dict[str, Any], *, is_named: bool = True) -> bytes:
        """Record a mention of a node, whose row is kept; its identity."""
        namespace = row["namespace"]
        self.namespaces[namespace] = is_named or self.namespaces.get(namespace, False)
        row.update(self._seen(is_named))
        self.changes.add(NODES, row)
        identity: bytes = row["identity"]
        return identity

    def _named(self, kind: NodeKind, names: Names, *, is_named: bool = True) -> bytes:
        """Record a node that is known by its names alone."""
        return self._node(node_columns(kind, *names), is_named=is_named)

    def _said(self, place: int, said: Saying, **known: Any) -> bytes:
        """Record what a mention says of a node itself; its identity."""
        stamp = self.event.stamp
        node = self._node(dict(said.node, **known, **dict.fromkeys(said.stamped, stamp)))
        self._facets(place, node, said.keys)
        for key, text in said.labels:
            digest = None if text is None else self.changes.keep(TEXTS, text)
            self.changes.add(LABELS, {"node_id": node, "key": key, "stamp": stamp, "text_id": digest})
        for name in said.tags:
            identity = label_identity("tag", name)
            self.changes.add(TAGS, {"identity": identity, "name": name, "description": None, "stamp": None})
        if said.source is not None:
            self._source(*said.source)
        return node

    def _job(self, said: Saying, *, is_explicit: bool) -> bytes:
        return self._said(JOB_FACETS, said, explicit_since=self.event.time if is_explicit else None)

    def _run(self, job: bytes, of_job: Saying, *, is_explicit: bool) -> bytes:
        event = self.event
        run_id = event.run_id or ""
        identity = run_identity(run_id)
        rank = RANKS.get(event.event_type or "")
        said = run_saying(event.run_facets, event.run_facets_digest)
        parent, nominal, location = said.parent, said.nominal, of_job.location
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
        self._facets(RUN_FACETS, identity, said.keys)
        deployment = deployment_row(event) if said.is_deployment else None
        if deployment is not None:
            self.changes.add(DEPLOYMENTS, {"run_id": identity, **deployment})
        return identity

    def _dataset(self, mention: DatasetMention, said: Saying, *, run: bytes | None, role: int = OUTPUT) -> None:
        stamp = self.event.stamp
        node = self._said(DATASET_FACETS, said)
        if said.version is not None:
            counted = None if said.version["row_count"] is None else stamp
            stamps = {"first_stamp": stamp, "last_stamp": stamp, "row_count_stamp": counted}
            self.changes.add(VERSIONS, {**said.version, **stamps})
            if run is not None:
                version = said.version["identity"]
                use = {"run_id": run, "role": role, "version_id": version, "first_seen": self.event.time}
                self.changes.add(VERSION_USES, use)
        self._names(said, node)
        if said.erased is not None:
            self.changes.add(ERASURES, {"node_id": node, "erased_at": self.event.time, "change": said.erased})
        if said.has_facts:
            self._facts(mention, node, run)

    def _names(self, said: Saying, node: bytes) -> None:
        """What the mention says about other names of the dataset."""
        if said.aliases is not None:
            listed = [self._named("dataset", names, is_named=False) for names in said.aliases]
            for alias in listed or [node]:
                self.changes.add(SYMLINKS, {"carrier_id": node, "stamp": self.event.stamp, "alias_id": alias})
        if said.previous is not None:
            old = self._named("dataset", said.previous, is_named=False)
            self.changes.add(RENAMES, {"carrier_id": node, "stamp": self.event.stamp, "old_id": old})

    def _facts(self, mention: DatasetMention, node: bytes, run: bytes | None) -> None:
        provenance = provenance_row(mention, node, self.event, self.recorded_at)
        if provenance is not None:
            self.changes.add(PROVENANCE, provenance)
        model = model_row(mention, self.event)
        if model is not None:
            self.changes.add(MODELS, {"node_id": node, "run_id": run, **model})

    def _facets(self, place: int, entity: bytes, keys: Content | None) -> None:
        if keys is not None:
            row = {"place": place, "entity_id": entity, "keys_id": self.changes.keep(FACET_KEYS, keys)}
            self.changes.add(FACETS, {**row, "stamp": self.event.stamp})

    def _source(self, name: str, uri: str | None) -> None:
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
        target = self._named("dataset", flow.target)
        source = None if flow.source is None else self._named("dataset", flow.source)
        if job is not None:
            for role, node in ((INPUT, source), (OUTPUT, target)):
                if node is not None:
                    self._edge(job, run, (role, node))
        if source is None:
            return
        mapping = flow.mapping()
        ends = {"job_id": job, "source_id": source, "target_id": target}
        content = None if mapping is None else self.changes.keep(MAPPINGS, content_of(mapping))
        direct = DIRECT if job is None else 0
        row = {**ends, "mapping_id": content, "is_explicit": int(flow.is_explicit) | direct}
        self._flow_edge(row, run)
        self.changes.add(FLOWS, {**row, "run_id": run, "stamp": self.event.stamp, "first_seen": self.event.time})

    def _link(self, job: bytes | None, run: bytes | None, ends: tuple[End, End]) -> None:
        """A flow with a job at one end or both. A job reads and writes its datasets; jobs are linked directly."""
        source, target = (self._named(kind, (namespace, name)) for kind, namespace, name in ends)
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
