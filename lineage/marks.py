"""What lists and filters show of nodes beside their names: tags, owners, descriptions, where code and data lie."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa

from governance.database import UTCDateTime
from lineage.aliases import Aliases
from lineage.fact_tables import LabelRow, TextRow
from lineage.identity import stamp_after
from lineage.labels import LABELS, description_in, location_in, owners_in, physical_name_in, source_in, tags_in
from lineage.reading import Question, Reader, answers, id_list, listed, seen
from lineage.tables import ActionRow, NodeRow


@dataclass(frozen=True, slots=True, order=True)
class Tag:
    """A tag of a node, or of the field at a path; ``is_by_hand`` where an operator set it."""

    field: str
    key: str
    value: str | None = None
    is_by_hand: bool = False


@dataclass(frozen=True, slots=True)
class Marks:
    """What is said of a node, now or as of an instant. ``owners`` are (name, type), ``source`` is (name, URI).

    ``physical_name`` is what a client of Marquez's API said.
    """

    tags: tuple[Tag, ...] = ()
    owners: tuple[tuple[str, str | None], ...] = ()
    description: str | None = None
    location: str | None = None
    source: tuple[str | None, str | None] = (None, None)
    physical_name: str | None = None

    def tag_names(self, path: str = "") -> tuple[str, ...]:
        """The keys of the tags of the node itself, or of the field at ``path``, each once."""
        return tuple(dict.fromkeys(tag.key for tag in self.tags if tag.field == path))


@dataclass
class _Gathered:
    labels: dict[str, list[bytes]] = field(default_factory=dict)
    by_hand: dict[tuple[str, str], bool] = field(default_factory=dict)


def marks_of(
    unit: Reader, nodes: Sequence[int], as_of: datetime | None = None, aliases: Aliases | None = None
) -> dict[int, Marks]:
    """The marks of each node; a dataset has those of its aliases too, its own first.

    ``aliases`` are those of the question, where it has met some already. A tag that an operator set or took away is or
    is not there, whatever the events say.
    """
    return marks_and(unit, nodes, as_of, Aliases(unit, as_of) if aliases is None else aliases)[0]


def marks_and(
    unit: Reader, nodes: Sequence[int], as_of: datetime | None, aliases: Aliases, *questions: Question
) -> tuple[dict[int, Marks], list[Sequence[Any]]]:
    """``marks_of`` the nodes, and the answers to further questions on the same journey."""
    aliases.canonical(nodes)
    members = {member: node for node in nodes for member in aliases.members(node)}
    gathered = {node: _Gathered() for node in nodes}
    asked = _parameters(unit, list(members), as_of)
    queries = [query(unit.dialect, as_of is not None) for query in (_label_query, _act_query)]
    labelled, acts, *further = answers(unit, *((query, asked) for query in queries), *questions)
    # The node itself comes first, so that its own description holds against that of an alias.
    for member, key, content in sorted(_labels(unit, labelled), key=lambda row: row[0] not in gathered):
        gathered[members[member]].labels.setdefault(key, []).append(content)
    for member, kind, content in acts:
        act = json.loads(content)
        gathered[members[member]].by_hand[(act["field"], act["tag"])] = kind == "tag.add"
    return {node: _marks(found) for node, found in gathered.items()}, further


def _marks(found: _Gathered) -> Marks:
    told = {Tag(*tag) for content in found.labels.get("tags", ()) for tag in tags_in(content)}
    kept = [tag for tag in told if (tag.field, tag.key) not in found.by_hand]
    by_hand = [Tag(path, key, None, is_by_hand=True) for (path, key), is_set in found.by_hand.items() if is_set]
    owners = {owner for content in found.labels.get("ownership", ()) for owner in owners_in(content)}
    return Marks(
        tags=tuple(sorted([*kept, *by_hand], key=lambda tag: (tag.field, tag.key, tag.value or ""))),
        owners=tuple(sorted(owners, key=lambda owner: (owner[0], owner[1] or ""))),
        description=_first(description_in(content) for content in found.labels.get("documentation", ())),
        location=_first(location_in(content) for content in found.labels.get("sourceCodeLocation", ())),
        physical_name=_first(physical_name_in(content) for content in found.labels.get("assay_marquez", ())),
        source=next((source_in(content) for content in found.labels.get("dataSource", ())), (None, None)),
    )


def _first(values: Iterable[str | None]) -> str | None:
    return next((value for value in values if value is not None), None)


def _labels(unit: Reader, rows: Iterable[Sequence[Any]]) -> list[tuple[int, str, bytes]]:
    """(node, key, content) of each label in force, from the rows of ``_label_query``."""
    found = [(node, key, text) for node, *texts in rows for key, text in zip(LABELS, texts, strict=True) if text]
    if not found:
        return []
    wanted = {"ids": id_list(unit.dialect, sorted({text for _, _, text in found}))}
    contents: dict[int, bytes] = {}
    contents.update((number, content) for number, content in answers(unit, (_text_query(unit.dialect), wanted))[0])
    return [(node, key, contents[text]) for node, key, text in found]


def _parameters(unit: Reader, nodes: Sequence[int], as_of: datetime | None) -> dict[str, Any]:
    cut = {} if as_of is None else {"as_of": as_of, "below": stamp_after(as_of)}
    return {"ids": id_list(unit.dialect, nodes), **cut}


@cache
def _label_query(dialect: str, has_instant: bool) -> Any:
    """The latest text of each label of the listed nodes, by ``below`` where an instant is asked for.

    One look into the index a node and key.
    """
    latest = [
        sa.select(LabelRow.text_id)
        .where(
            LabelRow.node_id == NodeRow.id,
            LabelRow.key == key,
            LabelRow.stamp < sa.bindparam("below", type_=sa.LargeBinary) if has_instant else sa.true(),
        )
        .order_by(LabelRow.stamp.desc())
        .limit(1)
        .scalar_subquery()
        for key in LABELS
    ]
    return sa.select(NodeRow.id, *latest).where(listed(dialect, NodeRow.id))


@cache
def _text_query(dialect: str) -> Any:
    return sa.select(TextRow.id, TextRow.content).where(listed(dialect, TextRow.id))


@cache
def _act_query(dialect: str, has_instant: bool) -> Any:
    """The tags of the listed nodes that operators set and took away, in the order they did."""
    query = (
        sa.select(NodeRow.id, ActionRow.kind, ActionRow.content)
        .join(ActionRow, ActionRow.identity == NodeRow.identity)
        .where(listed(dialect, NodeRow.id), sa.or_(ActionRow.kind == "tag.add", ActionRow.kind == "tag.remove"))
        .order_by(ActionRow.id)
    )
    return query.where(ActionRow.done_at <= sa.bindparam("as_of", type_=UTCDateTime)) if has_instant else query


def seen_texts(unit: Reader, key: str) -> Iterable[bytes]:
    """The texts that the label ``key`` ever had, of the nodes that the unit sees; in no order."""
    labelled = (
        sa.select(LabelRow.text_id)
        .join(NodeRow, NodeRow.id == LabelRow.node_id)
        .where(LabelRow.key == key, LabelRow.text_id != 0, *seen(unit))
    )
    return unit.session.scalars(sa.select(TextRow.content).where(TextRow.id.in_(labelled)))
