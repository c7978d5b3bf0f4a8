"""Tags and categories of personal data along columns: which field carries which, from where, and by which way.

They are worked out when they are read: when a tag goes at its source, what was derived from it is gone too.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import sqlalchemy as sa

from governance.database import UTCDateTime
from governance.types.provenance import ProvenanceRecord
from lineage.column_graph import Field, carries, propagate, walk_fields
from lineage.columns import FieldHops, StoredFields
from lineage.fact_tables import LabelRow, ProvenanceRow, TagRow, TextRow
from lineage.graph import Bounds
from lineage.identity import stamp_after
from lineage.labels import tags_in
from lineage.mapping import touches
from lineage.marks import marks_and, seen_texts
from lineage.reading import Question, Reader, among, id_list, listed, seen
from lineage.tables import ActionRow, NodeRow

MOST_FIELDS = 10_000
"""Fields that one question looks at for what they carry."""


@dataclass(frozen=True, slots=True, order=True)
class Carried:
    """A tag (with its value) or a category of personal data, and the field that it was set on."""

    kind: Literal["tag", "category"]
    key: str
    value: str | None
    origin: Field


Ways = Mapping[Field, Mapping[Carried, tuple[Field, ...]]]
"""What each field carries, with the fields from the origin to it; the origin alone where it is the field's own."""


def carried_by(stored: StoredFields, fields: Sequence[Field]) -> tuple[Ways, bool]:
    """What the fields carry, their own included; and whether so much lies upstream that something may be missing."""
    found = walk_fields(FieldHops(stored, carries), fields, ["upstream"], Bounds(node_limit=MOST_FIELDS))
    own = own_marks(stored, {dataset for dataset, _ in found.distances})
    seeds = {
        reached: [mark for mark in own.get(reached[0], ()) if touches(mark.origin[1], reached[1])]
        for reached in found.distances
    }
    ways = propagate(found.hops, {reached: marks for reached, marks in seeds.items() if marks})
    wanted = set(fields)
    return {one: _from_origins(held) for one, held in ways.items() if one in wanted}, bool(found.frontier)


def carriers_of(stored: StoredFields, key: str, kind: Literal["tag", "category"]) -> tuple[Ways, bool]:
    """Every field that carries the tag or category, its own or derived; and whether the search was cut."""
    datasets = _datasets_with(stored, key, kind)
    canonical = stored.aliases.canonical(datasets)
    own = own_marks(stored, {canonical.get(dataset, dataset) for dataset in datasets})
    marks = [mark for held in own.values() for mark in held if (mark.kind, mark.key) == (kind, key)]
    begin: dict[Field, list[Carried]] = {}
    for mark in sorted(marks):
        begin.setdefault(mark.origin, []).append(mark)
    found = walk_fields(FieldHops(stored, carries), begin, ["downstream"], Bounds(node_limit=MOST_FIELDS))
    ways = propagate(found.hops, begin)
    return {one: _from_origins(held) for one, held in ways.items()}, bool(found.frontier)


def all_tags(unit: Reader) -> list[tuple[str, str | None]]:
    """Every tag that an event or operator named, by name, with what an operator said of it.

    Whoever does not see everything is told of those that were ever said of what he sees.
    """
    rows = unit.session.execute(sa.select(TagRow.name, TagRow.description))
    told = None if unit.sight.is_whole else seen_tags(unit)
    return sorted(((name, said) for name, said in rows if told is None or name in told), key=lambda tag: tag[0])


def seen_tags(unit: Reader) -> set[str]:
    """The tags that events or operators ever said of what the unit sees."""
    by_hand = (
        sa.select(ActionRow.content)
        .join(NodeRow, NodeRow.identity == ActionRow.identity)
        .where(ActionRow.kind == "tag.add", *seen(unit))
    )
    set_by_hand = {json.loads(content)["tag"] for content in unit.session.scalars(by_hand)}
    return {tag[1] for text in seen_texts(unit, "tags") for tag in tags_in(text)} | set_by_hand


def own_marks(stored: StoredFields, datasets: Iterable[int]) -> dict[int, list[Carried]]:
    """The tags and categories that are set on fields of each dataset."""
    wanted = sorted(set(datasets))
    found: dict[int, list[Carried]] = {}
    stored.aliases.canonical(wanted)
    members = {member: dataset for dataset in wanted for member in stored.aliases.members(dataset)}
    told, (rows,) = marks_and(stored.unit, wanted, stored.as_of, stored.aliases, _records_in_force(stored, members))
    for dataset, marks in told.items():
        found[dataset] = [Carried("tag", tag.key, tag.value, (dataset, tag.field)) for tag in marks.tags if tag.field]
    latest = {members[node]: record for node, record in rows}
    for dataset, record in latest.items():
        columns = () if record is None else ProvenanceRecord.model_validate_json(record).columns or ()
        found.setdefault(dataset, []).extend(
            Carried("category", category, None, (dataset, column.path))
            for column in columns
            for category in column.categories
        )
    return found


def _from_origins(held: Mapping[Carried, tuple[Field, ...]]) -> dict[Carried, tuple[Field, ...]]:
    """Each way from the field that was marked, also where the walk came upon a field around or inside it."""
    return {mark: way if way[0] == mark.origin else (mark.origin, *way) for mark, way in held.items()}


def _records_in_force(stored: StoredFields, nodes: Iterable[int]) -> Question:
    """What asks for the provenance records of datasets that are in force; of several of one the last holds."""
    dialect = stored.unit.dialect
    parameters: dict[str, Any] = {"ids": id_list(dialect, list(nodes)), "moment": stored.as_of or stored.unit.now}
    if stored.as_of is not None:
        parameters["below"] = stamp_after(stored.as_of)
    return _record_query(dialect, stored.as_of is not None), parameters


@cache
def _record_query(dialect: str, has_instant: bool) -> Any:
    row = ProvenanceRow
    query = (
        sa.select(row.node_id, row.record)
        .where(listed(dialect, row.node_id), row.valid_from <= sa.bindparam("moment", type_=UTCDateTime))
        .order_by(row.stamp, row.identity)
    )
    return query.where(row.stamp < sa.bindparam("below", type_=sa.LargeBinary)) if has_instant else query


def _datasets_with(stored: StoredFields, key: str, kind: Literal["tag", "category"]) -> list[int]:
    """Datasets of which some event or operator ever said the tag or category; what holds is decided later."""
    session = stored.unit.session
    if kind == "category":
        rows = session.execute(sa.select(ProvenanceRow.node_id, ProvenanceRow.record).distinct())
        return sorted({node for node, record in rows if record is not None and _names(record, key)})
    texts = sa.select(TextRow.id, TextRow.content).where(
        TextRow.id.in_(sa.select(LabelRow.text_id).where(LabelRow.key == "tags"))
    )
    told = [number for number, content in session.execute(texts) if any(tag[1] == key for tag in tags_in(content))]
    labelled = sa.select(LabelRow.node_id).where(LabelRow.key == "tags", among(stored.unit, LabelRow.text_id, told))
    by_hand = (
        sa.select(NodeRow.id)
        .join(ActionRow, ActionRow.identity == NodeRow.identity)
        .where(ActionRow.kind == "tag.add", NodeRow.kind == "dataset")
    )
    datasets = sa.select(NodeRow.id).where(
        NodeRow.kind == "dataset", NodeRow.id.in_(labelled.union(by_hand).subquery().select())
    )
    return sorted(session.scalars(datasets))


def _names(record: bytes, category: str) -> bool:
    columns = ProvenanceRecord.model_validate_json(record).columns or ()
    return any(category in column.categories for column in columns)
