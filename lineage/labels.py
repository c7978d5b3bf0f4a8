"""The small facets that lists, search and filters show: descriptions, tags, owners, where code and data lie. Pure.

They are kept apart from their events, so that a page of a list reads no event. A facet above ``MAX_LABEL_BYTES`` is in
its event alone, like any other facet.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

MAX_LABEL_BYTES = 64 * 1024
LABELS = ("documentation", "tags", "ownership", "dataSource", "sourceCodeLocation", "assay_marquez")
"""Keys of the facets that are kept as labels, of datasets and jobs."""


def labels_in(facets: Mapping[str, Any]) -> Iterator[tuple[str, bytes | None]]:
    """Each label that the facets set, as JSON without its frame, or delete (None)."""
    for key in LABELS:
        facet = facets.get(key)
        if not isinstance(facet, dict):
            continue
        if facet.get("_deleted") is True:
            yield key, None
            continue
        content = {name: value for name, value in facet.items() if not name.startswith("_")}
        spelled = json.dumps(content, separators=(",", ":"), sort_keys=True).encode("ascii")
        if len(spelled) <= MAX_LABEL_BYTES:
            yield key, spelled


def description_in(content: bytes | None) -> str | None:
    """The description in a ``documentation`` label."""
    return kept_text(_read(content).get("description"))


def tags_in(content: bytes | None) -> list[tuple[str, str, str | None]]:
    """(field path or empty, key, value) of each tag in a ``tags`` label, sorted."""
    found: set[tuple[str, str, str | None]] = set()
    for entry in _list(_read(content).get("tags")):
        key = kept_text(entry.get("key")) if isinstance(entry, dict) else None
        if key is not None:
            value = entry.get("value")
            # A tag without a value of its own is sent as "true" by the standard's own producers.
            shown = str(value).lower() if isinstance(value, bool) else kept_text(value)
            found.add((kept_text(entry.get("field")) or "", key, shown))
    return sorted(found, key=lambda tag: (tag[0], tag[1], tag[2] or ""))


def owners_in(content: bytes | None) -> list[tuple[str, str | None]]:
    """(name, type) of each owner in an ``ownership`` label, sorted."""
    entries = [entry for entry in _list(_read(content).get("owners")) if isinstance(entry, dict)]
    named = ((kept_text(entry.get("name")), kept_text(entry.get("type"))) for entry in entries)
    owners = {(name, kind) for name, kind in named if name is not None}
    return sorted(owners, key=lambda owner: (owner[0], owner[1] or ""))


def source_in(content: bytes | None) -> tuple[str | None, str | None]:
    """(name, URI) in a ``dataSource`` label."""
    read = _read(content)
    return kept_text(read.get("name")), kept_text(read.get("uri"))


def location_in(content: bytes | None) -> str | None:
    """The URL in a ``sourceCodeLocation`` label."""
    return kept_text(_read(content).get("url"))


def physical_name_in(content: bytes | None) -> str | None:
    """The physical name in an ``assay_marquez`` label."""
    return kept_text(_read(content).get("physicalName"))


def _read(content: bytes | None) -> Mapping[str, Any]:
    read = {} if content is None else msgspec.json.decode(content)
    return read if isinstance(read, dict) else {}


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def kept_text(value: Any) -> str | None:
    """The text, of any length, where both databases can keep it; None for anything else.

    NUL is kept by SQLite alone, a surrogate without its partner by neither.
    """
    if not isinstance(value, str) or not value or "\x00" in value:
        return None
    is_whole = value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
    return value if is_whole else None
