"""Checkpoints: a tree's size and root in a signed note, as text that other people's tools read.

Source: C2SP ``tlog-checkpoint`` and ``signed-note``. This module knows no database and no clock.
"""

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from governance.errors import InputRefused, ProofRejected, UsageError
from governance.log.cosignature import Witness, cosigned_at, read_line, read_witness, signature_line
from governance.signing.dsse import decode, encode
from governance.signing.keys import KeyTimes, PublicKey, SigningKey

ED25519 = b"\x01"
"""The signed note's number for plain Ed25519 signatures."""

MOST_LINES = 64
"""Lines of a note that are read at all: a checkpoint, and the signatures of more witnesses than a log has."""

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log said at one moment, and the signed ``note`` that proves it."""

    origin: str
    size: int
    root: bytes
    note: str

    @property
    def body(self) -> str:
        """The text that is signed."""
        return checkpoint_body(self.origin, self.size, self.root)


@dataclass(frozen=True, slots=True)
class Line:
    """A line of signature: its text with the line break, and the signature in it."""

    text: str
    signature: bytes


def checkpoint_body(origin: str, size: int, root: bytes) -> str:
    """The text that is signed: origin, size and root, a line each. Source: tlog-checkpoint, "Note text"."""
    return f"{origin}\n{size}\n{encode(root)}\n"


def key_hash(name: str, key: PublicKey) -> bytes:
    """The four bytes by which a signature line names its key. Source: signed-note, "Signatures"."""
    return key_digest(name, key)[:4]


def key_digest(name: str, key: PublicKey) -> bytes:
    """The full digest behind ``key_hash``; Sigstore uses it as the log's id."""
    return hashlib.sha256(name.encode() + b"\n" + ED25519 + key.raw).digest()


def verifier_key(name: str, key: PublicKey) -> str:
    """The key as text, with the name it signs under. Source: signed-note, "Verifier keys"."""
    return f"{name}+{key_hash(name, key).hex()}+{encode(ED25519 + key.raw)}"


def read_verifier_key(text: str) -> tuple[str, PublicKey]:
    """The name and key in the text that ``verifier_key`` gives.

    Raises:
        InputRefused: it is no such text, of another kind of key, or its parts disagree.
    """
    name, plus, rest = text.partition("+")
    try:
        raw = decode(rest[9:], what="the verifier key") if plus else b""
        key = PublicKey.from_raw(raw[1:])
    except (ProofRejected, InputRefused) as fault:
        raise _bad_verifier_key(text) from fault
    if verifier_key(name, key) != text:
        raise _bad_verifier_key(text)
    return name, key


def sign_checkpoint(origin: str, size: int, root: bytes, *keys: SigningKey) -> Checkpoint:
    """The checkpoint of a tree, signed under the origin's own name by each key in order: one, or two at a rotation."""
    body = checkpoint_body(origin, size, root)
    lines = [signature_line(origin, key_hash(origin, key.public) + key.sign(body.encode())) for key in keys]
    return Checkpoint(origin, size, root, f"{body}\n{''.join(lines)}")


def open_checkpoint(note: str, origin: str, keys: Sequence[KeyTimes], witnesses: Sequence[Witness] = ()) -> Checkpoint:
    """The checkpoint in a note, once it is proved to be ``origin``'s, signed by its keys and by witnesses alone.

    At least one line is by one of ``keys``; the others by further ones of them, in that order, and then by
    ``witnesses``, in the order of their names; each signs once at most. A line of anybody else and an extension are
    refused: what is not looked at could be changed unseen. No key signs a larger tree than it is trusted for.

    Raises:
        ProofRejected: the note is of another shape or origin, or a signature does not hold.
    """
    checkpoint, lines = _read(note, origin)
    cosigners = in_order(witnesses)
    before = -1
    for line in lines:
        place = _signer(checkpoint, line, keys, cosigners)
        if place <= before:
            raise _rejected("signatures of the log and then of witnesses, one of each", "a note of another shape")
        if before < 0 and place >= len(keys):
            raise _rejected("a signature by the log's key", "one by a witness alone")
        before = place
    return checkpoint


def trimmed(note: str, origin: str, keys: Sequence[KeyTimes]) -> str:
    """The note without lines of signature by others than ``keys``, which readers of signed notes ignore.

    Raises:
        ProofRejected: it is no note of this origin.
    """
    checkpoint, lines = _read(note, origin)
    known = {key_hash(origin, each.key) for each in keys}
    kept = []
    for line in lines:
        name, signature = read_line(line)
        if name == origin and signature[:4] in known:
            kept.append(f"{line}\n")
    return f"{checkpoint.body}\n{''.join(kept)}"


