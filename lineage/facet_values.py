"""What the facets of jobs, datasets and runs say, read from the events that carried them last.

An index tells which event that is (``lineage.fact_tables.FacetRow``), so that no list and no graph reads a facet, and
a facet of ten megabytes costs whoever asks for it and nobody else.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from lineage.events import Event, read_stored
from lineage.fact_tables import DATASET_FACETS, JOB_FACETS, RUN_FACETS, FacetKeysRow, FacetRow
from lineage.identity import stamp_after
from lineage.reading import Reader, id_table, nodes_by_id
from lineage.tables import EventRow, PayloadRow

Place = int
"""``JOB_FACETS``, ``DATASET_FACETS`` or ``RUN_FACETS``."""

_Key = tuple[bool, str]
"""Whether the facet is one of a role (``inputFacets``, ``outputFacets``), and its key."""


@dataclass(frozen=True, slots=True)
class FacetValues:
    """The latest value of each facet by its key; a dataset's facets of a role are apart."""

    facets: dict[str, Any] = field(default_factory=dict)
    role_facets: dict[str, Any] = field(default_factory=dict)


def facets_of(
    unit: Reader, place: Place, members: Mapping[int, int], as_of: datetime | None = None
) -> dict[int, FacetValues]:
    """The facets in force, now or as of an instant.

    ``members`` maps each row id to the id that it is asked for: a dataset and its aliases to the canonical one, a job
    or run to itself. Of each key the value with the latest stamp holds; one whose latest value deletes it is left out.
    An event whose bytes were pruned says what its residue says.
    """
    latest: dict[int, dict[_Key, tuple[bytes, int, bool]]] = {owner: {} for owner in members.values()}
    for entity, content, stamp in _key_sets(unit, place, list(members), as_of):
        held = latest[members[entity]]
        for key, is_deleted in _keys(content):
            if key not in held or held[key][0] < stamp:
                held[key] = (stamp, entity, is_deleted)
    wanted = {stamp[8:] for held in latest.values() for stamp, _, is_deleted in held.values() if not is_deleted}
    events = dict(_events(unit, wanted))
    names = _names(unit, place, members)
    return {
        owner: _values((key, names.get(entity), events.get(stamp[8:]), place)
                       for key, (stamp, entity, is_deleted) in held.items() if not is_deleted)
        for owner, held in latest.items()
    }  # fmt: skip


def latest_stamps(unit: Reader, place: Place, entities: list[int]) -> dict[int, dict[tuple[bool, str], bytes]]:
    """For each entity the stamp of the latest word on each of its facets, whether it sets or deletes it.

    A facet goes by whether it is one of a role, and its key.
    """
    latest: dict[int, dict[_Key, bytes]] = {entity: {} for entity in entities}
    for entity, content, stamp in _key_sets(unit, place, entities, None):
        for key, _ in _keys(content):
            latest[entity][key] = max(stamp, latest[entity].get(key, b""))
    return latest


def _values(found: Iterable[tuple[_Key, tuple[str, str] | None, Event | None, Place]]) -> FacetValues:
    values = FacetValues()
    for (of_role, key), names, event, place in sorted(found, key=lambda item: item[0]):
        if event is None:
            continue
        for facets in _carriers(event, place, names, of_role=of_role):
            if key in facets:
                (values.role_facets if of_role else values.facets)[key] = facets[key]
                break
    return values


def _carriers(
    event: Event, place: Place, names: tuple[str, str] | None, *, of_role: bool
) -> Iterator[Mapping[str, Any]]:
    """The maps of facets of one entity in an event; an output's before an input's, since it tells the newer state."""
    if place == JOB_FACETS and event.job is not None:
        yield event.job.facets
    elif place == RUN_FACETS:
        yield event.run_facets
    elif place == DATASET_FACETS:
        mentions = [*reversed(event.outputs), *reversed(event.inputs), *([event.dataset] if event.dataset else [])]
        for mention in mentions:
            if (mention.namespace, mention.name) == names:
                yield mention.role_facets if of_role else mention.facets


def _key_sets(
    unit: Reader, place: Place, entities: list[int], as_of: datetime | None
) -> Iterator[tuple[int, bytes, bytes]]:
    """(entity, keys, latest stamp) for each set of keys that an entity's events carried.

    The sets are found by skipping from one to the next in the index: an entity has few, and each comes with many
    events.
    """
    if not entities:
        return
    facet, later, asked = aliased(FacetRow), aliased(FacetRow), id_table(unit, entities)
    first = sa.select(sa.func.min(facet.keys_id)).where(facet.place == place, facet.entity_id == asked.c.value)
    begin = sa.select(asked.c.value.label("entity_id"), first.scalar_subquery().label("keys_id"))
    sets = begin.cte("key_sets", recursive=True)
    further = sa.select(sa.func.min(later.keys_id)).where(
        later.place == place, later.entity_id == sets.c.entity_id, later.keys_id > sets.c.keys_id
    )
    sets = sets.union_all(sa.select(sets.c.entity_id, further.scalar_subquery()).where(sets.c.keys_id.is_not(None)))
    last = (
        sa.select(FacetRow.stamp)
        .where(FacetRow.place == place, FacetRow.entity_id == sets.c.entity_id, FacetRow.keys_id == sets.c.keys_id)
        .order_by(FacetRow.stamp.desc())
        .limit(1)
    )
    if as_of is not None:
        last = last.where(FacetRow.stamp < stamp_after(as_of))
    query = sa.select(sets.c.entity_id, FacetKeysRow.content, last.scalar_subquery()).join(
        FacetKeysRow, FacetKeysRow.id == sets.c.keys_id
    )
    for entity, content, stamp in unit.session.execute(query):
        if stamp is not None:
            yield entity, content, stamp


def _keys(content: bytes) -> Iterator[tuple[_Key, bool]]:
    """Each key of a stored set, and whether the event deleted the facet."""
    facets, deleted, of_role = json.loads(content)
    yield from (((False, key), False) for key in facets)
    yield from (((False, key), True) for key in deleted)
    yield from (((True, key), False) for key in of_role)


def _events(unit: Reader, digests: set[bytes]) -> Iterator[tuple[bytes, Event]]:
    query = sa.select(EventRow.digest, EventRow.redaction_version, PayloadRow.body).join(
        PayloadRow, PayloadRow.event_id == EventRow.id
    )
    listed = sorted(digests)
    for start in range(0, len(listed), 500):
        chosen = query.where(EventRow.digest.in_(listed[start : start + 500]))
        for digest, version, body in unit.session.execute(chosen):
            yield digest, read_stored(body, version)


def _names(unit: Reader, place: Place, members: Mapping[int, int]) -> dict[int, tuple[str, str]]:
    if place != DATASET_FACETS:
        return {}
    return {number: (row.namespace, row.name) for number, row in nodes_by_id(unit, list(members)).items()}
