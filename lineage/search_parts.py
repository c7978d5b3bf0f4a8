"""What a batch of events tells that a node may be found by anew, against what the index was made from."""

import hashlib
import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache

from governance.database import Unit
from lineage.changes import Changes
from lineage.fact_tables import SearchRow
from lineage.mapping import pair_index
from lineage.merging import Rules
from lineage.rules import FLOW_EDGES, LABELS, MAPPINGS, NODES, RENAMES, SYMLINKS, TEXTS, VERSIONS
from lineage.writing import ids_of, looked_up

LABELLED = ("tags", "ownership", "documentation")
"""Keys of the labels that a node is found by."""

_SEARCH = Rules(SearchRow, ("node_id",))


@dataclass(frozen=True, slots=True)
class Parts:
    """From which rows a node's words were made."""

    labels: tuple[int, ...] = ()
    schema: str | None = None
    aliases: tuple[int, ...] = ()
    named: tuple[str, ...] = ()

    def spelled(self) -> bytes:
        """The parts as they are stored."""
        return json.dumps([self.labels, self.schema, self.aliases, self.named], separators=(",", ":")).encode("ascii")

    @staticmethod
    @lru_cache(maxsize=8192)
    def read(spelled: bytes) -> "Parts":
        """The parts as they were spelled; those of a node come with every event that names it."""
        labels, schema, aliases, named = json.loads(spelled)
        return Parts(tuple(labels), schema, tuple(aliases), tuple(named))


def schema_digest(fields: bytes) -> str:
    """What a stored schema is known by."""
    return hashlib.sha256(fields).hexdigest()


@dataclass(frozen=True)
class Told:
    """What a batch tells that may change the index, by row ids."""

    nodes: list[int]
    labels: dict[int, set[tuple[int, bytes | None]]]
    schemas: dict[int, set[str | None]]
    linked: set[int]
    renamed: set[int]
    named: dict[int, set[str]]

    @staticmethod
    def of(changes: Changes, nodes: Mapping[bytes, int]) -> "Told":
        """What the rows of the batch tell; ``nodes`` are the row ids of its nodes."""
        contents = {row["digest"]: row["content"] for row in changes.of(MAPPINGS)}
        named: dict[int, set[str]] = defaultdict(set)
        for row in changes.of(FLOW_EDGES):
            if row["mapping_id"] is not None and row["mapping_id"] in contents:
                for pair in pair_index(contents[row["mapping_id"]]).sources.every:
                    named[nodes[row["source_id"]]].add(pair.source)
                    named[nodes[row["target_id"]]].add(pair.target)
        labels: dict[int, set[tuple[int, bytes | None]]] = defaultdict(set)
        for row in changes.of(LABELS):
            if row["key"] in LABELLED:
                labels[nodes[row["node_id"]]].add((LABELLED.index(row["key"]), row["text_id"]))
        schemas: dict[int, set[str | None]] = defaultdict(set)
        for row in changes.of(VERSIONS):
            if row["fields"] is not None:
                schemas[nodes[row["node_id"]]].add(schema_digest(row["fields"]))
        return Told(
            nodes=sorted(nodes[row["identity"]] for row in changes.of(NODES) if row["first_seen"] is not None),
            labels=labels,
            schemas=schemas,
            linked={nodes[row["carrier_id"]] for rules in (SYMLINKS, RENAMES) for row in changes.of(rules)},
            renamed={nodes[row["carrier_id"]] for row in changes.of(RENAMES)},
            named={node: paths - {""} for node, paths in named.items()},
        )

    def only(self, nodes: set[int]) -> "Told":
        """What is told of these nodes."""
        schemas = {node: digests for node, digests in self.schemas.items() if node in nodes}
        return replace(self, nodes=sorted(nodes.intersection(self.nodes)), schemas=schemas)

    def differs(self, known: "Known") -> bool:
        """Whether what the node is found by may have changed."""
        parts = known.parts
        return (
            parts is None
            or known.labels != parts.labels
            or (known.schema is not None and known.schema != parts.schema)
            or (known.node in self.linked and known.aliases != parts.aliases)
            or not self.named.get(known.node, set()) <= set(parts.named)
        )


@dataclass(frozen=True, slots=True)
class Known:
    """From which rows the index of a node was made, and which it would be made from now.

    ``digest`` is that of what the node is found by, ``fields`` its newest schema where that was asked for.
    """

    node: int
    parts: Parts | None
    labels: tuple[int, ...]
    schema: str | None
    aliases: tuple[int, ...]
    digest: bytes | None
    fields: bytes | None


def suspects_of(unit: Unit, told: "Told") -> tuple[set[int], set[int]]:
    """The nodes of the batch that are not in the index, and those in it about which the batch may tell something new.

    The index holds what is in force. Who tells a schema again that the index was made from leaves it in force, so what
    most events tell needs no look at what other events told.
    """
    held = {node: Parts.read(parts) for node, parts in looked_up(unit, _SEARCH, ("node_id", "parts"), told.nodes)}
    texts = ids_of(unit, TEXTS, sorted({text for labels in told.labels.values() for _, text in labels if text}))
    new = {node for node in told.nodes if node not in held}
    suspects = told.linked - new
    for node, parts in held.items():
        labels = {(place, texts[text] if text else 0) for place, text in told.labels.get(node, ())}
        is_known = (
            told.schemas.get(node, set()) <= {parts.schema}
            and labels <= set(enumerate(parts.labels))
            and told.named.get(node, set()) <= set(parts.named)
        )
        if not is_known:
            suspects.add(node)
    return new, suspects
