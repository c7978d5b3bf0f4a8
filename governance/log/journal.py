"""The log in its tables: append, prove, read and recompute. Signing what it says is ``publish``'s part."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain

import sqlalchemy as sa

from governance.bulk import insert_rows
from governance.database import ReadUnit, Unit
from governance.errors import InputRefused, NotFound, TooLarge
from governance.log.merkle import (
    Node,
    append_nodes,
    consistency_ranges,
    cover,
    fold,
    frontier,
    inclusion_ranges,
    leaf_hash,
)
from governance.log.tables import LogCheckpointRow, LogEntryRow, LogNodeRow
from governance.sending import Statement, send, send_later

MAX_LEAF_BYTES = 64 * 1024
"""Leaves carry digests and signatures; payloads lie in the artifact store, so that they can be erased."""

SEQUENCER = 0x6C6F67
"""Advisory lock of whoever appends on PostgreSQL; any number that nothing else in the database uses."""

CHECK_LEAVES = 4096
"""Leaves recomputed at a time: bounded memory, and few queries."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """One record of the log. ``kind`` says how to read ``body`` (``event``, ``decision``); only ``body`` is hashed."""

    kind: str
    body: bytes


def lock(unit: Unit) -> None:
    """Become the one that appends until the unit ends; waits for whoever is.

    A writing unit on SQLite already is the only one. On PostgreSQL the lock is kept until commit, so that indexes have
    no gaps and nobody reads a size that a neighbour is about to use.
    """
    if unit.dialect == "postgresql":
        send_later(unit.session.connection(), Statement(f"SELECT pg_advisory_xact_lock({SEQUENCER})"))


def append(unit: Unit, leaves: Sequence[Leaf]) -> range:
    """Append the leaves in order, in the transaction of the rows they prove; their indexes.

    Raises:
        TooLarge: a leaf is larger than ``MAX_LEAF_BYTES``; nothing is appended.
    """
    for number, leaf in enumerate(leaves):
        if len(leaf.body) > MAX_LEAF_BYTES:
            raise TooLarge(
                expected=f"a leaf of at most {MAX_LEAF_BYTES} bytes",
                found=f"{len(leaf.body)} bytes of kind {leaf.kind}",
                remedy="Log the digest of the content and keep the content in the artifact store.",
                pointer=f"/{number}",
            )
    lock(unit)
    if not leaves:
        start = size(unit)
        return range(start, start)
    start, known = _edge(unit)
    made = append_nodes(start, known, [leaf_hash(leaf.body) for leaf in leaves])
    _store(unit, start, leaves, made)
    return range(start, start + len(leaves))


def _edge(unit: Unit) -> tuple[int, dict[Node, bytes]]:
    """How many leaves the log has, and the kept hashes that the next leaf may combine with."""
    if unit.dialect == "sqlite":
        start = size(unit)
        return start, _nodes(unit, frontier(start))
    (rows,) = send(unit.session.connection(), Statement(_EDGE))
    return rows[0][0], {(level, position): value for _, level, position, value in rows if value is not None}


# Every statement is a round trip, and while one appends all others wait: so size and frontier are asked for at once,
# and leaves and hashes stored at once. The right edge of a tree of n leaves has a complete subtree for each bit of n.
_EDGE = """
SELECT log.size, node.level, node.position, node.hash
FROM (SELECT coalesce(max(leaf_index) + 1, 0) AS size FROM log_entry) AS log
LEFT JOIN LATERAL generate_series(0, 62) AS bit ON (log.size >> bit) & 1 = 1
LEFT JOIN log_node AS node ON node.level = bit AND node.position = (log.size >> bit) - 1
"""

# Hashes travel as one run of bytes, since an array is spelled element by element.
_STORE = """
WITH entry AS (
    INSERT INTO log_entry (leaf_index, kind, leaf, recorded_at)
    SELECT %(start)b::bigint + place - 1, kind, leaf, %(now)b
    FROM unnest(%(kinds)b::text[], %(leaves)b::bytea[]) WITH ORDINALITY AS given(kind, leaf, place)
)
INSERT INTO log_node (level, position, hash)
SELECT level, position, substring(%(hashes)b::bytea FROM 32 * place::int - 31 FOR 32)
FROM unnest(%(levels)b::smallint[], %(positions)b::bigint[]) WITH ORDINALITY AS given(level, position, place)
"""


def _store(unit: Unit, start: int, leaves: Sequence[Leaf], made: Sequence[tuple[Node, bytes]]) -> None:
    """Store leaves from index ``start`` on, and the hashes that came into being with them."""
    kinds, bodies = [leaf.kind for leaf in leaves], [leaf.body for leaf in leaves]
    levels, positions = [node[0] for node, _ in made], [node[1] for node, _ in made]
    if unit.dialect == "sqlite":
        entries = (range(start, start + len(leaves)), kinds, bodies, [unit.now] * len(leaves))
        insert_rows(unit, LogEntryRow.__table__, ("leaf_index", "kind", "leaf", "recorded_at"), entries)
        hashes = [value for _, value in made]
        insert_rows(unit, LogNodeRow.__table__, ("level", "position", "hash"), (levels, positions, hashes))
        return
    given = {
        "start": start,
        "now": unit.now,
        "kinds": kinds,
        "leaves": bodies,
        "hashes": b"".join(value for _, value in made),
        "levels": levels,
        "positions": positions,
    }
    send_later(unit.session.connection(), Statement(_STORE, given))


_LAST = sa.select(sa.func.max(LogEntryRow.index))


def size(unit: Unit | ReadUnit) -> int:
    """How many leaves the log has, as this unit sees it."""
    last = unit.session.connection().execute(_LAST).scalar()
    return 0 if last is None else last + 1


def leaf(unit: Unit | ReadUnit, index: int) -> Leaf:
    """The leaf at ``index``.

    Raises:
        NotFound: the log has no such leaf.
    """
    row = unit.session.execute(
        sa.select(LogEntryRow.kind, LogEntryRow.leaf).where(LogEntryRow.index == index)
    ).one_or_none()
    if row is None:
        raise NotFound(
            expected=f"a leaf index below {size(unit)}", found=str(index), remedy="Ask for a leaf that was appended."
        )
    return Leaf(row.kind, row.leaf)


def leaves_of_kind(unit: Unit | ReadUnit, kind: str, *, start: int, count: int) -> list[tuple[int, bytes]]:
    """Index and body of up to ``count`` leaves of a kind, from index ``start`` on, in order."""
    rows = unit.session.execute(
        sa.select(LogEntryRow.index, LogEntryRow.leaf)
        .where(LogEntryRow.kind == kind, LogEntryRow.index >= start)
        .order_by(LogEntryRow.index)
        .limit(count)
    )
    return [(index, body) for index, body in rows]


def root(unit: Unit | ReadUnit, tree_size: int) -> bytes:
    """The root of the tree of the first ``tree_size`` leaves.

    Raises:
        InputRefused: the log has fewer leaves.
    """
    return _roots(unit, tree_size, [(0, tree_size)])[0]


def inclusion(unit: Unit | ReadUnit, index: int, tree_size: int) -> list[bytes]:
    """The proof that leaf ``index`` is in the tree of the first ``tree_size`` leaves, nearest sibling first.

    Raises:
        InputRefused: the log has fewer leaves, or ``index`` is not below ``tree_size``.
    """
    return _roots(unit, tree_size, inclusion_ranges(index, tree_size))


def consistency(unit: Unit | ReadUnit, old: int, new: int) -> list[bytes]:
    """The proof that the tree of the first ``new`` leaves begins with that of the first ``old``.

    Raises:
        InputRefused: the log has fewer leaves than ``new``, or ``old`` is larger than ``new``.
    """
    return _roots(unit, new, consistency_ranges(old, new))


def _roots(unit: Unit | ReadUnit, tree_size: int, ranges: Sequence[tuple[int, int]]) -> list[bytes]:
    """The root over each range of leaves, in one query."""
    covers = [cover(start, end) for start, end in ranges]
    kept = _nodes(unit, [node for nodes in covers for node in nodes])
    if any(node not in kept for nodes in covers for node in nodes):
        raise InputRefused(
            expected=f"a tree size up to {size(unit)} in a log that is whole",
            found=str(tree_size),
            remedy="Ask for a size that the log has reached; if it has, put back the newest copy of the database.",
        )
    return [fold([kept[node] for node in nodes]) for nodes in covers]


def _nodes(unit: Unit | ReadUnit, wanted: Iterable[Node]) -> dict[Node, bytes]:
    """The kept hashes among those wanted, in one query."""
    nodes = list(wanted)
    if not nodes:
        return {}
    connection = unit.session.connection()
    if unit.dialect == "sqlite":
        rows = connection.exec_driver_sql(_lookup(len(nodes)), tuple(chain.from_iterable(nodes)))
    else:
        levels, positions = [level for level, _ in nodes], [position for _, position in nodes]
        rows = connection.exec_driver_sql(_WANTED, {"levels": levels, "positions": positions})
    return {(level, position): value for level, position, value in rows}


_WANTED = """
SELECT level, position, hash
FROM unnest(%(levels)b::smallint[], %(positions)b::bigint[]) AS wanted(level, position) JOIN log_node
USING (level, position)
"""


@cache
def _lookup(count: int) -> str:
    """The query for that many kept hashes on SQLite, whose values are level and position in turn.

    It is text for the driver: SQLAlchemy spells lists of values anew each time, which costs more than the query. The
    values come first in the join, since ``(level, position) IN (...)`` is answered by reading the whole table.
    """
    values = ", ".join(["(?, ?)"] * count)
    return (
        f"WITH wanted(level, position) AS (VALUES {values}) "  # noqa: S608 - nothing but question marks
        "SELECT log_node.level, log_node.position, hash FROM wanted CROSS JOIN log_node "
        "ON log_node.level = wanted.level AND log_node.position = wanted.position"
    )


def check(unit: Unit | ReadUnit) -> int | None:
    """The first leaf that is not as it was appended, or None when all are.

    Every leaf is hashed again and every kept node and signed root computed from the leaves. A root that was signed and
    no longer comes out names the first leaf that no earlier signed root vouches for. A tail that was cut off shows
    only against a checkpoint that was signed, here or in the file that ``publish`` keeps.
    """
    signed = _signed_roots(unit)
    known: dict[Node, bytes] = {}
    start, vouched, kept_nodes = 0, 0, 0
    while True:
        leaves = _leaves(unit, start)
        made = append_nodes(start, known, [leaf_hash(body) for body in leaves])
        kept = _nodes_between(unit, start, start + len(leaves))
        for node, value in made:
            if kept.get(node) != value:
                return ((node[1] + 1) << node[0]) - 1
        known.update(made)
        kept_nodes += len(made)
        end = start + len(leaves)
        for tree_size in [each for each in signed if start < each <= end]:
            if fold([known[node] for node in cover(0, tree_size)]) != signed[tree_size]:
                return vouched
            vouched = tree_size
        if len(leaves) < CHECK_LEAVES:
            break
        known = {node: known[node] for node in frontier(end)}
        start = end
    stray = unit.session.scalar(sa.select(sa.func.count()).select_from(LogNodeRow)) != kept_nodes
    cut = max(signed, default=0) > end or size(unit) > end
    return end if stray or cut else None


def _signed_roots(unit: Unit | ReadUnit) -> dict[int, bytes]:
    """Tree size to root of every checkpoint that was signed, smallest first."""
    rows = unit.session.execute(
        sa.select(LogCheckpointRow.tree_size, LogCheckpointRow.root_hash).order_by(LogCheckpointRow.tree_size)
    )
    return {tree_size: value for tree_size, value in rows}  # noqa: C416 - dict(rows) loses the types


def _leaves(unit: Unit | ReadUnit, start: int) -> list[bytes]:
    """Up to ``CHECK_LEAVES`` leaf bodies from ``start`` on, ending before the first index that is missing."""
    rows = unit.session.execute(
        sa.select(LogEntryRow.index, LogEntryRow.leaf)
        .where(LogEntryRow.index >= start, LogEntryRow.index < start + CHECK_LEAVES)
        .order_by(LogEntryRow.index)
    ).all()
    return [body for number, (index, body) in enumerate(rows, start=start) if index == number]


def _nodes_between(unit: Unit | ReadUnit, start: int, end: int) -> dict[Node, bytes]:
    """The kept nodes that appending leaves ``[start, end)`` made, in one query."""
    if start == end:
        return {}
    spans = [
        sa.and_(LogNodeRow.level == level, LogNodeRow.position >= start >> level, LogNodeRow.position < end >> level)
        for level in range(end.bit_length())
    ]
    rows = unit.session.execute(sa.select(LogNodeRow.level, LogNodeRow.position, LogNodeRow.hash).where(sa.or_(*spans)))
    return {(level, position): value for level, position, value in rows}
