"""An event is the same whether its parts came before or not, and is refused for the same reasons."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from governance.canonical import MAX_DEPTH, read_json
from governance.errors import AssayError
from lineage import redaction
from lineage.changes import derive
from lineage.conformance import findings
from lineage.events import DatasetMention, Event, place
from lineage.flows import flows_of
from lineage.receiving import parse_event
from tests.lineage.material import body, dataset, facet, run_event, run_id

NOW = datetime(2026, 1, 1, tzinfo=UTC)
FACETS: list[Any] = [
    {},
    {"schema": facet(fields=[{"name": "a", "type": "int"}]), "tags": facet(tags=[{"key": "pii"}])},
    {"columnLineage": facet(fields={"a": {"inputFields": [{"namespace": "n", "name": "t", "field": "b"}]}})},
    {"symlinks": facet(identifiers=[{"namespace": "n", "name": "other", "type": "TABLE"}]), "odd": 5},
    {"spark": facet(password="hunter2")},
    {"nominalTime": facet(nominalStartTime="2026-01-01T00:00:00Z"), "text": facet(value='é \\ " \x01 ')},
    None,
    [],
]


def whole(content: bytes) -> Event:
    """The event read by the strict reader, walked for secrets and placed, with nothing taken from before."""
    content = content.strip(b" \t\r\n")
    document, changed = redaction.redact(read_json(content))
    return place(document, json.dumps(document, separators=(",", ":")).encode("ascii") if changed else content)


def told(read: Callable[[bytes], Event], content: bytes) -> Any:
    """Everything that is done with an event, or why it is refused."""
    try:
        event = read(content)
    except AssayError as fault:
        return fault.message, fault.pointer
    rows = derive([(event, NOW)]).rows
    mentions: list[Any] = [_mention(mention) for mention in event.mentions()]
    job = None if event.job is None else (event.job.namespace, event.job.name, dict(event.job.facets))
    return (
        (event.kind, event.time, event.body, event.digest, event.run_id, event.event_type, event.has_zone, job),
        (repr(event.document), dict(event.run_facets), mentions, event.skeleton, findings(event), flows_of(event)),
        {rules.table: list(found.values()) for rules, found in rows.items()},
    )


def _mention(mention: DatasetMention) -> Any:
    return mention.namespace, mention.name, dict(mention.facets), dict(mention.role_facets), mention.pointer


def base() -> dict[str, Any]:
    """An event whose every part is right and has come before."""
    schema = {"schema": facet(fields=[{"name": "a", "type": "int"}])}
    told_of_input: dict[str, Any] = {
        "namespace": "n",
        "name": "s",
        "facets": schema,
        "inputFacets": {"quality": facet()},
    }
    return {
        "eventType": "START",
        "eventTime": "2026-01-01T00:00:00Z",
        "producer": "https://a.example",
        "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
        "run": {"runId": run_id(1), "facets": {"nominalTime": facet(nominalStartTime="2026-01-01T00:00:00Z")}},
        "job": {"namespace": "n", "name": "j", "facets": {"jobType": facet(processingType="BATCH", integration="A")}},
        "inputs": [told_of_input],
        "outputs": [{"namespace": "n", "name": "t", "facets": schema, "outputFacets": {"outputStatistics": facet()}}],
    }


ABSENT = object()
NAMES = ["n", "s3://a", "postgres://u:p@h/d", "", "x" * 300, "\x00", "é", "tab\t", "\\", 5, None, ABSENT]
CHANGES: dict[tuple[str | int, ...], list[Any]] = {
    ("eventType",): ["COMPLETE", "", "ghp_" + "a" * 36, None, 5, ABSENT],
    ("eventTime",): ["2026-01-01 00:00", "2026-01-01T00:00:00.5", "2026-13-01T00:00:00Z", "no", None, ABSENT],
    ("producer",): ["https://u:p@a.example", "", 5, ABSENT],
    ("schemaURL",): ["x", None, ABSENT],
    ("run",): [None, {}, {"runId": run_id(1), "extra": 1}],
    ("run", "runId"): [run_id(2), "one", "https://u:p@a.example", "", "\x00", 5, None, ABSENT],
    ("run", "facets"): [*FACETS, ABSENT],
    ("job",): [None, ABSENT, 5],
    ("job", "namespace"): NAMES,
    ("job", "name"): NAMES,
    ("job", "facets"): [*FACETS, ABSENT],
    ("inputs",): [[], None, {}, ABSENT],
    ("inputs", 0, "namespace"): NAMES,
    ("inputs", 0, "name"): NAMES,
    ("inputs", 0, "facets"): [*FACETS, ABSENT],
    ("inputs", 0, "inputFacets"): [*FACETS, ABSENT],
    ("inputs", 0, "outputFacets"): FACETS,
    ("outputs", 0, "name"): NAMES,
    ("outputs", 0, "facets"): [*FACETS, ABSENT],
    ("outputs", 0, "outputFacets"): [*FACETS, ABSENT],
    ("outputs", 0, "extra"): [1],
    ("dataset",): [{"namespace": "n", "name": "t"}],
    ("extra",): [1, "https://u:p@a.example"],
}


def changed(document: dict[str, Any], path: tuple[str | int, ...], value: Any) -> None:
    """Put the value into the document, or take the member away, where an earlier change left the place there."""
    *way, member = path
    holder: Any = document
    for step in way:
        try:
            holder = holder[step]
        except (KeyError, IndexError, TypeError):
            return
    if not isinstance(holder, dict):
        return
    if value is ABSENT:
        holder.pop(member, None)
    else:
        holder[member] = value


CHOICES = [(path, value) for path, values in CHANGES.items() for value in values]


@st.composite
def events(draw: st.DrawFn) -> bytes:
    """The base with up to three changes, its members in some order, spelled in some way, one perhaps twice."""
    document = base()
    for path, value in draw(st.lists(st.sampled_from(CHOICES), max_size=3)):
        changed(document, path, value)
    if draw(st.booleans()):
        document = {key: document[key] for key in draw(st.permutations(list(document)))}
    members = ['"producer":"https://b.example",', '"job":{"namespace":"n","name":"n"},']
    twice = draw(st.sampled_from([""] * 6 + members))
    is_usual = draw(st.sampled_from([True, True, True, False]))
    separators, is_sorted = ((",", ":"), False) if is_usual else (None, draw(st.booleans()))
    spelled = json.dumps(document, separators=separators, sort_keys=is_sorted, ensure_ascii=draw(st.booleans()))
    return (draw(st.sampled_from(["", " \n"])) + "{" + twice + spelled[1:]).encode()


def compact(document: dict[str, Any]) -> bytes:
    """As most producers spell events."""
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False).encode()


def spaced(document: dict[str, Any]) -> bytes:
    """As OpenLineage's client for Python spells events."""
    return json.dumps(document, sort_keys=True).encode()


