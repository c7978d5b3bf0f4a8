"""Cosignatures against the text of C2SP's tlog-cosignature, against openssl, and against change."""

import hashlib
import subprocess
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.errors import InputRefused, ProofRejected, UsageError
from governance.log.checkpoint import (
    Checkpoint,
    cosigned,
    open_checkpoint,
    open_witnesses,
    sign_checkpoint,
    trimmed,
    verifier_key,
    witnesses_of,
)
from governance.log.cosignature import LATEST, Witness, cosign, cosigned_at, read_line, read_witness
from governance.log.witness import keep_fork, keep_last, read_last, require_extension, seen
from governance.signing.dsse import decode, encode
from governance.signing.keys import KeyTimes, SigningKey
from tests.governance.log.test_merkle import Tree
from tests.support.proof import NOW

ORIGIN = "assay.example/log"
KEY = SigningKey.generate()
TRUSTED = [KeyTimes(KEY.public, NOW)]
SIGNED = sign_checkpoint(ORIGIN, 20852163, bytes(range(32)), KEY)
MOMENT = 1679315147
"""The moment in the example of the specification."""

SECRETS = {name: SigningKey.generate() for name in ("witness.example/a", "witness.example/b", "auditor.example")}
WITNESSES = [Witness(name, key.public) for name, key in SECRETS.items()]


def line(name: str, checkpoint: Checkpoint = SIGNED) -> str:
    return cosign(checkpoint.body, name, SECRETS[name], moment=MOMENT)


def with_lines(*names: str) -> str:
    return SIGNED.note + "".join(line(name) for name in names)


def test_what_is_signed_is_the_text_of_the_specification(tmp_path: Path) -> None:
    """The message of cosignature/v1: a header, the time, and the whole body of the note; openssl verifies it."""
    name = "witness.example/a"
    key = SECRETS[name]
    content = read_line(line(name).rstrip("\n"))[1]
    hashed = hashlib.sha256(name.encode() + b"\n\x04" + key.public.raw).digest()
    assert (content[:4], int.from_bytes(content[4:12], "big"), len(content)) == (hashed[:4], MOMENT, 76)
    (tmp_path / "message").write_text(f"cosignature/v1\ntime {MOMENT}\n{SIGNED.note.partition(chr(10) * 2)[0]}\n")
    (tmp_path / "signature").write_bytes(content[12:])
    (tmp_path / "key").write_text(key.public.pem)
    command = "openssl pkeyutl -verify -pubin -inkey key -rawin -in message -sigfile signature"
    subprocess.run(command.split(), cwd=tmp_path, check=True, capture_output=True)


@given(st.integers(0, LATEST))
def test_a_cosignature_tells_when_it_was_made(moment: int) -> None:
    name = "auditor.example"
    made = cosign(SIGNED.body, name, SECRETS[name], moment=moment)
    assert cosigned_at(SIGNED.body, read_line(made.rstrip("\n"))[1], WITNESSES[2]) == moment


def test_a_note_opens_with_the_lines_of_known_witnesses_in_the_order_of_their_names() -> None:
    ordered = with_lines("auditor.example", "witness.example/a", "witness.example/b")
    checkpoint = open_checkpoint(ordered, ORIGIN, TRUSTED, WITNESSES)
    assert {each.name for each in witnesses_of(checkpoint, WITNESSES)} == set(SECRETS)
    assert witnesses_of(checkpoint, WITNESSES[:1]) == WITNESSES[:1]
    assert cosigned(SIGNED, [line(name) for name in SECRETS], WITNESSES).note == ordered


@pytest.mark.parametrize(
    "note",
    [
        with_lines("witness.example/a", "auditor.example"),
        with_lines("auditor.example", "auditor.example"),
        SIGNED.body + "\n" + line("auditor.example"),
        SIGNED.body + "\n" + line("auditor.example") + SIGNED.note.partition("\n\n")[2],
    ],
    ids=["another order", "twice", "without the log", "before the log"],
)
def test_lines_in_another_order_or_without_the_log_are_refused(note: str) -> None:
    with pytest.raises(ProofRejected):
        open_checkpoint(note, ORIGIN, TRUSTED, WITNESSES)


def test_a_line_of_an_unknown_witness_is_refused() -> None:
    with pytest.raises(ProofRejected, match="known witness"):
        open_checkpoint(with_lines("auditor.example"), ORIGIN, TRUSTED, WITNESSES[:2])


