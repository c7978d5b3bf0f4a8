"""Events read as they are received: strictly, and with their secrets taken out before anything else. Pure.

Producers send the same facets with every run. Facets that came before, byte by byte, and were read and found to hold
no secret then, are not read again. So an event of the usual shape is placed from its parts; every other event,
and every one with a secret, is read whole. Both ways give the same event (``tests/lineage/test_receiving.py``).
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from governance.canonical import MAX_DEPTH, is_shallow
from governance.errors import InputRefused
from lineage import redaction
from lineage.events import EMPTY, DatasetMention, Event, JobMention, Known, place, read_body, read_time
from lineage.formats import is_date_time
from lineage.identity import is_uuid, name_fault
from lineage.memory import Memory

_SPACE = b" \t\r\n"

_IN_ENTITY, _IN_LIST = 2, 3
"""How many containers of an event facets lie in: those of a run or job, and those of a dataset in a list."""


class _Run(msgspec.Struct, forbid_unknown_fields=True):
    runId: str  # noqa: N815 - the name of the member
    facets: Raw | UnsetType = UNSET


class _Job(msgspec.Struct, forbid_unknown_fields=True):
    namespace: str
    name: str
    facets: Raw | UnsetType = UNSET


class _Input(_Job, forbid_unknown_fields=True):
    inputFacets: Raw | UnsetType = UNSET  # noqa: N815 - the name of the member


class _Output(_Job, forbid_unknown_fields=True):
    outputFacets: Raw | UnsetType = UNSET  # noqa: N815 - the name of the member


class _Shape(msgspec.Struct, forbid_unknown_fields=True):
    """The members that a run event usually has, its facets unread."""

    eventTime: str  # noqa: N815 - the name of the member
    run: _Run
    job: _Job
    eventType: str | UnsetType = UNSET  # noqa: N815 - the name of the member
    producer: str | UnsetType = UNSET
    schemaURL: str | UnsetType = UNSET  # noqa: N815 - the name of the member
    inputs: list[_Input] | UnsetType = UNSET
    outputs: list[_Output] | UnsetType = UNSET


class _Unread(Mapping[str, Any]):
    """Facets that came before, and are read again when somebody looks into them; there is at least one."""

    __slots__ = ("_read", "_spelled")

    def __init__(self, spelled: Raw) -> None:
        self._spelled = spelled
        self._read: dict[str, Any] | None = None

    def _facets(self) -> dict[str, Any]:
        if self._read is None:
            self._read = msgspec.json.decode(self._spelled, type=dict[str, Any])
        return self._read

    def __getitem__(self, key: str) -> Any:
        return self._facets()[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._facets())

    def __len__(self) -> int:
        return len(self._facets())

    def __bool__(self) -> bool:
        return True


_DECODER = msgspec.json.Decoder(_Shape)
_NONE: tuple[Mapping[str, Any], bytes] = ({}, EMPTY)
_FAMILIAR: Memory[bool] = Memory(16384)
"""Facets and skeletons that were read and hold no secret, by how deep they lie and their digest."""


def parse_event(body: bytes) -> Event:
    """The event in ``body`` as it was received: secrets are taken out first, then it is placed.

    Raises:
        MalformedBody: not strict JSON.
        InputRefused: it cannot be placed; the pointer names the first place.
    """
    body = body.strip(_SPACE)  # the bytes of this one event, so that a file's last newline makes no other event
    shape = _shape(body)
    event = None if shape is None else _from_parts(shape, body)
    if event is not None:
        return event
    document = read_body(body)
    event = _without_secrets(document, body)
    if event is not None:
        if shape is not None:
            _FAMILIAR.keep(_skeleton_digest(shape), True)
        return event
    document, changed = redaction.redact(document, body)
    if changed:
        body = json.dumps(document, separators=(",", ":")).encode("ascii")
    return place(document, body)


def _shape(body: bytes) -> _Shape | None:
    """The event, where it has the usual members alone, each once and spelled as briefly as JSON can, spaces apart.

    The encoder spells texts as briefly as can be and leaves facets as they are. So what it gives is as long as the body
    only where no member came twice, since of those the decoder keeps one, and nothing was spelled in another way.
    """
    try:
        shape = _DECODER.decode(body)
        spelled = msgspec.json.encode(shape)
        is_whole = len(spelled) == len(body) or _length(spelled) == _length(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        return None
    return shape if is_whole else None


def _length(spelled: bytes) -> int:
    """How long the JSON is without spaces between its tokens."""
    return len(msgspec.json.format(spelled, indent=-1))


def _from_parts(shape: _Shape, body: bytes) -> Event | None:
    """The event, where its skeleton came before and each of its parts is well formed and holds no secret."""
    time, skeleton, job = read_time(shape.eventTime), _skeleton_digest(shape), shape.job
    if time is None or _FAMILIAR.get(skeleton) is None or not (_is_plain(job.namespace) and _is_plain(job.name)):
        return None
    of_run, of_job = _part(shape.run.facets, _IN_ENTITY), _part(job.facets, _IN_ENTITY)
    inputs = _mentions([(item, item.inputFacets) for item in shape.inputs or ()], "/inputs/")
    outputs = _mentions([(item, item.outputFacets) for item in shape.outputs or ()], "/outputs/")
    if of_run is None or of_job is None or inputs is None or outputs is None:
        return None
    event_type = None if isinstance(shape.eventType, UnsetType) else shape.eventType
    return Event(
        "RunEvent", time[0], body, None, JobMention(job.namespace, job.name, *of_job), shape.run.runId, event_type,
        inputs, outputs, has_zone=time[1], known=Known(*of_run, skeleton),
    )  # fmt: skip


def _mentions(sent: list[tuple[_Job, Raw | UnsetType]], pointer: str) -> tuple[DatasetMention, ...] | None:
    """The datasets of one side with the facets of their role; None when one of them has to be read otherwise."""
    found: list[DatasetMention] = []
    for dataset, role_facets in sent:
        facets, of_role = _part(dataset.facets, _IN_LIST), _part(role_facets, _IN_LIST)
        if facets is None or of_role is None or not (_is_plain(dataset.namespace) and _is_plain(dataset.name)):
            return None
        place_of_it = f"{pointer}{len(found)}"
        found.append(
            DatasetMention(dataset.namespace, dataset.name, facets[0], of_role[0], place_of_it, facets[1], of_role[1])
        )
    return tuple(found)


def _part(facets: Raw | UnsetType, depth: int) -> tuple[Mapping[str, Any], bytes] | None:
    """The facets and their digest; None where they have to be read otherwise, or hold a secret."""
    if isinstance(facets, UnsetType):
        return _NONE
    digest = hashlib.sha256(facets).digest()
    if digest == EMPTY:
        return _NONE
    if _FAMILIAR.get((depth, digest)) is not None:
        return _Unread(facets), digest
    read = _read(bytes(facets), depth)
    if read is None or not redaction.is_clean(read, digest):
        return None
    _FAMILIAR.keep((depth, digest), True)
    return read, digest


def _read(spelled: bytes, depth: int) -> dict[str, Any] | None:
    """The facets, where the encoder spells them so, spaces apart, and so no member comes twice; None otherwise."""
    try:
        value = msgspec.json.decode(spelled)
        again = msgspec.json.encode(value)
        is_same = again == spelled or again == msgspec.json.format(spelled, indent=-1)
    except (msgspec.DecodeError, UnicodeError, OverflowError, RecursionError):
        return None
    if not is_same or not isinstance(value, dict):
        return None
    if spelled.count(b"{") + spelled.count(b"[") + depth <= MAX_DEPTH:  # few brackets cannot nest deep
        return value
    placed: Any = value
    for _ in range(depth):
        placed = [placed]
    return value if is_shallow(placed) else None


def _skeleton_digest(shape: _Shape) -> bytes:
    """Stands for all of the event but its names, its facets, and a run id and a time that are right.

    Whether there are facets and datasets is no part of it, since the core schema asks for neither.
    """
    sent = [
        None if isinstance(text, UnsetType) else text for text in (shape.eventType, shape.producer, shape.schemaURL)
    ]
    run_id, time = shape.run.runId, shape.eventTime
    sent += [None if is_uuid(run_id) else run_id, None if is_date_time(time) else time]
    return hashlib.sha256(msgspec.json.encode(sent)).digest()


@lru_cache(maxsize=16384)
def _is_plain_text(name: str) -> bool:
    return name_fault(name) is None and redaction.is_clean_text(name)


def _is_plain(name: str) -> bool:
    """Whether the text may be stored as a name and holds no secret; of long ones nothing is remembered."""
    return len(name) <= 256 and _is_plain_text(name)


def _without_secrets(document: Any, body: bytes) -> Event | None:
    """The event, where it can be placed and its parts are known to hold no secret; None says nothing about it."""
    try:
        event = place(document, body)
    except InputRefused:
        return None  # what the refusal shows of the event must be redacted first
    return event if all(_are_clean(event)) else None


def _are_clean(event: Event) -> Iterator[bool]:
    """Of each part of the event, whether it holds no secret."""
    yield _is_clean(event.skeleton, event.skeleton_digest)
    yield _is_clean(event.run_facets, event.run_facets_digest)
    if event.job is not None:
        yield redaction.is_clean_text(event.job.namespace) and redaction.is_clean_text(event.job.name)
        yield _is_clean(event.job.facets, event.job.digest)
    for mention in event.mentions():
        yield redaction.is_clean_text(mention.namespace) and redaction.is_clean_text(mention.name)
        yield _is_clean(mention.facets, mention.digest)
        yield _is_clean(mention.role_facets, mention.role_digest)


def _is_clean(part: Mapping[str, Any], digest: bytes | None) -> bool:
    return not part or (digest is not None and redaction.is_clean(part, digest))
