"""Content-addressed bytes on any fsspec store. A name given by a user never becomes a path: only digests do."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import fsspec

from governance.errors import InputRefused, NotFound, TooLarge

CHUNK = 2**20


class ArtifactStore:
    """Bytes by their SHA-256 under ``sha256/ab/cd...``. Writing the same bytes twice keeps one copy."""

    def __init__(self, url: str) -> None:
        """Open the store at an fsspec URL (``file:///...``, ``s3://...``)."""
        self._files, self._root = fsspec.core.url_to_fs(url)

    def _path(self, digest: str) -> str:
        algorithm, _, text = digest.partition(":")
        if algorithm != "sha256" or len(text) != 64 or set(text) - set("0123456789abcdef"):
            raise InputRefused(
                expected="sha256: and 64 lower-case hexadecimal digits",
                found=repr(digest[:80]),
                remedy="Send the digest of the bytes.",
            )
        return f"{self._root}/sha256/{text[:2]}/{text[2:4]}/{text}"

    def holds(self, digest: str) -> bool:
        """Whether bytes with this digest are stored."""
        return bool(self._files.exists(self._path(digest)))

    def put(self, chunks: Iterable[bytes], *, limit: int, expected: str | None = None) -> tuple[str, int]:
        """Store the bytes and give their digest and size; nothing stays where it raises.

        Raises:
            TooLarge: more than ``limit`` bytes.
            InputRefused: the digest is not the ``expected`` one.
        """
        if expected is not None:
            self._path(expected)
        draft = f"{self._root}/incoming/{uuid4().hex}"
        self._files.makedirs(f"{self._root}/incoming", exist_ok=True)
        try:
            with self._files.open(draft, "wb") as target:
                digest, size = _copy(chunks, target, limit)
            if expected is not None and digest != expected:
                raise InputRefused(
                    expected=expected, found=f"bytes with digest {digest}", remedy="Send the bytes that were announced."
                )
            path = self._path(digest)
            if not self._files.exists(path):
                self._files.makedirs(path.rpartition("/")[0], exist_ok=True)
                self._files.mv(draft, path)
        finally:
            if self._files.exists(draft):
                self._files.rm_file(draft)
        return digest, size

    def put_bytes(self, content: bytes) -> str:
        """Store ``content`` and give its digest."""
        return self.put([content], limit=len(content))[0]

    def read(self, digest: str) -> bytes:
        """All bytes with this digest, checked against it.

        Raises:
            NotFound: no such bytes.
            InputRefused: what is stored has another digest (it was damaged).
        """
        return b"".join(self.stream(digest))

    def stream(self, digest: str) -> Iterator[bytes]:
        """The bytes in chunks; a damaged artifact raises at its end, so that nobody takes it for whole."""
        path = self._path(digest)
        if not self._files.exists(path):
            raise NotFound(
                expected="uploaded bytes",
                found=f"nothing under {digest}",
                remedy="Upload them: PUT /v1/artifacts/{sha256}.",
            )
        hasher = hashlib.sha256()
        with self._files.open(path, "rb") as source:
            while chunk := source.read(CHUNK):
                hasher.update(chunk)
                yield chunk
        if "sha256:" + hasher.hexdigest() != digest:
            raise InputRefused(
                expected=digest, found="stored bytes with another digest", remedy="Restore the artifact from a backup."
            )

    def _copy_to(self, digest: str, path: Path) -> None:
        with path.open("wb") as target:
            for chunk in self.stream(digest):
                target.write(chunk)

    @contextmanager
    def local_copies(self, digests: Iterable[str]) -> Iterator[dict[str, Path]]:
        """Verified local copies of artifacts, by digest, removed at the end of the block."""
        folder = Path(tempfile.mkdtemp(prefix="assay-files-"))
        try:
            copies = {digest: folder / digest.removeprefix("sha256:") for digest in sorted(set(digests))}
            for digest, path in copies.items():
                self._copy_to(digest, path)
            yield copies
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _copy(chunks: Iterable[bytes], target: Any, limit: int) -> tuple[str, int]:
    """Write the chunks through to disk; their digest and size."""
    hasher, size = hashlib.sha256(), 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise TooLarge(
                expected=f"at most {limit} bytes",
                found="more",
                remedy="Send less, or raise ASSAY_LIMITS__ARTIFACT_BYTES.",
            )
        hasher.update(chunk)
        target.write(chunk)
    _flush(target)
    return "sha256:" + hasher.hexdigest(), size


def _flush(target: Any) -> None:
    """Bring a local file to disk before it is acknowledged; object stores do so when it is closed."""
    target.flush()
    try:
        number = target.fileno()
    except (AttributeError, OSError):
        return
    os.fsync(number)
