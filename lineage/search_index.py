"""The index of search: what a node is found by, kept up to date in the transaction that changes it.

The words are cut by ``lineage.words``, so that SQLite (FTS5) and PostgreSQL (tsvector) find the same. Weights: A the
name, B namespace, other names, tags and owners, C fields, D descriptions.
"""

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import aliased

from governance.database import Unit
from lineage.changes import Changes
from lineage.fact_tables import LabelRow, RenameRow, SearchRow, SymlinkRow, TextRow
from lineage.labels import description_in, owners_in, tags_in
from lineage.mapping import pair_index
from lineage.reading import among, id_list, listed
from lineage.search_parts import LABELLED, Known, Parts, Told, schema_digest, suspects_of
from lineage.store import chunks
from lineage.tables import ActionRow, DatasetVersionRow, FlowEdgeRow, MappingRow, NodeRow
from lineage.words import exact_word, weighed

WEIGHTS = "abcd"
MOST_BYTES = 400_000
"""Of the words of one node; PostgreSQL refuses a vector of a mebibyte."""

_CHUNK = 500  # nodes that are made anew at a time


@dataclass
class _Found:
    """What a node is found by, while it is gathered; texts by their weight."""

    parts: Parts
    texts: dict[str, list[str]] = field(default_factory=lambda: {weight: [] for weight in WEIGHTS})
    exact: set[str] = field(default_factory=set)

    def digest(self) -> bytes:
        document = [[sorted(set(self.texts[weight])) for weight in WEIGHTS], sorted(self.exact)]
        return hashlib.sha256(json.dumps(document, separators=(",", ":")).encode("ascii")).digest()

    def words(self) -> dict[str, list[str]]:
        """The words of each weight."""
        by_weight: dict[str, list[str]] = {weight: [] for weight in WEIGHTS}
        for word, weight in weighed(self.texts.items(), MOST_BYTES).items():
            by_weight[weight].append(word)
        by_weight["d"] += sorted(self.exact)
        return by_weight


def index_changes(unit: Unit, changes: Changes, nodes: Mapping[bytes, int]) -> None:
    """Bring the index up to date with a batch that has just been written; most batches change nothing in it."""
    told = Told.of(changes, nodes)
    if not told.renamed:  # a name that was given up may concern nodes that the batch does not name
        told = told.only(suspects_of(unit, told))
    if told.nodes:
        index_nodes(unit, [known.node for known in _stored(unit, told) if told.differs(known)])


def index_all(unit: Unit) -> None:
    """Fill the index anew."""
    unit.session.execute(sa.delete(SearchRow))
    unit.session.execute(sa.text("DELETE FROM lineage_search_words"))
    ids = unit.session.scalars(sa.select(NodeRow.id).where(NodeRow.first_seen.is_not(None)).order_by(NodeRow.id)).all()
    for chunk in chunks(ids, _CHUNK):
        index_nodes(unit, chunk)


def index_nodes(unit: Unit, nodes: Collection[int]) -> None:
    """Make what the nodes are found by anew, and write it where it differs from what is stored."""
    for chunk in chunks(sorted(nodes), _CHUNK):
        # Whoever changes what a node is found by holds its row, so that two do not write half of it each.
        lock = sa.select(NodeRow.id).where(among(unit, NodeRow.id, chunk)).order_by(NodeRow.id).with_for_update()
        unit.session.execute(lock).all()
        found = _gather(unit, chunk)
        held = sa.select(SearchRow.node_id, SearchRow.digest, SearchRow.parts)
        rows = unit.session.connection().execute(held.where(among(unit, SearchRow.node_id, chunk)))
        stored = {node: (digest, parts) for node, digest, parts in rows}
        fresh = {node: (item.digest(), item.parts.spelled()) for node, item in found.items()}
        _write_rows(unit, {node: row for node, row in fresh.items() if stored.get(node) != row})
        _write_words(
            unit, {node: found[node] for node, row in fresh.items() if stored.get(node, (b"", b""))[0] != row[0]}
        )


@cache
def _label_ids(dialect: str) -> Any:
    """For the listed nodes: the labels in force, and for those of the second list the newest schema; built once."""
    labels = [
        sa.select(LabelRow.text_id)
        .where(LabelRow.node_id == NodeRow.id, LabelRow.key == key)
        .order_by(LabelRow.stamp.desc())
        .limit(1)
        .scalar_subquery()
        for key in LABELLED
    ]
    version = aliased(DatasetVersionRow)
    newest = (
        sa.select(version.fields)
        .where(version.node_id == NodeRow.id, version.fields.is_not(None))
        .order_by(version.last_stamp.desc(), version.identity)
        .limit(1)
    )
    schema = sa.case((listed(dialect, NodeRow.id, "schemas"), newest.scalar_subquery()), else_=None)
    return (
        sa.select(NodeRow.id, SearchRow.parts, schema, *labels)
        .outerjoin(SearchRow, SearchRow.node_id == NodeRow.id)
        .where(listed(dialect, NodeRow.id))
    )


