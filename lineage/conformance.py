"""What an accepted event gets wrong: findings with a code, a JSON pointer, what was expected and what was found.

A finding is a function of the stored event alone. The schemas are in ``lineage.schemas``.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC
from typing import Any

import msgspec
from pydantic import ValidationError

from governance.canonical import canonical
from governance.errors import InputRefused
from governance.types.provenance import ProvenanceRecord
from lineage.events import EARLIEST, EVENT_TYPES, LATEST, Event
from lineage.facets import CORE, SPEC, openlineage_schemas
from lineage.identity import is_uuid, name_fault
from lineage.memory import Memory
from lineage.redaction import MARK
from lineage.schemas import Place, core_fault, escaped, facet_reference, faults, is_valid, shown

MAX_FACET_BYTES = 16 * 2**20
"""A facet above this stays in the event alone and is not looked into."""

MAX_FINDINGS = 1000
"""Findings kept of one event, the first by place; an event of a million faults is as wrong as one of a thousand."""

PROVENANCE = "assay_provenance"
MODEL = "assay_model"
DEPLOYMENT = "assay_deployment"
_NAMING = frozenset({"version", "schema", "symlinks", "columnLineage", "lineage", "parent"})
"""Facets that name datasets, fields, versions or runs from which something is derived."""

_NAMES = frozenset({"namespace", "name", "field", "datasetVersion", "runId"})
_FRAME = ("_producer", "_schemaURL")


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """One fault of an accepted event; ordered by place."""

    pointer: str
    code: str
    expected: str
    found: str


_KNOWN: Memory[tuple[Finding, ...]] = Memory(8192)
_FEW = 16  # findings of one part that are remembered; what has more is told anew, so that the memory stays small


def findings(event: Event) -> tuple[Finding, ...]:
    """Everything the event gets wrong, ordered by place; empty when it conforms."""
    found = set(_envelope_findings(event))
    for place, pointer, facets, digest in facet_maps(event):
        if facets:
            for item in _facet_findings(event, place, facets, digest):
                found.add(replace(item, pointer=pointer + item.pointer))
    if MARK.encode() in event.body:
        found.update(_redacted(event.document, ""))
    return tuple(sorted(found)[:MAX_FINDINGS]) if found else ()


def _envelope_findings(event: Event) -> tuple[Finding, ...]:
    """What is wrong outside the facets; most skeletons are equal, and the validator need not be asked about each."""
    return _remembered((event.kind, event.skeleton_digest), lambda: (*_envelope(event), *_core(event)))


def _facet_findings(event: Event, place: Place, facets: Mapping[str, Any], digest: bytes | None) -> tuple[Finding, ...]:
    """What is wrong in a map of facets, with pointers relative to it."""

    def find() -> tuple[Finding, ...]:
        return tuple(item for key, facet in facets.items() for item in _facet(event, place, key, facet))

    return find() if len(event.body) > MAX_FACET_BYTES else _remembered((place, digest), find)


def _remembered(key: tuple[str, bytes | None], find: Callable[[], tuple[Finding, ...]]) -> tuple[Finding, ...]:
    """What was found under the key before, else what ``find`` gives; nothing is known of what has no digest."""
    known = _KNOWN.get(key)
    if known is None:
        known = find()
        if len(known) <= _FEW and key[1] is not None:
            _KNOWN.keep(key, known)
    return known


def strict_fault(event: Event) -> InputRefused | None:
    """Why strict mode refuses the event: the core schema 2-0-2, formats asserted; None when it conforms."""
    fault = core_fault(event.kind, event.document)
    if fault is None:
        return None
    return InputRefused(
        expected=fault.expected,
        found=fault.found,
        remedy="Send an event that OpenLineage's schema 2-0-2 accepts, or ask for lenient conformance.",
        pointer=fault.pointer,
    )


def facet_maps(event: Event) -> Iterator[tuple[Place, str, Mapping[str, Any], bytes | None]]:
    """Each map of facets in the event: the kind of entity it belongs to, its JSON pointer, the map and its digest."""
    if event.run_id is not None:
        yield "Run", "/run/facets", event.run_facets, event.run_facets_digest
    if event.job is not None:
        yield "Job", "/job/facets", event.job.facets, event.job.digest
    if event.dataset is not None:
        yield "Dataset", "/dataset/facets", event.dataset.facets, event.dataset.digest
    for mention in event.inputs:
        yield "Dataset", f"{mention.pointer}/facets", mention.facets, mention.digest
        yield "InputDataset", f"{mention.pointer}/inputFacets", mention.role_facets, mention.role_digest
    for mention in event.outputs:
        yield "Dataset", f"{mention.pointer}/facets", mention.facets, mention.digest
        yield "OutputDataset", f"{mention.pointer}/outputFacets", mention.role_facets, mention.role_digest


def provenance_record(facet: Any) -> ProvenanceRecord | None:
    """The record in an ``assay_provenance`` facet; None when it is not a valid one."""
    return _read_record(facet) if isinstance(facet, dict) and not _is_deletion(facet) else None


def valid_facet(place: Place, key: str, facet: Any) -> Mapping[str, Any] | None:
    """A facet that follows the newest schema of its key and is no deletion; None for any other value."""
    if not isinstance(facet, dict) or _is_deletion(facet):
        return None
    return facet if is_valid(facet_reference(place, key, None), facet) else None


def _is_deletion(facet: Mapping[str, Any]) -> bool:
    return facet.get("_deleted") is True


def _read_record(facet: Mapping[str, Any]) -> ProvenanceRecord | None:
    content = {name: value for name, value in facet.items() if not name.startswith("_")}
    try:
        record = ProvenanceRecord.model_validate(content)
        canonical(record.document())
    except (ValidationError, InputRefused):  # the second: a number that has no RFC 8785 form
        return None
    within = record.valid_from is None or EARLIEST < record.valid_from.replace(tzinfo=UTC) < LATEST
    return record if within else None


def _envelope(event: Event) -> Iterator[Finding]:
    document = event.document
    url, producer, kind = (document.get(name) for name in ("schemaURL", "producer", "eventType"))
    if url is None:
        yield Finding("/schemaURL", "event.schema_url_missing", "the URL of the event's schema", "nothing")
    elif not _is_core(url):
        yield Finding("/schemaURL", "event.schema_url_unknown", "a published OpenLineage core schema", shown(url))
    if producer is None:
        yield Finding("/producer", "event.producer_missing", "a URI that names the producer", "nothing")
    if event.is_ambiguous:
        yield Finding("", "event.kind_ambiguous", "`job` or `dataset`", f"both, read as a {event.kind}")
    if not event.has_zone:
        yield Finding("/eventTime", "event.time_without_zone", "a time with its zone", shown(document["eventTime"]))
    if kind is not None and event.kind == "RunEvent" and event.event_type not in EVENT_TYPES:
        yield Finding("/eventType", "event.type_unknown", "one of " + ", ".join(sorted(EVENT_TYPES)), shown(kind))
    if event.run_id is not None and not is_uuid(event.run_id):
        yield Finding("/run/runId", "event.run_id_not_uuid", "a UUID", shown(event.run_id))


def _is_core(url: Any) -> bool:
    if not isinstance(url, str) or not url.startswith(SPEC):
        return False
    path = url.partition("#")[0].removeprefix(SPEC)
    return path.endswith("/OpenLineage.json") and path in openlineage_schemas()


def _core(event: Event) -> Iterator[Finding]:
    """Faults against the core schema that no code of ``_envelope`` speaks for."""
    told = {"/eventType", "/run/runId", *(() if event.has_zone else ("/eventTime",))}
    absent = {name for name in ("schemaURL", "producer") if event.document.get(name) is None}
    told |= {f"/{name}" for name in absent}
    for fault in faults(f"{CORE}#/$defs/{event.kind}", event.skeleton):
        if fault.pointer in told or (fault.pointer == "" and fault.missing in absent):
            continue
        if event.is_ambiguous and fault.pointer == "" and fault.missing is None:
            continue
        yield Finding(fault.pointer, "event.core_invalid", fault.expected, fault.found)


def _facet(event: Event, place: Place, key: str, facet: Any) -> Iterator[Finding]:
    pointer = f"/{escaped(key)}"
    if not isinstance(facet, dict):
        yield Finding(pointer, "facet.invalid", "an object", shown(facet))
        return
    missing = [name for name in _FRAME if name not in facet]
    if missing:
        yield Finding(pointer, "facet.base_missing", " and ".join(_FRAME), f"no {' and no '.join(missing)}")
    if len(event.body) > MAX_FACET_BYTES and is_too_large(facet):
        yield Finding(pointer, "facet.too_large", f"at most {MAX_FACET_BYTES} bytes", "more")
        return
    deleted = _is_deletion(facet)
    url = facet.get("_schemaURL")
    for fault in faults(facet_reference(place, key, url if isinstance(url, str) else None), facet):
        if fault.pointer == "" and (fault.missing in _FRAME or (deleted and fault.missing)):
            continue  # the frame has its own code, and a deletion need not repeat what it deletes
        yield Finding(pointer + fault.pointer, "facet.invalid", fault.expected, fault.found)
    if key in _NAMING:
        for place_of_name, found in _names_at_fault(facet, ""):
            yield Finding(f"{pointer}{place_of_name}", "facet.invalid", "a text of 1 to 2,048 characters", found)
    if key == PROVENANCE and not deleted and _read_record(facet) is None:
        yield Finding(pointer, "facet.invalid", "a provenance record as documented", "another object")


def _names_at_fault(value: Any, pointer: str) -> Iterator[tuple[str, str]]:
    """Where a facet names something by a text that cannot be a name, so that nothing is derived from it."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _names_at_fault(item, f"{pointer}/{index}")
        return
    if not isinstance(value, dict):
        return
    for name, item in value.items():
        place = f"{pointer}/{escaped(name)}"
        fault = name_fault(item) if name in _NAMES and isinstance(item, str) else None
        if fault is not None:
            yield place, fault
        yield from _names_at_fault(item, place)


def is_too_large(facet: Mapping[str, Any]) -> bool:
    """Whether the facet, spelled without spaces, exceeds ``MAX_FACET_BYTES``."""
    try:
        return len(msgspec.json.encode(facet)) > MAX_FACET_BYTES
    except (UnicodeEncodeError, OverflowError):
        return sum(len(part) for part in itertools.islice(_strings(facet), 10**7)) > MAX_FACET_BYTES


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, item in value.items():
            yield name
            yield from _strings(item)
    elif isinstance(value, list):
        for item in value:
            yield from _strings(item)


def _redacted(value: Any, pointer: str) -> Iterator[Finding]:
    if isinstance(value, str):
        if MARK in value:
            yield Finding(pointer, "secret.redacted", "no secret", "one, which was replaced")
    elif isinstance(value, dict):
        for name, item in value.items():
            yield from _redacted(item, f"{pointer}/{escaped(name)}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _redacted(item, f"{pointer}/{index}")
