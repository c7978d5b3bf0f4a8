"""Taking out of the derived tables what a pruned event said beyond the graph: labels, tags, provenance.

After it they are what a rebuild from the residues gives: a label that was taken is an empty one from its event on, so
that no older value comes back, and a provenance record is one that states nothing.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from governance.database import Unit
from lineage.changes import Changes, derive
from lineage.events import Event
from lineage.fact_tables import LabelRow, ProvenanceRow, TagRow, TextRow
from lineage.identity import label_identity
from lineage.labels import tags_in
from lineage.merging import Rules
from lineage.reading import among
from lineage.residue import residue_findings
from lineage.rules import LABELS, NODES, PROVENANCE, TEXTS
from lineage.search_index import index_nodes
from lineage.store import EVENTS, chunks, write_findings
from lineage.tables import ActionRow, FindingRow, NodeRow, RunRow
from lineage.writing import ids_of, insert_ids, merge


@dataclass(frozen=True, slots=True)
class Pruned:
    """An event as it was and as it is left, and when it was recorded."""

    before: Event
    after: Event
    arrived_at: datetime


def forget(unit: Unit, pruned: Sequence[Pruned]) -> None:
    """Bring what is derived from the events up to date with what is left of them."""
    before = derive((item.before, item.arrived_at) for item in pruned)
    after = derive((item.after, item.arrived_at) for item in pruned)
    _forget_labels(unit, before, after)
    _forget_provenance(unit, before, after)


def renew_findings(unit: Unit, events: Sequence[Event]) -> None:
    """Replace the findings of pruned events by those of what is left of them."""
    ids = ids_of(unit, EVENTS, [event.digest_bytes for event in events])
    unit.session.execute(sa.delete(FindingRow).where(among(unit, FindingRow.event_id, sorted(ids.values()))))
    write_findings(unit, [(event, residue_findings(event)) for event in events])


def _changed(rules: Rules, before: Changes, after: Changes) -> tuple[list[Any], list[dict[str, Any]]]:
    """The rows before that are not there after, and those after that were not there before."""
    old = {tuple(row.items()) for row in before.of(rules)}
    new = {tuple(row.items()) for row in after.of(rules)}
    return [dict(row) for row in sorted(old - new, key=repr)], [dict(row) for row in sorted(new - old, key=repr)]


def _forget_labels(unit: Unit, before: Changes, after: Changes) -> None:
    gone, left = _changed(LABELS, before, after)
    if not left:
        return
    _lock(unit, sorted({row["node_id"] for row in left}))
    nodes = ids_of(unit, NODES, sorted({row["node_id"] for row in left}))
    contents = {row["digest"]: row for row in after.of(TEXTS)}
    texts = [contents[digest] for digest in {row["text_id"] for row in left} if digest is not None]
    insert_ids(unit, TEXTS, texts)
    ids = ids_of(unit, TEXTS, [row["digest"] for row in texts])
    connection = unit.session.connection()
    for row in gone:
        connection.execute(
            sa.delete(LabelRow).where(
                LabelRow.node_id == nodes[row["node_id"]], LabelRow.key == row["key"], LabelRow.stamp == row["stamp"]
            )
        )
    merge(unit, LABELS, left, node_id=nodes, text_id={**ids, None: 0})
    taken = {row["text_id"] for row in gone} - {None}
    said = {row["digest"]: row["content"] for row in before.of(TEXTS) if row["digest"] in taken}
    _drop_unused_texts(unit, said)
    _drop_unused_tags(unit, {name for content in said.values() for _, name, _ in tags_in(content)})
    index_nodes(unit, sorted(nodes.values()))


def _lock(unit: Unit, identities: Sequence[bytes]) -> None:
    """Wait for whoever writes labels, before any row is held that he may want: what he looked up must stay."""
    if unit.dialect == "postgresql":
        unit.session.execute(sa.text("LOCK TABLE lineage_text IN ACCESS EXCLUSIVE MODE"))
    for chunk in chunks(identities):
        nodes = sa.select(NodeRow.id).where(NodeRow.identity.in_(chunk)).order_by(NodeRow.identity)
        unit.session.execute(nodes.with_for_update()).all()


def _drop_unused_texts(unit: Unit, said: Mapping[bytes, bytes]) -> None:
    """Delete the texts that no label and no run says any more."""
    for chunk in chunks(sorted(said)):
        by_label = sa.select(LabelRow.text_id).where(LabelRow.text_id == TextRow.id)
        by_run = sa.select(RunRow.id).where(RunRow.location_digest == TextRow.digest)
        unused = sa.delete(TextRow).where(TextRow.digest.in_(chunk), ~by_label.exists(), ~by_run.exists())
        unit.session.execute(unused, execution_options={"synchronize_session": False})


def _drop_unused_tags(unit: Unit, names: set[str]) -> None:
    """Delete the tags that no label names any more and no operator ever did."""
    if not names:
        return
    query = sa.select(TextRow.content).join(LabelRow, LabelRow.text_id == TextRow.id).where(LabelRow.key == "tags")
    for content in unit.session.scalars(query.distinct()):
        names -= {name for _, name, _ in tags_in(content)}
    acts = sa.select(ActionRow.kind, ActionRow.content).where(ActionRow.kind.in_(("tag.add", "tag.describe")))
    for kind, content in unit.session.execute(acts):
        names.discard(json.loads(content)["tag" if kind == "tag.add" else "name"])
    for chunk in chunks(sorted(label_identity("tag", name) for name in names)):
        unit.session.execute(sa.delete(TagRow).where(TagRow.identity.in_(chunk)))


def _forget_provenance(unit: Unit, before: Changes, after: Changes) -> None:
    gone, left = _changed(PROVENANCE, before, after)
    for chunk in chunks([row["identity"] for row in gone]):
        unit.session.execute(sa.delete(ProvenanceRow).where(ProvenanceRow.identity.in_(chunk)))
    if left:
        nodes = ids_of(unit, NODES, sorted({row["node_id"] for row in left}))
        merge(unit, PROVENANCE, left, node_id=nodes)
