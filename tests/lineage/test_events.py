"""Bytes become a placed event, or a refusal that names the place."""

import hashlib
import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from governance.canonical import read_json
from governance.errors import AssayError, InputRefused, MalformedBody
from lineage.events import read_body, read_time, split_batch
from lineage.receiving import parse_event
from tests.lineage.material import at, body, dataset_event, job_event, real_bodies, run_event


def without(document: dict[str, Any], *path: str) -> dict[str, Any]:
    copy: dict[str, Any] = json.loads(json.dumps(document))
    holder = copy
    for part in path[:-1]:
        holder = holder[part]
    del holder[path[-1]]
    return copy


def test_every_real_event_is_placed_but_the_one_without_a_run_id() -> None:
    refused = {}
    for name, content in real_bodies().items():
        try:
            parse_event(content)
        except InputRefused as fault:
            refused[name] = fault.pointer
    assert refused == {"openlineage-fluentd-proxy/event_no_run_id.json": "/run/runId"}


@pytest.mark.parametrize(
    ("document", "pointer"),
    [
        ([], ""),
        ("text", ""),
        ({"eventTime": at(0)}, ""),
        (without(run_event(), "run", "runId"), "/run/runId"),
        (without(run_event(), "job"), "/job"),
        (without(run_event(), "job", "name"), "/job/name"),
        (without(run_event(), "eventTime"), "/eventTime"),
        ({**run_event(), "eventTime": "soon"}, "/eventTime"),
        ({**run_event(), "eventTime": "2026-02-30T00:00:00Z"}, "/eventTime"),
        ({**run_event(), "eventTime": "9999-12-31T23:59:59-12:00"}, "/eventTime"),
        ({**run_event(), "eventTime": 7}, "/eventTime"),
        ({**run_event(), "run": []}, "/run"),
        ({**run_event(), "run": {"runId": 7}}, "/run/runId"),
        ({**run_event(), "job": {"namespace": "", "name": "n"}}, "/job/namespace"),
        ({**run_event(), "inputs": {}}, "/inputs"),
        ({**run_event(), "inputs": [None]}, "/inputs/0"),
        ({**run_event(), "outputs": [{"namespace": "a"}]}, "/outputs/0/name"),
        ({**run_event(), "outputs": [{"namespace": "a", "name": "x" * 2049}]}, "/outputs/0/name"),
        ({**run_event(), "outputs": [{"namespace": "a", "name": "a\0b"}]}, "/outputs/0/name"),
        ({**run_event(), "outputs": [{"namespace": "a", "name": "\ud800"}]}, "/outputs/0/name"),
        (dataset_event({"namespace": "a"}), "/dataset/name"),
    ],
)
def test_what_cannot_be_placed_is_refused_at_its_place(document: Any, pointer: str) -> None:
    with pytest.raises(InputRefused) as caught:
        parse_event(body(document))
    assert caught.value.pointer == pointer
    assert caught.value.status == 422


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"{",
        b"\xff",
        b'{"a":1,"a":2}',
        b'{"a":NaN}',
        b'{"a":1e999}',
        b"[" * 200 + b"]" * 200,
        b"{} {}",
        b"\xef\xbb\xbf{}",
    ],
)
def test_what_is_not_strict_json_is_malformed(content: bytes) -> None:
    with pytest.raises(MalformedBody):
        parse_event(content)


@pytest.mark.parametrize("name", ["x" * 2048, "a:b/c#d%2F", "表", "🕷", " ", "a\nb", "é" * 2048])
def test_names_of_any_script_up_to_the_limit_are_taken_as_sent(name: str) -> None:
    event = parse_event(body(run_event(outputs=[{"namespace": name, "name": name}])))
    assert (event.outputs[0].namespace, event.outputs[0].name) == (name, name)


def test_the_kind_is_told_by_the_shape() -> None:
    job = {"namespace": "n", "name": "j"}
    dataset = {"namespace": "n", "name": "d"}
    base = {"eventTime": at(0)}
    both = {**base, "job": job, "dataset": dataset}
    named = "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/DatasetEvent"
    kinds = [
        parse_event(body(document))
        for document in (
            {**both, "run": {"runId": "r"}, "schemaURL": named},
            {**base, "job": job},
            {**base, "dataset": dataset},
            both,
            {**both, "schemaURL": named},
            {**base, "run": None, "job": job},
        )
    ]
    assert [(event.kind, event.is_ambiguous) for event in kinds] == [
        ("RunEvent", False),
        ("JobEvent", False),
        ("DatasetEvent", False),
        ("JobEvent", True),
        ("DatasetEvent", True),
        ("JobEvent", False),
    ]


