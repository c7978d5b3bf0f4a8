"""The answer to a question about fields: what they come from and what depends on them, with what they carry."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

import sqlalchemy as sa

from governance.errors import Conflict, NotFound
from lineage.column_graph import Field, FieldWalk, Hop, walk_fields
from lineage.columns import FieldHops, FlowEdge, StoredFields
from lineage.graph import Bounds, Direction
from lineage.identity import name_fault, stamp_after
from lineage.links import EdgesMode, StoredLinks
from lineage.mapping import Part, Transformation
from lineage.neighbourhood import DEFAULT_NODE_LIMIT, Directions
from lineage.reading import among, find_node
from lineage.tables import FlowRow, NodeRow
from lineage.tagging import Carried, carried_by


@dataclass(frozen=True, slots=True)
class ColumnQuery:
    """What is asked: which way, how many hops, as of when, over which flows; with or without INDIRECT ones."""

    direction: Directions = "both"
    depth: int | None = None
    node_limit: int = DEFAULT_NODE_LIMIT
    as_of: datetime | None = None
    edges: EdgesMode = "ever"
    include_indirect: bool = False

    @property
    def directions(self) -> tuple[Direction, ...]:
        """The ways that are walked, apart from one another."""
        return ("upstream", "downstream") if self.direction == "both" else (self.direction,)


@dataclass(frozen=True, slots=True, order=True)
class FieldName:
    """A field by the names of its dataset and its path; an empty path is some field, and not known which."""

    namespace: str
    name: str
    path: str


@dataclass(frozen=True, slots=True)
class CarriedMark:
    """A tag or category of a field. ``way`` leads there from the field it was set on; length 1 where that is itself."""

    kind: str
    key: str
    value: str | None
    way: tuple[FieldName, ...]


@dataclass(frozen=True, slots=True)
class ColumnNode:
    """A field of the answer; ``distance`` counts hops. ``dataset`` is a row id."""

    dataset: int
    names: FieldName
    type: str | None
    distance: int
    aliases: tuple[tuple[str, str], ...]
    marks: tuple[CarriedMark, ...]


@dataclass(frozen=True, slots=True)
class ColumnEdge:
    """One field goes into another, given by their places in the answer, through a job where one is known."""

    source: int
    target: int
    transformations: tuple[Transformation, ...]
    is_direct: bool
    is_masked: bool
    job: tuple[str, str] | None
    first_seen: datetime
    last_seen: datetime
    latest_run_id: str | None


@dataclass(frozen=True, slots=True)
class ColumnGraph:
    """Fields by distance and name, edges by their ends, ``frontier`` where the answer was cut.

    ``starts`` are the places of the fields that were asked for; ``marks_truncated`` where tags may be missing.
    """

    starts: tuple[int, ...]
    nodes: tuple[ColumnNode, ...]
    edges: tuple[ColumnEdge, ...]
    frontier: tuple[int, ...]
    marks_truncated: bool = False

    @property
    def is_truncated(self) -> bool:
        """Whether something was cut."""
        return bool(self.frontier)


def starts_of(stored: StoredFields, dataset: NodeRow, path: str | None, ways: Sequence[Direction] = ()) -> list[Field]:
    """The field at the path, or every known field of the dataset, under its canonical name.

    ``ways`` are those that will be walked: what is read on them is looked at first.

    Raises:
        NotFound: neither a schema nor a lineage facet names the field.
    """
    stored.begin(dataset.id)
    canonical = stored.aliases.canonical([dataset.id]).get(dataset.id, dataset.id)
    if path is None:
        return [(canonical, name) for name in stored.types([canonical])[canonical]]
    if not stored.knows(canonical, path, ways):
        raise NotFound(
            expected="a field that a schema or a lineage facet names",
            found=path[:300],
            remedy="Check the path; a segment that holds a dot is set in backticks.",
        )
    return [(canonical, path)]


def starts_of_job(stored: StoredFields, job: NodeRow) -> list[Field]:
    """The fields of what the job wrote when it last ran, or was declared to write."""
    written = StoredLinks(stored.unit, stored.as_of, "current").datasets([job.id], "downstream")
    ids = sorted({dataset for _, dataset in written})
    canonical = stored.aliases.canonical(ids)
    datasets = list(dict.fromkeys(canonical.get(dataset, dataset) for dataset in ids))
    types = stored.types(datasets)
    return [(dataset, path) for dataset in datasets for path in types[dataset]]


def find_field(stored: StoredFields, candidates: Iterable[FieldName]) -> list[Field]:
    """The one known field among the names that a question may mean.

    Raises:
        NotFound: none is known. Conflict: several are; they are listed.
    """
    asked = list(candidates)
    found: dict[Field, FieldName] = {}
    for names in asked:
        usable = all(name_fault(part) is None for part in (names.namespace, names.name, names.path))
        row = find_node(stored.unit, "dataset", names.namespace, names.name) if usable else None
        if row is not None:
            canonical = stored.aliases.canonical([row.id]).get(row.id, row.id)
            if names.path in stored.types([canonical])[canonical]:
                found[(canonical, names.path)] = names
    if len(found) > 1:
        named = sorted(f"namespace={one.namespace} name={one.name} field={one.path}" for one in found.values())
        raise Conflict(
            expected="names that one field has",
            found="; ".join(named)[:2000],
            remedy="Ask by namespace, name and field, which are never ambiguous.",
        )
    if not found:
        raise NotFound(
            expected="a field that a schema or a lineage facet names",
            found=" or ".join(f"{one.namespace}:{one.name}:{one.path}" for one in asked)[:300] or "no field id",
            remedy="Check the path; a segment that holds a dot is set in backticks.",
        )
    return list(found)


def column_graph(stored: StoredFields, starts: Sequence[Field], query: ColumnQuery) -> ColumnGraph:
    """The fields within reach of the starts and the edges between them, with what each field carries."""

    def counts(hop: Hop) -> bool:
        return query.include_indirect or hop.pair.is_direct

    bounds = Bounds(query.depth, query.node_limit)
    found = walk_fields(FieldHops(stored, counts), starts, query.directions, bounds)
    ways, is_cut = carried_by(stored, list(found.distances))
    passed = {one for held in ways.values() for way in held.values() for one in way}
    latest = _latest_runs(stored, list(dict.fromkeys(hop.edge for hop in found.hops)))
    run_ids = stored.describe(
        sorted({dataset for dataset, _ in (*found.distances, *passed)} | {hop.edge.job for hop in found.hops}),
        [dataset for dataset, _ in found.distances],
        [run for _, run in latest.values()],
    )
    runs = {edge: (stamp, run_ids[run]) for edge, (stamp, run) in latest.items() if run in run_ids}
    names = _names_of(stored, {*found.distances, *passed})
    nodes = sorted(
        (_node(stored, names, (one, distance), ways.get(one, {})) for one, distance in found.distances.items()),
        key=lambda node: (node.distance, node.names),
    )
    places = {(node.dataset, node.names.path): place for place, node in enumerate(nodes)}
    return ColumnGraph(
        starts=tuple(sorted(places[start] for start in set(starts) if start in places)),
        nodes=tuple(nodes),
        edges=_edges(stored, found, places, runs),
        frontier=tuple(sorted(places[one] for one in found.frontier)),
        marks_truncated=is_cut,
    )


def field_name(stored: StoredFields, one: Field) -> FieldName:
    """The field by its names."""
    row = stored.node(one[0])
    return FieldName(row.namespace, row.name, one[1])


def _names_of(stored: StoredFields, fields: Iterable[Field]) -> dict[Field, FieldName]:
    """Each of the fields by its names."""
    return {one: field_name(stored, one) for one in fields}


def _node(
    stored: StoredFields,
    names: Mapping[Field, FieldName],
    reached: tuple[Field, int],
    held: Mapping[Carried, tuple[Field, ...]],
) -> ColumnNode:
    one, distance = reached
    dataset, path = one
    others = [member for member in stored.aliases.members(dataset) if member != dataset]
    rows = stored.nodes(others) if others else {}
    return ColumnNode(
        dataset=dataset,
        names=names[one],
        type=stored.schemas((dataset,))[dataset].get(path),
        distance=distance,
        aliases=tuple(sorted((rows[other].namespace, rows[other].name) for other in others)),
        marks=carried_marks(names, held),
    )


def carried_marks(
    names: Mapping[Field, FieldName], held: Mapping[Carried, tuple[Field, ...]]
) -> tuple[CarriedMark, ...]:
    """What a field carries, its own first, then by key and origin; ``names`` are those of the fields on the ways."""
    if not held:
        return ()
    marks = [
        CarriedMark(mark.kind, mark.key, mark.value, tuple(names[one] for one in way)) for mark, way in held.items()
    ]
    return tuple(sorted(marks, key=lambda mark: (len(mark.way) > 1, mark.kind, mark.key, mark.value or "", mark.way)))


def _edges(
    stored: StoredFields, found: FieldWalk, places: dict[Field, int], runs: Mapping[FlowEdge, tuple[bytes, str]]
) -> tuple[ColumnEdge, ...]:
    """The edges: one for each way of going from field to field in one job, whatever else its facets said."""
    joined: dict[tuple[int, int, int, tuple[Part, ...]], list[Hop]] = {}
    for hop in found.hops:
        joined.setdefault((places[hop.source], places[hop.target], hop.edge.job, hop.pair.parts), []).append(hop)
    jobs: dict[int, tuple[str, str]] = {0: ("", ""), **stored.nodes({hop.edge.job for hop in found.hops})}
    ordered = sorted(joined, key=lambda key: (key[0], key[1], jobs[key[2]], _spelled(key[3])))
    return tuple(_edge(key, joined[key], jobs, runs) for key in ordered)


def _edge(
    key: tuple[int, int, int, tuple[Part, ...]],
    hops: Sequence[Hop],
    jobs: Mapping[int, tuple[str, str]],
    runs: Mapping[FlowEdge, tuple[bytes, str]],
) -> ColumnEdge:
    source, target, job, _ = key
    pair = hops[0].pair
    return ColumnEdge(
        source=source,
        target=target,
        transformations=pair.transformations,
        is_direct=pair.is_direct,
        is_masked=pair.is_masked,
        job=(jobs[job][0], jobs[job][1]) if job else None,
        first_seen=min(hop.edge.first_seen for hop in hops),
        last_seen=max(hop.edge.last_seen for hop in hops),
        latest_run_id=max((runs[told] for hop in hops if (told := hop.edge) in runs), default=(b"", None))[1],
    )


@lru_cache(maxsize=4096)
def _spelled(parts: tuple[Part, ...]) -> list[list[str]]:
    """Transformations as texts, which have an order among them."""
    return [[type_ or "", subtype or "", said or "", str(masking)] for type_, subtype, said, masking in parts]


def _latest_runs(stored: StoredFields, edges: Sequence[FlowEdge]) -> dict[FlowEdge, tuple[bytes, int]]:
    """(stamp, row id) of the latest run behind each flow, as of the question's instant."""
    if stored.as_of is None:
        return {edge: (edge.stamp, edge.run) for edge in edges if edge.run is not None}
    return _runs_by_then(stored, edges)


