"""Cosignatures: a witness vouches that a checkpoint extends every one it saw before, at a moment it names.

Source: C2SP ``tlog-cosignature``, ``cosignature/v1`` (Ed25519), and ``signed-note``. This module knows no clock.
"""

import hashlib
import re
from dataclasses import dataclass

from governance.errors import AssayError, InputRefused, ProofRejected
from governance.signing.dsse import decode, encode
from governance.signing.keys import PublicKey, SigningKey

COSIGNATURE = b"\x04"
"""The signed note's number for timestamped Ed25519 cosignatures."""

NAME = re.compile(r"[^\s+\x00-\x20\x7f]{1,255}")
"""A key's name in a signed note: not empty, without spaces and without a plus."""

LATEST = 2**63 - 1
"""The largest moment, in seconds since 1970, that the specification allows."""


@dataclass(frozen=True, slots=True)
class Witness:
    """Whoever cosigns checkpoints: the name and the key they do it with."""

    name: str
    key: PublicKey

    @property
    def key_hash(self) -> bytes:
        """The four bytes by which a line of signature names the key."""
        return hashlib.sha256(self.name.encode() + b"\n" + COSIGNATURE + self.key.raw).digest()[:4]

    @property
    def text(self) -> str:
        """The verifier key as text, which others are given. Source: signed-note, "Verifier keys"."""
        return f"{self.name}+{self.key_hash.hex()}+{encode(COSIGNATURE + self.key.raw)}"


def read_witness(text: str) -> Witness:
    """The witness in the text that ``Witness.text`` gives.

    Raises:
        InputRefused: it is no such text, of another kind of key, or its parts disagree.
    """
    name, plus, rest = text.partition("+")
    try:
        raw = decode(rest[9:], what="the verifier key") if plus else b""
        witness = Witness(name, PublicKey.from_raw(raw[1:]))
    except AssayError as fault:
        raise _no_witness(text) from fault
    if not NAME.fullmatch(name) or witness.text != text:
        raise _no_witness(text)
    return witness


def signature_line(name: str, signature: bytes) -> str:
    """One line of a signed note; ``signature`` begins with the four bytes that name its key."""
    return f"\u2014 {name} {encode(signature)}\n"


def read_line(line: str) -> tuple[str, bytes]:
    """Name and signature in a line of a signed note, without its line break.

    Raises:
        ProofRejected: it is no such line.
    """
    mark, _, rest = line.partition(" ")
    name, _, text = rest.partition(" ")
    if mark != "\u2014" or not NAME.fullmatch(name):
        raise ProofRejected(
            expected="lines of signature at the end of the note",
            found="text of another shape",
            remedy="Do not trust this note; get it again from where it was signed.",
        )
    return name, decode(text, what="the checkpoint's signature")


def cosign(body: str, name: str, key: SigningKey, *, moment: int) -> str:
    """The line by which a witness cosigns the checkpoint with this body, ``moment`` seconds after 1970 began."""
    signature = key.sign(_message(body, moment))
    return signature_line(name, Witness(name, key.public).key_hash + moment.to_bytes(8, "big") + signature)


def cosigned_at(body: str, signature: bytes, witness: Witness) -> int:
    """The moment at which ``witness`` cosigned the checkpoint with this body, in seconds since 1970 began.

    Raises:
        ProofRejected: the signature is another key's, or does not hold.
    """
    moment = int.from_bytes(signature[4:12], "big")
    named = len(signature) == 76 and signature[:4] == witness.key_hash and moment <= LATEST
    if not named or not witness.key.verifies(signature[12:], _message(body, moment)):
        raise ProofRejected(
            expected=f"a cosignature of {witness.name} over this checkpoint",
            found="one that does not hold",
            remedy="Do not trust this checkpoint; ask the witness for the one it cosigned.",
        )
    return moment


def _message(body: str, moment: int) -> bytes:
    return f"cosignature/v1\ntime {moment}\n{body}".encode()


def _no_witness(text: str) -> InputRefused:
    return InputRefused(
        expected="a witness's verifier key `name+hash+key` of kind Ed25519 cosignature",
        found=repr(text[:120]),
        remedy="Copy the line that `assay witness init` printed, whole.",
    )
