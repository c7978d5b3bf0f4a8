"""Ed25519 keys: the pair an instance signs with, kept as PEM files that nobody else may read."""

import hashlib
import os
import stat
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from governance.canonical import canonical, read_json
from governance.clock import Clock, rfc3339, system_clock
from governance.errors import AssayError, InputRefused, UsageError

DECISION_FILE = "decision.pem"
CHECKPOINT_FILE = "checkpoint.pem"
RING_FILE = "ring.json"


@dataclass(frozen=True)
class PublicKey:
    """The half of a key that verifies."""

    key: Ed25519PublicKey

    @classmethod
    def from_raw(cls, raw: bytes) -> "PublicKey":
        """The key of 32 raw bytes (RFC 8032).

        Raises:
            InputRefused: not 32 bytes.
        """
        if len(raw) != 32:
            raise _not_a_key(f"{len(raw)} bytes")
        return cls(Ed25519PublicKey.from_public_bytes(raw))

    @classmethod
    def from_der(cls, der: bytes) -> "PublicKey":
        """The key in a DER SubjectPublicKeyInfo.

        Raises:
            InputRefused: it is no such thing, or a key of another kind.
        """
        try:
            return cls._of_kind(serialization.load_der_public_key(der))
        except (ValueError, UnsupportedAlgorithm) as fault:
            raise _not_a_key("bytes that are no key") from fault

    @classmethod
    def from_pem(cls, pem: str) -> "PublicKey":
        """The key in a PEM SubjectPublicKeyInfo.

        Raises:
            InputRefused: it is no such thing, or a key of another kind.
        """
        try:
            return cls._of_kind(serialization.load_pem_public_key(pem.encode()))
        except (ValueError, UnsupportedAlgorithm) as fault:
            raise _not_a_key("text that is no key") from fault

    @classmethod
    def _of_kind(cls, key: object) -> "PublicKey":
        if not isinstance(key, Ed25519PublicKey):
            raise _not_a_key(f"a key of another kind ({type(key).__name__})")
        return cls(key)

    @cached_property
    def raw(self) -> bytes:
        """The 32 bytes of the key."""
        return self.key.public_bytes_raw()

    @cached_property
    def der(self) -> bytes:
        """The SubjectPublicKeyInfo, DER."""
        return self.key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)

    @cached_property
    def pem(self) -> str:
        """The SubjectPublicKeyInfo, PEM."""
        encoded = self.key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        return encoded.decode()

    @cached_property
    def keyid(self) -> str:
        """The SHA-256 of the DER form in hexadecimal."""
        return hashlib.sha256(self.der).hexdigest()

    def verifies(self, signature: bytes, message: bytes) -> bool:
        """Whether ``signature`` is this key's over ``message``."""
        try:
            self.key.verify(signature, message)
        except InvalidSignature:
            return False
        return True


@dataclass(frozen=True)
class SigningKey:
    """The half of a key that signs, with the other half. Its text form does not show it."""

    key: Ed25519PrivateKey = field(repr=False)

    @classmethod
    def generate(cls) -> "SigningKey":
        """A fresh key."""
        return cls(Ed25519PrivateKey.generate())

    @cached_property
    def public(self) -> PublicKey:
        """The half that verifies."""
        return PublicKey(self.key.public_key())

    @property
    def keyid(self) -> str:
        """The id of the public half."""
        return self.public.keyid

    def sign(self, message: bytes) -> bytes:
        """The 64-byte signature over ``message``; the same message always gives the same one (RFC 8032)."""
        return self.key.sign(message)


@dataclass(frozen=True)
class KeyRing:
    """The keys of an instance: one for decisions, another for the log's checkpoints, and since when they hold.

    They differ so that whoever takes decisions cannot also rewrite what the log says it holds.
    """

    decision: SigningKey
    checkpoint: SigningKey
    valid_from: datetime


def store_key(path: Path, key: SigningKey) -> None:
    """Write the key as PEM PKCS #8, readable by its owner alone.

    Raises:
        UsageError: something is there already; a key is never overwritten, since its signatures live on.
    """
    pem = key.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    _write_once(path, pem)


