"""Runs in Marquez's shape: state and times, the version of the job, the versions of what they read and wrote."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from lineage.descriptions import evidence_of
from lineage.fact_tables import TextRow
from lineage.labels import location_in
from lineage.marquez.lookup import entity_uuid
from lineage.reading import Reader, among
from lineage.state import run_state
from lineage.tables import OUTPUT, DatasetVersionRow, NodeRow, RunDatasetRow, RunRow, VersionUseRow

_COLUMNS = (
    RunRow.id, RunRow.run_id, RunRow.served_uuid, RunRow.job_id, RunRow.first_start, RunRow.first_running,
    RunRow.end_stamp, RunRow.end_kinds, RunRow.first_event, RunRow.last_event, RunRow.nominal_start, RunRow.nominal_end,
    RunRow.parent_namespace, RunRow.parent_name, RunRow.location_digest,
)  # fmt: skip
"""What a list reads of a run."""

_LAST = b"\xff"
"""Above every stamp."""

Names = tuple[str, str]


@dataclass(frozen=True, slots=True)
class NodeName:
    """A node's identity and names."""

    identity: bytes
    namespace: str
    name: str

    def document(self) -> dict[str, str]:
        """The names as a reference."""
        return {"namespace": self.namespace, "name": self.name}


@dataclass
class RunBatch:
    """Runs of one answer with what is known of them, read together."""

    rows: dict[int, Any]
    inputs: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    outputs: dict[int, list[int]] = field(default_factory=lambda: defaultdict(list))
    versions: dict[tuple[int, int, int], list[bytes]] = field(default_factory=lambda: defaultdict(list))
    names: dict[int, NodeName] = field(default_factory=dict)
    locations: dict[bytes, str | None] = field(default_factory=dict)
    _job_versions: dict[Any, bytes] = field(default_factory=dict)
    _shown: dict[tuple[int, bytes], dict[str, Any]] = field(default_factory=dict)

    def ends(self, run: int) -> tuple[list[NodeName], list[NodeName]]:
        """What the run read and what it wrote, by names."""
        named = self.names
        return [named[node] for node in self.inputs.get(run, ())], [named[node] for node in self.outputs.get(run, ())]

    def location(self, run: int) -> str | None:
        """Where the code of the run lay, as its own events say."""
        digest = self.rows[run].location_digest
        return None if digest is None else self.locations.get(digest)

    def job_version(self, run: int) -> bytes:
        """The digest of the job's version that ran; see ``job_version_digest``."""
        row = self.rows[run]
        ends = tuple(self.inputs.get(run, ())), tuple(self.outputs.get(run, ()))
        key = row.job_id, ends, row.location_digest
        if key not in self._job_versions:
            inputs, outputs = ([self.names[node].identity for node in nodes] for nodes in ends)
            job = self.names[row.job_id].identity
            self._job_versions[key] = job_version_digest(job, inputs, outputs, self.location(run))
        return self._job_versions[key]

    def document(self, run: int) -> dict[str, Any]:
        """The run in Marquez's shape, without what only its events say (``args`` and facets)."""
        row, state = self.rows[run], run_state(evidence_of(self.rows[run]))
        return {
            "id": row.served_uuid or row.run_id,
            "createdAt": time_text(row.first_event),
            "updatedAt": time_text(row.last_event),
            "nominalStartTime": time_text(row.nominal_start),
            "nominalEndTime": time_text(row.nominal_end),
            "state": state.state,
            "startedAt": time_text(state.started_at),
            "endedAt": time_text(state.ended_at),
            "durationMs": state.duration_ms,
            "args": {},
            "jobVersion": {
                **self.names[row.job_id].document(),
                "version": entity_uuid(self.job_version(run)),
            },
            "inputDatasetVersions": self._versions(run, 0, self.inputs.get(run, ())),
            "outputDatasetVersions": self._versions(run, OUTPUT, self.outputs.get(run, ())),
            "facets": {},
        }

    def _versions(self, run: int, role: int, nodes: Sequence[int]) -> list[dict[str, Any]]:
        return [
            self._version(node, digest)
            for node in nodes
            for digest in self.versions.get((run, role, node)) or [bare_version(self.names[node].identity)]
        ]

    def _version(self, node: int, digest: bytes) -> dict[str, Any]:
        """A version as runs name it; runs of one job mostly name the same."""
        key = node, digest
        if key not in self._shown:
            named = {**self.names[node].document(), "version": entity_uuid(digest)}
            self._shown[key] = {"datasetVersionId": named, "facets": {}}
        return self._shown[key]


def job_version_digest(job: bytes, inputs: Sequence[bytes], outputs: Sequence[bytes], location: str | None) -> bytes:
    """SHA-256 of what makes a version of a job: its identity, what a run of it read and wrote, where its code lay."""
    parts = [job.hex(), sorted(node.hex() for node in inputs), sorted(node.hex() for node in outputs), location]
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode("ascii")).digest()


