"""Paths of fields: segments joined by dots, a segment that holds a dot in backticks. Pure."""

from functools import lru_cache
from urllib.parse import unquote_plus

from lineage.identity import is_uuid


def segments(path: str) -> tuple[str, ...]:
    """The names on the way to a field, without the backticks around them."""
    return tuple(part[1:-1] if len(part) > 1 and part.startswith("`") else part for part in _parts(path))


@lru_cache(maxsize=65536)
def ancestors(path: str) -> frozenset[str]:
    """The paths of the fields that hold this one; none of a field at the top."""
    if "." not in path:
        return frozenset()
    parts = _parts(path)
    return frozenset(".".join(parts[:length]) for length in range(1, len(parts)))


def spelled(name: str) -> str:
    """One name as a segment of a path."""
    return f"`{name}`" if "." in name else name


def field_id_splits(field_id: str) -> list[tuple[str, str, str]]:
    """Every (namespace, dataset, field) that ``datasetField:{namespace}:{dataset}:{field}`` may stand for.

    Names hold colons, so there may be several. A part after ``#`` (Marquez's version) is tried as such and as belonging
    to the field. Empty when the form is another.
    """
    form, _, rest = field_id.partition(":")
    if form != "datasetField":
        return []
    before, mark, version = rest.rpartition("#")
    texts = [rest, before] if mark and is_uuid(version) else [rest]
    found: list[tuple[str, str, str]] = []
    for parts in (text.split(":") for text in texts):
        for first in range(1, len(parts)):
            for second in range(first + 1, len(parts)):
                split = (":".join(parts[:first]), ":".join(parts[first:second]), ":".join(parts[second:]))
                found += [split] if all(split) else []
    return found


def field_candidates(field_id: str, encoded: str) -> list[tuple[str, str, str]]:
    """Every (namespace, dataset, field) that a field id may mean; ``encoded`` is the id as it stood in the query.

    Where only the colons between its parts came unencoded, as the web pages send them, there is one way to read it.
    """
    if encoded.count(":") != 3:
        return field_id_splits(field_id)
    form, namespace, dataset, path = (unquote_plus(part) for part in encoded.split(":"))
    if form != "datasetField" or not (namespace and dataset and path):
        return []
    before, mark, version = path.rpartition("#")
    paths = [path, before] if mark and before and is_uuid(version) else [path]
    return [(namespace, dataset, one) for one in paths]


def _parts(path: str) -> list[str]:
    """The segments as they are spelt. What stands between two dots outside backticks is one segment."""
    parts: list[str] = []
    begin, is_quoted = 0, False
    for place, character in enumerate(path):
        if character == "`":
            is_quoted = not is_quoted
        elif character == "." and not is_quoted:
            parts.append(path[begin:place])
            begin = place + 1
    return [*parts, path[begin:]]
