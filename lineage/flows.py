"""What feeds what, as the ``lineage`` and ``columnLineage`` facets of an event say. Pure."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from lineage.events import DatasetMention, Event
from lineage.facts import schema_document, usable
from lineage.identity import NodeKind
from lineage.labels import kept_text
from lineage.mapping import ColumnPair, Transformation, mapping_document
from lineage.paths import spelled

Names = tuple[str, str]
"""Namespace and name."""
End = tuple[NodeKind, str, str]
"""Kind, namespace and name of one end of an entry."""


@dataclass(frozen=True, slots=True)
class Flow:
    """Data flows from ``source`` to ``target``, through the event's own job where there is one.

    A source of None says that nothing tracked feeds the target. ``columns`` is empty where the facet names datasets
    only. ``is_explicit`` marks the entries of a ``lineage`` facet, which are the whole of the flow that they describe.
    """

    source: Names | None
    target: Names
    is_explicit: bool
    columns: frozenset[ColumnPair] = frozenset()

    def mapping(self) -> bytes | None:
        """The pairs of columns as they are stored; None where datasets alone are named."""
        return mapping_document(self.columns) if self.columns else None


@dataclass(frozen=True, slots=True)
class Told:
    """What the facets of one event say about data flow.

    ``links`` lead to or from jobs that an entry names, the event's own among them. ``is_explicit`` says that the job
    carries a ``lineage`` facet, which then is its whole data flow. ``statements`` are what the event replaces: of its
    job (None) or of a dataset, and whether nothing came in its place, since a facet was deleted.
    """

    flows: tuple[Flow, ...] = ()
    links: tuple[tuple[End, End], ...] = ()
    is_explicit: bool = False
    statements: tuple[tuple[Names | None, bool], ...] = ()


@dataclass
class _Gathered:
    """The flows of one event while they are gathered; ``own`` is its job, under whichever name an entry calls it."""

    own: End | None
    mentions: tuple[DatasetMention, ...] = ()
    pairs: dict[tuple[Names | None, Names], set[ColumnPair]] = field(default_factory=dict)
    links: dict[tuple[End, End], None] = field(default_factory=dict)

    def add(self, source: Names | None, target: Names, pair: ColumnPair) -> None:
        self.pairs.setdefault((source, target), set()).add(pair)

    def link(self, source: End, target: End) -> None:
        """Note a flow that has a job at one end or both."""
        if source != target:
            self.links[(source, target)] = None

    def flows(self, *, is_explicit: bool) -> Iterator[Flow]:
        for (source, target), pairs in self.pairs.items():
            # Datasets alone are named where no pair names a column on either side.
            named = any(pair.source or pair.target for pair in pairs) and source is not None
            yield Flow(source, target, is_explicit, frozenset(pairs) if named else frozenset())

    def through_own(self) -> None:
        """What feeds the own job feeds what the own job feeds."""
        into = [source for source, target in self.links if target == self.own and source[0] == "dataset"]
        out = [target for source, target in self.links if source == self.own and target[0] == "dataset"]
        for source, target in ((source, target) for source in into for target in out):
            self.add(source[1:], target[1:], ColumnPair("", ""))

    def path(self, names: Names, column: str) -> str:
        """The column's path: a name with a dot is set in backticks where the event's own schema has such a field."""
        if "." not in column or "`" in column:
            return column
        paths = {
            path
            for mention in self.mentions
            if (mention.namespace, mention.name) == names
            for path, _, _ in json.loads(schema_document(mention.facets) or b"[]")
        }
        return spelled(column) if column not in paths and spelled(column) in paths else column


def flows_of(event: Event) -> Told:
    """What the event's facets say about data flow."""
    if event.dataset is not None:
        gathered = _Gathered(None, (event.dataset,))
        is_explicit = _dataset_flows(gathered, event.dataset)
        flows = tuple(gathered.flows(is_explicit=is_explicit))
        return Told(flows, tuple(gathered.links), statements=tuple(_statements(event, (event.dataset,))))
    if event.job is None:
        return Told()
    own: End = ("job", event.job.namespace, event.job.name)
    mentions = (*event.inputs, *event.outputs)
    statements = tuple(_statements(event, event.outputs))
    entries = _live(event.job.facets, "lineage").get("entries")
    if isinstance(entries, list):
        gathered = _Gathered(own, mentions)
        for entry in entries:
            _entry(gathered, entry)
        gathered.through_own()
        return Told(tuple(gathered.flows(is_explicit=True)), tuple(gathered.links), True, statements)
    flows_told: list[Flow] = []
    links: dict[tuple[End, End], None] = {}
    for mention in event.outputs:
        gathered = _Gathered(own, mentions)
        is_explicit = _dataset_flows(gathered, mention)
        flows_told += gathered.flows(is_explicit=is_explicit)
        links.update(gathered.links)
    return Told(tuple(flows_told), tuple(links), False, statements)


