"""Search over datasets and jobs by names, fields, descriptions, tags and owners.

What is asked is literal text: it is cut into words like what is stored, and no character of it is an operator. Every
word must be found; the last one also as the beginning of a word.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import sqlalchemy as sa

from governance.clock import rfc3339
from governance.database import UTCDateTime
from governance.errors import InputRefused
from lineage.aliases import Aliases, renamed_away
from lineage.descriptions import described_fields
from lineage.fact_tables import SearchRow
from lineage.identity import NodeKind
from lineage.links import is_hidden
from lineage.marks import Marks, marks_of
from lineage.reading import Reader, among, nodes_by_id, seen, visible
from lineage.records import newest_fields
from lineage.search_index import WEIGHTS, key_of, named_fields, words_table
from lineage.tables import NodeRow
from lineage.words import asked_words, exact_word, is_spaceless, words_of

Sort = Literal["relevance", "name", "updated_at"]
Asked = Sequence[tuple[tuple[str, ...], str]]

MAX_LIMIT = 1_000
_MOST_WORDS = 64
_SHOWN_FIELDS = 10
_TIERS = ("a", "ab", "abc")
"""Weights in which every word must be found for a hit to come before those of the next; the rest come last."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What is asked. Of each list a node has one of the values; a list without values leaves nothing out.

    ``types`` are types or subtypes. ``tags`` are keys, or ``key=value``, of the node or one of its fields. ``after``
    and ``before`` bound when the node was last seen: at or after, and before.
    """

    text: str = ""
    kinds: tuple[NodeKind, ...] = ()
    namespaces: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    owners: tuple[str, ...] = ()
    after: datetime | None = None
    before: datetime | None = None
    sort: Sort = "relevance"
    limit: int = 100
    cursor: str | None = None


@dataclass(frozen=True, slots=True)
class SearchHit:
    """A node that was found. ``fields`` are some of those that hold an asked word; ``canonical`` its other name.

    ``row_id`` is for questions within lineage only.
    """

    row_id: int
    kind: NodeKind
    type: str | None
    subtype: str | None
    namespace: str
    name: str
    updated_at: datetime | None
    marks: Marks
    fields: tuple[str, ...]
    canonical: tuple[str, str] | None


@dataclass(frozen=True, slots=True)
class SearchPage:
    """A page of hits, how many there are in all, and where the next page begins; None after the last."""

    hits: tuple[SearchHit, ...]
    total: int
    next_cursor: str | None


def search(unit: Reader, query: SearchQuery) -> SearchPage:
    """The nodes that match, a page of them. Hidden and renamed nodes are not found, by the new name of these they are.

    Raises:
        InputRefused: the cursor is not one that this question gave.
    """
    asked = asked_words(query.text)[:_MOST_WORDS]
    if query.text.strip() and not asked:
        return SearchPage((), 0, None)
    found = [*_matching(unit.dialect, query, asked), *seen(unit)]
    order = _order(unit.dialect, query.sort, asked)
    page = sa.select(NodeRow.id, *order).where(*found).limit(min(query.limit, MAX_LIMIT) + 1)
    is_descending = query.sort == "updated_at"
    page = page.order_by(*(column.desc() if is_descending else column for column in order))
    if query.cursor is not None:
        last = sa.tuple_(*_values(query, order))
        page = page.where(sa.tuple_(*order) < last if is_descending else sa.tuple_(*order) > last)
    rows = unit.session.connection().execute(page).all()
    total = unit.session.connection().scalar(sa.select(sa.func.count()).select_from(NodeRow).where(*found)) or 0
    shown = rows[: min(query.limit, MAX_LIMIT)]
    more = _cursor(query, shown[-1][1:]) if len(rows) > len(shown) and shown else None
    return SearchPage(_hits(unit, [row[0] for row in shown], asked), total, more)


def _matching(dialect: str, query: SearchQuery, asked: Asked) -> list[sa.ColumnElement[bool]]:
    """The conditions of a hit."""
    found = [
        NodeRow.first_seen.is_not(None),
        ~is_hidden(),
        NodeRow.id.not_in(renamed_away()),
    ]
    exact = [[exact_word("tag", tag) for tag in query.tags], [exact_word("owner", owner) for owner in query.owners]]
    exact = [words for words in exact if words]
    if asked or exact:
        found.append(NodeRow.id.in_(_match(dialect, asked, WEIGHTS, exact)))
    if query.kinds:
        found.append(NodeRow.kind.in_(query.kinds))
    if query.namespaces:
        found.append(NodeRow.namespace.in_(query.namespaces))
    if query.types:
        wanted = [name.upper() for name in query.types]
        found.append(sa.or_(*(sa.func.upper(column).in_(wanted) for column in (NodeRow.type, NodeRow.subtype))))
    if query.after is not None:
        found.append(NodeRow.last_seen >= query.after)
    if query.before is not None:
        found.append(NodeRow.last_seen < query.before)
    return found


def _match(dialect: str, asked: Asked, weights: str, exact: Sequence[Sequence[str]] = ()) -> sa.Select[Any]:
    """The ids of nodes with every asked word in texts of these weights, and one word of each exact list."""
    table = words_table(dialect)
    if dialect == "sqlite":
        text = " AND ".join(_fts5(parts, whole, place == len(asked) - 1) for place, (parts, whole) in enumerate(asked))
        parts = [f"{{{' '.join(weights)}}} : ({text})"] if asked else []
        parts += ["(" + " OR ".join(f'"{word}"' for word in words) + ")" for words in exact]
        matches = sa.literal_column("lineage_search_words").op("MATCH")(" AND ".join(parts))
        return sa.select(key_of(table)).where(matches)
    of = "" if weights == WEIGHTS else weights.upper()
    parts = [_tsquery(parts, whole, place == len(asked) - 1, of) for place, (parts, whole) in enumerate(asked)]
    parts += ["(" + " | ".join(f"'{word}'" for word in words) + ")" for words in exact]
    matches = sa.column("words").op("@@")(sa.cast(" & ".join(parts), sa.dialects.postgresql.TSQUERY))
    return sa.select(key_of(table)).where(matches)


def _fts5(parts: Sequence[str], whole: str, is_last: bool) -> str:
    """The parts of one run, or the run as a whole, in the language of FTS5; a word holds no quotes."""

    def spelled(word: str, may_go_on: bool) -> str:
        return f'"{word}" *' if may_go_on or is_spaceless(word) else f'"{word}"'

    each = " AND ".join(spelled(part, is_last and place == len(parts) - 1) for place, part in enumerate(parts))
    return f"(({each}) OR {spelled(whole, is_last)})" if len(parts) > 1 else f"({each})"


def _tsquery(parts: Sequence[str], whole: str, is_last: bool, weights: str) -> str:
    """As ``_fts5``, in the language of PostgreSQL."""

    def spelled(word: str, may_go_on: bool) -> str:
        marks = ("*" if may_go_on or is_spaceless(word) else "") + weights
        return f"'{word}':{marks}" if marks else f"'{word}'"

    each = " & ".join(spelled(part, is_last and place == len(parts) - 1) for place, part in enumerate(parts))
    return f"(({each}) | {spelled(whole, is_last)})" if len(parts) > 1 else f"({each})"


def _order(dialect: str, sort: Sort, asked: Asked) -> list[Any]:
    """What the hits are sorted by; the row id makes it one order."""
    name: Any = NodeRow.sort_key if dialect == "sqlite" else sa.collate(NodeRow.sort_key, "C")
    if sort == "updated_at":
        return [NodeRow.last_seen, NodeRow.id]
    if sort == "name" or not asked:
        return [name, NodeRow.id]
    tiers = [(NodeRow.id.in_(_match(dialect, asked, weights)), place) for place, weights in enumerate(_TIERS)]
    return [sa.case(*tiers, else_=len(_TIERS)), sa.func.length(NodeRow.sort_key), name, NodeRow.id]


def _question(query: SearchQuery) -> str:
    """What a cursor belongs to: the question without its page."""
    asked = [query.text, query.kinds, query.namespaces, query.types, query.tags, query.owners, query.sort]
    times = [None if moment is None else rfc3339(moment) for moment in (query.after, query.before)]
    return hashlib.sha256(json.dumps([asked, times]).encode("ascii")).hexdigest()[:16]


def _cursor(query: SearchQuery, values: Sequence[Any]) -> str:
    plain = [rfc3339(value) if isinstance(value, datetime) else value for value in values]
    return base64.urlsafe_b64encode(json.dumps([_question(query), *plain]).encode("ascii")).decode().rstrip("=")


def _values(query: SearchQuery, order: Sequence[Any]) -> list[Any]:
    """The values in a cursor, each as the column it is compared with."""
    given = query.cursor or ""
    try:
        question, *values = json.loads(base64.urlsafe_b64decode(given + "=" * (-len(given) % 4)))
    except (binascii.Error, ValueError, TypeError):
        question, values = None, []
    kinds = [str if query.sort == "updated_at" and place == 0 else None for place in range(len(values))]
    if question != _question(query) or len(values) != len(order):
        raise InputRefused(
            expected="the next_cursor of an answer to the same question",
            found=given[:80],
            remedy="Ask for the first page again.",
            pointer="cursor",
        )
    return [
        sa.literal(datetime.fromisoformat(value), UTCDateTime) if kind is str else sa.literal(value)
        for kind, value in zip(kinds, values, strict=True)
    ]


def _hits(unit: Reader, ids: Sequence[int], asked: Asked) -> tuple[SearchHit, ...]:
    rows, marks, fields = nodes_by_id(unit, ids), marks_of(unit, ids), newest_fields(unit, ids)
    query = sa.select(SearchRow.node_id, SearchRow.parts).where(among(unit, SearchRow.node_id, ids))
    named = {node: named_fields(parts) for node, parts in unit.session.connection().execute(query)}
    canonical = Aliases(unit).canonical(ids)
    others = nodes_by_id(unit, sorted(visible(unit, set(canonical.values()))))
    hits = []
    for node in ids:
        known = dict.fromkeys([path for path, _, _ in described_fields(fields.get(node))] + [*named.get(node, ())])
        row, other = rows[node], others.get(canonical.get(node, 0))
        hits.append(
            SearchHit(
                row_id=node,
                kind="job" if row.kind == "job" else "dataset",
                type=row.type,
                subtype=row.subtype,
                namespace=row.namespace,
                name=row.name,
                updated_at=row.last_seen,
                marks=marks[node],
                fields=tuple(path for path in known if _holds(path, asked))[:_SHOWN_FIELDS],
                canonical=None if other is None else (other.namespace, other.name),
            )
        )
    return tuple(hits)


def _holds(text: str, asked: Asked) -> bool:
    """Whether the text holds one of the runs that were asked for."""
    words = words_of(text)
    return any(
        any(word.startswith(whole) for word in words)
        or all(any(word.startswith(part) for word in words) for part in parts)
        for parts, whole in asked
    )
