"""Runs in Marquez's shape: state and times, the version of the job, the versions of what they read and wrote."""

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa

from governance.types.sight import WHOLE, Sight
from lineage.descriptions import end_of
from lineage.fact_tables import TextRow
from lineage.labels import location_in
from lineage.marquez.lookup import entity_uuid
from lineage.reading import Reader, among, answers, id_list, listed
from lineage.state import RunEvidence, run_state
from lineage.tables import OUTPUT, DatasetVersionRow, NodeRow, RunDatasetRow, RunRow, VersionUseRow


class StoredRun(NamedTuple):
    """What a list reads of a run; named as the columns of ``RunRow`` are."""

    id: int
    run_id: str
    served_uuid: str | None
    job_id: int
    first_start: datetime | None
    first_running: datetime | None
    end_stamp: bytes | None
    end_kinds: int
    first_event: datetime
    last_event: datetime
    nominal_start: datetime | None
    nominal_end: datetime | None
    parent_namespace: str | None
    parent_name: str | None
    location_digest: bytes | None


_LAST = b"\xff"
"""Above every stamp."""


@dataclass(frozen=True, slots=True)
class NodeName:
    """A node's identity and names."""

    identity: bytes
    namespace: str
    name: str

    @property
    def order(self) -> tuple[str, str]:
        """What nodes are sorted by."""
        return (self.namespace, self.name)

    def document(self) -> dict[str, str]:
        """The names as a reference."""
        return {"namespace": self.namespace, "name": self.name}


def references(nodes: Sequence[NodeName], sight: Sight) -> list[dict[str, str]]:
    """The nodes that are seen, as references; what is not seen is in no list."""
    shown = nodes if sight.is_whole else [node for node in nodes if sight.sees(*node.order)]
    return [node.document() for node in shown]


Sides = tuple[tuple[int, ...], tuple[int, ...]]
"""Row ids of what is read and of what is written, by names."""


