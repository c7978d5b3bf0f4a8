"""Ed25519 keys: how they sign and verify, what each is trusted for, and PEM files that nobody else may read."""

import hashlib
import os
import stat
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from governance.errors import InputRefused, ProofRejected, UsageError


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
class KeyTimes:
    """A public key, and the signatures of it that count.

    They are those made in the half-open time ``[valid_from, valid_until)``, which ``compromised_since`` ends earlier,
    and about the first ``leaves`` leaves of the log. None means that there is no such end. A signature says itself when
    it was made, which whoever stole the key may choose; the log's order is not theirs to choose, so ``leaves`` bounds
    what the key proves whatever the signature says.
    """

    key: PublicKey
    valid_from: datetime
    valid_until: datetime | None = None
    compromised_since: datetime | None = None
    leaves: int | None = None

    @property
    def ends(self) -> datetime | None:
        """The instant from which on its signatures do not count; None while it is in use."""
        ends = [each for each in (self.valid_until, self.compromised_since) if each is not None]
        return min(ends, default=None)

    def holds_at(self, moment: datetime) -> bool:
        """Whether a signature made at ``moment`` counts."""
        return self.valid_from <= moment and (self.ends is None or moment < self.ends)

    def covers(self, leaves: int) -> bool:
        """Whether it is trusted for a log of so many leaves."""
        return self.leaves is None or leaves <= self.leaves


@dataclass(frozen=True)
class KeyRing:
    """The keys of an instance: one signs decisions, another the log's checkpoints, and those that did so earlier.

    They differ so that whoever takes decisions cannot also rewrite what the log says it holds. ``decision_keys`` and
    ``checkpoint_keys`` hold every key since the first, oldest first; the last of each is the one in use.
    """

    decision: SigningKey
    checkpoint: SigningKey
    decision_keys: tuple[KeyTimes, ...]
    checkpoint_keys: tuple[KeyTimes, ...]

    @classmethod
    def of(cls, decision: SigningKey, checkpoint: SigningKey, valid_from: datetime) -> "KeyRing":
        """A ring of two keys that had none before them."""
        return cls(
            decision, checkpoint, (KeyTimes(decision.public, valid_from),), (KeyTimes(checkpoint.public, valid_from),)
        )

    @property
    def own_checkpoint_keys(self) -> tuple[KeyTimes, ...]:
        """The keys for checkpoints without the bounds of their trust: by them the instance knows what it signed."""
        return tuple(replace(each, leaves=None) for each in self.checkpoint_keys)

    def decision_key(self, keyid: str) -> PublicKey:
        """The public half of the key that signs or signed decisions under this id.

        Raises:
            ProofRejected: the instance never had it.
        """
        for each in self.decision_keys:
            if each.key.keyid == keyid:
                return each.key
        raise ProofRejected(
            expected=f"a signature by one of the {len(self.decision_keys)} keys of this instance",
            found=f"the key id {keyid[:80]!r}",
            remedy="Put back the keys and the database that belong together.",
        )

    @property
    def valid_from(self) -> datetime:
        """Since when the first key for decisions holds."""
        return self.decision_keys[0].valid_from


def store_key(path: Path, key: SigningKey) -> None:
    """Write the key as PEM PKCS #8, readable by its owner alone.

    Raises:
        UsageError: something is there already; a key is never overwritten, since its signatures live on.
    """
    pem = key.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    write_once(path, pem)


def load_key(path: Path) -> SigningKey:
    """The key that ``store_key`` wrote.

    Raises:
        UsageError: there is none, others may read it, or it is not an Ed25519 key.
    """
    return key_in(read_private(path), place=str(path))


def key_in(content: bytes, *, place: str) -> SigningKey:
    """The signing key in PEM, DER or 32 raw bytes; ``place`` says in a fault where they were found.

    Raises:
        UsageError: it is no Ed25519 key, or one with a password.
    """
    try:
        if len(content) == 32:
            return SigningKey(Ed25519PrivateKey.from_private_bytes(content))
        read = serialization.load_pem_private_key if b"-----BEGIN" in content else serialization.load_der_private_key
        found = read(content, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        raise no_signing_key(place, "a file that is no key, or one with a password") from fault
    if not isinstance(found, Ed25519PrivateKey):
        raise no_signing_key(place, f"a key of another kind ({type(found).__name__})")
    return SigningKey(found)


def write_once(path: Path, content: bytes) -> None:
    """Write a new file, durably, that its owner alone may read.

    Raises:
        UsageError: there is one already, or the folder cannot be written.
    """
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


def read_private(path: Path) -> bytes:
    """The bytes of a file that its owner alone may read.

    Raises:
        UsageError: it cannot be read, or others may read it too.
    """
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


def no_signing_key(path: Path | str, found: str) -> UsageError:
    """The fault of a place that holds no signing key."""
    return UsageError(
        expected=f"an Ed25519 signing key in {path}",
        found=found,
        remedy="Restore the folder of keys as it was made.",
    )


def _not_a_key(found: str) -> InputRefused:
    return InputRefused(expected="an Ed25519 public key", found=found, remedy="Send the key's SubjectPublicKeyInfo.")
