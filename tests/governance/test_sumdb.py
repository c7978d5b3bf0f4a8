"""Go's checksum-database packages read our checkpoints and proofs, and refuse every changed byte of them."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from governance.bundle import Trust
from governance.log import journal
from governance.log.checkpoint import sign_checkpoint, verifier_key
from governance.log.cosignature import cosign
from governance.signing.dsse import decode
from governance.signing.keys import SigningKey
from tests.governance.log.test_merkle import Tree
from tests.support.proof import ORIGIN, Instance, decision
from tests.support.sumdb import Case, SumDB, build


@pytest.fixture(scope="module")
def sumdb(tmp_path_factory: pytest.TempPathFactory) -> SumDB:
    return build(tmp_path_factory.mktemp("go"))


@pytest.fixture(scope="module")
def case(instance: Instance, trust: Trust) -> Case:
    """The log entry of an exported decision."""
    entry: Any = json.loads(instance.bundle(decision()))["verificationMaterial"]["tlogEntries"][0]
    proof = entry["inclusionProof"]
    return Case(
        keys=(trust.checkpoint_key.vkey,),
        note=proof["checkpoint"]["envelope"].encode(),
        hashes=tuple(decode(each, what="a hash") for each in proof["hashes"]),
        leaf=decode(entry["canonicalizedBody"], what="the leaf"),
        index=int(entry["logIndex"]),
    )


def flips(content: bytes) -> Iterator[bytes]:
    """The content with each of its bytes changed in turn."""
    for place in range(len(content)):
        altered = bytearray(content)
        altered[place] ^= 0x01
        yield bytes(altered)


def test_go_verifies_the_log_entry_of_a_decision(sumdb: SumDB, case: Case) -> None:
    assert sumdb.verdicts([case]) == ["verified"]


def test_go_refuses_every_changed_byte_of_checkpoint_leaf_and_proof(sumdb: SumDB, case: Case) -> None:
    changed = [replace(case, note=each) for each in flips(case.note)]
    changed += [replace(case, leaf=each) for each in flips(case.leaf)]
    for place, value in enumerate(case.hashes):
        changed += [
            replace(case, hashes=(*case.hashes[:place], each, *case.hashes[place + 1 :])) for each in flips(value)
        ]
    changed += [replace(case, index=case.index + 1), replace(case, index=case.index ^ 1), replace(case, hashes=())]
    verdicts = sumdb.verdicts(changed)
    assert len(verdicts) > 600
    accepted = [each for each, verdict in zip(changed, verdicts, strict=True) if not verdict.startswith("refused")]
    # Go's reader takes other spellings of base64 (spare bits) in the root's text: the same root, so nothing is changed.
    assert [each for each in accepted if not same_but_spare_bits(each, case)] == []


def same_but_spare_bits(one: Case, other: Case) -> bool:
    """Whether the notes differ in the last character before the padding of a line alone."""
    places = [place for place, (a, b) in enumerate(zip(one.note, other.note, strict=True)) if a != b]
    return replace(one, note=other.note) == other and [one.note[place + 1 : place + 2] for place in places] == [b"="]


def test_go_refuses_the_entry_under_the_key_of_another_log(sumdb: SumDB, case: Case) -> None:
    stranger = SigningKey.generate().public
    keys = [verifier_key(ORIGIN, stranger), verifier_key("other.example/log", stranger)]
    assert all(each.startswith("refused") for each in sumdb.verdicts([replace(case, keys=(key,)) for key in keys]))


def test_go_agrees_on_every_proof_of_small_trees(sumdb: SumDB) -> None:
    """Inclusion of every leaf, and consistency of every pair of sizes, for all trees of up to 33 leaves."""
    key = SigningKey.generate()
    tree = Tree([b"leaf %d" % number for number in range(33)])
    notes = {size: sign_checkpoint(ORIGIN, size, tree.root(size), key).note.encode() for size in range(1, 34)}
    keys = (verifier_key(ORIGIN, key.public),)
    cases = []
    for size, note in notes.items():
        for index in range(size):
            path = tuple(tree.inclusion(index, size))
            cases.append(Case(keys, note, path, leaf=b"leaf %d" % index, index=index))
            old = index + 1
            cases.append(Case(keys, note, tuple(tree.consistency(old, size)), old=notes[old]))
    assert sumdb.verdicts(cases) == ["verified"] * len(cases)
    other = Tree([b"other %d" % number for number in range(33)])
    forked = sign_checkpoint(ORIGIN, 20, other.root(20), key).note.encode()
    fork = Case(keys, notes[33], tuple(tree.consistency(20, 33)), old=forked)
    assert sumdb.verdicts([fork])[0].startswith("refused")


def test_go_follows_a_log_over_a_rotation_by_either_key(sumdb: SumDB, instance: Instance) -> None:
    """The checkpoint of a rotation carries both lines, and a cosigned one the witness's: Go passes over the others."""
    earlier, following, witness = (SigningKey.generate() for _ in range(3))
    with instance.database.read_unit() as unit:
        size = journal.size(unit)
        body, path = journal.leaf(unit, 0).body, tuple(journal.inclusion(unit, 0, size))
        both = sign_checkpoint(ORIGIN, size, journal.root(unit, size), earlier, following)
    note = both.note + cosign(both.body, "witness.example", witness, moment=1)
    keys = [verifier_key(ORIGIN, each.public) for each in (earlier, following)]
    cases = [Case(known, note.encode(), path, leaf=body) for known in ((keys[0],), (keys[1],), tuple(keys))]
    assert sumdb.verdicts(cases) == ["verified"] * 3