def load_key(path: Path) -> SigningKey:
    """The key that ``store_key`` wrote.

    Raises:
        UsageError: there is none, others may read it, or it is not an Ed25519 key.
    """
    try:
        found = serialization.load_pem_private_key(_read_private(path), password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        raise _no_signing_key(path, "a file that is no key, or one with a password") from fault
    if not isinstance(found, Ed25519PrivateKey):
        raise _no_signing_key(path, f"a key of another kind ({type(found).__name__})")
    return SigningKey(found)


def create_ring(folder: Path, *, clock: Clock = system_clock) -> KeyRing:
    """A fresh pair of keys in ``folder``, valid from now on.

    Raises:
        UsageError: keys are there already.
    """
    if any((folder / name).exists() for name in (DECISION_FILE, CHECKPOINT_FILE, RING_FILE)):
        raise UsageError(
            expected=f"no keys in {folder}",
            found="keys that decisions may already be signed with",
            remedy="Use them, or name another folder.",
        )
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Cut to the second, and so never later than the first decision that is signed with the keys.
    ring = KeyRing(SigningKey.generate(), SigningKey.generate(), clock().astimezone(UTC).replace(microsecond=0))
    store_key(folder / DECISION_FILE, ring.decision)
    store_key(folder / CHECKPOINT_FILE, ring.checkpoint)
    _write_once(folder / RING_FILE, canonical(_facts(ring)))
    return ring


def open_ring(folder: Path) -> KeyRing:
    """The keys that ``create_ring`` made in ``folder``.

    Raises:
        UsageError: they are absent, others may read them, or the files do not belong together.
    """
    decision, checkpoint = load_key(folder / DECISION_FILE), load_key(folder / CHECKPOINT_FILE)
    path = folder / RING_FILE
    try:
        facts = read_json(_read_private(path))
        ring = KeyRing(decision, checkpoint, datetime.fromisoformat(facts["valid_from"]))
        together = facts == _facts(ring) and decision.keyid != checkpoint.keyid
    except (AssayError, ValueError, TypeError, KeyError) as fault:
        if isinstance(fault, UsageError):
            raise
        raise _no_signing_key(path, "a file that this version did not write") from fault
    if not together:
        raise _no_signing_key(path, "the ids of other keys than those beside it")
    return ring


def _facts(ring: KeyRing) -> dict[str, str]:
    return {
        "kind": "assay.keys/v1",
        "decision": ring.decision.keyid,
        "checkpoint": ring.checkpoint.keyid,
        "valid_from": rfc3339(ring.valid_from),
    }


def _write_once(path: Path, content: bytes) -> None:
    try:
        # The mode is given at creation: a file that is made first and closed to others later can be read in between.
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as fault:
        raise UsageError(
            expected=f"to write a new file {path}",
            found=fault.strerror or type(fault).__name__,
            remedy="Name a folder that can be written and holds no keys.",
        ) from fault
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _read_private(path: Path) -> bytes:
    try:
        mode = path.stat().st_mode
        content = path.read_bytes()
    except OSError as fault:
        raise UsageError(
            expected=f"a signing key in {path}",
            found=fault.strerror or type(fault).__name__,
            remedy="Name the folder that holds the instance's keys, or create them in it.",
        ) from fault
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise UsageError(
            expected=f"{path} to be readable by its owner alone",
            found=f"mode {stat.S_IMODE(mode):04o}",
            remedy=f"Run `chmod 600 {path}`; if others could read it, replace the keys.",
        )
    return content


def _no_signing_key(path: Path, found: str) -> UsageError:
    return UsageError(
        expected=f"an Ed25519 signing key in {path}",
        found=found,
        remedy="Restore the folder of keys as it was made.",
    )


def _not_a_key(found: str) -> InputRefused:
    return InputRefused(expected="an Ed25519 public key", found=found, remedy="Send the key's SubjectPublicKeyInfo.")
