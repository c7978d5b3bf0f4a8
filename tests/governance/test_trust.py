"""The trust file: its parts follow from its keys, or it is refused."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.bundle import trust_document, trust_of
from governance.canonical import canonical
from governance.errors import AssayError, ProofRejected
from governance.signing.keys import KeyRing
from governance.signing.rings import create_ring
from governance.verify import read_trust
from tests.support.proof import NOW, ORIGIN


@pytest.fixture(scope="module")
def ring(tmp_path_factory: pytest.TempPathFactory) -> KeyRing:
    return create_ring(tmp_path_factory.mktemp("keys"), clock=lambda: NOW)


def test_a_trust_file_reads_as_it_was_written(ring: KeyRing) -> None:
    assert read_trust(trust_of(ring, ORIGIN).content()) == trust_of(ring, ORIGIN)
    assert canonical(trust_document(ring, ORIGIN)) == trust_of(ring, ORIGIN).content()


def test_a_trust_file_with_a_flipped_bit_is_refused_or_says_another_time(ring: KeyRing) -> None:
    """Only the start of a decision key's validity can change without contradicting a key."""
    content = trust_of(ring, ORIGIN).content()
    original = read_trust(content).document()
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 0x01
        try:
            read = read_trust(bytes(flipped)).document()
        except AssayError:
            continue
        assert {name for name in original if read[name] != original[name]} == {"decision_keys"}
        assert read["decision_keys"][0]["valid_from"] != original["decision_keys"][0]["valid_from"]  # type: ignore[index,call-overload]  # a JSON document


@pytest.mark.parametrize("part", ["origin", "keyid", "key", "vkey", "root", "same"])
def test_a_trust_file_whose_parts_disagree_is_refused(ring: KeyRing, tmp_path: Path, part: str) -> None:
    document, other = json.loads(trust_of(ring, ORIGIN).content()), trust_of(create_ring(tmp_path), ORIGIN)
    if part == "origin":
        document["origin"] = "other.example/log"
    elif part == "keyid":
        document["decision_keys"][0]["keyid"] = other.decision_keys[0].keyid
    elif part == "key":
        document["decision_keys"][0]["pem"] = other.decision_keys[0].pem
    elif part == "vkey":
        document["checkpoint_key"]["vkey"] = other.checkpoint_key.vkey
    elif part == "root":
        document["sigstore_trusted_root"] = other.sigstore_trusted_root
    else:
        document = trust_of(KeyRing.of(ring.decision, ring.decision, ring.valid_from), ORIGIN).document()
    with pytest.raises(ProofRejected, match="disagree"):
        read_trust(canonical(document))


@given(st.binary(max_size=60))
def test_noise_is_no_trust_file(noise: bytes) -> None:
    with pytest.raises(AssayError):
        read_trust(noise)
