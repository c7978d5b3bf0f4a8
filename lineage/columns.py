"""Column lineage from the stored flows: which fields feed which, and which tags and categories they carry with them.

A field is found by its path in the newest schema of its dataset, or in a lineage facet that names it.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.orm import aliased

from governance.database import UTCDateTime
from lineage.aliases import Aliases
from lineage.column_graph import Field, Hop
from lineage.descriptions import described_fields
from lineage.graph import Direction
from lineage.identity import stamp_after
from lineage.links import EdgesMode, StoredLinks, statements
from lineage.mapping import ColumnPair, PairIndex, pair_index
from lineage.reading import Named, Reader, among, answers, id_list, listed, names_by_id, names_query, until
from lineage.tables import DatasetVersionRow, FlowEdgeRow, FlowRow, MappingRow, NodeRow, RunRow

AHEAD = 64
"""Datasets that are read ahead at least, where so many lie there."""

AHEAD_ROWS = 2_000
"""Most flows that are read at once when some are read ahead."""


@dataclass(frozen=True, slots=True, eq=False)
class FlowEdge:
    """The flow behind a hop: canonical datasets, the job (0: none), when it was seen, and the latest run's row id."""

    source: int
    target: int
    job: int
    mapping: int
    first_seen: datetime
    last_seen: datetime
    stamp: bytes
    run: int | None
    pairs: PairIndex

    @property
    def fields(self) -> Iterator[Field]:
        """The fields that the flow names."""
        for pair in self.pairs.sources.every:
            yield (self.source, pair.source)
            yield (self.target, pair.target)


_FLOW = (
    FlowEdgeRow.source_id, FlowEdgeRow.target_id, FlowEdgeRow.job_id, FlowEdgeRow.mapping_id, FlowEdgeRow.first_seen,
    FlowEdgeRow.last_seen, FlowEdgeRow.latest_stamp, FlowEdgeRow.latest_run_id, MappingRow.content,
)  # fmt: skip


@cache
def _flow_query(dialect: str, column: Any, has_instant: bool) -> Any:
    """The query of one level, built once."""
    query: Any = sa.select(*_FLOW).join_from(FlowEdgeRow, MappingRow, MappingRow.id == FlowEdgeRow.mapping_id)
    return query.where(listed(dialect, column), *_by_then(has_instant))


@cache
def _ahead_query(dialect: str, near: Any, far: Any, has_instant: bool) -> Any:
    """The listed datasets and those behind them, nearest first, ``most`` of all, each with its flows; built once.

    A dataset without flows has one row. There are at most ``rows``.
    """
    behind = sa.select(NodeRow.id).where(listed(dialect, NodeRow.id)).cte("behind", recursive=True)
    behind = behind.union(sa.select(far).select_from(FlowEdgeRow).join(behind, near == behind.c.id))
    few = sa.select(behind.c.id).limit(sa.bindparam("most", type_=sa.Integer)).subquery()
    flows: Any = sa.select(few.c.id, *_FLOW).select_from(few)
    flows = flows.outerjoin(FlowEdgeRow, sa.and_(near == few.c.id, *_by_then(has_instant)))
    flows = flows.outerjoin(MappingRow, MappingRow.id == FlowEdgeRow.mapping_id)
    return flows.limit(sa.bindparam("rows", type_=sa.Integer))


def _by_then(has_instant: bool) -> list[sa.ColumnElement[bool]]:
    return [FlowEdgeRow.first_seen <= sa.bindparam("as_of", type_=UTCDateTime)] if has_instant else []


@cache
def _schema_query(dialect: str, has_instant: bool) -> Any:
    """The newest schema of each listed dataset that had one, by ``below`` where an instant is asked for; built once."""
    version = aliased(DatasetVersionRow)
    newest = (
        sa.select(version.id)
        .where(
            version.node_id == NodeRow.id,
            version.fields.is_not(None),
            version.first_stamp < sa.bindparam("below", type_=sa.LargeBinary) if has_instant else sa.true(),
        )
        .order_by(version.last_stamp.desc(), version.identity)
        .limit(1)
    )
    return (
        sa.select(NodeRow.id, DatasetVersionRow.fields, DatasetVersionRow.last_stamp)
        .join(DatasetVersionRow, DatasetVersionRow.id == newest.scalar_subquery())
        .where(listed(dialect, NodeRow.id))
    )