def _statements(event: Event, mentions: tuple[DatasetMention, ...]) -> Iterator[tuple[Names | None, bool]]:
    """What the event replaces: what it declares without a run, and what it deletes."""
    job = event.job.facets.get("lineage") if event.job is not None else None
    if isinstance(job, dict) and (event.run_id is None or job.get("_deleted") is True):
        yield None, job.get("_deleted") is True
    for mention in mentions:
        facets = [mention.facets.get(key) for key in ("lineage", "columnLineage")]
        told = [facet for facet in facets if isinstance(facet, dict)]
        deleted = [facet for facet in told if facet.get("_deleted") is True]
        if deleted or (told and event.run_id is None):
            yield (mention.namespace, mention.name), len(deleted) == len(told)


def _dataset_flows(gathered: _Gathered, mention: DatasetMention) -> bool:
    """Gather what the facets of a dataset say of its sources; whether the ``lineage`` facet said it."""
    target = (mention.namespace, mention.name)
    lineage = _live(mention.facets, "lineage")
    if lineage:
        _inputs(gathered, lineage, target)
        return True
    facet = _live(mention.facets, "columnLineage")
    for name, entry in _items(facet.get("fields")):
        of_field = _old_transformation(entry)
        for source in _list(entry.get("inputFields") if isinstance(entry, dict) else None):
            _column(gathered, source, target, name, of_field)
    for source in _list(facet.get("dataset")):
        _column(gathered, source, target, "", ())
    return False


def _column(gathered: _Gathered, source: Any, target: Names, name: str, otherwise: tuple[Transformation, ...]) -> None:
    names, column = _names(source), usable(source.get("field")) if isinstance(source, dict) else None
    if names is not None and column is not None and (usable(name) or name == ""):
        parts = _transformations(source) or otherwise
        gathered.add(names, target, ColumnPair(gathered.path(names, column), gathered.path(target, name), parts))


def _transformations(source: Any) -> tuple[Transformation, ...]:
    """How the column goes on, as the producer told it; what is no transformation is left out."""
    return tuple(
        Transformation(
            usable(entry.get("type")), usable(entry.get("subtype")), kept_text(entry.get("description")),
            entry.get("masking") is True,
        )
        for entry in _list(source.get("transformations"))
        if isinstance(entry, dict)
    )  # fmt: skip


def _old_transformation(entry: Any) -> tuple[Transformation, ...]:
    """``transformationType`` of a field, as producers before version 1-1-0 of the facet told it."""
    kind = usable(entry.get("transformationType")) if isinstance(entry, dict) else None
    if kind is None:
        return ()
    return (Transformation("DIRECT", kind, kept_text(entry.get("transformationDescription")), kind == "MASKED"),)


def _entry(gathered: _Gathered, entry: Any) -> None:
    """An entry of a job's ``lineage`` facet."""
    if not isinstance(entry, dict):
        return
    end = _end(gathered, entry)
    if end is None:
        return
    if end[0] == "dataset":
        _inputs(gathered, entry, end[1:])
        if not _list(entry.get("inputs")) and not _items(entry.get("fields")):
            gathered.add(None, end[1:], ColumnPair("", ""))
        return
    for source in (_end(gathered, source) for source in _list(entry.get("inputs"))):
        if source is not None:
            gathered.link(source, end)


def _inputs(gathered: _Gathered, holder: Mapping[str, Any], target: Names) -> None:
    for source in _list(holder.get("inputs")):
        _input(gathered, source, target, "")
    for name, entry in _items(holder.get("fields")):
        for source in _list(entry.get("inputs") if isinstance(entry, dict) else None):
            _input(gathered, source, target, name)


def _input(gathered: _Gathered, source: Any, target: Names, name: str) -> None:
    end = _end(gathered, source)
    if end is None:
        return
    if end[0] == "job":
        gathered.link(end, ("dataset", *target))
        return
    column = gathered.path(end[1:], usable(source.get("field")) or "")
    gathered.add(
        end[1:], target, ColumnPair(column, gathered.path(target, usable(name) or ""), _transformations(source))
    )


def _end(gathered: _Gathered, holder: Any) -> End | None:
    """The dataset or job that an entry or input names; a job without a name is the event's own."""
    if not isinstance(holder, dict):
        return None
    names, kind = _names(holder), holder.get("type")
    if kind == "JOB" and "name" not in holder and "namespace" not in holder:
        return gathered.own
    if names is None or kind not in ("JOB", "DATASET"):
        return None
    return ("job" if kind == "JOB" else "dataset", *names)


def _names(holder: Any) -> Names | None:
    if not isinstance(holder, dict):
        return None
    namespace, name = usable(holder.get("namespace")), usable(holder.get("name"))
    return None if namespace is None or name is None else (namespace, name)


def _live(facets: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    facet = facets.get(key)
    return facet if isinstance(facet, dict) and facet.get("_deleted") is not True else {}


def _items(value: Any) -> list[tuple[str, Any]]:
    return list(value.items()) if isinstance(value, dict) else []


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
