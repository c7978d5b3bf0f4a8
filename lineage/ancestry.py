"""Everything upstream of a model version at run level: which runs, which versions of which datasets, how precisely."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import sqlalchemy as sa

from governance.types.ancestry import Ancestry, AncestryEdge, DatasetVersion, Precision
from governance.types.subject import Subject
from lineage.aliases import Aliases
from lineage.descriptions import Known, content_digest_of, describe_points, describe_runs
from lineage.evidence import LinkRater, levelled, link_rater
from lineage.points import Point, Points
from lineage.precision import (
    InputPrecision,
    Wanted,
    input_precision,
    output_precision,
    signature_columns,
    weakest,
)
from lineage.reading import Reader, among
from lineage.run_links import RunLinks
from lineage.subjects import Found, find_subject
from lineage.tables import RunRow

MAX_POINTS = 20_000
"""Versions in one ancestry; beyond it the answer is marked as truncated, and a check cannot pass on it."""


@dataclass
class _Trace:
    """The walk while it goes on."""

    known: Known
    links: RunLinks
    writers: dict[Point, list[int]] = field(default_factory=dict)
    used: dict[tuple[int, int], list[Point]] = field(default_factory=lambda: defaultdict(list))
    """For each run and input, the points that it was used for."""


def trace(unit: Reader, subject: Subject, as_of: datetime | None) -> Ancestry:
    """The subject's ancestry as of an instant or now; without a subject when lineage does not know it.

    Raises:
        Conflict: two different model versions have the subject's content digest.
    """
    aliases = Aliases(unit, as_of)
    known = Known(unit, aliases, as_of)
    found = find_subject(known, subject)
    return Ancestry(subject=None, as_of=as_of) if found is None else trace_found(known, found)


def trace_found(known: Known, found: Found) -> Ancestry:
    """The ancestry of a model version, or of any dataset, that was found."""
    unit, aliases, as_of = known.unit, known.aliases, known.as_of
    walk = _Trace(known, RunLinks(known, Points(unit, aliases, as_of)))
    start = Point(found.node, found.version)
    walk.writers[start] = list(found.writers)
    frontier = [start]
    while frontier and len(walk.writers) <= MAX_POINTS:
        frontier = _step(walk, frontier)
    return _assemble(walk, start, found, is_truncated=bool(frontier))


def _step(walk: _Trace, frontier: Sequence[Point]) -> list[Point]:
    """One level up: the writers of the points, what they read, and where that came from; the points that are new."""
    reached = [(run, point) for point in frontier for run in walk.writers[point]]
    walk.links.load(run for run, _ in reached)
    fresh: dict[Point, None] = {}
    for run, point in reached:
        for node in walk.links.inputs_for(run, point.node):
            walk.used[(run, node)].append(point)
            fresh.update((read.point, None) for read in walk.links.reads(run, node) if read.point not in walk.writers)
    for point in fresh:
        walk.writers[point] = walk.links.points.writers(point)
    return list(fresh)


def _assemble(walk: _Trace, start: Point, found: Found, *, is_truncated: bool) -> Ancestry:
    """The walk as a value, sorted."""
    points = sorted(walk.writers, key=lambda point: (point.node, point.version or "", point.writer or 0))
    loaded = set(walk.links.runs)
    missing = sorted({run for point in points for run in (*walk.writers[point], point.writer or 0)} - loaded - {0})
    unit = walk.known.unit
    more = unit.session.scalars(sa.select(RunRow).where(among(unit, RunRow.id, missing))) if missing else ()
    rows = {**walk.links.runs, **{row.id: row for row in more}}
    described = describe_points(walk.known, points, walk.writers, rows)
    described[start] = described[start].model_copy(update=found.members)
    runs = describe_runs(walk.known, [walk.links.runs[run] for run in sorted(loaded)])
    keys = {point: version.key for point, version in described.items()}
    wanted = _wanted(walk, described, start)
    named = {run: node.key for run, node in runs.items()}
    rater = link_rater(walk.known, [walk.links.runs[run] for run in sorted(loaded)], points)
    edges = [*_input_edges(walk, described, wanted, (named, rater)), *_output_edges(walk, described, (named, rater))]
    datasets, level = levelled(keys[start], described.values(), edges)
    return Ancestry(
        subject=keys[start],
        as_of=walk.known.as_of,
        datasets=tuple(sorted(datasets, key=lambda version: version.key)),
        runs=tuple(sorted(runs.values(), key=lambda run: run.key)),
        edges=tuple(sorted(edges, key=lambda edge: (edge.source, edge.target, edge.role))),
        truncated=is_truncated,
        **level,
    )


def _wanted(walk: _Trace, described: Mapping[Point, DatasetVersion], start: Point) -> dict[Point, Wanted]:
    """For each point the fields that go on to the subject: a column that a later run leaves out does not reach it.

    The sets only grow, so the search ends, in cycles too.
    """
    wanted: dict[Point, Wanted] = {start: None}
    waiting = [start]
    flows: dict[Point, list[tuple[int, Point]]] = defaultdict(list)
    for (run, node), targets in walk.used.items():
        for target in targets:
            flows[target] += [(run, read.point) for read in walk.links.reads(run, node)]
    while waiting:
        target = waiting.pop()
        for run, source in flows[target]:
            found = _precision(walk, described, run, source, target, wanted=wanted[target])
            more: Wanted = found.columns if found.precision == "column" else None
            held = wanted.get(source, frozenset())
            union = None if held is None or more is None else held | more
            if source not in wanted or union != held:
                wanted[source] = union
                waiting.append(source)
    return wanted


def _input_edges(
    walk: _Trace,
    described: Mapping[Point, DatasetVersion],
    wanted: Mapping[Point, Wanted],
    known_runs: tuple[Mapping[int, str], LinkRater],
) -> Iterable[AncestryEdge]:
    runs, rater = known_runs
    for (run, node), targets in walk.used.items():
        for read in walk.links.reads(run, node):
            of_targets = [
                _precision(walk, described, run, read.point, target, wanted=wanted.get(target)) for target in targets
            ]
            precision = weakest([item.precision for item in of_targets])
            columns = {column for item in of_targets for column in item.columns}
            # What a run read is known by what it reported; the digest of a model is told by whoever wrote it.
            seen = described[read.point].model_copy(update={"content_digest": None})
            rated = rater.rated(run, read.point, seen, is_inferred=read.is_inferred)
            yield AncestryEdge(
                source=described[read.point].key,
                target=runs[run],
                role="input",
                precision=precision,
                version_inferred=read.is_inferred,
                read_digest=None if read.is_inferred else content_digest_of(read.point.version),
                columns=tuple(sorted(columns)) if precision == "column" else None,
                level=rated.level,
                level_reason=rated.reason,
            )


def _precision(
    walk: _Trace,
    described: Mapping[Point, DatasetVersion],
    run: int,
    source: Point,
    target: Point,
    *,
    wanted: Wanted,
) -> InputPrecision:
    inputs, outputs = walk.links.inputs.get(run, set()), walk.links.outputs.get(run, set())
    signature = None
    if described[target].content_digest is not None:
        read = [read.point for node in inputs for read in walk.links.reads(run, node)]
        every = [described[point].fields if point in described else () for point in read]
        signature = signature_columns(described[target].fields, described[source].fields, every)
    return input_precision(
        walk.links.flows[run].columns(source.node, target.node, wanted),
        has_flow=source.node in walk.links.flows[run].sources(target.node),
        is_single=len(inputs) == 1 or len(outputs) == 1,
        signature=signature,
    )


def _output_edges(
    walk: _Trace, described: Mapping[Point, DatasetVersion], known_runs: tuple[Mapping[int, str], LinkRater]
) -> Iterable[AncestryEdge]:
    runs, rater = known_runs
    for point, version in described.items():
        for run in walk.writers[point]:
            if run not in runs:
                continue
            rated = rater.rated(run, point, version, is_inferred=point.writer is not None and point.version is not None)
            yield AncestryEdge(
                source=runs[run],
                target=version.key,
                role="output",
                precision=_of_output(walk, run, point),
                level=rated.level,
                level_reason=rated.reason,
            )


def _of_output(walk: _Trace, run: int, point: Point) -> Precision:
    single = len(walk.links.inputs.get(run, ())) <= 1 or len(walk.links.outputs.get(run, ())) == 1
    return output_precision(walk.links.flows[run], point.node, is_single=single)
