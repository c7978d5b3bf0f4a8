"""An event's bytes read into words: its kind, time, run, job and datasets, and what was off about it. Pure.

An event is taken when it can be placed (``docs/lineage.md``); what else is wrong with it becomes a finding in
``lineage.conformance``. Facets are kept as they came.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, Literal

import msgspec

from governance.canonical import MAX_DEPTH, is_shallow, read_json
from governance.errors import InputRefused
from lineage import redaction
from lineage.formats import is_date_time
from lineage.identity import Stamp, is_uuid, name_fault, stamp

EventKind = Literal["RunEvent", "JobEvent", "DatasetEvent"]
Role = Literal["input", "output"]

EVENT_TYPES = frozenset({"START", "RUNNING", "COMPLETE", "FAIL", "ABORT", "OTHER"})
EMPTY = hashlib.sha256(b"{}").digest()
"""The digest of no facets (``digest_of``)."""

_TIME = re.compile(
    r"(\d{4}-\d\d-\d\d)[Tt ](\d\d:\d\d)(?::(\d\d)(?:[.,](\d+))?)?\s*([Zz]|[+-]\d\d(?::?\d\d)?)?(?:\[[^\]]{1,64}\])?"
)
EARLIEST = datetime(1, 1, 2, tzinfo=UTC)
LATEST = datetime(9999, 12, 30, tzinfo=UTC)
"""Times are a day or more from either end of the calendar, so that no time zone leads beyond it."""


@dataclass(frozen=True, slots=True)
class JobMention:
    """The job of an event, with the facets that came with it; ``digest`` is of the facets as JSON (``digest_of``)."""

    namespace: str
    name: str
    facets: Mapping[str, Any]
    digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class DatasetMention:
    """A dataset of an event: its facets, those of its role (``inputFacets``, ``outputFacets``) and its JSON pointer.

    ``digest`` and ``role_digest`` are of the facets as JSON (``digest_of``).
    """

    namespace: str
    name: str
    facets: Mapping[str, Any]
    role_facets: Mapping[str, Any]
    pointer: str
    digest: bytes | None = None
    role_digest: bytes | None = None


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an event whose JSON was not read: the facets of its run, and digests (``digest_of``).

    ``skeleton_digest`` stands for the skeleton and for no other, though it is not the digest of its JSON.
    """

    run_facets: Mapping[str, Any]
    run_facets_digest: bytes
    skeleton_digest: bytes


@dataclass(frozen=True)
class Event:
    """An event that can be placed.

    ``body`` are the bytes that are stored, ``read`` is their JSON where it was read already; ``known`` is there where
    it was not. ``event_type`` is as sent; ``time`` is in UTC, to the microsecond. ``is_ambiguous`` says that the shape
    alone did not decide the kind, ``has_zone`` whether the time named one.
    """

    kind: EventKind
    time: datetime
    body: bytes
    read: Mapping[str, Any] | None
    job: JobMention | None = None
    run_id: str | None = None
    event_type: str | None = None
    inputs: tuple[DatasetMention, ...] = ()
    outputs: tuple[DatasetMention, ...] = ()
    dataset: DatasetMention | None = None
    is_ambiguous: bool = False
    has_zone: bool = True
    redaction_version: int = field(default=redaction.VERSION)
    stored_digest: bytes | None = None
    known: Known | None = None

    @cached_property
    def document(self) -> Mapping[str, Any]:
        """The event's JSON."""
        if self.read is not None:
            return self.read
        document: dict[str, Any] = msgspec.json.decode(self.body)
        return document

    @cached_property
    def digest_bytes(self) -> bytes:
        """The SHA-256 of the bytes that were stored first: of ``body``, or known from before facets were pruned."""
        return self.stored_digest or hashlib.sha256(self.body).digest()

    @property
    def digest(self) -> str:
        """``sha256:<hex>`` of ``body``: the event's identity."""
        return "sha256:" + self.digest_bytes.hex()

    @cached_property
    def stamp(self) -> Stamp:
        """The event's place in the order of events."""
        return stamp(self.time, self.digest_bytes)

    @cached_property
    def run_facets(self) -> Mapping[str, Any]:
        """The run's facets."""
        return self.known.run_facets if self.known is not None else facets_in(self.document.get("run"))

    @cached_property
    def run_facets_digest(self) -> bytes | None:
        """The digest of the run's facets as JSON (``digest_of``)."""
        return self.known.run_facets_digest if self.known is not None else digest_of(self.run_facets)

    @cached_property
    def skeleton(self) -> dict[str, Any]:
        """The event without facets and names, and with stand-ins for what differs between events and is right anyway.

        So most skeletons of a producer are equal, and what was found about one holds of the others.
        """
        document = dict(self.document)
        if is_date_time(document["eventTime"]):
            document["eventTime"] = "2000-01-01T00:00:00Z"
        if self.run_id is not None:
            run_id = "00000000-0000-0000-0000-000000000000" if is_uuid(self.run_id) else self.run_id
            facets: dict[str, Any] = {"facets": {}} if self.run_facets else {}
            document["run"] = {**document["run"], **facets, "runId": run_id}
        if self.dataset is not None:
            document["dataset"] = _bare(document["dataset"])
            return document
        document["job"] = _bare(document["job"])
        for side, role_facets in (("inputs", "inputFacets"), ("outputs", "outputFacets")):
            if document.get(side) is not None:
                document[side] = [_bare(dataset, role_facets) for dataset in document[side]]
        return document

    @cached_property
    def skeleton_digest(self) -> bytes | None:
        """The digest of the skeleton as JSON (``digest_of``), or what stands for it."""
        return self.known.skeleton_digest if self.known is not None else digest_of(self.skeleton)

    def mentions(self) -> Iterator[DatasetMention]:
        """Its datasets: the one it is about, those that were read, those that were written."""
        if self.dataset is not None:
            yield self.dataset
        yield from self.inputs
        yield from self.outputs


