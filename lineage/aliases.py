"""Symlinks and renames resolved when read: which names stand for the same dataset, as of an instant.

The dataset that carries the facet is the canonical one; of several carriers in one group the least by namespace and
name, where none of them was renamed to another.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from lineage.fact_tables import RenameRow, SymlinkRow
from lineage.identity import stamp_after
from lineage.reading import Question, Reader, among, answers, nodes_by_id
from lineage.tables import DatasetVersionRow


@dataclass
class Aliases:
    """The groups met so far, for one question: a group is looked up once."""

    unit: Reader
    as_of: datetime | None = None
    _canonical: dict[int, int] = field(default_factory=dict)
    _members: dict[int, tuple[int, ...]] = field(default_factory=dict)
    _exist: bool | None = None

    def canonical(self, datasets: Iterable[int]) -> Mapping[int, int]:
        """The canonical dataset of each that has another; those without aliases are left out."""
        wanted = set(datasets)
        if not wanted or not self.exist():
            return {}
        self._learn([node for node in wanted if node not in self._canonical])
        return {node: self._canonical[node] for node in wanted if self._canonical.get(node, node) != node}

    def members(self, dataset: int) -> tuple[int, ...]:
        """Every dataset of the group that ``dataset`` is the canonical one of; itself alone without aliases."""
        return self._members.get(dataset, (dataset,))

    def _learn(self, datasets: Sequence[int]) -> None:
        if not datasets:
            return
        pairs: set[tuple[int, int]] = set()
        renamed: set[int] = set()
        reached: set[int] = set(datasets)
        fresh = list(datasets)
        while fresh:
            renames = _renames(self.unit, fresh, self.as_of)
            renamed |= {old for _, old in renames}
            found = _pairs(self.unit, fresh, self.as_of) | renames
            pairs |= found
            fresh = [node for node in dict.fromkeys(end for pair in found for end in pair) if node not in reached]
            reached.update(fresh)
        self._canonical.update((node, node) for node in reached)
        for group in _groups(pairs):
            carriers = {carrier for carrier, _ in pairs if carrier in group}
            self._settle(group, carriers - renamed or carriers)

    def exist(self) -> bool:
        """Whether any dataset has an alias at all, so that an instance without them pays nothing."""
        if self._exist is None:
            self.exist_and()
        return bool(self._exist)

    def exist_and(self, *questions: Question) -> list[Sequence[Any]]:
        """Find out whether any dataset has an alias; the answers to further questions on the same journey."""
        ((found,),), *further = answers(self.unit, (_any(), {}), *questions)
        self._exist = bool(found)
        return further

    def _settle(self, group: set[int], carriers: set[int]) -> None:
        rows = nodes_by_id(self.unit, list(group))
        chosen = min(carriers, key=lambda node: (rows[node].namespace, rows[node].name))
        self._canonical.update((node, chosen) for node in group)
        self._members[chosen] = tuple(sorted(group))


def any_alias() -> sa.ColumnElement[bool]:
    """Whether any dataset lists another name or was ever renamed."""
    linked = sa.select(SymlinkRow.carrier_id).where(SymlinkRow.alias_id != SymlinkRow.carrier_id)
    return sa.or_(linked.exists(), sa.select(RenameRow.old_id).exists())


@cache
def _any() -> Any:
    """The query for it, built once, since most questions ask it."""
    return sa.select(any_alias())


def _pairs(unit: Reader, nodes: Sequence[int], as_of: datetime | None) -> set[tuple[int, int]]:
    """(carrier, alias) where one of the nodes is either and the carrier's last word up to then lists the alias."""
    link, other = SymlinkRow, aliased(SymlinkRow)
    # Not max(): PostgreSQL has none of bytea before version 18.
    latest = sa.select(other.stamp).where(other.carrier_id == link.carrier_id).order_by(other.stamp.desc()).limit(1)
    if as_of is not None:
        latest = latest.where(other.stamp < stamp_after(as_of))
    found: set[tuple[int, int]] = set()
    # Two queries, since neither database uses both indexes for an OR as surely as one each.
    for column in (link.carrier_id, link.alias_id):
        query = sa.select(link.carrier_id, link.alias_id).where(
            among(unit, column, nodes), link.alias_id != link.carrier_id, link.stamp == latest.scalar_subquery()
        )
        found |= {(carrier, alias) for carrier, alias in unit.session.execute(query)}
    return found


def _renames(unit: Reader, nodes: Sequence[int], as_of: datetime | None) -> set[tuple[int, int]]:
    """(carrier, old name) where one of the nodes is either and nothing else has had the old name since."""
    found: set[tuple[int, int]] = set()
    for column in (RenameRow.carrier_id, RenameRow.old_id):
        query = sa.select(RenameRow.carrier_id, RenameRow.old_id).where(among(unit, column, nodes), *_stands(as_of))
        found |= {(carrier, old) for carrier, old in unit.session.execute(query)}
    return found


def renamed_away() -> sa.Select[int]:
    """A query of the names that now stand for another dataset, since it was renamed from them."""
    return sa.select(RenameRow.old_id).where(*_stands(None))


def _stands(as_of: datetime | None) -> list[Any]:
    """The conditions on which a rename holds.

    A name has another owner once a later event renames something to it, renames it again or creates it anew.
    """
    link, other = RenameRow, aliased(RenameRow)
    before = sa.true() if as_of is None else other.stamp < stamp_after(as_of)
    later = sa.select(other.old_id).where(
        sa.or_(other.carrier_id == link.old_id, other.old_id == link.old_id), other.stamp > link.stamp, before
    )
    version = DatasetVersionRow
    created = sa.select(version.id).where(
        version.node_id == link.old_id, version.lifecycle == "CREATE", version.last_stamp > link.stamp
    )
    if as_of is not None:
        created = created.where(version.first_stamp < stamp_after(as_of))
    told = sa.true() if as_of is None else link.stamp < stamp_after(as_of)
    return [link.old_id != link.carrier_id, ~later.exists(), ~created.exists(), told]


def _groups(pairs: Iterable[tuple[int, int]]) -> list[set[int]]:
    """The connected groups."""
    groups: list[set[int]] = []
    for pair in sorted(pairs):
        joined = set(pair)
        apart = []
        for group in groups:
            if group & joined:
                joined |= group
            else:
                apart.append(group)
        groups = [*apart, joined]
    return groups