@pytest.mark.parametrize(
    ("text", "instant", "has_zone"),
    [
        ("2026-03-01T12:00:00Z", "2026-03-01T12:00:00+00:00", True),
        ("2026-03-01T12:00:00.123456789Z", "2026-03-01T12:00:00.123456+00:00", True),
        ("2026-03-01 12:00:00.5", "2026-03-01T12:00:00.500000+00:00", False),
        ("2026-03-01T12:00:00+02:00", "2026-03-01T10:00:00+00:00", True),
        ("2026-03-01T12:00:00+02:00[Europe/Rome]", "2026-03-01T10:00:00+00:00", True),
        ("2016-12-31T23:59:60Z", "2017-01-01T00:00:00+00:00", True),
        ("2026-03-01T12:00Z", "2026-03-01T12:00:00+00:00", True),
    ],
)
def test_times_are_read_to_the_microsecond_in_utc(text: str, instant: str, has_zone: bool) -> None:
    read = read_time(text)
    assert read is not None
    assert (read[0].isoformat(), read[1]) == (instant, has_zone)


@pytest.mark.parametrize(
    "text", ["2026-03-01", "12:00:00", "20260301T120000Z", "2026-03-01T25:00:00Z", None, 1, "x" * 10**6]
)
def test_what_is_no_time_is_none(text: Any) -> None:
    assert read_time(text) is None


def test_the_digest_is_that_of_the_received_bytes_without_the_space_around_them() -> None:
    content = b'{ "job":{"namespace":"n","name":"j"},  "eventTime":"2026-03-01T12:00:00Z" }'
    event = parse_event(b"\n " + content + b"\r\n")
    assert event.body == content
    assert event.digest == "sha256:" + hashlib.sha256(content).hexdigest()


def test_a_batch_is_cut_into_the_bytes_of_its_events() -> None:
    first, second = b'{"a" : 1}', b'{"b":[1,\n2]}'
    assert split_batch(b" [ " + first + b" ,\n" + second + b"] ") == [first, second]
    assert split_batch(b"[]") == []


def test_half_of_a_surrogate_pair_in_one_event_leaves_the_others_of_its_batch() -> None:
    whole, half = b'{"a":1, "b":"\xc3\xa9,]"}', rb'{"a":"\ud800"}'
    assert split_batch(b"[" + whole + b" , " + half + b",\n[2,3]] ") == [whole, half, b"[2,3]"]
    assert split_batch(b"[" + half + b"]") == [half]


@pytest.mark.parametrize(("content", "fault"), [(b"{}", InputRefused), (b"7", InputRefused), (b"[", MalformedBody)])
def test_a_batch_that_is_no_array_is_refused(content: bytes, fault: type[AssayError]) -> None:
    with pytest.raises(fault):
        split_batch(content)


def test_a_batch_that_nests_without_end_is_refused() -> None:
    with pytest.raises(AssayError):
        [parse_event(item) for item in split_batch(b"[" * 100_000 + b"]" * 100_000)]


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


def outcome(read: Callable[[bytes], Any], content: bytes) -> str:
    """What reading gives, told apart to the type and the order of members."""
    try:
        return repr(read(content))
    except MalformedBody as fault:
        return fault.found


@given(JSON_VALUES, JSON_VALUES, st.sampled_from([None, 1]), st.booleans())
def test_a_body_is_read_as_strictly_as_any_document(
    first: Any, second: Any, indent: int | None, is_ascii: bool
) -> None:
    """However it is spelled, and with a key that may occur twice."""
    separators = (",", ":") if indent is None else None
    spelled = [
        json.dumps(value, indent=indent, separators=separators, ensure_ascii=is_ascii).encode("utf-8", "surrogatepass")
        for value in (first, second)
    ]
    for content in (*spelled, b'{"a":' + spelled[0] + b',"b":' + spelled[1] + b"}",
                    b'[{"a":' + spelled[0] + b',"a":' + spelled[1] + b"}]"):  # fmt: skip
        assert outcome(read_body, content) == outcome(read_json, content)


@pytest.mark.parametrize(
    "content", [b"1.10", b"1E2", b"-0", b"123456789012345678901234567890", b'"\\u00e9\\/"', b'"\\ud800"']
)
def test_numbers_and_texts_are_read_the_same_however_they_are_spelled(content: bytes) -> None:
    assert outcome(read_body, content) == outcome(read_json, content)


@given(st.binary() | JSON_VALUES.map(lambda value: json.dumps(value).encode()))
def test_arbitrary_bytes_are_refused_and_never_crash(content: bytes) -> None:
    with pytest.raises(AssayError):
        parse_event(content)


@given(
    st.sampled_from(
        [run_event(inputs=["a"], outputs=["b"]), job_event(), dataset_event({"namespace": "n", "name": "d"})]
    ),
    st.data(),
)
def test_an_event_with_any_member_replaced_is_placed_or_refused(document: dict[str, Any], data: st.DataObject) -> None:
    member = data.draw(st.sampled_from(sorted(document)))
    with suppress(InputRefused, MalformedBody):
        event = parse_event(body({**document, member: data.draw(JSON_VALUES)}))
        assert event.time.tzinfo is not None
