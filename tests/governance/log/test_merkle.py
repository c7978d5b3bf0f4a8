"""The Merkle arithmetic against pymerkle and against the definition in RFC 6962."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pymerkle import InmemoryTree

from governance.errors import InputRefused
from governance.log import merkle


def leaves(size: int) -> list[bytes]:
    return [b"leaf %d" % number for number in range(size)]


def naive_root(hashes: list[bytes]) -> bytes:
    """``MTH(D[n])`` as RFC 6962, section 2.1, writes it."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    middle = 1
    while middle * 2 < len(hashes):
        middle *= 2
    return merkle.node_hash(naive_root(hashes[:middle]), naive_root(hashes[middle:]))


def naive_subproof(old: int, hashes: list[bytes], *, whole: bool) -> list[bytes]:
    """``SUBPROOF(m, D[n], b)`` as RFC 6962, section 2.1.2, writes it."""
    if old == len(hashes):
        return [] if whole else [naive_root(hashes)]
    middle = 1
    while middle * 2 < len(hashes):
        middle *= 2
    if old <= middle:
        return [*naive_subproof(old, hashes[:middle], whole=whole), naive_root(hashes[middle:])]
    return [*naive_subproof(old - middle, hashes[middle:], whole=False), naive_root(hashes[:middle])]


class Tree:
    """A tree in memory that is built and proved with the product's functions alone."""

    def __init__(self, bodies: list[bytes]) -> None:
        self.size = len(bodies)
        self.hashes = [merkle.leaf_hash(body) for body in bodies]
        self.kept = dict(merkle.append_nodes(0, {}, self.hashes))

    def roots(self, ranges: list[tuple[int, int]]) -> list[bytes]:
        return [merkle.fold([self.kept[node] for node in merkle.cover(start, end)]) for start, end in ranges]

    def root(self, size: int) -> bytes:
        return self.roots([(0, size)])[0]

    def inclusion(self, index: int, size: int) -> list[bytes]:
        return self.roots(merkle.inclusion_ranges(index, size))

    def consistency(self, old: int, new: int) -> list[bytes]:
        return self.roots(merkle.consistency_ranges(old, new))


@pytest.fixture(scope="module")
def tree() -> Tree:
    return Tree(leaves(200))


@pytest.fixture(scope="module")
def oracle() -> InmemoryTree:
    made = InmemoryTree(algorithm="sha256")
    for body in leaves(200):
        made.append_entry(body)
    return made


def test_roots_of_all_sizes_below_200_equal_pymerkle_and_the_definition(tree: Tree, oracle: InmemoryTree) -> None:
    for size in range(1, 201):
        assert tree.root(size) == oracle.get_root(size) == naive_root(tree.hashes[:size])
    assert tree.root(0) == merkle.EMPTY_ROOT


def test_inclusion_proofs_of_all_sizes_below_200_equal_pymerkle(tree: Tree, oracle: InmemoryTree) -> None:
    for size in range(1, 200):
        for index in range(size):
            # pymerkle counts leaves from 1 and puts the leaf itself before the siblings.
            expected = oracle.prove_inclusion(index + 1, size).path
            assert [tree.hashes[index], *tree.inclusion(index, size)] == expected


def test_inclusion_proofs_of_all_sizes_below_200_verify_at_their_place_alone(tree: Tree) -> None:
    for size in range(1, 200):
        root = tree.root(size)
        for index in range(size):
            path = tree.inclusion(index, size)
            assert merkle.verify_inclusion(tree.hashes[index], index, size, path, root)
            assert not merkle.verify_inclusion(tree.hashes[index], index + 1, size, path, root)
            assert not merkle.verify_inclusion(tree.hashes[index], index, size, [*path, root], root)
            assert not merkle.verify_inclusion(tree.hashes[199], index, size, path, root)


def test_consistency_proofs_of_all_sizes_below_200_verify_for_their_roots_alone(tree: Tree) -> None:
    for new in range(1, 200):
        for old in range(new + 1):
            path = tree.consistency(old, new)
            assert merkle.verify_consistency(old, new, path, tree.root(old), tree.root(new))
            assert not merkle.verify_consistency(old, new, [*path, b"\0" * 32], tree.root(old), tree.root(new))
            if 0 < old < new:
                assert not merkle.verify_consistency(old, new, path, tree.root(new), tree.root(new))
                assert not merkle.verify_consistency(old, new, path, tree.root(old), tree.root(old))
                assert not merkle.verify_consistency(old, new, path[:-1], tree.root(old), tree.root(new))


def test_consistency_proofs_of_all_sizes_below_200_are_those_of_the_definition(tree: Tree) -> None:
    for new in range(1, 200):
        for old in range(1, new + 1):
            assert tree.consistency(old, new) == naive_subproof(old, tree.hashes[:new], whole=True)


@given(st.data())
def test_proofs_of_larger_trees_hold_against_the_definition(data: st.DataObject) -> None:
    new = data.draw(st.integers(100, 1500))
    old = data.draw(st.integers(1, new))
    index = data.draw(st.integers(0, new - 1))
    large = Tree(leaves(new))
    root = naive_root(large.hashes)
    assert merkle.verify_inclusion(large.hashes[index], index, new, large.inclusion(index, new), root)
    assert merkle.verify_consistency(old, new, large.consistency(old, new), naive_root(large.hashes[:old]), root)


@settings(max_examples=20)
@given(st.data())
def test_roots_and_inclusion_proofs_of_random_large_trees_equal_pymerkle(data: st.DataObject) -> None:
    size = data.draw(st.integers(200, 20_000))
    large, oracle = Tree(leaves(size)), InmemoryTree(algorithm="sha256")
    for body in leaves(size):
        oracle.append_entry(body)
    assert large.root(size) == oracle.get_root(size)
    for _ in range(3):
        within = data.draw(st.integers(1, size))
        index = data.draw(st.integers(0, within - 1))
        assert large.root(within) == oracle.get_root(within)
        assert [large.hashes[index], *large.inclusion(index, within)] == oracle.prove_inclusion(index + 1, within).path


@given(st.integers(0, 200), st.integers(0, 200))
def test_appending_in_two_parts_keeps_the_same_nodes_as_in_one(first: int, second: int) -> None:
    hashes = [merkle.leaf_hash(body) for body in leaves(first + second)]
    kept = dict(merkle.append_nodes(0, {}, hashes[:first]))
    known = {node: kept[node] for node in merkle.frontier(first)}
    kept.update(merkle.append_nodes(first, known, hashes[first:]))
    assert kept == dict(merkle.append_nodes(0, {}, hashes))


@given(st.integers(-3, 70), st.integers(-3, 70), st.lists(st.binary(min_size=32, max_size=32), max_size=8), st.binary())
def test_proofs_made_of_noise_are_refused(index: int, size: int, path: list[bytes], root: bytes) -> None:
    assert not merkle.verify_inclusion(b"\1" * 32, index, size, path, root)
    if index != size or path:
        assert not merkle.verify_consistency(index, size, path, b"\1" * 32, root)


@pytest.mark.parametrize(("index", "size"), [(0, 0), (-1, 3), (3, 3)])
def test_a_leaf_beyond_the_tree_has_no_inclusion_proof(index: int, size: int) -> None:
    with pytest.raises(InputRefused, match="leaf index"):
        merkle.inclusion_ranges(index, size)


@pytest.mark.parametrize(("old", "new"), [(-1, 3), (4, 3)])
def test_a_later_tree_is_not_consistent_with_a_smaller_one(old: int, new: int) -> None:
    with pytest.raises(InputRefused, match="earlier tree size"):
        merkle.consistency_ranges(old, new)
