"""A decision's place in the log as text, read back by the rules of C2SP and not by the code that wrote it."""

import base64
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.bundle import Trust, tlog_proof
from governance.errors import InputRefused, ProofRejected
from governance.log.checkpoint import Checkpoint, sign_checkpoint
from governance.log.merkle import leaf_hash, verify_inclusion
from governance.pack_files import read_pack
from governance.signing.keys import SigningKey
from governance.tlog import verify_tlog_proof
from tests.governance.log.test_merkle import Tree
from tests.support.packs import pack_of
from tests.support.proof import Instance

KEY = SigningKey.generate()
FORM = re.compile(r"c2sp\.org/tlog-proof@v1\nindex (0|[1-9][0-9]*)\n((?:[A-Za-z0-9+/]{43}=\n)*)\n(.+)", re.DOTALL)


def checkpoint(tree: Tree, size: int) -> Checkpoint:
    return sign_checkpoint("assay.example/log", size, tree.root(size), KEY)


@given(st.data())
def test_every_leaf_of_a_log_is_proved_by_what_is_written(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 40))
    index = data.draw(st.integers(0, size - 1))
    tree = Tree([b"leaf %d" % number for number in range(size)])
    signed = checkpoint(tree, size)
    match = FORM.fullmatch(tlog_proof(index, tree.inclusion(index, size), signed).decode())
    assert match is not None
    assert int(match[1]) == index
    assert match[3] == signed.note
    path = [base64.b64decode(line, validate=True) for line in match[2].split()]
    assert verify_inclusion(leaf_hash(b"leaf %d" % index), index, size, path, signed.root)


def test_the_only_leaf_of_a_log_needs_no_hash() -> None:
    signed = checkpoint(Tree([b"leaf"]), 1)
    assert tlog_proof(0, [], signed).decode() == f"c2sp.org/tlog-proof@v1\nindex 0\n\n{signed.note}"


@pytest.mark.parametrize("index", [-1, 3, 4])
def test_a_checkpoint_that_does_not_cover_the_leaf_is_refused(index: int) -> None:
    with pytest.raises(InputRefused):
        tlog_proof(index, [], checkpoint(Tree([b"a", b"b", b"c"]), 3))


@pytest.fixture(scope="module")
def exported(instance: Instance) -> tuple[bytes, bytes]:
    """A decision's proof and its leaf."""
    files = read_pack(pack_of(instance))
    return files["decision.tlog-proof"], files["decision.leaf"]


def test_a_proof_is_verified_with_its_leaf(exported: tuple[bytes, bytes], trust: Trust) -> None:
    assert verify_tlog_proof(*exported, trust).index == 3


def test_every_changed_byte_of_a_proof_and_of_its_leaf_is_refused(exported: tuple[bytes, bytes], trust: Trust) -> None:
    for part, content in enumerate(exported):
        for place in range(len(content)):
            altered = bytearray(content)
            altered[place] ^= 0x01
            given = [*exported]
            given[part] = bytes(altered)
            with pytest.raises(ProofRejected):
                verify_tlog_proof(given[0], given[1], trust)


@pytest.mark.parametrize("spelling", ["newline", "cut", "extra", "carriage", "bom", "zero"])
def test_another_spelling_of_a_proof_is_refused(exported: tuple[bytes, bytes], trust: Trust, spelling: str) -> None:
    proof, leaf = exported
    spelt = {
        "newline": proof + b"\n",
        "cut": proof[:-1],
        "extra": proof.replace(b"index", b"extra AAAA\nindex", 1),
        "carriage": proof.replace(b"\n", b"\r\n"),
        "bom": b"\xef\xbb\xbf" + proof,
        "zero": proof.replace(b"index ", b"index 0", 1),
    }[spelling]
    with pytest.raises(ProofRejected):
        verify_tlog_proof(spelt, leaf, trust)


@given(st.binary(max_size=80) | st.binary(max_size=60).map(lambda noise: b"c2sp.org/tlog-proof@v1\nindex 0\n" + noise))
def test_noise_is_no_proof_and_nothing_else_is_raised(trust: Trust, noise: bytes) -> None:
    with pytest.raises(ProofRejected):
        verify_tlog_proof(noise, b"leaf", trust)