def _runs_by_then(stored: StoredFields, edges: Sequence[FlowEdge]) -> dict[FlowEdge, tuple[bytes, int]]:
    """The latest run that had told each flow by the instant: the stored one is today's."""
    flow, unit = FlowRow, stored.unit
    ends = [end for edge in edges for end in (edge.source, edge.target)]
    canonical = {**stored.aliases.canonical(ends)}
    members = [member for end in dict.fromkeys(ends) for member in stored.aliases.members(end)]
    query = (
        sa.select(flow.job_id, flow.source_id, flow.target_id, flow.mapping_id, flow.run_id, flow.first_seen)
        .where(
            among(unit, flow.target_id, sorted(set(members))),
            among(unit, flow.job_id, sorted({edge.job for edge in edges})),
            flow.run_id != 0,
            flow.first_seen <= stored.as_of,
        )
        .order_by(flow.first_seen, flow.run_id)
    )
    by_key = {(edge.job, edge.source, edge.target, edge.mapping): edge for edge in edges}
    latest: dict[FlowEdge, tuple[bytes, int]] = {}
    rows = unit.session.connection().execute(query).all()
    canonical.update(stored.aliases.canonical([end for row in rows for end in row[1:3]]))
    for job, source, target, mapping, run, first_seen in rows:
        edge = by_key.get((job, canonical.get(source, source), canonical.get(target, target), mapping))
        if edge is not None:
            latest[edge] = (stamp_after(first_seen), run)
    return latest