def signer_of(checkpoint: Checkpoint, keys: Sequence[KeyTimes]) -> PublicKey:
    """The newest of ``keys`` that signed an opened checkpoint."""
    signed = {read_line(line)[1][:4] for line in _read(checkpoint.note, checkpoint.origin)[1]}
    return [each.key for each in keys if key_hash(checkpoint.origin, each.key) in signed][-1]


def line_of(checkpoint: Checkpoint, signer: bytes) -> Line:
    """The line of an opened checkpoint whose signature begins with the four bytes ``signer``."""
    lines = [Line(f"{line}\n", read_line(line)[1]) for line in _read(checkpoint.note, checkpoint.origin)[1]]
    return next(each for each in lines if each.signature[:4] == signer)


def witnesses_of(checkpoint: Checkpoint, witnesses: Sequence[Witness]) -> list[Witness]:
    """Those of ``witnesses`` that cosigned an opened checkpoint."""
    signed = {read_line(line)[1][:4] for line in _read(checkpoint.note, checkpoint.origin)[1]}
    return [each for each in witnesses if each.key_hash in signed]


def cosigned(checkpoint: Checkpoint, lines: Iterable[str], witnesses: Sequence[Witness]) -> Checkpoint:
    """The checkpoint with these lines of ``witnesses`` behind its own, in the order that every note has."""
    by_hash = {read_line(line.rstrip("\n"))[1][:4]: line for line in lines}
    kept = [by_hash[each.key_hash] for each in in_order(witnesses) if each.key_hash in by_hash]
    return replace(checkpoint, note=checkpoint.note + "".join(kept))


def in_order(witnesses: Iterable[Witness]) -> tuple[Witness, ...]:
    """Witnesses in the order that their lines have in every note: by name, then by key."""
    return tuple(sorted(witnesses, key=lambda each: (each.name, each.key_hash)))


def open_witnesses(texts: Iterable[str]) -> tuple[Witness, ...]:
    """The witnesses that settings or a command line name, in the order of notes.

    Raises:
        UsageError: a text is no verifier key of a witness, or one is given twice.
    """
    try:
        found = in_order(read_witness(text) for text in texts)
    except InputRefused as fault:
        raise UsageError(expected=fault.expected, found=fault.found, remedy=fault.remedy) from fault
    if len({each.key_hash for each in found}) != len(found):
        raise UsageError(expected="each witness once", found="one twice", remedy="Remove the second line.")
    return found


def _read(note: str, origin: str) -> tuple[Checkpoint, list[str]]:
    """What a note says, and its lines of signature; nothing is believed yet."""
    lines = note.split("\n")
    if not 6 <= len(lines) <= MOST_LINES or lines[3] or lines[-1] or not _SIZE.fullmatch(lines[1]):
        raise _rejected("a note of origin, size, root and signatures", "text of another shape")
    if lines[0] != origin:
        raise _rejected(f"a checkpoint of the log {origin}", f"one of {lines[0][:120]!r}")
    root = decode(lines[2], what="the root hash")
    if len(root) != 32:
        raise _rejected("a root hash of 32 bytes", f"{len(root)} bytes")
    return Checkpoint(origin, int(lines[1]), root, note), lines[4:-1]


def _signer(checkpoint: Checkpoint, line: str, keys: Sequence[KeyTimes], witnesses: Sequence[Witness]) -> int:
    """The place of the line's signer among ``keys`` and ``witnesses``, once its signature holds."""
    name, signature = read_line(line)
    body = checkpoint.body
    for place, each in enumerate(keys):
        if name != checkpoint.origin or signature[:4] != key_hash(name, each.key):
            continue
        if not each.key.verifies(signature[4:], body.encode()):
            raise _rejected("a signature over this size and root", "one that does not hold")
        if not each.covers(checkpoint.size):
            raise _rejected(f"a tree of at most {each.leaves} leaves by this key", f"one of {checkpoint.size}")
        return place
    for place, witness in enumerate(witnesses, start=len(keys)):
        if name == witness.name and signature[:4] == witness.key_hash:
            cosigned_at(body, signature, witness)
            return place
    if name != checkpoint.origin:
        raise _rejected(f"a signature by {checkpoint.origin} or a known witness", f"one of another name, {name[:80]!r}")
    raise _rejected("a signature by the log's key", "a signature by another key")


def _rejected(expected: str, found: str) -> ProofRejected:
    return ProofRejected(
        expected=expected, found=found, remedy="Do not trust this checkpoint; ask the instance for the one it signed."
    )


def _bad_verifier_key(text: str) -> InputRefused:
    return InputRefused(
        expected="a verifier key `name+hash+key` of kind Ed25519",
        found=repr(text[:120]),
        remedy="Copy the line whole from the instance.",
    )
