"""Finding what a path or node id names: namespaces, datasets and jobs under any of their names, runs, versions."""

from dataclasses import dataclass

import sqlalchemy as sa

from governance.errors import InputRefused, NotFound
from lineage.aliases import Aliases
from lineage.identity import NodeKind, name_fault, namespace_identity
from lineage.marquez.sight import seen_namespaces
from lineage.reading import Reader, find_node, nodes_by_id
from lineage.run_walk import find_run
from lineage.tables import NamespaceRow, NodeRow, RunRow


@dataclass(frozen=True, slots=True)
class Entity:
    """A dataset or job: its own row, and the row ids of all names that stand for it."""

    row: NodeRow
    members: tuple[int, ...]

    @property
    def id(self) -> int:
        """The row id."""
        return self.row.id


def require_namespace(unit: Reader, name: str) -> NamespaceRow:
    """The namespace of this name, also where it was deleted.

    Raises:
        InputRefused: it cannot be a name. NotFound: no event or operator named it.
    """
    _require_name(name, "namespace")
    query = sa.select(NamespaceRow).where(NamespaceRow.identity == namespace_identity(name), *seen_namespaces(unit))
    row = unit.session.scalar(query)
    if row is None or row.first_seen is None:
        raise _not_found("namespace", name)
    return row


def require_entity(unit: Reader, kind: NodeKind, namespace: str, name: str) -> Entity:
    """The dataset or job of this name; a dataset is found by each name that a symlink or rename gives it.

    Raises:
        InputRefused: a name is unusable. NotFound: no event named it, or it was deleted and not named since.
    """
    _require_name(namespace, "namespace")
    _require_name(name, kind)
    row = find_node(unit, kind, namespace, name)
    if row is None or not unit.sight.sees(namespace, name):
        raise _not_found(kind, name)
    found = entity_of(unit, row)
    is_seen = unit.sight.sees(found.row.namespace, found.row.name)
    if found.row.first_seen is None or is_hidden(found.row) or not is_seen:
        raise _not_found(kind, name)
    return found


def entity_of(unit: Reader, row: NodeRow) -> Entity:
    """The entity that a row stands for: itself, or the canonical dataset of its aliases."""
    if row.kind == "job":
        return Entity(row, (row.id,))
    aliases = Aliases(unit)
    canonical = aliases.canonical([row.id]).get(row.id, row.id)
    chosen = row if canonical == row.id else nodes_by_id(unit, [canonical])[canonical]
    return Entity(chosen, aliases.members(canonical))


def is_hidden(row: NodeRow | NamespaceRow) -> bool:
    """Whether an operator deleted it and no event that was recorded since named it."""
    return row.deleted_at is not None and (row.last_recorded is None or row.deleted_at >= row.last_recorded)


def require_run(unit: Reader, run_id: str) -> RunRow:
    """The run of this id, as it was sent or as the UUID that it is served by.

    Raises:
        InputRefused: it cannot be an id. NotFound: no event named it.
    """
    _require_name(run_id, "run")
    return find_run(unit, run_id)


def entity_uuid(digest: bytes) -> str:
    """The UUID that stands for a digest where Marquez's shape needs one: its first 16 bytes.

    Source: RFC 9562, section 5.8 (version 8).
    """
    text = digest[:16].hex()
    variant = "89ab"[int(text[16], 16) & 3]
    return f"{text[:8]}-{text[8:12]}-8{text[13:16]}-{variant}{text[17:20]}-{text[20:]}"


def _require_name(name: str, pointer: str) -> None:
    fault = name_fault(name)
    if fault is not None:
        raise InputRefused(
            expected="a name of 1 to 2,048 characters", found=fault, remedy="Correct the name.", pointer=pointer
        )


def _not_found(kind: str, name: str) -> NotFound:
    return NotFound(
        expected=f"a {kind} that an event has named",
        found=repr(name[:200]),
        remedy="Check the spelling; names are compared as they were sent.",
    )
