"""The index of search: what a node is found by, kept up to date in the transaction that changes it.

The words are cut by ``lineage.words``, so that SQLite (FTS5) and PostgreSQL (tsvector) find the same. Weights: A the
name, B namespace, other names, tags and owners, C fields, D descriptions.
"""

import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql

from governance.bulk import insert_rows
from governance.database import Unit
from lineage.changes import Changes
from lineage.fact_tables import SearchRow
from lineage.labels import description_in, owners_in, tags_in
from lineage.reading import among
from lineage.search_lookups import (
    Names,
    Rare,
    aliases_of,
    held,
    known_of,
    named_fields_of,
    names_of,
    renames_of,
    tags_by_hand,
    texts_of,
)
from lineage.search_parts import Known, Parts, Told, suspects_of
from lineage.store import chunks
from lineage.tables import NodeRow
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
    new: set[int] = set()
    if not told.renamed:  # a name that was given up may concern nodes that the batch does not name
        new, suspects = suspects_of(unit, told)
        told = told.only(suspects)
    stale = [known.node for known in _stored(unit, told) if told.differs(known)] if told.nodes else []
    index_nodes(unit, {*new, *stale})


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
        names, rare, rows = held(unit, chunk)
        aliases = aliases_of(unit, chunk) if rare.aliases else {}
        others = {other for listed in aliases.values() for other in listed} - names.keys()
        known = [replace(row, aliases=aliases.get(row.node, ())) for row in rows]
        found = _gather(unit, known, {**names, **names_of(unit, sorted(others))}, rare)
        _write(unit, found, {item.node: (item.digest, item.parts) for item in known if item.parts is not None})


def _write(unit: Unit, found: Mapping[int, _Found], stored: Mapping[int, tuple[bytes | None, Parts]]) -> None:
    """Write what the nodes are found by where it is not what is stored."""
    fresh = {node: (item.digest(), item.parts) for node, item in found.items()}
    changed = {node: row for node, row in fresh.items() if stored.get(node) != row}
    _write_rows(unit, changed, [node for node in changed if node in stored])
    anew = {node: found[node] for node, row in changed.items() if node not in stored or stored[node][0] != row[0]}
    _write_words(unit, anew, [node for node in anew if node in stored])


def _stored(unit: Unit, told: Told) -> list[Known]:
    """What is stored of the nodes of a batch, and of those that were renamed from one of them later."""
    later = renames_of(unit, told.renamed, leads=True)
    nodes = sorted({*told.nodes, *(carrier for carrier, _ in later)})
    told.linked.update(carrier for carrier, _ in later)
    return known_of(unit, nodes, sorted(told.schemas), aliases_of(unit, sorted(told.linked)))


def _gather(unit: Unit, known: Sequence[Known], names: Names, rare: Rare) -> dict[int, _Found]:
    """What each of the nodes that events named is found by."""
    nodes = [item.node for item in known]
    named = named_fields_of(unit, nodes) if rare.fields else {}
    found: dict[int, _Found] = {}
    for item in known:
        parts = Parts(item.labels, item.schema, item.aliases, tuple(sorted(named.get(item.node, ()))))
        namespace, name, is_entity = names[item.node]
        if is_entity:
            found[item.node] = of = _Found(parts)
            of.texts["a"].append(name)
            of.texts["b"] += [namespace, *(names[alias][1] for alias in parts.aliases)]
            of.texts["c"] += parts.named
            _add_fields(of, item.fields)
    _add_labels(unit, found, tags_by_hand(unit, list(found)) if rare.tags else {})
    return found


def _add_fields(found: _Found, fields: bytes | None) -> None:
    """Paths and descriptions of the newest schema."""
    for path, _, description in json.loads(fields or b"[]"):
        found.texts["c"].append(path)
        found.texts["d"] += [description] if description else []


def _add_labels(unit: Unit, found: Mapping[int, _Found], by_hand: Mapping[int, Mapping[tuple[str, str], bool]]) -> None:
    """Tags, owners and the description in force; what operators set by hand holds whatever the events say."""
    contents = texts_of(unit, sorted({text for item in found.values() for text in item.parts.labels if text}))
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


def _write_rows(unit: Unit, rows: Mapping[int, tuple[bytes, Parts]], old: Sequence[int]) -> None:
    """Write the rows, where those of ``old`` stand."""
    if old:
        unit.session.execute(sa.delete(SearchRow).where(among(unit, SearchRow.node_id, old)))
    columns = (list(rows), [digest for digest, _ in rows.values()], [parts.spelled() for _, parts in rows.values()])
    insert_rows(unit, SearchRow.__table__, ("node_id", "digest", "parts"), columns)


def _write_words(unit: Unit, found: Mapping[int, _Found], old: Sequence[int]) -> None:
    """Write the words, where those of ``old`` stand."""
    table, dialect = words_table(unit.dialect), unit.dialect
    connection = unit.session.connection()
    if old:
        connection.execute(sa.delete(table).where(among(unit, key_of(table), old)))
    if not found:
        return
    if dialect == "postgresql":
        insert_rows(unit, table, ("id", "words"), (list(found), [_vector(item.words()) for item in found.values()]))
        return
    rows: list[dict[str, Any]] = [
        {"rowid": node, **{weight: " ".join(words) for weight, words in item.words().items()}}
        for node, item in found.items()
    ]
    connection.execute(_insert_words(dialect), rows)


@cache
def _insert_words(dialect: str) -> sa.Insert:
    return sa.insert(words_table(dialect))


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
