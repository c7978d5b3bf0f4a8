"""Where an instance's keys come from: a folder, or the environment that an orchestrator fills."""

import base64
import binascii
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from pydantic import SecretStr

from governance.canonical import canonical
from governance.durable import replace_file
from governance.errors import UsageError
from governance.settings import KeySettings
from governance.signing.keys import KeyRing, SigningKey, key_in, no_signing_key, store_key
from governance.signing.rings import RING_FILE, file_name, open_ring, private_key, ring_facts, ring_of, store_ring


class KeyStore(Protocol):
    """Where the keys of an instance come from."""

    def ring(self) -> KeyRing:
        """The keys as they are now; asked again before each use, since they may have been rotated in between.

        Raises:
            UsageError: they are absent, others may read them, or they do not belong together.
        """
        ...

    def replace(self, ring: KeyRing) -> None:
        """Keep this ring from now on, at once or not at all.

        Raises:
            UsageError: this store cannot be written from here.
        """
        ...


class FolderKeys:
    """Keys in a folder that only the service's user may read: ``<home>/keys``."""

    def __init__(self, folder: Path) -> None:
        """Keys in ``folder``; nothing is read before ``ring``."""
        self.folder = folder
        self._kept: tuple[tuple[int, ...], KeyRing] | None = None

    def ring(self) -> KeyRing:
        """The keys in the folder; read again when the folder's facts were replaced."""
        # Looked at before the files are read: a change in between shows at the next call.
        stamp = _stamp(self.folder / RING_FILE)
        if self._kept is None or self._kept[0] != stamp:
            self._kept = stamp, open_ring(self.folder)
        return self._kept[1]

    def replace(self, ring: KeyRing) -> None:
        """Write keys that are not there yet, then the facts; the private half of an earlier key stays in its file."""
        for purpose, key in (("decision", ring.decision), ("checkpoint", ring.checkpoint)):
            path = self.folder / file_name(purpose, key.keyid)
            if private_key(self.folder, purpose, key.keyid) is None:
                store_key(path, key)
        _replace(self.folder / RING_FILE, canonical(ring_facts(ring)))


class EnvironmentKeys:
    """Keys in settings, as an orchestrator hands its secrets to a process. They are read once, and never written."""

    def __init__(self, settings: KeySettings) -> None:
        """The keys that ``settings`` hold or name files of; nothing is read before ``ring``."""
        self._settings = settings
        self._kept: KeyRing | None = None

    def ring(self) -> KeyRing:
        """The keys of the settings."""
        if self._kept is None:
            given = self._settings
            decision = _given_key("decision", given.decision, given.decision_file)
            checkpoint = _given_key("checkpoint", given.checkpoint, given.checkpoint_file)
            facts = _given("ring", given.ring, given.ring_file)
            self._kept = ring_of(facts, decision, checkpoint, place="ASSAY_KEYS__RING")
        return self._kept

    def replace(self, ring: KeyRing) -> None:
        """Refused: a process cannot change the environment that the next one starts in."""
        raise UsageError(
            expected="a store of keys that can be written",
            found=f"keys in the environment, to be followed by {ring.decision.keyid[:16]}",
            remedy="Name a folder with --output, and put what is written there into the variables.",
        )


@dataclass(frozen=True, slots=True)
class WrittenElsewhere:
    """Keys of one store whose followers are written into a new folder, for the operator to put where they belong."""

    source: KeyStore
    folder: Path

    def ring(self) -> KeyRing:
        """The keys of the source."""
        return self.source.ring()

    def replace(self, ring: KeyRing) -> None:
        """Write the ring into the folder, which must hold none."""
        store_ring(self.folder, ring)


def open_keys(home: Path, settings: KeySettings) -> KeyStore:
    """The store of keys that the settings choose; ``<home>/keys`` unless they say ``env``."""
    return EnvironmentKeys(settings) if settings.store == "env" else FolderKeys(home / "keys")


def _stamp(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:  # the reader that follows says what is wrong
        return ()
    return found.st_ino, found.st_mtime_ns, found.st_size


def _replace(path: Path, content: bytes) -> None:
    """Replace a file at once and durably; like the one before, its owner alone may read it."""
    try:
        replace_file(path, content)
    except OSError as fault:
        raise UsageError(
            expected=f"to replace {path}",
            found=fault.strerror or type(fault).__name__,
            remedy="Mend the folder's permissions or space.",
        ) from fault


def _given(name: str, value: SecretStr | str | None, path: Path | None) -> bytes:
    """What a variable holds, or the file that its ``_FILE`` variant names."""
    variable = f"ASSAY_KEYS__{name.upper()}"
    if (value is None) == (path is None):
        raise UsageError(
            expected=f"either {variable} or {variable}_FILE",
            found="neither" if value is None else "both",
            remedy=f"Set one of them; `assay keys init --output FOLDER` writes what {variable} takes.",
        )
    if path is None:
        return (value.get_secret_value() if isinstance(value, SecretStr) else str(value)).encode()
    try:
        # Its mode is the orchestrator's choice: Kubernetes mounts secrets that the pod's other users may read.
        return path.read_bytes()
    except OSError as fault:
        raise UsageError(
            expected=f"a file that {variable}_FILE names",
            found=fault.strerror or type(fault).__name__,
            remedy="Check the path.",
        ) from fault


def _given_key(name: str, value: SecretStr | None, path: Path | None) -> SigningKey:
    content, place = _given(name, value, path), f"ASSAY_KEYS__{name.upper()}"
    if b"-----BEGIN" in content or path is not None:
        return key_in(content, place=place)
    try:
        decoded = base64.b64decode(content.strip(), validate=True)
    except binascii.Error as fault:
        raise no_signing_key(place, "neither PEM nor base64") from fault
    return key_in(decoded, place=place)
