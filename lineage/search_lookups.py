"""What the index of search is made from, looked up for many nodes at a time. Each statement is built once."""

import json
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from governance.database import Unit
from lineage.fact_tables import LabelRow, RenameRow, SearchRow, SymlinkRow, TextRow
from lineage.mapping import pair_index
from lineage.reading import answers, id_list, listed, newest_schema
from lineage.search_parts import LABELLED, Known, Parts, schema_digest
from lineage.tables import ActionRow, FlowEdgeRow, MappingRow, NodeRow

Names = Mapping[int, tuple[str, str, bool]]
"""Namespace, name and whether an event named the node itself, by row id."""


def held(unit: Unit, nodes: Sequence[int]) -> tuple[Names, "Rare", list[Known]]:
    """The nodes' names, what few of them have, and from which rows the index of each was made and would be made now.

    Their rows are nobody else's to change until the unit ends. Their other names are left out.
    """
    ids = {"ids": id_list(unit.dialect, nodes)}
    questions = [(_locked(unit.dialect), ids), (_any_rare(unit.dialect), ids)]
    questions.append((_label_ids(unit.dialect), {**ids, "schemas": ids["ids"]}))
    names, (rare,), rows = answers(unit, *questions)
    return _named(names), Rare(*map(bool, rare)), [_known(row) for row in rows]


class Rare(NamedTuple):
    """Whether any of some nodes has what few have, so that what none has is not looked up.

    Other names, fields that lineage facets name, tags that operators set or took away.
    """

    aliases: bool
    fields: bool
    tags: bool


def names_of(unit: Unit, nodes: Sequence[int]) -> Names:
    """The names of the nodes."""
    return _named(_rows(unit, _node_names(unit.dialect), nodes)) if nodes else {}


def known_of(
    unit: Unit, nodes: Sequence[int], schemas: Sequence[int], aliases: Mapping[int, tuple[int, ...]]
) -> list[Known]:
    """From which rows the index of each node was made, and would be made now; schemas only of those listed."""
    rows = _rows(unit, _label_ids(unit.dialect), nodes, schemas=id_list(unit.dialect, schemas))
    return [replace(known, aliases=aliases.get(known.node, ())) for known in map(_known, rows)]


def _known(row: Sequence[Any]) -> Known:
    """From which rows the index of a node was made, and would be made now, but for its other names."""
    node, digest, parts, fields, *labels = row
    return Known(
        node=node,
        parts=None if parts is None else Parts.read(parts),
        labels=tuple(label or 0 for label in labels),
        schema=None if fields is None else schema_digest(fields),
        aliases=(),
        digest=digest,
        fields=fields,
    )


def renames_of(unit: Unit, nodes: Collection[int], *, leads: bool) -> set[tuple[int, int]]:
    """(carrier, old name) over every rename that leads on from the nodes as old names, or back from them."""
    statement = _renames(unit.dialect, leads)
    found: set[tuple[int, int]] = set()
    front = set(nodes)
    while front:
        new = {(carrier, old) for carrier, old in _rows(unit, statement, sorted(front))} - found
        found |= new
        front = {end for pair in new for end in pair}
    return found


def aliases_of(unit: Unit, nodes: Sequence[int]) -> dict[int, tuple[int, ...]]:
    """The other names that each node lists now, and all that it had before."""
    if not nodes:
        return {}
    found: dict[int, set[int]] = defaultdict(set)
    for node, alias in _rows(unit, _listed_now(unit.dialect), nodes):
        found[node].add(alias)
    before: dict[int, set[int]] = defaultdict(set)
    for carrier, old in renames_of(unit, nodes, leads=False):
        before[carrier].add(old)
    for node in nodes:
        front = set(before[node])
        while front:
            found[node] |= front
            front = {old for name in front for old in before.get(name, ())} - found[node]
    return {node: tuple(sorted(others - {node})) for node, others in found.items()}


def named_fields_of(unit: Unit, nodes: Sequence[int]) -> dict[int, set[str]]:
    """The fields of each node that lineage facets name."""
    found: dict[int, set[str]] = defaultdict(set)
    for node, is_target, content in _rows(unit, _mappings(unit.dialect), nodes):
        index = pair_index(content)
        found[node].update((index.targets if is_target else index.sources).exact)
    return {node: paths - {""} for node, paths in found.items()}


def texts_of(unit: Unit, texts: Sequence[int]) -> dict[int, bytes]:
    """The contents of labels by row id."""
    return dict(_rows(unit, _texts(unit.dialect), texts)) if texts else {}