@dataclass
class RunBatch:
    """Runs of one answer with what is known of them, read together.

    ``named`` and ``told`` spell the datasets and the versions of each run in one text, ``role:id,role:id``: the runs of
    a job mostly spell the same, and what is made of a text is made once. ``guessed`` are the versions of what a run
    named without a version.
    """

    rows: dict[int, StoredRun]
    named: dict[int, str] = field(default_factory=dict)
    told: dict[int, str] = field(default_factory=dict)
    versions: dict[int, tuple[int, bytes]] = field(default_factory=dict)
    guessed: dict[int, dict[tuple[int, int], bytes]] = field(default_factory=dict)
    names: dict[int, NodeName] = field(default_factory=dict)
    locations: dict[bytes, str | None] = field(default_factory=dict)
    sight: Sight = WHOLE
    _sides: dict[str, Sides] = field(default_factory=dict)
    _told: dict[str, dict[tuple[int, int], list[bytes]]] = field(default_factory=dict)
    _job_versions: dict[Any, dict[str, str]] = field(default_factory=dict)
    _alike: dict[Any, dict[str, Any]] = field(default_factory=dict)

    def sides(self, run: int) -> Sides:
        """The datasets that the run read and wrote."""
        text = self.named.get(run, "")
        if text not in self._sides:
            ends: tuple[set[int], set[int]] = (set(), set())
            for role, node in pairs_in(text):
                ends[role == OUTPUT].add(node)
            inputs, outputs = (tuple(sorted(nodes, key=lambda node: self.names[node].order)) for nodes in ends)
            self._sides[text] = (inputs, outputs)
        return self._sides[text]

    def ends(self, run: int) -> tuple[list[NodeName], list[NodeName]]:
        """What the run read and what it wrote, by names."""
        inputs, outputs = self.sides(run)
        return [self.names[node] for node in inputs], [self.names[node] for node in outputs]

    def versions_of(self, run: int, role: int, node: int) -> list[bytes]:
        """The digests of the versions that the run told of a dataset, else of the one it is taken to have met."""
        told = self.told_by(run).get((role, node))
        if told is not None:
            return told
        guess = self.guessed.get(run, {}).get((role, node))
        return [bare_version(self.names[node].identity) if guess is None else guess]

    def told_by(self, run: int) -> dict[tuple[int, int], list[bytes]]:
        """The digests of the versions that the run told, by role and dataset."""
        text = self.told.get(run, "")
        if text not in self._told:
            found: dict[tuple[int, int], list[bytes]] = {}
            for role, number in pairs_in(text):
                node, identity = self.versions[number]
                found.setdefault((role, node), []).append(identity)
            self._told[text] = {key: sorted(held) for key, held in found.items()}
        return self._told[text]

    def job_version(self, run: int) -> dict[str, str]:
        """The version of the job that ran, as a reference; see ``job_version_digest``."""
        row = self.rows[run]
        key = row.job_id, self.named.get(run, ""), row.location_digest
        if key not in self._job_versions:
            inputs, outputs = ([node.identity for node in side] for side in self.ends(run))
            job, place = self.names[row.job_id], row.location_digest
            location = None if place is None else self.locations.get(place)
            digest = job_version_digest(job.identity, inputs, outputs, location)
            self._job_versions[key] = {**job.document(), "version": entity_uuid(digest)}
        return self._job_versions[key]

    def document(self, run: int) -> dict[str, Any]:
        """The run in Marquez's shape, without what only its events say (``args`` and facets).

        Instants are in UTC and are spelled when the answer is: a page of jobs has thousands of them.
        """
        row = self.rows[run]
        end = end_of(row.end_stamp)
        state = run_state(RunEvidence(row.first_start, row.first_running, end, row.end_kinds, row.last_event))
        return {
            "id": row.served_uuid or row.run_id,
            "createdAt": row.first_event,
            "updatedAt": row.last_event,
            "nominalStartTime": row.nominal_start,
            "nominalEndTime": row.nominal_end,
            "state": state.state,
            "startedAt": state.started_at,
            "endedAt": state.ended_at,
            "durationMs": state.duration_ms,
            "args": {},
            **self._met(run, row),
            "facets": {},
        }

    def _met(self, run: int, row: StoredRun) -> dict[str, Any]:
        """The version of the job and the versions that were read and written; of runs that told alike, made once."""
        # What is guessed of a run depends on when it ended.
        key = run if run in self.guessed else (
            row.job_id, row.location_digest, self.named.get(run, ""), self.told.get(run, "")
        )  # fmt: skip
        if key not in self._alike:
            inputs, outputs = self._version_lists(run)
            self._alike[key] = {
                "jobVersion": self.job_version(run),
                "inputDatasetVersions": inputs,
                "outputDatasetVersions": outputs,
            }
        return self._alike[key]

    def _seen(self, nodes: Sequence[int]) -> Sequence[int]:
        return nodes if self.sight.is_whole else [at for at in nodes if self.sight.sees(*self.names[at].order)]

    def _version_lists(self, run: int) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
        inputs, outputs = (
            [
                {"datasetVersionId": {**self.names[node].document(), "version": entity_uuid(digest)}, "facets": {}}
                for node in self._seen(nodes)
                for digest in self.versions_of(run, role, node)
            ]
            for role, nodes in enumerate(self.sides(run))
        )
        return inputs, outputs


def pairs_in(text: str) -> list[tuple[int, int]]:
    """The pairs of numbers that a text spells."""
    pairs = (part.partition(":") for part in text.split(",") if part)
    return [(int(first), int(second)) for first, _, second in pairs]


def job_version_digest(job: bytes, inputs: Sequence[bytes], outputs: Sequence[bytes], location: str | None) -> bytes:
    """SHA-256 of what makes a version of a job: its identity, what a run of it read and wrote, where its code lay.

    The four stand in a JSON list without spaces: the identities in hexadecimal, sorted where there are several.
    """
    parts = (f'"{job.hex()}"', _hexadecimal(inputs), _hexadecimal(outputs), json.dumps(location))
    return hashlib.sha256(f"[{','.join(parts)}]".encode("ascii")).digest()


def _hexadecimal(identities: Sequence[bytes]) -> str:
    """The identities as a sorted JSON list."""
    return "[" + ",".join([f'"{text}"' for text in sorted([identity.hex() for identity in identities])]) + "]"


def bare_version(dataset: bytes) -> bytes:
    """The version of a dataset of which no event told a schema, version or change (``lineage.facts.version_of``)."""
    parts = [dataset.hex(), None, None, None]
    return hashlib.sha256(json.dumps(parts, separators=(",", ":")).encode("ascii")).digest()