def _stored(unit: Unit, told: Told) -> list[Known]:
    """What is stored of the nodes of a batch, and of those that were renamed from one of them later."""
    later = _renames(unit, told.renamed, RenameRow.old_id) if told.renamed else set()
    nodes = sorted({*told.nodes, *(carrier for carrier, _ in later)})
    told.linked.update(carrier for carrier, _ in later)
    return _known(unit, nodes, sorted(told.schemas), _aliases(unit, sorted(told.linked)))


def _renames(unit: Unit, nodes: Collection[int], column: Any) -> set[tuple[int, int]]:
    """(carrier, old name) over every rename that leads on from the nodes, where they stand in the column."""
    found: set[tuple[int, int]] = set()
    front = set(nodes)
    while front:
        query = sa.select(RenameRow.carrier_id, RenameRow.old_id).where(among(unit, column, sorted(front)))
        new = {(carrier, old) for carrier, old in unit.session.connection().execute(query)} - found
        found |= new
        front = {end for pair in new for end in pair}
    return found


def _known(
    unit: Unit, nodes: Sequence[int], schemas: Sequence[int], aliases: Mapping[int, tuple[int, ...]]
) -> list[Known]:
    parameters = {"ids": id_list(unit.dialect, nodes), "schemas": id_list(unit.dialect, schemas)}
    rows = unit.session.connection().execute(_label_ids(unit.dialect), parameters)
    return [
        Known(
            node=node,
            parts=None if parts is None else Parts.read(parts),
            labels=tuple(label or 0 for label in labels),
            schema=None if fields is None else schema_digest(fields),
            aliases=aliases.get(node, ()),
        )
        for node, parts, fields, *labels in rows
    ]