def read_stored(body: bytes, redaction_version: int, digest: bytes | None = None) -> Event:
    """The event in bytes that were stored before, untouched, whatever the redaction rules say today.

    ``digest`` is its identity, which the bytes that are left of a pruned event do not have.
    """
    event = place(read_body(body), body, redaction_version)
    return event if digest is None else replace(event, stored_digest=digest)


def read_body(body: bytes) -> Any:
    """What ``read_json`` gives, sooner where the bytes are spelled as most producers do.

    A decoder in C is not strict by itself: of a key that occurs twice it keeps one. Where the value, spelled again,
    gives the same bytes, nothing was lost; every other body is left to the strict reader.
    """
    try:
        value = msgspec.json.decode(body)
        spelled = msgspec.json.encode(value)
        is_same = spelled == body or spelled == msgspec.json.format(body, indent=-1)
    except (msgspec.DecodeError, UnicodeError, OverflowError, RecursionError):
        return read_json(body)
    is_flat = body.count(b"{") + body.count(b"[") <= MAX_DEPTH  # few brackets cannot nest deep
    return value if is_same and (is_flat or is_shallow(value)) else read_json(body)


def split_batch(body: bytes) -> list[bytes]:
    """The events of a batch, each as its own slice of the bytes.

    Raises:
        MalformedBody: the body is not JSON. InputRefused: it is JSON and no array.
    """
    try:
        return [bytes(item) for item in msgspec.json.decode(body, type=list[msgspec.Raw])]
    except (msgspec.DecodeError, RecursionError):
        return _slices(body)  # half of a surrogate pair in one event must not take the others with it


def _slices(body: bytes) -> list[bytes]:
    if not isinstance(read_json(body), list):
        raise InputRefused(expected="a JSON array of events", found="no array", remedy="Send an array.", pointer="")
    text, decoder = body.decode("utf-8"), json.JSONDecoder()
    found: list[bytes] = []
    place = text.index("[") + 1
    while True:
        while text[place] in " \t\r\n,":
            place += 1
        if text[place] == "]":
            return found
        end = decoder.raw_decode(text, place)[1]
        found.append(text[place:end].encode("utf-8"))
        place = end


def place(document: Any, body: bytes, redaction_version: int = redaction.VERSION) -> Event:
    """The event in a JSON document.

    Raises:
        InputRefused: it is no object, names no job or dataset, or a name, the run's id or the time is unusable.
    """
    if not isinstance(document, dict):
        raise _refused("", "a JSON object", document)
    kind, is_ambiguous = _kind(document)
    time, has_zone = _event_time(document.get("eventTime"))
    if kind == "DatasetEvent":
        dataset = _dataset(document.get("dataset"), "/dataset", None)
        return Event(
            kind, time, body, document, dataset=dataset, is_ambiguous=is_ambiguous, has_zone=has_zone,
            redaction_version=redaction_version,
        )  # fmt: skip
    event_type = document.get("eventType")
    return Event(
        kind=kind,
        time=time,
        body=body,
        read=document,
        run_id=_run_id(document["run"]) if kind == "RunEvent" else None,
        job=_job(document.get("job")),
        event_type=event_type if isinstance(event_type, str) else None,
        inputs=_datasets(document.get("inputs"), "/inputs", "inputFacets"),
        outputs=_datasets(document.get("outputs"), "/outputs", "outputFacets"),
        is_ambiguous=is_ambiguous,
        has_zone=has_zone,
        redaction_version=redaction_version,
    )


def facets_in(holder: Any, member: str = "facets") -> Mapping[str, Any]:
    """The facets that ``holder`` carries; empty where there are none or they are no object."""
    facets = holder.get(member) if isinstance(holder, dict) else None
    return facets if isinstance(facets, dict) else {}


