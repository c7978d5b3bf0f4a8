"""What differs between the lineage of one node at two instants, or of two model versions."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import sqlalchemy as sa

from lineage.graph import Bounds, Edge
from lineage.neighbourhood import GraphQuery, Reached, reach
from lineage.reading import Reader, among, until
from lineage.run_walk import RunQuery, WalkedVersion, run_graph
from lineage.tables import OUTPUT, NodeRow, RunDatasetRow, RunRow

Name = tuple[str, str, str]
"""Kind, namespace and name."""

MAX_VERSIONS = 20_000
"""Runs and versions that are followed up on each side; beyond it the answer says that it was cut."""


@dataclass(frozen=True, slots=True)
class ChangedVersions:
    """A dataset of which the two sides used other versions; null stands for one that nobody reported."""

    namespace: str
    name: str
    before: tuple[str | None, ...]
    after: tuple[str | None, ...]


@dataclass(frozen=True, slots=True)
class Differences:
    """Nodes and edges (source, target) that only one side has, and datasets used in other versions, by name.

    Where two different nodes are compared each stands for the other, and neither is listed. ``hidden`` counts the nodes
    and edges that only one side has and that the reader does not see; null for whoever sees everything.
    """

    nodes_added: tuple[Name, ...]
    nodes_removed: tuple[Name, ...]
    edges_added: tuple[tuple[Name, Name], ...]
    edges_removed: tuple[tuple[Name, Name], ...]
    versions_changed: tuple[ChangedVersions, ...]
    is_truncated: bool
    hidden: int | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One of the two that are compared."""

    start: NodeRow
    as_of: datetime | None


@dataclass(frozen=True, slots=True)
class _Lineage:
    """One side's lineage by names, where the start has no name."""

    nodes: set[Name]
    edges: set[tuple[Name | None, Name | None]]
    start: Name
    versions: dict[tuple[str, str], set[str | None]]
    is_truncated: bool


def differences(unit: Reader, before: Side, after: Side, query: GraphQuery) -> Differences:
    """What the side after has that the one before has not, and the other way round; at most ``node_limit`` of each."""
    old, new = (_lineage(unit, side, query) for side in (before, after))
    limit = query.node_limit
    changed = [
        ChangedVersions(*name, _sorted(old.versions[name]), _sorted(new.versions[name]))
        for name in sorted(old.versions.keys() & new.versions.keys())
        if old.versions[name] != new.versions[name]
    ]
    nodes = [sorted(new.nodes - old.nodes), sorted(old.nodes - new.nodes)]
    edges = [_named(new.edges - old.edges, new.start), _named(old.edges - new.edges, old.start)]
    hidden = None
    if not unit.sight.is_whole:
        total = sum(map(len, nodes)) + sum(map(len, edges))
        nodes = [[name for name in names if unit.sight.sees(*name[1:])] for names in nodes]
        edges = [[ends for ends in pairs if all(unit.sight.sees(*end[1:]) for end in ends)] for pairs in edges]
        hidden = total - sum(map(len, nodes)) - sum(map(len, edges))
    (nodes_added, nodes_removed), (edges_added, edges_removed) = nodes, edges
    sizes = [len(items) for items in (nodes_added, nodes_removed, edges_added, edges_removed, changed)]
    return Differences(
        nodes_added=tuple(nodes_added[:limit]),
        nodes_removed=tuple(nodes_removed[:limit]),
        edges_added=tuple(edges_added[:limit]),
        edges_removed=tuple(edges_removed[:limit]),
        versions_changed=tuple(changed[:limit]),
        is_truncated=(limit is not None and max(sizes) > limit) or old.is_truncated or new.is_truncated,
        hidden=hidden,
    )


def _sorted(versions: set[str | None]) -> tuple[str | None, ...]:
    return tuple(sorted(versions, key=lambda version: (version is None, version or "")))


def _named(edges: set[tuple[Name | None, Name | None]], start: Name) -> list[tuple[Name, Name]]:
    return sorted((source or start, target or start) for source, target in edges)


def _lineage(unit: Reader, side: Side, query: GraphQuery) -> _Lineage:
    reached = reach(unit, side.start, replace(query, node_limit=None, as_of=side.as_of))
    keys = reached.links.sort_keys(list(reached.distances))
    names: dict[int, Name | None] = {**keys, reached.start: None}
    versions, is_cut = _versions(unit, side, reached, query)
    return _Lineage(
        nodes={name for name in names.values() if name is not None},
        edges={_ends(edge, names) for edge in reached.edges}
        | {(names[source], names[target]) for source, target in reached.found.direct_edges},
        start=keys[reached.start],
        versions=versions,
        is_truncated=reached.is_truncated or is_cut,
    )


def _ends(edge: Edge, names: dict[int, Name | None]) -> tuple[Name | None, Name | None]:
    job, dataset, writes = edge
    return (names[job], names[dataset]) if writes else (names[dataset], names[job])


def _versions(
    unit: Reader, side: Side, reached: Reached, query: GraphQuery
) -> tuple[dict[tuple[str, str], set[str | None]], bool]:
    """The versions of each dataset that the start's latest run used or led to; and whether more were not followed."""
    versions: dict[tuple[str, str], set[str | None]] = defaultdict(set)
    run = _latest_run(unit, side, reached)
    if run is None:
        return versions, False
    bounds = Bounds(query.depth, MAX_VERSIONS)
    found = run_graph(unit, run, RunQuery(query.directions, bounds, reached.links.as_of))
    for node in found.nodes:
        if isinstance(node, WalkedVersion) and node.node != reached.start:
            versions[(node.namespace, node.name)].add(node.version)
    return versions, found.is_truncated and query.depth is None


def _latest_run(unit: Reader, side: Side, reached: Reached) -> RunRow | None:
    """The latest run of the job, or that wrote the dataset."""
    members: Sequence[int] = reached.links.aliases.members(reached.start)
    mentioned: sa.ColumnElement[bool] = RunDatasetRow.job_id == reached.start
    if side.start.kind != "job":
        mentioned = sa.and_(among(unit, RunDatasetRow.node_id, members), RunDatasetRow.role == OUTPUT)
    query = (
        sa.select(RunRow)
        .join(RunDatasetRow, RunDatasetRow.run_id == RunRow.id)
        .where(mentioned, until(RunDatasetRow.first_seen, reached.links.as_of))
        .order_by(RunDatasetRow.first_seen.desc(), RunRow.identity.desc())
        .limit(1)
    )
    return unit.session.scalar(query)
