"""The auditor's pack as bytes: a zip of files with one spelling, and the same read back within limits.

What the files mean is ``governance.pack``'s part.

Source: PKWARE APPNOTE 6.3; only stored entries are used, so that size and content are what they seem.
"""

import io
import re
import zipfile
from collections.abc import Mapping

from governance.errors import ProofRejected

MOST_BYTES = 256 * 2**20
"""A pack of a policy with a hundred checks is below 10 MB; what is far beyond is not read."""

MOST_FILES = 4096
MOST_FILE_BYTES = 64 * 2**20

PATH = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}(/[A-Za-z0-9][A-Za-z0-9._-]{0,99}){0,3}")
"""Names of files: below the pack's own folder on every system, since no part begins with a dot."""

EPOCH = (1980, 1, 1, 0, 0, 0)
"""The time of every entry: the earliest that the format knows, so that the same files give the same bytes."""


def pack_bytes(files: Mapping[str, bytes]) -> bytes:
    """The zip of these files by path: sorted, stored, without times; the same files always give the same bytes."""
    output = io.BytesIO()
    with zipfile.ZipFile(output, "w", zipfile.ZIP_STORED) as archive:
        for path in sorted(files):
            entry = zipfile.ZipInfo(path, EPOCH)
            entry.create_system = 3  # Unix, whatever machine writes it
            entry.external_attr = 0o100644 << 16
            archive.writestr(entry, files[path])
    return output.getvalue()


def read_pack(content: bytes) -> dict[str, bytes]:
    """The files of a pack by path, in their one spelling.

    Raises:
        ProofRejected: it is too large, no zip, has a path or an entry that a pack never has, or another spelling: a
            byte before, between or behind the entries, or a field that ``pack_bytes`` writes otherwise.
    """
    _require(len(content) <= MOST_BYTES, f"at most {MOST_BYTES} bytes", f"{len(content)} bytes")
    files: dict[str, bytes] = {}
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            entries = archive.infolist()
            _require(len(entries) <= MOST_FILES, f"at most {MOST_FILES} files", f"{len(entries)}")
            for entry in entries:
                _require_plain(entry, files)
                files[entry.filename] = archive.read(entry)
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, ValueError, OSError) as fault:
        raise _rejected("a zip archive", f"bytes that are none ({type(fault).__name__})") from fault
    _require(pack_bytes(files) == content, "the pack as it was written", "another spelling of it")
    return files


def _require_plain(entry: zipfile.ZipInfo, before: Mapping[str, bytes]) -> None:
    name = entry.filename
    _require(PATH.fullmatch(name) is not None, "paths below the pack's own folder", repr(name[:120]))
    _require(name not in before, "each path once", f"{name} twice")
    _require(entry.compress_type == zipfile.ZIP_STORED, f"{name} stored as it is", "a compressed entry")
    _require(not entry.flag_bits & 0x1, f"{name} without a password", "an encrypted entry")
    # A stored entry whose two sizes differ is not read: that is how an archive grows while it is unpacked.
    _require(entry.file_size == entry.compress_size, f"{name} of one size", "two sizes")
    _require(entry.file_size <= MOST_FILE_BYTES, f"{name} of at most {MOST_FILE_BYTES} bytes", f"{entry.file_size}")


def _require(holds: bool, expected: str, found: str) -> None:
    if not holds:
        raise _rejected(expected, found)


def _rejected(expected: str, found: str) -> ProofRejected:
    return ProofRejected(
        expected=expected,
        found=found,
        remedy="Do not rely on this pack; get it again from the instance.",
        pointer="zip",
    )