def read_time(text: Any) -> tuple[datetime, bool] | None:
    """An ISO 8601 date and time as an instant, and whether it named a zone; None when it is no such time.

    Fractions beyond the microsecond are cut off, a leap second is the first moment after it, no zone means UTC.
    """
    match = _TIME.fullmatch(text) if isinstance(text, str) and len(text) <= 128 else None
    if match is None:
        return None
    day, minute, second, fraction, zone = match.groups()
    is_leap = second == "60"
    offset = {"Z": "+00:00", "": "+00:00"}.get((zone or "").upper(), zone or "")
    try:
        moment = datetime.fromisoformat(f"{day}T{minute}:{'59' if is_leap else second or '00'}{offset}")
        moment = moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None
    moment += timedelta(seconds=1) if is_leap else timedelta(microseconds=int((fraction or "0").ljust(6, "0")[:6]))
    return (moment, zone is not None) if EARLIEST <= moment <= LATEST else None


def digest_of(part: Mapping[str, Any]) -> bytes | None:
    """The SHA-256 of the part, spelled as JSON without spaces; None for what has no such spelling.

    Lone surrogates and integers beyond 64 bits have none. What is found about a part is remembered by it.
    """
    try:
        return hashlib.sha256(msgspec.json.encode(part)).digest() if part else EMPTY
    except (UnicodeEncodeError, OverflowError):
        return None


def _bare(entity: dict[str, Any], role_facets: str = "facets") -> dict[str, Any]:
    """The entity with empty names and facets."""
    bare = {**entity, "namespace": "", "name": ""}
    for member in ("facets", role_facets):
        if isinstance(entity.get(member), dict):
            bare[member] = {}
    return bare


def _kind(document: dict[str, Any]) -> tuple[EventKind, bool]:
    has_run, has_job, has_dataset = (document.get(name) is not None for name in ("run", "job", "dataset"))
    if has_run:
        return "RunEvent", False
    if has_job and has_dataset:
        url = document.get("schemaURL")
        named = url.rsplit("/", 1)[-1] if isinstance(url, str) else ""
        return ("DatasetEvent" if named == "DatasetEvent" else "JobEvent"), True
    if has_job:
        return "JobEvent", False
    if has_dataset:
        return "DatasetEvent", False
    raise InputRefused(
        expected="an event with `run` and `job`, with `job`, or with `dataset`",
        found="none of them",
        remedy="Send a RunEvent, JobEvent or DatasetEvent.",
        pointer="",
    )


def _event_time(text: Any) -> tuple[datetime, bool]:
    read = read_time(text)
    if read is None:
        raise _refused("/eventTime", "a date and time as in RFC 3339", text)
    return read


def _run_id(run: Any) -> str:
    if not isinstance(run, dict):
        raise _refused("/run", "an object with runId", run)
    return _name(run.get("runId"), "/run/runId")


def _job(job: Any) -> JobMention:
    if not isinstance(job, dict):
        raise _refused("/job", "an object with namespace and name", job)
    namespace, name = (_name(job.get(part), f"/job/{part}") for part in ("namespace", "name"))
    facets = facets_in(job)
    return JobMention(namespace, name, facets, digest_of(facets))


def _datasets(datasets: Any, pointer: str, role_facets: str) -> tuple[DatasetMention, ...]:
    if datasets is None:
        return ()
    if not isinstance(datasets, list):
        raise _refused(pointer, "an array of datasets", datasets)
    return tuple(_dataset(dataset, f"{pointer}/{index}", role_facets) for index, dataset in enumerate(datasets))


def _dataset(dataset: Any, pointer: str, role_facets: str | None) -> DatasetMention:
    if not isinstance(dataset, dict):
        raise _refused(pointer, "an object with namespace and name", dataset)
    namespace, name = (_name(dataset.get(part), f"{pointer}/{part}") for part in ("namespace", "name"))
    facets, of_role = facets_in(dataset), facets_in(dataset, role_facets) if role_facets else {}
    return DatasetMention(namespace, name, facets, of_role, pointer, digest_of(facets), digest_of(of_role))


def _name(name: Any, pointer: str) -> str:
    fault = name_fault(name)
    if fault is None:
        return str(name)
    limit = fault.endswith(" characters")
    raise InputRefused(
        expected="at most 2,048 characters" if limit else "a non-empty string",
        found=fault,
        remedy="Correct the event and send it again.",
        pointer=pointer,
    )


def _refused(pointer: str, expected: str, found: Any) -> InputRefused:
    shown = {type(None): "nothing", dict: "an object", list: "an array"}.get(type(found)) or json.dumps(found)[:80]
    return InputRefused(expected=expected, found=shown, remedy="Correct the event and send it again.", pointer=pointer)
