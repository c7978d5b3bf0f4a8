"""What stays of an event when facets are taken out of it. Pure.

In place of what was taken stands ``{"_pruned": "sha256:..."}``. What the graph is derived from always stays: names,
times, and the facets of ``STRUCTURE``, so that a residue gives the same graph as the event did.
"""

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from lineage.conformance import DEPLOYMENT, MODEL, PROVENANCE, Finding, findings
from lineage.events import Event
from lineage.schemas import escaped

PRUNED = "_pruned"

STRUCTURE = frozenset(
    {
        "schema", "version", "symlinks", "columnLineage", "lineage", "lifecycleStateChange", "parent", "nominalTime",
        "jobType", "datasetType", "outputStatistics", "dataSource", "sourceCodeLocation", "assay_marquez",
        "assay_traffic", "assay_decision", "emissionPattern", MODEL, DEPLOYMENT,
    }
)  # fmt: skip
"""Keys of the facets that nodes, edges, versions, runs, columns, sources and deployments are derived from."""

TOLD = frozenset({"documentation", "tags", "ownership", PROVENANCE})
"""Keys of the facets that say something which is derived too, and which a request may take away everywhere."""

EVIDENCE = frozenset({"executionParameters", "assay_environment", "storage"})
"""Keys of the facets that levels of evidence rest on (``lineage.levels``): age leaves them, a request may take them."""

Entity = Literal["event", "run", "job", "dataset"]

_SIDES = ("inputs", "outputs")
_STANDARD = {
    "event": frozenset(
        {"eventType", "eventTime", "producer", "schemaURL", "run", "job", "dataset", "inputs", "outputs"}
    ),
    "run": frozenset({"runId", "facets"}),
    "job": frozenset({"namespace", "name", "facets"}),
    "dataset": frozenset({"namespace", "name", "facets", "inputFacets", "outputFacets"}),
}
_HOLDERS = ("facets", "inputFacets", "outputFacets")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")


@dataclass(frozen=True, slots=True)
class Part:
    """A facet, or a member that the standard does not know, and whose it is; events and runs have no ``names``."""

    entity: Entity
    names: tuple[str, str]
    key: str
    is_facet: bool
    of_role: bool = False


Choice = Callable[[Part], bool]
"""Whether a part is to be taken. It is asked of parts that may be taken, and are still there."""


def residue(document: Mapping[str, Any], choice: Choice) -> dict[str, Any]:
    """The event without the parts that were chosen."""
    left = _without(document, "event", ("", ""), choice)
    if isinstance(left.get("run"), dict):
        left["run"] = _without(left["run"], "run", ("", ""), choice)
    entities: tuple[Entity, ...] = ("job", "dataset")
    for entity in entities:
        if isinstance(left.get(entity), dict):
            left[entity] = _named(left[entity], entity, choice)
    for side in _SIDES:
        if isinstance(left.get(side), list):
            left[side] = [_named(item, "dataset", choice) if isinstance(item, dict) else item for item in left[side]]
    return left


def _named(holder: Mapping[str, Any], entity: Entity, choice: Choice) -> dict[str, Any]:
    return _without(holder, entity, (str(holder.get("namespace")), str(holder.get("name"))), choice)


def _without(holder: Mapping[str, Any], entity: Entity, names: tuple[str, str], choice: Choice) -> dict[str, Any]:
    left: dict[str, Any] = {}
    for member, value in holder.items():
        if member not in _STANDARD[entity]:
            taken = _is_there(value) and choice(Part(entity, names, member, is_facet=False))
            left[member] = marker(value) if taken else value
        elif member in _HOLDERS and isinstance(value, dict):
            of_role = member != "facets"
            left[member] = {
                key: marker(facet)
                if _may_go(key, facet) and choice(Part(entity, names, key, is_facet=True, of_role=of_role))
                else facet
                for key, facet in value.items()
            }
        else:
            left[member] = value
    return left


def _may_go(key: str, facet: Any) -> bool:
    # A deletion says when a facet ended; without it an older value would come back.
    is_deletion = isinstance(facet, dict) and facet.get("_deleted") is True
    return key not in STRUCTURE and not is_deletion and _is_there(facet)


def _is_there(value: Any) -> bool:
    return pruned_digest(value) is None


def marker(value: Any) -> dict[str, str]:
    """What stands for a value that was taken: the SHA-256 of its JSON without spaces, members sorted, in ASCII."""
    spelled = json.dumps(value, separators=(",", ":"), sort_keys=True).encode("ascii")
    return {PRUNED: f"sha256:{hashlib.sha256(spelled).hexdigest()}"}


def pruned_digest(value: Any) -> str | None:
    """The digest of what was taken, where the value is a marker."""
    digest = value.get(PRUNED) if isinstance(value, dict) and len(value) == 1 else None
    return digest if isinstance(digest, str) and _DIGEST.fullmatch(digest) else None


def spelled_residue(document: Mapping[str, Any]) -> bytes:
    """The residue's bytes, as they are stored and hashed."""
    return json.dumps(document, separators=(",", ":")).encode("ascii")


def residue_findings(event: Event) -> tuple[Finding, ...]:
    """The findings of an event of which this is what was left: those about what was taken are gone with it."""
    places = tuple(_markers(event.document, ""))
    return tuple(item for item in findings(event) if not any(_is_below(item.pointer, place) for place in places))


def _is_below(pointer: str, place: str) -> bool:
    return pointer == place or pointer.startswith(f"{place}/")


def _markers(value: Any, pointer: str) -> Iterator[str]:
    """The JSON pointer of each marker."""
    if pruned_digest(value) is not None:
        yield pointer
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _markers(item, f"{pointer}/{escaped(name)}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _markers(item, f"{pointer}/{index}")
