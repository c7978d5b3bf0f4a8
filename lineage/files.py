"""OpenLineage events in files: one object, an array of them, or JSON lines."""

from collections.abc import Iterator
from pathlib import Path

import msgspec

from governance.errors import InputRefused, MalformedBody
from lineage.events import split_batch


def event_bodies(path: Path) -> Iterator[bytes]:
    """The bytes of each event in a file, or in every file below a folder whose name has ``.json`` in it.

    Raises:
        InputRefused: the file cannot be read. MalformedBody: it is neither JSON nor JSON lines.
    """
    for file in sorted(path.rglob("*.json*")) if path.is_dir() else [path]:
        yield from _bodies(file)


def _bodies(file: Path) -> list[bytes]:
    try:
        content = file.read_bytes()
    except OSError as fault:
        raise InputRefused(
            expected="a readable file of events", found=f"{file}: {fault.strerror}", remedy="Check the path."
        ) from fault
    if not content.strip():
        return []
    if content.lstrip()[:1] == b"[":
        return split_batch(content)
    try:
        return [bytes(item) for item in _objects(content)]
    except msgspec.DecodeError as fault:
        raise MalformedBody(
            expected="events as JSON or JSON lines", found=f"{file}: {fault}"[:200], remedy="Correct the file."
        ) from fault


def _objects(content: bytes) -> list[msgspec.Raw]:
    """One value that may span lines, or else one value a line."""
    try:
        return [msgspec.json.decode(content, type=msgspec.Raw)]
    except msgspec.DecodeError:
        return msgspec.json.Decoder(msgspec.Raw).decode_lines(content)