def bare_version(dataset: bytes) -> bytes:
    """The version of a dataset of which no event told a schema, version or change (``lineage.facts.version_of``)."""
    parts = [dataset.hex(), None, None, None]
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode("ascii")).digest()


def read_runs(unit: Reader, runs: Sequence[int]) -> RunBatch:
    """The runs with these row ids and what lists show of them."""
    connection = unit.session.connection()
    rows = {row.id: row for row in connection.execute(sa.select(*_COLUMNS).where(among(unit, RunRow.id, runs))).all()}
    batch = RunBatch(rows)
    ends = sa.select(RunDatasetRow.run_id, RunDatasetRow.role, RunDatasetRow.node_id)
    nodes = {row.job_id for row in rows.values()}
    # A set, since a run that two jobs share named its datasets once for each.
    for run, role, node in set(connection.execute(ends.where(among(unit, RunDatasetRow.run_id, runs))).all()):
        (batch.outputs if role == OUTPUT else batch.inputs)[run].append(node)
        nodes.add(node)
    batch.names = node_names(unit, nodes)
    for held in (*batch.inputs.values(), *batch.outputs.values()):
        held.sort(key=lambda node: (batch.names[node].namespace, batch.names[node].name))
    _read_versions(unit, batch)
    _read_locations(unit, batch)
    return batch


def node_names(unit: Reader, nodes: set[int]) -> dict[int, NodeName]:
    """Identity and names of each node."""
    query = sa.select(NodeRow.id, NodeRow.identity, NodeRow.namespace, NodeRow.name)
    found = unit.session.connection().execute(query.where(among(unit, NodeRow.id, sorted(nodes)))).all()
    return {number: NodeName(identity, namespace, name) for number, identity, namespace, name in found}


def _read_versions(unit: Reader, batch: RunBatch) -> None:
    """What the runs said of versions; where one said nothing, the newest told before it ended."""
    use, version, connection = VersionUseRow, DatasetVersionRow, unit.session.connection()
    query = sa.select(use.run_id, use.role, use.version_id).where(among(unit, use.run_id, list(batch.rows)))
    uses = connection.execute(query).all()
    # Apart from the uses, since the runs of a job mostly use the same versions.
    told = sa.select(version.id, version.node_id, version.identity)
    told = told.where(among(unit, version.id, sorted({number for _, _, number in uses})))
    versions = {number: (node, identity) for number, node, identity in connection.execute(told).all()}
    for run, role, number in uses:
        node, identity = versions[number]
        batch.versions[(run, role, node)].append(identity)
    for held in batch.versions.values():
        held.sort()
    silent = {
        run
        for role, ends in ((0, batch.inputs), (OUTPUT, batch.outputs))
        for run, nodes in ends.items()
        if any((run, role, node) not in batch.versions for node in nodes)
    }
    if not silent:
        return
    newest = (
        sa.select(version.identity)
        .where(version.node_id == RunDatasetRow.node_id)
        .where(version.first_stamp < sa.func.coalesce(RunRow.end_stamp, sa.literal(_LAST, sa.LargeBinary)))
        .order_by(version.first_stamp.desc(), version.id.desc())
        .limit(1)
        .scalar_subquery()
    )
    mentioned = (
        sa.select(RunDatasetRow.run_id, RunDatasetRow.role, RunDatasetRow.node_id, newest)
        .join(RunRow, RunRow.id == RunDatasetRow.run_id)
        .where(among(unit, RunDatasetRow.run_id, sorted(silent)))
    )
    for run, role, node, identity in connection.execute(mentioned).all():
        if identity is not None and (run, role, node) not in batch.versions:
            batch.versions[(run, role, node)] = [identity]


def _read_locations(unit: Reader, batch: RunBatch) -> None:
    batch.locations = texts_by_digest(unit, {row.location_digest for row in batch.rows.values()})


def texts_by_digest(unit: Reader, digests: set[bytes | None]) -> dict[bytes, str | None]:
    """Where code lay, by the digest of the text that says so."""
    wanted = sorted(digest for digest in digests if digest is not None)
    if not wanted:
        return {}
    query = sa.select(TextRow.digest, TextRow.content).where(TextRow.digest.in_(wanted))
    return {digest: location_in(content) for digest, content in unit.session.connection().execute(query)}


def run_documents(unit: Reader, runs: Sequence[int]) -> list[dict[str, Any]]:
    """The runs in Marquez's shape, in the order of their row ids as given."""
    batch = read_runs(unit, runs)
    return [batch.document(run) for run in runs]


def time_text(instant: datetime | None) -> str | None:
    """A stored instant, which is in UTC, as answers spell it; null where there is none."""
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")