def _aliases(unit: Unit, nodes: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """The other names that each node lists now, and all that it had before."""
    if not nodes:
        return {}
    link, other = SymlinkRow, aliased(SymlinkRow)
    latest = sa.select(other.stamp).where(other.carrier_id == link.carrier_id).order_by(other.stamp.desc()).limit(1)
    listed_now = sa.select(link.carrier_id, link.alias_id).where(
        among(unit, link.carrier_id, nodes), link.alias_id != link.carrier_id, link.stamp == latest.scalar_subquery()
    )
    found: dict[int, set[int]] = defaultdict(set)
    for node, alias in unit.session.connection().execute(listed_now):
        found[node].add(alias)
    before: dict[int, set[int]] = defaultdict(set)
    for carrier, old in _renames(unit, nodes, RenameRow.carrier_id):
        before[carrier].add(old)
    for node in nodes:
        front = set(before[node])
        while front:
            found[node] |= front
            front = {old for name in front for old in before.get(name, ())} - found[node]
    return {node: tuple(sorted(others - {node})) for node, others in found.items()}


def _gather(unit: Unit, nodes: Sequence[int]) -> dict[int, _Found]:
    """What each of the nodes that events named is found by."""
    aliases = _aliases(unit, nodes)
    named = _named(unit, nodes)
    found = {
        known.node: _Found(Parts(known.labels, known.schema, known.aliases, tuple(sorted(named.get(known.node, ())))))
        for known in _known(unit, nodes, nodes, aliases)
    }
    wanted = sorted({*nodes, *(alias for others in aliases.values() for alias in others)})
    query = sa.select(NodeRow.id, NodeRow.namespace, NodeRow.name, NodeRow.first_seen)
    rows = unit.session.connection().execute(query.where(among(unit, NodeRow.id, wanted)))
    names = {node: (namespace, name, first_seen) for node, namespace, name, first_seen in rows}
    for node, item in found.items():
        namespace, name, _ = names[node]
        item.texts["a"].append(name)
        item.texts["b"] += [namespace, *(names[alias][1] for alias in item.parts.aliases)]
        item.texts["c"] += item.parts.named
    _add_fields(unit, found)
    _add_labels(unit, found)
    return {node: item for node, item in found.items() if names[node][2] is not None}


def _named(unit: Unit, nodes: Sequence[int]) -> dict[int, set[str]]:
    """The fields of each node that lineage facets name."""
    edge = FlowEdgeRow
    found: dict[int, set[str]] = defaultdict(set)
    for column, side in ((edge.source_id, "sources"), (edge.target_id, "targets")):
        query = (
            sa.select(column, MappingRow.content)
            .join(MappingRow, MappingRow.id == edge.mapping_id)
            .where(among(unit, column, nodes))
            .distinct()
        )
        for node, content in unit.session.connection().execute(query):
            found[node].update(getattr(pair_index(content), side).exact)
    return {node: paths - {""} for node, paths in found.items()}


def _add_fields(unit: Unit, found: Mapping[int, _Found]) -> None:
    """Paths and descriptions of the newest schema."""
    version, newer = DatasetVersionRow, aliased(DatasetVersionRow)
    newest = (
        sa.select(newer.id)
        .where(newer.node_id == NodeRow.id, newer.fields.is_not(None))
        .order_by(newer.last_stamp.desc(), newer.identity)
        .limit(1)
    )
    query = sa.select(NodeRow.id, version.fields).join(version, version.id == newest.scalar_subquery())
    for node, fields in unit.session.connection().execute(query.where(among(unit, NodeRow.id, list(found)))):
        for path, _, description in json.loads(fields or b"[]"):
            found[node].texts["c"].append(path)
            found[node].texts["d"] += [description] if description else []


def _add_labels(unit: Unit, found: Mapping[int, _Found]) -> None:
    """Tags, owners and the description in force; what operators set by hand holds whatever the events say."""
    texts = sorted({text for item in found.values() for text in item.parts.labels if text})
    query = sa.select(TextRow.id, TextRow.content).where(among(unit, TextRow.id, texts))
    contents: dict[int, bytes] = {}
    contents.update((number, content) for number, content in unit.session.connection().execute(query))
    by_hand = _by_hand(unit, list(found))
    for node, item in found.items():
        tags, owners, description = (contents.get(text) for text in item.parts.labels)
        acts = by_hand.get(node, {})
        told = {(path, key): value for path, key, value in tags_in(tags) if (path, key) not in acts}
        told.update((tag, None) for tag, is_set in acts.items() if is_set)
        for (_, key), value in told.items():
            item.texts["b"] += [key] if value in (None, "true") else [key, value]
            item.exact |= {exact_word("tag", text) for text in (key, f"{key}={value}")}
        for name, _ in owners_in(owners):
            item.texts["b"].append(name)
            item.exact.add(exact_word("owner", name))
        said = description_in(description)
        item.texts["d"] += [said] if said else []


def _by_hand(unit: Unit, nodes: Sequence[int]) -> dict[int, dict[tuple[str, str], bool]]:
    """Of each node the tags (field, key) that operators set or took away, and which of it they did last."""
    query = (
        sa.select(NodeRow.id, ActionRow.kind, ActionRow.content)
        .join(ActionRow, ActionRow.identity == NodeRow.identity)
        .where(among(unit, NodeRow.id, nodes), ActionRow.kind.in_(("tag.add", "tag.remove")))
        .order_by(ActionRow.id)
    )
    found: dict[int, dict[tuple[str, str], bool]] = defaultdict(dict)
    for node, kind, content in unit.session.connection().execute(query):
        act = json.loads(content)
        found[node][(act["field"], act["tag"])] = kind == "tag.add"
    return found


def _write_rows(unit: Unit, rows: Mapping[int, tuple[bytes, bytes]]) -> None:
    if not rows:
        return
    unit.session.execute(sa.delete(SearchRow).where(among(unit, SearchRow.node_id, list(rows))))
    values = [{"node_id": node, "digest": digest, "parts": parts} for node, (digest, parts) in rows.items()]
    unit.session.connection().execute(sa.insert(SearchRow), values)


def _write_words(unit: Unit, found: Mapping[int, _Found]) -> None:
    if not found:
        return
    connection = unit.session.connection()
    table = words_table(unit.dialect)
    connection.execute(sa.delete(table).where(among(unit, key_of(table), sorted(found))))
    if unit.dialect == "sqlite":
        rows: list[dict[str, Any]] = [
            {"rowid": node, **{weight: " ".join(words) for weight, words in item.words().items()}}
            for node, item in found.items()
        ]
        connection.execute(sa.insert(table), rows)
        return
    rows = [{"id": node, "words": _vector(item.words())} for node, item in found.items()]
    connection.execute(sa.insert(table), rows)


@cache
def words_table(dialect: str) -> sa.TableClause:
    """The index itself: a virtual table on SQLite, a table with a vector on PostgreSQL."""
    if dialect == "sqlite":
        texts = [sa.column(weight, sa.Text) for weight in WEIGHTS]
        return sa.table("lineage_search_words", sa.column("rowid", sa.BigInteger), *texts)
    return sa.table("lineage_search_words", sa.column("id", sa.BigInteger), sa.column("words", postgresql.TSVECTOR))


def key_of(table: sa.TableClause) -> sa.ColumnElement[int]:
    """The column of the index that holds the node's row id."""
    column: sa.ColumnElement[int] = next(iter(table.c))
    return column


def named_fields(parts: bytes) -> tuple[str, ...]:
    """The fields that lineage facets name, from ``SearchRow.parts``."""
    return Parts.read(parts).named


def _vector(by_weight: Mapping[str, Sequence[str]]) -> str:
    """The words as PostgreSQL reads a vector: each with its weight; they hold neither quotes nor backslashes."""
    return " ".join(f"'{word}':1{weight.upper()}" for weight, words in by_weight.items() for word in words)