@pytest.mark.parametrize("spell", [compact, spaced])
@pytest.mark.parametrize(("path", "value"), CHOICES)
def test_an_event_is_the_same_when_all_of_it_but_one_member_came_before(
    path: tuple[str | int, ...], value: Any, spell: Callable[[Any], bytes]
) -> None:
    parse_event(spell(base()))
    assert parse_event(spell(base())).read is None, "it was made of what came before"
    document = base()
    changed(document, path, value)
    content = spell(document)
    assert told(parse_event, content) == told(whole, content)
    assert told(parse_event, content) == told(whole, content)
    assert told(parse_event, spell(base())) == told(whole, spell(base())), "what came between spoils nothing"


@settings(max_examples=300)
@given(events())
def test_an_event_is_the_same_whether_its_parts_came_before_or_not(content: bytes) -> None:
    expected = told(whole, content)
    assert told(parse_event, content) == expected
    assert told(parse_event, content) == expected, "now its parts came before, where they were right"


def test_what_came_before_is_not_read_again() -> None:
    def sent(number: int) -> bytes:
        schema = facet(fields=[{"name": "not_read_again", "type": "int"}])
        return body(run_event("START", number, run=run_id(number), outputs=[dataset("t", schema=schema)]))

    parse_event(sent(1))
    event = parse_event(sent(2))
    assert event.read is None
    assert event.outputs[0].facets["schema"]["fields"][0]["name"] == "not_read_again"
    assert told(parse_event, sent(2)) == told(whole, sent(2))


@pytest.mark.parametrize("spaces", ["", " "])
@pytest.mark.parametrize("spoilt", ['"producer"', '"namespace"', '"runId"', '"facets"', '"schema"', '"outputs"'])
def test_a_member_that_comes_twice_is_refused_though_all_parts_came_before(spoilt: str, spaces: str) -> None:
    schema = facet(fields=[{"name": "a", "type": "int"}])
    document = run_event("START", outputs=[dataset("t", schema=schema)], run_facets={"a": facet(b=1)})
    content = json.dumps(document, separators=("," + spaces, ":" + spaces))
    parse_event(content.encode())
    twice = content.replace(f"{spoilt}:", f'{spoilt}:"\\b\\b\\b",{spoilt}:', 1)
    assert twice != content
    with pytest.raises(AssayError, match="occurs twice"):
        parse_event(twice.encode())


def test_facets_that_came_before_are_refused_where_they_nest_too_deep() -> None:
    """The same facets lie one container deeper in a dataset than in a run."""
    deep: Any = 1
    for _ in range(MAX_DEPTH - 2):
        deep = {"a": deep}
    assert parse_event(body({**run_event(), "run": {"runId": run_id(0), "facets": deep}})).run_facets == deep
    with pytest.raises(AssayError, match="nests deeper"):
        parse_event(body(run_event(outputs=[{"namespace": "n", "name": "t", "facets": deep}])))


def test_bytes_that_are_no_text_are_refused_in_names() -> None:
    content = body(run_event(job="plain"))
    parse_event(content)
    with pytest.raises(AssayError):
        parse_event(content.replace(b"plain", b"pl\xffin"))


@pytest.mark.parametrize("code", [*range(0x80), 0xE9, 0x2028, 0xFFFF, 0x1F600])
def test_the_encoder_spells_every_character_as_briefly_as_json_can(code: int) -> None:
    """That a member came twice is told by the length of what it gives."""
    text = chr(code)
    spellings = [text, f"\\{text}", *(f"\\{letter}" for letter in "bfnrt"), json.dumps(text)[1:-1]]
    shortest = min(len(spelled.encode()) for spelled in spellings if _reads(f'"{spelled}"') == text)
    assert len(msgspec.json.encode(text)) == shortest + 2


def _reads(spelled: str) -> Any:
    try:
        return json.loads(spelled)
    except ValueError:
        return None
