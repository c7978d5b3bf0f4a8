"""What makes two mentions the same thing, and what makes one mention later than another. Pure.

Names are compared as their producer sent them; nothing is folded, trimmed or guessed.
"""

import hashlib
import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Literal, NewType
from uuid import NAMESPACE_URL, UUID, uuid5

NodeKind = Literal["dataset", "job"]
Stamp = NewType("Stamp", bytes)
"""Event time (8 bytes, big endian, microseconds since year 1) and event digest (32 bytes): the order of events."""

MAX_NAME = 2048
"""Characters a namespace, name or field path may have (``docs/lineage.md``)."""

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_EPOCH = datetime(1, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def name_fault(name: object) -> str | None:
    """What keeps ``name`` from being a stored name: None when nothing does, else what was found.

    NUL and lone surrogates are refused, because PostgreSQL keeps neither and SQLite keeps one of them.
    """
    if name is None:
        return "nothing"
    if not isinstance(name, str):
        return f"a {_json_type(name)}"
    if not name:
        return "an empty string"
    if len(name) > MAX_NAME:
        return f"{len(name)} characters"
    if "\x00" in name:
        return "a NUL character"
    if not name.isascii() and any("\ud800" <= character <= "\udfff" for character in name):
        return "a surrogate without its partner"
    return None


def _json_type(value: object) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, (int, float)):
        return "number"
    return {dict: "object", list: "array", str: "string", type(None): "null"}.get(type(value), type(value).__name__)


@lru_cache(maxsize=8192)
def node_identity(kind: NodeKind, namespace: str, name: str) -> bytes:
    """32 bytes that stand for the node; names hold no NUL, so the parts cannot run into one another."""
    return hashlib.sha256(f"{kind}\0{namespace}\0{name}".encode()).digest()


@lru_cache(maxsize=1024)
def namespace_identity(namespace: str) -> bytes:
    """32 bytes that stand for the namespace."""
    return hashlib.sha256(f"namespace\0{namespace}".encode()).digest()


def label_identity(kind: Literal["source", "tag"], name: str) -> bytes:
    """32 bytes that stand for a source of data or a tag."""
    return hashlib.sha256(f"{kind}\0{name}".encode()).digest()


def run_identity(run_id: str) -> bytes:
    """32 bytes that stand for the run. A UUID counts whatever its spelling; other text counts as sent."""
    return hashlib.sha256(f"run\0{canonical_run_id(run_id)}".encode()).digest()


def canonical_run_id(run_id: str) -> str:
    """The lower-case hyphenated form of a UUID in any case; other text unchanged."""
    return run_id.lower() if is_uuid(run_id) else run_id


def is_uuid(text: str) -> bool:
    """Whether ``text`` is a UUID in the hyphenated form of RFC 9562 (any case, any version)."""
    return _UUID.fullmatch(text) is not None


def run_uuid(run_id: str) -> UUID:
    """The run's UUID where a reader needs one: its own, else the UUIDv5 of the text.

    Source: RFC 9562, section 5.5, in the name space of URLs.
    """
    return UUID(run_id) if is_uuid(run_id) else uuid5(NAMESPACE_URL, run_id)


def stamp(event_time: datetime, event_digest: bytes) -> Stamp:
    """The event's place in the order of events; ``event_digest`` has 32 bytes and decides between equal times."""
    return Stamp(((event_time - _EPOCH) // _MICROSECOND).to_bytes(8, "big") + event_digest)


def stamp_time(value: bytes) -> datetime:
    """The event time in a stamp."""
    return _EPOCH + int.from_bytes(value[:8], "big") * _MICROSECOND


def stamp_after(instant: datetime) -> bytes:
    """The least bytes above every stamp at or before ``instant``."""
    return ((instant - _EPOCH) // _MICROSECOND + 1).to_bytes(8, "big")


def node_id_text(kind: NodeKind, namespace: str, name: str) -> str:
    """Marquez's form of a node id, ``dataset:{namespace}:{name}``."""
    return f"{kind}:{namespace}:{name}"


def node_id_splits(node_id: str) -> list[tuple[NodeKind, str, str]]:
    """Every (kind, namespace, name) that ``node_id`` may stand for; names hold colons, so there may be several.

    A part after ``#`` (Marquez's version) is tried as such and as belonging to the name. Empty when the form is
    another.
    """
    kind, _, rest = node_id.partition(":")
    if kind not in ("dataset", "job"):
        return []
    found: list[tuple[NodeKind, str, str]] = []
    known: NodeKind = "dataset" if kind == "dataset" else "job"
    texts = [rest]
    before, mark, version = rest.rpartition("#")
    if mark and is_uuid(version):
        texts.append(before)
    for text in texts:
        parts = text.split(":")
        for cut in range(1, len(parts)):
            namespace, name = ":".join(parts[:cut]), ":".join(parts[cut:])
            if namespace and name:
                found.append((known, namespace, name))
    return found