@cache
def _run_query(dialect: str) -> Any:
    return sa.select(RunRow.id, RunRow.run_id).where(listed(dialect, RunRow.id))


@dataclass
class StoredFields:
    """What flows into and out of fields, read from the database once a dataset and direction."""

    unit: Reader
    as_of: datetime | None = None
    mode: EdgesMode = "ever"
    aliases: Aliases = field(init=False)
    _flows: dict[Direction, dict[int, list[FlowEdge]]] = field(init=False)
    _edges: dict[tuple[int, int, int, int], FlowEdge] = field(default_factory=dict)
    _fields: dict[int, dict[str, str | None]] = field(default_factory=dict)
    _schemas: dict[int, dict[str, str | None]] = field(default_factory=dict)
    _names: dict[int, Named] = field(default_factory=dict)
    _looks_ahead: bool = True

    def __post_init__(self) -> None:
        """Share one resolution of aliases over the whole question."""
        self.aliases = Aliases(self.unit, self.as_of)
        self._flows = {"upstream": {}, "downstream": {}}

    def flows(self, datasets: Iterable[int], direction: Direction) -> Mapping[int, list[FlowEdge]]:
        """The flows into (upstream) or out of (downstream) each dataset, under any of its names."""
        held = self._flows[direction]
        missing = [dataset for dataset in dict.fromkeys(datasets) if dataset not in held]
        if missing:
            loaded, rows = self._ahead(missing, direction) or (missing, self._rows(missing, direction))
            held.update((dataset, []) for dataset in loaded)
            for edge in self._read(rows, loaded):
                near = edge.target if direction == "upstream" else edge.source
                if near in held:
                    held[near].append(edge)
        return held

    def _ahead(self, datasets: Sequence[int], direction: Direction) -> tuple[list[int], list[Any]] | None:
        """The datasets and those that a deep walk comes to later, with their flows; more the further it has come.

        So it asks the database a few times and not once a level. None where nothing is read ahead: under other names
        more may lie behind, and where many flows do, the question may need few.
        """
        held = self._flows[direction]
        if not held or not self._looks_ahead or self.aliases.exist():
            return None
        ends = FlowEdgeRow.target_id, FlowEdgeRow.source_id
        near, far = ends if direction == "upstream" else reversed(ends)
        dialect = self.unit.dialect
        parameters = self._asked(datasets) | {"most": len(datasets) + max(AHEAD, len(held)), "rows": AHEAD_ROWS + 1}
        query = _ahead_query(dialect, near, far, self.as_of is not None)
        rows = self.unit.session.connection().execute(query, parameters).all()
        if len(rows) > AHEAD_ROWS:
            self._looks_ahead = False
            return None
        new = {row[0] for row in rows} - held.keys()
        return sorted(new), [row[1:] for row in rows if row[0] in new and row[1] is not None]

    def _rows(self, datasets: Sequence[int], direction: Direction) -> Sequence[Any]:
        """The stored flows into or out of the datasets."""
        members = [member for dataset in datasets for member in self.aliases.members(dataset)]
        column = FlowEdgeRow.target_id if direction == "upstream" else FlowEdgeRow.source_id
        query = _flow_query(self.unit.dialect, column, self.as_of is not None)
        return self.unit.session.connection().execute(query, self._asked(members)).all()

    def _asked(self, ids: Sequence[int]) -> dict[str, Any]:
        """The parameters that the queries of flows have in common."""
        asked: dict[str, Any] = {"ids": id_list(self.unit.dialect, ids)}
        return asked if self.as_of is None else {**asked, "as_of": self.as_of}

    def _read(self, rows: Sequence[Any], datasets: Sequence[int]) -> list[FlowEdge]:
        """The flows of the rows, by the canonical names of their ends."""
        members = {member: dataset for dataset in datasets for member in self.aliases.members(dataset)}
        if self.mode == "current":
            rows = self._current(rows)
        ends = {end for row in rows for end in row[:2]}
        canonical = {**self.aliases.canonical(ends), **members}
        return [self._edge(tuple(row), (canonical.get(row[0], row[0]), canonical.get(row[1], row[1]))) for row in rows]

    def _edge(self, row: tuple[Any, ...], ends: tuple[int, int]) -> FlowEdge:
        """The edge of a row: one object, whichever way it is come upon."""
        key = (row[0], row[1], row[2], row[3])
        if key not in self._edges:
            _, _, job, mapping, first, last, stamp, run, content = row
            self._edges[key] = FlowEdge(*ends, job, mapping, first, last, stamp, run, pair_index(content))
        return self._edges[key]

    def _current(self, rows: Sequence[Any]) -> list[Any]:
        """The rows that the latest run of their job told, or that were declared last where no run told any."""
        latest = StoredLinks(self.unit, self.as_of).latest_runs(sorted({row[2] for row in rows if row[2]}))
        since = statements(self.unit, [row[2] for row in rows], [row[1] for row in rows], self.as_of)
        flow = FlowRow
        query = sa.select(
            flow.job_id, flow.run_id, flow.source_id, flow.target_id, flow.mapping_id, flow.stamp
        ).where(
            among(self.unit, flow.target_id, sorted({row[1] for row in rows})),
            among(self.unit, flow.job_id, sorted({row[2] for row in rows})),
            among(self.unit, flow.run_id, sorted({0, *(run for run in latest.values() if run is not None)})),
            until(flow.first_seen, self.as_of),
        )  # fmt: skip
        found = self.unit.session.connection().execute(query).all()
        told = {tuple(row[:5]) for row in found if row[1] or row[5] >= since.get(row[0], row[3])}
        ran = {(job, target) for job, run, _, target, _ in told if run}
        return [
            row
            for row in rows
            if (row[2], latest.get(row[2]) or 0, row[0], row[1], row[3]) in told
            or ((row[2], row[1]) not in ran and (row[2], 0, row[0], row[1], row[3]) in told)
        ]

    def types(self, datasets: Iterable[int]) -> Mapping[int, dict[str, str | None]]:
        """Path and type of each field of the datasets: of the newest schema, and what lineage facets name."""
        missing = [dataset for dataset in dict.fromkeys(datasets) if dataset not in self._fields]
        if missing:
            schemas = self.schemas(missing)
            named: dict[int, set[str]] = defaultdict(set)
            # A field is one whether or not a facet names it now.
            known = self if self.mode == "ever" else StoredFields(self.unit, self.as_of)
            known.aliases = self.aliases
            for direction in ("upstream", "downstream"):
                flows = known.flows(missing, direction)
                for path_of, path in (end for dataset in missing for edge in flows[dataset] for end in edge.fields):
                    named[path_of].add(path)
            for dataset in missing:
                held = dict(schemas[dataset])
                held.update((path, None) for path in sorted(named[dataset] - {""}) if path not in held)
                self._fields[dataset] = held
        return self._fields

    def begin(self, dataset: int) -> None:
        """Read at once what a question about a dataset begins with: whether any has aliases, and this one's schema."""
        (rows,) = self.aliases.exist_and(self._newest_query([dataset]))
        if not self.aliases.exist():
            self._schemas.update({dataset: {}} | self._newest([dataset], rows))

    def knows(self, dataset: int, path: str, ways: Sequence[Direction]) -> bool:
        """Whether ``types`` of the dataset has the path; of the flows no more is read than it takes to meet it."""
        if path in self.schemas([dataset])[dataset]:
            return True
        if path and self.mode == "ever":
            flows = (edge for way in ways for edge in self.flows([dataset], way)[dataset])
            if any(end == (dataset, path) for edge in flows for end in edge.fields):
                return True
        return path in self.types([dataset])[dataset]

    def describe(self, nodes: Iterable[int], datasets: Iterable[int], runs: Iterable[int]) -> Mapping[int, str]:
        """Read the names of nodes and the schemas of datasets, and give the run ids of runs, all at once."""
        unnamed = [node for node in dict.fromkeys(nodes) if node and node not in self._names]
        missing = [dataset for dataset in dict.fromkeys(datasets) if dataset not in self._schemas]
        names = names_query(self.unit.dialect), {"ids": id_list(self.unit.dialect, unnamed)}
        of_runs = _run_query(self.unit.dialect), {"ids": id_list(self.unit.dialect, sorted(set(runs)))}
        named, newest, told = answers(self.unit, names, self._newest_query(missing), of_runs)
        self._names.update((number, Named(namespace, name)) for number, namespace, name in named)
        self._schemas.update({dataset: {} for dataset in missing} | self._newest(missing, newest))
        return {number: run for number, run in told}  # noqa: C416 - a row is no pair to dict()

    def schemas(self, datasets: Iterable[int]) -> Mapping[int, dict[str, str | None]]:
        """Path and type of each field in the newest schema of each dataset; empty where none was told."""
        missing = [dataset for dataset in dict.fromkeys(datasets) if dataset not in self._schemas]
        if missing:
            (rows,) = answers(self.unit, self._newest_query(missing))
            self._schemas.update({dataset: {} for dataset in missing} | self._newest(missing, rows))
        return self._schemas

    def _newest_query(self, datasets: Sequence[int]) -> tuple[Any, dict[str, Any]]:
        """What asks for the schema of each dataset under each of its names, with its parameters."""
        dialect = self.unit.dialect
        members = [member for dataset in datasets for member in self.aliases.members(dataset)]
        parameters: dict[str, Any] = {"ids": id_list(dialect, members)}
        if self.as_of is not None:
            parameters["below"] = stamp_after(self.as_of)
        return _schema_query(dialect, self.as_of is not None), parameters

    def _newest(self, datasets: Sequence[int], rows: Iterable[Sequence[Any]]) -> dict[int, dict[str, str | None]]:
        """The newest schema of each dataset under any of its names."""
        members = {member: dataset for dataset in datasets for member in self.aliases.members(dataset)}
        found: dict[int, tuple[bytes, bytes]] = {}
        for node, fields, stamp in rows:
            owner = members[node]
            if fields is not None and (owner not in found or found[owner][0] < stamp):
                found[owner] = (stamp, fields)
        return {
            owner: {path: kind for path, kind, _ in described_fields(fields)} for owner, (_, fields) in found.items()
        }

    def nodes(self, ids: Iterable[int]) -> Mapping[int, Named]:
        """The names of datasets and jobs."""
        missing = [node for node in dict.fromkeys(ids) if node and node not in self._names]
        if missing:
            self._names.update(names_by_id(self.unit, missing))
        return self._names

    def node(self, number: int) -> Named:
        """The names of one dataset or job."""
        found = self._names.get(number)
        return self.nodes([number])[number] if found is None else found