def read_runs(unit: Reader, runs: Sequence[int]) -> RunBatch:
    """The runs with these row ids and what lists show of them."""
    # A row of the driver looks its columns up by name each time that one is asked for.
    rows = map(StoredRun._make, _rows(unit, _run_rows(unit.dialect), runs))
    batch = RunBatch({row.id: row for row in rows})
    batch.sight = unit.sight
    asked, dialect = {"ids": id_list(unit.dialect, runs)}, unit.dialect
    named = _spelling(dialect, RunDatasetRow.run_id, RunDatasetRow.role, RunDatasetRow.node_id), asked
    told = _spelling(dialect, VersionUseRow.run_id, VersionUseRow.role, VersionUseRow.version_id), asked
    batch.named, batch.told = ({run: text for run, text in found} for found in answers(unit, named, told))  # noqa: C416 - a row is no pair to dict()
    nodes, versions = ({number for text in set(texts.values()) for _, number in pairs_in(text)}
                       for texts in (batch.named, batch.told))  # fmt: skip
    nodes |= {row.job_id for row in batch.rows.values()}
    ids = ({"ids": id_list(dialect, sorted(numbers))} for numbers in (nodes, versions))
    names, identities = answers(unit, *zip((_names(dialect), _version_rows(dialect)), ids, strict=True))
    batch.names = _named(names)
    batch.versions = {number: (node, identity) for number, node, identity in identities}
    _guess_versions(unit, batch)
    batch.locations = texts_by_digest(unit, {row.location_digest for row in batch.rows.values()})
    return batch


def node_names(unit: Reader, nodes: set[int]) -> dict[int, NodeName]:
    """Identity and names of each node."""
    return _named(_rows(unit, _names(unit.dialect), sorted(nodes)))


def _named(rows: Iterable[Sequence[Any]]) -> dict[int, NodeName]:
    return {number: NodeName(identity, namespace, name) for number, identity, namespace, name in rows}


def _rows(unit: Reader, query: Any, ids: Sequence[int]) -> Sequence[Any]:
    """What a query that is built once gives for the ids."""
    return unit.session.connection().execute(query, {"ids": id_list(unit.dialect, ids)}).all()


@cache
def _run_rows(dialect: str) -> Any:
    columns = [getattr(RunRow, name) for name in StoredRun._fields]
    return sa.select(*columns).where(listed(dialect, RunRow.id))


@cache
def _spelling(dialect: str, run: Any, role: Any, number: Any) -> Any:
    """The pairs of role and number of each run, spelled in one text."""
    pair = sa.cast(role, sa.Text) + ":" + sa.cast(number, sa.Text)
    joined = sa.func.string_agg(pair, ",") if dialect == "postgresql" else sa.func.group_concat(pair, ",")
    return sa.select(run, joined).where(listed(dialect, run)).group_by(run)


@cache
def _names(dialect: str) -> Any:
    query = sa.select(NodeRow.id, NodeRow.identity, NodeRow.namespace, NodeRow.name)
    return query.where(listed(dialect, NodeRow.id))


@cache
def _version_rows(dialect: str) -> Any:
    version = DatasetVersionRow
    return sa.select(version.id, version.node_id, version.identity).where(listed(dialect, version.id))


def _guess_versions(unit: Reader, batch: RunBatch) -> None:
    """Where a run said nothing of the version of a dataset, the newest told before it ended."""
    version, connection = DatasetVersionRow, unit.session.connection()
    alike: dict[tuple[str, str], list[int]] = {}
    for run, text in batch.named.items():
        alike.setdefault((text, batch.told.get(run, "")), []).append(run)
    silent = sorted(run for runs in alike.values() if _is_silent(batch, runs[0]) for run in runs)
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
        .where(among(unit, RunDatasetRow.run_id, silent))
    )
    for run, role, node, identity in connection.execute(mentioned).all():
        if identity is not None:
            batch.guessed.setdefault(run, {})[(role, node)] = identity


def _is_silent(batch: RunBatch, run: int) -> bool:
    """Whether the run named a dataset of which it told no version."""
    told = batch.told_by(run)
    return any((role, node) not in told for role, nodes in enumerate(batch.sides(run)) for node in nodes)


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
