"""Which columns of one dataset become which of another, and how. Pure.

A mapping is stored once per content, as JSON: a sorted list of ``[source, target, transformations]``, each
transformation as ``[type, subtype, description, masking]``.
"""

import json
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

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
    """

    source: str
    target: str
    transformations: tuple[Transformation, ...] = ()

    @property
    def is_direct(self) -> bool:
        """Whether values go on; where no transformation says how, they are taken to."""
        return bool(self.target) and (
            not self.transformations or any(part.type != "INDIRECT" for part in self.transformations)
        )

    @property
    def is_masked(self) -> bool:
        """Whether every transformation on the way hides the values."""
        return bool(self.transformations) and all(part.masking for part in self.transformations)


def mapping_document(pairs: Iterable[ColumnPair]) -> bytes:
    """The pairs as they are stored: one spelling for one set."""
    gathered: dict[tuple[str, str], set[Part]] = {}
    for pair in pairs:
        held = gathered.setdefault((pair.source, pair.target), set())
        held.update(part.part() for part in pair.transformations)
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


def known_pairs(content: bytes | None) -> list[tuple[str, str]] | None:
    """(source, target) of each pair; None where it is not known of every pair which column it comes from."""
    if content is None:
        return None
    pairs = [(pair.source, pair.target) for pair in read_mapping(content)]
    return pairs if all(source for source, _ in pairs) else None