@dataclass(frozen=True, slots=True)
class FieldHops:
    """The hops among the stored flows that count for one walk. Implements ``column_graph.FieldLinks``."""

    stored: StoredFields
    counts: Callable[[Hop], bool]

    def hops(self, fields: Sequence[Field], direction: Direction) -> Iterator[Hop]:
        """Every hop that ends at (upstream) or begins at (downstream) one of the fields."""
        flows = self.stored.flows((dataset for dataset, _ in fields), direction)
        for near in fields:
            for edge in flows[near[0]]:
                side = edge.pairs.targets if direction == "upstream" else edge.pairs.sources
                for pair in side.touching(near[1]):
                    yield from self._of(near, edge, pair, direction)

    def _of(self, near: Field, edge: FlowEdge, pair: ColumnPair, direction: Direction) -> Iterator[Hop]:
        """The hops of one pair; one that affects every row reaches each field of the target."""
        if direction == "upstream":
            hops = [Hop((edge.source, pair.source), near, pair, edge)]
        elif pair.target:
            hops = [Hop(near, (edge.target, pair.target), pair, edge)]
        elif self.counts(Hop(near, (edge.target, ""), pair, edge)):
            paths = self.stored.types([edge.target])[edge.target] or {"": None}
            hops = [Hop(near, (edge.target, path), pair, edge) for path in paths]
        else:
            return
        yield from filter(self.counts, hops)

    def sort_keys(self, fields: Sequence[Field]) -> dict[Field, tuple[str, str, str]]:
        """(namespace, name, path) of each field."""
        rows = self.stored.nodes(dataset for dataset, _ in fields)
        return {(dataset, path): (rows[dataset].namespace, rows[dataset].name, path) for dataset, path in fields}
