"""Checkpoints against published signed notes, and against change."""

import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import InputRefused, ProofRejected
from governance.log.checkpoint import (
    checkpoint_body,
    key_hash,
    open_checkpoint,
    read_verifier_key,
    sign_checkpoint,
    verifier_key,
)
from governance.signing.dsse import decode, encode
from governance.signing.keys import KeyTimes, SigningKey
from tests.support.proof import NOW

KEY = SigningKey.generate()
ORIGIN = "assay.example/log"
ROOT = bytes(range(32))
SIGNED = sign_checkpoint(ORIGIN, 20852163, ROOT, KEY)
TRUSTED = [KeyTimes(KEY.public, NOW)]

# The example in the documentation of golang.org/x/mod/sumdb/note.
NEUMANN = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
NEUMANN_TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
NEUMANN_SIGNATURE = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="

# The verifier key of Go's checksum database, as the go command has it built in.
SUM_GOLANG = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"


def test_published_verifier_keys_read_and_write_back() -> None:
    for text in (NEUMANN, SUM_GOLANG):
        name, key = read_verifier_key(text)
        assert verifier_key(name, key) == text


def test_a_published_note_verifies_by_our_key_hash_and_signature() -> None:
    name, key = read_verifier_key(NEUMANN)
    signature = decode(NEUMANN_SIGNATURE, what="it")
    assert signature[:4] == key_hash(name, key)
    assert key.verifies(signature[4:], NEUMANN_TEXT.encode())


def test_the_body_is_origin_size_and_root_on_three_lines() -> None:
    """The example in C2SP's tlog-checkpoint."""
    root = decode("CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=", what="it")
    expected = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert checkpoint_body("example.com/behind-the-sofa", 20852163, root) == expected


def test_a_signed_checkpoint_opens_to_what_was_signed() -> None:
    assert open_checkpoint(SIGNED.note, ORIGIN, TRUSTED) == SIGNED


def test_openssl_verifies_the_signature_of_a_checkpoint(tmp_path: Path) -> None:
    body, _, line = SIGNED.note.partition("\n\n")
    signature = decode(line.rstrip("\n").rpartition(" ")[2], what="it")[4:]
    for name, content in (("body", f"{body}\n".encode()), ("sig", signature), ("key", KEY.public.pem.encode())):
        (tmp_path / name).write_bytes(content)
    command = "openssl pkeyutl -verify -pubin -inkey key -rawin -in body -sigfile sig"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)


def test_every_changed_byte_of_a_checkpoint_is_refused() -> None:
    content = SIGNED.note.encode()
    for place in range(len(content)):
        for bit in (0x01, 0x20, 0x80):
            changed = bytearray(content)
            changed[place] ^= bit
            with pytest.raises(ProofRejected):
                open_checkpoint(changed.decode("latin-1"), ORIGIN, TRUSTED)
            with pytest.raises(ProofRejected):
                open_checkpoint(changed.decode("utf-8", "replace"), ORIGIN, TRUSTED)


def line_of(key: SigningKey, name: str, body: str) -> str:
    return f"\u2014 {name} {encode(key_hash(name, key.public) + key.sign(body.encode()))}\n"


@pytest.mark.parametrize("size", ["-1", "+3", "03", "3.0", "", "1" * 30])
def test_a_size_has_one_spelling(size: str) -> None:
    body = f"{ORIGIN}\n{size}\n{encode(ROOT)}\n"
    with pytest.raises(ProofRejected, match="another shape"):
        open_checkpoint(f"{body}\n{line_of(KEY, ORIGIN, body)}", ORIGIN, TRUSTED)


def test_extension_lines_and_further_signatures_are_refused() -> None:
    body = checkpoint_body(ORIGIN, 3, ROOT)
    extended = f"{body}extension\n"
    with pytest.raises(ProofRejected, match="another shape"):
        open_checkpoint(f"{extended}\n{line_of(KEY, ORIGIN, extended)}", ORIGIN, TRUSTED)
    with pytest.raises(ProofRejected, match="another shape"):
        open_checkpoint(f"{body}\n{line_of(KEY, ORIGIN, body) * 2}", ORIGIN, TRUSTED)


def test_another_origin_is_refused() -> None:
    other = sign_checkpoint("other.example/log", 3, ROOT, KEY)
    with pytest.raises(ProofRejected, match="checkpoint of the log"):
        open_checkpoint(other.note, ORIGIN, TRUSTED)


def test_another_key_is_refused() -> None:
    with pytest.raises(ProofRejected, match="another key"):
        open_checkpoint(SIGNED.note, ORIGIN, [KeyTimes(SigningKey.generate().public, NOW)])


def test_a_signature_under_another_name_is_refused() -> None:
    body = checkpoint_body(ORIGIN, 3, ROOT)
    with pytest.raises(ProofRejected, match="another name"):
        open_checkpoint(f"{body}\n{line_of(KEY, 'witness.example', body)}", ORIGIN, TRUSTED)


def test_a_root_of_another_length_is_refused() -> None:
    body = checkpoint_body(ORIGIN, 3, ROOT[:31])
    with pytest.raises(ProofRejected, match="32 bytes"):
        open_checkpoint(f"{body}\n{line_of(KEY, ORIGIN, body)}", ORIGIN, TRUSTED)


@given(st.text())
def test_noise_is_refused_and_nothing_else_is_raised(noise: str) -> None:
    with pytest.raises(ProofRejected):
        open_checkpoint(noise, ORIGIN, TRUSTED)
    with pytest.raises(InputRefused):
        read_verifier_key(noise)


@pytest.mark.parametrize(
    "text",
    [
        NEUMANN.replace("Peter", "Petra"),
        NEUMANN.replace("c74f20a3", "C74F20A3"),
        NEUMANN.replace("+ARpc", "+BRpc"),
        NEUMANN + "AA",
        NEUMANN + "\n",
    ],
)
def test_a_verifier_key_whose_parts_disagree_is_refused(text: str) -> None:
    with pytest.raises(InputRefused, match="verifier key"):
        read_verifier_key(text)
