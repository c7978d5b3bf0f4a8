"""Evidence levels: what the link between a dataset version and a run rests on, and the weakest link of a path. Pure.

``linked``: an event says so, under a path whose content may change. ``observed``: the producer saw the content.
``reproducible``: an immutable snapshot that can be fetched again, a code revision and a pinned environment.
"""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from governance.types.ancestry import Level

ORDER: tuple[Level, ...] = ("linked", "observed", "reproducible")
"""From the weakest to the strongest."""

SNAPSHOT_LAYERS = frozenset({"iceberg", "delta", "hudi", "paimon", "lakefs", "nessie", "dvc", "oci"})
"""Storage layers (``storage`` facet) whose versions name a snapshot that does not change and can be read again."""

_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")
_DIGEST = re.compile(r"sha256:([0-9a-f]{64})")
_IMAGE_KEY = re.compile(r"(?i)(?:.*[._-])?image(?:[._-](?:uri|digest|ref))?")

Link = tuple[str, str]
"""An edge of an ancestry by the keys of its ends, in the direction of the data."""


@dataclass(frozen=True, slots=True)
class Rated:
    """The level of a link, and why it is no higher."""

    level: Level
    reason: str


@dataclass(frozen=True, slots=True)
class RunPins:
    """What can be had again of a run: the revision of its code, and its environment by digest."""

    code_revision: str | None = None
    environment: str | None = None


def rate(version: str | None, *, is_inferred: bool, is_kept: bool, pins: RunPins) -> Rated:
    """The level of a link to a dataset version that a run read or wrote.

    ``version`` is what the run's producer reported, ``is_inferred`` says that the other end was chosen by time,
    ``is_kept`` that the version names an immutable snapshot.
    """
    if is_inferred:
        return Rated("linked", "which write was read follows from the order of times")
    if version is None:
        return Rated("linked", "no version was reported")
    if not is_kept:
        return Rated("observed", "the version names no immutable snapshot that can be fetched again")
    if pins.code_revision is None:
        return Rated("observed", "the run names no revision of its code")
    if pins.environment is None:
        return Rated("observed", "the run names no pinned environment")
    return Rated("reproducible", "snapshot, code revision and environment are pinned")


def is_snapshot(name: str, version: str | None, storage_layer: str | None) -> bool:
    """Whether the version names a snapshot that cannot change and can be fetched again.

    That is so in a storage layer with snapshots, and where the name itself holds the digest of the content.
    """
    if version is None:
        return False
    if storage_layer is not None and storage_layer.lower() in SNAPSHOT_LAYERS:
        return True
    digest = _DIGEST.fullmatch(version)
    return digest is not None and digest[1] in name


def code_revision(location: Mapping[str, Any]) -> str | None:
    """The revision in a ``sourceCodeLocation`` facet: its ``version``. A branch or tag may move and is none."""
    version = location.get("version")
    if not isinstance(version, str) or not version:
        return None
    return version if location.get("type") != "git" or _COMMIT.fullmatch(version) else None


def pinned_environment(facets: Mapping[str, Any]) -> str | None:
    """The digest of the run's environment: as ``assay_environment`` tells it, or of the image among its parameters."""
    told = facets.get("assay_environment")
    if isinstance(told, Mapping):
        for key in ("imageDigest", "lockDigest"):
            digest = told.get(key)
            if isinstance(digest, str) and _DIGEST.fullmatch(digest):
                return digest
    parameters = facets.get("executionParameters")
    listed = parameters.get("parameters") if isinstance(parameters, Mapping) else None
    for entry in listed if isinstance(listed, list) else ():
        found = _image_digest(entry) if isinstance(entry, Mapping) else None
        if found is not None:
            return found
    return None


def _image_digest(entry: Mapping[str, Any]) -> str | None:
    """The digest in a parameter that names an image."""
    key, value = entry.get("key"), entry.get("value")
    if not isinstance(key, str) or not isinstance(value, str) or not _IMAGE_KEY.fullmatch(key):
        return None
    found = _DIGEST.search(value)
    return None if found is None else found[0]


def lowest(levels: Iterable[Level]) -> Level | None:
    """The weakest of the levels; None of none: where nothing is known nothing is shown."""
    return min(levels, key=ORDER.index, default=None)


def node_levels(subject: str, links: Mapping[Link, Level]) -> dict[str, Level]:
    """For each node upstream of the subject the level of the strongest path that leads from it to the subject."""
    levels: dict[str, Level] = {}
    for level in reversed(ORDER):
        strong = [link for link, held in links.items() if ORDER.index(held) >= ORDER.index(level)]
        levels.update((node, level) for node in _distances(subject, strong) if node not in levels)
    levels.pop(subject, None)
    return levels


def weakest_path(subject: str, links: Mapping[Link, Level]) -> tuple[Link, ...]:
    """The links of a shortest path to the subject that begins with a link of the lowest level; empty without links.

    Of several such paths the one of the least keys.
    """
    level = lowest(links.values())
    away = _distances(subject, links)
    weak = [link for link, held in links.items() if held == level and link[1] in away]
    if not weak:
        return ()
    path = [min(weak, key=lambda link: (away[link[1]], link))]
    while path[-1][1] != subject:
        here = path[-1][1]
        path.append(min(link for link in links if link[0] == here and away.get(link[1]) == away[here] - 1))
    return tuple(path)


def _distances(subject: str, links: Iterable[Link]) -> dict[str, int]:
    """How many links each node that leads to the subject is away from it."""
    into: dict[str, list[str]] = defaultdict(list)
    for source, target in links:
        into[target].append(source)
    away = {subject: 0}
    front: Sequence[str] = [subject]
    while front:
        reached = dict.fromkeys(source for target in front for source in into[target] if source not in away)
        away.update(dict.fromkeys(reached, away[front[0]] + 1))
        front = list(reached)
    return away