def test_every_changed_byte_of_a_cosigned_note_is_refused() -> None:
    content = with_lines("auditor.example", "witness.example/a").encode()
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 0x01
        with pytest.raises(ProofRejected):
            open_checkpoint(changed.decode("utf-8", "replace"), ORIGIN, TRUSTED, WITNESSES)


def test_every_changed_byte_of_a_cosignature_is_refused() -> None:
    name, content = read_line(line("auditor.example").rstrip("\n"))
    for place in range(len(content)):
        changed = bytearray(content)
        changed[place] ^= 0x01
        note = f"{SIGNED.note}\u2014 {name} {encode(bytes(changed))}\n"
        with pytest.raises(ProofRejected):
            open_checkpoint(note, ORIGIN, TRUSTED, WITNESSES)


def test_a_cosignature_of_another_checkpoint_is_refused() -> None:
    other = sign_checkpoint(ORIGIN, 7, b"\7" * 32, KEY)
    with pytest.raises(ProofRejected, match="does not hold"):
        open_checkpoint(SIGNED.note + line("auditor.example", other), ORIGIN, TRUSTED, WITNESSES)


def test_a_witness_reads_back_from_its_text_and_a_key_of_the_log_is_none() -> None:
    assert [read_witness(each.text) for each in WITNESSES] == WITNESSES
    for text in (
        verifier_key("a", KEY.public),
        WITNESSES[0].text + "A",
        WITNESSES[0].text.upper(),
        "",
        "+",
        "a b+00+AA",
    ):
        with pytest.raises(InputRefused, match="witness"):
            read_witness(text)


@given(st.text())
def test_noise_is_no_witness(noise: str) -> None:
    with pytest.raises(InputRefused):
        read_witness(noise)


def test_settings_name_each_witness_once() -> None:
    assert [each.name for each in open_witnesses(each.text for each in WITNESSES)] == sorted(SECRETS)
    for texts in ([WITNESSES[0].text] * 2, ["noise"]):
        with pytest.raises(UsageError):
            open_witnesses(texts)


def test_a_reader_of_signed_notes_passes_over_lines_it_does_not_know() -> None:
    stranger = SigningKey.generate()
    note = with_lines("auditor.example") + cosign(SIGNED.body, "x.example", stranger, moment=1)
    assert trimmed(note, ORIGIN, TRUSTED) == SIGNED.note
    assert seen(note, ORIGIN, TRUSTED) == SIGNED
    with pytest.raises(ProofRejected):
        seen(sign_checkpoint(ORIGIN, 3, b"\0" * 32, stranger).note, ORIGIN, TRUSTED)


@given(st.data())
def test_a_witness_takes_each_log_that_grew_and_no_other(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 60))
    old = data.draw(st.integers(0, size))
    tree = Tree([b"leaf %d" % number for number in range(size)])
    last, new = (sign_checkpoint(ORIGIN, each, tree.root(each), KEY) for each in (old, size))
    require_extension(last, new, tree.consistency(old, size))
    require_extension(None, new, [])
    fork = sign_checkpoint(ORIGIN, size, Tree([b"other %d" % number for number in range(size)]).root(size), KEY)
    if old:
        with pytest.raises(ProofRejected, match="other leaves"):
            require_extension(last, fork, tree.consistency(old, size))
    if old < size:
        with pytest.raises(ProofRejected, match="shorter"):
            require_extension(new, last, [])


def test_a_witness_keeps_what_it_saw_and_the_proof_of_a_fork(tmp_path: Path) -> None:
    state = tmp_path / "seen"
    assert read_last(state, ORIGIN, TRUSTED) is None
    keep_last(state, SIGNED.note)
    assert read_last(state, ORIGIN, TRUSTED) == SIGNED
    other = sign_checkpoint(ORIGIN, 20852163, b"\1" * 32, KEY)
    beside = keep_fork(state, SIGNED, other)
    assert SIGNED.note.splitlines()[2] in beside.read_text()
    assert other.note.splitlines()[2] in beside.read_text()
    assert decode(SIGNED.note.splitlines()[2], what="it") == SIGNED.root
    for content in ("", "noise", other.note.replace(ORIGIN, "other.example/log")):
        state.write_text(content)
        with pytest.raises(UsageError, match="Put back the file"):
            read_last(state, ORIGIN, TRUSTED)