def tags_by_hand(unit: Unit, nodes: Sequence[int]) -> dict[int, dict[tuple[str, str], bool]]:
    """Of each node the tags (field, key) that operators set or took away, and which of it they did last."""
    found: dict[int, dict[tuple[str, str], bool]] = defaultdict(dict)
    for node, kind, content in _rows(unit, _acts(unit.dialect), nodes):
        act = json.loads(content)
        found[node][(act["field"], act["tag"])] = kind == "tag.add"
    return found


def _rows(unit: Unit, statement: Any, ids: Sequence[int], **parameters: str) -> list[Any]:
    parameters["ids"] = id_list(unit.dialect, ids)
    (rows,) = answers(unit, (statement, parameters))
    return list(rows)


def _named(rows: Sequence[Any]) -> Names:
    return {node: (namespace, name, first_seen is not None) for node, namespace, name, first_seen in rows}


@cache
def _node_names(dialect: str) -> Any:
    query = sa.select(NodeRow.id, NodeRow.namespace, NodeRow.name, NodeRow.first_seen)
    return query.where(listed(dialect, NodeRow.id))


@cache
def _locked(dialect: str) -> Any:
    return _node_names(dialect).order_by(NodeRow.id).with_for_update()


@cache
def _label_ids(dialect: str) -> Any:
    """For the listed nodes: the labels in force, and for those of the second list the newest schema."""
    labels = [
        sa.select(LabelRow.text_id)
        .where(LabelRow.node_id == NodeRow.id, LabelRow.key == key)
        .order_by(LabelRow.stamp.desc())
        .limit(1)
        .scalar_subquery()
        for key in LABELLED
    ]
    schema = sa.case((listed(dialect, NodeRow.id, "schemas"), newest_schema()), else_=None)
    return (
        sa.select(NodeRow.id, SearchRow.digest, SearchRow.parts, schema, *labels)
        .outerjoin(SearchRow, SearchRow.node_id == NodeRow.id)
        .where(listed(dialect, NodeRow.id))
    )


@cache
def _any_rare(dialect: str) -> Any:
    """One row: whether any of the listed nodes lists another name or had one, is an end of a mapping, or has acts."""

    def among(column: Any) -> Any:
        return sa.select(sa.literal_column("1")).where(listed(dialect, column)).exists()

    acts = sa.select(ActionRow.id).join(NodeRow, NodeRow.identity == ActionRow.identity)
    return sa.select(
        sa.or_(among(SymlinkRow.carrier_id), among(RenameRow.carrier_id)),
        sa.or_(among(FlowEdgeRow.source_id), among(FlowEdgeRow.target_id)),
        acts.where(listed(dialect, NodeRow.id)).exists(),
    )


@cache
def _renames(dialect: str, leads: bool) -> Any:
    column = RenameRow.old_id if leads else RenameRow.carrier_id
    return sa.select(RenameRow.carrier_id, RenameRow.old_id).where(listed(dialect, column))


@cache
def _listed_now(dialect: str) -> Any:
    link, other = SymlinkRow, aliased(SymlinkRow)
    latest = sa.select(other.stamp).where(other.carrier_id == link.carrier_id).order_by(other.stamp.desc()).limit(1)
    return sa.select(link.carrier_id, link.alias_id).where(
        listed(dialect, link.carrier_id), link.alias_id != link.carrier_id, link.stamp == latest.scalar_subquery()
    )


@cache
def _mappings(dialect: str) -> Any:
    """The mappings that each listed node is a source (0) or target (1) of."""
    edge = FlowEdgeRow
    sides: list[Any] = [
        sa.select(column, sa.literal_column(side), MappingRow.content)
        .join(MappingRow, MappingRow.id == edge.mapping_id)
        .where(listed(dialect, column))
        for column, side in ((edge.source_id, "0"), (edge.target_id, "1"))
    ]
    return sa.union(*sides)


@cache
def _texts(dialect: str) -> Any:
    return sa.select(TextRow.id, TextRow.content).where(listed(dialect, TextRow.id))


@cache
def _acts(dialect: str) -> Any:
    return (
        sa.select(NodeRow.id, ActionRow.kind, ActionRow.content)
        .join(ActionRow, ActionRow.identity == NodeRow.identity)
        .where(listed(dialect, NodeRow.id), ActionRow.kind.in_(("tag.add", "tag.remove")))
        .order_by(ActionRow.id)
    )
