"""The RFC 6962 Merkle tree as arithmetic on hashes: no storage, no clock, no keys.

A node is named by ``(level, position)``: the complete subtree over leaves ``[position * 2**level, (position + 1) *
2**level)``. Only complete subtrees are ever kept, so a kept hash never changes; the ragged right edge of a tree of any
size is folded from them.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence

from governance.errors import InputRefused

Node = tuple[int, int]
"""``(level, position)`` of a complete subtree."""

EMPTY_ROOT = hashlib.sha256(b"").digest()
"""The root of a tree without leaves. Source: RFC 6962, section 2.1."""


def leaf_hash(leaf: bytes) -> bytes:
    """The hash of one leaf's bytes. Source: RFC 6962, section 2.1: ``SHA-256(0x00 || leaf)``."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """The hash above two hashes. Source: RFC 6962, section 2.1: ``SHA-256(0x01 || left || right)``."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def frontier(size: int) -> list[Node]:
    """The kept nodes that an append to a tree of ``size`` leaves may combine with."""
    return [(level, (size >> level) - 1) for level in range(size.bit_length()) if size >> level & 1]


def append_nodes(size: int, known: Mapping[Node, bytes], leaves: Iterable[bytes]) -> list[tuple[Node, bytes]]:
    """The complete subtrees that come into being when leaf hashes are appended to a tree of ``size`` leaves.

    ``known`` holds the hashes of ``frontier(size)``.
    """
    kept = dict(known)
    made: list[tuple[Node, bytes]] = []
    for position, value in enumerate(leaves, start=size):
        node, current = (0, position), value
        kept[node] = current
        made.append((node, current))
        while node[1] & 1:
            current = node_hash(kept[node[0], node[1] - 1], current)
            node = (node[0] + 1, node[1] >> 1)
            kept[node] = current
            made.append((node, current))
    return made


def cover(start: int, end: int) -> list[Node]:
    """The complete subtrees that make up leaves ``[start, end)``, left to right.

    ``start`` is a multiple of the largest power of two below ``end - start``, as in every range of RFC 6962.
    """
    nodes: list[Node] = []
    while start < end:
        level = (end - start).bit_length() - 1
        nodes.append((level, start >> level))
        start += 1 << level
    return nodes


def fold(hashes: Sequence[bytes]) -> bytes:
    """The root over complete subtrees given left to right, largest first; ``EMPTY_ROOT`` when there are none."""
    if not hashes:
        return EMPTY_ROOT
    root = hashes[-1]
    for left in reversed(hashes[:-1]):
        root = node_hash(left, root)
    return root


def _split(size: int) -> int:
    """The largest power of two smaller than ``size``. Source: RFC 6962, section 2.1."""
    return 1 << (size - 1).bit_length() - 1


def inclusion_ranges(index: int, size: int) -> list[tuple[int, int]]:
    """The leaf ranges whose roots prove that leaf ``index`` is in a tree of ``size`` leaves, nearest first.

    Raises:
        InputRefused: the tree has no such leaf.

    Source: RFC 6962, section 2.1.1, ``PATH(m, D[n])``.
    """
    if not 0 <= index < size:
        raise InputRefused(
            expected=f"a leaf index from 0 to {size - 1} in a tree of {size} leaves",
            found=str(index),
            remedy="Ask for a leaf that the tree holds.",
        )
    start, end, ranges = 0, size, []
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start = middle
    return ranges[::-1]


def consistency_ranges(old: int, new: int) -> list[tuple[int, int]]:
    """The leaf ranges whose roots prove that the tree of ``new`` leaves begins with that of ``old`` leaves.

    Empty when the sizes are equal or ``old`` is zero, since every tree begins with the empty one.

    Raises:
        InputRefused: ``old`` is negative or larger than ``new``.

    Source: RFC 6962, section 2.1.2, ``PROOF(m, D[n])``.
    """
    if not 0 <= old <= new:
        raise InputRefused(
            expected=f"an earlier tree size from 0 to {new}", found=str(old), remedy="Ask for an earlier size first."
        )
    if old in {0, new}:
        return []
    start, end, whole = 0, new, True
    ranges = []
    while old != end:
        middle = start + _split(end - start)
        if old <= middle:
            ranges.append((middle, end))
            end = middle
        else:
            ranges.append((start, middle))
            start, whole = middle, False
    # The verifier already has the old root, so the subtree that is the whole old tree is left out.
    return ranges[::-1] if whole else [(start, end), *ranges[::-1]]


def root_of_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes]) -> bytes | None:
    """The root that an inclusion proof of a leaf hash leads to; None when the proof has the wrong length.

    Source: RFC 9162, section 2.1.3.2.
    """
    if not 0 <= index < size:
        return None
    position, last, root = index, size - 1, leaf
    for sibling in path:
        if last == 0:
            return None
        if position & 1 or position == last:
            root = node_hash(sibling, root)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            root = node_hash(root, sibling)
        position, last = position >> 1, last >> 1
    return root if last == 0 else None


def verify_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root: bytes) -> bool:
    """Whether ``path`` proves that the leaf hash is number ``index`` of the tree of ``size`` leaves under ``root``."""
    return root_of_inclusion(leaf, index, size, path) == root


def verify_consistency(old: int, new: int, path: Sequence[bytes], old_root: bytes, new_root: bytes) -> bool:
    """Whether ``path`` proves that the tree under ``new_root`` begins with the one under ``old_root``.

    Source: RFC 9162, section 2.1.4.2.
    """
    if not 0 <= old <= new:
        return False
    if old == 0:
        return not path and old_root == EMPTY_ROOT
    if old == new:
        return not path and old_root == new_root
    hashes = [old_root, *path] if old & (old - 1) == 0 else list(path)
    if not hashes:
        return False
    position, last = old - 1, new - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    first = second = hashes[0]
    for sibling in hashes[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            first, second = node_hash(sibling, first), node_hash(sibling, second)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            second = node_hash(second, sibling)
        position, last = position >> 1, last >> 1
    return last == 0 and first == old_root and second == new_root
