"""Which columns of one dataset become which of another, and how. Pure.

A mapping is stored once per content, as JSON: a sorted list of ``[source, target, transformations]``, each
transformation as ``[type, subtype, description, masking]``.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

from lineage.paths import ancestors

Part = tuple[str | None, str | None, str | None, bool]


@dataclass(frozen=True, slots=True)
class Transformation:
    """What is done to a column on its way: ``type`` is DIRECT (its value goes on) or INDIRECT (it only decides)."""

    type: str | None
    subtype: str | None = None
    description: str | None = None
    masking: bool = False

    def part(self) -> Part:
        """The transformation as it is stored."""
        return (self.type, self.subtype, self.description, self.masking)


@dataclass(frozen=True, slots=True)
class ColumnPair:
    """One column goes into another.

    An empty ``source`` says that some column does, and not which; an empty ``target`` that every row is affected.
    ``is_direct``: values go on; where no transformation says how, they are taken to. ``is_masked``: every
    transformation on the way hides them. ``parts`` are the transformations as they are stored.
    """

    source: str
    target: str
    transformations: tuple[Transformation, ...] = ()
    is_direct: bool = field(init=False, compare=False)
    is_masked: bool = field(init=False, compare=False)
    parts: tuple[Part, ...] = field(init=False, compare=False)

    def __post_init__(self) -> None:
        """Work out once what a walk asks of every pair it meets."""
        told = self.transformations
        is_direct = not told or any(part.type != "INDIRECT" for part in told)
        object.__setattr__(self, "is_direct", bool(self.target) and is_direct)
        object.__setattr__(self, "is_masked", bool(told) and all(part.masking for part in told))
        object.__setattr__(self, "parts", tuple(part.part() for part in told))


def mapping_document(pairs: Iterable[ColumnPair]) -> bytes:
    """The pairs as they are stored: one spelling for one set.

    A pair that comes both with transformations and without keeps an unknown one beside them: it is not masked.
    """
    gathered: dict[tuple[str, str], set[Part]] = {}
    told: set[tuple[str, str]] = set()
    bare: set[tuple[str, str]] = set()
    for pair in pairs:
        ends = (pair.source, pair.target)
        (told if pair.transformations else bare).add(ends)
        gathered.setdefault(ends, set()).update(pair.parts)
    for ends in told & bare:
        gathered[ends].add(Transformation(None).part())
    rows = [
        [*ends, sorted(parts, key=json.dumps)]
        for ends, parts in sorted(gathered.items())
    ]  # fmt: skip
    return json.dumps(rows, separators=(",", ":")).encode("ascii")


@lru_cache(maxsize=4096)
def read_mapping(content: bytes) -> tuple[ColumnPair, ...]:
    """The pairs in a stored mapping."""
    return tuple(
        ColumnPair(source, target, tuple(Transformation(*part) for part in parts))
        for source, target, parts in json.loads(content)
    )


@dataclass(frozen=True, slots=True)
class Side:
    """The pairs of one mapping by the column on one side of them, and by the columns that hold it."""

    exact: dict[str, tuple[ColumnPair, ...]]
    within: dict[str, tuple[ColumnPair, ...]]
    every: tuple[ColumnPair, ...]

    def touching(self, path: str) -> tuple[ColumnPair, ...]:
        """The pairs whose column is the asked one, holds it or lies in it, or is not told; all for an empty path."""
        if not path:
            return self.every
        found = self.within.get(path, ()) + self.exact.get("", ())
        return found + tuple(pair for around in ancestors(path) for pair in self.exact.get(around, ()))


@dataclass(frozen=True, slots=True)
class PairIndex:
    """The pairs of one mapping by their columns on either side."""

    sources: Side
    targets: Side


def touches(one: str, other: str) -> bool:
    """Whether two columns share values: they are one, or one holds the other; an empty path stands for any."""
    return not one or not other or one == other or one in ancestors(other) or other in ancestors(one)


@lru_cache(maxsize=4096)
def pair_index(content: bytes) -> PairIndex:
    """The stored mapping by its columns."""
    pairs = read_mapping(content)
    return PairIndex(_side((pair.source, pair) for pair in pairs), _side((pair.target, pair) for pair in pairs))


def _side(ends: Iterable[tuple[str, ColumnPair]]) -> Side:
    exact: dict[str, list[ColumnPair]] = {}
    within: dict[str, list[ColumnPair]] = {}
    for path, pair in ends:
        exact.setdefault(path, []).append(pair)
        for around in (path, *ancestors(path)):
            within.setdefault(around, []).append(pair)
    return Side(
        {path: tuple(pairs) for path, pairs in exact.items()},
        {path: tuple(pairs) for path, pairs in within.items() if path},
        tuple(pair for pairs in exact.values() for pair in pairs),
    )


def known_pairs(content: bytes | None) -> list[tuple[str, str]] | None:
    """(source, target) of each pair; None where it is not known of every pair which column it comes from."""
    if content is None:
        return None
    pairs = [(pair.source, pair.target) for pair in read_mapping(content)]
    return pairs if all(source for source, _ in pairs) else None
