"""What a node id names: it is compared with what is stored, since namespaces and names hold the colons that part it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote_plus

import sqlalchemy as sa

from governance.errors import Conflict, InputRefused, NotFound
from lineage.columns import StoredFields
from lineage.identity import NodeKind, is_uuid, name_fault, node_id_splits, node_identity, stamp_time
from lineage.marquez.datasets import version_of_uuid
from lineage.marquez.job_versions import job_versions
from lineage.marquez.lookup import Entity, entity_of, entity_uuid, require_run
from lineage.marquez.runs import bare_version
from lineage.neighbourhood import resolve
from lineage.reading import Reader, nodes_by_id, seen
from lineage.store import chunks
from lineage.tables import NodeRow, RunRow

FIELD = "datasetField"
MOST_PARTS = 64
"""Colons of a field's node id that are tried: the splits to try grow with their square."""

FieldNames = tuple[str, str, str]
"""Namespace and name of a dataset, and the path of a field."""

FORMS = "dataset:{namespace}:{name}, job:{namespace}:{name}, datasetField:{namespace}:{dataset}:{field} or run:{uuid}"


@dataclass(frozen=True, slots=True)
class Node:
    """What a question starts at: a dataset or job, one ``field`` of the dataset, as it stood at ``as_of``."""

    row: NodeRow
    field: str | None = None
    as_of: datetime | None = None


def named_node(unit: Reader, node_id: str, raw: str) -> Node:
    """The stored node that a node id names; ``raw`` is the same text before it was decoded.

    A part after ``#`` is a version: the node as it was when that version was told last. A run stands for its job.

    Raises:
        InputRefused: it has another form. NotFound: nothing fits. Conflict: several stored nodes do; they are listed.
    """
    kind = node_id.partition(":")[0]
    if kind == "run":
        run = require_run(unit, node_id.partition(":")[2])
        return Node(nodes_by_id(unit, [run.job_id])[run.job_id])
    if kind == FIELD:
        return _field(unit, node_id, raw)
    candidates = _candidates(node_id, raw)
    if not candidates:
        raise InputRefused(
            expected=FORMS,
            found=repr(node_id[:120]),
            remedy="Correct the node id, or ask by namespace and name.",
            pointer="nodeId",
        )
    row = resolve(unit, candidates)
    _, mark, version = node_id.rpartition("#")
    if not mark or not is_uuid(version) or row.name.endswith(f"#{version}"):
        return Node(row)
    return Node(row, None, _told(unit, entity_of(unit, row), version))


def _candidates(node_id: str, raw: str) -> list[tuple[NodeKind, str, str]]:
    """Every (kind, namespace, name) that the node id may stand for."""
    parts = _parts(raw, 2)
    if parts is not None and "#" not in parts[2]:
        return [("job" if parts[0] == "job" else "dataset", parts[1], parts[2])] if _is_known(parts[0]) else []
    if parts is not None and _is_known(parts[0]):
        return node_id_splits(":".join(parts))
    return node_id_splits(node_id)


def _is_known(kind: str) -> bool:
    return kind in ("dataset", "job")


def _parts(raw: str, colons: int) -> list[str] | None:
    """The parts as the web pages send them, encoded, the colons between them not; None where the colons are others."""
    if raw.count(":") != colons:
        return None
    parts = [unquote_plus(part) for part in raw.split(":")]
    return parts if all(parts) else None


def _told(unit: Reader, entity: Entity, version: str) -> datetime | None:
    """When the version was told last; None where it is what there is now.

    Raises:
        NotFound: the node has no such version.
    """
    if entity.row.kind == "job":
        for known in job_versions(unit, entity):
            if entity_uuid(known.digest) == version.lower():
                run = None if known.latest is None else unit.session.get_one(RunRow, known.latest)
                return None if run is None else run.last_event
    else:
        row = version_of_uuid(unit, entity, version)
        if row is not None:
            return stamp_time(row.last_stamp)
        if version.lower() == entity_uuid(bare_version(entity.row.identity)):
            return None
    raise NotFound(
        expected="the UUID of a stored version", found=version, remedy="Leave `#` and what follows out for what is now."
    )


def _field(unit: Reader, node_id: str, raw: str) -> Node:
    """The field that a node id names, among the fields of stored datasets."""
    text, version = node_id, None
    before, mark, after = node_id.rpartition("#")
    if mark and is_uuid(after):
        text, version = before, after
    parts = _parts(raw.rpartition("%23")[0] or raw.rpartition("#")[0] if version else raw, 3)
    splits = [(parts[1], parts[2], parts[3])] if parts is not None else _field_splits(text.partition(":")[2])
    found = _known_fields(unit, splits)
    if len(found) > 1:
        named = sorted(f"namespace={node.row.namespace} name={node.row.name} field={node.field}" for node in found)
        raise Conflict(
            expected="names that one field has",
            found="; ".join(named)[:2000],
            remedy="Ask by namespace, name and field, which are never ambiguous.",
        )
    if not found:
        raise NotFound(
            expected="a field that a schema or a lineage facet names",
            found=repr(node_id[:300]),
            remedy="Check the spelling; a field is a path, `a.b.c`.",
        )
    node = found[0]
    return node if version is None else Node(node.row, node.field, _told(unit, entity_of(unit, node.row), version))


def _field_splits(rest: str) -> list[FieldNames]:
    """Every (namespace, dataset, field) that the text may stand for.

    Raises:
        InputRefused: it holds more colons than can be tried.
    """
    parts = rest.split(":")
    if len(parts) > MOST_PARTS:
        raise InputRefused(
            expected=f"at most {MOST_PARTS} colons in the id of a field",
            found=f"{len(parts)}",
            remedy="Ask by namespace, name and field.",
            pointer="nodeId",
        )
    cuts = [(first, second) for second in range(2, len(parts)) for first in range(1, second)]
    splits = [(":".join(parts[:one]), ":".join(parts[one:two]), ":".join(parts[two:])) for one, two in cuts]
    return [names for names in splits if all(name_fault(part) is None for part in names)]


def _known_fields(unit: Reader, splits: Sequence[FieldNames]) -> list[Node]:
    """Those that are a field of a stored dataset."""
    asked: dict[bytes, list[FieldNames]] = defaultdict(list)
    for names in splits:
        asked[node_identity("dataset", *names[:2])].append(names)
    rows: list[NodeRow] = []
    for chunk in chunks(asked):
        rows += unit.session.scalars(sa.select(NodeRow).where(NodeRow.identity.in_(chunk), *seen(unit)))
    stored = StoredFields(unit)
    canonical = {row.id: stored.aliases.canonical([row.id]).get(row.id, row.id) for row in rows}
    fields = stored.types(canonical.values())
    return [Node(row, path) for row in rows for _, _, path in asked[row.identity] if path in fields[canonical[row.id]]]
