"""What a mention of a job or dataset says, and what the facets of a run say, whichever event carries them. Pure.

Producers send the same facets with every run, so what is found once is remembered by their digests. Instants, stamps
and runs are the event's own; ``lineage.changes`` adds them.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from lineage.conformance import DEPLOYMENT, MODEL, PROVENANCE
from lineage.events import DatasetMention, JobMention
from lineage.facts import (
    dataset_type,
    erasure,
    facet_keys,
    job_type,
    nominal_times,
    parent_of,
    renamed_from,
    symlinks_of,
    version_of,
)
from lineage.identity import NodeKind, namespace_identity, node_identity
from lineage.labels import labels_in, source_in, tags_in
from lineage.memory import Memory

NO_FACETS = b"[[],[],[]]"
"""The keys of an entity without facets (``lineage.facts.facet_keys``)."""

LOCATION = "sourceCodeLocation"
"""Key of the facet that says where code lies."""

SORT_KEY = 200
"""Characters of a name that its index holds: even in four bytes each they fit what PostgreSQL indexes."""

MOST_BYTES = 8 * 1024
"""Of what says more nothing is remembered, so that memory does not depend on what producers send."""

_NAMELESS = (None, None)


@dataclass(frozen=True, slots=True)
class Content:
    """Bytes that are stored once, and their SHA-256."""

    digest: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class Saying:
    """What a mention says of a job or dataset.

    ``node`` are the columns of its node without instants, its stamps null; ``stamped`` names those stamps that the
    event sets. ``version`` is the row of the version that it tells, without stamps. ``aliases`` is null where nothing
    is said of other names. ``has_facts`` says that an ``assay_provenance`` or ``assay_model`` facet came,
    ``tells_flow`` that a facet speaks of data flow.
    """

    node: Mapping[str, Any]
    stamped: tuple[str, ...]
    keys: Content | None
    labels: tuple[tuple[str, Content | None], ...]
    tags: tuple[str, ...]
    source: tuple[str, str | None] | None
    tells_flow: bool
    version: Mapping[str, Any] | None = None
    aliases: tuple[tuple[str, str], ...] | None = None
    previous: tuple[str, str] | None = None
    erased: str | None = None
    has_facts: bool = False

    @property
    def identity(self) -> bytes:
        """The 32 bytes that stand for the node."""
        identity: bytes = self.node["identity"]
        return identity

    @property
    def location(self) -> bytes | None:
        """The digest of the text that says where code lies."""
        return next((text.digest for key, text in self.labels if key == LOCATION and text is not None), None)

    def size(self) -> int:
        """Bytes of its contents."""
        texts = sum(len(text.content) for _, text in self.labels if text is not None)
        fields = self.version["fields"] if self.version is not None else None
        names = sum(map(len, self.tags)) + sum(len(name) for pair in self.aliases or () for name in pair)
        return texts + names + len(fields or b"") + (len(self.keys.content) if self.keys else 0)


@dataclass(frozen=True, slots=True)
class RunSaying:
    """What the facets of a run say: their keys, its parent, its nominal times; and whether it is a deployment."""

    keys: Content
    parent: tuple[str | None, str, str] | None
    nominal: tuple[datetime | None, datetime | None] | None
    is_deployment: bool


_SAYINGS: Memory[Saying] = Memory(4096)
_RUNS: Memory[RunSaying] = Memory(4096)


def job_saying(mention: JobMention) -> Saying:
    """What the mention of a job says."""
    identity = node_identity("job", mention.namespace, mention.name)
    key = (identity, mention.digest)
    known = None if mention.digest is None else _SAYINGS.get(key)
    if known is None:
        known = _of_job(mention)
        if mention.digest is not None and known.size() <= MOST_BYTES:
            _SAYINGS.keep(key, known)
    return known


def dataset_saying(mention: DatasetMention) -> Saying:
    """What the mention of a dataset says."""
    identity = node_identity("dataset", mention.namespace, mention.name)
    key = (identity, mention.digest, mention.role_digest)
    is_known = mention.digest is not None and (mention.role_digest is not None or not mention.role_facets)
    known = _SAYINGS.get(key) if is_known else None
    if known is None:
        known = _of_dataset(mention, identity)
        if is_known and known.size() <= MOST_BYTES:
            _SAYINGS.keep(key, known)
    return known


def run_saying(facets: Mapping[str, Any], digest: bytes | None) -> RunSaying:
    """What the facets of a run say; ``digest`` is theirs (``lineage.events.digest_of``)."""
    known = None if digest is None else _RUNS.get(digest)
    if known is None:
        keys = content_of(facet_keys(facets, {}) or NO_FACETS)
        known = RunSaying(keys, parent_of(facets), nominal_times(facets), DEPLOYMENT in facets)
        if digest is not None and len(keys.content) <= MOST_BYTES:
            _RUNS.keep(digest, known)
    return known


def node_columns(kind: NodeKind, namespace: str, name: str) -> dict[str, Any]:
    """The columns of a node of which nothing but its names is known, without instants."""
    return {
        "identity": node_identity(kind, namespace, name),
        "kind": kind,
        "namespace": namespace,
        "name": name,
        "namespace_id": namespace_identity(namespace),
        "sort_key": name[:SORT_KEY],
        "type": None,
        "subtype": None,
        "type_stamp": None,
        "explicit_since": None,
        "version_identity": None,
        "version_stamp": None,
        "schema_identity": None,
        "schema_stamp": None,
    }


def _of_job(mention: JobMention) -> Saying:
    node = node_columns("job", mention.namespace, mention.name)
    node["type"], node["subtype"] = types = job_type(mention.facets)
    return Saying(
        node=node,
        stamped=() if types == _NAMELESS else ("type_stamp",),
        keys=_keys(mention.facets, {}),
        tells_flow="lineage" in mention.facets,
        **_labels(mention.facets),
    )


def _of_dataset(mention: DatasetMention, identity: bytes) -> Saying:
    facets = mention.facets
    node = node_columns("dataset", mention.namespace, mention.name)
    node["type"], node["subtype"] = types = dataset_type(facets)
    version = version_of(mention, identity)
    has_schema = version is not None and version["fields"] is not None
    node["version_identity"] = None if version is None else version["identity"]
    node["schema_identity"] = node["version_identity"] if has_schema else None
    told = {"type_stamp": types != _NAMELESS, "version_stamp": version is not None, "schema_stamp": has_schema}
    aliases = symlinks_of(mention)
    return Saying(
        node=node,
        stamped=tuple(name for name, is_told in told.items() if is_told),
        keys=_keys(facets, mention.role_facets),
        tells_flow="lineage" in facets or "columnLineage" in facets,
        version=version,
        aliases=None if aliases is None else tuple(aliases),
        previous=renamed_from(facets),
        erased=erasure(facets),
        has_facts=PROVENANCE in facets or MODEL in facets,
        **_labels(facets),
    )


def _labels(facets: Mapping[str, Any]) -> dict[str, Any]:
    """The labels that the facets set or delete, the tags they name, and the source of data."""
    labels = dict(labels_in(facets))
    name, uri = source_in(labels.get("dataSource"))
    return {
        "labels": tuple((key, None if text is None else content_of(text)) for key, text in labels.items()),
        "tags": tuple(dict.fromkeys(name for _, name, _ in tags_in(labels.get("tags")))),
        "source": None if name is None else (name, uri),
    }


def _keys(facets: Mapping[str, Any], role_facets: Mapping[str, Any]) -> Content | None:
    keys = facet_keys(facets, role_facets)
    return None if keys is None else content_of(keys)


def content_of(content: bytes) -> Content:
    """The content with its digest."""
    return Content(hashlib.sha256(content).digest(), content)
