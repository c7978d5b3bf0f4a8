"""Checkpoints: a tree's size and root in a signed note, as text that other people's tools read.

Source: C2SP ``tlog-checkpoint`` and ``signed-note``. This module knows no database and no clock.
"""

import hashlib
import re
from dataclasses import dataclass

from governance.errors import InputRefused, ProofRejected
from governance.signing.dsse import decode, encode
from governance.signing.keys import PublicKey, SigningKey

ED25519 = b"\x01"
"""The signed note's number for plain Ed25519 signatures."""

_SIZE = re.compile(r"0|[1-9][0-9]{0,18}")


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """What a log said at one moment, and the signed ``note`` that proves it."""

    origin: str
    size: int
    root: bytes
    note: str


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


def sign_checkpoint(origin: str, size: int, root: bytes, key: SigningKey) -> Checkpoint:
    """The checkpoint of a tree, signed under the origin's own name."""
    body = checkpoint_body(origin, size, root)
    signature = encode(key_hash(origin, key.public) + key.sign(body.encode()))
    return Checkpoint(origin, size, root, f"{body}\n\u2014 {origin} {signature}\n")


def open_checkpoint(note: str, origin: str, key: PublicKey) -> Checkpoint:
    """The checkpoint in a note, once it is proved to be ``origin``'s, signed by ``key`` and nobody else.

    Further lines are refused: an extension or a signature that is not looked at could be changed unseen.

    Raises:
        ProofRejected: the note is of another shape or origin, or its signature does not hold.
    """
    lines = note.split("\n")
    if len(lines) != 6 or lines[3] or lines[5] or not _SIZE.fullmatch(lines[1]):
        raise _rejected("a note of origin, size, root and one signature", "text of another shape")
    if lines[0] != origin:
        raise _rejected(f"a checkpoint of the log {origin}", f"one of {lines[0][:120]!r}")
    root = decode(lines[2], what="the root hash")
    if len(root) != 32:
        raise _rejected("a root hash of 32 bytes", f"{len(root)} bytes")
    prefix = f"\u2014 {origin} "
    if not lines[4].startswith(prefix):
        raise _rejected(f"a signature by {origin}", "a signature line of another name")
    signature = decode(lines[4].removeprefix(prefix), what="the checkpoint's signature")
    if signature[:4] != key_hash(origin, key):
        raise _rejected("a signature by the log's key", "a signature by another key")
    body = checkpoint_body(origin, int(lines[1]), root)
    if not key.verifies(signature[4:], body.encode()):
        raise _rejected("a signature over this size and root", "one that does not hold")
    return Checkpoint(origin, int(lines[1]), root, note)


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
