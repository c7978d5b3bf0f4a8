"""Taking events: read, judged, stored with everything derived from them and their leaves in the log, in one unit."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from governance.database import Unit
from governance.errors import AssayError, InputRefused, MalformedBody, TooLarge
from governance.log.journal import Leaf, append
from governance.settings import LineageSettings
from lineage.changes import derive
from lineage.conformance import Finding, findings, strict_fault
from lineage.events import Event
from lineage.receiving import parse_event
from lineage.search_index import index_changes
from lineage.store import insert_events, write, write_findings

LEAF_KIND = "lineage.event"
Conformance = Literal["lenient", "strict"]


@dataclass(frozen=True, slots=True)
class Recorded:
    """An event that is stored; ``duplicate`` when it was before."""

    digest: str
    finding_count: int
    duplicate: bool


@dataclass(frozen=True, slots=True)
class Refused:
    """An event that is not stored: the JSON pointer of the place, the reason, and the fault to answer with."""

    pointer: str
    reason: str
    fault: AssayError


@dataclass(frozen=True, slots=True)
class Read:
    """An event that was read and judged, and is to be stored."""

    event: Event
    findings: tuple[Finding, ...]


def record_events(
    unit: Unit,
    bodies: Sequence[bytes],
    settings: LineageSettings,
    *,
    conformance: Conformance = "lenient",
) -> list[Recorded | Refused]:
    """Store the events; one answer per body, in order. A bad event never undoes its neighbours.

    Strict conformance of the settings holds whatever is asked. The log is appended last, since on PostgreSQL that
    makes every other writer wait until this unit ends.
    """
    return record_read(unit, read_events(bodies, settings, conformance=conformance))


def read_events(
    bodies: Sequence[bytes], settings: LineageSettings, *, conformance: Conformance = "lenient"
) -> list[Read | Refused]:
    """The events read and judged, one result a body, in order; no database is asked."""
    is_strict = "strict" in (conformance, settings.conformance)
    return [_read(body, settings, is_strict) for body in bodies]


def record_read(unit: Unit, read: Sequence[Read | Refused]) -> list[Recorded | Refused]:
    """Store what ``read_events`` gave; one answer an event, in order."""
    answers, leaves = _store(unit, read)
    if leaves:
        append(unit, leaves)
    return answers


def store_events(
    unit: Unit,
    bodies: Sequence[bytes],
    settings: LineageSettings,
    *,
    conformance: Conformance = "lenient",
) -> tuple[list[Recorded | Refused], list[Leaf]]:
    """As ``record_events``, but for the log: whoever has more to append in this unit appends these leaves with it."""
    return _store(unit, read_events(bodies, settings, conformance=conformance))


def _store(unit: Unit, read: Sequence[Read | Refused]) -> tuple[list[Recorded | Refused], list[Leaf]]:
    accepted = {item.event.digest_bytes: item for item in read if isinstance(item, Read)}
    new = insert_events(unit, [item.event for item in accepted.values()])
    fresh = [item for digest, item in accepted.items() if digest in new]
    changes = derive((item.event, unit.now) for item in fresh)
    index_changes(unit, changes, write(unit, changes))
    write_findings(unit, [(item.event, item.findings) for item in fresh])
    answers: list[Recorded | Refused] = []
    told: set[bytes] = set()
    for item in read:
        if isinstance(item, Read):
            digest = item.event.digest_bytes
            answers.append(Recorded(item.event.digest, len(item.findings), digest in told or digest not in new))
            told.add(digest)
        else:
            answers.append(item)
    return answers, [leaf(item.event) for item in fresh]


def leaf(event: Event) -> Leaf:
    """The event's leaf in the log: its digest."""
    # The RFC 8785 form of these two members; nothing in them needs escaping.
    return Leaf(LEAF_KIND, f'{{"digest":"{event.digest}","kind":"lineage.event/v1"}}'.encode("ascii"))


def _read(body: bytes, settings: LineageSettings, is_strict: bool) -> Read | Refused:
    try:
        if len(body) > settings.max_event_bytes:
            raise TooLarge(
                expected=f"an event of at most {settings.max_event_bytes} bytes",
                found=f"{len(body)} bytes",
                remedy="Leave large facets out, or raise ASSAY_LINEAGE__MAX_EVENT_BYTES.",
                pointer="",
            )
        event = parse_event(body)
        fault = strict_fault(event) if is_strict else None
        if fault is not None:
            raise fault
    except (InputRefused, MalformedBody, TooLarge) as refusal:
        pointer = refusal.pointer or ""
        return Refused(pointer, f"{pointer}: expected {refusal.expected}, found {refusal.found}", refusal)
    return Read(event, findings(event))
